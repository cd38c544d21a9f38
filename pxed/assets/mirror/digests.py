"""FILE.DIGESTS: the digests of one file, three blocks of "# SHA512 HASH" and "HEX  NAME".

As flatcar/scripts ci-automation/ci_automation_common.sh (create_digests) writes them. Of the three only SHA-512 is
used: MD5 and SHA-1 can be forged.
"""

from __future__ import annotations

import re

from pxed.assets.mirror.errors import UntrustedError

_BLOCK = re.compile(r"^#\s*([A-Z0-9]+) HASH\s*$")
_SUM = re.compile(r"^([0-9a-fA-F]{128}) [ *]([^/\s]+)$")


def sha512_of(content: bytes, name: str, url: str) -> str:
    """The SHA-512 that DIGESTS give for the file `name`, lower case. Raises UntrustedError."""
    found: set[str] = set()
    named: set[str] = set()
    block = ""
    for line in content.decode("utf-8", "replace").splitlines():
        if title := _BLOCK.match(line):
            block = title[1]
        elif block == "SHA512" and (entry := _SUM.match(line.rstrip())):
            named.add(entry[2])
            if entry[2] == name:
                found.add(entry[1].lower())
    if len(found) != 1:
        others = f"it is for {', '.join(sorted(named))[:200]}" if named else "it has none"
        what = "two different SHA-512 digests" if found else f"no SHA-512 digest of {name}: {others}"
        raise UntrustedError(f"{url} has {what}, expected one line '<128 hexadecimal digits>  {name}'")
    return found.pop()
