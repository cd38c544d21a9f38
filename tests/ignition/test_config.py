"""Ignition configs: checked at load, rendered per machine, raw ones untouched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pxed.assets.filesdir import FilesDir
from pxed.boot.endpoint import Endpoint
from pxed.errors import ConfigError, Problem
from pxed.ignition.config import IgnitionConfigs, IgnitionError
from pxed.ignition.load import load_configs
from pxed.inventory.loader import loads
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Inventory

ENDPOINT = Endpoint("10.0.0.1", 8080)
# The inventory looks whether the file is there; what is in it comes from each test.
HOME = Path(__file__).parent.parent / "data" / "ignition"
RAW = b'{"ignition": {"version": "3.3.0"}}  \r\n\n'
MAC1, MAC2 = "52:54:00:00:00:01", "52:54:00:00:00:02"
UUID1 = UUID("4c4c4544-0051-3510-8053-b4c04f564433")

LAB = f"""
images: {{r: {{kernel: r/vmlinuz}}}}
profiles:
  p: {{image: r, ignition: sub/p.ign}}
  q: {{image: r}}
groups:
  - {{match: {{arch: "arm64-*"}}, profile: p, vars: {{role: group}}}}
machines:
  node1: {{mac: ["{MAC1}", "{MAC2}"], uuid: {UUID1}, serial: S1, profile: p, vars: {{role: etcd, n: [1, 2]}}}}
