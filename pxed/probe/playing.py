"""iPXE's part of a played boot: the host of its scripts. Files are fetched whole, counted and digested; none is run."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_to_bytes, urljoin

from pxed.probe import fetching
from pxed.probe.boot import Plan, Stop, Story, leased
from pxed.probe.client import Client
from pxed.probe.fetching import Got
from pxed.probe.ipxescript import Call, Ended, Ipxe, ScriptError
from pxed.probe.program import identify
from pxed.status.faults import Finding, finding
from pxed.status.wordings import Fault

MOST_ROUNDS = 3  # scripts that make the machine wait and ask again
MOST_SLEEP = 2  # seconds that are really waited for one `sleep`
LARGEST_CONFIG = 1 << 20
_BUILDS = {
    0: ("i386", "pcbios"),
    6: ("i386", "efi"),
    10: ("arm32", "efi"),
    11: ("arm64", "efi"),
    27: ("riscv64", "efi"),
    39: ("loong64", "efi"),
}
_WAITING_SCREEN = "waiting to be added to the inventory"
_HOLDS = "shows it the waiting screen"
_REPORT = re.compile(r"https?://[^\s\"'\\<>]+/report/[^\s\"'\\<>]+")


def play_script(plan: Plan, client: Client, story: Story, got: Got) -> None:
    """Run a script that is here, to the end of the boot. Raises Stop."""
    host = _Host(plan, client, story, got.url)
    ipxe = Ipxe(host, host.settings())
    host.ipxe = ipxe
    try:
        ok = ipxe.run(got.head.decode("utf-8", "replace"))
        if ipxe.left:
            raise Ended("exit", "")
        said = "the script ended without starting anything" if ok else "a command of the script failed"
        raise Stop(_refused(host, said))
    except Ended as end:
        host.ended(end)
    except ScriptError as error:
        raise Stop(_refused(host, str(error))) from None


@dataclass(slots=True)
class _Host:
    """pxed.probe.ipxescript.Host on a client's card."""

    plan: Plan
    client: Client
    story: Story
    base: str  # the URL of the script that runs
    ipxe: Ipxe | None = None
    screen: list[str] = field(default_factory=list)
    kernel: str = ""
    initrds: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)  # URLs found in what was fetched
    rounds: int = 0
    slept: int = 0

    def settings(self) -> dict[str, str]:
        """What iPXE knows of the machine."""
        build, platform = _BUILDS.get(self.client.arch, ("x86_64", "efi"))
        lease = self.client.lease
        server = re.sub(r"^\w+://([^/:]+).*", r"\1", self.base)
        return {
            "mac": self.client.nic.mac,
            "ip": self.client.nic.address,
            "uuid": _uuid(self.plan.uuid),
            "serial": self.plan.serial,
            "buildarch": build,
            "platform": platform,
            "manufacturer": "pxed-probe",
            "product": "simulated machine",
            "gateway": lease.router if lease else "",
            "dhcp-server": lease.server if lease else "",
            "next-server": server,
            "filename": self.base,
            "version": "1.21.1+",
        }

    # pxed.probe.ipxescript.Host

    def fetch(self, call: Call) -> str | None:
        """`chain`."""
        url, began = self._absolute(call.words[0] if call.words else ""), time.monotonic()
        self.rounds += 1 if self.slept else 0
        if self.rounds > MOST_ROUNDS:
            raise Ended("waits", "; ".join(self.screen[-3:]))
        got = fetching.by_url(self.client, url, "script")
        program = identify(got.head)
        self.story.got("script" if program.script or not got.ok else "loader", began, got, program.text)
        if not program.script:
            raise Ended("hands-over", f"iPXE starts {url}, {program.text}: what it does next is not played")
        self.base = url
        return got.head.decode("utf-8", "replace")

    def image(self, call: Call, kernel: bool) -> bool:
        """Fetch it whole."""
        if not call.words:
            return False
        url, began = self._absolute(call.words[0]), time.monotonic()
        stage = "kernel" if kernel else "initrd"
        got = fetching.by_url(self.client, url, stage)
        self.story.got(stage, began, got, f"sha256 {got.sha256[:16]}" if got.ok else "")
        if kernel:
            self.kernel, self.initrds = url, []
        else:
            self.initrds.append(url)
            self.reports += _REPORT.findall(_unpacked(got.head)) if got.size <= LARGEST_CONFIG else []
        return True

    def boot(self, cmdline: str) -> bool:
        """The kernel takes over."""
        if not self.kernel:
            return False
        raise Ended("boot", cmdline)

    def dhcp(self) -> bool:
        """Once more, as the script asks."""
        leased(self.plan, self.client, self.story, "ipxe")
        return True

    def sleep(self, seconds: int) -> bool:
        """Waits a moment of it."""
        self.slept += 1
        time.sleep(min(seconds, MOST_SLEEP) / 4)
        return True

    def say(self, text: str) -> None:
        """A line of the screen."""
        if text.strip():
            self.screen.append(text)

    # The end

    def ended(self, end: Ended) -> None:
        """What the script led to."""
        story = self.story
        if end.way == "boot":
            self._booted(end.text)
        elif end.way in ("local", "hands-over"):
            story.end = end.text if end.way == "hands-over" else f"boots its local disk ({end.text})"
            story.ok = True
        elif end.way == "exit":
            story.end, story.ok = "leaves iPXE for the next boot device", True
        elif any(_WAITING_SCREEN in line for line in self.screen):
            raise Stop(finding(Fault.NOT_LISTED, "script", time.time(), *self.screen[-4:], does=_HOLDS))
        else:
            raise Stop(_refused(self, f"the script {end.way}: {end.text}"))

    def _booted(self, cmdline: str) -> None:
        story, began = self.story, time.monotonic()
        config = _argument(cmdline, "ignition.config.url")
        if self.plan.ignition and config:
            got = fetching.by_url(self.client, config, "ignition")
            if got.ok:
                self._check_config(got)
            story.got("ignition", began, got)
        if self.plan.report:
            self._report()
        story.end, story.ok = f"starts {self.kernel} with {len(self.initrds)} initrds: {cmdline}", True

    def _check_config(self, got: Got) -> None:
        try:
            version = json.loads(got.head)["ignition"]["version"]
        except (ValueError, KeyError, TypeError):
            reason = "it is no Ignition config (JSON with ignition.version)"
            raise Stop(
                finding(Fault.IGNITION_REFUSED, "ignition", time.time(), got.url, reason=reason, machine="")
            ) from None
        self.reports += _REPORT.findall(_opened(got.head.decode("utf-8", "replace")))
        self.say(f"Ignition {version}")

    def _report(self) -> None:
        """As the booted system would: POST {"stage": ...} to the URL in its config."""
        began = time.monotonic()
        if not self.reports:
            self.story.add("report", False, began, "no report URL in the config or an initrd (--ignition gets it)")
            raise Stop(finding(Fault.NO_REPORT, "running", time.time(), "no report URL was given", minutes=0))
        body = json.dumps({"stage": self.plan.report, "message": "pxed-probe"}).encode()
        url = self.reports[-1]
        answer = self.client.http(url, method="POST", body=body, headers={"Content-Type": "application/json"})
        self.story.add("report", answer.ok, began, f"{url.partition('?')[0]}: {self.plan.report}, {answer.status}")
        if not answer.ok:
            raise Stop(finding(Fault.NO_REPORT, "running", time.time(), answer.reason, minutes=0))

    def _absolute(self, uri: str) -> str:
        """Against the script's own URL (src/core/uri.c resolve_uri)."""
        if re.match(r"[a-z][a-z0-9+.-]*:", uri):
            return uri
        scheme, _, rest = self.base.partition("://")
        return scheme + "://" + urljoin(f"http://{rest}", uri).removeprefix("http://")


