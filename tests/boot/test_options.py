"""Every kernel option of a Flatcar machine: an inventory in, the exact command line and script out.

The rows follow what Flatcar's initramfs reads: https://www.flatcar.org/docs/latest/installing/bare-metal/booting-with-ipxe/
and the generators of flatcar/bootengine and flatcar/init.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pxed.boot.endpoint import Endpoint
from pxed.boot.lint import command_line_problems, profile_findings
from pxed.boot.page import Page, Release, page_for
from pxed.inventory.loader import loads
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Inventory
from tests.boot.ipxe import Ipxe, executed, kernel_text

ENDPOINT = Endpoint("10.0.0.1", 8080)
MAC = "52:54:00:00:00:01"
GOLDEN = Path(__file__).parent.parent / "data" / "scripts"
HOME = Path(__file__).parent.parent / "data" / "ignition"
INITRD = "initrd=flatcar_production_pxe_image.cpio.gz"
BOOTIF = "BOOTIF=01-52-54-00-00-00-01"
IGNITION = "ignition.config.url=http://10.0.0.1:8080/ignition/node1"

INVENTORY = """\
images:
  flatcar: {flatcar: {channel: stable}}
profiles:
  p:
    image: flatcar
BODY
machines:
  node1: {mac: 52:54:00:00:00:01, profile: pOWN}
