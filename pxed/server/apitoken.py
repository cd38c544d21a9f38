"""The file with the API's token: what makes it usable, and where it is looked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pxed.errors import Problem, PxedError
from pxed.inventory.model import Inventory, Server
from pxed.inventory.webhooks import Webhook

CREDENTIALS = Path("/run/credentials")  # where systemd puts those of each unit, for its user alone
CREDENTIAL = "api-token"  # in $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=)
LEAST = 20  # characters
MOST = 4096  # bytes of the file
MAKE = "openssl rand -hex 32"
_KEY = "server.api_token_file"

Stamp = tuple[int, int, int, int]


class TokenError(PxedError):
    """A token's file that is not usable: what was found, what is expected."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Where the token is. `private`: the file must belong to one reader; systemd looks after its credentials itself."""

    path: Path
    private: bool = True

    def read(self) -> str:
        """The token; "" for a credential that nobody has set. Raises TokenError."""
        try:
            mode, content = _read(self.path)
        except OSError as error:
            raise TokenError(f"{self.path} cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(mode):
            raise TokenError(f"{self.path} is no file")
        if self.private and mode & 0o077:
            raise TokenError(f"others may read or write {self.path} (mode {mode & 0o777:04o}): chmod 600 {self.path}")
        if not self.private and not content.strip():
            return ""
        return parse_token(content, self.path)

    def stamp(self) -> Stamp | None:
        """What changes with the file; None when it is not there."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode


def parse_token(content: bytes, path: Path) -> str:
    """The token in a file's content. Raises TokenError for what no header can carry (RFC 6750 2.1) or is guessed."""
    if len(content) > MOST:
        raise TokenError(f"{path} has more than {MOST} bytes, expected a token on a line of its own")
    token = content.strip().decode("ascii", "replace")
    if not all("!" <= character <= "~" for character in token):
        raise TokenError(f"{path} has characters that no token has, expected one line of ASCII, such as of: {MAKE}")
    if len(token) < LEAST:
        raise TokenError(f"the token in {path} has {len(token)} characters, expected {LEAST} at least: {MAKE} > {path}")
    return token


def token_file(server: Server, credential: Path | None) -> TokenFile | None:
    """The inventory's file, else systemd's credential, else None."""
    if server.api_token_file is not None:
        return TokenFile(server.api_token_file, private=not server.api_token_file.is_relative_to(CREDENTIALS))
    return TokenFile(credential, private=False) if credential is not None else None


def api_token(environment: Mapping[str, str]) -> Path | None:
    """The credential of a service whose unit has one of this name; None outside of systemd."""
    directory = environment.get("CREDENTIALS_DIRECTORY", "")
    path = Path(directory) / CREDENTIAL
    return path if directory and path.is_file() else None


def token_problems(inventory: Inventory) -> Iterator[Problem]:
    """A warning for a file that cannot be used: all else works without it, so it stops no start."""
    file = token_file(inventory.server, None)
    if file is not None:
        yield from _problem(inventory, _KEY, file, "the API refuses every change")
    for number, hook in enumerate(inventory.server.webhooks):
        key = f"server.webhooks[{number}].secret_file"
        yield from _problem(inventory, key, secret_of(hook), "this webhook is told nothing")


def secret_of(hook: Webhook) -> TokenFile:
    """The file with the secret of a webhook's signatures."""
    return TokenFile(hook.secret_file, private=not hook.secret_file.is_relative_to(CREDENTIALS))


def _problem(inventory: Inventory, key: str, file: TokenFile, until: str) -> Iterator[Problem]:
    try:
        file.read()
    except TokenError as error:
        closed = file.path if isinstance(error.__context__, PermissionError) else None
        text = f"{error}; until then {until}"
        yield Problem(inventory.path, 0, 0, key, text, warning=True, unreadable=closed)


def _read(path: Path) -> tuple[int, bytes]:
    """Mode and content; a pipe or a device is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        return mode, os.read(descriptor, MOST + 1) if stat.S_ISREG(mode) else b""
    finally:
        os.close(descriptor)
