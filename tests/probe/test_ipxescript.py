"""The interpreter of iPXE scripts: what iPXE would do with them, and what it is not asked to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pxed.probe.ipxescript import MOST_COMMANDS, Call, Ended, Ipxe, ScriptError

SCRIPTS = Path(__file__).parent.parent / "data" / "scripts"
SETTINGS = {
    "mac": "52:54:00:00:00:01",
    "uuid": "00112233-4455-6677-8899-aabbccddeeff",
    "serial": "SN 1/2",
    "ip": "10.0.0.9",
    "platform": "efi",
    "buildarch": "x86_64",
}


@dataclass
class Host:
    """Does what it is told, and remembers it."""

    scripts: dict[str, str] = field(default_factory=dict)
    fails: set[str] = field(default_factory=set)
    did: list[str] = field(default_factory=list)
    loaded: bool = False

    def fetch(self, call: Call) -> str | None:
        self.did.append(f"chain {call.words[0]}")
        return self.scripts.get(call.words[0].partition("?")[0])

    def image(self, call: Call, kernel: bool) -> bool:
        self.did.append(f"{call.name} {call.words[0]}")
        self.loaded |= kernel
        return call.words[0] not in self.fails

    def boot(self, cmdline: str) -> bool:
        if not self.loaded:
            return False
        raise Ended("boot", cmdline)

    def dhcp(self) -> bool:
        self.did.append("dhcp")
        return True

    def sleep(self, seconds: int) -> bool:
        self.did.append(f"sleep {seconds}")
        return True

    def say(self, text: str) -> None:
        self.did.append(f"say {text}")


def run(*lines: str, **how: object) -> tuple[str, list[str]]:
    """How the script ended, and what it did."""
    host = Host(**how)  # type: ignore[arg-type]
    ipxe = Ipxe(host, dict(SETTINGS))
    try:
        ended = f"ran {ipxe.run(chr(10).join(('#!ipxe', *lines, '')))}"
    except Ended as end:
        ended = f"{end.way}: {end.text}"
    return ended, host.did


LINES = {
    "a line that fails ends the script": (["isset ${nothing}", "echo not here"], ("ran False", [])),
    "|| saves it": (["isset ${nothing} || echo saved", "echo on"], ("ran True", ["say saved", "say on"])),
    "|| with nothing behind it saves it too": (["isset ${nothing} ||", "echo on"], ("ran True", ["say on"])),
    "&& goes on after success only": (["iseq a a && echo yes", "iseq a b && echo no ||"], ("ran True", ["say yes"])),
    "; goes on anyway": (["isset ${nothing} ; echo on"], ("ran True", ["say on"])),
    "quotes mean nothing": (['echo "a  b"'], ("ran True", ['say "a b"'])),
    "a comment ends the line": (["echo a #b", "# echo c"], ("ran True", ["say a"])),
    "a backslash joins lines": (["echo a \\", "b"], ("ran True", ["say a b"])),
    "settings are replaced again and again": (
        ["set name mac", "set inner ${${name}}", "echo ${inner} ${netX/mac} ${mac:hexhyp} ${mac:hexraw}"],
        ("ran True", ["say 52:54:00:00:00:01 52:54:00:00:00:01 52-54-00-00-00-01 525400000001"]),
    ),
    "uristring": (["echo ${serial:uristring}|${unknown}|"], ("ran True", ["say SN%201%2F2||"])),
    "numbers": (["set n:int32 8", "inc n", "inc n 0x10", "echo ${n}"], ("ran True", ["say 25"])),
    "goto": (["goto there", "echo no", ":there", "echo yes"], ("ran True", ["say yes"])),
    "a loop that ends": (
        ["set n 0", ":again", "inc n", "iseq ${n} 3 || goto again", "echo ${n}"],
        ("ran True", ["say 3"]),
    ),
    "exit": (["exit", "echo no"], ("ran True", [])),
    "exit 1": (["exit 1", "echo no"], ("ran False", [])),
    "clear": (["set a b", "clear a", "isset ${a} && echo no ||"], ("ran True", [])),
    "a boot": (
        ["kernel --name k --timeout 5 http://x/k initrd=i quiet", "initrd http://x/i", "boot"],
        ("boot: initrd=i quiet", ["kernel http://x/k", "initrd http://x/i"]),
    ),
    "arguments of the kernel that look like options": (
        ["kernel http://x/k --name -v", "boot"],
        ("boot: --name -v", ["kernel http://x/k"]),
    ),
    "imgargs": (["kernel http://x/k a", "imgargs k b c", "boot"], ("boot: b c", ["kernel http://x/k"])),
    "nothing to boot": (["boot || echo no"], ("ran True", ["say no"])),
    "a disk": (["sanboot --no-describe --drive 0x80"], ("local: sanboot 0x80", [])),
    "nobody is at the keyboard": (["prompt --timeout 500 Press || echo on"], ("ran True", ["say on"])),
    "it waits for a key": (["prompt Press a key"], ("waits: Press a key", [])),
    "a menu takes its default": (
        ["menu Boot", "item --gap -- x", "item a A", "item b B", "choose --default b --timeout 5 c", "echo ${c}"],
        ("ran True", ["say b"]),
    ),
    "a shell": (["shell"], ("shell: it gives an iPXE shell", [])),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "expected"), LINES.values(), ids=LINES)
def test_a_script(lines: list[str], expected: tuple[str, list[str]]) -> None:
    assert run(*lines) == expected


def test_a_script_calls_another_and_goes_on() -> None:
    scripts = {"http://x/a": "#!ipxe\necho a\nset from a\n", "http://x/b": "#!ipxe\nexit 1\n"}
    ended, did = run("chain http://x/a", "echo ${from}", "chain http://x/b || echo no", scripts=scripts)
    assert (ended, did[1:]) == ("ran True", ["say a", "say a", "chain http://x/b", "say no"])


def test_a_script_that_is_replaced_does_not_go_on() -> None:
    ended, did = run("chain --replace http://x/a", "echo no", scripts={"http://x/a": "#!ipxe\necho a\n"})
    assert (ended, did) == ("ran True", ["chain http://x/a", "say a"])


WRONG = {
    "a command that is not known": (["imgverify a b"], "the command 'imgverify' is not understood here: imgverify a b"),
    "no such label": (["goto nowhere"], "there is no such label"),
    "a loop without end": ([":a", "goto a"], f"{MOST_COMMANDS} commands have run"),
    "a script that calls itself": (["chain http://x/self"], "scripts call one another"),
    "a SAN": (["sanboot iscsi:10.0.0.1::::x"], "SAN targets are not simulated"),
}


@pytest.mark.parametrize(("lines", "why"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_run_is_named(lines: list[str], why: str) -> None:
    with pytest.raises(ScriptError, match=why):
        run(*lines, scripts={"http://x/self": "#!ipxe\nchain http://x/self\n"})


def test_a_setting_that_contains_itself_is_bounded() -> None:
    ipxe = Ipxe(Host(), {"a": "${a}${a}"})
    with pytest.raises(ScriptError, match="refers to itself"):
        ipxe.run("#!ipxe\necho ${a}\n")


@pytest.mark.parametrize("text", ["", "<html>", "#!/bin/sh\n", "#!ipxed\n"])
def test_what_is_no_script(text: str) -> None:
    with pytest.raises(ScriptError, match="no iPXE script"):
        Ipxe(Host()).run(text)


ENDS = {
    "machine": "boot: console=ttyS0 quiet",
    "local": "ran False",
    "ignored": "ran False",
    "flatcar-stable": "boot: initrd=flatcar_production_pxe_image.cpio.gz flatcar.first_boot=1",
}


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.ipxe")))
def test_each_script_of_pxed_runs(name: str) -> None:
    text = (SCRIPTS / f"{name}.ipxe").read_text()
    host = Host(scripts={"http://10.0.0.1:8080/boot.ipxe": "#!ipxe\necho the next script\nexit\n"})
    ipxe = Ipxe(host, dict(SETTINGS))
    try:
        ended = f"ran {ipxe.run(text)}"
    except Ended as end:
        ended = f"{end.way}: {end.text}"
    if name in ENDS:
        assert ended.startswith(ENDS[name])
    elif name.startswith(("flatcar", "mirrored")):
        assert ended.startswith("boot: ")
    else:
        assert host.did[-1] == "say the next script"
        asked = next(did for did in host.did if did.startswith("chain "))
        assert "mac=52:54:00:00:00:01&uuid=00112233-4455-6677-8899-aabbccddeeff&serial=SN%201%2F2" in asked


def test_a_machine_whose_kernel_does_not_come_asks_anew() -> None:
    text = (SCRIPTS / "machine.ipxe").read_text()
    host = Host(
        scripts={"http://10.0.0.1:8080/boot.ipxe": "#!ipxe\nexit\n"},
        fails={"http://10.0.0.1:8080/images/rescue/vmlinuz"},
    )
    assert Ipxe(host, dict(SETTINGS)).run(text)
    assert next(did for did in host.did if did.startswith(("sleep", "chain"))) == "sleep 2"
