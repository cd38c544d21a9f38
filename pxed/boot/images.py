"""The files of an image as a boot names them: one word each, the same word in iPXE, in `initrd=` and in the URL.

UEFI kernels find an initrd by iPXE's image name (src/interface/efi/efi_file.c; B3), so a name must be one plain word
and no two files of an image may share one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlsplit

from pxed.boot.endpoint import Endpoint
from pxed.inventory.model import Image

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")
# RFC 3986: what may stand in a URL as it is. "%" is kept: the operator's URL is encoded already.
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"


class Role(StrEnum):
    """What a file of an image is to the machine that boots it."""

    KERNEL = "kernel"
    INITRD = "initrd"


# What a Flatcar release boots from memory (https://www.flatcar.org/docs/latest/installing/bare-metal/booting-with-pxe/).
FLATCAR_KERNEL = "flatcar_production_pxe.vmlinuz"
FLATCAR_INITRD = "flatcar_production_pxe_image.cpio.gz"


@dataclass(frozen=True, slots=True)
class BootFile:
    """One file of an image. `source` is a path below data_dir/images or an http(s) URL; "" for one of a release."""

    role: Role
    name: str
    source: str
    version: str = ""  # of the release
    made: bool = False  # pxed makes it for the machine that asks; `source` is where

    @property
    def remote(self) -> bool:
        """Whether the machine fetches it from somewhere else than from pxed."""
        return is_url(self.source)

    def url(self, image_name: str, endpoint: Endpoint) -> str:
        """Where the machine fetches it, percent-encoded so that iPXE's parser finds nothing of its own in it."""
        if self.remote:
            return quote(self.source, safe=_URL_SAFE)
        # The version is named, so that a kernel and its initrd are of one release whatever is published meanwhile.
        query = f"?version={quote(self.version, safe='')}" if self.version else ""
        return f"{endpoint.url}/images/{quote(image_name, safe='')}/{quote(self.name, safe='')}{query}"


def is_url(source: str) -> bool:
    """Whether an image's file is given by an http or https URL."""
    return source.lower().startswith(("http://", "https://"))


def boot_files(image: Image, version: str = "") -> tuple[BootFile, ...]:
    """The kernel, then the initrds in their order. A base name that comes twice gets "-2".

    `version` is that of the release which the machine boots, where the image is one of Flatcar.
    """
    if image.flatcar is not None:
        return (
            BootFile(Role.KERNEL, FLATCAR_KERNEL, "", version),
            BootFile(Role.INITRD, FLATCAR_INITRD, "", version),
        )
    sources = [(Role.KERNEL, image.kernel)] if image.kernel else []
    sources += [(Role.INITRD, source) for source in image.initrd]
    files: list[BootFile] = []
    for role, source in sources:
        files.append(BootFile(role, unique_name(_word(_base_name(source)), {file.name for file in files}), source))
    return tuple(files)


def find_file(image: Image, name: str) -> BootFile | None:
    """The file of an image that is asked for by its name here, or by its base name on disk."""
    files = boot_files(image)
    by_name = (file for file in files if file.name == name)
    return next(by_name, None) or next((file for file in files if _base_name(file.source) == name), None)


def _base_name(source: str) -> str:
    path = urlsplit(source).path if is_url(source) else source
    return path.rstrip("/").rpartition("/")[2]


def _word(name: str) -> str:
    return _UNSAFE.sub("_", name).lstrip("-") or "file"


def unique_name(name: str, taken: set[str]) -> str:
    """The name, numbered when it is taken."""
    if name not in taken:
        return name
    return next(numbered for n in range(2, len(taken) + 3) if (numbered := f"{name}-{n}") not in taken)
