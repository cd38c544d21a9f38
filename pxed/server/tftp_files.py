"""What TFTP serves: the library's boot loaders, and a dynamic autoexec.ipxe in every directory (H6)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from pxed.assets.library import WHOLE, AssetError, Forbidden, Library, NotFound
from pxed.assets.paths import PathError, clean_tftp, is_autoexec
from pxed.events import Kind
from pxed.tftp.blocks import Buffer
from pxed.tftp.negotiate import Refusal
from pxed.tftp.netascii import to_netascii
from pxed.tftp.packet import ErrorCode


@dataclass(frozen=True, slots=True)
class TftpClient:
    """Who asks, and where the request came in."""

    address: str
    port: int
    local_address: str
    ifindex: int


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent. Two contents with equal keys have equal bytes."""

    name: str
    buffer: Buffer
    key: Hashable
    kind: Kind = Kind.LOADER  # of the event that says it was sent

    def as_netascii(self) -> Content:
        """The text form. Raises Refusal for a file too big to be converted at once: it is no text."""
        if len(self.buffer) > WHOLE:
            raise Refusal(ErrorCode.UNDEFINED, "the file is too big for netascii; ask for octet")
        return Content(self.name, to_netascii(self.buffer[:]), ("netascii", self.key), self.kind)


Resolve = Callable[[str, TftpClient], Content]
"""File name as asked -> content. Raises Refusal."""


class Files:
    """The default resolver. `autoexec` gives the text of autoexec.ipxe for the local address that was asked."""

    def __init__(self, library: Library, autoexec: Callable[[str], str]) -> None:
        self._library = library
        self._autoexec = autoexec

    def __call__(self, filename: str, client: TftpClient) -> Content:
        try:
            name = clean_tftp(filename)
            if is_autoexec(name):
                script = self._autoexec(client.local_address).encode()
                return Content(name, script, script, Kind.TRANSFER)
            asset = self._library.loader(name)
            return Content(asset.name, self._library.read(asset), asset)
        except (PathError, Forbidden):
            raise Refusal(ErrorCode.ACCESS_VIOLATION, "access violation") from None
        except NotFound:
            raise Refusal(ErrorCode.NOT_FOUND, "file not found") from None
        except AssetError as error:
            raise Refusal(ErrorCode.UNDEFINED, str(error)) from None
