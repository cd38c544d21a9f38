"""Keys and signatures as a release team makes them over the years, by GnuPG: subkeys that expire, that are revoked."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """A GnuPG home, and its agent's end. Below /tmp, for the agent's socket has at most 107 bytes of path."""
    with tempfile.TemporaryDirectory(prefix="pxed-gpg-") as path:
        try:
            yield Path(path)
        finally:
            subprocess.run(["gpgconf", "--homedir", path, "--kill", "all"], capture_output=True, check=False)


@dataclass(frozen=True, slots=True)
class GnuPGKey:
    """A primary key that certifies. `subkey` signs; times are ISO, "20240131T000000"."""

    home: Path
    fingerprint: str
    subkey: str = ""
    when: str = ""  # "": now
    options: tuple[str, ...] = ()  # such as ("--digest-algo", "SHA1")

    @classmethod
    def make(cls, path: Path, when: str = "20200101T000000") -> Self:
        _gpg(path, "--quick-gen-key", f"Releases {when} <releases@pxed.example>", "ed25519", "cert", "never", when=when)
        return cls(path, _fingerprints(path)[-1])

    def with_subkey(self, when: str, lifetime: str = "never", algorithm: str = "ed25519") -> Self:
        """A new subkey, which is used from now on; `lifetime` such as 1y."""
        before = set(_fingerprints(self.home))
        _gpg(self.home, "--quick-add-key", self.fingerprint, algorithm, "sign", lifetime, when=when)
        (made,) = set(_fingerprints(self.home)) - before
        return replace(self, subkey=made)

    def expire(self, lifetime: str, when: str) -> None:
        """Let the subkey expire so long after `when`, with a new binding of that time."""
        _gpg(self.home, "--quick-set-expire", self.fingerprint, lifetime, self.subkey, when=when)

    def revoke(self, reason: int) -> None:
        """Revoke the subkey: 0 no reason, 1 compromised, 2 superseded, 3 no longer used."""
        answers = f"key {self.subkey}\nrevkey\ny\n{reason}\n\ny\nsave\n"
        command = ["gpg", "--homedir", str(self.home), "--no-tty", "--command-fd", "0", *_UNATTENDED]
        subprocess.run(
            [*command, "--edit-key", self.fingerprint], input=answers, text=True, capture_output=True, check=True
        )

    def signing(self, when: str = "", *options: str) -> Self:
        """The same key, signing at that time with these options of gpg."""
        return replace(self, when=when, options=options)

    @property
    def certificate(self) -> bytes:
        return _gpg(self.home, "--armor", "--export", self.fingerprint)

    def clearsigned(self, text: bytes) -> bytes:
        return _gpg(self.home, *self.options, "-u", f"{self.subkey}!", "--clearsign", when=self.when, stdin=text)

    def detached(self, content: bytes | Path) -> bytes:
        given = content if isinstance(content, bytes) else content.read_bytes()
        return _gpg(self.home, *self.options, "-u", f"{self.subkey}!", "--detach-sign", when=self.when, stdin=given)


_UNATTENDED = ("--pinentry-mode", "loopback", "--passphrase", "")


def _gpg(path: Path, *arguments: str, when: str = "", stdin: bytes = b"") -> bytes:
    clock = ["--faked-system-time", f"{when}!"] if when else []
    command = ["gpg", "--homedir", str(path), "--batch", "--yes", "--quiet", *_UNATTENDED, *clock, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def _fingerprints(path: Path) -> list[str]:
    listed = _gpg(path, "--list-keys", "--with-colons", "--list-options", "show-unusable-subkeys").decode()
    return [line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:")]
