"""iPXE scripts, run as iPXE runs them, without I/O: what a command does outside is asked of a host.

How a line is read: src/core/exec.c, src/image/script.c, src/core/settings.c. A line is cut at white space, quotes mean
nothing; a word that begins with "#" ends it; "||", "&&" and ";" end a command; a backslash at the end joins the next
line; then ${name} is replaced in each word, over and over, an unknown name by nothing. A line that fails ends the
script. Commands and their options: https://ipxe.org/cmd. Bounded: commands run, and scripts within scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from pxed.errors import PxedError

MOST_COMMANDS = 2000
MOST_NESTED = 16
MOST_BYTES = 1 << 20
MOST_EXPANSIONS = 1000
_SPACE = " \t\n\v\f\r"


class ScriptError(PxedError):
    """A script that cannot be run here: no script, a command that is not known, a bound that is passed."""


class Ended(Exception):  # noqa: N818 -- no error: the boot goes on without iPXE, or waits
    """Nothing of the script comes after this. `way`: boot | local | exit | shell | waits | off."""

    def __init__(self, way: str, text: str) -> None:
        super().__init__(text)
        self.way = way
        self.text = text


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its options: `--name x` and `-n x`; `words` are what is not an option."""

    name: str
    options: Mapping[str, str]
    words: tuple[str, ...]


class Host(Protocol):
    """What a script has to do with."""

    def fetch(self, call: Call) -> str | None:
        """`chain`: the text of a script, None when it cannot be had. Raises Ended for a program that is no script."""

    def image(self, call: Call, kernel: bool) -> bool:
        """Load `kernel` or another image."""

    def boot(self, cmdline: str) -> bool:
        """Start what is loaded: raises Ended, or False when nothing is."""

    def dhcp(self) -> bool:
        """Ask for an address and settings again."""

    def sleep(self, seconds: int) -> bool:
        """Wait; may raise Ended("waits")."""

    def say(self, text: str) -> None:
        """A line of the screen."""


@dataclass(slots=True)
class Ipxe:
    """One iPXE: its settings last from script to script. `kernel`: the arguments of the kernel image."""

    host: Host
    settings: dict[str, str] = field(default_factory=dict)
    cmdline: str = ""
    commands: int = 0
    nested: int = 0
    left: bool = False  # the outermost script said `exit`
    menu: list[tuple[str, str]] = field(default_factory=list)

    def run(self, text: str) -> bool:
        """Whether the script ended well. Raises Ended when the boot leaves it, ScriptError where this cannot go on."""
        if len(text) > MOST_BYTES:
            raise ScriptError(f"the script has {len(text)} characters, more than {MOST_BYTES}")
        if not re.match(r"#!(i|g)pxe\s", text + "\n"):
            raise ScriptError(f'this is no iPXE script: it begins with {text[:20]!r}, not with "#!ipxe"')
        self.nested += 1
        if self.nested > MOST_NESTED:
            raise ScriptError(f"{MOST_NESTED} scripts call one another")
        try:
            return _Script(self, _joined(text)).run()
        finally:
            self.nested -= 1

    def expand(self, word: str) -> str:
        """${...} again and again, the innermost first, an unknown name by nothing."""
        for _ in range(MOST_EXPANSIONS):
            found = re.search(r"\$\{([^${}]*)\}", word)
            if found is None:
                return word
            word = word[: found.start()] + self._setting(found[1]) + word[found.end() :]
        raise ScriptError(f"a setting that refers to itself: {word[:60]!r}")

    def _setting(self, name: str) -> str:
        name, _, kind = name.partition(":")
        value = self.settings.get(name)
        if value is None and "/" in name:
            value = self.settings.get(name.rpartition("/")[2])
        return _formatted(value or "", kind)


class _Exit(Exception):  # noqa: N818
    """`exit`: the script ends here."""


