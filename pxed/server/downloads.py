"""/loaders/FILE, /images/NAME/FILE and /flatcar/...: whole files and ranges, by sendfile, measured.

Not aiohttp's FileResponse: asked for X with Accept-Encoding: gzip it sends X.gz instead, if there is one, as gzip
content; it takes two trips through a thread pool for each request; and it does not tell how much was sent.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from typing import NoReturn

from aiohttp import web

from pxed.assets.library import Asset, AssetError, Library, open_asset
from pxed.assets.mirror.index import Release
from pxed.boot.endpoint import Endpoint, endpoint_at
from pxed.boot.images import BootFile, Role, boot_files, find_file
from pxed.events import Emit, Kind
from pxed.inventory.model import Image, Inventory
from pxed.server.callers import Caller
from pxed.server.conditions import Selection, Validators, select
from pxed.server.deliveries import Deliveries
from pxed.server.going import Answering, Going, Handing, HttpState, Origin
from pxed.server.happenings import Sent, broke_off, sent, sent_piece
from pxed.server.releases import Releases
from pxed.server.replies import SERVER, Asked, HttpRefusalError, refuse
from pxed.server.sendfile import (
    FileSender,
    Piece,
    Resumed,
    SecureFileSender,
    Sending,
    abort,
    cork,
    drop_when_stalled,
    sender,
)
from pxed.server.transfers import go_on_after, stage_of
from pxed.server.underway import Download, Underway

STALL_SECONDS = 120.0  # a peer that takes no byte for so long has lost power or its cable
RETRY_SECONDS = "10"  # Retry-After of what is still arriving
_RETRY = {"Retry-After": RETRY_SECONDS}
_STAGE = {Role.KERNEL: Kind.KERNEL, Role.INITRD: Kind.INITRD}


class Downloads:
    """Hands out the library's files."""

    def __init__(
        self, library: Library, releases: Releases, emit: Emit, loaded: Callable[[str], None] = lambda machine: None
    ) -> None:
        self._library = library
        self._releases = releases
        self._emit = emit
        self._loaded = loaded  # hears which machine has all files of an image
        self.deliveries = Deliveries()
        self._underway = Underway(emit)
        self.going: set[Going] = set()  # files on their way

    async def loader(self, asked: Asked) -> web.StreamResponse:
        """A boot loader, for UEFI HTTP boot (H1: HEAD, Content-Length, keep-alive)."""
        return await self._send(asked, Handing(self._asset(asked.found.args[0], loader=True), Kind.LOADER))

    async def image(self, asked: Asked) -> web.StreamResponse:
        """A kernel or an initrd."""
        image, file = _image_file(asked)
        if image.flatcar is not None:
            return await self._of_release(asked, image, file)
        asset = self._asset(file.source, loader=False)
        origin = Origin(asked.found.args[0], file.name)
        return await self._send(asked, Handing(asset, _STAGE[file.role], origin=origin, called=file.name))

    async def mirror(self, asked: Asked) -> web.StreamResponse:
        """A file of a release in the release server's own layout, for flatcar-install and update engines."""
        channel, board, word, name = asked.found.args
        arch, _, usr = board.rpartition("-")
        release = self._releases.at(asked.snapshot.inventory, channel, arch, word) if usr == "usr" else None
        if release is None:
            self._no_release(asked, channel, arch, word)
        asset = await self._mirrored(release, name)
        return await self._send(asked, Handing(asset, Kind.TRANSFER, release.files[name].sha512))

    async def _of_release(self, asked: Asked, image: Image, file: BootFile) -> web.StreamResponse:
        name, caller = asked.found.args[0], asked.caller
        machine, version = caller.machine or caller.mac, asked.found.query.get("version", "")
        release = self._releases.of_image(name, image, machine, version)
        if release is None and version:
            refuse(404, f"Release {version[:80]} of image {name} is not mirrored: ask for the boot script again.")
        if release is None:
            refuse(503, f"Image {name}: {self._releases.missing(name)}.", _RETRY, "arriving")
        asset = await self._mirrored(release, file.name)
        digest, origin = release.files[file.name].sha512, Origin(name, file.name, release)
        return await self._send(asked, Handing(asset, _STAGE[file.role], digest, origin, file.name))

    def _whole(self, going: Going, inventory: Inventory) -> None:
        """A machine has got a file: the last one of its image is the end of loading it."""
        machine, origin = going.caller.machine or going.caller.mac, going.handing.origin
        if origin is None:
            return
        if origin.release is not None:
            self._releases.sent(origin.image, origin.release, going.handing.asset, machine)
        image = inventory.images.get(origin.image)
        if machine and image is not None and origin.file == boot_files(image)[-1].name:
            self._loaded(machine)

    async def _mirrored(self, release: Release, name: str) -> Asset:
        try:
            return await self._releases.asset(release, name)
        except AssetError as error:
            headers = _RETRY if error.status == 503 else {}
            raise HttpRefusalError(error.status, _sentence(error), headers, error.why) from None

    def _no_release(self, asked: Asked, channel: str, arch: str, word: str) -> NoReturn:
        """503 for what some image waits for, 404 for anything else."""
        for name, image in asked.snapshot.inventory.images.items():
            flatcar = image.flatcar
            if flatcar is None or (flatcar.channel, flatcar.arch) != (channel, arch):
                continue
            if word == flatcar.version or self._releases.is_arriving(name, word):
                refuse(503, f"Image {name}: {self._releases.missing(name)}.", _RETRY, "arriving")
        refuse(404, f"No release {word[:80]} of {channel[:20]} for {arch[:20]} is mirrored here.")

    def _asset(self, name: str, *, loader: bool) -> Asset:
        try:
            return self._library.loader(name) if loader else self._library.image(name)
        except AssetError as error:
            raise HttpRefusalError(error.status, _sentence(error), why=error.why) from None

    async def _send(self, asked: Asked, handing: Handing) -> web.StreamResponse:
        asset = handing.asset
        validators = Validators(f'"{asset.mtime_ns:x}-{asset.size:x}"', asset.mtime_ns // 1_000_000_000)
        selection = select(asked.request.headers, validators, asset.size)
        if selection.status == 416:
            sentence = f"The file has {asset.size} bytes: ask for a range within them."
            refuse(416, sentence, {"Content-Range": f"bytes */{asset.size}"})
        response = _response(asset, validators, selection)
        if asked.is_get and selection.status in (200, 206):
            await self._body(asked, handing, selection, response)
        return response

    async def _body(self, asked: Asked, handing: Handing, selection: Selection, response: web.StreamResponse) -> None:
        transport = asked.request.transport
        if transport is None:
            raise ConnectionResetError("the client left before it was answered")
        try:
            file = open_asset(handing.asset)
        except AssetError as error:
            raise HttpRefusalError(error.status, _sentence(error), why=error.why) from None
        with file:
            sending = sender(response, transport, file.fileno(), selection.start, selection.count)
            going = self._begin(asked.caller, handing, selection, sending, Answering(asked.request, response))
            delivered = False
            try:
                await _transfer(asked.request, response, transport, sending)
            finally:
                delivered = self._end(going)
        if delivered:
            self._whole(going, asked.snapshot.inventory)

    async def resume(
        self, state: HttpState, inventory: Inventory, sock: socket.socket, file: int
    ) -> socket.socket | None:
        """Send the rest of what another process began. `sock` when its client has all of it, else it is closed."""
        try:
            with os.fdopen(file, "rb"):
                piece = Piece(file, state.selection.start, state.selection.count)
                sending = Resumed(sock, piece, state.sent, state.retransmitted_before)
                caller = Caller(state.address, _endpoint(sock, inventory), state.machine, state.mac)
                handing = Handing(state.asset, state.kind, state.digest, self._origin(state, inventory), state.called)
                going = self._begin(caller, handing, state.selection, sending, None, state)
                going.keeps = state.keeps
                try:
                    await sending.run()
                finally:
                    delivered = self._end(going)
            if delivered:
                self._whole(going, inventory)
        except OSError:
            sock.close()
            return None
        except BaseException:
            sock.close()
            raise
        return sock

    def _origin(self, state: HttpState, inventory: Inventory) -> Origin | None:
        image = inventory.images.get(state.image)
        if image is None:
            return None
        machine = state.machine or state.mac
        release = self._releases.of_image(state.image, image, machine, state.version) if state.version else None
        return Origin(state.image, state.image_file, release)

    def _begin(
        self,
        caller: Caller,
        handing: Handing,
        selection: Selection,
        sending: Sending,
        answering: Answering | None,
        state: HttpState | None = None,
    ) -> Going:
        stage, name, due = stage_of(handing.kind), handing.name, selection.count
        if state is None:
            download = Download(caller, name, stage, due, sending, time.monotonic())
        else:
            go_on_after(state.id)
            download = Download(caller, name, stage, due, sending, state.began, state.id)
        going = Going(caller, handing, selection, sending, download, answering)
        self.going.add(going)
        self._underway.begin(download)
        return going

    def _end(self, going: Going) -> bool:
        """Tell of it, unless another process goes on with it; whether the client now has the whole file."""
        self.going.discard(going)
        self._underway.end(going.download)
        return not going.left and self._account(going)

    def _account(self, going: Going) -> bool:
        """One event for this request: the stage of the boot when the client now has the whole file, which it tells."""
        caller, handing, selection, sending = going.caller, going.handing, going.selection, going.sending
        asset, count, now, began = handing.asset, sending.sent, time.monotonic(), going.download.began
        key = (caller.address, asset)
        delivery = self.deliveries.add(key, selection.start, selection.start + count, asset.size, began)
        what = Sent(handing.name, count, asset.size, now - began, sending.tally.retransmits(), handing.digest)
        if count < selection.count:
            arrived = sending.tally.acknowledged(count)
            broken = what._replace(bytes=arrived, due=selection.count)
            self._emit(broke_off(caller, broken, stage_of(handing.kind)))
        elif delivery is not None:
            self._emit(sent(handing.kind, caller, what._replace(bytes=asset.size, seconds=now - delivery.began)))
        else:
            self._emit(sent_piece(caller, what, selection.start, stage_of(handing.kind)))
        return count == selection.count and delivery is not None


def _endpoint(sock: socket.socket, inventory: Inventory) -> Endpoint:
    try:
        address = str(sock.getsockname()[0])
    except OSError:
        address = "0.0.0.0"
    return endpoint_at(address, inventory.server)


async def _transfer(
    request: web.BaseRequest,
    response: web.StreamResponse,
    transport: asyncio.Transport,
    sending: FileSender | SecureFileSender,
) -> None:
    """Headers and body. Raises ConnectionError when it breaks off; the connection is then of no more use."""
    drop_when_stalled(transport, STALL_SECONDS)
    cork(transport, True)
    try:
        await response.prepare(request)
        await sending.run()
        await response.write_eof()
    except asyncio.CancelledError:
        abort(transport)
        raise
    except OSError as error:
        abort(transport)
        raise ConnectionResetError(str(error)) from None
    finally:
        cork(transport, False)


def _response(asset: Asset, validators: Validators, selection: Selection) -> web.StreamResponse:
    headers = {
        "Server": SERVER,
        "Accept-Ranges": "bytes",
        "ETag": validators.etag,
        "Last-Modified": validators.last_modified,
    }
    if selection.status == 206:
        headers["Content-Range"] = f"bytes {selection.start}-{selection.stop - 1}/{asset.size}"
    response = web.StreamResponse(status=selection.status, headers=headers)
    if selection.status in (200, 206):
        response.content_type = "application/efi" if asset.name.lower().endswith(".efi") else "application/octet-stream"
        response.content_length = selection.count
    elif selection.status == 412:
        response.content_length = 0
    return response


def _image_file(asked: Asked) -> tuple[Image, BootFile]:
    image_name, name = asked.found.args
    image = asked.snapshot.inventory.images.get(image_name)
    if image is None:
        refuse(404, f"There is no image {image_name!r} in the inventory.", why="missing")
    file = find_file(image, name)
    if file is None:
        refuse(404, f"Image {image_name} has no file {name!r}.", why="missing")
    if file.remote:
        refuse(404, f"Image {image_name} has its {file.role} elsewhere: {file.source}")
    return image, file


def _sentence(error: AssetError) -> str:
    """Its text as a sentence; a file's name at its beginning stays as it is."""
    text = str(error)
    first = text if "." in text.partition(" ")[0] else f"{text[:1].upper()}{text[1:]}"
    return f"{first}."
