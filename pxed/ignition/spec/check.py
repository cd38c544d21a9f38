"""Everything that Ignition would say about the text of a config, whatever its version.

Specs 3.0.0 to 3.6.0 are checked. Specs 1 and 2.x, which Flatcar converts itself, are named and not looked into.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pxed.ignition.spec.decode import EMPTY, parse, place, position
from pxed.ignition.spec.duplicates import duplicates
from pxed.ignition.spec.gojson import Json, JsonSyntaxError, read_json
from pxed.ignition.spec.model import Finding, Severity
from pxed.ignition.spec.rules_resource import version_fault
from pxed.ignition.spec.schema import VERSIONS, fold
from pxed.ignition.spec.validate import validate

_OLD = re.compile(r"[12]\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a text holds: the version that it names ("" if none), its config if Ignition could read it, the findings."""

    version: str
    config: dict[str, Any] | None
    findings: tuple[Finding, ...]

    @property
    def fatal(self) -> bool:
        """Whether Ignition would refuse the config."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def check(body: bytes) -> Checked:
    """What Ignition would say about a config, with line and column. Never raises."""
    try:
        root = read_json(body) if body else None
    except JsonSyntaxError as problem:
        return Checked("", None, (Finding((), Severity.ERROR, str(problem), *position(body, problem.offset)),))
    if root is None:
        return Checked("", None, (Finding((), Severity.ERROR, EMPTY),))
    version = _version(root)
    if version not in VERSIONS:
        return Checked(version, None, () if _OLD.fullmatch(version) else _unsupported(body, version))
    config, findings = parse(body, version)
    if config is not None:
        findings += place(body, [*validate(config, version), *duplicates(config, version)])
    return Checked(version, config, tuple(findings))


def _version(root: Json) -> str:
    ignition = _member(root, "ignition")
    version = _member(ignition, "version") if ignition else None
    if version:
        return str(version.value) if version.kind == "string" else ""
    # Spec 1 names its version in another place.
    old = root.member("ignitionVersion")
    return "1.0.0" if old and old.kind == "number" else ""


def _member(node: Json, name: str) -> Json | None:
    """The last member of that name, in any case, as Go finds it."""
    members = node.value if node.kind == "object" else ()
    return next((member.value for member in reversed(members) if fold(member.key) == name), None)


def _unsupported(body: bytes, version: str) -> tuple[Finding, ...]:
    path = ("ignition", "version")
    return tuple(place(body, [Finding(path, Severity.ERROR, version_fault(version))]))
