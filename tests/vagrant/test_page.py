"""The commands of docs/how-to/libvirt.md, as they stand there, in their order, with real libvirtd."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.lab.hypervisor import Hypervisor, by_tcg
from tests.lab.process import ROOT
from tests.vagrant.site import LIBVIRT, MEGABYTES, VAGRANT

PAGE = (ROOT / "docs" / "how-to" / "libvirt.md").read_text()
COMMANDS = re.findall(r"^(virsh .*)$", "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)), re.M)


@pytest.mark.e2e
def test_each_command_works_in_the_order_of_the_page(host: Hypervisor, tmp_path: Path) -> None:
    """The page's files, but the domains as for a host without KVM, as the page says how."""
    shutil.copytree(VAGRANT, tmp_path / "vagrant", ignore=shutil.ignore_patterns(".vagrant"))
    for firmware, size in MEGABYTES.items():
        path = tmp_path / "vagrant" / "libvirt" / f"domain-{firmware}.xml"
        path.write_text(by_tcg(path, host.directory / f"{firmware}.serial", megabytes=size))
    assert len(COMMANDS) > 8
    host.virsh("pool-destroy", "default")
    host.virsh("pool-undefine", "default")
    for command in COMMANDS:
        host.run(*shlex.split(command), directory=tmp_path)
    assert set(host.virsh("list", "--name").split()) == {"pxed-bios1", "pxed-uefi1"}
    assert set(host.virsh("net-list", "--name").split()) == {"pxed", "pxed-without-dhcp"}


def test_the_page_shows_the_network_as_its_file_has_it() -> None:
    (shown,) = re.findall(r"^```xml\n(.*?)^```", PAGE, re.M | re.S)
    assert ElementTree.canonicalize(shown, strip_text=True) == ElementTree.canonicalize(
        (LIBVIRT / "network-dhcp.xml").read_text(), strip_text=True, with_comments=False
    )
