"""One host with libvirt for the tests of a file."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.lab import inventory
from tests.lab.hypervisor import Hypervisor, hypervisor
from tests.lab.laboratory import fresh
from tests.lab.process import ROOT


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Iterator[Hypervisor]:
    """A host whose libvirtd answers. Its directory stays after a failure: consoles and logs are the evidence."""
    inventory.prepare()
    name = re.sub(r"\W+", "-", request.node.name)
    directory = fresh(ROOT / ".cache" / "artifacts" / f"vagrant-{name}")
    failed = request.session.testsfailed
    with hypervisor(directory) as up:
        yield up
    if request.session.testsfailed == failed:
        shutil.rmtree(directory)
