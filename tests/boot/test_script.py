"""The iPXE scripts, by what iPXE does with them (tests/boot/ipxe.py), and word for word (tests/data/scripts)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.boot.cmdline import CommandLineError
from pxed.boot.endpoint import Endpoint
from pxed.boot.images import boot_files
from pxed.boot.script import (
    announcing_script,
    entry_script,
    entry_url,
    escape,
    failed_script,
    hold_script,
    ignored_script,
    local_script,
    machine_script,
    waiting_script,
)
from pxed.inventory.model import Image
from tests.boot.ipxe import Ipxe, executed, kernel_text, responses

ENDPOINT = Endpoint("10.0.0.1", 8080)
IMAGE = Image(kernel="rescue/vmlinuz", initrd=("rescue/initrd.img", "rescue/more.img"))
NIC = {"netX/mac": "52:54:00:00:00:01", "netX/ip": "10.0.0.9", "uuid": "u-1", "serial": "S1"}
NIC |= {"buildarch": "x86_64", "platform": "efi"}
GOLDEN = Path(__file__).parent.parent / "data" / "scripts"


def machine(cmdline: str = "console=ttyS0 quiet", image: Image = IMAGE) -> str:
    return machine_script("node1", "worker", "rescue", boot_files(image), endpoint=ENDPOINT, cmdline=cmdline)


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("entry", entry_script(ENDPOINT)),
        ("machine", machine()),
        ("local", local_script("node1")),
        ("hold", hold_script(ENDPOINT)),
        ("hold-again", hold_script(ENDPOINT, 1)),
        ("ignored", ignored_script("not listed, and unknown is ignore")),
        ("failed", failed_script("node1", "the command line is too long", ENDPOINT)),
        ("waiting", waiting_script("node1", "attempt 1 failed: no disk", 30, ENDPOINT, "b00f")),
        ("announcing", announcing_script("node1", ENDPOINT)),
        ("announced", announcing_script("node1", ENDPOINT, announced=True)),
    ],
)
def test_scripts_are_word_for_word_those_kept(name: str, script: str) -> None:
    """PXED_GOLDEN=write renews them."""
    path = GOLDEN / f"{name}.ipxe"
    if os.environ.get("PXED_GOLDEN") == "write":
        path.write_text(script)
    assert script == path.read_text()


def test_the_entry_asks_again_with_what_ipxe_knows_of_its_machine() -> None:
    ipxe = Ipxe(dict(NIC))
    ipxe.run(entry_script(ENDPOINT))
    (chain,) = executed(ipxe, "chain")
    assert chain[-1] == (
        "http://10.0.0.1:8080/boot.ipxe?mac=52:54:00:00:00:01&uuid=u-1&serial=S1&asset=&arch=x86_64&platform=efi"
    )
    assert not executed(ipxe, "dhcp"), "there is an address already"


def test_a_boot_that_asks_again_says_which_it_is() -> None:
    for script in (
        machine_script("n", "p", "rescue", boot_files(IMAGE), endpoint=ENDPOINT, cmdline="", boot="b00f"),
        failed_script("n", "no", ENDPOINT, "b00f"),
        waiting_script("n", "no", 5, ENDPOINT, "b00f"),
    ):
        ipxe = Ipxe(dict(NIC), responses({"kernel": [False]}))
        ipxe.run(script)
        assert executed(ipxe, "chain")[0][-1].endswith("&platform=efi&boot=b00f")


def test_a_boot_that_was_not_seen_shows_itself_on_the_nic_that_it_uses_and_asks_again() -> None:
    ipxe = Ipxe(dict(NIC))
    ipxe.run(announcing_script("node1", ENDPOINT))
    (dhcp,), (chain,) = executed(ipxe, "dhcp"), executed(ipxe, "chain")
    assert dhcp == ["dhcp", "netX"]
    assert chain[-1].endswith("&platform=efi&announced=1")


def test_a_long_reason_is_cut_on_the_screen() -> None:
    script = waiting_script("n", "it failed: " + "x" * 5000 + " no disk", 5, ENDPOINT)
    assert len(script) < 2000
    assert "it failed: x" in script
    assert "x no disk\n" in script


def test_the_entry_gets_an_address_when_there_is_none() -> None:
    ipxe = Ipxe({})
    ipxe.run(entry_script(ENDPOINT))
    assert [words[0] for words in ipxe.log if words[0] in ("dhcp", "chain")] == ["dhcp", "chain"]


def test_the_entry_waits_longer_after_each_failure_and_a_minute_at_most() -> None:
    ipxe = Ipxe(dict(NIC), responses({"chain": [False] * 9}))
    assert ipxe.run(entry_script(ENDPOINT))
    assert [words[1] for words in executed(ipxe, "sleep")] == ["2", "4", "8", "16", "32", "60", "60", "60", "60"]


def test_ctrl_c_in_a_wait_gives_a_shell_and_then_goes_on() -> None:
    ipxe = Ipxe(dict(NIC), responses({"chain": [False], "sleep": [False]}))
    assert ipxe.run(entry_script(ENDPOINT))
    assert len(executed(ipxe, "shell")) == 1
    assert len(executed(ipxe, "chain")) == 2


def test_a_machine_loads_its_kernel_and_initrds_by_name_and_starts() -> None:
    ipxe = Ipxe(dict(NIC))
    assert ipxe.run(machine())
    loads = [words for words in ipxe.log if words[0] in ("imgfree", "kernel", "initrd", "boot")]
    assert [words[0] for words in loads] == ["imgfree", "kernel", "initrd", "initrd", "boot"]
    assert [words[words.index("--name") + 1] for words in loads[1:4]] == ["vmlinuz", "initrd.img", "more.img"]
    assert loads[2][-1] == "http://10.0.0.1:8080/images/rescue/initrd.img"
    assert kernel_text(loads[1]) == "console=ttyS0 quiet"


@pytest.mark.parametrize("broken", ["kernel", "initrd", "boot"])
def test_a_machine_that_cannot_load_waits_and_asks_pxed_anew(broken: str) -> None:
    ipxe = Ipxe(dict(NIC), responses({broken: [False]}))
    assert ipxe.run(machine())
    names = [words[0] for words in ipxe.log]
    assert names.index(broken) < names.index("sleep") < names.index("chain")
    assert executed(ipxe, "chain")[0][-1].startswith("http://10.0.0.1:8080/boot.ipxe?mac=52:54:00:00:00:01&")


def test_the_wait_grows_over_scripts_that_replace_each_other() -> None:
    settings = dict(NIC)
    for expected in ("2", "4", "8"):
        ipxe = Ipxe(settings, responses({"kernel": [False]}))
        ipxe.run(machine())
        assert executed(ipxe, "sleep")[0][1] == expected


def test_scripts_that_chain_replace_themselves_so_that_they_never_nest() -> None:
    for script in (entry_script(ENDPOINT), hold_script(ENDPOINT), machine(), failed_script("n", "r", ENDPOINT)):
        ipxe = Ipxe(dict(NIC), responses({"kernel": [False]}))
        ipxe.run(script)
        assert all({"--replace", "--autofree"} <= set(words) for words in executed(ipxe, "chain"))
        assert executed(ipxe, "chain")


def test_a_local_boot_under_uefi_ends_in_an_error_so_that_the_boot_order_goes_on() -> None:
    ipxe = Ipxe({"platform": "efi"})
    assert not ipxe.run(local_script("node1"))
    assert executed(ipxe, "exit") == [["exit", "1"]]
    assert not executed(ipxe, "sanboot")


def test_a_local_boot_under_bios_boots_the_first_disk() -> None:
    ipxe = Ipxe({"platform": "pcbios"})
    assert ipxe.run(local_script("node1"))
    assert executed(ipxe, "sanboot") == [["sanboot", "--no-describe", "--drive", "0x80"]]


def test_a_bios_without_a_bootable_disk_gets_back_control() -> None:
    ipxe = Ipxe({"platform": "pcbios"}, responses({"sanboot": [False]}))
    assert not ipxe.run(local_script("node1"))
    assert executed(ipxe, "exit") == [["exit", "1"]]


def test_the_waiting_screen_shows_who_the_machine_is_and_asks_again_in_ten_seconds() -> None:
    ipxe = Ipxe(dict(NIC))
    assert ipxe.run(hold_script(ENDPOINT))
    screen = "\n".join(" ".join(words[1:]) for words in executed(ipxe, "echo"))
    for shown in ("52:54:00:00:00:01", "u-1", "S1", "x86_64 efi", "http://10.0.0.1:8080"):
        assert shown in screen
    assert 'NAME: {mac: "52:54:00:00:00:01", profile: PROFILE}' in screen
    assert executed(ipxe, "sleep") == [["sleep", "10"]]
    assert executed(ipxe, "chain")[0][-1].endswith("&held=1")


def test_the_full_waiting_screen_comes_back_once_a_minute() -> None:
    full = [round_ for round_ in range(13) if "profile: PROFILE" in hold_script(ENDPOINT, round_)]
    assert full == [0, 6, 12]


def test_a_machine_that_is_left_alone_goes_on_with_its_next_boot_device() -> None:
    ipxe = Ipxe(dict(NIC))
    assert not ipxe.run(ignored_script("not listed; unknown is ignore"))
    assert "not listed; unknown is ignore" in " ".join(executed(ipxe, "echo")[0])


@pytest.mark.parametrize(
    "text",
    [
        "quiet",
        'sshkey="ssh-ed25519 AAAA root #1"',
        "a ; b || c && d",
        "|| && ; #",
        "  two  blanks   ",
        "ends=in\\",
        "\\",
        "a$b ${ } $",
        "--name=x -n",
        "",
    ],
)
def test_escaped_text_reaches_the_kernel_as_it_is(text: str) -> None:
    ipxe = Ipxe({})
    assert ipxe.run(machine(text))
    assert kernel_text(executed(ipxe, "kernel")[0]) == text
    assert executed(ipxe, "boot")


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60))
def test_any_printable_text_reaches_the_kernel_as_it_is_or_is_refused(text: str) -> None:
    try:
        script = machine(text)
    except CommandLineError:
        assert "${" in text
        return
    ipxe = Ipxe({"x": "EXPANDED"})
    assert ipxe.run(script)
    assert kernel_text(executed(ipxe, "kernel")[0]) == text


@pytest.mark.parametrize("text", ["a\nb", "tab\there", "nul\0", "\x7f", "é", "${net0/mac}", "x${y}z"])
def test_text_that_ipxe_cannot_pass_on_is_refused(text: str) -> None:
    with pytest.raises(CommandLineError):
        escape(text)


@given(st.text(max_size=80))
def test_no_reason_or_name_can_become_a_command(text: str) -> None:
    """Reasons may hold what a peer sent: whatever it is, iPXE does the same and echoes one line."""
    for make in (ignored_script, local_script, lambda t: failed_script(t, t, ENDPOINT)):
        plain, odd = Ipxe(dict(NIC)), Ipxe(dict(NIC))
        plain.run(make("plain"))
        odd.run(make(text))
        assert [words[0] for words in odd.log] == [words[0] for words in plain.log]


def test_urls_of_images_elsewhere_are_given_as_they_are_and_harmless() -> None:
    image = Image(kernel="http://mirror/a%20b/vmlinuz?x=1&y=2", initrd=("https://mirror/initrd.img",))
    ipxe = Ipxe({})
    assert ipxe.run(machine("quiet", image))
    assert executed(ipxe, "kernel")[0][5] == "http://mirror/a%20b/vmlinuz?x=1&y=2"
    assert executed(ipxe, "initrd")[0][-1] == "https://mirror/initrd.img"
    assert "%7Bnet0/mac%7D" in machine("", Image(kernel="http://m/${net0/mac}"))


def test_the_entry_url_names_every_field_that_identifies_a_machine() -> None:
    fields = entry_url(ENDPOINT).partition("?")[2].split("&")
    assert [field.partition("=")[0] for field in fields] == ["mac", "uuid", "serial", "asset", "arch", "platform"]
