"""The dashboard's own files (pxed/web): one document, one style sheet, JavaScript modules. No build step, nothing else.

What a page shows comes from machines, which may say anything: the policy below lets no browser run or load what is not
one of these files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web

from pxed.server.conditions import Validators, select
from pxed.server.replies import SERVER, Asked, refuse

WEB = Path(__file__).parents[1] / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Content Security Policy Level 3. frame-ancestors and base-uri do not fall back to default-src.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Server": SERVER,
    "Cache-Control": "no-cache",  # asked again each time, and answered by 304: a new pxed shows its new pages at once
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
INDEX = "index.html"

Handler = Callable[[Asked], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Page:
    """A file, as it was when it was first asked for."""

    body: bytes
    type: str
    etag: str


class WebPages:
    """Hands them out. `plain` answers "/" to clients that do not ask for HTML: curl, scripts."""

    def __init__(self, plain: Handler) -> None:
        self._plain = plain

    async def index(self, asked: Asked) -> web.StreamResponse:
        """The dashboard to a browser."""
        if "text/html" not in asked.request.headers.get("Accept", "").lower():
            response = await self._plain(asked)
            response.headers["Vary"] = "Accept"
            return response
        return _reply(asked, _page(INDEX), {"Vary": "Accept"})

    async def file(self, asked: Asked) -> web.StreamResponse:
        """/web/FILE."""
        name = asked.found.args[0]
        if name not in _names():
            refuse(404, f"There is no /web/{name[:80]}: see / for what pxed serves.")
        return _reply(asked, _page(name), {})


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in WEB.iterdir() if path.suffix in TYPES and path.name != INDEX)


@cache
def _page(name: str) -> Page:
    body = (WEB / name).read_bytes()
    return Page(body, TYPES[Path(name).suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _reply(asked: Asked, page: Page, more: dict[str, str]) -> web.Response:
    wanted = asked.request.headers.get("If-None-Match")
    tags = {"If-None-Match": wanted} if wanted is not None else {}
    headers = {**HEADERS, **more, "ETag": page.etag}
    if select(tags, Validators(page.etag, 0), len(page.body)).status != 200:
        return web.Response(status=304, headers=headers)
    return web.Response(body=page.body, headers={**headers, "Content-Type": page.type})
