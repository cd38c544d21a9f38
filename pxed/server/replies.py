"""HTTP replies and the errors that become one. Never a redirect (H3), never an empty Server header (H2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from aiohttp import web

from pxed.errors import PxedError
from pxed.server.callers import Caller
from pxed.server.conditions import Validators, select
from pxed.server.live import Snapshot
from pxed.server.routes import Found

SERVER = "pxed"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: where it goes, who asks, and the snapshot it keeps to its end."""

    request: web.BaseRequest
    found: Found
    caller: Caller
    snapshot: Snapshot

    @property
    def is_get(self) -> bool:
        return self.request.method == "GET"


class HttpRefusalError(PxedError):
    """A request that is answered by an error status and one plain sentence.

    `why` is a word for the diagnosis: digest, missing, arriving, spec, template, token; "" where the status says it.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None, why: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.why = why
        self.headers = dict(headers or {})


def refuse(status: int, sentence: str, headers: Mapping[str, str] | None = None, why: str = "") -> NoReturn:
    """Raise HttpRefusalError."""
    raise HttpRefusalError(status, sentence, headers, why)


def text_reply(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """text/plain: scripts and error sentences. Never stored by anything in between."""
    return web.Response(
        text=text, status=status, headers={"Server": SERVER, "Cache-Control": "no-store", **(headers or {})}
    )


def html_reply(text: str) -> web.Response:
    """A page for people."""
    return web.Response(text=text, content_type="text/html", headers={"Server": SERVER})


def json_reply(value: object, status: int = 200) -> web.Response:
    """A JSON document with a closing newline, for people with curl."""
    return json_bytes((json.dumps(value, ensure_ascii=False) + "\n").encode(), status)


def json_bytes(body: bytes, status: int = 200) -> web.Response:
    """An encoded JSON document."""
    headers = {"Server": SERVER, "Cache-Control": "no-store"}
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def tagged_reply(request: web.BaseRequest, body: bytes, content_type: str, digest: str) -> web.Response:
    """A body whose ETag is the digest of its content; 304 to whoever has it already."""
    etag = f'"{digest[:32]}"'
    headers = {"Server": SERVER, "ETag": etag, "Cache-Control": "no-cache"}
    tags = {name: value for name, value in request.headers.items() if name.title() in ("If-Match", "If-None-Match")}
    status = select({name.title(): value for name, value in tags.items()}, Validators(etag, 0), len(body)).status
    if status != 200:
        return web.Response(status=status, headers=headers)
    return web.Response(body=body, content_type=content_type, headers=headers)
