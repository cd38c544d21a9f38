"""OpenPGP signatures (RFC 4880, RFC 9580) against one pinned primary key, checked by Sequoia.

Sequoia judges a signature at the time when it was made: the subkey must have been bound and valid then, the hash
strong. Stricter here: a revoked subkey is refused for whatever reason it was revoked, and one that has expired since
by choice (ExpiredSubkeys). Flatcar replaces its signing subkey every year or two, so the primary key is what is pinned.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pysequoia
from pysequoia.packet import HashAlgorithm, Packet, PacketPile, SignatureType, Tag

from pxed.assets.mirror.errors import UntrustedError
from pxed.assets.mirror.keyfile import DEFAULT_KEY, KeyFileError, key_bytes
from pxed.inventory.releases import ExpiredSubkeys, MirrorSettings

MAX_SIGNATURES = 4  # of one file that are looked at: each costs a pass over the file

_T = TypeVar("_T")

_WEAK = ((HashAlgorithm.MD5, "MD5"), (HashAlgorithm.SHA1, "SHA-1"), (HashAlgorithm.RipeMD, "RIPEMD-160"))
_KEYS = (Tag.PublicKey, Tag.PublicSubkey, Tag.SecretKey, Tag.SecretSubkey)
_REVOCATIONS = (SignatureType.KeyRevocation, SignatureType.SubkeyRevocation)
_PIPE = 1 << 20  # bytes; what a user without privileges may have (pipe(7))
_EPOCH = datetime.fromtimestamp(0, UTC)
_BEGIN, _MIDDLE = b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----BEGIN PGP SIGNATURE-----"
_END = b"-----END PGP SIGNATURE-----"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that may sign, as the certificate binds it. `expires` and `revoked` are of now."""

    fingerprint: str  # upper case
    expires: datetime | None
    revoked: bool


class Keyring:
    """The one certificate that is trusted."""

    def __init__(self, certificate: pysequoia.Cert, expired: ExpiredSubkeys, source: Path) -> None:
        self._certificate, self._expired, self.source = certificate, expired, source
        self.fingerprint = certificate.fingerprint.upper()
        self.keys = {key.fingerprint: key for key in _keys(PacketPile.from_bytes(bytes(certificate)))}

    @classmethod
    def load(cls, settings: MirrorSettings) -> Keyring:
        """The certificate with the pinned fingerprint out of server.mirror.key. Raises KeyFileError."""
        path = settings.key_file(DEFAULT_KEY)
        found = _guarded(pysequoia.Cert.split_bytes, key_bytes(settings))
        if not found:
            raise KeyFileError(f"{path} (server.mirror.key) is not a file of OpenPGP public keys")
        chosen = next((one for one in found if one.fingerprint.upper() == settings.fingerprint), None)
        if chosen is None:
            others = ", ".join(one.fingerprint.upper() for one in found[:5])
            raise KeyFileError(
                f"{path} (server.mirror.key) has the primary key {others}, not {settings.fingerprint} "
                "(server.mirror.fingerprint): use the right key file, or state its fingerprint if you trust it"
            )
        if _guarded(lambda: chosen.is_revoked) is not False:
            raise KeyFileError(f"the primary key {settings.fingerprint} in {path} is revoked: nothing it signs is used")
        ring = _guarded(cls, chosen, settings.expired_subkeys, path)
        if ring is None:
            raise KeyFileError(f"{path} (server.mirror.key) has a key that this version of pxed cannot read")
        return ring

    def clearsigned(self, message: bytes, url: str) -> tuple[bytes, str]:
        """The signed text of a clearsigned message, and the fingerprint of the key. Raises UntrustedError.

        Only the text that Sequoia verified is returned; a message with anything around or between is refused.
        """
        whole = message.strip()
        framed = whole.startswith(_BEGIN) and whole.endswith(_END) and whole.count(b"-----BEGIN PGP") == 2
        if not framed or whole.count(_END) != 1 or _MIDDLE not in whole:
            raise UntrustedError(f"{url} is not one clearsigned message and nothing else: it is not used")
        signatures = self._usable(whole[whole.index(_MIDDLE) :], url)
        verified = _guarded(lambda: pysequoia.verify(bytes=whole, store=self._store))
        if verified is None or verified.bytes is None:
            raise UntrustedError(_mismatch(signatures, url))
        return verified.bytes, self._allowed(verified, url)

    def detached(self, signature: bytes, content: bytes | Path, url: str) -> str:
        """The fingerprint of the key that signed the content. `url` is the signature's. Raises UntrustedError."""
        signatures = self._usable(signature, url)
        for packet in signatures:
            one = _guarded(lambda packet=packet: pysequoia.Sig.from_bytes(bytes(packet)))
            verified = self._verify(one, content) if one else None
            if verified:
                return self._allowed(verified, url)
        raise UntrustedError(_mismatch(signatures, url))

    def _verify(self, signature: pysequoia.Sig, content: bytes | Path) -> pysequoia.Decrypted | None:
        if isinstance(content, Path):
            with _piped(content) as source:
                return _guarded(lambda: pysequoia.verify(store=self._store, signature=signature, file=source))
        return _guarded(lambda: pysequoia.verify(store=self._store, signature=signature, bytes=content))

    def _store(self, _ids: Sequence[str]) -> list[pysequoia.Cert]:
        return [self._certificate]

    def _usable(self, signature: bytes, url: str) -> list[Packet]:
        """The signatures that are worth a check. Raises UntrustedError with what is wrong with the first, if none."""
        packets = _guarded(lambda: [one for one in PacketPile.from_bytes(signature) if one.tag == Tag.Signature])
        packets = (packets or [])[:MAX_SIGNATURES]
        if not packets:
            raise UntrustedError(f"{url} is not an OpenPGP signature")
        problems = [self._problem(packet) for packet in packets]
        if all(problems):
            raise UntrustedError(f"{url} {problems[0]}")
        return [packet for packet, problem in zip(packets, problems, strict=True) if not problem]

    def _problem(self, packet: Packet) -> str:
        """Why a signature cannot be trusted, whatever it signs; "" when it may be."""
        weak = _guarded(lambda: next((name for hash_, name in _WEAK if packet.hash_algorithm == hash_), ""))
        if weak:
            return f"uses the hash {weak}, which can be forged: it is refused"
        issuer = (_guarded(lambda: packet.issuer_fingerprint or packet.issuer_key_id) or "").upper()
        made = _guarded(lambda: packet.signature_created)
        if weak is None or made is None:
            return "is not a signature that this version of pxed can read: it is refused"
        key = next((key for name, key in self.keys.items() if issuer and name.endswith(issuer)), None)
        if key is None:
            return (
                f"is signed by the key {issuer or '(not named)'}, which {self.source} does not contain: if the "
                "publisher has a new subkey, fetch the key file anew (server.mirror.key)"
            )
        if key.expires and made >= key.expires:
            return f"was signed on {made:%Y-%m-%d}, after the subkey {key.fingerprint} had expired: it is refused"
        return self._refusal(key)

    def _refusal(self, key: SigningKey) -> str:
        if key.revoked:
            return f"is signed by the subkey {key.fingerprint}, which is revoked: it is refused"
        if key.expires and key.expires <= datetime.now(UTC) and self._expired is ExpiredSubkeys.REFUSE:
            return (
                f"is signed by the subkey {key.fingerprint}, which expired on {key.expires:%Y-%m-%d}: it is refused, "
                "as server.mirror.expired_subkeys says"
            )
        return ""

    def _allowed(self, verified: pysequoia.Decrypted, url: str) -> str:
        """Of the signatures that Sequoia found good, the first whose key is allowed."""
        problems = []
        for good in verified.valid_sigs:
            key = self.keys.get(good.signing_key.upper())
            problem = self._refusal(key) if key else "is signed by an unknown key"
            if key and not problem and good.certificate.upper() == self.fingerprint:
                return key.fingerprint
            problems.append(problem)
        raise UntrustedError(f"{url} {problems[0] if problems else 'has no good signature'}")


