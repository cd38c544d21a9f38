"""/loaders/FILE and /images/NAME/FILE: whole files and ranges, by sendfile, measured.

Not aiohttp's FileResponse: asked for X with Accept-Encoding: gzip it sends X.gz instead, if there is one, as gzip
content; it takes two trips through a thread pool for each request; and it does not tell how much was sent.
"""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from pxed.assets.library import Asset, AssetError, Library
from pxed.boot.images import BootFile, Role, find_file
from pxed.events import Emit, Kind, Level
from pxed.server.conditions import Selection, Validators, select
from pxed.server.deliveries import Deliveries
from pxed.server.happenings import broke_off, happened, sent
from pxed.server.replies import SERVER, Asked, HttpRefusalError, refuse
from pxed.server.sendfile import FileSender, cork, drop_when_stalled

STALL_SECONDS = 120.0  # a peer that takes no byte for so long has lost power or its cable
_STAGE = {Role.KERNEL: Kind.KERNEL, Role.INITRD: Kind.INITRD}


class Downloads:
    """Hands out the library's files."""

    def __init__(self, library: Library, emit: Emit) -> None:
        self._library = library
        self._emit = emit
        self._deliveries = Deliveries()

    async def loader(self, asked: Asked) -> web.StreamResponse:
        """A boot loader, for UEFI HTTP boot (H1: HEAD, Content-Length, keep-alive)."""
        return await self._send(asked, self._asset(asked.found.args[0], loader=True), Kind.LOADER)

    async def image(self, asked: Asked) -> web.StreamResponse:
        """A kernel or an initrd."""
        file = _image_file(asked)
        return await self._send(asked, self._asset(file.source, loader=False), _STAGE[file.role])

    def _asset(self, name: str, *, loader: bool) -> Asset:
        try:
            return self._library.loader(name) if loader else self._library.image(name)
        except AssetError as error:
            raise HttpRefusalError(error.status, _sentence(error)) from None

    async def _send(self, asked: Asked, asset: Asset, stage: Kind) -> web.StreamResponse:
        validators = Validators(f'"{asset.mtime_ns:x}-{asset.size:x}"', asset.mtime_ns // 1_000_000_000)
        selection = select(asked.request.headers, validators, asset.size)
        if selection.status == 416:
            sentence = f"The file has {asset.size} bytes: ask for a range within them."
            refuse(416, sentence, {"Content-Range": f"bytes */{asset.size}"})
        response = _response(asset, validators, selection)
        if asked.is_get and selection.status in (200, 206):
            await self._body(asked, asset, stage, selection, response)
        return response

    async def _body(
        self, asked: Asked, asset: Asset, stage: Kind, selection: Selection, response: web.StreamResponse
    ) -> None:
        transport = asked.request.transport
        if transport is None:
            raise ConnectionResetError("the client left before it was answered")
        try:
            file = self._library.open(asset)
        except AssetError as error:
            raise HttpRefusalError(error.status, _sentence(error)) from None
        began = time.monotonic()
        with file:
            sender = FileSender(transport, file.fileno(), selection.start, selection.count)
            try:
                await _transfer(asked.request, response, transport, sender)
            finally:
                self._account(asked, asset, stage, selection, count=sender.sent, began=began)

    def _account(
        self, asked: Asked, asset: Asset, stage: Kind, selection: Selection, *, count: int, began: float
    ) -> None:
        """One event for this request: the stage of the boot when the client now has the whole file."""
        name = asset.name.rpartition("/")[2]
        caller = asked.caller
        now = time.monotonic()
        key = (caller.address, asset)
        delivery = self._deliveries.add(key, selection.start, selection.start + count, asset.size, began)
        if count < selection.count:
            self._emit(broke_off(caller, name, count, selection.count, now - began))
        elif delivery is not None:
            self._emit(sent(stage, caller, name, asset.size, now - delivery.began))
        else:
            text = f"sent bytes {selection.start}-{selection.stop - 1} of {asset.size} of {name}"
            self._emit(happened(Kind.TRANSFER, caller, text, Level.DEBUG, file=name, bytes=count))


async def _transfer(
    request: web.BaseRequest, response: web.StreamResponse, transport: asyncio.Transport, sender: FileSender
) -> None:
    """Headers and body. Raises ConnectionError when it breaks off; the connection is then of no more use."""
    drop_when_stalled(transport, STALL_SECONDS)
    cork(transport, True)
    try:
        await response.prepare(request)
        await sender.run()
        await response.write_eof()
    except asyncio.CancelledError:
        transport.abort()
        raise
    except OSError as error:
        transport.abort()
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


def _image_file(asked: Asked) -> BootFile:
    image_name, name = asked.found.args
    image = asked.snapshot.inventory.images.get(image_name)
    if image is None:
        refuse(404, f"There is no image {image_name!r} in the inventory.")
    file = find_file(image, name)
    if file is None:
        refuse(404, f"Image {image_name} has no file {name!r}.")
    if file.remote:
        refuse(404, f"Image {image_name} has its {file.role} elsewhere: {file.source}")
    return file


def _sentence(error: AssetError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
