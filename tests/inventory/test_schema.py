"""The JSON Schema for editors, and the inventories that are shipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pxed.inventory.fields import untyped
from pxed.inventory.loader import load, loads
from pxed.inventory.model import HistorySettings, HttpSettings, MirrorSettings, Server, TftpSettings
from pxed.inventory.schema import json_schema
from pxed.inventory.yamltext import read

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "config/pxed.yaml"
EXAMPLE = ROOT / "config/example/pxed.yaml"
DESIGN = Path(__file__).parent / "design.yaml"


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of a mapping with known keys."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)


def conforms(text: str) -> list[str]:
    """What an editor, which types plain scalars as YAML 1.2 does, would underline."""
    return [error.message for error in Draft202012Validator(json_schema()).iter_errors(untyped(read(text)))]


def test_the_schema_is_a_valid_one_and_names_its_dialect() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(schema["properties"]) == ["server", "images", "profiles", "groups", "machines"]


def test_every_mapping_refuses_unknown_keys_and_describes_each_key() -> None:
    whole = json_schema()
    for schema in objects(whole):
        assert schema["additionalProperties"] is False, schema["title"]
        for name, field in schema["properties"].items():
            target = whole["$defs"][field["$ref"].rpartition("/")[2]] if "$ref" in field else {}
            assert field.get("description") or target.get("description"), f"{schema['title']}.{name}"


@pytest.mark.parametrize("file", [DEFAULT, EXAMPLE, DESIGN], ids=lambda file: str(file.relative_to(ROOT)))
def test_shipped_inventories_conform(file: Path) -> None:
    assert conforms(file.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "machine: {}",
        "server: {http: {port: 0}}",
        "server: {loaders: {efi46: a}}",
        "profiles: {p: {boot: disk}}",
        "profiles: {p: {console: 5}}",
        "profiles: {'a b': {}}",
        "groups: [{profile: p}]",
        "machines: {a: {mac: zz}}",
    ],
)
def test_what_does_not_conform(text: str) -> None:
    assert conforms(text)


@pytest.mark.parametrize("file", [DEFAULT, EXAMPLE], ids=["the default", "the example"])
def test_shipped_inventories_load_without_problems(file: Path) -> None:
    assert load(file).warnings == ()


def test_the_default_inventory_writes_out_every_server_field_with_its_default() -> None:
    server = load(DEFAULT).server
    assert server == Server()
    for written, model in (
        (server, Server),
        (server.tftp, TftpSettings),
        (server.http, HttpSettings),
        (server.history, HistorySettings),
        (server.mirror, MirrorSettings),
    ):
        absent = {"key", "api_token_file", "tls"}  # nothing is their default
        assert written.model_fields_set | absent == set(model.model_fields) | absent


def test_the_commented_examples_of_the_default_inventory_are_valid(tmp_path: Path) -> None:
    """With each example in place of its empty section; of two sources of a config one is left out."""
    text = DEFAULT.read_text()
    for section in ("images", "profiles", "machines"):
        text = text.replace(f"\n{section}: {{}}\n", f"\n{section}:\n")
    text = text.replace("\ngroups: []\n", "\ngroups:\n").replace("\n#  ", "\n  ")
    text = "\n".join(line for line in text.splitlines() if not re.match(r" *(ignition|ignition_url):", line))
    for name in ("worker.bu", "base.bu", "setup.sh"):
        (tmp_path / name).write_text("")
    loaded = loads(text, tmp_path / "pxed.yaml")
    assert (list(loaded.images), list(loaded.profiles)) == (
        ["flatcar", "staged", "rescue", "netinst"],
        ["worker", "installer", "disk"],
    )
    assert (len(loaded.groups), list(loaded.machines)) == (2, ["node1", "node2"])
    assert conforms(text) == []
