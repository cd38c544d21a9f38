"""/api/v1/mirror and /api/v1/network."""

from __future__ import annotations

import json
from pathlib import Path

from pxed.assets.mirror.index import Index, MirroredFile, Release
from pxed.assets.mirror.upstream import Seen, save_seen
from tests.server.httpsite import INVENTORY, serving
from tests.server.timelines import T, Timelines

KEY = ("stable", "amd64", "4593.2.5")
TEXT = INVENTORY.replace(
    "images:\n", "images:\n  flatcar: {flatcar: {channel: stable}}\n  beta: {flatcar: {channel: beta}}\n"
)


def index() -> Index:
    """One release of stable."""
    file = MirroredFile(1000, "ab" * 64, (1000, 1, 1, 1))
    release = Release(*KEY, {"version.txt": file, "kernel": file}, T, "F" * 40)
    return Index({KEY: release}, {("stable", "amd64", "current"): KEY[2]})


async def test_the_mirror_tells_what_is_there_what_comes_and_what_failed(tmp_path: Path) -> None:
    async with serving(tmp_path, text=TEXT) as site:
        site.live.index = index()
        (tmp_path / "data/mirror").mkdir(parents=True)
        save_seen(tmp_path / "data/mirror", {"beta": Seen("", T, "no route to the release server")})
        answer = json.loads((await site.ask("/api/v1/mirror")).body)
    flatcar, beta = answer["images"]
    assert (flatcar["state"], flatcar["version"], flatcar["published"]) == ("ready", "4593.2.5", T)
    assert (beta["state"], beta["version"], beta["reason"]) == ("failed", None, "no route to the release server")
    assert answer["releases"] == [
        {
            "channel": "stable", "arch": "amd64", "version": "4593.2.5", "state": "ready", "published": T,
            "bytes": 2000, "files": 2, "signed_by": "F" * 40, "images": ["flatcar"],
        }
    ]  # fmt: skip


async def test_what_arrives_and_what_is_missing_is_said(tmp_path: Path) -> None:
    def arriving(image: str) -> str:
        return "4593.2.5 is arriving, 37%" if image == "flatcar" else ""

    async with serving(tmp_path, text=TEXT, arriving=arriving) as site:
        flatcar, beta = json.loads((await site.ask("/api/v1/mirror")).body)["images"]
    assert (flatcar["state"], flatcar["progress"]) == ("arriving", "4593.2.5 is arriving, 37%")
    assert (beta["state"], beta["reason"]) == ("missing", "nothing of it is mirrored yet")


async def test_the_network_tells_who_else_answers_dhcp(tmp_path: Path) -> None:
    tracker = Timelines()
    tracker.network.on_reply("eth1", T, {"server": "10.0.0.1", "given": "10.0.0.21", "message": "OFFER"})
    tracker.network.on_reply("eth1", T + 1, {"server": "10.0.0.9", "vendor": "PXEClient", "file": "wds.com"})
    async with serving(tmp_path, tracker=tracker) as site:
        answer = json.loads((await site.ask("/api/v1/network")).body)
    (eth1,) = answer["interfaces"]
    assert (eth1["name"], eth1["addresses"], eth1["networks"]) == ("eth1", ["10.0.0.2"], ["10.0.0.0/24"])
    giver, rival = eth1["servers"]
    assert (giver["address"], giver["gives_addresses"], giver["is_pxe"]) == ("10.0.0.1", True, False)
    assert (rival["address"], rival["file"], rival["is_pxe"], rival["last"]) == ("10.0.0.9", "wds.com", True, T + 1)