"""


def inventory(lines: list[str], own: str = "") -> Inventory:
    body = "\n".join(f"    {line}" for line in lines)
    return loads(INVENTORY.replace("BODY", body).replace("OWN", f", {own}" if own else ""), HOME / "pxed.yaml")


def page(found: Inventory, version: str = "", *, first_boot_done: bool = False) -> Page:
    identity = Identity(MAC, arch="x86_64-efi")
    match = resolve(found, identity)
    assert isinstance(match, Match)
    release = Release(version) if version else None
    return page_for(found, match, identity, ENDPOINT, release=release, first_boot_done=first_boot_done)


def guest_sees(found: Page) -> str:
    """The command line that iPXE hands over when it runs the script, whatever the script writes it like."""
    assert not found.problem
    ipxe = Ipxe({"netX/mac": MAC, "netX/ip": "10.0.0.9", "platform": "efi"})
    assert ipxe.run(found.script)
    (kernel,) = executed(ipxe, "kernel")
    return kernel_text(kernel)


OPTIONS = [
    pytest.param(["console: []"], f"{INITRD} {BOOTIF}", id="initrd= names the initrd for UEFI, BOOTIF= the interface"),
    pytest.param(
        ["ignition: a.ign"],
        f"{INITRD} flatcar.first_boot=1 {IGNITION} {BOOTIF}",
        id="flatcar.first_boot=1 comes with every config, since a root in memory is always new",
    ),
    pytest.param(
        ["first_boot: true"],
        f"{INITRD} flatcar.first_boot=1 {BOOTIF}",
        id="flatcar.first_boot=1 alone runs Ignition without a config of the operator's",
    ),
    pytest.param(
        ["ignition: a.ign", "first_boot: false"],
        f"{INITRD} {IGNITION} {BOOTIF}",
        id="flatcar.first_boot=1 can be left out",
    ),
    pytest.param(
        ["ignition: a.ign", "ignition_delivery: embedded"],
        f"{INITRD} initrd=oem.cpio.gz flatcar.first_boot=1 {BOOTIF}",
        id="an embedded config is one more initrd, and no URL",
    ),
    pytest.param(
        ["args: [flatcar.first_boot=yes]"],
        f"{INITRD} {BOOTIF} flatcar.first_boot=yes",
        id="flatcar.first_boot=yes in args is as good",
    ),
    *(
        pytest.param(
            [f"ignition_url: '{url}'"],
            f"{INITRD} flatcar.first_boot=1 ignition.config.url={url} {BOOTIF}",
            id=f"ignition.config.url takes {what}",
        )
        for what, url in {
            "an http URL": "http://m.example/config.ign",
            "an https URL with a query, its & as it is": "https://m.example/config?a=1&b=2",
            "an s3 URL": "s3://bucket/config.ign",
            "the name of an S3 object": "arn:aws:s3:::bucket/config.ign",
            "a gs URL": "gs://bucket/config.ign",
            "a tftp URL": "tftp://10.0.0.1/config.ign",
            "a data URL": "data:,%7B%22ignition%22%3A%7B%22version%22%3A%223.3.0%22%7D%7D",
            "an oem URL": "oem:///config.ign",
        }.items()
    ),
    pytest.param(
        ["args: [flatcar.first_boot=1, flatcar.config.url=http://m/a]"],
        f"{INITRD} {BOOTIF} flatcar.first_boot=1 flatcar.config.url=http://m/a",
        id="flatcar.config.url, the older name of it, by args",
    ),
    pytest.param(
        ["args: [coreos.first_boot=1, coreos.config.url=http://m/a]"],
        f"{INITRD} {BOOTIF} coreos.first_boot=1 coreos.config.url=http://m/a",
        id="coreos.config.url, the oldest name of it, by args",
    ),
    pytest.param(
        ["args: [flatcar.oem.id=qemu]"], f"{INITRD} {BOOTIF} flatcar.oem.id=qemu", id="flatcar.oem.id by args"
    ),
    pytest.param(["rootfstype: tmpfs"], f"{INITRD} rootfstype=tmpfs {BOOTIF}", id="rootfstype=tmpfs, the default"),
    pytest.param(
        ["rootfstype: btrfs"], f"{INITRD} rootfstype=btrfs {BOOTIF}", id="rootfstype=btrfs in half the memory"
    ),
    pytest.param(
        ["args: [rootflags=size=80%]"], f"{INITRD} {BOOTIF} rootflags=size=80%", id="rootflags= of the root in memory"
    ),
    *(
        pytest.param(
            [f"root: {root}", "ignition: a.ign"],
            f"{INITRD} flatcar.first_boot=1 {IGNITION} root={root} {BOOTIF}",
            id=f"root= by {what}",
        )
        for what, root in {
            "device": "/dev/sda1",
            "a name that stays the same": "/dev/disk/by-id/ata-X-part1",
            "label": "LABEL=ROOT",
            "UUID": "UUID=2c618316-d17a-4688-b43b-aa19d97ea821",
            "partition UUID": "PARTUUID=7130c94a-213a-4e5a-8e26-6cce9662f132",
        }.items()
    ),
    pytest.param(
        ["root: LABEL=ROOT", "args: [rootfstype=ext4]"],
        f"{INITRD} root=LABEL=ROOT {BOOTIF} rootfstype=ext4",
        id="rootfstype= of a local root by args",
    ),
    pytest.param(
        ["rootfstype: btrfs", "root: LABEL=ROOT"],
        f"{INITRD} rootfstype=btrfs root=LABEL=ROOT {BOOTIF}",
        id="rootfstype: btrfs goes with a local root as well",
    ),
    pytest.param(
        ["ssh_keys: [ssh-ed25519 AAAAC3Nza me@host]"],
        f'{INITRD} sshkey="ssh-ed25519 AAAAC3Nza me@host" {BOOTIF}',
        id="sshkey= in the double quotes that Flatcar searches for",
    ),
    pytest.param(
        ["ssh_keys: [ssh-ed25519 AAAA a, ssh-rsa BBBB b]"],
        f'{INITRD} sshkey="ssh-ed25519 AAAA a" sshkey="ssh-rsa BBBB b" {BOOTIF}',
        id="sshkey= once for each key, the first first",
    ),
    pytest.param(
        ["args: ['sshkey=\"ssh-rsa AAAA  two blanks\"']"],
        f'{INITRD} {BOOTIF} sshkey="ssh-rsa AAAA  two blanks"',
        id="sshkey= by args keeps its quotes and each blank",
    ),
    pytest.param(
        ['console: [tty0, "ttyS0,115200n8"]'],
        f"{INITRD} console=tty0 console=ttyS0,115200n8 {BOOTIF}",
        id="console= as often as wanted, the last one is /dev/console",
    ),
    pytest.param(["console: [ttyS0, 115200n8]"], f"{INITRD} console=ttyS0,115200n8 {BOOTIF}", id="console= unquoted"),
    pytest.param(["autologin: true"], f"{INITRD} flatcar.autologin {BOOTIF}", id="flatcar.autologin on every console"),
    pytest.param(["autologin: false"], f"{INITRD} {BOOTIF}", id="no flatcar.autologin"),
    pytest.param(
        ["console: [tty0, ttyS0]", "autologin: [tty1, ttyS0]"],
        f"{INITRD} console=tty0 console=ttyS0 flatcar.autologin=tty1 flatcar.autologin=ttyS0 {BOOTIF}",
        id="flatcar.autologin on a screen and on a serial line, as in Flatcar's own example",
    ),
    pytest.param(
        ["args: [coreos.autologin=ttyS0]"], f"{INITRD} {BOOTIF} coreos.autologin=ttyS0", id="coreos.autologin by args"
    ),
    *(
        pytest.param([f"ip: ['{ip}']"], f"{INITRD} ip={ip} {BOOTIF}", id=f"ip= with {what}")
        for what, ip in {
            "DHCP": "dhcp",
            "DHCP for IPv6": "dhcp6",
            "DHCP on one interface": "eth0:dhcp",
            "on, which is DHCP": "eth0:on",
            "any, which is DHCP": "any",
            "an address, a gateway and a netmask": "10.0.0.9::10.0.0.1:255.255.255.0:node1:eth0:none",
            "a peer and off": "10.0.0.9:10.0.0.2:10.0.0.1:24:node1:eth0:off",
            "one name server": "10.0.0.9::10.0.0.1:24:node1:eth0:none:1.1.1.1",
            "two name servers": "10.0.0.9::10.0.0.1:24:node1:eth0:none:1.1.1.1:8.8.8.8",
            "neither host name nor interface": "10.0.0.9::10.0.0.1:24:::none",
            "an IPv6 address": "[2001:db8::9]::[2001:db8::1]:64:node1:eth0:none",
            "a host name for DHCP": "::::node1:eth0:dhcp",
        }.items()
    ),
    pytest.param(
        ["ip: ['eth0:dhcp', '10.1.0.9:::24::eth1:none']"],
        f"{INITRD} ip=eth0:dhcp ip=10.1.0.9:::24::eth1:none {BOOTIF}",
        id="ip= once for each interface",
    ),
    pytest.param(
        ["args: [ip=10.0.0.9, netmask=255.255.255.0, gateway=10.0.0.1, ksdevice=eth0]"],
        f"{INITRD} {BOOTIF} ip=10.0.0.9 netmask=255.255.255.0 gateway=10.0.0.1 ksdevice=eth0",
        id="ip=, netmask=, gateway= and ksdevice= of old",
    ),
    pytest.param(
        ["args: [BOOTIF=01-52-54-00-00-00-02]"],
        f"{INITRD} {BOOTIF} BOOTIF=01-52-54-00-00-00-02",
        id="BOOTIF= by args wins over the interface that booted",
    ),
    *(
        pytest.param([f"args: ['{word}']"], f"{INITRD} {BOOTIF} {word}", id=f"{word} by args")
        for word in (
            "nameserver=10.0.0.1",
            "netroot=iscsi:10.0.0.1::::iqn.2026-01.example:root",
            "rd.neednet=1",
            "rd.networkd=1",
            "systemd.machine_id=0123456789abcdef0123456789abcdef",
            "systemd.hostname=node1",
            "net.ifnames=0",
            "mitigations=auto,nosmt",
            "fips=1",
            "systemd.unified_cgroup_hierarchy=0",
            "systemd.journald.forward_to_console=1",
            "systemd.journald.max_level_console=debug",
            "rd.shell",
            "rd.break=pre-mount",
            "systemd.log_level=debug",
            "cloud-config-url=http://m.example/user-data",
            "ignition.platform.id=metal",
            'dyndbg="file drivers/usb/* +p"',
        )
    ),
    pytest.param(
        ["console: tty0", "ip: dhcp", "args: [console=ttyS1, 'ip=eth1:dhcp', console=ttyS2]"],
        f"{INITRD} ip=dhcp console=tty0 {BOOTIF} console=ttyS1 ip=eth1:dhcp console=ttyS2",
        id="args stand last and in their order, so they win",
    ),
    pytest.param(
        [
            "ignition: a.ign",
            "rootfstype: btrfs",
            "root: LABEL=ROOT",
            "ip: ['eth0:dhcp']",
            'console: [tty0, "ttyS0,115200n8"]',
            "autologin: [ttyS0]",
            "ssh_keys: [ssh-ed25519 AAAA]",
            "args: [quiet]",
        ],
        f"{INITRD} flatcar.first_boot=1 {IGNITION} rootfstype=btrfs root=LABEL=ROOT ip=eth0:dhcp console=tty0 "
        f'console=ttyS0,115200n8 flatcar.autologin=ttyS0 sshkey="ssh-ed25519 AAAA" {BOOTIF} quiet',
        id="everything at once, in one order",
    ),
]


@pytest.mark.parametrize(("lines", "line"), OPTIONS)
def test_an_inventory_becomes_this_command_line(lines: list[str], line: str) -> None:
    found = page(inventory(lines))
    assert found.cmdline == line
    assert guest_sees(found) == line


@pytest.mark.parametrize(("lines", "line"), OPTIONS)
def test_none_of_these_options_is_an_error(lines: list[str], line: str) -> None:
    found = inventory(lines)
    assert command_line_problems(found) == []
    assert [problem for problem in profile_findings(found) if not problem.warning] == []


@pytest.mark.parametrize(
    ("own", "line"),
    [
        pytest.param("args: [debug]", f"{INITRD} console=tty0 {BOOTIF} debug", id="its args replace those"),
        pytest.param("console: [ttyS1]", f"{INITRD} console=ttyS1 {BOOTIF} quiet", id="its consoles replace those"),
        pytest.param("autologin: true", f"{INITRD} console=tty0 flatcar.autologin {BOOTIF} quiet", id="the rest stays"),
    ],
)
def test_a_machine_overrides_options_of_its_profile(own: str, line: str) -> None:
    assert page(inventory(["console: tty0", "args: quiet"], own)).cmdline == line


def test_a_local_root_gets_its_first_boot_once() -> None:
    found = inventory(["root: LABEL=ROOT", "ignition: a.ign"])
    assert page(found).cmdline == f"{INITRD} flatcar.first_boot=1 {IGNITION} root=LABEL=ROOT {BOOTIF}"
    assert page(found, first_boot_done=True).cmdline == f"{INITRD} {IGNITION} root=LABEL=ROOT {BOOTIF}"


def words_of_all() -> set[str]:
    """Names of all words of the table."""
    lines = " ".join(case.values[1] for case in OPTIONS)  # type: ignore[attr-defined]
    return {word.partition("=")[0] for word in re.sub(r'"[^"]*"', "", lines).split()}


def test_each_option_of_flatcar_has_a_row() -> None:
    """The words of flatcar-generators and of the page above; a word that is added there belongs here."""
    assert words_of_all() >= {
        "initrd", "flatcar.first_boot", "ignition.config.url", "flatcar.config.url", "coreos.config.url",
        "flatcar.oem.id", "ignition.platform.id", "rootfstype", "rootflags", "root", "sshkey", "console",
        "flatcar.autologin", "ip", "netmask", "gateway", "ksdevice", "nameserver", "BOOTIF", "netroot", "rd.neednet",
        "rd.networkd", "systemd.machine_id", "systemd.hostname", "net.ifnames", "mitigations", "fips",
        "systemd.unified_cgroup_hierarchy", "systemd.journald.forward_to_console",
        "systemd.journald.max_level_console", "rd.shell", "rd.break", "systemd.log_level", "cloud-config-url",
    }  # fmt: skip


def test_each_option_is_on_the_page_of_kernel_options() -> None:
    paper = (Path(__file__).parents[2] / "docs" / "reference" / "kernel-options.md").read_text()
    assert sorted(word for word in words_of_all() if f"`{word}" not in paper) == ["dyndbg", "quiet"]


# The example of Flatcar's iPXE page for each channel, with the versions that were current when it was written.
WORDS = f"{INITRD} flatcar.first_boot=1 ignition.config.url=https://example.com/pxe-config.ign"
BASE = "http://CHANNEL.release.flatcar-linux.net/amd64-usr/current"
KERNEL = "flatcar_production_pxe.vmlinuz"
CPIO = "flatcar_production_pxe_image.cpio.gz"

FROM_THE_RELEASE_SERVER = f"""\
images:
  flatcar:
    kernel: {BASE}/{KERNEL}
    initrd: {BASE}/{CPIO}
