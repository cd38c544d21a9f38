"""JSON Schema of the inventory, for editors. What needs more than one entry to judge is left to the loader."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from pxed.inventory.model import Document


def json_schema() -> dict[str, Any]:
    """The schema of an inventory file (JSON Schema 2020-12)."""
    schema = Document.model_json_schema(mode="validation")
    for section in ("images", "profiles", "machines"):
        schema["properties"][section]["propertyNames"] = {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$"}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "pxed inventory",
        **{**schema, "title": "pxed inventory"},
    }
