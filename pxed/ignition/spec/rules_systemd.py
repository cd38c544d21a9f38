"""Rules for systemd units and drop-ins, and for files in their way.

Ignition's config/v3_*/types: config, systemd, unit; config/shared/validations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pxed.ignition.spec.gotext import extension, quote
from pxed.ignition.spec.model import Finding, Path, Tree
from pxed.ignition.spec.rules import Rule, error, warning
from pxed.ignition.spec.unitfile import read_unit

_EXTENSIONS = (
    *(".service", ".socket", ".device", ".mount", ".automount", ".swap"),
    *(".target", ".path", ".timer", ".snapshot", ".slice", ".scope"),
)
_INSTANCE = re.compile(r"(.+?)@(.+?)\.service")
_DIRECTORY = "/etc/systemd/system/"


def _config(config: Tree, at: Path, _: int) -> Iterator[Finding]:
    taken = frozenset(_unit_paths(config.get("systemd", {}).get("units", ())))
    for field in ("files", "directories", "links") if taken else ():
        for index, node in enumerate(config.get("storage", {}).get(field, ())):
            if node.get("path", "") in taken:
                yield from error((*at, "storage", field, index, "path"), "path conflicts with systemd unit or dropin")


def _unit_paths(units: list[Tree]) -> Iterator[str]:
    for unit in units:
        path = _DIRECTORY + unit.get("name", "")
        if unit.get("contents"):
            yield path
        for dropin in unit.get("dropins", ()):
            if dropin.get("contents"):
                yield f"{path}.d/{dropin.get('name', '')}"


def _systemd(systemd: Tree, at: Path, _: int) -> Iterator[Finding]:
    units = systemd.get("units", ())
    contents = {unit.get("name", ""): unit.get("contents", "") for unit in units}
    for index, unit in enumerate(units):
        name = unit.get("name", "")
        instance = _INSTANCE.fullmatch(name) if unit.get("enabled") else None
        template = f"{instance[1]}@.service" if instance else ""
        if contents.get(template):
            text = read_unit(contents[template])
            if not text.error and "Install" not in text.sections:
                message = f"template unit {quote(template)} for {quote(name)} doesn't have Install section"
                yield from warning((*at, "units", index, "contents"), message)


def _unit(unit: Tree, at: Path, _: int) -> Iterator[Finding]:
    name, contents = unit.get("name", ""), unit.get("contents", "")
    if extension(name) not in _EXTENSIONS:
        yield from error((*at, "name"), "invalid systemd unit extension")
    text = read_unit(contents)
    yield from error((*at, "contents"), text.error)
    if unit.get("enabled") and contents and not text.error and "Install" not in text.sections:
        message = f"unit {quote(name)} is enabled, but has no install section so enable does nothing"
        yield from warning((*at, "contents"), message)


def _dropin(dropin: Tree, at: Path, _: int) -> Iterator[Finding]:
    yield from error((*at, "contents"), read_unit(dropin.get("contents", "")).error)
    if extension(dropin.get("name", "")) != ".conf":
        yield from error((*at, "name"), "invalid systemd drop-in extension")


RULES: dict[str, Rule] = {"Config": _config, "Systemd": _systemd, "Unit": _unit, "Dropin": _dropin}