profiles:
  worker: {{image: flatcar, ignition_url: https://example.com/pxe-config.ign}}
machines:
  node1: {{mac: 52:54:00:00:00:01, profile: worker}}
"""
MIRRORED = """\
images:
  flatcar: {flatcar: {channel: CHANNEL}}
profiles:
  worker: {image: flatcar, ignition_url: https://example.com/pxe-config.ign}
machines:
  node1: {mac: 52:54:00:00:00:01, profile: worker}
"""


CHANNELS = {"alpha": "4152.0.0", "beta": "4116.1.0", "stable": "4081.2.0"}
TIMEOUT = ["--timeout", "60000"]


@pytest.mark.parametrize(
    ("kind", "text", "channel", "version", "place", "query"),
    [
        *(
            pytest.param(
                "flatcar", FROM_THE_RELEASE_SERVER, channel, "", BASE.replace("CHANNEL", channel), "",
                id=f"{channel} from the release server",
            )
            for channel in CHANNELS
        ),
        *(
            pytest.param(
                "mirrored", MIRRORED, channel, version, "http://10.0.0.1:8080/images/flatcar", f"?version={version}",
                id=f"{channel} from the mirror",
            )
            for channel, version in CHANNELS.items()
        ),
    ],
)  # fmt: skip
def test_the_script_of_each_channel_boots_what_flatcars_own_example_boots(
    kind: str, text: str, channel: str, version: str, place: str, query: str
) -> None:
    """PXED_GOLDEN=write renews the scripts that are kept."""
    found = page(loads(text.replace("CHANNEL", channel), HOME / "pxed.yaml"), version)
    kept = GOLDEN / f"{kind}-{channel}.ipxe"
    if os.environ.get("PXED_GOLDEN") == "write":
        kept.write_text(found.script)
    assert found.script == kept.read_text()
    ipxe = Ipxe({"netX/mac": MAC, "netX/ip": "10.0.0.9", "platform": "efi"})
    assert ipxe.run(found.script)
    (kernel,), (initrd,) = executed(ipxe, "kernel"), executed(ipxe, "initrd")
    assert kernel == ["kernel", "--name", KERNEL, *TIMEOUT, f"{place}/{KERNEL}{query}", *WORDS.split(), BOOTIF]
    assert initrd == ["initrd", "--name", CPIO, *TIMEOUT, f"{place}/{CPIO}{query}"]
    assert executed(ipxe, "boot")