@contextlib.contextmanager
def _piped(path: Path) -> Iterator[str]:
    """A pipe that has a file's content, as a path. Raises OSError.

    Sequoia maps a regular file, so all of it counts as memory of this process: 505 MB of 500 MB, 18 MB through a pipe
    (measured; a tenth more CPU). Another process has to fill it, for Sequoia holds the interpreter meanwhile.
    """
    fill = [sys.executable, "-I", "-S", "-c", f"import os\nwhile os.splice(0, 1, {_PIPE}): pass"]
    with (
        path.open("rb") as file,
        subprocess.Popen(  # noqa: S603
            fill, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        ) as filler,
    ):
        assert filler.stdout is not None  # noqa: S101
        fcntl.fcntl(filler.stdout, fcntl.F_SETPIPE_SZ, _PIPE)
        yield f"/dev/fd/{filler.stdout.fileno()}"


def _mismatch(signatures: Sequence[Packet], url: str) -> str:
    made = signatures[0].signature_created
    if made and made > datetime.now(UTC):
        return f"{url} was signed on {made:%Y-%m-%d}, in the future: check this host's clock"
    return f"{url} does not fit what it signs: the file or its signature was changed on the way, or at its source"


def _keys(packets: PacketPile) -> list[SigningKey]:
    """Primary key and subkeys. A subkey does not outlive the primary key (RFC 9580 10.1.2)."""
    groups: list[list[Packet]] = []
    for packet in packets:
        if packet.tag in _KEYS:
            groups.append([packet])
        elif packet.tag == Tag.Signature:
            groups[-1].append(packet)
    primary = groups[0][0]
    keys = [_key(primary, key, signatures) for key, *signatures in groups]
    return [SigningKey(key.fingerprint, _sooner(key.expires, keys[0].expires), key.revoked) for key in keys]


def _key(primary: Packet, key: Packet, signatures: Sequence[Packet]) -> SigningKey:
    """One key. The primary key's newest signature on it says when it expires; a revocation counts for ever."""
    own = [one for one in signatures if one.signature_type not in _REVOCATIONS and _issued_by(one, primary)]
    newest = max(own, key=lambda one: one.signature_created or _EPOCH, default=None)
    period = newest.key_validity_period if newest else None
    expires = key.key_created + period if period and key.key_created else None
    revoked = any(one.signature_type in _REVOCATIONS for one in signatures)
    return SigningKey((key.fingerprint or "").upper(), expires, revoked)


def _issued_by(signature: Packet, key: Packet) -> bool:
    issuer = signature.issuer_fingerprint or signature.issuer_key_id
    return bool(issuer and key.fingerprint and key.fingerprint.endswith(issuer))


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((time for time in (one, other) if time), default=None)


def _guarded(call: Callable[..., _T], *arguments: object) -> _T | None:
    """What Sequoia makes of bytes of others; None for any error: its messages are stack traces."""
    try:
        return call(*arguments)
    except Exception:  # pysequoia raises RuntimeError for most, ValueError and TypeError for some
        return None
