"""Why a boot does not go on: one named fault with its evidence and remedy, from what the boot has shown. Pure.

The rules are asked in the order of a boot: the first that fits is the cause, what comes later follows from it.
"""

from pxed.status.diagnose.verdict import Surroundings, diagnose

__all__ = ["Surroundings", "diagnose"]
