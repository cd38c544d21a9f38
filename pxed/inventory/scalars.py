"""Scalars of the inventory: MAC addresses, UUIDs, serial numbers, names, file references.

Every refusal is a ValueError whose text is a whole clause: what was found and what was expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from urllib.parse import urlsplit
from uuid import UUID

_MAC = re.compile(
    r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}|[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12}"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# What mainboard vendors leave in SMBIOS when nobody fills it in: many machines share it, so it names none of them.
PLACEHOLDER_SERIALS = frozenset({
    "", "0", "none", "not specified", "not applicable", "not available", "n/a", "default string", "unknown",
    "system serial number", "chassis serial number", "to be filled by o.e.m.", "to be filled by o.e.m", "0123456789",
})  # fmt: skip
_PLACEHOLDER_ASSETS = frozenset(
    {"no asset tag", "no asset information", "asset tag", "asset-1234567890", "chassis asset tag"}
)


def quote(value: object, limit: int = 60) -> str:
    """What was found, for a message: a scalar in quotes with its control characters escaped, else its kind."""
    if isinstance(value, str):
        text = value if len(value) <= limit else value[: limit - 3] + "..."
        return json.dumps(text, ensure_ascii=not text.isprintable())
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else json.dumps(str(value))


def expected(found: object, what: str) -> ValueError:
    """The error of a value that is not what its field takes."""
    return ValueError(f"found {quote(found)}, expected {what}")


def nearest(found: str, known: Iterable[str], most: int = 12) -> str:
    """The end of a sentence about a name that is not known: the nearest one, or what there is."""
    names = sorted(known)
    close = get_close_matches(found, names, n=1)
    if close:
        return f"; did you mean {quote(close[0])}?"
    listed = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return f" (one of: {listed})" if names else " (there are none)"


def parse_mac(text: str) -> str:
    """Any common spelling (colons, dashes, Cisco dots, bare hex, any case) -> "52:54:00:12:34:56"."""
    mac = text.strip().lower()
    if _MAC.fullmatch(mac) is None:
        raise expected(text, "a MAC address such as 52:54:00:12:34:56")
    if mac[2] != ":":
        digits = mac.replace("-", "").replace(".", "")
        mac = f"{digits[:2]}:{digits[2:4]}:{digits[4:6]}:{digits[6:8]}:{digits[8:10]}:{digits[10:]}"
    if mac[1] in "13579bdf":  # IEEE 802: the lowest bit of the first octet marks a group address
        raise expected(text, "the MAC address of one interface: this is a multicast or broadcast address")
    if mac == "00:00:00:00:00:00":
        raise expected(text, "the MAC address of one interface: all zeros is no address")
    return mac


def parse_uuid(text: str) -> UUID:
    """A UUID with or without dashes, in any case. All zeros and all ones are what firmware without a UUID sends."""
    spelled = text.strip().lower()
    if _UUID.fullmatch(spelled) is None:
        raise expected(text, "a UUID such as 4c4c4544-0051-3510-8053-b4c04f564433")
    uuid = UUID(hex=spelled)
    if placeholder_uuid(uuid.bytes):
        raise expected(text, "the UUID of one machine: all zeros or all ones mean that the firmware has none")
    return uuid


def placeholder_uuid(raw: bytes) -> bool:
    """Whether the 16 bytes are the "no UUID" of SMBIOS (DSP0134 7.2.1: all 00h or all FFh)."""
    return raw in (bytes(16), b"\xff" * 16)


def serial_key(text: str) -> str:
    """The form in which serial numbers are compared: no outer blanks, one case; "" for a vendor's placeholder."""
    key = text.strip().strip("\x00").strip().lower()
    return "" if key in PLACEHOLDER_SERIALS else key


def parse_serial(text: str) -> str:
    """A serial number that can name one machine."""
    single_line(text)
    if not serial_key(text):
        raise expected(text, "the serial number of one machine: many machines carry this placeholder")
    return text.strip()


def asset_key(text: str) -> str:
    """The form in which asset tags are compared, as serial_key; "" for a vendor's placeholder."""
    key = serial_key(text)
    return "" if key in _PLACEHOLDER_ASSETS else key


def parse_asset_tag(text: str) -> str:
    """An asset tag that tells one machine from another."""
    single_line(text)
    if not asset_key(text):
        raise expected(text, "the asset tag of one machine: many machines carry this placeholder")
    return text.strip()


def parse_name(text: str) -> str:
    """The name of a machine, image or profile: it becomes part of URLs, paths and log lines."""
    if _NAME.fullmatch(text) is None:
        raise expected(
            text, "a name of at most 253 letters, digits, '.', '_' and '-' that begins with a letter or digit"
        )
    return text


def single_line(text: str) -> str:
    """Text without control characters: newlines would end a script's line, NUL a file name."""
    found = _CONTROL.search(text)
    if found:
        raise expected(
            text, f"one line without control characters (U+{ord(found[0]):04X} at character {found.start() + 1})"
        )
    return text


def word(text: str) -> str:
    """One word that is not empty."""
    single_line(text)
    if not text or re.search(r"\s", text):
        raise expected(text, "one word without blanks")
    return text


def is_url(text: str) -> bool:
    """Whether a file reference is an http(s) URL rather than a path."""
    return text.lower().startswith(("http://", "https://"))


def relative_file(text: str) -> str:
    """A path below some root: no leading slash, no "..", and a last part that names a file."""
    word(text)
    parts = text.split("/")
    if text.startswith(("/", "\\")) or re.match(r"[A-Za-z]:\\", text):
        raise expected(text, "a relative path: it is looked up below a directory of the server")
    if ".." in parts or "\\" in text:
        raise expected(text, "a path that stays in its directory: no '..' and no backslash")
    if parts[-1] in ("", "."):
        raise expected(text, "a path that ends in a file name")
    return text


def file_reference(text: str) -> str:
    """A kernel or initrd: a path below data_dir/images, or an http(s) URL that ends in a file name."""
    if not is_url(text):
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
            raise expected(text, "a path below data_dir/images or a URL that begins with http:// or https://")
        return relative_file(text)
    word(text)
    if not _split(text)[0]:
        raise expected(text, "a URL with a host")
    if not base_name(text):
        raise expected(text, "a URL that ends in a file name")
    return text


def base_name(reference: str) -> str:
    """The FILE of /images/NAME/FILE: the last part of a path, or of a URL's path without its query."""
    path = _split(reference)[1] if is_url(reference) else reference
    return path.rsplit("/", 1)[-1]


def _split(url: str) -> tuple[str, str]:
    """(host, path) of a URL; ("", "") for one that urllib cannot take apart, such as an unclosed '['."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.path
    except ValueError:
        return "", ""
