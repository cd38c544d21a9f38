"""The release server on the laboratory's network: the machines do not see it, pxed mirrors it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab import diskimage, flatcar, livesystem
from tests.lab.netns import DHCP_ADDRESS, Network
from tests.lab.process import LabError, running
from tests.releases.__main__ import key_of
from tests.releases.tree import Tree

PORT = 8000
CHANNEL, ARCH = "stable", "amd64"


@contextlib.contextmanager
def serving(network: Network, root: Path) -> Iterator[None]:
    """The releases below `root` for the length of the block, on the DHCP server's host."""
    argv = [sys.executable, "-m", "tests.releases", "serve", str(root), "--host", DHCP_ADDRESS, "--port", str(PORT)]
    with running(argv, log=root.parent / "releases.log", namespace=network.dhcp, name="releases") as program:
        if program.output.wait(lambda line: line if line.startswith("READY") else None, timeout=10) is None:
            raise LabError(f"the release server did not start:\n{program.output.end()}")
        yield


def settings(root: Path) -> dict[str, Any]:
    """server.mirror: where the releases are, and the key that signs them."""
    key = key_of(root)
    url = f"http://{DHCP_ADDRESS}:{PORT}/{{channel}}"
    return {"url": url, "key": str(root / "key.asc"), "fingerprint": key.fingerprint, "interval": "off"}


def publish(root: Path, version: str, *, installs: bool = False) -> Path:
    """Sign the stand-in of this version and make it the current one. Gives its directory.

    `installs`: it starts systemd after Ignition, has flatcar-install, and an installation image.
    """
    made = flatcar.release(version, *([livesystem.build()] if installs else []))
    image = diskimage.build(version) if installs else None
    releases = Tree(root, key_of(root))
    return releases.publish(CHANNEL, ARCH, version, kernel=made.kernel, initrd=made.cpio, install_image=image)


def tamper(release: Path, name: str = flatcar.CPIO) -> None:
    """Change one byte of a file of a release that has been signed: of the initrd, unless another is named."""
    path = release / name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
