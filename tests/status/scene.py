"""A boot told as the daemon's events, for the tests of the timeline and the diagnosis: one call for each thing seen."""

from __future__ import annotations

from pxed.events import Event, Kind
from pxed.status.boots import Boot
from pxed.status.faults import Finding
from pxed.status.patience import Patience
from pxed.status.timeline import Timeline

MAC = "52:54:00:00:00:01"
UUID = "00112233445566778899aabbccddeeff"
SERVER = "10.0.0.2"  # pxed
DHCP = "10.0.0.1"
START = 1_700_000_000.0


class Scene:
    """One machine in front of a Timeline. `now` is the scene's clock."""

    def __init__(
        self,
        name: str = "node1",
        mac: str = MAC,
        *,
        arch: str = "x86_64-efi",
        timeline: Timeline | None = None,
        patience: Patience | None = None,
        now: float = START,
        address: str = "10.0.0.50",
    ) -> None:
        self.timeline = timeline or Timeline(patience)
        self.name, self.mac, self.arch, self.now, self.address = name, mac, arch, now, address
        self.uuid = UUID
        self.found: list[Finding | None] = []
        self._transfer = 0

    # what the tests ask

    @property
    def boot(self) -> Boot:
        boot = self.timeline.current(self.name or self.mac)
        assert boot is not None
        return boot

    @property
    def finding(self) -> Finding | None:
        return self.boot.finding

    def fault(self) -> str:
        return str(self.boot.finding.fault) if self.boot.finding else ""

    def wait(self, seconds: float) -> Scene:
        """Time passes; the timeline looks once a second, as the daemon does."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            self.found += [finding for _, finding in self.timeline.tick(self.now)]
        return self

    def emit(self, kind: Kind, text: str = "", *, who: bool = True, **data: object) -> Scene:
        name, mac = (self.name, self.mac) if who else ("", "")
        self.timeline.fold(Event(kind, self.now, name, mac, text or str(kind), data=data))  # type: ignore[arg-type]
        return self

    # DHCP

    def _dhcp(self, message: str, client: str, **data: object) -> dict[str, object]:
        return {
            "interface": "eth1", "xid": "0000000a", "message": message, "client": client, "arch": self.arch,
            "port": 67, "uuid": self.uuid, "lacks": "", **data,
        }  # fmt: skip

    def discover(self, client: str = "PXE firmware", file: str = "snponly.efi") -> Scene:
        """The firmware asks and pxed offers."""
        data = self._dhcp("DISCOVER", client, file=file, server=SERVER, address="255.255.255.255", profile="worker")
        return self.emit(Kind.OFFER, f"offered {file}", **data)

    def unanswered(self, reason: str, client: str = "PXE firmware", **data: object) -> Scene:
        return self.emit(Kind.IGNORED, reason, **self._dhcp("DISCOVER", client, reason=reason, **data))

    def request(self, client: str = "PXE firmware", server: str = DHCP, message: str = "REQUEST") -> Scene:
        """The client takes up a DHCP server's offer; pxed sees it and leaves it alone."""
        data = self._dhcp(message, client, reason="not for pxed", chosen=server, requested=self.address, ciaddr="")
        return self.emit(Kind.IGNORED, **data)

    def reply(self, server: str = DHCP, **data: object) -> Scene:
        """Another server's answer to this machine."""
        known = {
            "interface": "eth1", "server": server, "message": "OFFER", "given": self.address, "vendor": "", "file": "",
            "next": "", "xid": "0000000a", "client": "PXE firmware", "survey": False,
        }  # fmt: skip
        return self.emit(Kind.REPLY, who=not data.get("survey"), **(known | data))

    def bootserver(self) -> Scene:
        data = self._dhcp("REQUEST", "PXE firmware", file="snponly.efi", server=SERVER, address=self.address)
        return self.emit(Kind.BOOTSERVER, **(data | {"port": 4011}))

    def ipxe(self, file: str = "http://10.0.0.2:8080/boot.ipxe?mac=x", lacks: str = "") -> Scene:
        data = self._dhcp("DISCOVER", "iPXE", file=file, server=SERVER, address="255.255.255.255", lacks=lacks)
        return self.emit(Kind.IPXE, **(data | {"lacks": lacks}))

    # files

    def start(self, file: str, stage: str, due: int = 1_000_000, transport: str = "http") -> Scene:
        self._transfer += 1
        return self.progress(file, stage, 0, due, transport)

    def progress(
        self, file: str, stage: str, got: int, due: int = 1_000_000, transport: str = "http", **data: object
    ) -> Scene:
        known = {
            "id": self._transfer, "file": file, "bytes": got, "due": due, "seconds": 0.0, "transport": transport,
            "stage": stage, "address": self.address, "retransmits": 0, "heard": got > 0,
        }  # fmt: skip
        return self.emit(Kind.PROGRESS, **(known | data))

    def sent(self, kind: Kind, file: str, size: int = 1_000_000, transport: str = "http", **data: object) -> Scene:
        known = {"file": file, "bytes": size, "seconds": 0.5, "address": self.address, "transport": transport}
        return self.emit(kind, f"sent {file}", **(known | data))

    def broken(self, file: str, stage: str, got: int, due: int = 1_000_000, **data: object) -> Scene:
        known = {
            "file": file, "bytes": got, "due": due, "seconds": 1.0, "transport": "http", "stage": stage,
            "address": self.address, "result": "broke-off", "reason": "broke off", "heard": got > 0,
        }  # fmt: skip
        return self.emit(Kind.TRANSFER, f"broke off {file}", **(known | data))

    def loader(self, file: str = "snponly.efi", transport: str = "tftp") -> Scene:
        self.start(file, "loader", 284_672, transport)
        self.now += 0.3
        return self.sent(Kind.LOADER, file, 284_672, transport, blksize=1468, retransmits=0)

    def refused(self, route: str, status: int, reason: str, what: str = "/x", **data: object) -> Scene:
        known = {"url": what, "reason": reason, "status": status, "transport": "http", "route": route}
        return self.emit(Kind.REFUSED, f"refused: {reason}", **(known | {"address": self.address} | data))

    # the script and after

    def script(self, way: str = "memory", **data: object) -> Scene:
        known = {
            "profile": "worker", "way": way, "arch": self.arch, "platform": "efi", "reason": "by MAC", "boot": "b1",
            "version": "4593.2.5", "image": "flatcar", "files": "vmlinuz image.cpio.gz", "config": "url",
            "config_url": "http://10.0.0.2:8080/ignition/node1", "report": False, "report_within": 0,
            "first_boot": True, "root": "", "address": self.address,
        }  # fmt: skip
        return self.emit(Kind.SCRIPT, "gave the script", **(known | data))

    def fetch(self, kind: Kind, file: str, size: int = 1_000_000) -> Scene:
        self.start(file, str(kind), size)
        self.now += 1.0
        return self.sent(kind, file, size)

    def files(self) -> Scene:
        return self.fetch(Kind.KERNEL, "vmlinuz").fetch(Kind.INITRD, "image.cpio.gz", 5_000_000)

    def system(self, message: str = "REQUEST") -> Scene:
        """The booted system asks for its address."""
        data = self._dhcp(message, "other", reason="not a network boot", chosen=DHCP, requested=self.address)
        return self.emit(Kind.IGNORED, **data)

    def ignition(self) -> Scene:
        return self.emit(Kind.IGNITION, "sent its Ignition config", bytes=1000, seconds=0.1, address=self.address)

    # whole ways

    def to_loader(self) -> Scene:
        """A UEFI machine as far as its loader."""
        self.discover().wait(4).request().wait(0.2).bootserver().wait(0.1)
        return self.loader()

    def to_ipxe(self) -> Scene:
        return self.to_loader().wait(2).ipxe().wait(1).request("iPXE").wait(0.1)

    def to_script(self, **data: object) -> Scene:
        return self.to_ipxe().script(**data).wait(0.1)
