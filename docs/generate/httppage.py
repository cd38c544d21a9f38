"""The page of every HTTP path, from the OpenAPI description that pxed serves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DESCRIPTION = ROOT / "pxed" / "web" / "openapi.yaml"
HEAD = """# Every HTTP path

What pxed answers on its HTTP port, 8080 unless `server.http.port` says otherwise; with `server.http.tls` the same by
HTTPS. This page is made from the OpenAPI 3.1 description that the daemon serves at `/api/v1/openapi.json`, which has
every field of every answer. [The API](api.md) tells how to use it, with examples.
"""


def page() -> str:
    """The whole page."""
    whole = yaml.safe_load(DESCRIPTION.read_text())
    parts = [HEAD]
    for tag in whole["tags"]:
        parts.append(f"## {tag['description']} {{ #of-{tag['name']} }}\n")
        for path, item in whole["paths"].items():
            for method in ("get", "post"):
                if tag["name"] in item.get(method, {}).get("tags", ()):
                    parts.append(_shown(whole, path, method, item))
    return "\n".join(parts)


def routes() -> list[tuple[str, str]]:
    """Each method with its path."""
    paths = yaml.safe_load(DESCRIPTION.read_text())["paths"]
    return [(method.upper(), path) for path, item in paths.items() for method in item if method in ("get", "post")]


def _resolve(whole: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    found: Any = whole
    for name in value["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def _shown(whole: dict[str, Any], path: str, method: str, item: dict[str, Any]) -> str:
    operation = item[method]
    lines = [f"### `{method.upper()} {path}` {{ #{operation['operationId'].lower()} }}\n", f"{operation['summary']}.\n"]
    if "description" in operation:
        lines.append(f"{_safe(operation['description'])}\n")
    if operation.get("security"):
        lines.append("Needs the API's token, as `Authorization: Bearer TOKEN`.\n")
    parameters = [_resolve(whole, one) for one in (*item.get("parameters", ()), *operation.get("parameters", ()))]
    if parameters:
        lines += ["| parameter | in | |", "|---|---|---|", *map(_parameter, parameters), ""]
    lines += ["| status | |", "|---|---|"]
    for status, response in operation["responses"].items():
        text = " ".join(_resolve(whole, response).get("description", "").split())
        lines.append(f"| {status} | {_safe(text)} |")
    return "\n".join([*lines, ""])


def _parameter(one: dict[str, Any]) -> str:
    schema = one.get("schema", {})
    words = [one.get("description", "")]
    if "enum" in schema:
        words.append("One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".")
    if "default" in schema:
        words.append(f"Default: `{schema['default']}`.")
    if "maximum" in schema:
        words.append(f"{schema.get('minimum', 0)} to {schema['maximum']}.")
    needed = "" if one["in"] == "path" or not one.get("required") else " (needed)"
    return f"| `{one['name']}` | {one['in']}{needed} | {_safe(' '.join(filter(None, words)))} |"


def _safe(text: str) -> str:
    """Text as Markdown: braces, bars and lists of fields stand for themselves."""
    return re.sub(r"(\{[^}`]*\}|\$\{\w+\})", r"`\1`", " ".join(text.split()).replace("|", "\\|"))
