"""pxed in a container as its Debian package lays it out, until the package itself is there."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.lab.nspawn import Container
from tests.lab.process import ROOT


def _needed(name: str, found: set[str]) -> None:
    if (name := re.sub(r"[-_.]+", "-", name).lower()) in found:
        return
    found.add(name)
    for line in distribution(name).requires or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in one.extras or {""}):
            for extra in one.extras:
                for other in distribution(one.name).requires or ():
                    if f'extra == "{extra}"' in other.replace("'", '"'):
                        _needed(Requirement(other).name, found)
            _needed(one.name, found)


def install(system: Container) -> None:
    names: set[str] = set()
    _needed("pxed", names)
    home = f"/usr/lib/pxed/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    place = system.root / home.lstrip("/")
    place.mkdir(parents=True)
    tops = set()
    for name in names - {"pxed"}:
        for file in distribution(name).files or ():
            if not str(file).startswith(".."):
                tops.add(Path(file).parts[0])
    for top in sorted(tops - {"__pycache__"}):
        system.put(Path(sys.prefix, *Path(home).parts[4:], top), f"{home}/{top}")
    system.put(ROOT / "pxed", f"{home}/pxed")
    (system.root / "usr/lib/pxed/bin").mkdir()
    (system.root / "usr/lib/pxed/bin/python3").symlink_to("/usr/bin/python3")
    system.write(
        "/usr/lib/pxed/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n"
    )
    for name, call in (("pxed", "pxed.cli"), ("pxed-probe", "pxed.probe.main")):
        text = f"#!/usr/lib/pxed/bin/python3 -I\nimport sys\nfrom {call} import main\nsys.exit(main())\n"
        system.write(f"/usr/bin/{name}", text)
        (system.root / f"usr/bin/{name}").chmod(0o755)
    for unit in (*ROOT.glob("systemd/*.socket"), ROOT / "systemd/pxed.service"):
        text = unit.read_text().replace("Type=notify-reload\n", "")
        system.write(f"/usr/lib/systemd/system/{unit.name}", text)
    system.put(ROOT / "systemd/pxed.sysusers", "/usr/lib/sysusers.d/pxed.conf")
    system.put(ROOT / "systemd/pxed.tmpfiles", "/usr/lib/tmpfiles.d/pxed.conf")
    system.put(ROOT / "systemd/pxed-sockets.conf", "/usr/share/pxed/pxed-sockets.conf")
    system.run("systemd-sysusers", "pxed.conf")
    system.run("systemd-tmpfiles", "--create", "pxed.conf")
    system.run("apt-get", "install", "-y", "--no-install-recommends", "ipxe")
    system.run("systemctl", "daemon-reload")
