"""Every fault injected for real: pxed on eleven networks, real DHCP servers, scripted machines, and the verdicts.

All machines play at once, with a quarter of the usual patience; each test looks at the verdict of one.
"""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from pxed.probe.client import BiosRom, UefiHttp
from pxed.probe.nic import Nic
from tests.faults.player import Player
from tests.faults.wires import Wires, wires
from tests.lab import daemon
from tests.lab.daemon import Daemon
from tests.lab.process import run
from tests.server.mirrored import NEW, OLD, VMLINUZ, publish

pytestmark = pytest.mark.net

PATIENCE = 25  # per cent
_WARM = "52:54:00:fb:00:02"
_MOVED = "52:54:00:fb:00:03"
HTTP_ONLY = bytes.fromhex("130100" + "240101" + "180101")  # iPXE's option 175 without HTTP
_AT_ONCE = 12


def no_dhcp(player: Player) -> None:
    player.firmware().discover(5.0)


def pool_exhausted(player: Player) -> None:
    player.firmware().discover(5.0)


def option_60(player: Player) -> None:
    player.lease(player.firmware())


def rival_proxy(player: Player) -> None:
    player.lease(player.firmware())


def boot_file_of_the_dhcp_server(player: Player) -> None:
    player.lease(player.firmware())


def rival_in_ipxe(player: Player) -> None:
    player.to_loader()
    player.ipxe()


def offer_dropped(player: Player) -> None:
    others_have_booted.wait(60)
    player.lease(player.firmware())


def port_4011_blocked(player: Player) -> None:
    client = player.firmware()
    player.lease(client)
    assert client.bootserver(player.server, tries=2, seconds=0.5) is None


def answers_of_4011_lost(player: Player) -> None:
    client = player.firmware()
    player.lease(client)
    for _ in range(3):
        client.bootserver(player.server, tries=1)


def tftp_never_arrives(player: Player) -> None:
    client = player.firmware()
    player.lease(client)
    assert client.bootserver(player.server) is not None
    assert not client.tftp(player.server, "snponly.efi", retries=1).heard


def tftp_of_a_bios_rom_never_arrives(player: Player) -> None:
    client = player.firmware(BiosRom)
    player.lease(client)
    assert not client.tftp(player.server, "undionly.kpxe", retries=1).heard


def tftp_cut(player: Player) -> None:
    client = player.firmware()
    player.lease(client)
    assert client.bootserver(player.server) is not None
    assert not client.tftp(player.server, "snponly.efi", retries=2).ok


def black_hole(player: Player) -> None:
    client = player.firmware()
    player.lease(client)
    assert client.bootserver(player.server) is not None
    assert not client.tftp(player.server, "snponly.efi", blksize=1468, retries=3).ok


def loader_missing(player: Player) -> None:
    client = player.firmware()
    player.lease(client)
    assert client.bootserver(player.server) is not None
    assert client.tftp(player.server, "gone.efi").code == 1


def loader_of_http_boot_not_fetched(player: Player) -> None:
    player.lease(player.firmware(UefiHttp))


def wrong_loader(player: Player) -> None:
    player.to_loader(file="undionly.kpxe")


def loader_silent(player: Player) -> None:
    player.to_loader()


def ipxe_loop(player: Player) -> None:
    for _ in range(3):
        player.to_loader()


def ipxe_without_http(player: Player) -> None:
    for _ in range(3):
        player.ipxe(HTTP_ONLY).tftp(player.server, "snponly.efi")


def script_never(player: Player) -> None:
    player.to_loader()
    player.ipxe()


def kernel_never(player: Player) -> None:
    player.to_script()


def kernel_missing(player: Player) -> None:
    answer = player.to_script().http(player.url("kernel"))
    assert answer.status == 404


def initrd_missing(player: Player) -> None:
    client = player.to_script()
    assert client.http(player.url("kernel")).ok
    assert client.http(player.url("initrd")).status == 404


def digest_mismatch(player: Player) -> None:
    client = player.to_script()
    kernel = player.home / f"data/mirror/stable/amd64-usr/{OLD}" / VMLINUZ
    kernel.write_bytes(b"another kernel" * 1000)
    assert not client.http(player.url("kernel")).ok


