"""Rules for disks, partitions, RAID arrays and encrypted volumes.

Ignition's config/v3_*/types: disk, partition, raid, device, luks, clevis, custom, tang, cex.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pxed.ignition.spec.gojson import syntax_fault
from pxed.ignition.spec.gotext import length, utf8
from pxed.ignition.spec.gourl import parse_url
from pxed.ignition.spec.model import Finding, Path, Tree
from pxed.ignition.spec.rules import NO_DEVICE, NO_SUCH_SCHEME, NO_SUCH_URL, Rule, error, path_fault
from pxed.ignition.spec.rules_resource import url_fault

_GUID = re.compile(r"|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_STRIPED = ("linear", "raid0", "0", "stripe")
_LEVELS = (*_STRIPED, "raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6", "raid10", "10")
_PINS = ("tpm2", "tang", "sss")


def _disk(disk: Tree, at: Path, _: int) -> Iterator[Finding]:
    if not disk.get("device"):
        yield from error((*at, "device"), NO_DEVICE)
        return
    yield from error((*at, "device"), path_fault(disk["device"]))
    partitions = disk.get("partitions", ())
    at = (*at, "partitions")
    number = _first_again([partition.get("number") or None for partition in partitions])
    if number is not None:
        yield from error((*at, number), "partition numbers collide")
    overlap = _first_overlap(partitions)
    if overlap is not None:
        yield from error((*at, overlap), "partitions overlap")
    if _mixes_zeroes_and_absence(partitions):
        zero = "shouldExist is false for a partition and other partition(s) has start or size 0"
        yield from error(at, zero)
    label = _first_again([partition.get("label") for partition in partitions])
    if label is not None:
        yield from error((*at, label), "cannot use the same partition label twice")


def _first_again(keys: Sequence[object]) -> int | None:
    """The index of the first key that was there before; None counts for nothing."""
    return next((index for index, key in enumerate(keys) if key is not None and key in keys[:index]), None)


def _first_overlap(partitions: Sequence[Tree]) -> int | None:
    sized = [(index, *_extent(partition)) for index, partition in enumerate(partitions) if _placed(partition)]
    for mine, start, end in sized:
        for other, begin, last in sized:
            if mine != other and (begin <= start <= last or begin <= end <= last or (start < begin and end > last)):
                return other
    return None


def _placed(partition: Tree) -> bool:
    # A start of 0 means the largest free block, which is not known before the disk is seen.
    return bool(partition.get("startMiB")) and partition.get("sizeMiB") is not None


def _extent(partition: Tree) -> tuple[int, int]:
    start, size = partition["startMiB"], partition["sizeMiB"]
    return start, start + size - 1 if size else start


def _mixes_zeroes_and_absence(partitions: Sequence[Tree]) -> bool:
    absent = any(partition.get("shouldExist") is False for partition in partitions)
    return absent and any(not partition.get("number") for partition in partitions)


def _partition(partition: Tree, at: Path, _: int) -> Iterator[Finding]:
    label = partition.get("label")
    placed = any(partition.get(name) is not None for name in ("startMiB", "sizeMiB"))
    described = label is not None or partition.get("typeGuid") or partition.get("guid") or placed
    if partition.get("shouldExist") is False and described:
        yield from error(at, "shouldExist specified false with other options also specified")
    if not partition.get("number") and label is None:
        yield from error(at, "a partition number >= 1 or a label must be specified")
    yield from error((*at, "label"), _label_fault(label or ""))
    for name in ("guid", "typeGuid"):
        if not _GUID.fullmatch(partition.get(name, "")):
            yield from error((*at, name), 'doesn\'t match the form "01234567-89AB-CDEF-EDCB-A98765432101"')


def _label_fault(label: str) -> str:
    if length(label) > 36:
        return "partition labels may not exceed 36 characters"
    return "partition label will be truncated to text before the colon" if ":" in label else ""


def _device(device: str, at: Path) -> Iterator[Finding]:
    yield from error(at, path_fault(device))


def _raid(raid: Tree, at: Path, minor: int) -> Iterator[Finding]:
    yield from error((*at, "level"), _level_fault(raid, minor))
    if not raid.get("devices"):
        yield from error((*at, "devices"), "raid devices required")


def _level_fault(raid: Tree, minor: int) -> str:
    level = raid.get("level")
    if not level and minor >= 3:
        return "raid level is required"
    if level not in _LEVELS:
        return "unrecognized raid level"
    return "spares unsupported for linear and raid0 arrays" if level in _STRIPED and raid.get("spares") else ""


def _luks(luks: Tree, at: Path, minor: int) -> Iterator[Finding]:
    if "/" in luks.get("name", ""):
        yield from error((*at, "name"), "device names cannot contain slashes")
    if length(luks.get("label", "")) > 47:
        yield from error((*at, "label"), "luks device labels cannot be longer than 47 characters")
    device = luks.get("device")
    yield from error((*at, "device"), path_fault(device) if device else NO_DEVICE)
    if _custom_with_others(luks.get("clevis", {}), minor):
        yield from error((*at, "clevis"), "cannot use custom clevis config with tpm2, tang, or threshold")
    key = luks.get("keyFile", {}).get("source")
    if key and url_fault(key, minor):
        yield from error((*at, "keys"), "invalid key-file source")  # no field has this name; the message has it
    if luks.get("cex", {}).get("enabled"):
        yield from _cex(luks, (*at, "cex"))


def _custom_with_others(clevis: Tree, minor: int) -> bool:
    custom = bool(clevis.get("custom", {}).get("pin")) if minor >= 3 else clevis.get("custom") is not None
    return custom and any(clevis.get(name) for name in ("tang", "tpm2", "threshold"))


def _cex(luks: Tree, at: Path) -> Iterator[Finding]:
    clevis = luks.get("clevis", {})
    if clevis.get("custom", {}).get("pin") or any(clevis.get(name) for name in ("tang", "tpm2", "threshold")):
        yield from error(at, "cannot use cex with clevis")
    if luks.get("keyFile", {}).get("source"):
        yield from error(at, "cannot use key file with cex")


def _custom(custom: Tree, at: Path, minor: int) -> Iterator[Finding]:
    pin, config = custom.get("pin"), custom.get("config")
    if not pin and not config and not (custom.get("needsNetwork") and minor >= 3):
        return
    if not pin and minor >= 3:
        yield from error((*at, "pin"), "missing required custom clevis pin")
    elif pin not in _PINS and minor < 6:
        yield from error((*at, "pin"), "unsupported clevis pin")
    if not config:
        yield from error((*at, "config"), "missing required custom clevis config")


def _tang(tang: Tree, at: Path, _: int) -> Iterator[Finding]:
    url = parse_url(tang.get("url", ""))
    if url is None:
        yield from error((*at, "url"), NO_SUCH_URL)
    elif url.scheme not in {"http", "https"}:
        yield from error((*at, "url"), NO_SUCH_SCHEME)
    if not tang.get("thumbprint"):
        yield from error((*at, "thumbprint"), "thumbprint is required")
    if tang.get("advertisement") and syntax_fault(utf8(tang["advertisement"])):
        yield from error((*at, "advertisement"), "advertisement is not valid JSON")


DEVICE = _device
RULES: dict[str, Rule] = {
    "Disk": _disk,
    "Partition": _partition,
    "Raid": _raid,
    "Luks": _luks,
    "Custom": _custom,
    "ClevisCustom": _custom,
    "Tang": _tang,
}
