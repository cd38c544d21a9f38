"""Variant and version of a Butane config, and what Butane says when it does not know them (config/config.go)."""

from __future__ import annotations

import re

from pxed.errors import PxedError
from pxed.ignition.butane.schema import SPECS, Spec

_IDENTIFIER = re.compile(r"[0-9A-Za-z-.]*")
_NUMBER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_MAX_DIGITS = 18  # more do not fit an int64
_RHCOS = (
    "rhcos variant has been removed; use openshift variant instead: "
    "https://coreos.github.io/butane/upgrading-openshift/"
)


class UnknownVariantError(PxedError):
    """A config that is not for this translator."""


def spec_for(variant: str, version: str) -> Spec:
    """The version of the schema. Raises UnknownVariantError in Butane's words."""
    if not variant:
        raise UnknownVariantError("error parsing variant; must be specified")
    normal = _semver(version)
    if normal is None:
        raise UnknownVariantError("error parsing version; must be a valid semver")
    if (variant, normal) == ("rhcos", "0.1.0"):
        raise UnknownVariantError(_RHCOS)
    if variant != "flatcar" or normal not in SPECS:
        raise UnknownVariantError(f"No translator exists for variant {variant} with version {normal}")
    return SPECS[normal]


def _semver(text: str) -> str | None:
    """A semantic version in its normal form (coreos/go-semver); None for what is none."""
    rest, _, metadata = text.partition("+")
    rest, _, pre = rest.partition("-")
    numbers = rest.split(".")
    if len(numbers) != 3 or not (_IDENTIFIER.fullmatch(pre) and _IDENTIFIER.fullmatch(metadata)):
        return None
    if not all(_NUMBER.fullmatch(number) and len(number) <= _MAX_DIGITS for number in numbers):
        return None
    core = ".".join(str(int(number)) for number in numbers)
    return core + (f"-{pre}" if pre else "") + (f"+{metadata}" if metadata else "")