def download_stalls(player: Player) -> None:
    client = player.to_script()
    del client
    with player.stalled(player.url("kernel")):
        stop.wait(60)


def download_broken(player: Player) -> None:
    player.to_script()
    with player.stalled(player.url("kernel")):
        pass


def initrd_never(player: Player) -> None:
    client = player.to_script()
    assert client.http(player.url("kernel")).ok


def ignition_never(player: Player) -> None:
    player.load(player.to_script())
    player.system()


def ignition_without_network(player: Player) -> None:
    player.load(player.to_script())


def token_spent(player: Player) -> None:
    client = player.to_script()
    player.load(client)
    url = player.argument("ignition.config.url")
    assert client.http(url.replace("token=", "token=x")).status == 403


def spec_too_new(player: Player) -> None:
    client = player.to_script()
    player.load(client)
    assert player.ignition(client, "application/vnd.coreos.ignition+json;version=3.0.0").status == 406


def template_error(player: Player) -> None:
    client = player.to_script()
    player.load(client)
    assert player.ignition(client).status == 503


def no_report(player: Player) -> None:
    client = player.to_script()
    player.load(client)
    assert player.ignition(client).ok


def no_first_boot(player: Player) -> None:
    for _ in range(2):
        client = player.to_script()
        player.load(client)
        if "flatcar.first_boot" in player.script:  # without it Ignition does not run
            assert player.ignition(client).ok
    assert "flatcar.first_boot" not in player.script


def another_address_in_ipxe(player: Player) -> None:
    player.load(player.to_script())


def reboot_loop(player: Player) -> None:
    for _ in range(3):
        client = player.to_script()
        player.load(client)


def _install_config(player: Player) -> tuple[Any, str]:
    client = player.to_script()
    player.load(client)
    answer = player.ignition(client)
    found = re.search(r"http://[^\s\"']+/report/[^\s\"'\\]+", unquote(answer.text))
    assert found is not None, unquote(answer.text)[:3000]
    return client, found.group()


def install_fails(player: Player) -> None:
    client, url = _install_config(player)
    for stage, message in (("installing", ""), ("failed", "no disk /dev/sda")):
        body = f'{{"stage": "{stage}", "message": "{message}"}}'.encode()
        answer = client.http(url, method="POST", body=body, headers={"Content-Type": "application/json"})
        assert answer.ok, answer.reason


def two_with_one_mac(player: Player) -> None:
    player.lease(player.firmware())
    player.uuid = "ff" * 16
    player.firmware().discover(1.0)


def address_in_use(player: Player) -> None:
    client = player.to_loader()
    declined = client.sends.request(player.nic.address, f"{player.wire.net}.1").payload
    with player.nic.wire() as wire:
        place = declined.index(b"\x35\x01\x03")
        wire.broadcast(declined[:place] + b"\x35\x01\x04" + declined[place + 3 :])


def not_listed(player: Player) -> None:
    player.firmware().discover(1.0)


@dataclass(frozen=True, slots=True)
class Case:
    """One machine: where it is, what it plays, what must be said of it."""

    fault: str
    wire: str
    play: Callable[[Player], None]
    profile: str = "worker"
    machine: dict[str, Any] | None = None
    listed: bool = True

    @property
    def name(self) -> str:
        return self.play.__name__.replace("_", "-")


