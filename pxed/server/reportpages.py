"""Where a machine says how it is. What changes anything needs the token of its boot."""

from __future__ import annotations

import json
from typing import NamedTuple

from aiohttp import web

from pxed.events import Emit, Kind, Level
from pxed.inventory.lookup import Match
from pxed.inventory.profile import Boot
from pxed.server.access import NOT_KEPT, Access
from pxed.server.bodies import read_body
from pxed.server.callers import Caller
from pxed.server.firstboot import FirstBoots
from pxed.server.happenings import happened, printable
from pxed.server.heirs import marks_or_name
from pxed.server.machines import Machines
from pxed.server.named import match_of
from pxed.server.progress import Progress
from pxed.server.redact import redacted
from pxed.server.replies import Asked, json_reply, refuse
from pxed.status.install import OutdatedError
from pxed.status.records import Purpose, State, Token
from pxed.status.store.errors import StoreError
from pxed.status.tokens import Denied

MAX_REPORT = 64 << 10  # bytes
MAX_MESSAGE = 4096  # characters that are kept
_REPORTS = frozenset({Purpose.REPORT, Purpose.RESIDENT})
_INSTALLS = (State.WANTED, State.INSTALLING, State.INSTALLED)
_STAGES = {
    "running": Kind.RUNNING,
    "installing": Kind.INSTALLING,
    "installed": Kind.INSTALLED,
    "failed": Kind.FAILED,
}


class Report(NamedTuple):
    """What a machine says."""

    stage: str
    message: str


class ReportPages:
    """Takes reports."""

    def __init__(
        self, emit: Emit, access: Access, machines: Machines, progress: Progress, first_boots: FirstBoots
    ) -> None:
        self._emit = emit
        self._access = access
        self._machines = machines
        self._progress = progress
        self._first_boots = first_boots

    async def report(self, asked: Asked) -> web.StreamResponse:
        """POST /report/MACHINE[?token=...][&stage=...]: JSON, or the stage in the query and a text."""
        match, _, caller = match_of(asked, self._access)
        token = self._token(asked, match, caller)
        report = _report(asked, await read_body(asked.request, MAX_REPORT, "A report"))
        match = self._machines.match_now(match)
        if token is None:
            self._progress.reported_openly(match.name, report.stage, report.message)
        else:
            match = self._machines.match_of_boot(asked.snapshot.inventory, match, token.boot)
            try:
                await self._progress.report(match, token, report.stage, report.message)
            except OutdatedError as error:
                self._say(caller, match, report, f" (not counted: {error})")
                refuse(409, f"Not counted: {error}.")
            except StoreError:
                refuse(503, f"{NOT_KEPT}: report again.", {"Retry-After": "5"})
        self._say(caller, match, report)
        if report.stage == "running":
            await self.had_first_boot(caller, match)
        return json_reply({"machine": match.name, "stage": report.stage})

    def _token(self, asked: Asked, match: Match, caller: Caller) -> Token | None:
        """What vouches for the report; None where nothing has to. Raises HttpRefusalError."""
        raw, standing = asked.found.query.get("token", ""), self._machines.standing(match.name)
        installs = match.profile.boot is Boot.INSTALL or (standing is not None and standing.state in _INSTALLS)
        needed = match.profile.report or installs
        if raw and (needed or self._access.is_for(raw, match.name, _REPORTS)):
            return self._access.check(raw, match.name, _REPORTS, caller)
        if needed:
            sentence = "its reports need the token that its boot was given"
            self._access.deny(Denied(403, "no-token", sentence), match.name, caller)
        return None  # whatever token it shows: that of its config is no secret any more

    def _say(self, caller: Caller, match: Match, report: Report, more: str = "") -> None:
        stage, message = report
        text = f"the machine reports: {stage}" + (f": {printable(message)}" if message else "") + more
        kind = _STAGES[stage] if not more else Kind.NOTICE
        level = Level.WARNING if stage == "failed" or more else Level.INFO
        self._emit(happened(kind, caller, text, level, profile=match.profile_name, reason=printable(message) or None))

    async def had_first_boot(self, caller: Caller, match: Match) -> None:
        """Ignition has run on a persistent root, or the system on it has reported."""
        root = match.profile.root
        if root is None:
            return
        try:
            macs = marks_or_name(match.machine, match.name)
            if await self._first_boots.mark(self._machines.name_now(match), root, macs):
                text = f"its root {root} has had its first boot: Ignition runs no more"
                self._emit(happened(Kind.NOTICE, caller, text))
        except StoreError as error:
            self._emit(happened(Kind.NOTICE, caller, f"its first boot is not recorded: {error}", Level.WARNING))


def _report(asked: Asked, body: bytes) -> Report:
    """Raises HttpRefusalError."""
    kind = asked.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if "stage" in asked.found.query and kind != "application/json":
        stage, message = asked.found.query["stage"], body.decode(errors="replace")
    else:
        stage, message = _json_report(body)
    if not {stage, asked.found.query.get("stage", stage)} <= _STAGES.keys():
        refuse(400, f"A report's stage is one of {', '.join(_STAGES)}.")
    return Report(stage, _tidy(message))


def _json_report(body: bytes) -> tuple[str, str]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        refuse(400, 'A report is JSON: {"stage": "running", "message": "..."}')
    stage = content.get("stage") if isinstance(content, dict) else None
    message = content.get("message", "") if isinstance(content, dict) else None
    if not isinstance(stage, str):
        refuse(400, f"A report's stage is one of {', '.join(_STAGES)}.")
    if not isinstance(message, str):
        refuse(400, "A report's message is a text.")
    return stage, message


def _tidy(message: str) -> str:
    """The end of it, which says most of a log, without control characters but for line ends."""
    plain = "".join(c if c.isprintable() or c == "\n" else "?" for c in redacted(message).strip()[-MAX_MESSAGE:])
    return " | ".join(line.strip() for line in plain.split("\n") if line.strip())
