"""A throw-away signing key, made in the test: a primary key that certifies, and a subkey that signs, as Flatcar's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from pysequoia import SignatureMode, Tsk, sign, sign_file


class Signer(Protocol):
    """Whoever signs a release."""

    @property
    def fingerprint(self) -> str: ...  # of the primary key, upper case
    @property
    def certificate(self) -> bytes: ...  # armoured public key
    def clearsigned(self, text: bytes) -> bytes: ...
    def detached(self, content: bytes | Path) -> bytes: ...  # binary


@dataclass(frozen=True, slots=True)
class ThrowAwayKey:
    """Ed25519, made in a millisecond."""

    secret: Tsk

    @classmethod
    def make(cls, name: str = "Test Releases <releases@pxed.example>") -> Self:
        return cls(Tsk.generate(name))

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(Tsk.from_file(str(path)))

    def save(self, path: Path) -> None:
        path.write_text(str(self.secret))

    @property
    def fingerprint(self) -> str:
        return self.secret.extract_certificate().fingerprint.upper()

    @property
    def certificate(self) -> bytes:
        return str(self.secret.extract_certificate()).encode()

    def clearsigned(self, text: bytes) -> bytes:
        return bytes(sign(self.secret.signer(), text, mode=SignatureMode.CLEAR))

    def detached(self, content: bytes | Path) -> bytes:
        if isinstance(content, bytes):
            return bytes(sign(self.secret.signer(), content, mode=SignatureMode.DETACHED, armor=False))
        signature = content.with_name(f"{content.name}.sig.new")
        sign_file(self.secret.signer(), str(content), str(signature), mode=SignatureMode.DETACHED, armor=False)
        try:
            return signature.read_bytes()
        finally:
            signature.unlink()
