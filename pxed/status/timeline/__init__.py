"""Fold the daemon's events into boots: what each machine is doing, stage by stage, and what stands still.

Pure: events and times in, values out. `Timeline.fold` takes one event, `Timeline.tick` looks at what is due.
"""

from pxed.status.timeline.fold import Timeline

__all__ = ["Timeline"]
