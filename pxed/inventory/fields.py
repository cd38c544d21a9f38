"""The field types of the inventory: how the text of a YAML scalar becomes a value, and what editors are told of it."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from pxed.inventory import scalars, selectors, words
from pxed.inventory.scalars import expected
from pxed.inventory.yamltext import Plain

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_MIRROR_URL = re.compile(r"https?://[^\s?#\"<>{}/][^\s?#\"<>{}]*")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_Item = TypeVar("_Item")


class Base(BaseModel):
    """A mapping of the inventory: no unknown keys, never changed; a key with nothing after it counts as absent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _absent(cls, data: Any) -> Any:
        if type(data) is dict and None in data.values():
            return {key: value for key, value in data.items() if value is not None}
        return data

    def given(self) -> dict[str, Any]:
        """The fields that the text sets, with their values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _number(value: Any) -> Any:
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) is None:
            raise expected(value, "a whole number")
        return int(value)
    return value


def _truth(value: Any) -> Any:
    if isinstance(value, str):
        if value.lower() not in _TRUTH:
            raise expected(value, "true or false")
        return _TRUTH[value.lower()]
    return value


def _port_range(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value == "any":
        return None
    found = re.fullmatch(r"([0-9]{1,5}) ?- ?([0-9]{1,5})", value)
    first, last = (int(number) for number in found.groups()) if found else (0, 0)
    if not 0 < first <= last <= 65535:
        raise expected(value, "any, or a range of ports such as 40000-40999")
    return first, last


def _network(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return IPv4Network(value)
    except ValueError:
        raise expected(value, "an address such as 10.2.0.1 or a network such as 10.2.0.0/16") from None


def _listed(value: Any) -> Any:
    """A single value stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _once(values: tuple[_Item, ...]) -> tuple[_Item, ...]:
    twice = next((value for position, value in enumerate(values) if value in values[:position]), None)
    if twice is not None:
        raise ValueError(f"found {scalars.quote(str(twice))} twice, expected each value once")
    return values


def _not_empty(values: tuple[_Item, ...]) -> tuple[_Item, ...]:
    if not values:
        raise ValueError("found an empty list, expected at least one value")
    return values


def _consoles(value: Any) -> Any:
    return words.rejoin_consoles(value) if isinstance(value, list) else _listed(value)


def _autologin(value: Any) -> Any:
    """true or false, or a list of terminals."""
    if isinstance(value, str):
        return _TRUTH[value.lower()] if value.lower() in _TRUTH else (words.tty(value),)
    if isinstance(value, list | tuple):
        for item in value:
            if not isinstance(item, str):
                raise expected(item, "a terminal such as ttyS0")
        return _once(tuple(words.tty(item) for item in value))
    if isinstance(value, bool):
        return value
    raise expected(value, "true, false or a list of terminals such as [ttyS0]")


def _uuid(value: Any) -> Any:
    return scalars.parse_uuid(value) if isinstance(value, str) else value


def _beside(value: Any, info: ValidationInfo) -> Any:
    """A path; a relative one lies beside the inventory, whose directory the loader passes as context."""
    if not isinstance(value, str):
        return value
    scalars.single_line(value)
    if not value.strip():
        raise expected(value, "a path")
    return info.context["base"] / value if info.context else Path(value)


def _state(value: str) -> str:
    if value != "sqlite" and re.fullmatch(r"postgresql(\+\w+)?://\S+", value) is None:
        raise expected(value, "sqlite or a URL such as postgresql://user@host/pxed")
    return value


def _ignition_url(value: str) -> str:
    scalars.word(value)
    if re.match(r"(https?|s3|arn|gs|tftp|data|oem):.", value) is None:
        raise expected(value, "a URL that Ignition fetches: http, https, tftp, s3, arn, gs, data or oem")
    return value


def _disk(value: str) -> str:
    scalars.word(value)
    if value not in ("smallest", "largest") and re.fullmatch(r"/dev/[^\"'\\]+", value) is None:
        raise expected(value, "a block device such as /dev/sda or /dev/disk/by-id/..., or smallest, or largest")
    return value


