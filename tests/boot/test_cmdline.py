"""The kernel command line: what the guest shall see, and what it cannot be given."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from pxed.boot.cmdline import CommandLineError, check_length, checked, faults, kernel_command_line
from pxed.boot.endpoint import Endpoint
from pxed.boot.images import Role, boot_files, find_file
from pxed.boot.lint import command_line_problems
from pxed.inventory.loader import loads
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Image, Inventory, Profile

ENDPOINT = Endpoint("10.0.0.1", 8080)
IMAGE = Image(kernel="rescue/vmlinuz", initrd=("rescue/initrd.img",))
MAC = "52:54:00:00:00:01"
HOME = Path(__file__).parent.parent / "data" / "ignition"


def inventory(text: str) -> Inventory:
    return loads(text, HOME / "pxed.yaml")


def match(**fields: Any) -> Match:
    profile = Profile(**fields)
    machine = inventory(
        "profiles: {p: {boot: local}}\nmachines: {node1: {mac: 52:54:00:00:00:01, profile: p}}"
    ).machines["node1"]
    return Match("node1", machine, "p", profile, {}, "listed")


def line(image: Image = IMAGE, identity: Identity | None = None, **fields: Any) -> str:
    return kernel_command_line(match(**fields), ENDPOINT, image, identity)


IGNITION = "ignition.config.url=http://10.0.0.1:8080/ignition/node1"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "initrd=initrd.img", id="a plain kernel gets its initrd and nothing of Flatcar's"),
        pytest.param(
            {"ignition": "a.ign"},
            f"initrd=initrd.img flatcar.first_boot=1 {IGNITION}",
            id="an Ignition config is fetched from pxed at every boot from memory",
        ),
        pytest.param(
            {"ignition_url": "https://conf/x?a=1&b=2"},
            "initrd=initrd.img flatcar.first_boot=1 ignition.config.url=https://conf/x?a=1&b=2",
            id="a config elsewhere is given as it is",
        ),
        pytest.param(
            {"ignition": "a.ign", "first_boot": False},
            f"initrd=initrd.img {IGNITION}",
            id="first_boot: false is obeyed",
        ),
        pytest.param({"first_boot": True}, "initrd=initrd.img flatcar.first_boot=1", id="first_boot: true is obeyed"),
        pytest.param(
            {"rootfstype": "btrfs", "root": "LABEL=ROOT"},
            "initrd=initrd.img rootfstype=btrfs root=LABEL=ROOT",
            id="root and its file system",
        ),
        pytest.param(
            {"ip": ("eth0:dhcp", "eth1:dhcp"), "console": ("tty0", "ttyS0,115200n8")},
            "initrd=initrd.img ip=eth0:dhcp ip=eth1:dhcp console=tty0 console=ttyS0,115200n8",
            id="networks and consoles in their order",
        ),
        pytest.param({"autologin": True}, "initrd=initrd.img flatcar.autologin", id="autologin everywhere"),
        pytest.param(
            {"autologin": ("ttyS0", "tty1")},
            "initrd=initrd.img flatcar.autologin=ttyS0 flatcar.autologin=tty1",
            id="autologin on some terminals",
        ),
        pytest.param(
            {"ssh_keys": ("ssh-ed25519 AAAA me@host",)},
            'initrd=initrd.img sshkey="ssh-ed25519 AAAA me@host"',
            id="keys in the quotes that Flatcar looks for",
        ),
        pytest.param(
            {"console": ("tty0",), "args": ("console=ttyS1", "quiet")},
            "initrd=initrd.img console=tty0 console=ttyS1 quiet",
            id="the operator's arguments come last and so win",
        ),
    ],
)
def test_a_profile_becomes_words_in_their_order(fields: dict[str, Any], expected: str) -> None:
    assert line(**fields) == expected


def test_each_initrd_is_named_for_uefi() -> None:
    image = Image(kernel="k", initrd=("a/main.img", "b/main.img", "http://m/x/oem.cpio.gz?v=1"))
    assert line(image) == "initrd=main.img initrd=main.img-2 initrd=oem.cpio.gz"


def test_the_nic_that_booted_is_named() -> None:
    assert line(identity=Identity(mac=MAC)).endswith(" BOOTIF=01-52-54-00-00-00-01")


def test_a_persistent_root_has_one_first_boot() -> None:
    found = match(ignition="a.ign", root="LABEL=ROOT")
    first = kernel_command_line(found, ENDPOINT, IMAGE)
    later = kernel_command_line(found, ENDPOINT, IMAGE, first_boot_done=True)
    assert "flatcar.first_boot=1" in first.split()
    assert "flatcar.first_boot=1" not in later.split()


def test_a_root_in_memory_has_its_first_boot_every_time() -> None:
    later = kernel_command_line(match(ignition="a.ign"), ENDPOINT, IMAGE, first_boot_done=True)
    assert "flatcar.first_boot=1" in later.split()


def test_a_token_becomes_part_of_the_config_url() -> None:
    words = kernel_command_line(match(ignition="a.ign"), ENDPOINT, IMAGE, token="s3cret").split()
    assert "ignition.config.url=http://10.0.0.1:8080/ignition/node1?token=s3cret" in words


def test_a_machine_that_a_group_chose_says_again_what_chose_it() -> None:
    lab = inventory("""
