"""200 good boots on the wire, six at a time, of four kinds of firmware: each ends well, and nothing is said of any."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from pxed.probe.client import BiosRom, Uefi, UefiHttp
from pxed.probe.nic import Nic
from tests.faults.player import Player
from tests.faults.wires import Wires, wires
from tests.lab import daemon, process
from tests.lab.daemon import Daemon

pytestmark = pytest.mark.net

BOOTS = 200
_AT_ONCE = 6
_KINDS = (Uefi, BiosRom, UefiHttp, None)  # None: a ROM that is iPXE


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wires, Daemon]]:
    directory = tmp_path_factory.mktemp("good")
    with wires(directory, ("good",)) as made, daemon.serving(made.network, _inventory(directory), directory) as served:
        yield made, served


def _inventory(directory: Path) -> Path:
    images = directory / "data/images/lab"
    images.mkdir(parents=True)
    (images / "vmlinuz").write_bytes(b"k" * 300_000)
    (images / "initrd.img").write_bytes(b"i" * 900_000)
    (directory / "worker.bu").write_text("variant: flatcar\nversion: 1.1.0\n")
    document = {
        "server": {"interfaces": ["w0"], "data_dir": "data", "http": {"port": 8080}},
        "images": {"lab": {"kernel": "lab/vmlinuz", "initrd": ["lab/initrd.img"]}},
        "profiles": {"worker": {"image": "lab", "butane": "worker.bu", "ignition_access": "once"}},
        "machines": {f"node{n}": {"mac": _mac(n), "profile": "worker"} for n in range(BOOTS)},
    }
    path = directory / "pxed.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def _mac(number: int) -> str:
    return f"52:54:00:fc:00:{number:02x}"


def _one(made: Wires, number: int) -> None:
    wire = made.wires["good"]
    with Nic("eth0", _mac(number), namespace=wire.host) as nic:
        _boot(Player(wire, nic, f"{number + 1:032x}"), number)


def _boot(player: Player, number: int) -> None:
    kind = _KINDS[number % len(_KINDS)]
    if kind is UefiHttp:
        client = player.firmware(kind)
        player.lease(client)
        assert client.http(f"http://{player.server}:8080/loaders/snponly.efi").ok
    elif kind is BiosRom:
        client = player.firmware(kind)
        player.lease(client)
        assert client.tftp(player.server, "undionly.kpxe").ok
    elif kind is not None:
        player.to_loader(kind)
    client = player.ipxe()
    assert player.get_script(client).ok
    player.load(client)
    assert player.ignition(player.system()).ok


def test_two_hundred_good_boots_raise_no_alarm(place: tuple[Wires, Daemon]) -> None:
    made, served = place
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in [pool.submit(_one, made, machine) for machine in range(BOOTS)]:
            done.result()
    assert served.events("stuck") == []
    outcomes: Counter[str | None] = Counter()
    for machine in range(BOOTS):
        asked = ("ip", "netns", "exec", made.network.pxe, "curl", "-s", "--max-time", "10")
        url = f"http://127.0.0.1:8080/api/v1/machines/node{machine}/boots?limit=10"
        outcomes.update(boot["outcome"] for boot in json.loads(process.run(*asked, url))["boots"])
    assert outcomes == {"running": BOOTS}
