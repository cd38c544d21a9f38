"""The certificate that the HTTPS listener shows: what is loaded, and what replaces it when its files change.

TLS 1.2 (RFC 5246) and 1.3 (RFC 8446) by OpenSSL. Client certificates are left out: machines have none.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from pxed.errors import HostError
from pxed.inventory.tls import TlsSettings

# What has forward secrecy comes first. The rest is for iPXE, which before 2022 knew RSA key exchange only (its
# src/crypto/mishmash/rsa_aes_*.c), and AES-CBC.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:!PSK:!SRP:!aNULL"
Stamps = tuple[tuple[int, int, int] | None, ...]
_HAND_OVER = "LoadCredential= of the service unit hands it over (docs/https.md)"


class TlsError(HostError):
    """A certificate that cannot be shown: which file, what was found, what is expected. `field` is of TlsSettings."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class Tls:
    """The listener's certificate. `context` is for the next connection; one that is open keeps its own."""

    def __init__(self, settings: TlsSettings) -> None:
        self.settings = settings
        self._loaded = self._settling = self._stamps()
        self.context = server_context(settings)

    async def look(self) -> bool:
        """Whether a new certificate was loaded: files changed, and stayed the same since the last look.

        Raises TlsError, once for each change, for files that are not usable; the old certificate then stays.
        """
        now = self._stamps()
        settled, self._settling = now == self._settling, now
        if now == self._loaded or not settled:
            return False
        self._loaded = now
        self.context = await asyncio.to_thread(server_context, self.settings)
        return True

    def _stamps(self) -> Stamps:
        return tuple(_stamp(path) for path in self.settings.files)


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """What connections are accepted with. Raises TlsError."""
    for field in ("certificate", "key", *(["ca"] if settings.ca is not None else ())):
        _check_pem(field, getattr(settings, field))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=_no_password(settings.key))
    except ssl.SSLError as error:
        raise _explained(settings, error) from None
    except OSError as error:
        raise TlsError(
            "certificate", f"cannot read {settings.certificate} or {settings.key}: {error.strerror}"
        ) from None
    return context


def _check_pem(field: str, path: Path) -> None:
    what = "PRIVATE KEY" if field == "key" else "CERTIFICATE"
    try:
        content = path.read_bytes()
    except OSError as error:
        hint = f"; {_HAND_OVER}" if field == "key" and isinstance(error, PermissionError) else ""
        raise TlsError(field, f"cannot read {path}: {error.strerror}{hint}") from None
    if f"{what}-----".encode() not in content:
        raise TlsError(field, f"{path} has no {what.lower()}: expected PEM, with -----BEGIN {what}-----")


def _no_password(key: Path) -> Callable[[], str]:
    """OpenSSL would ask for it on the terminal."""

    def refuse() -> str:
        raise TlsError("key", f"{key} has a password: take it off with openssl pkey -in {key.name} -out plain.pem")

    return refuse


def _explained(settings: TlsSettings, error: ssl.SSLError) -> TlsError:
    reason = error.reason or str(error)
    certificate, key = settings.certificate, settings.key
    if reason == "KEY_VALUES_MISMATCH":
        return TlsError("key", f"{key} is not the key of the certificate in {certificate}")
    if reason == "KEY_TYPE_MISMATCH":
        return TlsError("key", f"{key} is not of the same kind as the key of the certificate in {certificate}")
    if reason.startswith(("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")):
        sentence = (
            "its key or its signature is too weak for OpenSSL: expected RSA of 2048 bits, P-256 or more, and SHA-256"
        )
        return TlsError("certificate", f"{certificate}: {sentence}")
    return TlsError("certificate", f"OpenSSL cannot use {certificate} with {key}: {reason.replace('_', ' ').lower()}")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
