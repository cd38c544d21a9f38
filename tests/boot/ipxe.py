"""How iPXE reads a script, written down from its sources (src/image/script.c, src/core/exec.c, src/core/settings.c).

Runs a script against commands that the test provides. The scripts of pxed are tested by what iPXE would do with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_SPACE = " \t\n\v\f\r"


class StopError(Exception):
    """The script has ended: `exit`, or an executed image took over."""


@dataclass
class Ipxe:
    """One iPXE. `commands` gets the command's words and returns whether it succeeded; `log` keeps them all."""

    settings: dict[str, str] = field(default_factory=dict)
    commands: Callable[[list[str]], bool] = lambda words: True
    log: list[list[str]] = field(default_factory=list)
    limit: int = 500

    def run(self, script: str) -> bool:
        """Whether the script ended in success. Raises AssertionError when it goes on for too long."""
        assert script.startswith("#!ipxe\n"), "iPXE knows a script by its first line"
        self.lines = _joined(script)
        self.position = 0
        while self.position < len(self.lines):
            line = self.lines[self.position]
            self.position += 1
            try:
                if not self._line(line):
                    return False
            except StopError as stop:
                return stop.args[0] == 0
        return True

    def _line(self, line: str) -> bool:
        line = line.lstrip(_SPACE)
        if line.startswith(":"):
            line = line.partition(" ")[2] if " " in line else ""
        words = [word for word in re.split(f"[{_SPACE}]+", line) if word]
        return self._sequence(words)

    def _sequence(self, words: list[str]) -> bool:
        ok, process = True, True
        while True:
            command, terminator, words = _first_command(words)
            if process:
                ok = self._execute([self.expand(word) for word in command])
                if command and command[0] == "goto" and ok:
                    return True
            if terminator is None:
                return ok
            process = {"||": not ok, "&&": ok, ";": True}[terminator]

    def _execute(self, words: list[str]) -> bool:
        if not words:
            return True
        self.log.append(words)
        assert len(self.log) < self.limit, "the script does not end"
        name, *arguments = words
        if name == "goto":
            labels = {line.strip()[1:]: n for n, line in enumerate(self.lines) if line.strip().startswith(":")}
            self.position = labels[arguments[0]]
            return True
        if name == "set":
            self.settings[arguments[0]] = " ".join(arguments[1:])
            return True
        if name == "isset":
            return bool(arguments[0])
        if name == "iseq":
            return arguments[0] == arguments[1]
        if name == "exit":
            raise StopError(int(arguments[0]) if arguments else 0)
        return self.commands(words)

    def expand(self, word: str) -> str:
        """${...} again and again, the innermost first, an unknown name by nothing."""
        while True:
            end = None
            start = -1
            for i, char in enumerate(word):
                if word.startswith("${", i):
                    start = i
                if start >= 0 and char == "}":
                    end = i
                    break
            if end is None:
                return word
            name = word[start + 2 : end].partition(":")[0]
            word = word[:start] + self.settings.get(name, "") + word[end + 1 :]


def kernel_text(words: list[str]) -> str:
    """The command line that the `kernel` command hands over: what follows its options and its URL, joined by blanks."""
    rest = words[1:]
    while rest[0].startswith("--"):
        rest = rest[2:]
    return " ".join(rest[1:])


def executed(ipxe: Ipxe, name: str) -> list[list[str]]:
    """Every run of one command."""
    return [words for words in ipxe.log if words[0] == name]


def responses(results: Mapping[str, list[bool]]) -> Callable[[list[str]], bool]:
    """Commands that fail as told: for each name the results of its runs, success after the last."""
    left = {name: list(values) for name, values in results.items()}

    def command(words: list[str]) -> bool:
        queue = left.get(words[0], [])
        return queue.pop(0) if queue else True

    return command


def _first_command(words: list[str]) -> tuple[list[str], str | None, list[str]]:
    for i, word in enumerate(words):
        if word.startswith("#"):
            return words[:i], None, []
        if word in ("||", "&&", ";"):
            return words[:i], word, words[i + 1 :]
    return words, None, []


def _joined(script: str) -> list[str]:
    """Lines, with a backslash before the end of one joining the next."""
    lines: list[str] = []
    pending = ""
    for raw in script.split("\n"):
        line = pending + raw.removesuffix("\r")
        pending = ""
        if line.endswith("\\"):
            pending = line[:-1]
        else:
            lines.append(line)
    return lines
