"""Shared by all tests: what a test needs of the host, and that it leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from tests.lab.postgres import postgres  # noqa: F401 -- a fixture

_NET_TOOLS = ("ip", "setpriv", "dnsmasq", "mmdebstrap", "systemd-nspawn")
_E2E_TOOLS = (
    *_NET_TOOLS,
    "qemu-system-x86_64",
    "tcpdump",
    "apt-get",
    "wget",
    "udevadm",
    "grub-mkimage",
    "mformat",
    "sfdisk",
    "chromium",
    "chromedriver",
)
_VAGRANT_TOOLS = ("libvirtd", "virsh", "virt-xml-validate", "xmllint", "iptables", "vagrant")
_E2E_FILES = (
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/lib/ipxe/undionly.kpxe",
    "/usr/lib/ipxe/snponly.efi",
    "/bin/busybox",
    "/lib/systemd/systemd",
    "/usr/lib/grub/i386-pc/boot.img",
    "/usr/lib/grub/x86_64-efi/kernel.img",
    "/usr/lib/dracut/modules.d/30ignition/ignition",
)


def pytest_configure(config: pytest.Config) -> None:
    """A terminated run unwinds like an interrupted one: the finally blocks take laboratories down."""

    def unwind(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, unwind)


def _missing(item: pytest.Item) -> str:
    """What the host lacks for this test; "" if nothing."""
    real_firmware = any(item.get_closest_marker(name) for name in ("e2e", "vagrant"))
    libvirt = real_firmware and "tests/vagrant" in item.path.as_posix()
    if not real_firmware and item.get_closest_marker("net") is None:
        return ""
    if os.geteuid():
        return "needs root (network namespaces)"
    tools = _E2E_TOOLS if real_firmware else _NET_TOOLS
    tools += _VAGRANT_TOOLS if libvirt else ()
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    lacking += [path for path in _E2E_FILES if real_firmware and not os.path.exists(path)]  # noqa: PTH110
    return f"not installed: {', '.join(lacking)} (make setup)" if lacking else ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the host cannot run, and say why; where CI is set, that is a failure."""
    if not (reason := _missing(item)):
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must run every test, but this one {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Every thread that a test starts has ended with it."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(timeout=5)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert not alive, f"threads left behind: {alive}"


@pytest.fixture(autouse=True)
def no_namespace_left() -> Iterator[None]:
    """Every test ends in the network namespace that it began in: the next one may need the world."""
    before = os.readlink("/proc/thread-self/ns/net")  # noqa: PTH115 -- 9,000 times
    yield
    assert os.readlink("/proc/thread-self/ns/net") == before  # noqa: PTH115