CASES = (
    Case("no-dhcp-server", "bare", no_dhcp),
    Case("dhcp-no-lease", "full", pool_exhausted),
    Case("dhcp-option-60", "opt60", option_60),
    Case("rival-proxy", "rival", rival_proxy),
    Case("rival-proxy", "bootfile", boot_file_of_the_dhcp_server),
    Case("rival-in-ipxe", "menu", rival_in_ipxe),
    Case("offer-dropped", "good", offer_dropped),
    Case("bootserver-blocked", "no4011", port_4011_blocked),
    Case("bootserver-blocked", "good", answers_of_4011_lost),
    Case("tftp-unreached", "no69", tftp_never_arrives),
    Case("tftp-unreached", "no69", tftp_of_a_bios_rom_never_arrives),
    Case("tftp-blocked", "cut", tftp_cut),
    Case("mtu-black-hole", "narrow", black_hole),
    Case("loader-missing", "good", loader_missing, machine={"loader": "gone.efi"}),
    Case("loader-unreached", "good", loader_of_http_boot_not_fetched),
    Case("wrong-loader", "good", wrong_loader, machine={"loader": "undionly.kpxe"}),
    Case("loader-silent", "good", loader_silent),
    Case("ipxe-loop", "good", ipxe_loop),
    Case("ipxe-lacks-feature", "good", ipxe_without_http),
    Case("script-never", "good", script_never),
    Case("kernel-never", "good", kernel_never),
    Case("file-missing", "good", kernel_missing, "nokernel"),
    Case("file-missing", "good", initrd_missing, "noinitrd"),
    Case("image-digest", "good", digest_mismatch, "mirrored"),
    Case("download-stalled", "good", download_stalls, "big"),
    Case("download-broken", "good", download_broken, "big"),
    Case("initrd-never", "good", initrd_never),
    Case("ignition-never", "good", ignition_never),
    Case("ignition-no-network", "good", ignition_without_network),
    Case("ignition-token", "good", token_spent),
    Case("ignition-spec", "good", spec_too_new),
    Case("ignition-template", "good", template_error, "broken"),
    Case("no-report", "good", no_report, "reports"),
    Case("ignition-no-first-boot", "good", no_first_boot, "rooted"),
    Case("reboot-loop", "good", reboot_loop),
    Case("install-failing", "good", install_fails, "installer"),
    Case("mac-twice", "good", two_with_one_mac),
    Case("address-in-use", "good", address_in_use),
    Case("not-listed", "good", not_listed, listed=False),
)
_LOCAL = """variant: flatcar
version: 1.1.0
storage:
  files:
    - path: /etc/x
      contents: {local: local.txt}
"""
others_have_booted = threading.Event()
stop = threading.Event()


def _mac(number: int) -> str:
    return f"52:54:00:fa:{number >> 8:02x}:{number & 255:02x}"


def _inventory(directory: Path, place: Wires) -> Path:
    images = directory / "data/images/lab"
    images.mkdir(parents=True)
    for name in ("vmlinuz", "initrd.img", "gone.img"):
        (images / name).write_bytes(b"x" * 300_000)
    with (images / "big.img").open("wb") as big:
        big.truncate(64 << 20)
    publish(directory, OLD, NEW)
    (directory / "worker.bu").write_text("variant: flatcar\nversion: 1.1.0\nstorage:\n  files:\n    - path: /etc/x\n")
    (directory / "local.txt").write_text("x")
    (directory / "broken.bu").write_text(_LOCAL)
    worker = {"image": "lab", "butane": "worker.bu", "ignition_access": "token"}
    document = {
        "server": {
            "interfaces": place.interfaces, "data_dir": "data", "http": {"port": 8080}, "patience": PATIENCE,
            "mirror": {"interval": "off"},
        },
        "images": {
            "lab": {"kernel": "lab/vmlinuz", "initrd": ["lab/initrd.img"]},
            "nokernel": {"kernel": "lab/gone.img", "initrd": ["lab/initrd.img"]},
            "noinitrd": {"kernel": "lab/vmlinuz", "initrd": ["lab/gone.img"]},
            "big": {"kernel": "lab/big.img", "initrd": ["lab/initrd.img"]},
            "flatcar": {"flatcar": {"channel": "stable", "arch": "amd64", "version": NEW}},
            "older": {"flatcar": {"channel": "stable", "arch": "amd64", "version": OLD}},
        },
        "profiles": {
            "worker": worker,
            "plain": {"image": "lab"},
            "nokernel": worker | {"image": "nokernel"},
            "noinitrd": worker | {"image": "noinitrd"},
            "big": worker | {"image": "big"},
            "broken": worker | {"butane": "broken.bu"},
            "mirrored": worker | {"image": "older"},
            "rooted": worker | {"root": "LABEL=ROOT", "report": True, "report_within": "8s"},
            "reports": worker | {"report": True, "report_within": "8s"},
            "installer": {
                "image": "flatcar", "boot": "install",
                "install": {"disk": "/dev/sda", "butane": "worker.bu", "backoff": "1s"},
            },
        },
        "machines": {
            case.name: {"mac": _mac(number), "profile": case.profile, **(case.machine or {})}
            for number, case in enumerate(CASES)
            if case.listed
        }
        | {"warm": {"mac": _WARM, "profile": "worker"}, "moved": {"mac": _MOVED, "profile": "plain"}},
    }  # fmt: skip
    path = directory / "pxed.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


