"""Manual pages: one of each program, command and group of commands, and pxed.yaml(5) of every inventory field.

`python -m docs.generate.man DIRECTORY` writes them, in roff's man macros.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

from docs.generate import inventorypage
from docs.generate.commands import Argument, Command, Option, exit_codes, programs
from pxed import __version__

ROOT = Path(__file__).parents[2]
FILES = {
    "/etc/pxed/pxed.yaml": "The inventory, see pxed.yaml(5).",
    "/etc/pxed/api-token": "The token of the API, if there is one: what the service hands to pxed, and what "
    "`pxed machines` on this host takes by itself.",
    "/var/lib/pxed": "Loaders, images, the mirror of releases and the state (`server.data_dir`).",
    "/usr/share/doc/pxed": "Guides and reference.",
}
SYSTEMD = "pxed.service is the service, pxed.socket its sockets; neither is started by the installation."
EXAMPLE = """server:
  interfaces: [eth1]

images:
  flatcar: {flatcar: {channel: stable}}

profiles:
  worker: {image: flatcar, butane: worker.bu}

machines:
  node1: {mac: 52:54:00:00:00:01, profile: worker}"""


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    pxed, probe = programs()
    found = {"pxed.1": _program(pxed), "pxed-probe.1": _with_commands(probe)}
    for command in pxed.commands:
        found[f"{'-'.join(command.path)}.1"] = _with_commands(command)
    return {**found, "pxed.yaml.5": _inventory()}


def _date() -> str:
    """Of the newest entry of debian/changelog: the same sources give the same pages."""
    [stamp, *_] = re.findall(r"^ -- .*>  (.*)$", (ROOT / "debian" / "changelog").read_text(), re.MULTILINE)
    return parsedate_to_datetime(stamp).date().isoformat()


def plain(text: str) -> str:
    """Text for roff: nothing in it is a request or an escape."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    )
    return re.sub(r"^\.", r"\\&.", text)


def prose(text: str) -> str:
    """A paragraph of help: `code` is bold, of a link its words stay."""
    text = " ".join(re.sub(r"\[([^\]`]+)\]\([^)\s]+\)", r"\1", text).split())
    parts = [plain(part) for part in text.split("`")]
    return "".join(f"\\fB{part}\\fR" if at % 2 else part for at, part in enumerate(parts))


def _head(name: str, section: int, summary: str) -> list[str]:
    summary = summary[:1].lower() + summary[1:] if not summary[:2].isupper() else summary
    title = plain(name.upper())
    return [
        f'.TH {title} {section} "{_date()}" "pxed {__version__}" "pxed"',
        ".SH NAME",
        f"{plain(name)} \\- {prose(summary)}",
    ]


def _synopsis(command: Command) -> list[str]:
    words = [f"\\fB{plain(' '.join(command.path))}\\fR"]
    words += ["[\\fIOPTIONS\\fR]"] if command.options else []
    words += ["\\fICOMMAND\\fR"] if command.commands else [_placed(one) for one in command.arguments]
    return [" ".join(words)]


def _placed(argument: Argument) -> str:
    return re.sub(r"[A-Za-z_]+", lambda word: f"\\fI{word[0]}\\fR", plain(argument.name))


def _item(term: str, *texts: str) -> list[str]:
    return [".TP", term, *([prose(" ".join(filter(None, texts)))] if any(texts) else ["\\&"])]


def _option(option: Option) -> list[str]:
    names = ", ".join(f"\\fB{plain(name)}\\fR" for name in (*option.names, *option.negations))
    value = f" \\fI{plain(option.metavar)}\\fR" if option.metavar else ""
    notes = [_sentence(option.help)]
    if option.choices:
        notes.append(f"One of {', '.join(option.choices)}.")
    if option.required:
        notes.append("Must be given.")
    if option.default:
        notes.append(f"Default: `{option.default}`.")
    if option.environment:
        notes.append(f"`{option.environment}` in the environment stands for it.")
    return _item(names + value, *notes)


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", ":", "?")) else f"{text}."


def _details(command: Command) -> Iterator[str]:
    """Arguments and options of a command."""
    for argument in command.arguments:
        yield from _item(_placed(argument), _sentence(argument.help))
    for option in command.options:
        yield from _option(option)


