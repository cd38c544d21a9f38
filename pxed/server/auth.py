"""Who may change things: the bearer of the API's token (RFC 6750), with a bound on guesses."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from pathlib import Path

from pxed.inventory.model import Server
from pxed.server.apitoken import LEAST, MAKE, Stamp, TokenError, TokenFile, token_file
from pxed.server.replies import Asked, refuse

GUESSES = 10  # wrong tokens of one address
GUESS_SECONDS = 60.0  # within this time; more are refused unread until it is over
KNOWN_GUESSERS = 4096  # addresses; the one that guessed first is forgotten first

NO_TOKEN = (
    f"The API changes nothing, because no token is set: write one of {LEAST} characters or more ({MAKE}) to a file "
    "that only pxed's user may read and name it as server.api_token_file; or, with systemd, write it to "
    "/etc/pxed/api-token and restart pxed."
)
UNUSABLE = "The API changes nothing, because its token's file cannot be used: `pxed check` says why."
_CHALLENGE = 'Bearer realm="pxed"'


class Guesses:
    """Counts the wrong tokens of each address."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()  # wrong tokens, and when the first came

    def wait(self, address: str, now: float) -> float:
        """Seconds until a token of `address` is looked at again; 0.0 for now."""
        count, first = self._counts.get(address, (0, 0.0))
        return max(0.0, first + GUESS_SECONDS - now) if count >= GUESSES else 0.0

    def wrong(self, address: str, now: float) -> None:
        """A wrong token came from `address`."""
        count, first = self._counts.get(address, (0, now))
        if now - first >= GUESS_SECONDS:
            count, first = 0, now
        self._counts[address] = (count + 1, first)
        if len(self._counts) > KNOWN_GUESSERS:
            self._counts.popitem(last=False)

    def __len__(self) -> int:
        return len(self._counts)


class Auth:
    """Lets the bearer of the token through. The file is read again when it changes."""

    def __init__(self, credential: Path | None = None) -> None:
        self._credential = credential
        self._guesses = Guesses()
        self._read: tuple[TokenFile, Stamp | None, str] | None = None

    def check(self, asked: Asked) -> None:
        """Raises HttpRefusalError: 403 without a usable token, 401 for a missing or wrong one, 429 for guessing."""
        expected = self._expected(asked.snapshot.inventory.server)
        given = _bearer(asked.request.headers.get("Authorization", ""))
        if not given:
            sentence = "This changes something and needs the API's token, in a header as RFC 6750 has it"
            refuse(401, sentence, {"WWW-Authenticate": _CHALLENGE})
        address, now = asked.caller.address, time.monotonic()
        wait = self._guesses.wait(address, now)
        if wait:
            sentence = f"Too many wrong tokens came from {address}: try again in {wait:.0f} seconds."
            refuse(429, sentence, {"Retry-After": f"{wait + 0.5:.0f}"})
        if not hmac.compare_digest(given.encode(errors="replace"), expected.encode()):
            self._guesses.wrong(address, now)
            refuse(401, "This is not the API's token.", {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'})

    def _expected(self, server: Server) -> str:
        file = token_file(server, self._credential)
        if file is None:
            refuse(403, NO_TOKEN)
        stamp = file.stamp()
        if self._read is None or self._read[:2] != (file, stamp):
            try:
                self._read = (file, stamp, file.read())
            except TokenError:
                self._read = None
                refuse(403, UNUSABLE)
        if not self._read[2]:
            refuse(403, NO_TOKEN)
        return self._read[2]


def _bearer(header: str) -> str:
    """The token of an Authorization header; "" for none. The scheme's case does not matter (RFC 9110 11.1)."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
