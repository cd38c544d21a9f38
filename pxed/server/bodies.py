"""The body of a POST, bounded in size and in time."""

from __future__ import annotations

import asyncio

from aiohttp import web

from pxed.server.replies import refuse

BODY_SECONDS = 15.0


async def read_body(request: web.BaseRequest, most: int, what: str) -> bytes:
    """All of it. `what` names it in a refusal: "A report". Raises HttpRefusalError (408, 413, 400)."""
    if (request.content_length or 0) > most:
        refuse(413, f"{what} has at most {most} bytes.")
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    refuse(413, f"{what} has at most {most} bytes.")
    except TimeoutError:
        refuse(408, f"{what} did not arrive within {BODY_SECONDS:.0f} seconds.")
    except web.PayloadAccessError:
        refuse(400, f"{what} broke off.")
    return bytes(body)
