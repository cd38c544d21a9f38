"""A whole boot, played against any PXE server: one line for each stage, and a verdict.

DISCOVER and lease, port 4011 where the firmware would ask there, the boot loader, iPXE's own DHCP, its scripts, kernel
and initrds in full, and on demand the Ignition config and the report of the booted system.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from pxed.architecture import Architecture, name_of, without_http
from pxed.probe import fetching, judge
from pxed.probe.client import NAK, Client, Ipxe, Reply
from pxed.probe.fetching import Got
from pxed.probe.nic import Nic
from pxed.probe.oracles.choice import Choice
from pxed.probe.oracles.firmware import IPXE
from pxed.probe.oracles.ipxe import boot_server_ack
from pxed.probe.oracles.verdict import Accepted, Ask, Rejected, Tftp, Url, Verdict
from pxed.probe.program import Program, fits, identify
from pxed.status.faults import Finding, finding
from pxed.status.wordings import Fault

MOST_LOADERS = 3  # that load one another before it is a loop
_EDK2_BLKSIZE, _EDK2_WINDOW, _ROM_BLKSIZE = 1468, 4, 1456


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play."""

    interface: str  # as the user knows it
    kind: type[Client]
    arch: int
    uuid: str = ""
    serial: str = ""
    wait: float = 4.0  # seconds for offers
    server: str = ""  # the PXE server that is meant to win, "" for any
    ignition: bool = False
    report: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One stage as it went."""

    stage: str
    ok: bool
    seconds: float
    what: str
    file: str = ""
    bytes: int = 0
    sha256: str = ""

    def __str__(self) -> str:
        return f"{self.stage:<10} {'ok' if self.ok else 'FAILED':<6} {self.seconds:8.3f} s  {self.what}"


Tell = Callable[[Step], None]


class Stop(Exception):  # noqa: N818 -- the boot does not go on; the finding says why
    """A stage failed."""

    def __init__(self, found: Finding) -> None:
        super().__init__(found.cause)
        self.finding = found


@dataclass(slots=True)
class Story:
    """What has happened so far."""

    tell: Tell
    steps: list[Step] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)  # findings that did not stop it
    finding: Finding | None = None
    end: str = ""  # how it ended when nothing failed
    ok: bool = False

    def add(self, stage: str, ok: bool, began: float, what: str, got: Got | None = None) -> None:
        """One more stage, begun at this monotonic time."""
        about = (redacted(got.url), got.size, got.sha256) if got is not None else ("", 0, "")
        step = Step(stage, ok, round(time.monotonic() - began, 4), redacted(what), *about)
        self.steps.append(step)
        self.tell(step)

    def got(self, stage: str, began: float, got: Got, more: str = "") -> None:
        """A file came, or Stop is raised."""
        if got.finding is not None:
            self.add(stage, False, began, f"{got.url}: {got.finding.evidence[0] if got.finding.evidence else ''}", got)
            raise Stop(got.finding)
        words = [f"{got.url}, {got.size} bytes by {got.how}", got.rate, more]
        self.add(stage, True, began, ", ".join(word for word in words if word), got)


def play(plan: Plan, nic: Nic, tell: Tell) -> Story:
    """Boot; the story ends with `end` or a finding. The lease is given back."""
    story = Story(tell)
    try:
        with plan.kind(nic, uuid=plan.uuid, arch=plan.arch) as client:
            if plan.kind is Ipxe:
                _as_ipxe(plan, client, story)
            else:
                _as_firmware(plan, client, story)
    except Stop as stop:
        story.finding = stop.finding
    return story


def _as_firmware(plan: Plan, client: Client, story: Story) -> None:
    verdict = leased(plan, client, story, "discover")
    got, program = _load(client, verdict, story)
    _check_program(client, got, program)
    if program.script:
        _scripts(plan, client, story, got)
        return
    if not program.ipxe:
        story.end, story.ok = f"loaded {got.url}, which is not iPXE: what it does next is not played", True
        return
    with Ipxe(client.nic, uuid=plan.uuid, arch=without_http(plan.arch)) as ipxe:
        client.lease, ipxe.lease = None, client.lease
        _as_ipxe(plan, ipxe, story)


def _as_ipxe(plan: Plan, client: Client, story: Story) -> None:
    """Until a script is here: an iPXE that is sent to another loader loads it, a few times."""
    for loaded in range(MOST_LOADERS + 1):
        verdict = leased(plan, client, story, "ipxe")
        if loaded == MOST_LOADERS:
            raise Stop(finding(Fault.IPXE_LOOP, "ipxe", time.time(), str(verdict), count=loaded))
        began = time.monotonic()
        url = _url_of(verdict)
        got = fetching.by_url(client, url, "script")
        program = identify(got.head) if got.ok else Program("")
        story.got("script" if program.script or not got.ok else "loader", began, got, program.text)
        if program.script:
            _scripts(plan, client, story, got)
            return
        _check_program(client, got, program)
        if not program.ipxe:
            story.end, story.ok = f"iPXE loaded {got.url}, {program.text}: what it does next is not played", True
            return


def _scripts(plan: Plan, client: Client, story: Story, got: Got) -> None:
    from pxed.probe.playing import play_script

    play_script(plan, client, story, got)


def _url_of(verdict: Verdict) -> str:
    assert isinstance(verdict, Accepted)  # noqa: S101 -- leased() gives nothing else
    return verdict.next.url if isinstance(verdict.next, Url) else _tftp_url(verdict.next)


def _tftp_url(where: Tftp | Ask) -> str:
    return f"tftp://{where.server}/{where.file}" if isinstance(where, Tftp) else f"tftp://{where.server}/"


def redacted(text: str) -> str:
    """Without the tokens: a config's URL lets whoever has it read the config."""
    return re.sub(r"([?&]token=)[\w-]+", r"\1TOKEN", text)


