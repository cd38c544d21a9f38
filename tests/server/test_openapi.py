"""The OpenAPI description: it names every route, and what is answered is as it says. schemathesis asks at random."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pxed.assets.mirror.index import Index, Release
from pxed.events import Event, Kind
from pxed.server import auth, routes
from pxed.server.fleet import COLUMNS
from pxed.server.openapi import description
from pxed.status.boots import Note
from pxed.status.network import ServerSeen
from pxed.status.records import Alert, BootRecord, Standing, State
from tests.server.httpsite import MAC1, STRANGER, Site, serving
from tests.server.keeper import Keeper
from tests.server.standings import write_token
from tests.server.timelines import T, Timelines, boot_of, stuck

DOCUMENT = description()
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
TOKEN = "a-token-that-is-long-enough"
INVENTORY = """
server: {data_dir: data, api_token_file: token, unknown: hold, http: {port: PORT}}
images:
  rescue: {kernel: r/vmlinuz, initrd: [r/initrd.img]}
  flatcar: {flatcar: {channel: stable}}
profiles:
  worker: {image: rescue, ignition: node.ign, ignition_access: open}
  disk: {image: flatcar, boot: install, install: {disk: /dev/sda}}
machines:
  node1: {mac: "52:54:00:00:00:01", profile: worker}
  node2: {mac: "52:54:00:00:00:02", profile: disk}
"""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if method in ("get", "head", "post", "put", "delete", "patch", "options"):
                yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_has_exactly_the_paths_and_methods_that_are_served() -> None:
    described = {(re.sub(r"\{\w+\}", "*", path), method.upper()) for path, method, _ in operations()}
    served = {
        ("/" + "/".join(part.replace("**", "*") for part in pattern), method)
        for pattern, _, methods in routes._TABLE
        for method in methods
    }
    anywhere = {("/autoexec.ipxe", method) for method in routes.READ}
    assert described == served | anywhere


def test_each_reference_leads_somewhere_and_each_component_is_used() -> None:
    used = set(references(DOCUMENT))
    there = {
        f"#/components/{kind}/{name}"
        for kind, components in DOCUMENT["components"].items()
        if kind != "securitySchemes"
        for name in components
    }
    assert used == there


def test_each_schema_is_valid_and_each_object_of_ours_is_closed() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        if schema.get("type") == "object" and name != "Event":
            assert schema["additionalProperties"] is False, name
            assert set(schema["required"]) <= set(schema["properties"]), name


def test_operations_are_told_apart_and_described() -> None:
    everyone = [operation for _, _, operation in operations()]
    assert len({operation["operationId"] for operation in everyone}) == len(everyone)
    assert all(operation["summary"] and operation["tags"] for operation in everyone)
    known = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for operation in everyone for tag in operation["tags"]} == known


def test_only_orders_need_the_token() -> None:
    orders = {path.rpartition("/")[2] for path, _, operation in operations() if operation.get("security")}
    assert orders == {"install", "local", "reset", "next"}


def test_a_row_is_described_column_by_column() -> None:
    row = DOCUMENT["components"]["schemas"]["Row"]
    assert tuple(item["title"] for item in row["prefixItems"]) == COLUMNS
    assert row["minItems"] == row["maxItems"] == len(COLUMNS)


async def test_it_is_served_with_an_etag(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        first = await site.ask("/api/v1/openapi.json")
        again = await site.ask("/api/v1/openapi.json", If_None_Match=first.headers["etag"])
        head = await site.ask("/api/v1/openapi.json", method="HEAD")
    assert json.loads(first.body) == DOCUMENT
    assert (again.status, again.body) == (304, b"")
    assert head.headers["content-length"] == first.headers["content-length"]


def busy(site: Site) -> None:
    """Events of all kinds of machines."""
    for kind in (Kind.OFFER, Kind.LOADER, Kind.RUNNING, Kind.FAILED):
        data = {"file": "snponly.efi", "bytes": 7, "interface": "eth1", "arch": "x86_64-efi", "uuid": "0" * 32}
        site.bus.emit(Event(kind, 1795000000.25, "node1", MAC1, "it goes on", data=data))
        site.bus.emit(Event(kind, 1795000000.25, "", STRANGER, "it asks", data={**data, "wanted": True}))


# 503 is meant where something is still to come. What a schema cannot say: a script's query needs a MAC or nothing at
# all, a report that is no JSON has its stage in the query.
SETTINGS = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
[[operations]]
include-path = ["/boot.ipxe", "/report/{machine}"]
checks.positive_data_acceptance.enabled = false
"""


