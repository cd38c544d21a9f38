"""The network card of a simulated machine, and frames in and out of it.

By default a card of its own: a macvlan of the interface, with the machine's MAC, in a network namespace without a name.
The host's interface gets no address, nothing of the host's routes takes part, and the kernel takes all of it away when
the process ends, whatever ends it. As with any macvlan the host's own addresses are not reached through it: probe from
another host. A bridge gets a port of its own instead, through which its host is reached too. `own=False` uses the
interface as it is: in a namespace made for it, or with `--plain`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from pxed.errors import PxedError
from pxed.probe.capture import ETHERNET, Datagram, packet_of

CLONE_NEWNET = 0x40000000
ETH_P_IP = 0x0800
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISC, _OUTGOING = 263, 1, 1, 4  # linux/if_packet.h
_BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
_RECEIVE_BUFFER = 4 << 20
_LIBC = ctypes.CDLL(None, use_errno=True)


class ProbeError(PxedError):
    """The probe itself cannot do its work: bad use, or not permitted."""


class Nic:
    """A network card of a simulated machine. A context manager: what it changed is undone at the end."""

    def __init__(self, interface: str, mac: str = "", *, own: bool = True, namespace: str = "") -> None:
        """`mac`: "" keeps the interface's. `namespace`: of /run/netns, where `interface` is; "" for this one."""
        self.interface = interface
        self.address = ""
        self.hidden = ""  # an address of the host on the interface: what listens there is not reached by this card
        if os.geteuid():
            raise ProbeError("playing a machine needs root: its network card is a macvlan in a namespace of its own")
        self._home = _open_namespace(f"/run/netns/{namespace}" if namespace else "/proc/thread-self/ns/net")
        self._place = self._home
        self._lent = ""
        try:
            self.mac = mac or self._own_mac()
            bridge = self._kind_of_parent() == "bridge"
            self.hidden = "" if own and bridge else self._addresses()
            if own:
                self._attach()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Nic:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give back the address, and the card."""
        if self._lent:
            self._ip("addr", "del", self._lent, "dev", self.interface, check=False)
            self._lent = ""
        if self._place != self._home:  # the kernel would do it too, but some time later
            self._ip("link", "del", "eth0", check=False)
        for descriptor in {self._place, self._home} - {-1}:
            os.close(descriptor)
        self._place = self._home = -1

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread where the card is: a socket that is made there stays there."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _enter(self._place)
            yield
        finally:
            _enter(before)
            os.close(before)

    def configure(self, address: str, prefix: int, router: str = "") -> None:
        """Give the card its leased address. An interface of the host that has one keeps that, and gets no other."""
        if self._place == self._home and (there := self._addresses()):
            self.address = there
            return
        if self.address == address:
            return
        if self._lent:
            self._ip("addr", "del", self._lent, "dev", self.interface, check=False)
        self._lent = f"{address}/{prefix}"
        self._ip("addr", "add", self._lent, "dev", self.interface)
        self.address = address
        if router and self._place != self._home:
            self._ip("route", "replace", "default", "via", router, "dev", self.interface, check=False)

    def wire(self) -> Wire:
        """A socket that sees every frame of the card."""
        with self.inside():
            return Wire(self.interface, self.mac)

    # The card

    def _attach(self) -> None:
        parent, kind = self.interface, self._kind_of_parent()
        self._place = _new_namespace()
        self.interface = "eth0"
        with self.inside():
            _run("ip", "link", "set", "lo", "up")
            target = str(threading.get_native_id())
            if kind == "bridge":
                port = f"probe{self.mac[3:].replace(':', '')[-8:]}"
                peer = ("peer", "name", "eth0", "address", self.mac, "netns", target)
                self._outside("ip", "link", "add", port, "type", "veth", *peer)
                self._outside("ip", "link", "set", port, "master", parent, "up")
            else:
                what = ("address", self.mac, "netns", target, "type", "macvlan", "mode", "bridge")
                self._outside("ip", "link", "add", "link", parent, "name", "eth0", *what)
            for setting in ("all", "eth0"):  # an offer comes from an address that has no way back yet
                Path(f"/proc/sys/net/ipv4/conf/{setting}/rp_filter").write_text("0")
            try:
                _run("ip", "link", "set", "eth0", "up")
            except ProbeError as error:
                who = "another probe, or the interface itself (--plain)"
                raise ProbeError(f"{self.mac} is in use on {parent}: {who}; {error}") from None

    def _kind_of_parent(self) -> str:
        with self.inside():
            if not Path(f"/proc/sys/net/ipv4/conf/{self.interface}").exists():
                raise ProbeError(f"there is no interface {self.interface}")
            details = _run("ip", "-d", "link", "show", "dev", self.interface)
        return "bridge" if " bridge " in details else ""

    def _outside(self, *argv: str, check: bool = True) -> None:
        """Run where the interface is."""
        _run("nsenter", f"--net=/proc/{os.getpid()}/fd/{self._home}", *argv, check=check)

    def _ip(self, *argv: str, check: bool = True) -> None:
        with self.inside():
            _run("ip", *argv, check=check)

    def _own_mac(self) -> str:
        with self.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            try:
                raw.bind((self.interface, 0))
            except OSError as error:
                raise ProbeError(f"there is no interface {self.interface}: {error.strerror}") from None
            mac: bytes = raw.getsockname()[4]
        return mac.hex(":")

    def _addresses(self) -> str:
        """The first IPv4 address of the interface, "" without one."""
        with self.inside():
            words = _run("ip", "-4", "-o", "addr", "show", "dev", self.interface).split()
        return words[words.index("inet") + 1].partition("/")[0] if "inet" in words else ""


class Wire:
    """Frames of one interface: UDP datagrams out as forged, every IPv4 datagram in."""

    def __init__(self, interface: str, mac: str = "") -> None:
        self.interface = interface
        self.mac = mac
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        except PermissionError:
            raise ProbeError("frames can be read and sent by root only (CAP_NET_RAW)") from None
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._socket.bind((interface, ETH_P_IP))
            index = socket.if_nametoindex(interface)
            self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("iHH8s", index, _PROMISC, 0, b""))
        except OSError as error:
            self._socket.close()
            raise ProbeError(f"{interface}: {error.strerror}") from None

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._socket.close()

    def broadcast(self, payload: bytes, *, source: str = "0.0.0.0", sport: int = 68, dport: int = 67) -> None:
        """One UDP datagram to everybody, from the machine's MAC. scapy makes its headers."""
        from scapy.layers.inet import IP, UDP
        from scapy.layers.l2 import Ether
        from scapy.packet import Raw

        headers = Ether(src=self.mac, dst=_BROADCAST_MAC) / IP(src=source, dst="255.255.255.255", ttl=64)
        try:
            self._socket.send(bytes(headers / UDP(sport=sport, dport=dport) / Raw(payload)))
        except OSError as error:
            raise ProbeError(f"{self.interface}: nothing can be sent: {error.strerror}") from None

    def frames(self, seconds: float, *, outgoing: bool = False) -> Iterator[tuple[float, bytes]]:
        """Time and bytes of every frame for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame, about = self._socket.recvfrom(65535)
            except TimeoutError:
                return
            except OSError as error:
                raise ProbeError(f"{self.interface}: {error.strerror}") from None
            if outgoing or about[2] != _OUTGOING:
                yield time.time(), frame

    def datagrams(self, seconds: float) -> Iterator[Datagram]:
        """Every UDP datagram that comes in for so long. Fragments are left out: no reply to a client comes in them."""
        for when, frame in self.frames(seconds):
            packet = packet_of(when, ETHERNET, frame)
            if isinstance(packet, Datagram) and not packet.lost:
                yield packet


def _open_namespace(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise ProbeError(f"{path}: {error.strerror}") from None


def _new_namespace() -> int:
    """A network namespace without a name; this thread is where it was."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if _LIBC.unshare(CLONE_NEWNET):
            raise ProbeError(f"no network namespace can be made: {os.strerror(ctypes.get_errno())} (root is needed)")
        try:
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        finally:
            _enter(before)
    finally:
        os.close(before)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, CLONE_NEWNET):
        raise ProbeError(f"no way into the network namespace: {os.strerror(ctypes.get_errno())}")


def _run(*argv: str, check: bool = True) -> str:
    """A command of iproute2, to its end."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    except FileNotFoundError:
        raise ProbeError(f"{argv[0]} is not installed (iproute2 has ip, util-linux has nsenter)") from None
    if done.returncode and check:
        raise ProbeError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout
