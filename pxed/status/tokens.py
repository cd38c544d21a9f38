"""Tokens: what opens a machine's secrets, for one boot, for some minutes, and if so wished one time. Pure.

A boot has one random token of 256 bits, which its script carries. All others of the boot are made from it with the
store's key (HMAC-SHA256, RFC 2104), so that an answer that is given again has the same bytes; without the key nobody
makes one from the other. What is stored are SHA-256 hashes: of 256 random bits there is nothing to guess.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from pxed.status.records import Purpose, Spent, Token

SIZE = 32  # random bytes
LENGTH = 43  # characters


class Denied(NamedTuple):
    """A token that does not open what was asked for. `what` is the alert's word, "" when it is no cause for one."""

    status: int
    what: str
    sentence: str


def written(random: bytes) -> str:
    """The token of 32 random bytes, as URLs carry it."""
    return urlsafe_b64encode(random).decode().rstrip("=")


def hashed(token: str) -> str:
    """What is stored of it."""
    return sha256(token.encode()).hexdigest()


def derived(key: bytes, token: str, purpose: Purpose, machine: str, boot: str) -> str:
    """The boot's token for another purpose."""
    text = "\0".join((token, purpose, machine, boot))
    return written(hmac.digest(key, text.encode(), "sha256"))


def judged(
    token: Token | None, machine: str, purposes: frozenset[Purpose], address: str, now: float, *, busy: bool = False
) -> Token | Denied:
    """Whether a token that `address` shows opens one of `purposes` of `machine`: the token, or why not.

    `busy`: an answer to it is under way.
    """
    if token is None:
        return Denied(403, "wrong-token", "this token was never given out, or is of an earlier boot")
    if token.machine != machine:
        return Denied(403, "foreign-token", f"this is a token of another machine, not of {machine}")
    if token.purpose not in purposes:
        return Denied(403, "wrong-token", "this token is for something else")
    if now >= token.expires:
        return Denied(403, "expired", "this token has expired: boot the machine again")
    if token.state is Spent.SPENT:
        return Denied(403, "replay", "this token has been used: boot the machine again")
    if token.address and token.address != address:
        return Denied(403, "foreign-address", "this token belongs to another address")
    if busy:
        return Denied(503, "", "an answer to this token is under way: ask again")
    return token


def serving(token: Token, address: str) -> Token:
    """An answer begins. One that works once belongs to this address from now on."""
    return replace(token, state=Spent.SERVING, address=address) if token.once else token


def served(token: Token) -> Token:
    """The answer has arrived as a whole."""
    return replace(token, state=Spent.SPENT) if token.once else token
