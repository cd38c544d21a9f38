"""Packets of a wire as the events that pxed's own daemon would have told of them: live or from a capture, without I/O.

So the daemon's timeline and diagnosis serve here too. The boot server is the one that the events are of ("us"): the
daemon's own view, taken from outside.
"""

from pxed.probe.observe.observer import Observer

__all__ = ["Observer"]
