"""The page of every inventory field, from the schema that `pxed schema` prints and the examples of config/pxed.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pxed.inventory.schema import json_schema

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "pxed.yaml"
PLAIN = re.compile(r"[\w./:@+=-][\w./:@+=*%-]*")
HEAD = """# Every field of the inventory

One YAML file, `/etc/pxed/pxed.yaml` unless `-c FILE` says otherwise. This page is made from the schema that pxed
itself uses; `pxed schema` prints it as JSON Schema, from which an editor completes keys and underlines mistakes. The
shipped [config/pxed.yaml](../../config/pxed.yaml) has every field with its default. `pxed check` says everything that
is wrong with a file, with line and column.

All plain values are read as text and converted by the field's type, so MAC addresses and versions need no quotes. A
key with nothing after it counts as absent. Where a list is allowed, a single value stands for a list of one. Relative
paths start at the directory of the file, except `kernel`, `initrd` and `loader`, which are below `server.data_dir`.
"""
TITLES = {
    "server": "server: the daemon",
    "images.NAME": "images: what can be booted",
    "profiles.NAME": "profiles: how it is booted",
    "groups[]": "groups: profiles for many machines",
    "machines.NAME": "machines: one by one",
}
STAND_INS = {"images": "NAME", "profiles": "worker", "machines": "node1"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One field."""

    path: str  # server.tftp.port, profiles.NAME.boot, groups[].match.mac
    schema: dict[str, Any]
    required: bool
    meaning: str
    inner: str  # the definition of its own fields; "" if it has none

    @property
    def section(self) -> str:
        """The path without the last name."""
        return self.path.rpartition(".")[0]


def entries() -> list[Entry]:
    """Every field, in the schema's order; a machine's overrides of its profile are left out."""
    schema = json_schema()
    found: list[Entry] = []
    for section, name in (("server", "Server"), ("images.NAME", "Image"), ("profiles.NAME", "Profile"),
                          ("groups[]", "Group"), ("machines.NAME", "MachineEntry")):  # fmt: skip
        found += _entries(schema["$defs"], schema["$defs"][name], section)
    return found


def _entries(defs: dict[str, Any], model: dict[str, Any], section: str) -> Iterator[Entry]:
    """The fields of a section, then those of the sections in it."""
    below: list[tuple[str, str]] = []
    for name, field in model["properties"].items():
        if section.startswith("machines") and name in defs["Profile"]["properties"]:
            continue
        inner = _inner(defs, field)
        target = _resolved(defs, field)
        meaning = field.get("description") or target.get("description", "")
        yield Entry(f"{section}.{name}", {**target, **field}, name in model.get("required", ()), meaning, inner)
        if inner:
            below.append((inner, f"{section}.{name}{'[]' if field.get('type') == 'array' else ''}"))
    for inner, path in below:
        yield from _entries(defs, defs[inner], path)


def _resolved(defs: dict[str, Any], field: dict[str, Any]) -> dict[str, Any]:
    return defs[field["$ref"].rpartition("/")[2]] if "$ref" in field else {}


def _inner(defs: dict[str, Any], field: dict[str, Any]) -> str:
    """The definition that a field's value follows, if it has fields of its own."""
    for one in (field, field.get("items", {}), *field.get("anyOf", ())):
        name = one.get("$ref", "").rpartition("/")[2]
        if name and "properties" in defs[name]:
            return str(name)
    return ""


def kind(schema: dict[str, Any]) -> str:
    """A type in words."""
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(one) for one in schema["anyOf"] if one.get("type") != "null"))
    if "properties" in schema:
        return "fields: " + ", ".join(f"`{name}`" for name in schema["properties"])
    return _scalar(schema)


