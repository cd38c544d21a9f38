"""What the release server answers: status, header fields and the bytes to send, faults included."""

from __future__ import annotations

import gzip
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from tests.releases import faults
from tests.releases.faults import Fault

MOVED = "/elsewhere/"
_EMPTY = {"Content-Length": "0"}


@dataclass(slots=True)
class Answer:
    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # None: `file` from `start`, `length` bytes
    file: Path | None = None
    start: int = 0
    length: int = 0

    @property
    def size(self) -> int:
        return self.length if self.body is None else len(self.body)

    def piece(self, length: int) -> bytes:
        """The first bytes of the body."""
        if self.body is not None or self.file is None:
            return (self.body or b"")[:length]
        with self.file.open("rb") as file:
            file.seek(self.start)
            return file.read(length)

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def unmoved(path: str) -> str:
    """The path that a redirection led away from; the path itself when it is none of ours."""
    return urllib.parse.unquote(path.removeprefix(MOVED).removesuffix("/blob-1")) if path.startswith(MOVED) else path


def answer_to(
    path: str, headers: Mapping[str, str], current: Mapping[Fault, int], find: Callable[[str], Path | None]
) -> Answer:
    """The answer to a GET of a path under the faults that are on."""
    for fault in current:
        if fault in faults.STATUS:
            return _text(*faults.STATUS[fault], "this server is told to say so\n")
    if Fault.REDIRECT_LOOP in current:
        return Answer(302, "Found", {"Location": path, "Content-Length": "0"}, b"")
    if Fault.REDIRECT in current and not path.startswith(MOVED):
        place = f"{MOVED}{urllib.parse.quote(path, safe='')}/blob-1?token=secret"
        return Answer(302, "Found", {"Location": place, "Content-Length": "0"}, b"")
    file = find(unmoved(path))
    if file is None:
        return _text(404, "Not Found", "no such file\n")
    return _file(file, headers, current)


def _text(status: int, reason: str, text: str) -> Answer:
    return Answer(status, reason, {"Content-Type": "text/plain", "Content-Length": str(len(text))}, text.encode())


def _file(file: Path, headers: Mapping[str, str], current: Mapping[Fault, int]) -> Answer:
    status = file.stat()
    tag, modified = f'"{status.st_ino:x}-{status.st_size:x}"', formatdate(status.st_mtime, usegmt=True)
    fields = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "ETag": tag}
    fields["Last-Modified"] = modified
    if Fault.NO_VALIDATORS in current:
        del fields["ETag"], fields["Last-Modified"]
    if Fault.WEAK_ETAG in current:
        fields["ETag"] = f"W/{tag}"
        del fields["Last-Modified"]
    if Fault.NO_RANGE in current:
        del fields["Accept-Ranges"]
    start = 0
    # RFC 9110 13.1.5: a validator that no longer fits makes it a request without Range.
    if "range" in headers and Fault.NO_RANGE not in current and headers.get("if-range", tag) in (tag, modified):
        start = int(headers["range"].removeprefix("bytes=").partition("-")[0])
    if start and start >= status.st_size:
        return Answer(416, "Range Not Satisfiable", {"Content-Range": f"bytes */{status.st_size}"} | _EMPTY, b"")
    answer = Answer(200, "OK", fields, None, file, start, status.st_size - start)
    if "range" in headers and start:
        answer.status, answer.reason = 206, "Partial Content"
        shown = start + 1 if Fault.WRONG_RANGE in current else start
        fields["Content-Range"] = f"bytes {shown}-{status.st_size - 1}/{status.st_size}"
    fields["Content-Length"] = str(answer.length)
    return _alter(answer, file, current)


def _alter(answer: Answer, file: Path, current: Mapping[Fault, int]) -> Answer:
    """The faults of content and length."""
    if Fault.TAMPER in current:
        content = bytearray(file.read_bytes())
        content[current[Fault.TAMPER]] ^= 1
        answer.body = bytes(content[answer.start :])
    if Fault.GZIP in current:
        answer.body = gzip.compress(file.read_bytes(), 1)
        answer.headers |= {"Content-Encoding": "gzip", "Content-Length": str(len(answer.body))}
    if Fault.GZIP_LABEL in current:
        answer.headers["Content-Encoding"] = "gzip"
    if Fault.TOO_SHORT in current:
        answer.length = max(0, answer.length - 7)
        answer.headers["Content-Length"] = str(answer.length)
    if Fault.TOO_LONG in current:
        answer.headers |= {"Content-Length": str(answer.length + 7), "Connection": "close"}
    if Fault.NO_LENGTH in current:
        del answer.headers["Content-Length"]
        answer.headers["Connection"] = "close"
    return answer
