"""The observer: each packet goes to the view of its protocol."""

from __future__ import annotations

from collections.abc import Callable

from pxed.events import Event
from pxed.probe.capture import Packet, Segment
from pxed.probe.observe.dhcp import DhcpView
from pxed.probe.observe.http import HttpView
from pxed.probe.observe.known import Known
from pxed.probe.observe.tftp import TftpView

_DHCP_PORTS = frozenset({67, 68, 4011})


class Observer:
    """`packet` and `tick` give events in the daemon's vocabulary. `server`: the boot server's address, "" for the one
    that shows itself: who offers a boot file as a ProxyDHCP, else as a DHCP server."""

    def __init__(
        self, interface: str = "the wire", server: str = "", name_of: Callable[[str], str] = lambda mac: ""
    ) -> None:
        self._known = Known(interface, server, bool(server), bool(server), name_of)
        self._dhcp = DhcpView(self._known)
        self._tftp = TftpView(self._known)
        self._http = HttpView(self._known)

    @property
    def server(self) -> str:
        """The boot server, "" while none has shown itself."""
        return self._known.server

    def packet(self, packet: Packet) -> list[Event]:
        """What a packet tells; nothing for what has no part in a boot."""
        if isinstance(packet, Segment):
            return self._http.packet(packet)
        if packet.sport in _DHCP_PORTS and packet.dport in _DHCP_PORTS:
            return self._dhcp.packet(packet)
        return self._tftp.packet(packet) if self._tftp.wants(packet) else []

    def tick(self, now: float) -> list[Event]:
        """What time tells: requests that nobody answered, files that came whole without their last acknowledgment."""
        return [*self._dhcp.tick(now), *self._tftp.tick(now), *self._http.tick(now)]
