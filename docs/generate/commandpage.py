"""The page of every command and option, from the command lines themselves."""

from __future__ import annotations

from docs.generate.commands import Command, Option, exit_codes, programs

HEAD = """# Every command

Two programs: `pxed`, the daemon with its tools, and `pxed-probe`, which acts as a client against any PXE server. This
page is made from the programs; `--help` behind any command says the same. `pxed --install-completion` lets the shell
complete commands and machines' names.

Commands that read the inventory take `-c FILE`. Those that ask the running daemon find it by the inventory of this
host, or by `--server URL`.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for program in programs():
        parts += [_shown(command) for command in program.walk()]
    return "\n".join(parts)


def anchor(command: Command) -> str:
    """The anchor of a command on the page: pxed-images-sync."""
    return "-".join(command.path)


def _shown(command: Command) -> str:
    title = " ".join(command.path)
    lines = [f"{'##' if len(command.path) == 1 else '###'} {title} {{ #{anchor(command)} }}\n"]
    lines += [f"```text\n{command.usage}\n```\n", f"{command.help}\n"]
    if command.arguments:
        lines += ["| argument | |", "|---|---|"]
        lines += [f"| `{cell(one.name)}` | {cell(one.help) or '&nbsp;'} |" for one in command.arguments] + [""]
    if command.options:
        lines += ["| option | | default |", "|---|---|---|", *map(_option, command.options), ""]
    if codes := exit_codes(command):
        lines.append(f"Exit codes: {codes}\n")
    return "\n".join(lines)


def _option(option: Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.names, *option.negations))
    value = f" `{cell(option.metavar)}`" if option.metavar else ""
    text = cell(option.help)
    if option.choices:
        text += " One of " + ", ".join(f"`{choice}`" for choice in option.choices) + "."
    if option.environment:
        text += f" `{option.environment}` in the environment stands for it."
    return f"| {names}{value} | {text} | {f'`{cell(option.default)}`' if option.default else ''} |"


def cell(text: str) -> str:
    """Text as a cell of a table."""
    return text.replace("|", "\\|")
