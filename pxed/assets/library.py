"""The library: the only opener of the files that pxed hands out.

`data_dir/loaders` lies over the boot loaders of the distribution's `ipxe` package; `data_dir/images` holds kernels and
initrds. A name that leaves its root through a symbolic link is refused: what is under data_dir may be written by other
hands. The packaged directories belong to root, and their links are followed (Debian: /usr/lib/ipxe/ipxe.efi ->
/boot/ipxe.efi).
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from pxed.assets.paths import PathError, clean
from pxed.errors import PxedError

WHOLE = 4 << 20  # bytes; a file up to this size is read once and kept, a bigger one is read in pieces
MAX_CACHED = 32 << 20  # bytes of whole files kept; distinct loaders that are asked for could otherwise fill the memory
MAX_OPEN = 64  # descriptors of bigger files kept open
MAX_LISTINGS = 64  # directories whose lower-case index is kept


class AssetError(PxedError):
    """A file that is not handed out. `status` is the HTTP status that says so, `why` a word for the diagnosis."""

    status = 500
    why = ""

    def __init__(self, text: str, why: str = "") -> None:
        super().__init__(text)
        self.why = why or self.why


class NotFound(AssetError):  # noqa: N818 -- named by what the client is told
    """There is no such file."""

    status = 404
    why = "missing"


class Forbidden(AssetError):  # noqa: N818
    """The name or the file is outside of what is served, or the daemon may not read it."""

    status = 403


class Changed(AssetError):  # noqa: N818
    """The file was changed between two reads; asking again gives the new one."""

    status = 503


@dataclass(frozen=True, slots=True)
class Asset:
    """One regular file, as it was when it was looked up. `path` has no symbolic links left."""

    name: str
    path: Path
    size: int
    mtime_ns: int


class Buffer(Protocol):
    """The bytes of a file: `bytes`, or a file that is read piece by piece."""

    def __len__(self) -> int: ...
    def __getitem__(self, piece: slice, /) -> bytes: ...


class PiecewiseFile:
    """A big file, read as it is asked for. Not mmap: a file truncated in place would then kill the daemon (SIGBUS)."""

    __slots__ = ("_asset", "_fd")

    def __init__(self, asset: Asset, fd: int = -1) -> None:
        """`fd`: the asset as it was opened before; it belongs to this object from now on."""
        self._fd = fd
        self._asset = asset
        if fd < 0:
            self._fd = _open(asset)

    @property
    def asset(self) -> Asset:
        return self._asset

    def fileno(self) -> int:
        return self._fd

    def __len__(self) -> int:
        return self._asset.size

    def __getitem__(self, piece: slice) -> bytes:
        """The bytes of a slice with step 1. Raises Changed when the file is no longer the one that was looked up."""
        start, stop, _ = piece.indices(self._asset.size)
        _same(self._fd, self._asset)
        data = os.pread(self._fd, max(0, stop - start), start)
        if len(data) != max(0, stop - start):
            raise Changed(f"{self._asset.name} was cut short while being read")
        return data

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


class Library:
    """Finds and reads files. Its lookups touch the disk: none of them belongs into the path of a DHCP answer."""

    def __init__(self, data_dir: Path, packaged: Sequence[Path] = (Path("/usr/lib/ipxe"),)) -> None:
        self.loaders = data_dir / "loaders"
        self.images = data_dir / "images"
        self.packaged = tuple(packaged)
        self._whole: OrderedDict[Asset, bytes] = OrderedDict()
        self._whole_bytes = 0
        self._open: OrderedDict[Asset, PiecewiseFile] = OrderedDict()
        self._listings: OrderedDict[Path, tuple[int, dict[str, str]]] = OrderedDict()

    def loader(self, name: str) -> Asset:
        """The boot loader of that name; upper and lower case are told apart only where both exist."""
        cleaned = _cleaned(name)
        for spelling in (lambda root: cleaned, lambda root: self._any_case(root, cleaned)):
            asset = self._first_loader(spelling)
            if asset:
                return asset
        raise NotFound(f"there is no boot loader {cleaned!r} in {self.loaders} or the ipxe package")

    def image(self, name: str) -> Asset:
        """The file of that name under data_dir/images."""
        cleaned = _cleaned(name)
        asset = confined(self.images, cleaned)
        if asset is None:
            raise NotFound(f"there is no file {cleaned!r} in {self.images}")
        return asset

    def read(self, asset: Asset) -> Buffer:
        """The bytes of an asset, shared by all who read it. Raises AssetError when it is gone or changed."""
        if asset.size > WHOLE:
            return self._piecewise(asset)
        data = self._whole.get(asset)
        if data is None:
            data = self._whole[asset] = _read_whole(asset)
            self._whole_bytes += len(data)
            while self._whole_bytes > MAX_CACHED:
                self._whole_bytes -= len(self._whole.popitem(last=False)[1])
        self._whole.move_to_end(asset)
        return data

    def _piecewise(self, asset: Asset) -> PiecewiseFile:
        file = self._open.get(asset)
        if file is None:
            file = self._open[asset] = PiecewiseFile(asset)
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)  # transfers that still read it keep it open
        self._open.move_to_end(asset)
        return file

    def _first_loader(self, spelling: Callable[[Path], str]) -> Asset | None:
        asset = confined(self.loaders, spelling(self.loaders))
        if asset:
            return asset
        for root in self.packaged:
            name = spelling(root)
            asset = _asset(name, Path(os.path.realpath(root / name))) if name else None
            if asset:
                return asset
        return None

    def _any_case(self, root: Path, name: str) -> str:
        """`name` as it is spelt on disk below root; "" when no spelling of it is there."""
        found: list[str] = []
        for part in name.split("/"):
            spelt = self._listing(root.joinpath(*found)).get(part.lower())
            if spelt is None:
                return ""
            found.append(spelt)
        return "/".join(found)

    def _listing(self, directory: Path) -> dict[str, str]:
        """Lower-case name -> name in a directory, kept until the directory changes: a probe must fail fast (T11)."""
        try:
            mtime_ns = directory.stat().st_mtime_ns
            known = self._listings.get(directory)
            if known is None or known[0] != mtime_ns:
                known = (mtime_ns, {path.name.lower(): path.name for path in sorted(directory.iterdir(), reverse=True)})
                self._listings[directory] = known
        except OSError:
            return {}
        if len(self._listings) > MAX_LISTINGS:
            self._listings.popitem(last=False)
        return known[1]


def open_asset(asset: Asset) -> BinaryIO:
    """The file itself, open for reading, checked to be the one that was looked up. The caller closes it."""
    return os.fdopen(_open(asset), "rb")


def _cleaned(name: str) -> str:
    try:
        return clean(name)
    except PathError as error:
        raise Forbidden(str(error)) from None


def confined(root: Path, name: str) -> Asset | None:
    """The regular file `name` below root, None when there is none. Raises Forbidden when a link leads out of root."""
    if not name:
        return None
    real_root = os.path.realpath(root)
    path = os.path.realpath(f"{real_root}/{name}")
    if os.path.commonpath((real_root, path)) != real_root:
        raise Forbidden(f"{name!r} is a symbolic link that leads out of {root}")
    return _asset(name, Path(path))


def _asset(name: str, path: Path) -> Asset | None:
    try:
        info = path.stat()
    except PermissionError:
        raise Forbidden(f"pxed may not read {path}") from None
    except OSError:
        return None
    return Asset(name, path, info.st_size, info.st_mtime_ns) if stat.S_ISREG(info.st_mode) else None


def _open(asset: Asset) -> int:
    try:
        # O_NOFOLLOW: the path was resolved, so a link there now was put there since. O_NONBLOCK: so was a FIFO.
        fd = os.open(asset.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFound(f"{asset.name} is no longer there") from None
    except OSError as error:
        raise Forbidden(f"pxed cannot read {asset.path}: {error.strerror}") from None
    try:
        _same(fd, asset)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _same(fd: int, asset: Asset) -> None:
    info = os.fstat(fd)
    if (info.st_size, info.st_mtime_ns) != (asset.size, asset.mtime_ns) or not stat.S_ISREG(info.st_mode):
        raise Changed(f"{asset.name} was changed while being read")


def _read_whole(asset: Asset) -> bytes:
    with os.fdopen(_open(asset), "rb") as file:
        data = file.read(asset.size + 1)
        _same(file.fileno(), asset)
    if len(data) != asset.size:
        raise Changed(f"{asset.name} was changed while being read")
    return data
