"""GET /api/v1/openapi.json: the HTTP surface as OpenAPI 3.1, made of pxed/web/openapi.yaml when somebody first asks."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from pxed import __version__
from pxed.server.replies import Asked, tagged_reply

SOURCE = Path(__file__).parents[1] / "web" / "openapi.yaml"
_ERROR = {"$ref": "#/components/responses/Error"}


async def openapi(asked: Asked) -> web.StreamResponse:
    """The description, with an ETag."""
    body, digest = await asyncio.to_thread(_encoded)
    return tagged_reply(asked.request, body, "application/json", digest)


def description() -> dict[str, Any]:
    """The whole of it: each `get` has its `head`, each operation the error that any request may get."""
    document: dict[str, Any] = yaml.load(SOURCE.read_bytes(), yaml.CSafeLoader)
    document["info"]["version"] = __version__
    for item in document["paths"].values():
        for method in ("get", "post"):
            if method in item:
                item[method]["responses"] = {**item[method]["responses"], "default": _ERROR}
        if "get" in item:
            item["head"] = _head(item["get"], document["components"]["responses"])
    return document


def _head(get: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """The same without bodies."""
    head = copy.deepcopy(get)
    head["operationId"] += "Head"
    head["summary"] = f"Headers of: {get['summary']}"
    for status, response in head["responses"].items():
        whole = shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        head["responses"][status] = {key: value for key, value in whole.items() if key != "content"}
    return head


@cache
def _encoded() -> tuple[bytes, str]:
    body = json.dumps(description(), ensure_ascii=False).encode()
    return body, hashlib.sha256(body).hexdigest()
