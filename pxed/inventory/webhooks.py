"""Webhooks in the inventory: who is told of what."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from pxed.inventory import fields, scalars
from pxed.inventory.fields import Base
from pxed.inventory.scalars import expected

MOST_HOOKS = 16
HookEvent = Literal["installing", "installed", "running", "failed", "stuck", "warning", "unknown", "alert"]
_URL = re.compile(r"https?://[^\s/?#@\"<>]+([/?][^\s#\"<>]*)?")


def _hook_url(value: str) -> str:
    """An http or https URL without a user or a fragment. Raises ValueError."""
    scalars.word(value)
    what = "an http or https URL without a user in it, such as https://hooks.example.org/pxed"
    if _URL.fullmatch(value) is None:
        raise expected(value, what)
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise expected(value, what)
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _once(values: tuple[HookEvent, ...]) -> tuple[HookEvent, ...]:
    twice = next((value for position, value in enumerate(values) if value in values[:position]), None)
    if twice is not None:
        raise ValueError(f"found {twice} twice, expected each event once")
    if not values:
        raise ValueError("found an empty list, expected at least one event")
    return values


def few(hooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
    """Each has a queue and a task. Raises ValueError."""
    if len(hooks) > MOST_HOOKS:
        raise ValueError(f"found {len(hooks)} webhooks, expected {MOST_HOOKS} at most")
    return hooks


_WORDS = {"enum": list(HookEvent.__args__)}  # type: ignore[attr-defined]


class Webhook(Base):
    """Somebody who is told of events by a signed POST."""

    url: Annotated[str, AfterValidator(_hook_url), WithJsonSchema({"type": "string", "pattern": "^https?://.+"})] = (
        Field(description="Where to, http or https.")
    )
    secret_file: fields.Template = Field(
        description="File with the secret of the signatures, 20 characters or more, relative to this file, readable by "
        "its owner only; a credential of systemd is /run/credentials/pxed.service/NAME."
    )
    events: Annotated[
        tuple[HookEvent, ...],
        BeforeValidator(_listed),
        AfterValidator(_once),
        WithJsonSchema({"anyOf": [_WORDS, {"type": "array", "items": _WORDS, "uniqueItems": True, "minItems": 1}]}),
    ] = Field(
        ("installed", "failed", "stuck", "unknown"),
        description="Of what: installing, installed, running, failed, stuck, warning, unknown, alert.",
    )
    ca: fields.Template | None = Field(
        None,
        description="PEM file of the CA of an https URL, relative to this file. Left out: the host's CAs.",
        examples=["ca.pem"],
    )


Webhooks = Annotated[tuple[Webhook, ...], AfterValidator(few)]