def _scalar(schema: dict[str, Any]) -> str:
    match schema.get("type"):
        case "integer" if "maximum" in schema:
            return f"a number from {schema['minimum']} to {schema['maximum']}"
        case "boolean":
            return "`true` or `false`"
        case "array":
            return "a list of fields" if "$ref" in schema["items"] else f"a list, each {kind(schema['items'])}"
        case "object":
            keys = schema.get("propertyNames", {}).get("enum")
            return "names and values" if not keys else "values by name: " + ", ".join(f"`{key}`" for key in keys)
        case _ if "pattern" in schema and schema["pattern"].endswith("[smhd]$"):
            return "a time such as `30s`, `15m`, `6h` or `1d`"
        case _:
            return "text"


def examples() -> Any:
    """config/pxed.yaml with its commented examples in place of the empty sections; every plain value is text."""
    text = SHIPPED.read_text()
    for section in ("images", "profiles", "machines"):
        text = text.replace(f"\n{section}: {{}}\n", f"\n{section}:\n")
    text = text.replace("\ngroups: []\n", "\ngroups:\n").replace("  webhooks: []\n", "  webhooks:\n")
    return yaml.load(re.sub(r"(?m)^( *)#  ", r"\1  ", text), yaml.BaseLoader)  # noqa: S506 - every plain value as text


def example(entry: Entry, whole: Any) -> str:
    """A line that sets it; "" where there is none."""
    for value in (*_at(whole, entry.path), *entry.schema.get("examples", ())):
        if value not in ("", [], {}):
            return flow(_within(entry.path.split("."), value))[1:-1]
    return ""


def _within(path: list[str], value: Any) -> Any:
    """The inventory that has nothing but a value at a path."""
    for name in reversed(path):
        known = STAND_INS[path[0]] if name == "NAME" else name.removesuffix("[]")
        value = {known: [value] if name.endswith("[]") else value}
    return value


def _at(value: Any, path: str) -> list[Any]:
    """Every value of the examples at a path."""
    found = [value]
    for name in path.replace("[]", ".*").split("."):
        below: list[Any] = []
        for one in found:
            if isinstance(one, list) and name == "*":
                below += one
            elif isinstance(one, dict):
                below += one.values() if name == "NAME" else [one[name]] if name in one else []
        found = below
    return found


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{flow(name)}: {flow(one)}" for name, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str():
            plain = PLAIN.fullmatch(value) or re.fullmatch(r"[\w-]+ [\w+/@. -]+", value)
            return value if plain else json.dumps(value)
        case _:
            return json.dumps(value)


def default(entry: Entry, whole: Any) -> str:
    """Its default in words; the shipped file has those of `server`, and a test compares them with the model."""
    if entry.required:
        return "must be given"
    value = entry.schema.get("default")
    if value in (None, [], {}, ""):
        return "default: none"
    if entry.section.startswith("server") and entry.schema.get("type") == "string":
        value = next((one for one in _at(whole, entry.path) if one), value)
    return f"default: `{flow(value)}`"


def anchor(path: str) -> str:
    """The anchor of a field on the page: server-tftp-port."""
    return re.sub(r"[^A-Za-z0-9]+", "-", path).strip("-").lower()


def page() -> str:
    """The whole page."""
    whole = examples()
    parts = [HEAD]
    section = ""
    for entry in entries():
        if entry.section != section:
            section = entry.section
            parts.append(f"## {TITLES.get(section, section)} {{ #{anchor(section)}-fields }}\n")
            if section == "machines.NAME":
                parts.append("A machine may override every field of its profile; these it has besides.\n")
        parts.append(_shown(entry, whole))
    return "\n".join(parts)


def _shown(entry: Entry, whole: Any) -> str:
    many = "a list, each with fields" if entry.schema.get("type") == "array" else "fields"
    words = f"{many} of its own, below" if entry.inner else kind(entry.schema)
    fallback = "" if entry.inner and not entry.required else f"; {default(entry, whole)}"
    lines = [
        f"### `{entry.path}` {{ #{anchor(entry.path)} }}\n",
        f"{entry.meaning}\n",
        f"*{words[:1].upper()}{words[1:]}{fallback}.*\n",
    ]
    shown = "" if entry.inner else example(entry, whole)
    return "\n".join([*lines, *([f"```yaml\n{shown}\n```\n"] if shown else [])])
