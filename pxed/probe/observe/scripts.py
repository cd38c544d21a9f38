"""iPXE scripts seen on a wire: what they tell a machine to do, found by running them without doing any of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pxed.events import Event, Kind, Level, Value
from pxed.probe.ipxescript import Call, Ended, Ipxe, ScriptError
from pxed.probe.observe.known import MOST_FILES, Known
from pxed.server.tftp_events import printable

_WAITING_SCREEN = "waiting to be added to the inventory", "is not in the inventory of"


def is_script(head: bytes) -> bool:
    """Whether a file begins as an iPXE script."""
    return head.startswith((b"#!ipxe", b"#!gpxe"))


@dataclass(slots=True)
class _Dry:
    """A host that does nothing and remembers: pxed.probe.ipxescript.Host."""

    kernel: str = ""
    initrds: list[str] = field(default_factory=list)
    chained: str = ""
    said: list[str] = field(default_factory=list)

    def fetch(self, call: Call) -> str | None:
        """The script goes on in another one, which will be seen when it comes."""
        self.chained = call.words[0] if call.words else ""
        raise Ended("chains", self.chained)

    def image(self, call: Call, kernel: bool) -> bool:
        """A kernel or an initrd."""
        url = call.words[0] if call.words else ""
        if kernel:
            self.kernel = url
        elif len(self.initrds) < MOST_FILES:
            self.initrds.append(url)
        return True

    def boot(self, cmdline: str) -> bool:
        """Only a kernel that is loaded starts."""
        if self.kernel:
            raise Ended("boot", cmdline)
        return False

    def dhcp(self) -> bool:
        """It works."""
        return True

    def sleep(self, seconds: int) -> bool:
        """So does that."""
        return True

    def say(self, text: str) -> None:
        """Kept."""
        self.said = [*self.said, text][-8:]


def script_events(known: Known, when: float, mac: str, address: str, url: str, body: bytes) -> list[Event]:
    """The SCRIPT or HELD event of a script that a machine got; none for one that only leads to another."""
    host = _Dry()
    ipxe = Ipxe(host, {"mac": mac, "ip": address, "platform": "efi", "buildarch": "x86_64"})
    try:
        ipxe.run(body.decode("utf-8", "replace"))
        way, text = "exit", ""
    except Ended as end:
        way, text = end.way, end.text
    except ScriptError as error:
        way, text = "unknown", str(error)
    said = " ".join(host.said)
    if any(words in said for words in _WAITING_SCREEN):
        data: dict[str, Value] = {"uuid": "", "serial": "", "address": address}
        return [Event(Kind.HELD, when, known.name(mac), mac, "gets the waiting screen", Level.INFO, data)]
    if way == "chains":
        told = printable(f"gets a script that leads to {host.chained.partition('?')[0]}")
        return [Event(Kind.NOTICE, when, known.name(mac), mac, told, Level.DEBUG)]
    return [_script_event(known, when, mac, address, way, text, host)]


def _script_event(known: Known, when: float, mac: str, address: str, way: str, text: str, host: _Dry) -> Event:
    course = known.client(mac)
    course.kernel, course.initrds = host.kernel, tuple(host.initrds)
    config = _argument(text, "ignition.config.url") if way == "boot" else ""
    course.config = config
    files = [printable(url).partition("?")[0].rpartition("/")[2] for url in (host.kernel, *host.initrds) if url]
    ways = {"boot": "memory", "local": "local", "exit": "local", "waits": "wait", "shell": "held"}
    data: dict[str, Value] = {
        "profile": "",
        "way": ways.get(way, way),
        "arch": "",
        "reason": "",
        "boot": "",
        "image": "",
        "version": "",
        "files": " ".join(files),
        "config": "url" if config else "none",
        "config_url": printable(config.partition("?")[0]),
        "report": False,
        "first_boot": "flatcar.first_boot" in text,
        "root": _argument(text, "root"),
        "address": address,
        "interface": known.interface,
    }
    told = printable(f"gets its script: {' and '.join(files) or text or 'it leaves iPXE'}")
    return Event(Kind.SCRIPT, when, known.name(mac), mac, told, Level.INFO, data)


def _argument(cmdline: str, name: str) -> str:
    return next((word.partition("=")[2] for word in cmdline.split() if word.startswith(f"{name}=")), "")
