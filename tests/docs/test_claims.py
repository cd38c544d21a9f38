"""The pages name nothing of pxed that is not there: commands, options, metrics, paths, settings, kinds of events."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import httppage, inventorypage
from docs.generate.commands import Command, programs
from docs.generate.pages import ROOT
from pxed.events import Kind
from pxed.server.metricnames import METRICS

PAPERS = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("**/*.md"))]
COMMANDS = {command.path: command for program in programs() for command in program.walk()}
ROUTES = {re.sub(r"\{\w+\}", "*", path) for _, path in httppage.routes()}
FIELDS = {entry.path for entry in inventorypage.entries()}
# Of others: Debian's package, systemd's units, the sources.
NO_SETTINGS = {"server.url", "server.py"}


def commands_of(text: str) -> list[str]:
    """What a page types as a command of pxed, in a block or in backquotes."""
    blocks = re.findall(r"^```(?:sh|console|text|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    typed = re.findall(r"^(?:\$ |.*/)?(pxed(?:-probe)? [a-z-]+\b.*)$", "\n".join(blocks), re.MULTILINE)
    return [line for line in typed if "pxed is up" not in line] + re.findall(r"`(pxed(?:-probe)? [^`]+)`", text)


def parsed(line: str) -> tuple[Command | None, list[str]]:
    """The command that a line names, and the options it uses. Alternatives are told apart by "|" or " or "."""
    words = re.split(r"\s+", re.split(r"\s#|\s>|;|\\$", line)[0].strip())
    path: tuple[str, ...] = (words[0],)
    while len(path) < len(words) and (*path, words[len(path)]) in COMMANDS:
        path = (*path, words[len(path)])
    return COMMANDS.get(path), [word.partition("=")[0] for word in words[len(path) :] if re.match(r"--?[a-z]", word)]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))
def test_each_command_that_a_page_names_exists_with_its_options(paper: Path) -> None:
    for line in commands_of(paper.read_text()):
        command, options = parsed(line)
        assert command, line
        known = {name for option in command.options for name in (*option.names, *option.negations)} | {"--help", "-h"}
        assert set(options) <= known, line
        below = line.split()[len(command.path) :]
        if command.commands and below and re.match(r"[a-z]", below[0]):
            assert set(below[0].split("|")) <= {one.name for one in command.commands}, line


def test_each_metric_that_a_page_names_exists() -> None:
    suffixes = {"counter": ("", "_total"), "gauge": ("",), "histogram": ("", "_bucket", "_sum", "_count")}
    known = {f"{metric.name}{suffix}" for metric in METRICS for suffix in suffixes[metric.kind]}
    for paper in PAPERS:
        for name in re.findall(r"`(pxed_[a-z_]+)`|\b(pxed_[a-z_]+)\{", paper.read_text()):
            assert set(filter(None, name)) <= known, (paper.name, name)


def test_each_path_that_a_page_names_exists() -> None:
    for paper in PAPERS:
        for path in re.findall(r"`(?:GET|POST) (/[^\s`?]*)", paper.read_text()):
            shape = re.sub(r"[A-Z]{2,}(\.cpio\.gz)?(?=/|$)|\{\w+\}|(?<=/machines/)[\w-]+(?=/)", "*", path).rstrip("/")
            assert any(_same(shape, route) for route in ROUTES) or "..." in path, (paper.name, path)


def _same(shape: str, route: str) -> bool:
    parts, wanted = shape.split("/"), route.rstrip("/").split("/")
    return len(parts) == len(wanted) and all(a == b or b == "*" for a, b in zip(parts, wanted, strict=True))


def test_each_setting_of_the_server_that_a_page_names_exists() -> None:
    for paper in PAPERS:
        for name in re.findall(r"`(server\.[a-z_.]+?)(?::[^`]*)?`", paper.read_text()):
            assert name in FIELDS | NO_SETTINGS, (paper.name, name)


def test_the_log_page_has_each_kind_of_event_in_its_order() -> None:
    text = (ROOT / "docs/reference/logs.md").read_text().partition("## Kinds")[2].partition("## ")[0]
    told = [name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`([\w-]+)`", row)]
    assert sorted(told) == sorted(Kind)
    stages = list(Kind)[: list(Kind).index(Kind.IGNORED)]
    assert told[: len(stages)] == [*stages[:9], "installing", "running", "installed", "failed"]
