"""The Ignition config spec 3.x: its structs, JSON, validation and merging. Pure; text and trees in, trees and text out.

https://coreos.github.io/ignition/specs/. Specs 3.3.0 and 3.4.0 follow Ignition 2.26 exactly; the others as far as its
sources tell. Specs 1 and 2.x are left out.
"""

from pxed.ignition.spec.check import Checked, check
from pxed.ignition.spec.decode import parse, place, read
from pxed.ignition.spec.duplicates import duplicates
from pxed.ignition.spec.encode import marshal
from pxed.ignition.spec.merge import merge
from pxed.ignition.spec.model import Finding, Path, Severity, Tree, UnknownSpecError, fatal
from pxed.ignition.spec.schema import EXPERIMENTAL, VERSIONS
from pxed.ignition.spec.validate import validate

__all__ = [
    "EXPERIMENTAL",
    "VERSIONS",
    "Checked",
    "Finding",
    "Path",
    "Severity",
    "Tree",
    "UnknownSpecError",
    "check",
    "duplicates",
    "fatal",
    "marshal",
    "merge",
    "parse",
    "place",
    "read",
    "validate",
]
