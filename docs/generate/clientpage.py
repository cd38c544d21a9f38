"""The page of the kinds of clients: which architecture gets which boot loader, from pxed's own tables."""

from __future__ import annotations

from pxed.architecture import HTTP_BOOT, Architecture, name_of
from pxed.boot.loaders import DEFAULT_LOADERS, LOADER_KEY

HEAD = """# Clients and their boot loaders

| client | asks on port | gets |
|---|---|---|
| BIOS PXE ROM | 67, some also 4011 | its boot loader by TFTP; option 43 `06 01 08` in the offer: look no further |
| UEFI PXE | 67, then 4011 | its boot loader by TFTP, and no option 43 (unless `pxe.opt43` wants it) |
| UEFI HTTP Boot | 67 | the boot loader's URL; option 60 is `HTTPClient` |
| iPXE | 67 | the URL of its script; a boot loader if this build lacks HTTP, or on BIOS bzImage |
| the ROM of a Raspberry Pi | 67 | a menu entry "Raspberry Pi Boot" in option 43, and its boot loader by TFTP |
| a machine left alone, anything that is no PXE client | | silence; `--log-level debug` has the reason |

The architecture is the first number of option 93 that there is a boot loader for; without option 93 a client is BIOS.
The name is what `match: {arch: ...}` of a group compares with, and what templates have as `machine.arch`.

Files are looked for in `data_dir/loaders`, then in those of Debian's package `ipxe`, which on Debian 12 has x86 only.
Another file for one kind of firmware: `server.loaders`; for one machine or profile: `loader`.

| option 93 | | name | kind | boot loader |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join(map(_row, Architecture)) + "\n"


def _row(number: Architecture) -> str:
    key = LOADER_KEY.get(number)
    how = "HTTP Boot" if number in HTTP_BOOT else "PXE"
    loader = f"`{DEFAULT_LOADERS[key]}`" if key else "only a machine's own `loader`"
    return f"| {int(number)} (0x{number:02x}) | {how} | `{name_of(number)}` | {f'`{key}`' if key else ''} | {loader} |"