def _version(value: str) -> str:
    if re.fullmatch(r"current(-20[0-9]{2})?|[0-9]{3,5}\.[0-9]{1,3}\.[0-9]{1,3}", value) is None:
        raise expected(value, "current, current-YEAR (of lts) or a version such as 4593.2.5")
    return value


def _mirror_url(value: str) -> str:
    scalars.word(value)
    if _MIRROR_URL.fullmatch(value.replace("{channel}", "channel", 1)) is None:
        raise expected(value, "an http or https URL such as http://mirror.example/flatcar/{channel}")
    return value.rstrip("/")


def _interval(value: Any) -> Any:
    """Seconds; 0 for off."""
    if not isinstance(value, str):
        return value
    if value == "off":
        return 0
    seconds = _seconds(value)
    if not seconds:
        raise expected(value, "off, or a time such as 30m, 6h or 1d")
    return seconds


def _duration(value: Any) -> Any:
    """Seconds, at least one."""
    if not isinstance(value, str):
        return value
    seconds = _seconds(value)
    if not seconds:
        raise expected(value, "a time such as 30s, 15m or 1h")
    return seconds


def _seconds(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    return int(found[1]) * _UNITS[found[2]] if found else 0


def _fingerprint(value: str) -> str:
    compact = value.replace(" ", "").upper()
    if re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", compact) is None:
        raise expected(value, "the fingerprint of an OpenPGP primary key: 40 hexadecimal digits")
    return compact


def _oem_files(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, dict):
        raise expected(value, "a mapping of paths in the initrd to files")
    return {_oem_path(path): _beside(file, info) for path, file in value.items()}


def _oem_path(value: str) -> str:
    path = value.removeprefix("/")
    if not path or any(part in ("", ".", "..") for part in path.split("/")) or not path.isprintable():
        raise expected(value, "a path in the initrd such as usr/share/oem/bin/setup")
    return path


def untyped(value: Any) -> Any:
    """Values of `vars`: a quoted scalar is text; unquoted ones are whole numbers, true, false, nothing or text."""
    kind = type(value)
    if kind is Plain:
        return value.typed()
    if kind is dict:
        return {key: untyped(inner) for key, inner in value.items()}
    if kind is list:
        return [untyped(inner) for inner in value]
    return value


def _vars(value: Any) -> Any:
    if type(value) is not dict:
        raise expected(value, "a mapping of template variables")
    return {key: untyped(inner) for key, inner in value.items()}


def _list_of(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "uniqueItems": True}]})


_WORD: dict[str, Any] = {"type": "string", "minLength": 1}
_TTY: dict[str, Any] = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9._/-]*$"}
_MAC: dict[str, Any] = {"type": "string", "pattern": "^[0-9A-Fa-f]{2}([:.-]?[0-9A-Fa-f]{2}){5}$"}
_PATTERN: dict[str, Any] = {"type": ["string", "integer"]}
_NAMES = WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$"})
_SCALAR = WithJsonSchema({"type": ["string", "integer"]})  # unquoted digits are an integer to an editor

