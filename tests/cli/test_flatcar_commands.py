"""`pxed explain`, `render` and `check` of machines that boot a mirrored release, with configs of every delivery."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pxed.cli.check import missing_files
from pxed.cli.images_list import image_rows, machine_rows
from pxed.cli.mirrored import Site
from pxed.inventory.loader import load, located
from tests.server.mirrored import CPIO, NEW, OLD, VMLINUZ, content, publish

PXED = Path(sys.executable).with_name("pxed")
INVENTORY = """\
server: {data_dir: data}
images:
  flatcar: {flatcar: {channel: stable, canary: [node2]}}
  coming: {flatcar: {channel: beta}}
profiles:
  worker: {image: flatcar, butane: worker.bu}
  offline: {image: flatcar, butane: worker.bu, ignition_base: base.bu, ignition_delivery: embedded}
  future: {image: coming}
machines:
  node1: {mac: 52:54:00:00:00:01, profile: worker}
  node2: {mac: 52:54:00:00:00:02, profile: offline}
  node3: {mac: 52:54:00:00:00:03, profile: future}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "pxed.yaml").write_text(INVENTORY)
    (tmp_path / "worker.bu").write_text(
        "variant: flatcar\nversion: 1.0.0\nstorage: {directories: [{path: '/srv/{{ machine.name }}'}]}\n"
    )
    (tmp_path / "base.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    publish(tmp_path, OLD, NEW, promoted=OLD)
    return tmp_path


def pxed(home: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run([PXED, *arguments, "-c", "pxed.yaml"], cwd=home, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode()


@pytest.mark.parametrize(("machine", "version"), [("node1", OLD), ("node2", NEW)], ids=["promoted", "canary"])
def test_the_script_names_the_version_that_the_machine_boots(home: Path, machine: str, version: str) -> None:
    code, script, _ = pxed(home, "render", machine, "script", "--address", "10.0.0.2")
    assert code == 0
    assert f"http://10.0.0.2:8080/images/flatcar/{VMLINUZ}?version={version} " in script
    assert f"http://10.0.0.2:8080/images/flatcar/{CPIO}?version={version}" in script


def test_explain_goes_through_every_file_of_a_release(home: Path) -> None:
    code, said, _ = pxed(home, "explain", "node1", "--ipxe", "--json", "--address", "10.0.0.2")
    steps = json.loads(said)["steps"]
    assert code == 0
    answers = {step["stage"]: step["answer"] for step in steps}
    assert answers["kernel"] == f"{len(content(VMLINUZ, OLD))} bytes"
    assert answers["initrd"] == f"{len(content(CPIO, OLD))} bytes"
    assert next(step["why"] for step in steps if step["stage"] == "ignition").endswith("/worker.bu")


def test_explain_tells_of_an_initrd_that_pxed_makes(home: Path) -> None:
    _, said, _ = pxed(home, "explain", "node2", "--ipxe", "--json", "--address", "10.0.0.2")
    steps = json.loads(said)["steps"]
    assert [step["stage"] for step in steps][-3:] == ["kernel", "initrd", "initrd"]
    assert steps[-1]["why"] == "made for this machine"
    assert "/oem/node2.cpio.gz" in steps[-1]["asks"]


def test_explain_has_the_url_of_the_script_and_the_size_that_goes_over_the_wire(home: Path) -> None:
    sizes = []
    for report in ("", ", report: true"):
        (home / "pxed.yaml").write_text(INVENTORY.replace("delivery: embedded", f"delivery: embedded{report}"))
        _, said, _ = pxed(home, "explain", "node2", "--ipxe", "--json", "--address", "10.0.0.2")
        script, *_, initrd = (step for step in json.loads(said)["steps"] if step["stage"] in ("script", "initrd"))
        assert initrd["asks"] == "GET http://10.0.0.2:8080/oem/node2.cpio.gz?token=TOKEN"
        assert initrd["asks"].removeprefix("GET ") in script["answer"]
        sizes.append(int(initrd["answer"].removesuffix(" bytes")))
    assert sizes[1] > sizes[0] + 500, "the unit that reports is in it"


def test_explain_ends_where_nothing_is_mirrored_yet(home: Path) -> None:
    code, said, _ = pxed(home, "explain", "node3", "--ipxe", "--json", "--address", "10.0.0.2")
    last = json.loads(said)["steps"][-1]
    assert (code, last["stage"]) == (1, "script")
    assert last["why"] == "image coming: is not mirrored yet: run pxed images sync"


@pytest.mark.parametrize("what", ["script", "cmdline"])
def test_render_gives_what_a_machine_will_get_and_notes_that_it_is_not_yet(home: Path, what: str) -> None:
    code, said, note = pxed(home, "render", "node3", what, "--address", "10.0.0.2")
    assert (code, CPIO in said) == (0, True)
    assert note == "note: node3 gets this when its image is mirrored: pxed images sync\n"


def test_render_gives_the_ignition_of_a_butane_file(home: Path) -> None:
    code, said, _ = pxed(home, "render", "node1", "ignition", "--address", "10.0.0.2")
    assert (code, json.loads(said)["storage"]) == (0, {"directories": [{"path": "/srv/node1"}]})


def test_check_warns_of_a_release_that_is_not_there(home: Path) -> None:
    code, _, said = pxed(home, "check")
    assert code == 0
    assert "images.coming.flatcar: beta current for amd64 is not mirrored yet" in said
    assert "images.flatcar" not in said


def test_check_names_a_broken_index(home: Path) -> None:
    (home / "data/mirror/index.json").write_text("{")
    code, _, said = pxed(home, "check")
    assert (code, "index.json is not an index of a mirror" in said) == (0, True)


INSTALLING = """\
server: {data_dir: data}
images:
  flatcar: {flatcar: {channel: stable}}
profiles:
  lts: {image: flatcar, boot: install, install: {disk: /dev/sda, channel: lts}}
  later: {image: flatcar, install: {disk: /dev/sda, channel: edge}}
  plain: {image: flatcar, boot: install, install: {disk: /dev/sda}}
machines:
  node1: {mac: 52:54:00:00:00:01, profile: lts}
  node2: {mac: 52:54:00:00:00:02, profile: plain,
    install: {version: 4593.1.0}}
  node3: {mac: 52:54:00:00:00:03, profile: later, boot: install}
  node4: {mac: 52:54:00:00:00:04, profile: plain}
"""


def test_a_release_that_only_an_installation_names_is_told_of_at_that_installation(home: Path) -> None:
    path = home / "pxed.yaml"
    path.write_text(INSTALLING)
    inventory = load(path)
    missing = located(missing_files(inventory), path)
    found = {problem.key: problem.line for problem in missing if "not mirrored yet" in problem.message}
    assert found == {
        "profiles.lts.install.channel": 5,
        "machines.node2.install.version": 11,
        "profiles.later.install.channel": 6,
    }
    site = Site(inventory)
    profiles = {row.image: row.profiles for row in image_rows(site, list(machine_rows(site)))}
    assert profiles["install:lts-amd64-current"] == {"lts": 1}
    assert profiles["install:stable-amd64-4593.1.0"] == {"plain": 1}
    assert profiles["install:edge-amd64-current"] == {"later": 1}
    assert profiles["flatcar"] == {"lts": 1, "later": 1, "plain": 2}
