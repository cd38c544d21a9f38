"""`pxed schema`: the inventory's JSON Schema."""

from __future__ import annotations

import json

from pxed.inventory.schema import json_schema


def run() -> int:
    """Print it; the exit code."""
    print(json.dumps(json_schema(), indent=2))
    return 0