Name = Annotated[str, AfterValidator(scalars.parse_name), _NAMES]
Number = Annotated[int, BeforeValidator(_number)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Word = Annotated[str, AfterValidator(scalars.word)]
Macs = Annotated[
    tuple[Annotated[str, AfterValidator(scalars.parse_mac)], ...],
    BeforeValidator(_listed),
    AfterValidator(_once),
    AfterValidator(_not_empty),
    _list_of(_MAC),
]
MachineUuid = Annotated[UUID, BeforeValidator(_uuid)]
Serial = Annotated[str, AfterValidator(scalars.parse_serial), _SCALAR]
AssetTag = Annotated[str, AfterValidator(scalars.parse_asset_tag), _SCALAR]
Interfaces = Annotated[
    tuple[Annotated[str, AfterValidator(words.interface)], ...],
    BeforeValidator(_listed),
    AfterValidator(_once),
    _list_of({"type": "string", "minLength": 1, "maxLength": 15}),
]
Networks = Annotated[
    tuple[Annotated[IPv4Network, BeforeValidator(_network)], ...],
    BeforeValidator(_listed),
    AfterValidator(_once),
    _list_of({"type": "string", "pattern": "^[0-9]{1,3}([.][0-9]{1,3}){3}(/[0-9]{1,2})?$"}),
]
Consoles = Annotated[
    tuple[Annotated[str, AfterValidator(words.console)], ...],
    BeforeValidator(_consoles),
    AfterValidator(_once),
    _list_of(_WORD),
]
Autologin = Annotated[
    bool | tuple[str, ...],
    BeforeValidator(_autologin),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, _TTY, {"type": "array", "items": _TTY}]}),
]
SshKeys = Annotated[
    tuple[Annotated[str, AfterValidator(words.ssh_key)], ...], BeforeValidator(_listed), _list_of(_WORD)
]
Ips = Annotated[tuple[Annotated[str, AfterValidator(words.ip)], ...], BeforeValidator(_listed), _list_of(_WORD)]
Arguments = Annotated[
    tuple[Annotated[str, AfterValidator(words.argument)], ...], BeforeValidator(_listed), _list_of(_WORD)
]
_PATTERNS = (
    BeforeValidator(_listed),
    AfterValidator(_not_empty),
    WithJsonSchema({"anyOf": [_PATTERN, {"type": "array", "items": _PATTERN, "minItems": 1}]}),
)
MacPatterns = Annotated[tuple[Annotated[str, AfterValidator(selectors.mac_pattern)], ...], *_PATTERNS]
UuidPatterns = Annotated[tuple[Annotated[str, AfterValidator(selectors.uuid_pattern)], ...], *_PATTERNS]
SerialPatterns = Annotated[tuple[Annotated[str, AfterValidator(selectors.serial_pattern)], ...], *_PATTERNS]
ArchPatterns = Annotated[tuple[Annotated[str, AfterValidator(selectors.arch_pattern)], ...], *_PATTERNS]
Root = Annotated[str, AfterValidator(words.root)]
FileReference = Annotated[str, AfterValidator(scalars.file_reference)]
FileReferences = Annotated[tuple[FileReference, ...], BeforeValidator(_listed), _list_of(_WORD)]
PortRange = Annotated[
    tuple[int, int] | None,
    BeforeValidator(_port_range),
    WithJsonSchema({"type": "string", "pattern": "^(any|[0-9]+ ?- ?[0-9]+)$", "default": "any"}),
]
LoaderFile = Annotated[str, AfterValidator(scalars.relative_file)]
Directory = Annotated[Path, BeforeValidator(_beside), WithJsonSchema(_WORD)]
Template = Annotated[Path, BeforeValidator(_beside), WithJsonSchema(_WORD)]
IgnitionUrl = Annotated[str, AfterValidator(_ignition_url)]
Disk = Annotated[str, AfterValidator(_disk)]
FlatcarVersion = Annotated[str, AfterValidator(_version)]
MirrorUrl = Annotated[str, AfterValidator(_mirror_url)]
Interval = Annotated[
    int,
    BeforeValidator(_interval),
    WithJsonSchema({"type": "string", "pattern": "^(off|[1-9][0-9]*[smhd])$", "default": "6h"}),
]
Duration = Annotated[
    int, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,5}[smhd]$"})
]
Checks = Annotated[
    tuple[Literal["address", "serial", "uuid", "asset"], ...],
    BeforeValidator(_listed),
    AfterValidator(_once),
    _list_of({"enum": ["address", "serial", "uuid", "asset"]}),
]
Fingerprint = Annotated[str, AfterValidator(_fingerprint)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed), AfterValidator(_once), _list_of(_WORD)]
OemFiles = Annotated[
    dict[str, Path],
    BeforeValidator(_oem_files),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}}),
]
State = Annotated[str, AfterValidator(_state)]
Vars = Annotated[dict[str, Any], BeforeValidator(_vars), WithJsonSchema({"type": "object"})]
