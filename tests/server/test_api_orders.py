"""POST /api/v1/machines/NAME/install, local, reset, next: who may order, what is ordered, and what is refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pxed.events import Kind, Level
from pxed.inventory.loader import load
from pxed.server import auth, bodies
from pxed.server.apitoken import CREDENTIAL, TokenFile, token_problems
from pxed.server.load import load_snapshot
from tests.server.httpsite import MAC1, STRANGER, Answer, Site
from tests.server.standings import BEARER, HELD, TOKEN, Standings, ordering, write_token


async def post(site: Site, target: str, body: object = None, bearer: str = BEARER, **headers: str) -> Answer:
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"Authorization": bearer, **headers} if bearer else headers
    return await site.ask(f"/api/v1/machines/{target}", "POST", content, **headers)


ORDERS: dict[str, tuple[str, object, tuple[str, ...]]] = {
    "install it with its own profile": ("node1/install", None, ("install", "node1", "")),
    "install it, with an empty object": ("node1/install", {}, ("install", "node1", "")),
    "install it with another profile": ("node1/install", {"profile": "rooted"}, ("install", "node1", "rooted")),
    "a machine by its MAC": (f"{MAC1}/install", None, ("install", "node1", "")),
    "a machine that is not listed": (f"{STRANGER}/install", None, ("install", STRANGER, "")),
    "boot the disk": ("node1/local", None, ("local", "node1")),
    "forget the installation": ("node1/reset", {}, ("reset", "node1")),
    "boot something once": ("node1/next", {"profile": "rescue"}, ("next", "node1", "rescue")),
    "do not boot it once": ("node1/next", {"profile": ""}, ("next", "node1", "")),
}


@pytest.mark.parametrize(("target", "body", "order"), ORDERS.values(), ids=ORDERS)
async def test_an_order_reaches_the_service(tmp_path: Path, target: str, body: object, order: tuple[str, ...]) -> None:
    standings = Standings()
    async with ordering(tmp_path, standings) as site:
        answer = await post(site, target, body)
        assert answer.status == 200, answer.text
        assert json.loads(answer.body)["name"] == order[1]
    assert standings.orders == [order]


async def test_an_order_answers_with_the_machines_new_view_and_is_logged_with_who_gave_it(tmp_path: Path) -> None:
    async with ordering(tmp_path) as site:
        view = json.loads((await post(site, "node1/install", {"profile": "rooted"})).body)
        told = site.bus.of(Kind.NOTICE)
    assert (view["install"]["state"], view["install"]["ordered"]) == ("wanted", True)
    assert view["summary"] == "wanted, in words"
    assert [(event.machine, event.text) for event in told] == [
        ("node1", "ordered through the API from 127.0.0.1: install rooted")
    ]


REFUSED: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "a machine that is none": ("nobody/install", {}, 404, "There is no machine 'nobody' in the inventory."),
    "an order that the service refuses": (f"{HELD}/install", {}, 409, f"{HELD} has no image to install."),
    "an order that is none": ("node1/explode", {}, 404, "There is nothing at /api/v1/machines/node1/explode"),
    "a body that is no JSON": ("node1/install", {"body": b"profile=x"}, 400, "An order's body is JSON"),
    "a body that is no object": ("node1/install", {"body": b"[1]"}, 400, 'The body of install is {"profile": NAME}'),
    "a body with another key": ("node1/install", {"body": b'{"disk": "x"}'}, 400, "The body of install is"),
    "a profile that is no text": ("node1/install", {"body": b'{"profile": 5}'}, 400, "The body of install is"),
    "a profile where none counts": ("node1/local", {"body": b'{"profile": "x"}'}, 400, "The body of local is {}"),
    "next without a profile": ("node1/next", {}, 400, 'next needs {"profile": NAME}'),
    "a body that nests too deep": ("node1/next", {"body": b"[" * 4000}, 400, "An order's body is JSON"),
    "a body that is too long": ("node1/next", {"body": b" " * 5000}, 413, "An order has at most 4096 bytes."),
    "a form": (
        "node1/install",
        {"body": b"profile=x", "Content_Type": "application/x-www-form-urlencoded"},
        415,
        "An order is application/json",
    ),
}


@pytest.mark.parametrize(("target", "fields", "status", "words"), REFUSED.values(), ids=REFUSED)
async def test_an_order_that_makes_no_sense_is_refused(
    tmp_path: Path, target: str, fields: dict[str, Any], status: int, words: str
) -> None:
    standings = Standings()
    async with ordering(tmp_path, standings) as site:
        answer = await site.ask(f"/api/v1/machines/{target}", "POST", Authorization=BEARER, **fields)
    assert answer.status == status
    assert answer.text.startswith(words), answer.text
    assert standings.orders == []


async def test_a_body_that_does_not_arrive_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.02)
    async with ordering(tmp_path) as site:
        reader, writer = await site.connect()
        head = f"POST /api/v1/machines/node1/install HTTP/1.1\r\nHost: x\r\nAuthorization: {BEARER}\r\n"
        writer.write(f"{head}Content-Length: 5\r\n\r\n".encode())
        assert b"408" in await asyncio.wait_for(reader.readline(), 20)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("order", ["install", "local", "reset", "next"])
async def test_only_post_changes_anything(tmp_path: Path, method: str, order: str) -> None:
    standings = Standings()
    async with ordering(tmp_path, standings) as site:
        answer = await site.ask(f"/api/v1/machines/node1/{order}", method, Authorization=BEARER)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert standings.orders == []


STRANGERS = {
    "no token": ("", 'Bearer realm="pxed"'),
    "another scheme": (f"Basic {TOKEN}", 'Bearer realm="pxed"'),
    "the token without a scheme": (TOKEN, 'Bearer realm="pxed"'),
    "a wrong token": (f"{BEARER}0", 'Bearer realm="pxed", error="invalid_token"'),
    "the beginning of the token": (BEARER[:-1], 'Bearer realm="pxed", error="invalid_token"'),
    "a token that is no ASCII": ("Bearer \xff\xfe", 'Bearer realm="pxed", error="invalid_token"'),
}


@pytest.mark.parametrize(("bearer", "challenge"), STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("order", ["install", "local", "reset", "next"])
async def test_who_does_not_bear_the_token_changes_nothing_and_is_logged_without_it(
    tmp_path: Path, order: str, bearer: str, challenge: str
) -> None:
    standings = Standings()
    async with ordering(tmp_path, standings) as site:
        answer = await post(site, f"node1/{order}", {"profile": "rescue"}, bearer)
        told = site.bus.of(Kind.REFUSED)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, challenge)
    assert standings.orders == []
    assert [(event.level, event.data["address"]) for event in told] == [(Level.WARNING, "127.0.0.1")]
    assert not any(word in repr(told) + answer.text for word in (bearer, TOKEN, TOKEN[:-1]) if word)


@pytest.mark.parametrize("bearer", [BEARER, f"bearer {TOKEN}", f"BEARER  {TOKEN} "])
async def test_the_scheme_may_be_written_in_any_case(tmp_path: Path, bearer: str) -> None:
    async with ordering(tmp_path) as site:
        assert (await post(site, "node1/install", None, bearer)).status == 200


async def test_guesses_are_bounded_and_a_later_one_is_not_even_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "GUESSES", 3)
    standings = Standings()
    async with ordering(tmp_path, standings) as site:
        statuses = [(await post(site, "node1/install", None, "Bearer guess")).status for _ in range(4)]
        answer = await post(site, "node1/install")
    assert statuses == [401, 401, 401, 429]
    assert (answer.status, standings.orders) == (429, [])
    assert 1 <= int(answer.headers["retry-after"]) <= auth.GUESS_SECONDS + 1
    assert answer.text.startswith("Too many wrong tokens came from 127.0.0.1: try again in ")


def test_guesses_are_forgiven_after_their_time_and_those_of_others_count_for_them_alone() -> None:
    guesses = auth.Guesses()
    for _ in range(auth.GUESSES):
        guesses.wrong("10.0.0.66", 100.0)
    assert guesses.wait("10.0.0.66", 110.0) == auth.GUESS_SECONDS - 10
    assert guesses.wait("10.0.0.9", 110.0) == 0.0
    assert guesses.wait("10.0.0.66", 100.0 + auth.GUESS_SECONDS) == 0.0
    guesses.wrong("10.0.0.66", 100.0 + auth.GUESS_SECONDS)
    assert guesses.wait("10.0.0.66", 100.0 + auth.GUESS_SECONDS) == 0.0


def test_the_table_of_guessers_is_bounded() -> None:
    guesses = auth.Guesses()
    for number in range(auth.KNOWN_GUESSERS + 10):
        guesses.wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 100.0)
    assert len(guesses) == auth.KNOWN_GUESSERS


async def test_a_changed_token_counts_at_once(tmp_path: Path) -> None:
    other = "another-token-that-is-long-enough"
    async with ordering(tmp_path) as site:
        assert (await post(site, "node1/install")).status == 200
        write_token(tmp_path / "token", other)
        assert (await post(site, "node1/install")).status == 401
        assert (await post(site, "node1/install", None, f"Bearer {other}")).status == 200
        (tmp_path / "token").unlink()
        assert (await post(site, "node1/install", None, f"Bearer {other}")).status == 403


async def test_without_a_token_file_every_change_is_refused_with_how_to_set_one(tmp_path: Path) -> None:
    standings = Standings()
    async with ordering(tmp_path, standings, server="") as site:
        answers = [await post(site, "node1/install", None, bearer) for bearer in ("", BEARER, "Bearer ")]
    assert [answer.status for answer in answers] == [403, 403, 403]
    assert "server.api_token_file" in answers[0].text
    assert "/etc/pxed/api-token" in answers[0].text
    assert standings.orders == []


CREDENTIALS = {
    "systemd's credential is the token": (TOKEN, "", BEARER, 200),
    "the inventory's file goes before it": ("some-other-token-of-systemd", "api_token_file: token", BEARER, 200),
    "an empty credential is none": ("", "", "Bearer ", 403),
    "a credential is as long as any token": ("short", "", "Bearer short", 403),
}


@pytest.mark.parametrize(("content", "server", "bearer", "status"), CREDENTIALS.values(), ids=CREDENTIALS)
async def test_a_credential_of_systemd(tmp_path: Path, content: str, server: str, bearer: str, status: int) -> None:
    """Its mode is systemd's business: 0440 with an access list where the user is dynamic."""
    credential = write_token(tmp_path / "api-token", content)
    credential.chmod(0o440)
    async with ordering(tmp_path, credential=credential, server=server) as site:
        assert (await post(site, "node1/install", None, bearer)).status == status


