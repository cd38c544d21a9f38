"""The real Ignition 2.14 and HTTPS: a CA that only pxed's first config names, and the digest of what that names."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.lab import daemon, ignition, netns
from tests.lab.daemon import URL, Daemon
from tests.lab.netns import PXE_ADDRESS, Network
from tests.server.certificates import authority, signed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60 * 2)]

MAC = "52:54:00:77:01:00"
CONFIG = """variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/secret
      contents: {inline: hunter2}
"""


@dataclass
class Served:
    """pxed with HTTPS on a network, and where its files are."""

    network: Network
    daemon: Daemon
    home: Path

    def curl(self, *arguments: str) -> str:
        command = ["ip", "netns", "exec", self.network.pxe, "curl", "-sS", "--max-time", "20", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def config_url(self) -> str:
        """What a new boot of the machine gets on its command line."""
        script = self.curl(f"{URL}/boot.ipxe?mac={MAC}")
        again = re.search(r"chain[^\n]* (http\S+&boot=\S+)", script)
        script = self.curl(again[1].replace("${net0/mac}", MAC)) if again and "config.url" not in script else script
        found = re.search(r"ignition\.config\.url=(\S+)", script)
        assert found, script
        return found[1]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    ca = authority(tmp_path)
    signed(ca, tmp_path, names=f"IP:{PXE_ADDRESS}")
    (tmp_path / "node.bu").write_text(CONFIG)
    inventory = {
        "server": {
            "interfaces": ["eth0"], "data_dir": str(tmp_path), "script_only": True,
            "http": {"tls": {"certificate": "pxed.pem", "key": "pxed.key", "ca": "ca.pem"}},
        },
        "images": {"any": {"kernel": "http://10.77.0.1/vmlinuz"}},
        "profiles": {"node": {"image": "any", "butane": "node.bu", "ignition_access": "once"}},
        "machines": {"node": {"mac": MAC, "profile": "node"}},
    }  # fmt: skip
    config = tmp_path / "pxed.yaml"
    config.write_text(yaml.safe_dump(inventory))
    with netns.network(0) as network, daemon.serving(network, config, tmp_path) as running:
        yield Served(network, running, tmp_path)


def test_the_secret_goes_by_https_only_to_an_ignition_that_knew_no_ca(served: Served) -> None:
    url = served.config_url()
    assert url.startswith("http://")
    done = ignition.fetch(served.network.pxe, url, served.home / "machine")
    assert done.status == 0, done.log
    assert f"GET https://{PXE_ADDRESS}:8443/ignition/node" in done.log
    config = json.loads(done.cache.read_text())
    assert [file["path"] for file in config["storage"]["files"]] == ["/etc/secret"]
    assert len(config["ignition"]["security"]["tls"]["certificateAuthorities"]) == 1, "later stages need it"


def test_by_http_the_config_of_the_machine_cannot_be_had(served: Served) -> None:
    stub = json.loads(served.curl(served.config_url()))
    (real,) = stub["ignition"]["config"]["merge"]
    assert "hunter2" not in json.dumps(stub)
    plain = real["source"].replace("https:", "http:").replace(":8443", ":8080")
    assert "hunter2" not in served.curl(plain)
    assert "hunter2" in served.curl("--cacert", str(served.home / "ca.pem"), real["source"])


def test_ignition_does_not_take_another_ones_answer(served: Served) -> None:
    """The same config with another digest, as somebody in between would have to make it."""
    stub = json.loads(served.curl(served.config_url()))
    (real,) = stub["ignition"]["config"]["merge"]
    real["verification"]["hash"] = f"sha512-{'0' * 128}"
    (served.home / "images").mkdir(exist_ok=True)
    (served.home / "loaders").mkdir(exist_ok=True)
    (served.home / "loaders/stub.ign").write_text(json.dumps(stub))
    done = ignition.fetch(served.network.pxe, f"{URL}/loaders/stub.ign", served.home / "machine")
    assert done.status != 0
    assert "hash verification failed" in done.log or "does not match" in done.log, done.log