ANSWERED = [
    path
    for path, method, operation in operations()
    if method == "get"
    and path.startswith(("/api", "/healthz"))
    and "application/json" in operation["responses"]["200"].get("content", {})
]


def resolved(value: Any) -> Any:
    """A schema whose references lead into its own $defs."""
    text = json.dumps(value).replace("#/components/schemas/", "#/$defs/")
    return {**json.loads(text), "$defs": json.loads(json.dumps(DOCUMENT["components"]["schemas"]).replace(
        "#/components/schemas/", "#/$defs/"))}  # fmt: skip


@pytest.mark.parametrize("path", ANSWERED)
async def test_each_answer_of_a_busy_site_is_as_described(tmp_path: Path, path: str) -> None:
    known = Timelines()
    known.put(stuck(boot_of("node1", MAC1)))
    known.put(boot_of(STRANGER, STRANGER, "b2", record="16367aacb67a", notes=[Note(T, "another address")]))
    keeper = Keeper()
    macs = ("52:54:00:00:00:02",)
    failed = Standing("node2", macs, State.FAILED, since=T, reason="no disk", next_profile="worker")
    keeper.contents.standings["node2"] = failed
    for name, way in (("node1", "memory"), (STRANGER, "held")):
        keeper.contents.boots.append(
            BootRecord(name, name, MAC1, "10.0.0.21", T, "worker", way, T + 9, "running", T + 5)
        )
    keeper.contents.alerts.append(Alert("a", T, "node1", MAC1, "10.0.0.66", "replay", "a token was used twice"))
    known.network.wire("eth1").servers["10.0.0.9"] = ServerSeen("10.0.0.9", T, T, 3, vendor="PXEClient", file="x.efi")
    write_token(tmp_path / "token", TOKEN)
    async with serving(tmp_path, text=INVENTORY, tracker=known, keeper=keeper) as site:
        busy(site)
        release = Release("stable", "amd64", "4593.2.5", {}, T, "A" * 40)
        site.live.index = Index({release.key: release}, {("stable", "amd64", "current"): "4593.2.5"})
        keeper.failing = path == "/healthz"
        for name in ("node1", "node2", STRANGER):
            answer = await site.ask(path.replace("{machine}", name).replace("{boot}", "b1"))
            content = DOCUMENT["paths"][path]["get"]["responses"][str(answer.status)]["content"]
            Draft202012Validator(resolved(content["application/json"]["schema"])).validate(json.loads(answer.body))
            assert name == "node2" or len(answer.body) > 50


async def schemathesis(url: str, home: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output. Streams have no end, and are tested elsewhere; HEAD is GET without a body.

    One worker: Python 3.11.2 cannot parse in two threads (cpython#106905), which Hypothesis does for lambdas.
    """
    (home / "schemathesis.toml").write_text(SETTINGS)
    process = await asyncio.create_subprocess_exec(
        str(SCHEMATHESIS), "--config-file", str(home / "schemathesis.toml"), "run", f"{url}/api/v1/openapi.json",
        "--exclude-path-regex", "/events$", "--exclude-method", "HEAD", "--no-color", "--warnings", "off",
        "--header", f"Authorization: Bearer {TOKEN}", "--seed", "5", "--generation-database", "none",
        "--request-timeout", "20", "--workers", "1", *arguments,
        cwd=home, stdout=-1, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.timeout(150)
async def test_schemathesis_finds_nothing_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "GUESSES", 10**9)  # it tries wrong tokens too, from the address of its right one
    write_token(tmp_path / "token", TOKEN)
    async with serving(tmp_path, text=INVENTORY) as site:
        busy(site)
        code, output = await schemathesis(
            site.url, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "8", "--continue-on-failure"
        )
        crashed = [event.text for event in site.bus.events if event.data.get("status") == 500]
    assert (code, crashed) == (0, []), output[-20_000:]
    assert re.search(r"[1-9]\d* generated", output), output
