"""The file tree of a small Debian system, by mmdebstrap: made once, then the ground of every container.

What Debian's packages of pxed depend on is in apt's cache there, so `apt install ./pxed.deb` needs no network.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.lab.process import CACHE, alone, run

SUITE = "bookworm"
_PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "iproute2", "procps", "python3")
# Downloaded, not installed: for apt install ./pxed.deb, and who may have pxed's ports (tests/service/test_host.py).
_LATER = ("ipxe", "python3", "adduser", "dnsmasq", "tftpd-hpa")


def system_tree(suite: str = SUITE) -> Path:
    """The directory of a system of that Debian release, made now if there is none. Nobody may write to it."""
    recipe = f"{suite} {_PACKAGES} {_LATER}"
    home = CACHE / f"system-{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    with alone(f"system-{suite}"):
        if not home.exists():
            for old in CACHE.glob(f"system-{suite}-*"):
                run("rm", "-rf", "--one-file-system", str(old))
            _make(suite, home)
    return home


def _make(suite: str, home: Path) -> None:
    scratch = home.with_name(f"{home.name}.new")
    download = "apt-get -q -y --no-install-recommends --download-only install"
    mmdebstrap = ("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(_PACKAGES)}")
    keep = ("--skip=cleanup/apt", f'--customize-hook=chroot "$1" {download} {" ".join(_LATER)} >/dev/null')
    # Its mounts are in a namespace that ends with it, and it ends with us.
    run("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", *mmdebstrap, *keep, suite, str(scratch))
    scratch.rename(home)