"""


def inventory(text: str) -> Inventory:
    return loads(text, HOME / "pxed.yaml")


class Files:
    """Texts by name, counting reads."""

    def __init__(self, **texts: bytes) -> None:
        self.texts = texts
        self.read_names: list[str] = []

    def read(self, path: Path) -> bytes:
        self.read_names.append(path.name)
        if path.stem not in self.texts:
            raise FileNotFoundError(2, "No such file or directory")
        return self.texts[path.stem]


def load(template: bytes | str, text: str = LAB) -> tuple[Inventory, IgnitionConfigs]:
    lab = inventory(text)
    files = Files(p=template if isinstance(template, bytes) else template.encode())
    return lab, load_configs(lab, files.read, FilesDir)[0]


def render(template: bytes | str, identity: Identity | None = None) -> bytes:
    identity = identity or Identity(mac=MAC1)
    lab, configs = load(template)
    found = resolve(lab, identity)
    assert isinstance(found, Match)
    return configs.render(found, identity, ENDPOINT).body


def problems(template: bytes | str, text: str = LAB) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load(template, text)
    return caught.value.problems


def templated(expression: str) -> str:
    return '{"ignition": {"version": "3.3.0"}, "value": {{ (' + expression + ") | to_json }}}"


def value(expression: str, identity: Identity | None = None) -> Any:
    return json.loads(render(templated(expression), identity))["value"]


def test_a_raw_config_is_given_byte_for_byte() -> None:
    assert render(RAW) == RAW


def test_a_config_without_its_file_is_a_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        load_configs(inventory(LAB), Files().read, FilesDir)
    (problem,) = caught.value.problems
    assert problem.file == HOME / "sub/p.ign"
    assert "No such file" in problem.message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("machine.name", "node1"),
        ("machine.mac", MAC1),
        ("machine.macs", [MAC1, MAC2]),
        ("machine.uuid", str(UUID1)),
        ("machine.serial", "S1"),
        ("machine.arch", ""),
        ("machine.vars.role", "etcd"),
        ("machine.vars.n", [1, 2]),
        ("server.url", "http://10.0.0.1:8080"),
        ("profile", "p"),
        ("'a\"b\\n' + machine.name", 'a"b\nnode1'),
    ],
)
def test_a_template_sees_the_machine_the_server_and_the_profile(expression: str, expected: object) -> None:
    assert value(expression) == expected


def test_the_nic_that_asks_is_the_machine_s_mac() -> None:
    assert value("machine.mac", Identity(mac=MAC2)) == MAC2


def test_an_unlisted_machine_is_known_by_what_it_says() -> None:
    identity = Identity("02:00:00:00:00:09", bytes(range(16)), "S9", "arm64-efi")
    seen = value("[machine.name, machine.mac, machine.macs, machine.serial, machine.arch, machine.vars.role]", identity)
    assert seen == [identity.mac, identity.mac, [identity.mac], "S9", "arm64-efi", "group"]


def test_what_a_machine_says_cannot_become_template_or_json_through_to_json() -> None:
    serial = '"}} {{ machine.vars }} {% x'
    assert value("machine.serial", Identity(mac="02:00:00:00:00:09", serial=serial, arch="arm64-efi")) == serial


def test_what_breaks_json_at_a_request_is_an_error_and_not_a_config() -> None:
    template = '{"ignition": {"version": "3.3.0"}, "serial": "{{ machine.serial }}"}'
    identity = Identity(mac="02:00:00:00:00:09", serial='a"b', arch="arm64-efi")
    with pytest.raises(IgnitionError, match="not JSON"):
        render(template, identity)


def test_a_profile_without_a_config_has_none() -> None:
    lab, configs = load(RAW)
    found = Match("x", None, "q", lab.profiles["q"], {}, "")
    with pytest.raises(IgnitionError, match="q has no Ignition config"):
        configs.render(found, Identity(), ENDPOINT)


@pytest.mark.parametrize("version", ["2.0.0", "2.4.0-experimental", "3.0.0", "3.5.0", "3.7.0-experimental"])
def test_every_version_that_flatcar_takes_passes(version: str) -> None:
    assert render(json.dumps({"ignition": {"version": version}}))


@pytest.mark.parametrize(
    ("template", "line", "column", "part"),
    [
        pytest.param("", 1, 1, "not JSON", id="an empty file"),
        pytest.param('{"ignition":\n {"version": 3.3.0}}', 2, 17, "not JSON", id="broken JSON, at its place"),
        pytest.param("[1]", 0, 0, "ignition.version", id="no object"),
        pytest.param('{"ignition": {}}', 0, 0, "ignition.version", id="no version"),
        pytest.param('{"ignition": {"version": 3}}', 0, 0, "3", id="a version that is no text"),
        pytest.param('{"ignition": {"version": "1"}}', 0, 0, "'1'", id="a version that is none"),
        pytest.param('{"ignition": {"version": "3.3.0"}, "x": NaN}', 0, 0, "NaN", id="a number that JSON has not"),
        pytest.param("variant: flatcar\nversion: 1.0.0", 1, 1, "not JSON", id="Butane instead of Ignition"),
        pytest.param(b'{"a": "\xff"}', 0, 0, "UTF-8", id="no text"),
        pytest.param("[" * 100_000, 0, 0, "not JSON", id="absurd nesting"),
        pytest.param(
            '{"a":\n"{{ machine.name "}', 2, 1, "not a Jinja2 template", id="a template that does not compile"
        ),
        pytest.param("{}\n{% if true %}", 2, 1, "not a Jinja2 template", id="a block without its end"),
        pytest.param('\n\n{"a": "{{ machine.nam }}"}', 3, 1, "node1", id="an unknown variable, with its machine"),
        pytest.param("{{ 1 / 0 }}", 1, 1, "ZeroDivisionError", id="an error in an expression"),
        pytest.param("{{ machine.__class__.__mro__ }}", 1, 1, "unsafe", id="a way out of the sandbox"),
        pytest.param("{{ machine.vars.update({'a': 1}) }}", 1, 1, "", id="a change of the inventory"),
        pytest.param('{"a": {{ machine.name }}}', 1, 1, '{"a": node1}', id="rendered text that is no JSON is shown"),
        pytest.param('{"a": "{{ machine.name }}"}', 0, 0, "node1", id="rendered text without a version"),
    ],
)
def test_a_broken_config_is_a_problem_with_its_place(template: bytes | str, line: int, column: int, part: str) -> None:
    (problem,) = problems(template)
    assert problem.file == HOME / "sub/p.ign"
    assert (problem.line, problem.column) == (line, column)
    assert part in problem.message


def test_the_hint_for_go_templates_in_a_unit_names_raw() -> None:
    (problem,) = problems('{"ignition": {"version": "3.3.0"}, "unit": "docker ps --format {{.ID}}"}')
    assert "{% raw %}" in problem.message


def test_every_machine_whose_config_fails_is_named() -> None:
    more = LAB + '  node2: {mac: "52:54:00:00:00:12", profile: p}\n  node3: {mac: "52:54:00:00:00:13", profile: p}\n'
    found = [problem for problem in problems(templated("machine.vars.role"), more) if not problem.warning]
    assert [problem.key for problem in found] == ["machines.node2", "machines.node3"]


def test_a_file_is_read_and_compiled_once_for_all_its_machines() -> None:
    machines = "".join(f'  m{i}: {{mac: "52:54:01:00:00:{i:02x}", profile: p}}\n' for i in range(200))
    files = Files(p=templated("machine.name").encode())
    load_configs(inventory(LAB + machines), files.read, FilesDir)
    assert files.read_names == ["p.ign"]