@dataclass(slots=True)
class _Script:
    ipxe: Ipxe
    lines: list[str]
    at: int = 0
    replaced: bool = False

    def run(self) -> bool:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            try:
                if not self._line(line):
                    return False
            except _Exit as leave:
                return bool(leave.args[0] == 0)
        return True

    def _line(self, line: str) -> bool:
        line = line.lstrip(_SPACE)
        if line.startswith(":"):
            line = line.partition(" ")[2]
        return self._sequence([word for word in re.split(f"[{_SPACE}]+", line) if word])

    def _sequence(self, words: list[str]) -> bool:
        ok, process = True, True
        while True:
            command, terminator, words = _first_command(words)
            if process:
                ok = self._execute([self.ipxe.expand(word) for word in command])
                if ok and command and command[0] == "goto":
                    return True
            if terminator is None:
                return ok
            process = {"||": not ok, "&&": ok, ";": True}[terminator]

    def _execute(self, words: list[str]) -> bool:
        if not words:
            return True
        self.ipxe.commands += 1
        if self.ipxe.commands > MOST_COMMANDS:
            raise ScriptError(f"the script does not end: {MOST_COMMANDS} commands have run, the last one {words[0]}")
        command = _COMMANDS.get(words[0])
        if command is None:
            raise ScriptError(f"the command {words[0]!r} is not understood here: {' '.join(words)[:100]}")
        return command(self, _call(words))

    # Commands that end or turn the script

    def goto(self, call: Call) -> bool:
        for number, line in enumerate(self.lines):
            label = line.strip(_SPACE)
            if label.startswith(":") and label[1:].split(" ")[0] == (call.words or ("",))[0]:
                self.at = number
                return True
        raise ScriptError(f"goto {' '.join(call.words)}: there is no such label")

    def leave(self, call: Call) -> bool:
        self.ipxe.left = self.ipxe.nested == 1
        raise _Exit(_number(call.words[0]) if call.words else 0)

    def chain(self, call: Call) -> bool:
        text = self.ipxe.host.fetch(call)
        if text is None:
            return False
        if "replace" in call.options or "r" in call.options:
            self.ipxe.nested -= 1
            try:
                ok = self.ipxe.run(text)
            finally:
                self.ipxe.nested += 1
            raise _Exit(0 if ok else 1)
        return self.ipxe.run(text)

    # Settings

    def set(self, call: Call) -> bool:
        if not call.words:
            return False
        name = call.words[0].partition(":")[0]
        self.ipxe.settings[name] = " ".join(call.words[1:])
        return True

    def clear(self, call: Call) -> bool:
        for name in call.words:
            self.ipxe.settings.pop(name.partition(":")[0], None)
        return True

    def inc(self, call: Call) -> bool:
        name = call.words[0].partition(":")[0]
        by = _number(call.words[1]) if len(call.words) > 1 else 1
        self.ipxe.settings[name] = str(_number(self.ipxe.settings.get(name, "0") or "0") + by)
        return True

    # Images

    def kernel(self, call: Call) -> bool:
        self.ipxe.cmdline = " ".join(call.words[1:])
        return self.ipxe.host.image(call, True)

    def initrd(self, call: Call) -> bool:
        return self.ipxe.host.image(call, False)

    def imgargs(self, call: Call) -> bool:
        self.ipxe.cmdline = " ".join(call.words[1:])
        return True

    def boot(self, call: Call) -> bool:
        if len(call.words) > 1:
            self.ipxe.cmdline = " ".join(call.words[1:])
        if call.words and "://" in call.words[0] and not self.ipxe.host.image(call, True):
            return False
        return self.ipxe.host.boot(self.ipxe.cmdline)

    # Questions to somebody at the keyboard, who is not there

    def prompt(self, call: Call) -> bool:
        if "timeout" in call.options or "t" in call.options:
            return False
        raise Ended("waits", " ".join(call.words) or "it waits for a key")

    def choose(self, call: Call) -> bool:
        offered = [name for name, _ in self.ipxe.menu if name]
        default = call.options.get("default", call.options.get("d", ""))
        if "timeout" not in call.options and "t" not in call.options:
            raise Ended("waits", "it waits for a choice: " + ", ".join(offered))
        picked = default if default in offered or not offered else offered[0]
        target = call.words[-1] if call.words else ""
        self.ipxe.settings[target] = picked
        return bool(target and picked)

    def item(self, call: Call) -> bool:
        if "gap" not in call.options and "g" not in call.options and call.words:
            self.ipxe.menu.append((call.words[0], " ".join(call.words[1:])))
        return True

    def new_menu(self, call: Call) -> bool:
        self.ipxe.menu.clear()
        return True

    def local(self, call: Call) -> bool:
        drive = call.options.get("drive", call.options.get("d", ""))
        if call.words:
            raise ScriptError(f"sanboot {call.words[0]}: SAN targets are not simulated")
        raise Ended("local", f"sanboot {drive}".strip())


def _end(way: str, text: str) -> Callable[[_Script, Call], bool]:
    def command(script: _Script, call: Call) -> bool:
        raise Ended(way, text)

    return command


def _echo(script: _Script, call: Call) -> bool:
    script.ipxe.host.say(" ".join(call.words))
    return True


