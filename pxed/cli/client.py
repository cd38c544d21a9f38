"""The running daemon, spoken to by its API: one connection, JSON in and out, and sentences for what goes wrong.

http.client rather than urllib: no proxy of the environment stands between an operator and the daemon.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from pxed.errors import ConfigError, PxedError
from pxed.inventory.loader import load
from pxed.inventory.model import Server
from pxed.server.apitoken import TokenError, parse_token

SYSTEM_TOKEN = Path("/etc/pxed/api-token")  # that systemd/pxed.service hands to the daemon
SECONDS = 30.0  # for one answer
OPEN = "open"  # the first message of a stream
_CONTENT = {"Content-Type": "application/json"}


class UnreachableError(PxedError):
    """The daemon cannot be asked: exit code 2."""


class RefusedError(PxedError):
    """The daemon refused: its own sentence."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class Message(NamedTuple):
    """A server-sent event."""

    kind: str
    data: Any


class Client:
    """One daemon. Use it in a `with` block."""

    def __init__(self, url: str, token_file: Path | None = None, seconds: float = SECONDS) -> None:
        self.url = url.rstrip("/")
        self._token_file = token_file
        self._socket: socket.socket | None = None
        self._connection = _connection(self.url, seconds)
        self._prefix = urlsplit(self.url).path

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> Any:
        """What is at /api/v1/PATH. Raises UnreachableError and RefusedError."""
        return self._ask("GET", path, None, {})

    def stream(self, path: str) -> Iterator[Message]:
        """The events at /api/v1/PATH as they come. Raises UnreachableError when they end, and RefusedError."""
        answer = self._sent("GET", path, None, {"Accept": "text/event-stream"})
        try:
            if answer.status != http.client.OK:
                raise RefusedError(_sentence(answer.read(), answer.status), answer.status)
            yield Message(OPEN, None)
            yield from _messages(answer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnreachableError(f"the stream of {self.url} broke: {_said(error)}") from None
        finally:
            self._connection.close()
            answer.close()
        raise UnreachableError(f"the stream of {self.url} ended")

    def abort(self) -> None:
        """End what another thread waits for."""
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def order(self, machine: str, what: str, content: dict[str, str]) -> Any:
        """Give an order; the machine's new view. Raises UnreachableError and RefusedError."""
        authorization = {"Authorization": f"Bearer {self._token()}"} if self._token_file else {}
        body = json.dumps(content).encode()
        return self._ask("POST", f"{machine_path(machine)}/{what}", body, {**_CONTENT, **authorization})

    def _token(self) -> str:
        path = self._token_file or SYSTEM_TOKEN
        try:
            return parse_token(path.read_bytes(), path)
        except OSError as error:
            raise UnreachableError(f"the token's file {path} cannot be read: {error.strerror}") from None
        except TokenError as error:
            raise UnreachableError(str(error)) from None

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Any:
        answer = self._sent(method, path, body, headers)
        try:
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None
        if answer.status != http.client.OK:
            raise RefusedError(_sentence(content, answer.status), answer.status)
        try:
            return json.loads(content)
        except ValueError:
            raise UnreachableError(f"what answers at {self.url} is no pxed: its answer is no JSON") from None

    def _sent(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        try:
            if self._connection.sock is None:
                self._connection.connect()
            self._socket = self._connection.sock
            self._connection.request(method, f"{self._prefix}/api/v1/{path}", body, headers)
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None

    def _no_answer(self, error: Exception) -> UnreachableError:
        self._connection.close()
        return UnreachableError(f"no answer from pxed at {self.url}: {_said(error)}")


def _messages(answer: http.client.HTTPResponse) -> Iterator[Message]:
    """https://html.spec.whatwg.org/multipage/server-sent-events.html ; comments and ids are left out."""
    kind, data = "", ""
    for line in iter(answer.readline, b""):
        text = line.decode().rstrip("\r\n")
        name, _, value = text.partition(":")
        if name == "event":
            kind = value.removeprefix(" ")
        elif name == "data":
            data += value.removeprefix(" ")
        elif not text:
            if data:
                yield Message(kind, json.loads(data))
            kind, data = "", ""


def machine_path(machine: str) -> str:
    """Where a machine's view is."""
    return f"machines/{quote(machine, safe='')}"


def client(config: Path, server: str, token_file: Path | None) -> Client:
    """The daemon at `server`; without one, the daemon on this host that serves the inventory. Raises UnreachableError.

    A token that nobody named is sent to this host only.
    """
    if server:
        return Client(server, token_file)
    try:
        settings = load(config).server
    except ConfigError as error:
        first = error.problems[0]
        hint = "name the inventory with -c FILE, or the daemon with --server URL"
        raise UnreachableError(f"{first}\npxed: which daemon is meant is not known: {hint}") from None
    own = settings.api_token_file or (SYSTEM_TOKEN if SYSTEM_TOKEN.exists() else None)
    return Client(own_url(settings), token_file or own)


def own_url(settings: Server) -> str:
    """The daemon on this host that serves an inventory with these settings."""
    return f"http://127.0.0.1:{settings.http.port}"


def _connection(url: str, seconds: float) -> http.client.HTTPConnection:
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname or "", parts.port, parts.scheme
    except ValueError:
        host, port, scheme = "", None, ""
    if not host or scheme not in ("http", "https"):
        raise UnreachableError(f"--server {url!r} is no URL of a pxed, such as http://10.0.0.2:8080")
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=seconds)


def _said(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return f"{reason}; is it running? (systemctl status pxed)" if isinstance(error, ConnectionRefusedError) else reason


def _sentence(content: bytes, status: int) -> str:
    text = content.decode(errors="replace").strip().splitlines()
    first = text[0][:500] if text else ""
    return first if first.isprintable() and first else f"the answer was HTTP status {status}"
