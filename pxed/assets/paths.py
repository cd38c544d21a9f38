"""Request path -> asset name: a normalised relative path that cannot leave its root. Pure text; no file is touched.

TFTP clients ask for "\\\\boot\\\\x.efi", "//x.efi" and "tftp://10.0.0.1/x.efi" and pad names with 0xFF (T10); UEFI HTTP
boot asks for "/a/../x.efi" and follows no redirect, so such paths are served as they are (H3). Symbolic links are the
library's matter.
"""

from __future__ import annotations

import re

from pxed.errors import PxedError

MAX_PATH = 1024  # bytes; a TFTP request has room for about 500
MAX_COMPONENT = 255  # bytes; NAME_MAX of the usual file systems
AUTOEXEC = "autoexec.ipxe"

_TFTP_URL = re.compile(r"tftp://[^/]*", re.IGNORECASE)
# A raw 0xFF is "\udcff" when bytes were decoded with surrogateescape, "\xff" when they were read as Latin-1.
_PADDING = "\udcff\xff\0"


class PathError(PxedError, ValueError):
    """A path that no asset can have: a NUL, a climb above the root, an absurd length."""


def clean(path: str) -> str:
    """The normalised relative form "a/b" of a request path; "" for the root itself. Raises PathError."""
    if "\0" in path:
        raise PathError("the path has a NUL in it")
    if len(path) > MAX_PATH or _size(path) > MAX_PATH:
        raise PathError(f"the path is longer than {MAX_PATH} bytes")
    parts: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            if not parts:
                raise PathError("the path climbs above its root")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if any(_size(part) > MAX_COMPONENT for part in parts):
        raise PathError(f"a name in the path is longer than {MAX_COMPONENT} bytes")
    return "/".join(parts)


def clean_tftp(filename: str) -> str:
    """clean() of a TFTP file name, without the padding and the "tftp://HOST" that some ROMs put around it."""
    name = filename.rstrip(_PADDING)
    url = _TFTP_URL.match(name)
    return clean(name[url.end() :] if url else name)


def is_autoexec(path: str) -> bool:
    """Whether a cleaned path is "autoexec.ipxe" in any directory: iPXE looks beside its own binary."""
    return path.rpartition("/")[2].lower() == AUTOEXEC


def _size(text: str) -> int:
    try:
        return len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise PathError("the path is not text") from None
