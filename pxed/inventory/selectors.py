"""Selectors: wildcard patterns for MAC, UUID, serial number and architecture, compiled once at load."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from uuid import UUID

from pxed.architecture import KNOWN_NAMES, name_of
from pxed.inventory.scalars import expected, nearest, parse_mac, parse_uuid, placeholder_uuid, serial_key

Test = Callable[[str], object]
_OUTSIDE_BRACKETS = re.compile(r"\[[^\]]*\]|[:.-]")
_MAC_LENGTH = {":": 17, ".": 14, "": 12}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A selector as tests; None for a field that it does not name. `key` is equal for selectors that say the same."""

    mac: tuple[tuple[str, Test], ...] | None  # separator of the spelling that the test wants
    uuid: Test | None
    serial: Test | None
    arch: Test | None
    key: tuple[frozenset[str], ...]

    def matches(self, mac: str, uuid: bytes | None, serial: str | None, arch: str | None) -> bool:
        """Whether every named field has a value that fits; a placeholder of the firmware is no value."""
        return (
            (self.mac is None or (bool(mac) and self.fits_mac(mac)))
            and (self.arch is None or (arch is not None and bool(self.arch(arch))))
            and (self.serial is None or self.fits_serial(serial))
            and (self.uuid is None or self.fits_uuid(uuid))
        )

    def fits_mac(self, mac: str) -> bool:
        """Whether a MAC with colons fits one of the patterns."""
        return self.mac is None or any(test(_spelled(mac, separator)) for separator, test in self.mac)

    def fits_serial(self, serial: str | None) -> bool:
        key = serial_key(serial) if serial else ""
        return self.serial is None or (key != "" and bool(self.serial(key)))

    def fits_uuid(self, raw: bytes | None) -> bool:
        if self.uuid is None:
            return True
        if raw is None or len(raw) != 16 or placeholder_uuid(raw):
            return False
        return bool(self.uuid(str(UUID(bytes=raw)))) or bool(self.uuid(str(UUID(bytes_le=raw))))


def compiled(mac: Sequence[str], uuid: Sequence[str], serial: Sequence[str], arch: Sequence[str]) -> Compiled:
    """Compile patterns in the forms that the functions below return."""
    spellings = sorted({_separator(text) for text in mac})
    tests = tuple((mark, _any_of([text for text in mac if _separator(text) == mark])) for mark in spellings)
    return Compiled(
        mac=tests if mac else None,
        uuid=_any_of(uuid) if uuid else None,
        serial=_any_of(serial) if serial else None,
        arch=_any_of(arch) if arch else None,
        key=(frozenset(mac), frozenset(uuid), frozenset(serial), frozenset(arch)),
    )


def mac_pattern(text: str) -> str:
    """The pattern in lower case with colons, or Cisco's dots, or bare. ValueError when no MAC can fit."""
    pattern = text.strip().lower()
    if not re.search(r"[*?\[]", pattern):
        try:
            return parse_mac(text)
        except ValueError:
            raise expected(text, "a whole MAC address or a pattern with wildcards such as 52:54:00:*") from None
    if re.search(r"[^0-9a-f*?:.\[\]!-]", pattern):
        raise expected(text, "a MAC pattern such as 52:54:00:*")
    found = {match for match in _OUTSIDE_BRACKETS.findall(pattern) if len(match) == 1}
    if len(found) > 1:
        raise expected(text, "a MAC pattern with one kind of separator, such as 52:54:00:*")
    if found == {"-"}:
        pattern = _OUTSIDE_BRACKETS.sub(lambda match: ":" if match[0] == "-" else match[0], pattern)
    length = len(re.sub(r"\[!?[^\]]+\]", "x", pattern))
    if "*" not in pattern and length != _MAC_LENGTH[_separator(pattern)]:
        raise expected(text, "a MAC pattern that some MAC fits: end it with * to match a prefix")
    return pattern


def uuid_pattern(text: str) -> str:
    """The pattern in lower case with dashes. ValueError when no UUID can fit."""
    pattern = text.strip().lower()
    if not re.search(r"[*?\[]", pattern):
        return str(parse_uuid(text))
    if re.search(r"[^0-9a-f*?\[\]!-]", pattern):
        raise expected(text, "a UUID pattern such as 4c4c4544-*")
    return pattern


def serial_pattern(text: str) -> str:
    """The pattern in the form of serial_key. ValueError when no serial number can fit."""
    pattern = text.strip().lower()
    if not serial_key(pattern):
        raise expected(text, "a serial number pattern: firmware placeholders never match")
    return pattern


def arch_pattern(text: str) -> str:
    """A pattern over architecture names; a number of DHCP option 93 becomes its name. ValueError when none can fit."""
    pattern = text.strip().lower()
    if re.fullmatch(r"[0-9]{1,5}", pattern) and int(pattern) <= 0xFFFF:
        return name_of(int(pattern))
    if not re.fullmatch(r"arch-[0-9]{1,5}", pattern) and not any(fnmatchcase(name, pattern) for name in KNOWN_NAMES):
        raise expected(text, f"an architecture{nearest(pattern, KNOWN_NAMES)}")
    return pattern


def _separator(pattern: str) -> str:
    """Which spelling of a MAC the pattern is written for."""
    outside = [match for match in _OUTSIDE_BRACKETS.findall(pattern) if len(match) == 1]
    return outside[0] if outside else ""


def _spelled(mac: str, separator: str) -> str:
    if separator == ":":
        return mac
    digits = mac.replace(":", "")
    return f"{digits[:4]}.{digits[4:8]}.{digits[8:]}" if separator == "." else digits


def _any_of(patterns: Sequence[str]) -> Test:
    return re.compile("|".join(translate(pattern) for pattern in patterns)).match
