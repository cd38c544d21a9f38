"""What a scalar means: resolve.go of gopkg.in/yaml.v3, which mixes YAML 1.1 and 1.2.

A typed field asks for what it needs: a string keeps the source text of any scalar, a bool also takes the words of
YAML 1.1 (quoted or not), an int takes every notation of Go, floats cut towards zero.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re

from pxed.ignition.butane.nodes import Scalar, YamlError

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# decode.go: taken for a bool field only, whatever quotes they have (https://yaml.org/type/bool.html).
_WORDS = dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True) | dict.fromkeys(
    ("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False
)
_SPECIAL = {".nan": "nan", ".inf": "inf", "+.inf": "inf", "-.inf": "-inf"}
_FLOATS = {case(word): float(value) for word, value in _SPECIAL.items() for case in (str.lower, str.upper)} | {
    ".NaN": float("nan"), ".Inf": float("inf"), "+.Inf": float("inf"), "-.Inf": float("-inf"),
}  # fmt: skip
_RESOLVED = frozenset({"", "!!str", "!!bool", "!!int", "!!float", "!!null", "!!timestamp"})
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?(?:Z|[-+]\d\d:\d\d)"
    r"| +(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?)?",
    re.ASCII,
)
_MAX_INT, _MIN_INT, _MAX_UINT = 2**63 - 1, -(2**63), 2**64 - 1
_MAX_DIGITS = 70  # more cannot fit 64 bits in any base; Python itself refuses to convert thousands

Resolved = None | bool | int | float | str | datetime.date


def is_null(node: Scalar) -> bool:
    """Whether the scalar is null, so that the field stays unset."""
    return (node.plain and not node.tag and node.value in NULLS) or (node.tag == "!!null" and resolve(node)[1] is None)


def text(node: Scalar) -> str:
    """For a string field: the source text; the decoded bytes of a !!binary. Raises YamlError."""
    if node.tag == "!!binary":
        return _binary(node.value)
    if node.tag:
        resolve(node)  # refuses what does not fit its tag
    return node.value


def integer(node: Scalar) -> int | None:
    """For an int field: the number, None when it is not one or does not fit 64 bits. Raises YamlError."""
    value = resolve(node)[1]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return value if value <= _MAX_INT else None
    if not value <= 2.0**63:
        return None
    # Go on amd64 turns a float outside of the range of an int64 into the smallest one.
    return int(value) if -(2.0**63) <= value < 2.0**63 else _MIN_INT


def boolean(node: Scalar) -> bool | None:
    """For a bool field: the truth value, None when it is not one. Raises YamlError."""
    value = resolve(node)[1]
    if isinstance(value, bool):
        return value
    return _WORDS.get(value) if isinstance(value, str) else None


def go_tag(node: Scalar) -> str:
    """The tag that error messages name."""
    return node.tag or ("!!str" if not node.plain else "!!merge" if node.value == "<<" else _guess(node.value)[0])


def resolve(node: Scalar) -> tuple[str, Resolved]:
    """Tag and value of a scalar. Raises YamlError when a written tag does not fit the value."""
    if node.tag == "!!binary":
        return node.tag, _binary(node.value)
    if node.tag == "!!str" or not (node.plain or node.tag):
        return "!!str", node.value
    if node.tag not in _RESOLVED:
        return node.tag, node.value
    tag, value = _guess(node.value, "" if node.plain and not node.tag else node.tag)
    if node.tag == "!!float" and tag == "!!int" and isinstance(value, int) and value <= _MAX_INT:
        return node.tag, float(value)
    if node.tag not in ("", tag):
        raise YamlError(f"yaml: cannot decode {tag} `{node.value}` as a {node.tag}")
    return tag, value


def _binary(value: str) -> str:
    try:
        # Go's decoder skips line breaks and refuses all else outside of the alphabet.
        data = base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise YamlError("yaml: !!binary value contains invalid base64 data") from None
    return data.decode(errors="surrogateescape")


def _guess(value: str, tag: str = "") -> tuple[str, Resolved]:
    """resolve() of resolve.go without its check of the written tag."""
    if value in NULLS:
        return "!!null", None
    if value in _BOOLS:
        return "!!bool", _BOOLS[value]
    if value in _FLOATS:
        return "!!float", _FLOATS[value]
    if value[0] == ".":
        number = float(value) if _FLOAT.fullmatch(value) else float("inf")
        return ("!!str", value) if number in (float("inf"), float("-inf")) else ("!!float", number)
    if value[0] not in "+-0123456789":
        return "!!str", value
    if tag in ("", "!!timestamp") and (date := _timestamp(value)):
        return "!!timestamp", date
    number_ = _number(value.replace("_", ""))
    return ("!!str", value) if number_ is None else ("!!int" if isinstance(number_, int) else "!!float", number_)


def _number(plain: str) -> int | float | None:
    """An integer in Go's notations (strconv.ParseInt with base 0) or a float in YAML's; None for neither."""
    if len(plain) <= _MAX_DIGITS and _INTEGER.fullmatch(plain):
        sign, digits = (-1, plain[1:]) if plain[0] == "-" else (1, plain.lstrip("+"))
        if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
            digits = f"0o{digits[1:]}"
        number = sign * int(digits, 0)
        if _MIN_INT <= number <= (_MAX_UINT if plain[0].isdigit() else _MAX_INT):
            return number
    if _FLOAT.fullmatch(plain):
        value = float(plain)
        return None if value in (float("inf"), float("-inf")) else value
    return None


def _timestamp(value: str) -> datetime.date | None:
    """The formats of allowedTimestampFormats; only that it is one matters, no field of Butane takes it."""
    match = _DATE.fullmatch(value)
    if not match:
        return None
    year, month, day, *clock = (int(part or 0) for part in match.groups())
    try:
        date = datetime.date(year or 4, month, day)
    except ValueError:
        return None
    hours, minutes, seconds = (max(pair) for pair in zip(clock[:3], clock[3:], strict=True))
    return date if hours < 24 and minutes < 60 and seconds < 60 else None