def _program(command: Command) -> str:
    """pxed(1): every command with a reference to its page."""
    lines = [*_head("pxed", 1, command.summary), ".SH SYNOPSIS", *_synopsis(command)]
    lines += [".SH DESCRIPTION", prose(command.help), ".SH COMMANDS"]
    for one in command.commands:
        lines += _item(f"\\fB{plain(one.name)}\\fR", _sentence(one.summary), f"See {'-'.join(one.path)}(1).")
    lines += [".SH OPTIONS", *_details(command), *_environment(command), ".SH FILES"]
    for path, text in FILES.items():
        lines += _item(f"\\fI{plain(path)}\\fR", text)
    others = [*("-".join(one.path) for one in command.commands), "pxed-probe"]
    lines += [".SH NOTES", prose(SYSTEMD), *_see(*sorted(f"{name}(1)" for name in others), "pxed.yaml(5)")]
    return _page(lines)


def _environment(command: Command) -> list[str]:
    """Every variable that stands for an option, once, with what the option says."""
    found = {one.environment: one for below in command.walk() for one in below.options if one.environment}
    lines = [".SH ENVIRONMENT"] if found else []
    for name, option in sorted(found.items()):
        lines += _item(f"\\fB{name}\\fR", f"Stands for `{option.names[-1]}`: {_sentence(option.help)}")
    return lines


def _with_commands(command: Command) -> str:
    """The page of a command; of a group or pxed-probe with those in it."""
    name = "-".join(command.path)
    lines = [*_head(name, 1, command.summary), ".SH SYNOPSIS"]
    for at, one in enumerate(command.commands or (command,)):
        lines += [*([".br"] if at else []), *_synopsis(one)]
    lines += [".SH DESCRIPTION", prose(command.help)]
    if command.arguments or command.options:
        lines += [".SH OPTIONS", *_details(command)]
    if command.commands:
        lines += [".SH COMMANDS"]
    for one in command.commands:
        lines += [f".SS {plain(' '.join(one.path))}", prose(one.help), *_details(one)]
        if codes := exit_codes(one):
            lines += [".PP", prose(f"Exit codes: {codes}")]
    if codes := exit_codes(command) or _status(command):
        lines += [".SH EXIT STATUS", prose(codes)]
    return _page([*lines, *_see(*([] if name == "pxed-probe" else ["pxed(1)"]), "pxed.yaml(5)")])


def _status(command: Command) -> str:
    """Of a group, that of the module with its commands."""
    if command.path != ("pxed", "machines"):
        return ""
    return (importlib.import_module("pxed.cli.machines").__doc__ or "").partition("Exit codes: ")[2]


def _inventory() -> str:
    """pxed.yaml(5): every field with its type, default and meaning."""
    lines = [*_head("pxed.yaml", 5, "the inventory of pxed"), ".SH SYNOPSIS", "\\fI/etc/pxed/pxed.yaml\\fR"]
    lines += [".SH DESCRIPTION"]
    for at, paragraph in enumerate(inventorypage.HEAD.strip().split("\n\n")[1:]):
        lines += [*([".PP"] if at else []), prose(paragraph)]
    whole, section = inventorypage.examples(), ""
    for entry in inventorypage.entries():
        if entry.section != section:
            section = entry.section
            title = inventorypage.TITLES.get(section)
            lines.append(f".SH {plain(title.upper())}" if title else f".SS {plain(section)}")
        words = f"{inventorypage.kind(entry.schema)}; {inventorypage.default(entry, whole)}"
        words = "" if entry.inner else f"{words[:1].upper()}{words[1:]}."
        lines += _item(f"\\fB{plain(entry.path)}\\fR", _sentence(entry.meaning), words)
    lines += [".SH EXAMPLES", ".EX", *(plain(line) for line in EXAMPLE.splitlines()), ".EE"]
    return _page([*lines, *_see("pxed(1)", "pxed-check(1)", "pxed-schema(1)")])


def _see(*names: str) -> list[str]:
    lines = [".SH SEE ALSO"]
    for at, name in enumerate(names, 1):
        page, section = name[:-1].split("(")
        lines.append(f".BR {plain(page)} ({section}){',' if at < len(names) else ''}")
    return lines


def _page(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def main(folder: str) -> int:
    """Write every page into a directory."""
    home = Path(folder)
    home.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (home / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
