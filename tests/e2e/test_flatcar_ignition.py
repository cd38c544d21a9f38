"""What the real Ignition 2.14 says to pxed's answers. It reads configs up to spec 3.3.0 and says so in its Accept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab import daemon, ignition, netns
from tests.lab.daemon import URL, Daemon
from tests.lab.ignition import Fetched
from tests.lab.netns import Network

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60 * 2)]

BUTANE = """variant: flatcar
version: {version}
storage:
  files:
    - path: /etc/hostname
      contents: {{inline: "{{{{ machine.name }}}}"}}
"""
BASE = """variant: flatcar
version: 1.0.0
systemd: {units: [{name: a.service, mask: true}]}
"""
INVENTORY = {
    "images": {"any": {"kernel": "http://10.77.0.1/vmlinuz"}},
    "profiles": {
        "now": {"image": "any", "butane": "now.bu", "ignition_base": "base.bu", "ignition_access": "open"},
        "tomorrow": {"image": "any", "butane": "tomorrow.bu", "ignition_access": "open"},
        "none": {"image": "any"},
    },
    "machines": {
        name: {"mac": f"52:54:00:77:01:0{number}", "profile": name}
        for number, name in enumerate(("now", "tomorrow", "none"))
    },
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Network, Daemon]]:
    """pxed on a network, with these machines."""
    (tmp_path / "now.bu").write_text(BUTANE.format(version="1.0.0"))
    (tmp_path / "tomorrow.bu").write_text(BUTANE.format(version="1.1.0"))
    (tmp_path / "base.bu").write_text(BASE)
    config = tmp_path / "pxed.yaml"
    config.write_text(yaml.safe_dump(INVENTORY | {"server": {"interfaces": ["eth0"], "data_dir": str(tmp_path)}}))
    with netns.network(0) as network, daemon.serving(network, config, tmp_path) as running:
        yield network, running


def fetch(served: tuple[Network, Daemon], machine: str, directory: Path) -> Fetched:
    return ignition.fetch(served[0].pxe, f"{URL}/ignition/{machine}", directory / machine)


def test_ignition_accepts_a_config_that_pxed_has_merged_with_its_base(
    served: tuple[Network, Daemon], tmp_path: Path
) -> None:
    done = fetch(served, "now", tmp_path)
    assert (done.status, "GET result: OK" in done.log) == (0, True), done.log
    config = json.loads(done.cache.read_text())
    assert [file["contents"]["source"] for file in config["storage"]["files"]] == ["data:,now"]
    assert config["systemd"]["units"] == [{"mask": True, "name": "a.service"}]


@pytest.mark.parametrize(
    ("machine", "result", "reason"),
    [
        pytest.param(
            "tomorrow",
            "GET result: Not Acceptable",
            "is of Ignition version 3.4.0, but the Ignition that asks reads 3.3.0",
            id="a config newer than its spec",
        ),
        pytest.param("none", "GET result: Not Found", "has no Ignition config", id="a machine without a config"),
    ],
)
def test_ignition_gives_up_at_once_and_pxed_says_why(
    served: tuple[Network, Daemon], tmp_path: Path, machine: str, result: str, reason: str
) -> None:
    done = fetch(served, machine, tmp_path)
    assert (done.status, done.log.count("attempt #"), result in done.log) == (1, 1, True), done.log
    refused = served[1].wait("refused", timeout=10)
    assert (refused["level"], reason in refused["text"]) == ("warning", True)
