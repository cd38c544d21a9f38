"""Acceptance oracles: how firmware takes a DHCP reply, written down from its own sources.

Independent of pxed's codec, so that an error in one is no error in the other: the daemon's replies are tested by them,
and `pxed-probe` judges any server's replies with them.
"""
