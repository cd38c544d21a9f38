"""What the TFTP server says about its transfers: one event for each end."""

from __future__ import annotations

import socket
from collections.abc import Callable

from pxed.events import Emit, Event, Kind, Level, Value
from pxed.server.tftp_files import Content, TftpClient
from pxed.server.tftp_sessions import Session
from pxed.server.transfers import stage_of
from pxed.tftp.packet import ErrorCode
from pxed.tftp.transfer import Outcome, Result

Who = Callable[[str], tuple[str, str]]
"""IPv4 address -> (machine's name or "", MAC or "")."""


class Reporter:
    """Makes the events of transfers and refusals."""

    def __init__(self, emit: Emit, who: Who, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._emit = emit
        self._who = who
        self._clock = clock  # of the transfers
        self._wall = wall

    def progress(self, session: Session) -> None:
        """How far a transfer is: at its start, and now and then."""
        name, transfer, due = printable(session.content.name), session.transfer, len(session.content.buffer)
        data = _figures(session) | {
            "id": session.id,
            "bytes": transfer.acknowledged,
            "blocks": transfer.blocks,
            "seconds": round(self._clock() - transfer.started, 3),
            "retransmits": transfer.retransmits,
        }
        text = f"{name}: {transfer.acknowledged} of {due} bytes by TFTP"
        self._report(Kind.PROGRESS, Level.DEBUG, session.client, text, data)

    def ended(self, session: Session) -> None:
        """A transfer that was started has ended."""
        outcome, content = session.transfer.outcome, session.content
        assert outcome  # noqa: S101 -- for the type checker
        kind, level = _kind_and_level(content, outcome)
        data = _figures(session) | {
            "bytes": outcome.bytes,
            "blocks": outcome.blocks,
            "seconds": round(outcome.seconds, 3),
            "retransmits": outcome.retransmits,
            "result": str(outcome.result),
        }
        if outcome.reason:
            data["reason"] = printable(outcome.reason)
        self._report(kind, level, session.client, _sentence(content, outcome), data)

    def refused(self, client: TftpClient, filename: str, code: ErrorCode, reason: str) -> None:
        """A request was answered by an ERROR."""
        # Clients probe for files that need not be there (T11); a write or a climb is worth a look.
        level = Level.WARNING if code == ErrorCode.ACCESS_VIOLATION else Level.INFO
        name = printable(filename)
        text = f"refused {name}: {reason}"
        self._report(Kind.REFUSED, level, client, text, {"file": name, "reason": reason, "status": int(code)})

    def dropped(self, client: TftpClient, filename: str, reason: str) -> None:
        """A request was left unanswered."""
        name = printable(filename)
        text = f"left {name} unanswered: {reason}"
        self._report(Kind.IGNORED, Level.WARNING, client, text, {"file": name, "reason": reason})

    def undecodable(self, client: TftpClient, reason: str) -> None:
        self._report(
            Kind.UNDECODABLE, Level.DEBUG, client, f"a TFTP datagram: {reason}", {"reason": reason, "port": "tftp"}
        )

    def _report(self, kind: Kind, level: Level, client: TftpClient, text: str, data: dict[str, Value]) -> None:
        machine, mac = self._who(client.address)
        where: dict[str, Value] = {
            "address": client.address,
            "interface": interface_name(client.ifindex),
            "transport": "tftp",
        }
        self._emit(Event(kind, self._wall(), machine, mac, text, level, where | data))


def _figures(session: Session) -> dict[str, Value]:
    """What does not change in a transfer, and whether its client was ever heard."""
    return {
        "file": printable(session.content.name),
        "due": len(session.content.buffer),
        "stage": stage_of(session.content.kind),
        "blksize": session.agreed.blksize,
        "windowsize": session.agreed.windowsize,
        "heard": session.transfer.heard,
    }


def _kind_and_level(content: Content, outcome: Outcome) -> tuple[Kind, Level]:
    match outcome.result:
        case Result.COMPLETE:
            return content.kind, Level.INFO
        case Result.TIMED_OUT if outcome.blocks:
            return Kind.TRANSFER, Level.WARNING
        case _:
            return Kind.TRANSFER, Level.DEBUG


def _sentence(content: Content, outcome: Outcome) -> str:
    name, took = printable(content.name), f"{outcome.seconds:.1f} s"
    match outcome.result:
        case Result.COMPLETE:
            again = f", {outcome.retransmits} retransmits" if outcome.retransmits else ""
            return f"sent {name}, {outcome.bytes} bytes in {took}{again}"
        case Result.PROBED:
            return f"told the size of {name}, {len(content.buffer)} bytes"
        case _:
            how = f"ended after {outcome.bytes} of {len(content.buffer)} bytes and {took}"
            return f"sending {name} {how}: {printable(outcome.reason)}"


def printable(text: str) -> str:
    """Text of a peer as it may stand in a log: bytes that are no UTF-8, and control characters, are escaped."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def interface_name(ifindex: int) -> str:
    """The interface's name, "" when it is gone."""
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return ""
