"""Per-machine configs: Butane and Ignition templates, a base merged with the machine's own, what passes untouched."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from pxed.assets.filesdir import FilesDir
from pxed.boot.endpoint import Endpoint
from pxed.errors import ConfigError, Problem
from pxed.ignition.config import IgnitionConfigs, IgnitionError
from pxed.ignition.document import Config, newer_than, supported_spec
from pxed.ignition.load import Checker, load_configs, read_configs
from pxed.inventory.loader import load
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Inventory

ENDPOINT = Endpoint("10.0.0.1", 8080)
IGNITION = "application/vnd.coreos.ignition+json"
MAC = "52:54:00:00:00:0{}"

BUTANE = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/hostname
      mode: 0644
      contents:
        inline: {{ machine.name }}
    - path: /etc/role
      contents:
        local: role-{{ machine.vars.role }}
"""
STATIC = "variant: flatcar\nversion: 1.0.0\nstorage:\n  links:\n    - {path: /etc/localtime, target: ../zone}\n"
BASE = STATIC.replace("1.0.0", "1.1.0")
V2 = b'{ "ignition": {"version": "2.3.0"},\n "storage": {} }\n\n'
CLOUD = b"#cloud-config\nhostname: {{ not a template }}\n"


class Lab:
    """A directory with an inventory and the files it names."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "data/images").mkdir(parents=True)
        self.write("role-etcd", "I am etcd\n")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def inventory(self, profile: str, machines: str = "") -> Inventory:
        text = f"images: {{r: {{kernel: r/k}}}}\nprofiles: {{p: {{image: r, {profile}}}}}\nmachines:\n"
        text += machines or f"  node1: {{mac: '{MAC.format(1)}', profile: p, vars: {{role: etcd}}}}\n"
        return load(self.write("pxed.yaml", text))

    def configs(self, profile: str, machines: str = "") -> tuple[Inventory, IgnitionConfigs, list[Problem]]:
        inventory = self.inventory(profile, machines)
        return inventory, *load_configs(inventory, Path.read_bytes, FilesDir)

    def config(self, profile: str, machines: str = "", machine: int = 1) -> Config:
        inventory, configs, _ = self.configs(profile, machines)
        return configs.render(found(inventory, machine), Identity(MAC.format(machine)), ENDPOINT)

    def tree(self, profile: str, machines: str = "", machine: int = 1) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads(self.config(profile, machines, machine).body)
        return tree

    def problems(self, profile: str, machines: str = "") -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            self.configs(profile, machines)
        return caught.value.problems


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def found(inventory: Inventory, machine: int = 1) -> Match:
    match = resolve(inventory, Identity(MAC.format(machine)))
    assert isinstance(match, Match)
    return match


def files(tree: dict[str, Any]) -> dict[str, str]:
    return {file["path"]: file["contents"]["source"] for file in tree["storage"]["files"]}


def test_a_butane_template_is_rendered_for_its_machine_and_translated(lab: Lab) -> None:
    lab.write("worker.bu", BUTANE)
    config = lab.config("butane: worker.bu")
    assert (config.spec, config.content_type) == ("3.3.0", IGNITION)
    assert files(json.loads(config.body)) == {"/etc/hostname": "data:,node1", "/etc/role": "data:,I%20am%20etcd%0A"}


def test_local_files_lie_beside_the_config_or_in_files_dir(lab: Lab) -> None:
    lab.write("sub/worker.bu", BUTANE)
    assert "role-etcd" in lab.problems("butane: sub/worker.bu")[0].message
    assert lab.tree("butane: sub/worker.bu, files_dir: .")


def test_local_files_are_part_of_what_a_reload_watches(lab: Lab) -> None:
    lab.write("worker.bu", BUTANE)
    _, configs, _ = lab.configs("butane: worker.bu")
    assert {path.resolve() for path in configs.maker.files} == {lab.home / "role-etcd"}


def test_a_local_file_outside_of_its_directory_is_refused(lab: Lab) -> None:
    (lab.home / "role-etcd").unlink()
    (lab.home / "role-etcd").symlink_to("/etc/hostname")
    lab.write("worker.bu", BUTANE)
    (problem,) = lab.problems("butane: worker.bu")
    assert "node1" in problem.message


def test_an_error_of_butane_is_told_at_its_line_of_the_template(lab: Lab) -> None:
    lab.write("worker.bu", BUTANE.replace("/etc/hostname", "etc/{{ machine.name }}"))
    (problem,) = lab.problems("butane: worker.bu")
    assert (problem.file, problem.line, problem.key) == (lab.home / "worker.bu", 5, "machines.node1")
    assert (
        "rendered for node1: $.storage.files.0.path: path not absolute in line 5: - path: etc/node1" in problem.message
    )


def test_an_error_of_a_config_without_a_template_is_told_once_with_line_and_column(lab: Lab) -> None:
    lab.write("worker.bu", STATIC.replace("/etc/localtime", "etc"))
    many = "".join(f"  n{i}: {{serial: s{i}, profile: p}}\n" for i in range(5))
    (problem,) = lab.problems("butane: worker.bu", many)
    assert (problem.line, problem.column, problem.key) == (5, 14, "profiles.p")


def test_a_warning_of_butane_refuses_nothing_and_is_told(lab: Lab) -> None:
    lab.write("worker.bu", STATIC + "moer: x\n")
    _, _, warnings = lab.configs("butane: worker.bu")
    assert [(w.line, w.warning) for w in warnings] == [(6, True)]
    assert "unused key moer" in warnings[0].message


def test_a_base_and_the_machine_s_own_are_merged_and_the_own_wins(lab: Lab) -> None:
    lab.write("base.bu", BASE + "  files:\n    - {path: /etc/hostname, contents: {inline: base}}\n    - path: /etc/b\n")
    lab.write("worker.bu", BUTANE)
    tree = lab.tree("ignition_base: base.bu, butane: worker.bu")
    assert tree["ignition"]["version"] == "3.4.0", "the later spec of the two"
    assert tree["storage"]["links"] == [{"path": "/etc/localtime", "target": "../zone"}]
    assert {file["path"]: file.get("contents", {}).get("source") for file in tree["storage"]["files"]} == {
        "/etc/hostname": "data:,node1",
        "/etc/b": None,
        "/etc/role": "data:,I%20am%20etcd%0A",
    }


def test_a_machine_keeps_its_profile_s_base_under_a_config_of_its_own(lab: Lab) -> None:
    lab.write("base.bu", STATIC)
    lab.write("own.ign", json.dumps({"ignition": {"version": "3.3.0"}, "storage": {"directories": [{"path": "/srv"}]}}))
    tree = lab.tree("ignition_base: base.bu", f"  node1: {{mac: '{MAC.format(1)}', profile: p, ignition: own.ign}}\n")
    assert tree["storage"].keys() == {"links", "directories"}


def test_a_base_alone_is_the_config(lab: Lab) -> None:
    lab.write("base.bu", STATIC)
    assert lab.tree("ignition_base: base.bu")["storage"]["links"]


@pytest.mark.parametrize(("name", "content"), [("own.ign", V2), ("own.ign", CLOUD)], ids=["2.x", "cloud-config"])
def test_only_ignition_3_can_be_merged(lab: Lab, name: str, content: bytes) -> None:
    lab.write("base.bu", STATIC)
    lab.write(name, content)
    (problem,) = lab.problems(f"ignition_base: base.bu, ignition: {name}")
    assert "expected Ignition 3, which can be merged" in problem.message


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(V2, IGNITION, id="Ignition 2.3"),
        pytest.param(CLOUD, "text/plain", id="cloud-config, braces and all"),
        pytest.param(b"#!/bin/sh\necho {{ x }}\n", "text/plain", id="a script"),
        pytest.param(b"Content-Type: multipart/mixed; boundary=x\n\n--x\n", "text/plain", id="multipart"),
        pytest.param(gzip.compress(CLOUD), "application/gzip", id="gzipped cloud-config"),
        pytest.param(b'{"ignition": {"version": "3.9.0"}, "new": {}}  ', IGNITION, id="a spec of the future"),
    ],
)  # fmt: skip
def test_what_pxed_does_not_understand_passes_byte_for_byte(lab: Lab, content: bytes, content_type: str) -> None:
    lab.write("own.ign", content)
    config = lab.config("ignition: own.ign")
    assert (config.body, config.content_type) == (content, content_type)


def test_an_ignition_config_is_held_to_its_own_spec_with_line_and_column(lab: Lab) -> None:
    lab.write("own.ign", '{"ignition": {"version": "3.3.0"},\n "storage": {"files": [{"path": "etc/x"}]}}')
    (problem,) = lab.problems("ignition: own.ign")
    assert (problem.line, problem.column) == (2, 33)
    assert problem.message == "storage.files[0].path: path not absolute"


def test_an_unknown_key_of_an_ignition_config_is_a_warning(lab: Lab) -> None:
    lab.write("own.ign", '{"ignition": {"version": "3.3.0", "who": 1}, "x": [{"source": "oem:///a"}]}')
    _, _, warnings = lab.configs("ignition: own.ign")
    assert sorted(warning.message for warning in warnings) == ["ignition.who: unused key who", "x: unused key x"]


def test_every_machine_is_made_and_equal_texts_once(lab: Lab) -> None:
    lab.write("worker.bu", BUTANE)
    machines = "".join(
        f"  node{i}: {{mac: '{MAC.format(i)}', profile: p, vars: {{role: {'etcd' if i else 'nothing'}}}}}\n"
        for i in range(4)
    )
    (problem,) = lab.problems("butane: worker.bu", machines)
    assert problem.key == "machines.node0"


def test_what_was_found_right_is_not_made_again(lab: Lab) -> None:
    lab.write("worker.bu", BUTANE.replace("role-{{ machine.vars.role }}", "x").replace("local: x", "inline: x"))
    inventory = lab.inventory("butane: worker.bu")
    configs, _ = read_configs(inventory, Path.read_bytes, FilesDir)
    seen: list[str] = []
    good: set[bytes] = set()
    for _ in range(2):
        checker = Checker(inventory, configs.maker, lambda key, *_: seen.append(key) or [], good=good)
        assert checker.machine(inventory.machines["node1"]) == []
    assert seen == ["machines.node1"]


def test_a_config_that_reads_local_files_is_made_at_every_load(lab: Lab) -> None:
    lab.write("worker.bu", BUTANE)
    inventory = lab.inventory("butane: worker.bu")
    configs, _ = read_configs(inventory, Path.read_bytes, FilesDir)
    checker = Checker(inventory, configs.maker)
    assert checker.machine(inventory.machines["node1"]) == []
    (lab.home / "role-etcd").unlink()
    assert checker.machine(inventory.machines["node1"]) != []


def test_a_file_that_is_too_big_for_memory_belongs_into_an_image(lab: Lab) -> None:
    with (lab.home / "big").open("wb") as file:
        file.truncate((32 << 20) + 1)
    (problem,) = lab.problems("oem_files: {usr/share/oem/big: big}")
    assert "give it as an initrd of the image" in problem.message


@pytest.mark.parametrize(
    "files",
    ["usr/share/oem/config.ign: x", "usr/a: x, usr/a/b: x", "TRAILER!!!: x"],
    ids=["the place of the config", "a file that is a directory too", "the name that ends an archive"],
)
def test_files_that_cannot_be_in_one_initrd_are_told_at_load(lab: Lab, files: str) -> None:
    lab.write("x", "x")
    lab.write("worker.bu", STATIC)
    (problem,) = lab.problems(f"butane: worker.bu, ignition_delivery: embedded, oem_files: {{{files}}}")
    assert problem.key == "profiles.p.oem_files"


def test_a_config_that_fails_at_a_request_says_why(lab: Lab) -> None:
    lab.write("worker.bu", BUTANE)
    inventory, configs, _ = lab.configs("butane: worker.bu")
    (lab.home / "role-etcd").unlink()
    with pytest.raises(IgnitionError, match=r"worker\.bu.*role-etcd"):
        configs.render(found(inventory), Identity(MAC.format(1)), ENDPOINT)


@pytest.mark.parametrize(
    ("accept", "spec"),
    [
        (f"{IGNITION};version=3.5.0, */*;q=0.1", "3.5.0"),
        (f"{IGNITION}; version=2.4.0, {IGNITION}; version=1; q=0.5, */*; q=0.1", "2.4.0"),
        (f"{IGNITION};version=3.10.0, {IGNITION};version=3.9.0", "3.10.0"),
        (f'{IGNITION}; Version="3.3.0"', "3.3.0"),
        ("*/*", ""),
        ("", ""),
        (f"{IGNITION};version=" + "9" * 400, ""),
    ],
    ids=["Ignition 2", "Ignition 0.36", "numbers, not text", "quoted", "curl", "nothing", "nonsense"],
)  # fmt: skip
def test_the_accept_header_tells_what_a_node_reads(accept: str, spec: str) -> None:
    assert supported_spec(accept) == spec


@pytest.mark.parametrize(
    ("version", "supported", "newer"),
    [
        ("3.4.0", "3.3.0", True),
        ("3.3.0", "3.3.0", False),
        ("3.0.0", "3.5.0", False),
        ("2.3.0", "3.3.0", False),
        ("3.0.0", "2.4.0", True),
        ("3.7.0-experimental", "3.6.0", True),
    ],
)
def test_a_config_is_too_new_for_a_node(version: str, supported: str, newer: bool) -> None:
    assert newer_than(version, supported) is newer


TWO_PROFILES = """\
images: {r: {kernel: r/k}}
profiles:
  a: {image: r, butane: worker.bu, files_dir: a}
  b: {image: r, butane: worker.bu, files_dir: b}