def test_the_default_of_the_service_is_no_token(tmp_path: Path) -> None:
    """systemd 252 writes it to the credential when /etc/pxed/api-token is missing."""
    unit = (Path(__file__).parents[2] / "systemd" / "pxed.service").read_text()
    assert f"\nLoadCredential={CREDENTIAL}:/etc/pxed/api-token\n" in unit
    default = unit.partition(f"\nSetCredential={CREDENTIAL}:")[2].partition("\n")[0]
    path = tmp_path / CREDENTIAL
    path.write_text(default.encode().decode("unicode_escape"))
    assert (default, TokenFile(path, private=False).read()) == (r"\n", "")


UNUSABLE = {
    "it is not there": (None, 0o600, "token cannot be read: No such file or directory"),
    "its group may read it": (TOKEN, 0o640, "others may read or write PATH (mode 0640): chmod 600 PATH"),
    "others may write it": (TOKEN, 0o602, "others may read or write PATH (mode 0602): chmod 600 PATH"),
    "it is short": ("a" * 19, 0o600, "the token in PATH has 19 characters, expected 20 at least: openssl rand -hex 32"),
    "it is empty": ("", 0o600, "the token in PATH has 0 characters"),
    "it has two lines": (f"{TOKEN}\n{TOKEN}", 0o600, "PATH has characters that no token has"),
    "it is no ASCII": ("é" * 30, 0o600, "PATH has characters that no token has"),
    "it is endless": ("a" * 5000, 0o600, "PATH has more than 4096 bytes"),
}


