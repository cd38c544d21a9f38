"""docs/how-to/from-dnsmasq.md: dnsmasq takes its configurations, and the inventories beside them boot the same."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.generate.pages import ROOT
from tests.lab import daemon
from tests.lab.netns import PXE_ADDRESS
from tests.probe.site import INITRD, KERNEL, MAC, WHO, Site, dnsmasq, network
from tests.test_docs import PXED

PAGE = (ROOT / "docs/how-to/from-dnsmasq.md").read_text()
BLOCKS = re.findall(r"^```(dnsmasq|yaml|ipxe)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CONFIGURATIONS = [text for kind, text in BLOCKS if kind == "dnsmasq"]
PROXY, ADDRESSES, SAME_HOST, SCRIPTS = CONFIGURATIONS
INVENTORIES = [text for kind, text in BLOCKS if kind == "yaml"]
# What `dnsmasq --help` has of booting; what else has "dhcp" in it gives addresses and names.
BOOTING = re.compile(
    r"tftp|pxe|boot|relay|^script|dhcp-(\w*script|match|vendor|userclass|mac|host|option|ignore=|broadcast|proxy)"
)


def title(text: str) -> str:
    return text.splitlines()[0].removeprefix("# dnsmasq.conf: ")


@pytest.mark.parametrize("text", CONFIGURATIONS, ids=title)
def test_dnsmasq_takes_each_configuration(text: str, tmp_path: Path) -> None:
    path = tmp_path / "dnsmasq.conf"
    path.write_text(text)
    command = ["dnsmasq", "--test", f"--conf-file={path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "dnsmasq: syntax check OK.\n")


def test_each_option_of_dnsmasq_that_concerns_booting_is_in_the_table() -> None:
    usage = subprocess.run(["dnsmasq", "--help"], capture_output=True, text=True, check=True).stdout
    options = [name for name in re.findall(r"--([a-z-]+[=[]?)", usage) if BOOTING.search(name)]
    named = set(re.findall(r"`([a-z-]+)", PAGE.partition("## Every line")[2]))
    assert len(options) > 25
    assert {name.rstrip("=[") for name in options} <= named


def test_each_line_of_the_configurations_is_in_the_table() -> None:
    named = set(re.findall(r"`([a-z-]+)", PAGE.partition("## Every line")[2]))
    used = {line.partition("=")[0] for text in CONFIGURATIONS for line in text.splitlines()[1:]}
    assert used - {"port"} <= named  # port=0: no DNS


def served(text: str, directory: Path) -> Path:
    """An inventory of the page with its images, on the laboratory's HTTP port."""
    document = yaml.safe_load(text)
    document["server"] |= {"data_dir": "data", "http": {"port": daemon.HTTP_PORT}}
    for image in document["images"]:
        home = directory / "data/images" / image
        home.mkdir(parents=True, exist_ok=True)
        (home / "vmlinuz").write_bytes(KERNEL)
        (home / "initrd.img").write_bytes(INITRD)
    path = directory / "pxed.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def booted_from(site: Site, client: str) -> str:
    """The boot file that such a client takes in the end."""
    answer = site.probed("dhcp", *WHO, "--as", client)
    assert answer["ok"], answer
    [offered] = [one["file"] for one in answer["servers"] if one["server"] == PXE_ADDRESS]
    told = re.search(r"file (\S+?),", json.dumps(answer["bootserver"]))
    return str(offered or (told and told[1]))


def both(site: Site, directory: Path, old: str, new: str, clients: tuple[str, ...]) -> list[tuple[str, str]]:
    """What dnsmasq with `old` and pxed with `new` have each client boot."""
    own = "\n".join(line for line in old.splitlines() if not line.startswith(("port=", "interface=", "bind-")))
    with dnsmasq(site.network.pxe, directory, "old", own):
        before = [booted_from(site, client) for client in clients]
    with daemon.serving(site.network, served(new, directory), directory):
        after = [booted_from(site, client) for client in clients]
    return list(zip(before, after, strict=True))


@pytest.mark.net
def test_the_inventory_boots_what_the_proxy_did(tmp_path: Path) -> None:
    with network(tmp_path) as site:
        seen = both(site, tmp_path, PROXY, INVENTORIES[0], ("bios", "uefi", "ipxe"))
    assert seen == [(name, name) for name in ("undionly.kpxe", "snponly.efi", f"http://{PXE_ADDRESS}:8080/boot.ipxe")]


@pytest.mark.net
@pytest.mark.parametrize("client", ["bios", "uefi"])
def test_beside_dnsmasq_on_one_host_a_machine_boots_to_the_end(tmp_path: Path, client: str) -> None:
    """The whole boot: dnsmasq's addresses and loader names, pxed's TFTP, script, kernel and initrd."""
    own = "\n".join(line for line in SAME_HOST.splitlines() if not line.startswith(("port=", "interface=", "bind-")))
    with (
        network(tmp_path, dhcp=False) as site,
        dnsmasq(site.network.pxe, tmp_path, "beside", f"no-ping\ndhcp-leasefile={tmp_path}/leases\n{own}"),
        daemon.serving(site.network, served(INVENTORIES[1], tmp_path), tmp_path),
    ):
        done = site.probe("boot", *WHO, "--as", client)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "vmlinuz" in done.stdout


def words(text: str) -> list[str]:
    return re.findall(r"\S+", text)


def test_the_command_line_has_the_words_of_the_script(tmp_path: Path) -> None:
    [script] = [text for kind, text in BLOCKS if kind == "ipxe"]
    [arguments] = re.findall(r"^kernel \S+ (.*)$", script, re.MULTILINE)
    path = served(INVENTORIES[2], tmp_path)
    command = [str(PXED), "render", "node2", "cmdline", "-c", str(path), "--address", PXE_ADDRESS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [word for word in words(done.stdout) if not word.startswith("BOOTIF=")] == words(arguments)


def test_machines_and_tags_are_the_same() -> None:
    old = dict(re.findall(r"^dhcp-host=([0-9a-f:]+),set:(\w+)$", SCRIPTS, re.MULTILINE))
    new: dict[str, Any] = yaml.load(INVENTORIES[2], yaml.BaseLoader)["machines"]
    assert {machine["mac"]: machine["profile"] for machine in new.values()} == old
    assert MAC in old
