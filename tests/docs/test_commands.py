"""docs/generate/commands.py: the command lines as values, the same that the programs accept."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

import pxed.cli
import pxed.probe.main
from docs.generate.commands import Argument, Command, Option, command_of, programs

APPS = {"pxed": pxed.cli.app, "pxed-probe": pxed.probe.main.app}
ALL = [command for program in programs() for command in program.walk()]


def named(*path: str) -> Command:
    return next(command for command in ALL if command.path == path)


@pytest.mark.parametrize("command", ALL, ids=lambda command: " ".join(command.path))
def test_the_help_of_a_program_shows_each_option_and_no_other(command: Command) -> None:
    done = CliRunner().invoke(APPS[command.path[0]], [*command.path[1:], "--help"], env={"COLUMNS": "300"})
    assert done.exit_code == 0
    shown = set(re.findall(r"(?<![\w.-])--[a-z][a-z-]+", done.stdout.partition("Options")[2].partition("Commands")[0]))
    ours = {name for option in command.options for name in (*option.names, *option.negations) if name[:2] == "--"}
    assert ours <= shown
    assert shown - ours <= {"--help"} | set(re.findall(r"--[a-z-]+", " ".join(o.help for o in command.options)))
    assert [one.name for one in command.commands] == re.findall(
        r"^[│ ] (\w+) ", done.stdout.partition("Commands")[2], re.MULTILINE
    )


@pytest.mark.parametrize("command", ALL, ids=lambda command: " ".join(command.path))
def test_everything_says_what_it_is(command: Command) -> None:
    assert command.summary
    assert all(option.help for option in command.options)


def test_what_is_hidden_is_left_out() -> None:
    names = {name for command in ALL for option in command.options for name in option.names}
    assert "--json" in names
    assert not {"--child", "--input"} & names


def test_options_and_arguments_have_what_a_page_needs() -> None:
    serve = named("pxed", "serve")
    assert serve.usage == "pxed serve [OPTIONS]"
    named_file = ("-c", "--config"), (), "FILE", "PATH", "The inventory.", "/etc/pxed/pxed.yaml"
    assert serve.options[0] == Option(*named_file, "", (), False, None, None, False)
    server = next(option for option in named("pxed", "status").options if "--server" in option.names)
    assert (server.environment, server.default, server.metavar) == ("PXED_SERVER", "", "URL")
    assert named("pxed", "images", "sync").arguments == (
        Argument("[IMAGE]...", "Only these images.", False, True, ""),
    )  # fmt: skip
    lease = next(option for option in named("pxed-probe", "dhcp").options if "--lease" in option.names)
    assert (lease.negations, lease.default, lease.is_flag) == (("--no-lease",), "--lease", True)
    size = next(option for option in named("pxed-probe", "tftp").options if "--blksize" in option.names)
    assert (size.type, size.default, size.least, size.most) == ("INTEGER", "1468", 8, 65464)


def test_choices_are_told() -> None:
    app = typer.Typer()

    @app.command()
    def paint(color: Annotated[Literal["red", "blue"], typer.Option(help="Which.")] = "red") -> None:
        """Paint it."""

    [color] = [option for option in command_of(app, "paint").options if "--color" in option.names]
    assert (color.choices, color.default) == (("red", "blue"), "red")