def _refused(host: _Host, what: str) -> Finding:
    return finding(Fault.SCRIPT_REFUSED, "script", time.time(), what, *host.screen[-4:], reason=what)


def _uuid(text: str) -> str:
    """As iPXE prints it: 8-4-4-4-12."""
    raw = text.replace("-", "").lower()
    return "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:])) if len(raw) == 32 else raw


def _argument(cmdline: str, name: str) -> str:
    return next((word.partition("=")[2] for word in cmdline.split() if word.startswith(f"{name}=")), "")


def _unpacked(data: bytes) -> str:
    """A gzipped archive as text; what is no gzip as it is."""
    if data.startswith(b"\x1f\x8b"):
        try:
            data = zlib.decompressobj(31).decompress(data, LARGEST_CONFIG)
        except zlib.error:
            return ""
    return _opened(data.decode("utf-8", "replace"))


def _opened(text: str) -> str:
    """A config's text with the contents of its data URLs behind it."""
    return "\n".join([unquote(text), *_contents(text)])


def _contents(text: str) -> Iterator[str]:
    """RFC 2397, with Ignition's gzip."""
    for kind, body in re.findall(r"data:([\w/+;=.-]*),([^\"\s]*)", text):
        try:
            raw = base64.b64decode(body) if kind.endswith("base64") else unquote_to_bytes(body)
            yield (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode("utf-8", "replace")
        except (ValueError, OSError, EOFError, zlib.error):
            continue