@dataclass(frozen=True, slots=True)
class Played:
    """All machines have played, or play still."""

    daemon: Daemon
    futures: dict[str, Future[None]]
    place: Wires

    def verdict(self, case: Case) -> dict[str, Any]:
        """The first STUCK event of this machine with the fault that is awaited, else its last one."""
        mac, playing = _mac(CASES.index(case)), self.futures[case.name]
        deadline = 0.0
        while True:
            told = [event for event in self.daemon.events("stuck") if event["mac"] == mac]
            named = next((event for event in told if event["fault"] == case.fault), None)
            if named is not None or (deadline and time.monotonic() > deadline):
                return named or (told or [{}])[-1]
            if playing.done():
                playing.result()
                deadline = deadline or time.monotonic() + 60
            self.daemon.program.output.wait(lambda line: line if '"stuck"' in line else None, timeout=1)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    directory = tmp_path_factory.mktemp("faults")
    with wires(directory) as place:
        config = _inventory(directory, place)
        with daemon.serving(place.network, config, directory) as served, ThreadPoolExecutor(_AT_ONCE) as pool:
            _spoil(directory)
            _take_the_only_address(place)
            _boot_one_well(place)
            futures = {case.name: pool.submit(_play, case, place, directory) for case in CASES}
            try:
                yield Played(served, futures, place)
            finally:
                stop.set()
                served.program.signal(signal.SIGTERM)  # the second one, of its end, ends transfers that lead nowhere


def _spoil(directory: Path) -> None:
    """Faults that `pxed check` would name come after the start."""
    (directory / "data/images/lab/gone.img").unlink()
    (directory / "local.txt").unlink()


def _take_the_only_address(place: Wires) -> None:
    wire = place.wires["full"]
    with Nic("eth0", "52:54:00:fb:00:01", namespace=wire.host) as nic:
        player = Player(wire, nic, "0" * 32)
        client = player.firmware()
        player.lease(client)
        client.lease = None  # it is kept


def _boot_one_well(place: Wires) -> None:
    """The good wire is known to be good: another machine has come as far as its loader there."""
    with Nic("eth0", _WARM, namespace=place.wires["good"].host) as nic:
        Player(place.wires["good"], nic, f"{77:032x}").to_loader()
    others_have_booted.set()


def _play(case: Case, place: Wires, directory: Path) -> None:
    number = CASES.index(case)
    wire = place.wires[case.wire]
    with Nic("eth0", _mac(number), namespace=wire.host) as nic:
        player = Player(wire, nic, f"{number + 1:032x}", directory)
        case.play(player)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.fault}: {case.name}" for case in CASES])
def test_the_fault_is_named(played: Played, case: Case) -> None:
    told = played.verdict(case)
    assert told.get("fault") == case.fault, told
    assert told["evidence"]
    assert told["remedy"]


def test_an_address_that_changes_on_the_way_is_noted_and_no_alarm(played: Played) -> None:
    wire = played.place.wires["moves"]
    with Nic("eth0", _MOVED, namespace=wire.host) as nic:
        another_address_in_ipxe(Player(wire, nic, f"{99:032x}"))
    deadline = time.monotonic() + 60
    while (verdict := _shown(played, "moved")["verdict"]) is None and time.monotonic() < deadline:
        played.daemon.program.output.wait(lambda line: None, timeout=0.5)
    assert (verdict["fault"], verdict["severity"]) == ("address-changed", "info")
    assert played.daemon.events("stuck", "moved") == []


def _shown(played: Played, name: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:8080/api/v1/machines/{name}"
    asked = ("ip", "netns", "exec", played.place.network.pxe, "curl", "-s", "--max-time", "10", url)
    shown: dict[str, Any] = json.loads(run(*asked))
    return shown