# DHCP


def leased(plan: Plan, client: Client, story: Story, stage: str) -> Verdict:
    """Offers, their verdict, a lease, and port 4011: what the client fetches in the end. Raises Stop."""
    began = time.monotonic()
    offers = client.discover(plan.wait)
    choice = client.choose(offers)
    found = judge.findings(client, offers, choice, plan.interface, plan.server)
    what = "; ".join(judge.shown(offer) for offer in offers) or "no reply"
    stuck = _stuck(found, choice, offers, plan)
    story.add(stage, stuck is None, began, what)
    if stuck is not None:
        raise Stop(stuck)
    story.notes += [one for one in found if all(one.fault != note.fault for note in story.notes)]
    _lease(client, offers, choice, story)
    assert isinstance(choice.verdict, Accepted) and choice.boot is not None  # noqa: S101 -- else it is stuck
    if isinstance(choice.verdict.next, Ask):
        return _boot_server(client, offers, choice.verdict.next, offers[choice.boot], story)
    return choice.verdict


def _stuck(found: Sequence[Finding], choice: Choice, offers: Sequence[Reply], plan: Plan) -> Finding | None:
    """The finding for which this boot ends here. A rival that wins ends it only if another was meant to."""
    if not isinstance(choice.verdict, Accepted):
        return found[0]
    chosen = offers[choice.boot].server if choice.boot is not None else ""
    if plan.server and chosen != plan.server:
        return next((one for one in found if one.fault in (Fault.RIVAL_PROXY, Fault.RIVAL_IN_IPXE)), None)
    return None


