"""Machines that groups choose: their names are MACs that a sender invents, so a bounded number is known."""

from __future__ import annotations

import time
from pathlib import Path

from pxed.server.strangers import Strangers
from pxed.status.records import Standing, State
from tests.server.booting import Machine, Script
from tests.server.httpsite import Site
from tests.server.installsite import INVENTORY, installing, order, said

WIDE = f"{INVENTORY}groups: [{{match: {{mac: '52:54:00:00:02:*'}}, profile: kick}}]\n"


async def boot(site: Site, number: int) -> tuple[Machine, Script]:
    mac = f"52:54:00:00:02:{number:02x}"
    one = Machine(mac, mac, site.port)
    site.services.seen.boot(mac, time.time())
    return one, await one.script()


def bounded(site: Site, most: int) -> None:
    machines = site.services.machines
    machines._strangers = Strangers(machines._forget, most)


def known(site: Site) -> list[str]:
    return [name[-2:] for name in site.services.machines.names() if name.startswith("52:54:00:00:02")]


async def test_the_oldest_that_never_reported_is_forgotten_with_all_its_rows(tmp_path: Path) -> None:
    async with installing(tmp_path, WIDE) as site:
        bounded(site, 3)
        for number in (1, 2, 1, 3, 4):
            await boot(site, number)
        assert known(site) == ["01", "03", "04"]
        gone = "52:54:00:00:02:02"
        machines, kept = site.services.machines, site.keeper.restarted().contents
        assert (machines.standing(gone), machines.boots(gone), machines.attempts(gone)) == (None, (), [])
        assert gone not in kept.standings
        assert not [token for token in kept.tokens.values() if token.machine == gone]


async def test_one_that_is_installed_or_ordered_is_never_forgotten_and_further_ones_are_told_why(
    tmp_path: Path,
) -> None:
    async with installing(tmp_path, WIDE) as site:
        bounded(site, 2)
        one, script = await boot(site, 1)
        assert (await one.report(one.report_url(script.token("report")), "installed")).status == 200
        await boot(site, 2)
        assert await order(site, "52:54:00:00:02:02/local") == 200
        _, script = await boot(site, 3)
        assert "not listed" in script.text
        assert (known(site), said(site)) == (["01", "02"], "too-many")
        assert (await boot(site, 1))[1].way == "disk"
        assert (await boot(site, 2))[1].way == "disk"


async def test_listed_machines_do_not_count(tmp_path: Path) -> None:
    async with installing(tmp_path, WIDE) as site:
        bounded(site, 1)
        site.services.seen.boot("kick", time.time())
        kick = Machine("kick", "52:54:00:00:01:0c", site.port)
        await kick.script()
        for number in range(3):
            await boot(site, number)
        standing = site.services.machines.standing("kick")
        assert standing is not None
        assert (standing.state, known(site)) == (State.WANTED, ["02"])


def test_a_machine_that_is_reset_may_be_forgotten_again() -> None:
    gone: list[str] = []
    strangers = Strangers(gone.append, most=1)
    strangers.note("a", Standing("a", state=State.LOCAL))
    assert not strangers.has_room_for("b")
    strangers.note("a", None)
    strangers.note("b", None)
    assert gone == ["a"]