@pytest.mark.parametrize(("content", "mode", "words"), UNUSABLE.values(), ids=UNUSABLE)
async def test_a_token_file_that_is_not_right_lets_nobody_in_and_the_check_says_why(
    tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    async with ordering(tmp_path) as site:
        path = tmp_path / "token"
        path.unlink()
        if content is not None:
            write_token(path, content).chmod(mode)
        first = content.split("\n")[0] if content and content.isascii() else TOKEN
        answer = await post(site, "node1/install", None, f"Bearer {first}")
        (warning,) = token_problems(site.live.snapshot.inventory)
    assert (answer.status, answer.text) == (403, f"{auth.UNUSABLE}\n")
    assert words.replace("PATH", str(path)) in warning.message
    assert warning.message.endswith("; until then the API refuses every change")
    assert (warning.key, warning.warning) == ("server.api_token_file", True)


async def test_a_pipe_in_place_of_the_file_holds_nothing_up(tmp_path: Path) -> None:
    import os

    async with ordering(tmp_path) as site:
        (tmp_path / "token").unlink()
        os.mkfifo(tmp_path / "token", 0o600)
        assert (await post(site, "node1/install")).status == 403


def test_the_warning_points_at_the_line_and_stops_no_start(tmp_path: Path) -> None:
    path = tmp_path / "pxed.yaml"
    path.write_text("server:\n  data_dir: data\n  api_token_file: token\n")
    (warning,) = load_snapshot(path).warnings
    assert (warning.line, warning.warning) == (3, True)
    write_token(tmp_path / "token")
    assert load_snapshot(path).warnings == ()
    assert load(path).server.api_token_file == tmp_path / "token"