def _lease(client: Client, offers: Sequence[Reply], choice: Choice, story: Story) -> None:
    assert choice.lease is not None  # noqa: S101 -- every chooser has one with a verdict that is accepted
    offer, began = offers[choice.lease], time.monotonic()
    if client.lease is not None and client.lease.address == offer.address:
        client.lease = None  # asked for again: the same address is acknowledged anew
    answer = client.request(offer)
    if answer is None or answer.kind == NAK:
        silent = answer is None
        story.add("lease", False, began, f"{offer.server} {'does not answer' if silent else 'refuses'}")
        fault = Fault.DHCP_NO_LEASE if silent else Fault.DHCP_REFUSED
        raise Stop(finding(fault, "lease", time.time(), judge.shown(offer), server=offer.server, mac=client.nic.mac))
    router = client.lease.router if client.lease else ""
    story.add("lease", True, began, f"{answer.address} of {answer.server}" + (f", router {router}" if router else ""))


def _boot_server(client: Client, offers: Sequence[Reply], asked: Ask, offer: Reply, story: Story) -> Verdict:
    """Port 4011, and what the firmware makes of the answer."""
    began = time.monotonic()
    answer = client.bootserver(asked.server, asked.item)
    if answer is None:
        story.add("bootserver", False, began, f"no answer from {asked.server}:4011")
        others = [judge.shown(other) for other in offers if other is not offer and judge.offers_boot(other)]
        if offer.address and others:
            raise Stop(
                finding(Fault.DHCP_OPTION_60, "bootserver", time.time(), judge.shown(offer), *others,
                        server=offer.server)
            )  # fmt: skip
        raise Stop(finding(Fault.BOOTSERVER_BLOCKED, "bootserver", time.time(), f"{asked.server}:4011 is silent"))
    if client.firmware is IPXE and asked.item is not None:
        verdict = boot_server_ack(answer.datagram, answer.request)
    else:
        verdict = client.firmware.ack(answer.datagram, answer.request, offer.datagram)
    story.add("bootserver", isinstance(verdict, Accepted), began, f"{judge.shown(answer)}: {verdict}")
    if isinstance(verdict, Rejected):
        raise Stop(finding(Fault.OFFER_DROPPED, "bootserver", time.time(), f"{client.title}: {verdict.reason}"))
    return verdict


# The boot loader


def _load(client: Client, verdict: Verdict, story: Story) -> tuple[Got, Program]:
    assert isinstance(verdict, Accepted)  # noqa: S101
    began = time.monotonic()
    untold = ""
    if isinstance(verdict.next, Url):
        got = fetching.by_url(client, verdict.next.url, "loader", redirects=0)
    elif client.arch == Architecture.X86_BIOS:
        got = fetching.by_tftp(client, *_server_and_file(verdict.next), blksize=_ROM_BLKSIZE)
    else:
        server, file = _server_and_file(verdict.next)
        asked = client.size(server, file)  # EDK2 does, and ends that with an ERROR (T1)
        untold = "the server tells no size, for which EDK2 asks first" if asked.ok and not asked.size else ""
        got = fetching.by_tftp(client, server, file, blksize=_EDK2_BLKSIZE, windowsize=_EDK2_WINDOW)
    program = identify(got.head)
    story.got("loader", began, got, ", ".join(word for word in (program.text, untold) if word))
    return got, program


def _server_and_file(where: Tftp | Ask | Url) -> tuple[str, str]:
    assert isinstance(where, Tftp)  # noqa: S101 -- an Ask has been answered, a Url is fetched by HTTP
    return where.server, where.file


def _check_program(client: Client, got: Got, program: Program) -> None:
    arch = name_of(client.arch)
    if fits(program, arch):
        return
    file = got.url.rpartition("/")[2]
    said = f"{got.url}: {program.text}"
    raise Stop(finding(Fault.WRONG_LOADER, "loader", time.time(), said, file=file, made_for=program.arch, arch=arch))


def as_dict(story: Story) -> dict[str, object]:
    """As `--json` prints it."""
    return {
        "ok": story.ok,
        "end": redacted(story.end) or None,
        "verdict": story.finding.as_dict() if story.finding else None,
        "notes": [note.as_dict() for note in story.notes],
        "stages": [asdict(step) for step in story.steps],
    }
