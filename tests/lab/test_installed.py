"""Reading what the systems on a machine's disk printed."""

from __future__ import annotations

import base64
import hashlib

from tests.lab.installed import Installed, read

CONFIG = b'{"ignition": {"version": "3.3.0"}}\n'
DIGEST = hashlib.sha512(CONFIG).hexdigest()
CONSOLE = f"""PXED-LAB live 9.80
PXED-LAB installed-system 4593.2.4
PXED-LAB installed-firmware bios
PXED-LAB installed-without-config
PXED-LAB installed-ready 4.56
PXED-LAB cmdline console=ttyS0
[    0.1] PXED-LAB installed-system 4593.2.5
PXED-LAB installed-firmware efi
PXED-LAB installed-digest {DIGEST}
PXED-LAB installed-mode 600
PXED-LAB installed-config {base64.b64encode(CONFIG).decode()}
"""


def test_each_boot_of_the_disk_is_a_value_of_its_own() -> None:
    first, second = read(CONSOLE.splitlines())
    assert first == Installed("4593.2.4", "bios", ready=True)
    assert second == Installed("4593.2.5", "efi", DIGEST, "600", CONFIG)
    assert (first.whole, second.whole) == (False, True)


def test_a_machine_that_only_booted_by_the_network_has_booted_no_disk() -> None:
    assert read(CONSOLE.splitlines()[:1]) == []
