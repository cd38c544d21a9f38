"""Names of fields: snake_case in the YAML, camelCase in the JSON (Camel and Snake of Butane's config/util)."""

from __future__ import annotations

import re

_UPPER = re.compile(r"MiB|[A-Z]")


def camel(name: str) -> str:
    """The JSON name of a YAML field: snake_case to camelCase, _mib to MiB, http_proxy to httpProxy."""
    if name.endswith("_mib"):
        name = f"{name[:-4]}MiB"
    first, *rest = name.split("_")
    return first + "".join(word[0].upper() + word[1:] for word in rest)


def snake(name: str) -> str:
    """camelCase to snake_case, MiB as one word."""
    return _UPPER.sub(lambda match: f"_{match[0]}", name).lower()
