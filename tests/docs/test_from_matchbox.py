"""docs/how-to/from-matchbox.md: the worked example gives the same command line and the same Ignition config."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.generate.pages import ROOT
from pxed.ignition import butane
from tests.releases.server import ReleaseServer
from tests.test_docs import INVENTORIES, PXED, lay, with_releases

PAPER = ROOT / "docs/how-to/from-matchbox.md"
BLOCKS = re.findall(r"^```(json|text)\n(.*?)^```", PAPER.read_text(), re.MULTILINE | re.DOTALL)
FILES = {text.splitlines()[0].lstrip("/# "): text.partition("\n")[2] for _, text in BLOCKS}
GROUP: dict[str, Any] = json.loads(FILES["groups/node1.json"])
PROFILE: dict[str, Any] = json.loads(FILES["profiles/etcd.json"])
# Flatcar's two spellings of one thing: the older name of the config's URL, and "yes" for 1.
SAME = {"flatcar.first_boot=yes": "flatcar.first_boot=1"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The page's first inventory, with its release mirrored."""
    example = next(block for block in INVENTORIES if block.paper == PAPER)
    path = lay(tmp_path, example)
    with ReleaseServer(tmp_path / "releases") as releases:
        version = re.search(r"/flatcar/([\d.]+)/", PROFILE["boot"]["kernel"])
        assert version
        releases.publish("stable", "amd64", version[1])
        with_releases(path, releases)
        subprocess.run([PXED, "images", "sync", "-c", path], check=True, capture_output=True)
        return tmp_path


def rendered(home: Path, what: str) -> str:
    """What pxed gives the machine."""
    command = [PXED, "render", "node1", what, "-c", home / "pxed.yaml", "--address", "10.0.0.2"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def go_template(text: str, values: dict[str, str]) -> str:
    """A Go template that only names values, filled in."""
    return re.sub(r"\{\{\.(\w+)\}\}", lambda name: values[name[1]], text)


def test_the_files_are_matchboxs_own_form() -> None:
    assert PROFILE["id"] == GROUP["profile"]
    assert set(PROFILE["boot"]) == {"kernel", "initrd", "args"}
    assert f"ignition/{PROFILE['ignition_id']}" in FILES


def test_the_command_line_has_the_same_words(home: Path) -> None:
    wanted = {SAME.get(word, word) for word in PROFILE["boot"]["args"] if ".config.url=" not in word}
    got = rendered(home, "cmdline").split()
    url = [word for word in got if word.startswith("ignition.config.url=")]
    assert {word for word in got if word not in url and not word.startswith("BOOTIF=")} == wanted
    assert [word.partition("?")[0] for word in url] == ["ignition.config.url=http://10.0.0.2:8080/ignition/node1"]
    consoles = [word for word in PROFILE["boot"]["args"] if word.startswith("console=")]
    assert [word for word in got if word.startswith("console=")] == consoles


def test_the_ignition_config_is_the_same(home: Path) -> None:
    text = go_template(FILES[f"ignition/{PROFILE['ignition_id']}"], GROUP["metadata"] | GROUP["selector"])
    theirs = butane.translate(text)
    assert theirs.ok, theirs
    ours = json.loads(rendered(home, "ignition"))
    assert ours == json.loads(theirs.output)
    assert "node1=http://node1.example.com:2380" in json.dumps(ours)


def test_the_inventory_has_the_groups_metadata() -> None:
    example = next(block for block in INVENTORIES if block.paper == PAPER)
    [machine] = yaml.load(example.text, yaml.BaseLoader)["machines"].values()
    assert machine["vars"] == GROUP["metadata"]
    assert machine["mac"] == GROUP["selector"]["mac"]
