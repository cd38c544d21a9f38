"""/api/v1/mirror and /api/v1/network: the releases that are there, and who else answers DHCP on our interfaces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aiohttp import web

from pxed.assets.mirror.index import Index, Release
from pxed.assets.mirror.rollout import choice
from pxed.assets.mirror.upstream import Seen, load_seen
from pxed.inventory.model import Inventory
from pxed.server.interfaces import Interface
from pxed.server.live import Live
from pxed.server.releases import Arriving
from pxed.server.replies import Asked, json_reply
from pxed.status.network import Network, ServerSeen

Served = Callable[[], Iterable[Interface]]


class SitePages:
    """Answers what is asked of the mirror and of the network."""

    def __init__(self, live: Live, arriving: Arriving, served: Served, network: Network) -> None:
        self._live = live
        self._arriving = arriving
        self._served = served
        self._network = network

    async def mirror(self, asked: Asked) -> web.StreamResponse:
        """Each image that is a Flatcar release and what of it is there; then all releases, newest first."""
        inventory, index = asked.snapshot.inventory, self._live.index
        seen = await asyncio.to_thread(load_seen, inventory.server.data_dir / "mirror")
        releases = sorted(index.releases.values(), key=lambda release: release.verified, reverse=True)
        used = {key: sorted(names) for key, names in _users(inventory, index).items()}
        return json_reply({
            "images": list(self._images(inventory, index, seen)),
            "releases": [_release_view(release, used.get(release.key, [])) for release in releases],
        })  # fmt: skip

    async def network(self, asked: Asked) -> web.StreamResponse:
        """Our interfaces, each with the DHCP servers that were seen on it."""
        server = asked.snapshot.inventory.server
        interfaces = [
            {
                "name": interface.name,
                "addresses": list(interface.addresses),
                "networks": [str(network) for network in interface.networks],
                "mtu": interface.mtu,
                "servers": [
                    {**seen.as_dict(), "is_pxe": seen.is_pxe} for seen in self._network.servers(interface.name)
                ],
            }
            for interface in self._served()
        ]
        return json_reply({
            "dhcp": str(server.dhcp),
            "tftp_port": server.tftp.port,
            "http_port": server.http.port,
            "relays": [str(network) for network in server.relays],
            "interfaces": interfaces,
        })  # fmt: skip

    def _images(self, inventory: Inventory, index: Index, seen: dict[str, Seen]) -> Iterator[dict[str, Any]]:
        now = time.time()
        for name, image in inventory.images.items():
            flatcar = image.flatcar
            if flatcar is None:
                continue
            last = seen.get(name)
            chosen = choice(name, flatcar, index, last.version if last and flatcar.follows else "")
            release = index.releases.get((flatcar.channel, flatcar.arch, chosen.version))
            coming, problem = self._arriving(name), last.problem if last else ""
            state = "arriving" if coming else "failed" if problem else "ready" if release else "missing"
            yield {
                "name": name,
                "channel": flatcar.channel,
                "arch": flatcar.arch,
                "follows": flatcar.version,
                "version": chosen.version or None,
                "staged": chosen.staged or None,
                "newer": chosen.newer or None,
                "state": state,
                "published": round(release.verified, 3) if release else None,
                "age": round(now - release.verified, 1) if release else None,
                "looked": round(last.time, 3) if last else None,
                "progress": coming or None,
                "reason": problem or (None if release or coming else "nothing of it is mirrored yet"),
            }


def _users(inventory: Inventory, index: Index) -> dict[tuple[str, str, str], set[str]]:
    """The images that boot each release."""
    used: dict[tuple[str, str, str], set[str]] = {}
    for name, image in inventory.images.items():
        if (flatcar := image.flatcar) is not None:
            chosen = choice(name, flatcar, index)
            for version in filter(None, (chosen.version, chosen.staged)):
                used.setdefault((flatcar.channel, flatcar.arch, version), set()).add(name)
    return used


def _release_view(release: Release, images: list[str]) -> dict[str, Any]:
    return {
        "channel": release.channel,
        "arch": release.arch,
        "version": release.version,
        "state": "ready",
        "published": round(release.verified, 3),
        "bytes": sum(file.size for file in release.files.values()),
        "files": len(release.files),
        "signed_by": release.signed_by,
        "images": images,
    }


def _server_view(seen: ServerSeen) -> dict[str, Any]:
    return {**seen.as_dict(), "is_pxe": seen.is_pxe}
