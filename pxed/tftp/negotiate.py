"""Option negotiation for reads: what is granted of what a request asks for.

RFC 2347 https://www.rfc-editor.org/rfc/rfc2347, RFC 2348 https://www.rfc-editor.org/rfc/rfc2348 (blksize), RFC 2349
https://www.rfc-editor.org/rfc/rfc2349 (timeout, tsize), RFC 7440 https://www.rfc-editor.org/rfc/rfc7440 (windowsize),
and "rollover" as tftp-hpa has it. Left out: multicast (RFC 2090).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pxed.errors import PxedError
from pxed.tftp.packet import ErrorCode, Options, Rrq

DEFAULT_BLKSIZE = 512  # RFC 1350
MIN_BLKSIZE, MAX_BLKSIZE = 8, 65464  # RFC 2348
MIN_TIMEOUT, MAX_TIMEOUT = 1, 255  # seconds, RFC 2349
HEADERS = 32  # bytes of IPv4 (20), UDP (8) and TFTP (4): T2, ROMs cannot reassemble fragments
SMALLEST_MTU = 576  # RFC 791: every host takes a datagram of this size
MAX_WINDOW = 64  # T5: tftp-hpa's client breaks above it


class Refusal(PxedError):  # noqa: N818 -- it is an answer
    """A request that gets an ERROR packet. Knows its code; its text is what the client is told."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server can grant at most."""

    mtu: int = 1500  # of the interface the request came in on
    windowsize: int = MAX_WINDOW
    rollover: int = 0  # the block number after 65535, for a client that does not say

    @property
    def blksize(self) -> int:
        """The biggest block that leaves this interface in one piece: 1468 at an MTU of 1500."""
        return min(MAX_BLKSIZE, max(SMALLEST_MTU, self.mtu) - HEADERS)


@dataclass(frozen=True, slots=True)
class Agreed:
    """The parameters of a transfer. `options` is the OACK; without any, the transfer starts with block 1."""

    blksize: int = DEFAULT_BLKSIZE
    windowsize: int = 1
    timeout: int | None = None  # seconds
    rollover: int = 0
    options: Options = ()


def is_netascii(request: Rrq) -> bool:
    """Whether the text form is asked for. Raises Refusal for a mode that is neither netascii nor octet."""
    mode = request.mode.lower()
    if mode not in ("netascii", "octet"):
        raise Refusal(ErrorCode.ILLEGAL_OPERATION, "only the modes octet and netascii are served")
    return mode == "netascii"


def negotiate(request: Rrq, size: int, limits: Limits) -> Agreed:
    """What is granted of the request's options; `size` is that of the transfer (in netascii: of the converted form).

    Unknown options are left out of the answer, upper and lower case of names are the same, the first of duplicates
    counts (RFC 2347 forbids them). What is only too large is granted smaller; what has no meaning raises Refusal.
    """
    agreed = Agreed(rollover=limits.rollover)
    seen: set[str] = set()
    for spelt, text in request.options:
        name = spelt.lower()
        grant = _GRANTS.get(name)
        if grant is None or name in seen:
            continue
        seen.add(name)
        if name == "windowsize" and is_netascii(request):
            continue
        changed, value = grant(agreed, _number(name, text), size, limits)
        if value is not None:
            agreed = replace(changed, options=(*agreed.options, (spelt, str(value))))
    return agreed


_Grant = Callable[[Agreed, int, int, Limits], tuple[Agreed, int | None]]


def _blksize(agreed: Agreed, asked: int, _size: int, limits: Limits) -> tuple[Agreed, int]:
    if asked < MIN_BLKSIZE:
        raise _absurd("blksize", asked)
    granted = min(asked, limits.blksize)
    return replace(agreed, blksize=granted), granted


def _windowsize(agreed: Agreed, asked: int, _size: int, limits: Limits) -> tuple[Agreed, int]:
    if asked < 1:
        raise _absurd("windowsize", asked)
    granted = min(asked, limits.windowsize, MAX_WINDOW)
    return replace(agreed, windowsize=granted), granted


def _timeout(agreed: Agreed, asked: int, _size: int, _limits: Limits) -> tuple[Agreed, int | None]:
    if asked < MIN_TIMEOUT:
        raise _absurd("timeout", asked)
    if asked > MAX_TIMEOUT:
        return agreed, None  # RFC 2349: it is granted as it is or not at all
    return replace(agreed, timeout=asked), asked


def _tsize(agreed: Agreed, _asked: int, size: int, _limits: Limits) -> tuple[Agreed, int]:
    return agreed, size  # RFC 2349: a read asks with 0; a client that asks with another number means the same


def _rollover(agreed: Agreed, asked: int, _size: int, _limits: Limits) -> tuple[Agreed, int]:
    if asked > 1:
        raise _absurd("rollover", asked)
    return replace(agreed, rollover=asked), asked


_GRANTS: dict[str, _Grant] = {
    "blksize": _blksize,
    "timeout": _timeout,
    "tsize": _tsize,
    "windowsize": _windowsize,
    "rollover": _rollover,
}


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise Refusal(ErrorCode.OPTION_NEGOTIATION, f"the value of {name} is not a number")
    return int(text)


def _absurd(name: str, asked: int) -> Refusal:
    return Refusal(ErrorCode.OPTION_NEGOTIATION, f"{name} cannot be {asked}")