images: {r: {kernel: k}}
profiles: {p: {image: r, ignition: a.ign}}
groups: [{match: {arch: "arm64-*"}, profile: p}]
""")
    uuid = UUID("4c4c4544-0051-3510-8053-b4c04f564433")
    identity = Identity(MAC, uuid.bytes, "S 1&x", "arm64-efi")
    found = resolve(lab, identity)
    assert isinstance(found, Match)
    words = kernel_command_line(found, ENDPOINT, IMAGE, identity).split(" ")
    query = f"arch=arm64-efi&uuid={uuid}&serial=S+1%26x"
    assert f"ignition.config.url=http://10.0.0.1:8080/ignition/{MAC}?{query}" in words


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("key=\u00e9", "ASCII"),
        ("a\nb", "ASCII"),
        ("a\tb", "ASCII"),
        ("x=${net0/mac}", "iPXE"),
        ("x=${}", "iPXE"),
    ],
)
def test_what_cannot_reach_the_kernel_is_told(text: str, part: str) -> None:
    assert any(part in sentence for sentence in faults(text))
    with pytest.raises(CommandLineError):
        checked(text)


@pytest.mark.parametrize("text", ["a$b", "${", "}", "$ {x}", "a b", 'q="${ }"', ""])
def test_what_only_looks_dangerous_passes(text: str) -> None:
    assert checked(text) == text


def test_the_kernel_takes_2047_bytes_with_its_own_name_under_uefi() -> None:
    assert check_length("x" * 2047) is None
    assert check_length("x" * 2048)
    assert check_length("x" * 2039, "vmlinuz") is None
    assert check_length("x" * 2040, "vmlinuz")


def test_ipxe_takes_254_words() -> None:
    assert check_length(" ".join("x" * 254)) is None
    assert "254" in str(check_length(" ".join("x" * 255)))


LAB = """
images: {r: {kernel: r/vmlinuz}}
profiles:
  p: {image: r, ignition: a.ign, args: [ARGUMENT]}
  disk: {boot: local, args: [ARGUMENT]}
machines:
  node1: {mac: 52:54:00:00:00:01, profile: p}
  node2: {mac: 52:54:00:00:00:02, profile: p, args: [OWN]}
"""


def problems(argument: str = "quiet", own: str = "quiet") -> list[tuple[str, str]]:
    text = LAB.replace("ARGUMENT", argument).replace("OWN", own)
    return [(problem.key, problem.message) for problem in command_line_problems(inventory(text))]


def test_command_lines_that_fit_are_no_problem() -> None:
    assert problems() == []


def test_an_over_long_command_line_is_a_problem_of_its_profile_once() -> None:
    ((key, message),) = problems("x" * 2000)
    assert key == "profiles.p"
    assert "2047" in message


def test_an_override_is_a_problem_of_its_machine() -> None:
    ((key, _),) = problems(own="x" * 2000)
    assert key == "machines.node2"


def test_the_longest_name_and_address_count() -> None:
    shortest = next(n for n in range(1500, 2000) if problems("x" * n))
    longer = LAB.replace("node1", "n" * 100).replace("ARGUMENT", "x" * (shortest - 50)).replace("OWN", "quiet")
    assert command_line_problems(inventory(longer)), "a machine with a long name has a longer line"


def test_an_expansion_is_a_problem() -> None:
    ((key, message),) = problems("'mac=${net0/mac}'")
    assert key == "profiles.p"
    assert "iPXE" in message


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/vmlinuz", "vmlinuz"),
        ("a/my kernel", "my_kernel"),
        ("-x", "x"),
        ("http://m/", "file"),
        ("http://m/k?x=/y", "k"),
        ("a/${x}", "__x_"),
    ],
)
def test_a_file_is_named_by_one_plain_word(source: str, name: str) -> None:
    assert boot_files(Image.model_construct(kernel=source, initrd=()))[0].name == name


def test_files_are_found_by_their_name_and_by_their_name_on_disk() -> None:
    image = Image.model_construct(kernel="a/k", initrd=("a/my image", "b/k"))
    found = [find_file(image, name) for name in ("k", "my_image", "my image", "k-2", "none")]
    assert [file.source if file else None for file in found] == ["a/k", "a/my image", "a/my image", "b/k", None]
    assert [file.role for file in boot_files(image)] == [Role.KERNEL, Role.INITRD, Role.INITRD]
