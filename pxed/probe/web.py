"""One HTTP request as a boot client makes it, its body counted and digested as it comes."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

from pxed.probe.nic import ProbeError

CHUNK = 1 << 18
HEAD = 1 << 20  # of the body that is kept: all of a script, the headers of a loader
MOST_REDIRECTS = 5
USER_AGENT = "pxed-probe"


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, or the reason why there is none (`error`). `head` is the body's beginning."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    head: bytes = b""
    size: int = 0
    sha256: str = ""
    seconds: float = 0.0
    error: str = ""
    version: int = 0  # 10 or 11
    redirected: str = ""  # from there

    @property
    def ok(self) -> bool:
        """A whole body with a good status."""
        return not self.error and 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as a script has it."""
        return self.head.decode("utf-8", "replace")

    @property
    def reason(self) -> str:
        """What went wrong, for a sentence; "" for nothing."""
        if self.error or self.ok:
            return self.error
        said = self.text.strip().splitlines()[:1] if "text/plain" in self.headers.get("content-type", "") else []
        return f"HTTP {self.status}" + (f": {said[0][:200]}" if said else "")


def ask(
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30.0,
    redirects: int = 0,
    write_to: Callable[[bytes], object] | None = None,
    context: ssl.SSLContext | None = None,
) -> Response:
    """One request; as many `redirects` are followed. `timeout`: seconds without a byte."""
    began = time.monotonic()
    try:
        connection = _connection(url, timeout, context)
        try:
            found = exchange(connection, url, method, body, headers, write_to)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return Response(url, 0, error=words(error), seconds=time.monotonic() - began)
    where = found.headers.get("location", "")
    if redirects and where and found.status in (301, 302, 303, 307, 308):
        more = ask(urljoin(url, where), method=method, headers=headers, timeout=timeout, redirects=redirects - 1,
                   write_to=write_to, context=context)  # fmt: skip
        return _from(more, url)
    return found


def connect(url: str, timeout: float = 10.0, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    """A connection that is kept, for `exchange`."""
    return _connection(url, timeout, context)


def exchange(
    connection: http.client.HTTPConnection,
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    write_to: Callable[[bytes], object] | None = None,
) -> Response:
    """One request on a connection, with all of its answer. Raises OSError and HTTPException."""
    began = time.monotonic()
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request(method, path, body, {"User-Agent": USER_AGENT, **(headers or {})})
    answer = connection.getresponse()
    said = {name.lower(): value for name, value in answer.getheaders()}
    digest, size, head, error = hashlib.sha256(), 0, b"", ""
    try:
        while data := answer.read(CHUNK):
            digest.update(data)
            size += len(data)
            head += data[: max(HEAD - len(head), 0)]
            if write_to is not None and answer.status < 300:
                write_to(data)
    except http.client.IncompleteRead as cut:
        error = f"the body ends after {size + len(cut.partial)} bytes of {said.get('content-length', '?')}"
    due = int(said.get("content-length", size)) if method != "HEAD" else size
    if not error and size != due:
        error = f"the body ends after {size} of {due} bytes"
    seconds = time.monotonic() - began
    return Response(url, answer.status, said, head, size, digest.hexdigest(), seconds, error, answer.version)


def _connection(url: str, timeout: float, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ProbeError(f"{url!r} is no http or https URL")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    return http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=timeout, context=context)


def words(error: Exception) -> str:
    """What is said of a failed connection."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "the connection is refused"
    return str(getattr(error, "strerror", "") or error) or type(error).__name__


def _from(response: Response, url: str) -> Response:
    return replace(response, redirected=url)
