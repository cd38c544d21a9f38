"""Tokens by HTTP: what opens which config, for whom, how often; and what becomes of one whose answer broke off."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pxed.events import Kind, Level
from pxed.status.records import Purpose, Spent, Token
from tests.server.booting import SYSTEM_FILE, Machine, Script, files_of, report_url_of, request, token_of
from tests.server.httpsite import Site
from tests.server.installsite import (
    INVENTORY,
    MARKER,
    SYSTEM_MARKER,
    booted,
    installing,
    machine,
    said,
)

BIG = 300_000  # bytes: more than what a small window and the kernel of the reader hold
ELSEWHERE = "127.0.0.2"


async def test_a_token_opens_its_config_once_and_a_replay_is_refused_said_and_shown(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "once")
        first = await one.config(script.token())
        second = await one.again(script.token())
        shown = json.loads((await site.ask("/api/v1/alerts")).body)["alerts"]
        refused = site.bus.of(Kind.REFUSED)[-1]
    assert (first.status, second.status) == (200, 403)
    assert MARKER in first.text
    assert MARKER not in second.text
    assert (first.headers["cache-control"], "etag" in first.headers) == ("no-store", False)
    assert second.text == "Not for this token: this token has been used: boot the machine again.\n"
    assert [(alert["what"], alert["machine"], alert["address"]) for alert in shown] == [("replay", "once", one.address)]
    assert (refused.level, refused.machine) == (Level.WARNING, "once")


ACCESS = {
    "open: anybody, as often as they like": ("open", "", [200, 200]),
    "token: the boot that has it, as often as it likes": ("token", "TOKEN", [200, 200]),
    "once, the default of a config with content": ("once", "TOKEN", [200, 403]),
    "once without its token": ("once", None, [403, 403]),
    "token without its token": ("token", None, [403, 403]),
}


@pytest.mark.parametrize(("name", "query", "statuses"), ACCESS.values(), ids=ACCESS)
async def test_who_gets_a_config(tmp_path: Path, name: str, query: str | None, statuses: list[int]) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, name)
        if query:
            answers = [await one.again(script.token()) for _ in statuses]
        else:
            answers = [await one.ask(f"/ignition/{name}") for _ in statuses]
    assert [answer.status for answer in answers] == statuses
    assert [MARKER in answer.text for answer in answers] == [status == 200 for status in statuses]


async def test_an_initrd_without_the_config_in_it_needs_no_token(tmp_path: Path) -> None:
    text = f"{INVENTORY}  filed: {{mac: '52:54:00:00:02:01', profile: once, oem_files: {{usr/x: system.ign}}}}\n"
    async with installing(tmp_path, text) as site:
        one, script = await booted(site, "filed")
        found = re.search(r"^initrd .* (http:\S+/oem/\S+)", script.text, re.MULTILINE)
        assert found, script.text
        statuses = [(await one.ask(found[1])).status, (await one.config(script.token())).status]
        alerts = said(site)
    assert (statuses, alerts) == ([200, 200], "")


async def test_an_initrd_with_the_config_in_it_is_given_once_and_to_no_one_without_its_token(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "packed")
        url = f"/oem/packed.cpio.gz?token={script.token('archive')}"
        statuses = [(await one.ask("/oem/packed.cpio.gz")).status, (await one.ask("/ignition/packed")).status]
        statuses.append((await one.config(script.token("archive"))).status)
        statuses.append((await one.ask(url)).status)
        while (answer := await one.ask(url)).status == 503:
            pass
    assert (statuses, answer.status) == ([403, 403, 403, 200], 403)


WRONG: dict[str, Callable[[Site, Machine, Script], Awaitable[int]]] = {
    "a guess": lambda site, one, script: status(one.config("A" * 43)),
    "an empty one": lambda site, one, script: status(one.config("")),
    "half of it": lambda site, one, script: status(one.config(script.token()[:21])),
    "one with more behind it": lambda site, one, script: status(one.config(script.token() + "A")),
    "what the store keeps of it": lambda site, one, script: status(one.config(kept(site))),
    "it, for another machine": lambda site, one, script: status(one.config(script.token(), "token")),
    "it, for a machine that a stranger invents": lambda site, one, script: status(
        one.config(script.token(), "02:00:00:00:00:99")
    ),
    "it, for reports": lambda site, one, script: status(
        one.report(f"/report/flat?token={script.token()}", "installed")
    ),
    "it, for the initrd": lambda site, one, script: status(one.ask(f"/oem/once.cpio.gz?token={script.token()}")),
}


async def status(answer: Awaitable[object]) -> int:
    return int((await answer).status)  # type: ignore[attr-defined]


def kept(site: Site) -> str:
    return [write.hash for write in site.keeper.writes if isinstance(write, Token)][-1]


@pytest.mark.parametrize("ask", WRONG.values(), ids=WRONG)
async def test_a_wrong_token_opens_nothing_and_spends_nothing(
    tmp_path: Path, ask: Callable[[Site, Machine, Script], Awaitable[int]]
) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "once")
        assert await ask(site, one, script) in (403, 404)
        assert (await one.config(script.token())).status == 200


async def test_each_token_of_an_installation_opens_one_thing(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "flat")
        live = await one.config(script.token())
        report, system = report_url_of(live.body), files_of(live.body)[SYSTEM_FILE].decode()
        assert (await one.config(token_of(report))).status == 403
        assert (await one.report(one.report_url(token_of(system)), "installed")).status == 403
        own = await one.ask(system)
        assert (SYSTEM_MARKER in own.text, SYSTEM_MARKER in live.text) == (True, False)
        secrets = {script.token(), token_of(report), token_of(system), token_of(report_url_of(own.body))}
        purposes = {write.purpose for write in site.keeper.writes if isinstance(write, Token)}
    assert (len(secrets), purposes) == (4, {Purpose.CONFIG, Purpose.REPORT, Purpose.SYSTEM, Purpose.RESIDENT})


async def test_head_spends_nothing(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "once")
        head = await one.config(script.token(), method="HEAD")
        assert (head.status, (await one.config(script.token())).status) == (200, 200)


async def test_an_ignition_that_is_too_old_for_the_config_does_not_spend_it(tmp_path: Path) -> None:
    old = "application/vnd.coreos.ignition+json;version=3.1.0, */*;q=0.1"
    async with installing(tmp_path) as site:
        one, script = await booted(site, "once")
        assert (await one.config(script.token(), Accept=old)).status == 406
        assert (await one.config(script.token())).status == 200


async def test_a_token_expires(tmp_path: Path) -> None:
    """Its time is over in what the next daemon finds."""
    async with installing(tmp_path) as site:
        _, script = await booted(site, "once")
        keeper = site.keeper.restarted()
    tokens = keeper.contents.tokens
    assert [round(token.expires - token.minted) for token in tokens.values()] == [900]
    for row in list(tokens.values()):
        tokens[row.hash] = replace(row, expires=row.minted)
    async with installing(tmp_path, keeper=keeper) as site:
        answer = await machine(site, "once").config(script.token())
        assert said(site) == "expired"
        site.services.access.expire(next(iter(tokens.values())).expires + 1)
        after = await machine(site, "once").config(script.token())
    assert "has expired" in answer.text
    assert (answer.status, after.status) == (403, 403)


async def test_a_token_counts_and_stays_spent_over_a_restart(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        _, script = await booted(site, "once")
        _, other = await booted(site, "token")
        keeper = site.keeper.restarted()
    async with installing(tmp_path, keeper=keeper) as site:
        one = machine(site, "once")
        assert (await one.config(script.token())).status == 200
        assert (await one.again(script.token())).status == 403
        keeper = site.keeper.restarted()
        assert (await machine(site, "token").config(other.token())).status == 200
    async with installing(tmp_path, keeper=keeper) as site:
        assert (await machine(site, "once").config(script.token())).status == 403


ADDRESSES = {
    "a profile that checks the address": ("bound", 403),
    "a profile that does not": ("once", 200),
}


@pytest.mark.parametrize(("name", "expected"), ADDRESSES.values(), ids=ADDRESSES)
async def test_a_token_shown_by_another_address(tmp_path: Path, name: str, expected: int) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, name)
        answer = await machine(site, name, ELSEWHERE).config(script.token())
        assert answer.status == expected
        if expected == 403:
            assert said(site) == "foreign-address"
            assert (await one.config(script.token())).status == 200


async def left_at_once(one: Machine, token: str) -> None:
    """The client is gone before the answer begins."""
    _, writer = await asyncio.open_connection("127.0.0.1", one.port, local_addr=(one.address, 0))
    writer.write(request(f"/ignition/{one.name}?token={token}"))
    await writer.drain()
    writer.transport.abort()


async def closed(one: Machine, token: str) -> None:
    """It reads the beginning and closes: its kernel resets, for the rest was not read."""
    (await one.opened(f"/ignition/{one.name}?token={token}")).close()


async def reset(one: Machine, token: str) -> None:
    """It loses its connection."""
    sock = await one.opened(f"/ignition/{one.name}?token={token}")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def stalled(one: Machine, token: str) -> None:
    """It reads no more; a second question of the same boot has to wait for the end of the first."""
    with await one.opened(f"/ignition/{one.name}?token={token}"):
        assert (await one.config(token)).status == 503


async def half_read(one: Machine, token: str) -> None:
    """It reads half of it."""
    with await one.opened(f"/ignition/{one.name}?token={token}") as sock:
        left = BIG // 2
        while left > 0:
            left -= len(await asyncio.get_running_loop().sock_recv(sock, left))


BREAKS = (left_at_once, closed, reset, stalled, half_read)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.__name__.replace("_", " "))
@pytest.mark.parametrize("name", ["once", "flat"])
async def test_an_answer_that_broke_off_is_given_again_to_the_same_address_only(
    tmp_path: Path, name: str, broken: Callable[[Machine, str], Awaitable[None]]
) -> None:
    text = INVENTORY.replace("{image: flatcar, boot", "{image: flatcar, ignition: secret.ign, boot")
    async with installing(tmp_path, text, filler=BIG) as site:
        one, script = await booted(site, name)
        await broken(one, script.token())
        if broken is not left_at_once:  # by then it is not sure that pxed has begun
            other = await machine(site, name, ELSEWHERE).again(script.token())
            assert other.status == 403
            assert "foreign-address" in said(site)
        whole = await one.again(script.token())
        assert (whole.status, MARKER in whole.text) == (200, True)
        assert (await one.again(script.token())).status == 403


async def test_of_two_questions_at_once_one_is_answered_and_one_told_to_ask_again(tmp_path: Path) -> None:
    async with installing(tmp_path, filler=BIG) as site:
        one, script = await booted(site, "once")
        with await one.opened(f"/ignition/{one.name}?token={script.token()}"):  # reads no further: it is under way
            answers = await asyncio.gather(*(one.config(script.token()) for _ in range(4)))
        assert [answer.status for answer in answers] == [503] * 4
        assert {answer.headers.get("retry-after") for answer in answers} == {"2"}
        assert (await one.again(script.token())).status == 200, "the first broke off"
        assert (await one.again(script.token())).status == 403
    assert said(site) == "replay", "a client that asks twice is no attack"


async def test_a_config_whose_token_cannot_be_kept_is_not_given_and_not_spent(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "flat")
        site.keeper.failing = True
        refused = await one.config(script.token())
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        site.keeper.failing = False
        assert (await one.config(script.token())).status == 200


async def test_an_answer_that_arrived_whole_is_spent_though_the_store_failed_in_between(tmp_path: Path) -> None:
    async with installing(tmp_path, filler=BIG) as site:
        one, script = await booted(site, "once")
        with await one.opened(f"/ignition/once?token={script.token()}") as sock:
            site.keeper.failing = True
            while await asyncio.get_running_loop().sock_recv(sock, 65536):
                pass
        assert (await one.again(script.token())).status == 403
        assert [row.state for row in site.keeper.restarted().contents.tokens.values()] == [Spent.SPENT]


async def test_an_order_to_install_ends_the_tokens_of_the_boot_before(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        one, script = await booted(site, "once")
        await site.services.operators.reset("once")
        assert (await one.config(script.token())).status == 403


async def test_the_config_of_an_installation_is_for_its_token_whatever_the_path_says(tmp_path: Path) -> None:
    async with installing(tmp_path) as site:
        answers = [await site.ask(f"/ignition/flat{query}") for query in ("", "?token=", "?system=1", "?boot=x")]
    assert [answer.status for answer in answers] == [403] * 4
    assert not any(SYSTEM_MARKER in answer.text for answer in answers)