def _nothing(script: _Script, call: Call) -> bool:
    return True


_COMMANDS: dict[str, Callable[[_Script, Call], bool]] = {
    "goto": _Script.goto,
    "exit": _Script.leave,
    "chain": _Script.chain,
    "set": _Script.set,
    "clear": _Script.clear,
    "inc": _Script.inc,
    "isset": lambda script, call: bool(call.words and call.words[0]),
    "iseq": lambda script, call: len(call.words) == 2 and call.words[0] == call.words[1],
    "kernel": _Script.kernel,
    "imgselect": _Script.kernel,
    "imgload": _Script.kernel,
    "initrd": _Script.initrd,
    "module": _Script.initrd,
    "imgfetch": _Script.initrd,
    "imgargs": _Script.imgargs,
    "boot": _Script.boot,
    "imgexec": _Script.boot,
    "imgfree": _nothing,
    "imgstat": _nothing,
    "echo": _echo,
    "sleep": lambda script, call: script.ipxe.host.sleep(_number(call.words[0]) if call.words else 0),
    "dhcp": lambda script, call: script.ipxe.host.dhcp(),
    "autoconf": lambda script, call: script.ipxe.host.dhcp(),
    "ifconf": lambda script, call: script.ipxe.host.dhcp(),
    "prompt": _Script.prompt,
    "menu": _Script.new_menu,
    "item": _Script.item,
    "choose": _Script.choose,
    "sanboot": _Script.local,
    "shell": _end("shell", "it gives an iPXE shell"),
    "config": _end("waits", "it shows its settings and waits"),
    "reboot": _end("off", "it restarts"),
    "poweroff": _end("off", "it switches itself off"),
    **dict.fromkeys(
        ("ifopen", "ifstat", "ifclose", "route", "console", "colour", "color", "cpair", "sync", "nstat", "cpuid"),
        _nothing,
    ),
}  # fmt: skip

# Options with a value (https://ipxe.org/cmd); the others have none.
_VALUED = frozenset({
    "name", "n", "timeout", "t", "drive", "d", "default", "key", "k", "menu", "m", "type", "configurator", "c",
    "x", "y", "picture", "left", "l", "right", "r", "top", "bottom", "b", "depth", "filename", "f", "keep", "extra",
    "e", "rgb", "basic",
})  # fmt: skip
_PLAIN_HERE = {"chain": {"r"}, "sanboot": {"n", "k"}, "item": {"d", "g"}, "echo": {"n"}, "cpuid": {"e", "ext"}}
_NO_OPTIONS = frozenset({"set", "iseq", "isset", "goto", "exit"})


def _call(words: list[str]) -> Call:
    """getopt: options come first; of an image's arguments behind its URL none is one."""
    name, rest, options = words[0], words[1:], {}
    plain = _PLAIN_HERE.get(name, set())
    while rest and name not in _NO_OPTIONS and re.match(r"-(-[a-z]|[a-z]$)", rest[0]):
        option, _, value = rest.pop(0).lstrip("-").partition("=")
        if not value and option in _VALUED and option not in plain and rest:
            value = rest.pop(0)
        options[option] = value
    return Call(name, options, tuple(rest))


def _first_command(words: list[str]) -> tuple[list[str], str | None, list[str]]:
    for at, word in enumerate(words):
        if word.startswith("#"):
            return words[:at], None, []
        if word in ("||", "&&", ";"):
            return words[:at], word, words[at + 1 :]
    return words, None, []


def _joined(text: str) -> list[str]:
    """Lines; a backslash before the end of one joins the next."""
    lines: list[str] = []
    pending = ""
    for raw in text.split("\n"):
        line = pending + raw.removesuffix("\r")
        pending = ""
        if line.endswith("\\"):
            pending = line[:-1]
        else:
            lines.append(line)
    return [*lines, pending] if pending else lines


def _formatted(value: str, kind: str) -> str:
    """A setting as one of iPXE's types writes it."""
    if kind == "uristring":
        return quote(value, safe="")
    if kind in ("hex", "hexhyp", "hexraw"):
        raw = value.replace(":", "") if re.fullmatch(r"([0-9a-f]{2}:)+[0-9a-f]{2}", value) else value.encode().hex()
        between = {"hex": ":", "hexhyp": "-", "hexraw": ""}[kind]
        return between.join(raw[at : at + 2] for at in range(0, len(raw), 2))
    return value


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ScriptError(f"{text!r} is not a number") from None
