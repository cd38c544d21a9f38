"""A new version on some machines first, promoted, rolled back: by the commands, and as the documentation has them."""

import json
import re
from pathlib import Path

from tests.cli.imagesite import A, B, C, written_by_another


def test_a_canary_boots_a_new_version_first(staged):
    assert staged.boots() == {"node1": B, "node2": A, "node3": A}
    row = staged.listed()
    assert (row["version"], row["staged"], row["first"]) == (A, B, 1)
    assert f"{B} on 1 machine " in staged.run("list").stdout
    assert staged.release("current").readlink().name == A


def test_promote_gives_it_to_all_machines(staged):
    done = staged.run("promote", "flatcar")
    assert (done.returncode, done.stdout) == (0, f"image flatcar: all machines boot {B}\n")
    assert set(staged.boots().values()) == {B}
    assert staged.release("current").readlink().name == B
    assert staged.run("promote", "flatcar").stdout == f"image flatcar: all machines boot {B} as before\n"


def test_lowering_the_share_to_nothing_stops_a_rollout(home):
    home.write("percent: 100")
    home.synced(A, B)
    assert set(home.boots().values()) == {B}
    home.write("percent: 0")
    assert home.run("sync").returncode == 0
    assert set(home.boots().values()) == {A}
    assert home.run("promote", "flatcar").returncode == 0
    assert set(home.boots().values()) == {B}


def test_rollback_refuses_it_until_a_newer_one_comes(staged):
    done = staged.run("rollback", "flatcar")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f"image flatcar: all machines boot {A} as before",
        f"image flatcar: {B} is refused from now on; pxed images promote flatcar {B} takes that back",
    ]
    assert f", {B} refused " in staged.run("list").stdout
    assert staged.run("sync").returncode == 0
    assert set(staged.boots().values()) == {A}
    staged.synced(C)
    assert staged.boots() == {"node1": C, "node2": A, "node3": A}
    assert f"{B} refused" in staged.run("list").stdout


def test_rollback_of_what_all_boot_gives_the_version_before(home):
    home.synced(A, B)
    done = home.run("rollback", "flatcar", "--json")
    assert json.loads(done.stdout) == {"image": "flatcar", "version": A, "staged": "", "refused": [B]}
    assert set(home.boots().values()) == {A}
    assert home.release("current").readlink().name == A
    assert home.run("promote", "flatcar", B).stdout == f"image flatcar: all machines boot {B}\n"


def test_a_refused_version_takes_no_place_of_one_to_roll_back_to(home):
    home.synced(A, B)
    assert home.run("rollback", "flatcar").returncode == 0
    home.synced(C)
    assert (home.boots()["node1"], home.release(B).exists()) == (C, False)
    assert home.run("rollback", "flatcar").returncode == 0
    assert home.boots()["node1"] == A


def test_what_cannot_be_rolled_back_says_why(home):
    home.synced(A)
    done = home.run("rollback", "flatcar")
    assert done.returncode == 1
    assert f"{A} is the only version that can be booted" in done.stderr


def test_a_rollback_does_not_wait_for_a_sync(staged):
    with written_by_another(staged):
        assert staged.run("rollback", "flatcar").returncode == 0
    assert set(staged.boots().values()) == {A}


def documented() -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "mirror.md").read_text()
    return re.findall(r"^\$ pxed images (.+)$", text, re.MULTILINE)


def test_the_commands_of_the_documentation_work_in_their_order(staged):
    for command in documented():
        done = staged.run(*command.split())
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout, command