machines:
  node1: {mac: "52:54:00:00:00:01", profile: a}
  node2: {mac: "52:54:00:00:00:02", profile: b}
  node3: {mac: "52:54:00:00:00:03", profile: a, files_dir: b}
"""


@pytest.mark.parametrize("name", ["x", "{{ 'x' }}"], ids=["the same for all", "a template"])
def test_profiles_with_one_butane_file_have_local_files_of_their_own(lab: Lab, name: str) -> None:
    lab.write("worker.bu", f'{STATIC}  files:\n    - {{path: /x, contents: {{local: "{name}"}}}}\n')
    lab.write("a/x", "A")
    lab.write("b/x", "B")
    inventory = load(lab.write("pxed.yaml", TWO_PROFILES))
    configs, _ = load_configs(inventory, Path.read_bytes, FilesDir)
    given = [configs.render(found(inventory, n), Identity(MAC.format(n)), ENDPOINT) for n in (1, 2, 3)]
    assert [files(json.loads(config.body))["/x"] for config in given] == ["data:,A", "data:,B", "data:,B"]


def test_a_config_may_be_a_file_of_the_initrd_too(lab: Lab) -> None:
    lab.write("worker.bu", STATIC)
    inventory, configs, _ = lab.configs("butane: worker.bu, oem_files: {usr/share/oem/worker.bu: worker.bu}")
    archive = configs.archive(found(inventory), Identity(MAC.format(1)), ENDPOINT)
    assert STATIC.encode() in gzip.decompress(archive.body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - {path: /a, mode: '0644'}\n    - 7\n",
            [(5, "cannot unmarshal !!str `0644` into int"), (6, "cannot unmarshal !!int `7` into v0_4.File")],
            id="each value of a wrong type is a problem at its line",
        ),
        pytest.param(
            "variant: flatcar\nversion: 1.0.0\nstorage: [\n",
            [(3, "not YAML: did not find expected node content")],
            id="what is no YAML is a problem at its line",
        ),
        pytest.param(
            "variant: fcos\nversion: 1.5.0\n",
            [
                (
                    0,
                    "No translator exists for variant fcos with version 1.5.0"
                    "; expected variant: flatcar with version: 1.0.0 or 1.1.0",
                )
            ],
            id="another variant is told which one to use",
        ),
        pytest.param(
            f"{STATIC}  files:\n    - path: /a\n      contents: {{source: 'oem:///a'}}\n",
            [
                (
                    8,
                    "$.storage.files.0.contents.source: invalid url scheme: Butane takes no oem: URL, though Flatcar "
                    "does: write this config as Ignition (a .ign file)",
                )
            ],
            id="an oem URL in a Butane config is told where it may stand",
        ),
    ],
)
def test_what_butane_refuses_is_told_by_line(lab: Lab, text: str, expected: list[tuple[int, str]]) -> None:
    lab.write("worker.bu", text)
    assert [(problem.line, problem.message) for problem in lab.problems("butane: worker.bu")] == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        pytest.param("{{ 'x' * 3000000000 }}", "the result of * is too big", id="a text times a number"),
        pytest.param("{{ [0] * 10 ** 9 }}", "the result of * is too big", id="a list times a number"),
        pytest.param("{{ 9 ** 99999999 }}", "the result of ** is too big", id="a huge power"),
        pytest.param(
            "{% for a in range(90000) %}{% for b in range(90000) %}{{ b }}{% endfor %}{% endfor %}",
            "makes more than 32 MiB of text",
            id="a loop in a loop",
        ),
        pytest.param("{% include '/etc/hostname' %}", "a template can take in no other file", id="another file"),
    ],
)
def test_a_template_that_reaches_too_far_is_refused(lab: Lab, expression: str, message: str) -> None:
    lab.write("worker.bu", f"{STATIC}# {expression}\n")
    (problem,) = lab.problems("butane: worker.bu")
    assert message in problem.message


def test_small_products_are_what_they_always_were(lab: Lab) -> None:
    lab.write(
        "worker.bu", f"{STATIC}# {{{{ 'x' * 3 }}}}\n".replace("../zone", "{{ 2 * 21 }}/{{ 2 ** 10 }}/{{ 1.5 * 2 }}")
    )
    assert lab.tree("butane: worker.bu")["storage"]["links"][0]["target"] == "42/1024/3.0"
