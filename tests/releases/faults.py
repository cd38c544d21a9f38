"""What a release server, or the network before it, can do wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Fault(Enum):
    TRUNCATE = auto()  # says the right length, sends `after` bytes, closes
    RESET = auto()  # the same, and the connection is reset
    STALL = auto()  # the same, and then nothing more comes
    TRICKLE = auto()  # after `after` bytes one byte at a time
    TOO_SHORT = auto()  # says a smaller length and sends only that
    TOO_LONG = auto()  # says a greater length and closes after the file
    NO_LENGTH = auto()  # says no length: the end of the connection is the end of the file
    NOT_FOUND = auto()  # 404
    SERVER_ERROR = auto()  # 500
    BUSY = auto()  # 503
    FORBIDDEN = auto()  # 403
    REDIRECT = auto()  # 302 to a path with another name, which serves the file
    REDIRECT_LOOP = auto()  # 302 to itself
    TAMPER = auto()  # one bit of the byte at `after` is another
    GZIP = auto()  # Content-Encoding: gzip, whatever was asked for
    GZIP_LABEL = auto()  # the file as it is, with Content-Encoding: gzip, as Apache does for .gz
    NO_RANGE = auto()  # ranges are ignored: 200 and the whole file
    WRONG_RANGE = auto()  # 206 with another range than was asked for
    NO_VALIDATORS = auto()  # neither ETag nor Last-Modified
    WEAK_ETAG = auto()  # W/"...", and no Last-Modified


BODY = frozenset({Fault.TRUNCATE, Fault.RESET, Fault.STALL, Fault.TRICKLE})
STATUS = {
    Fault.NOT_FOUND: (404, "Not Found"),
    Fault.SERVER_ERROR: (500, "Internal Server Error"),
    Fault.BUSY: (503, "Service Unavailable"),
    Fault.FORBIDDEN: (403, "Forbidden"),
}


@dataclass(slots=True)
class Rule:
    """A fault of every path that ends so, for the next `times` requests (None: for ever)."""

    suffix: str
    fault: Fault
    after: int = 0
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for, and what it was given."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    status: int
    sent: int  # bytes of the body, at most

    @property
    def range(self) -> str:
        return self.headers.get("range", "")
