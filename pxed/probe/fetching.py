"""Files as a boot client fetches them, and what a failure means: by TFTP in blocks that may be too big, or by HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from pxed.probe import tftp, web
from pxed.status.faults import Finding, finding
from pxed.status.wordings import Fault
from pxed.tftp.packet import ErrorCode

NO_SUCH_FILE = "pxed-probe-asks-for-no-such-file"
MOST_WAITS = 3  # answers 503 with Retry-After that are waited for, as iPXE does
LONGEST_WAIT = 5


@dataclass(frozen=True, slots=True)
class Got:
    """A file, or the finding that says why it is not here."""

    url: str
    size: int
    seconds: float
    sha256: str
    head: bytes
    how: str  # "tftp, blksize 1468" | "http"
    finding: Finding | None = None

    @property
    def ok(self) -> bool:
        """It is here, whole."""
        return self.finding is None

    @property
    def rate(self) -> str:
        """Megabytes a second."""
        return f"{self.size / self.seconds / 1e6:.1f} MB/s" if self.seconds and self.size else ""


class Reader(Protocol):
    """Who reads: a client on its card, or this host as it is."""

    def tftp(self, server: str, file: str, **how: Any) -> tftp.Fetched:
        """Read a file."""


class Fetcher(Reader, Protocol):
    """Who fetches by HTTP too."""

    def http(self, url: str, **how: Any) -> web.Response:
        """Fetch a URL."""


def by_tftp(
    client: Reader, server: str, file: str, *, blksize: int = 1468, windowsize: int = 1, stage: str = "loader"
) -> Got:
    """Read a file. What dies with big blocks is tried with 512 bytes, what is not answered at all with a file that
    does not exist: so a black hole for big packets, a firewall and a missing file are told apart."""
    first = client.tftp(server, file, blksize=blksize, windowsize=windowsize)
    if first.ok:
        return _tftp_got(server, first, None)
    if first.code >= 0:
        return _tftp_got(server, first, _refused(first, stage))
    size = int(first.options.get("blksize", blksize))
    if first.heard and size > tftp.PLAIN:
        small = client.tftp(server, file, blksize=tftp.PLAIN)
        if small.ok:
            said = [f"{size}: {first.error}", f"512: {small.size} bytes in {small.seconds:.1f} s"]
            hole = finding(
                Fault.MTU_BLACK_HOLE, stage, time.time(), *said, blksize=size, interface="the server's interface"
            )
            return _tftp_got(server, first, hole)
    return _tftp_got(server, first, _silent(client, server, first, stage))


def by_url(client: Fetcher, url: str, stage: str, *, redirects: int = web.MOST_REDIRECTS) -> Got:
    """Fetch a URL, http, https or tftp, as iPXE does."""
    parts = urlsplit(url)
    if parts.scheme == "tftp":
        return by_tftp(client, parts.hostname or "", parts.path.lstrip("/"), stage=stage)
    for _ in range(MOST_WAITS):
        answer = client.http(url, redirects=redirects)
        wait = answer.headers.get("retry-after", "")
        if answer.status != 503 or not wait.isdigit() or int(wait) > LONGEST_WAIT:
            break
        time.sleep(int(wait))  # the server says when to come back
    fault = None if answer.ok else _http_fault(answer, stage)
    return Got(url, answer.size, answer.seconds, answer.sha256, answer.head, parts.scheme, fault)


def _tftp_got(server: str, fetched: tftp.Fetched, fault: Finding | None) -> Got:
    words = [f"{name} {fetched.options[name]}" for name in ("blksize", "windowsize") if name in fetched.options]
    how = ", ".join(["tftp", *(words or ["no options"])])
    url = f"tftp://{server}/{fetched.file}"
    return Got(url, fetched.size, fetched.seconds, fetched.sha256, fetched.head, how, fault)


def _refused(fetched: tftp.Fetched, stage: str) -> Finding:
    said = f"TFTP error {fetched.code}: {fetched.error}"
    if fetched.code == ErrorCode.NOT_FOUND and stage == "loader":
        return finding(Fault.LOADER_MISSING, stage, time.time(), said, file=fetched.file)
    asked = f"it was asked for {fetched.file}"
    return finding(Fault.FILE_MISSING, stage, time.time(), asked, role=stage, file=fetched.file, reason=said)


def _silent(client: Reader, server: str, fetched: tftp.Fetched, stage: str) -> Finding:
    """An answer to a wrong name comes from port 69 itself in most servers: then only what follows is blocked."""
    other = client.tftp(server, NO_SUCH_FILE, blksize=tftp.PLAIN, retries=2)
    if fetched.heard or other.code >= 0:
        said = f"a file that does not exist is refused ({other.error})" if other.code >= 0 else ""
        return finding(Fault.TFTP_BLOCKED, stage, time.time(), fetched.error, said, file=fetched.file)
    return finding(Fault.TFTP_UNREACHED, stage, time.time(), fetched.error, file=fetched.file, server=server)


def _http_fault(answer: web.Response, stage: str) -> Finding:
    now, parts = time.time(), urlsplit(answer.url)
    server, port, name = parts.hostname or "", parts.port or 80, parts.path.rpartition("/")[2]
    due = answer.headers.get("content-length", "?")
    if answer.status and answer.error:
        memory = "here the server ended it"
        return finding(
            Fault.DOWNLOAD_BROKEN, stage, now, answer.error, file=name, sent=answer.size, due=due, memory=memory
        )
    if not answer.status:
        unreached = {"script": Fault.SCRIPT_NEVER, "loader": Fault.LOADER_UNREACHED}.get(stage, Fault.FILE_MISSING)
        return finding(
            unreached, stage, now, answer.error, url=answer.url, server=server, port=port, file=name, role=stage,
            reason=answer.error,
        )  # fmt: skip
    if answer.status == 503:
        return finding(Fault.IMAGE_NOT_READY, stage, now, answer.url, reason=answer.reason)
    refused = {"script": Fault.SCRIPT_REFUSED, "ignition": _ignition(answer)}.get(stage, Fault.FILE_MISSING)
    if stage == "loader" and answer.status == 404:
        refused = Fault.LOADER_MISSING
    return finding(refused, stage, now, answer.url, role=stage, file=name, reason=answer.reason, machine=name)


def _ignition(answer: web.Response) -> Fault:
    return Fault.IGNITION_TOKEN if answer.status in (401, 403, 410) else Fault.IGNITION_REFUSED
