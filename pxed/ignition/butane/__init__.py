"""Butane (variant flatcar) to Ignition, in Python: the semantics and the messages of Butane 0.29.

    from pxed.ignition import butane
    result = butane.translate(text)

docs/reference/butane.md says what is the same as in the reference tool and what is not.
"""

from pxed.ignition.butane.local import Kind, LocalFiles, Stat
from pxed.ignition.butane.report import Entry, pretty
from pxed.ignition.butane.transpile import Result, translate

__all__ = ["Entry", "Kind", "LocalFiles", "Result", "Stat", "pretty", "translate"]
