"""What the HTTPS listener speaks TLS with, made of the files of `server.http.tls`.

TLS 1.2 (RFC 5246) and 1.3 (RFC 8446) by OpenSSL. Client certificates are left out: machines have none.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

from pxed.errors import HostError
from pxed.inventory.tls import TlsSettings

# What has forward secrecy comes first. The rest is for iPXE: the one that Debian 12 packages, of 2019, has RSA key
# exchange with AES-CBC only (its src/crypto/mishmash/rsa_aes_cbc_*.c).
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:!PSK:!SRP:!aNULL"
_NOT_ITS_KEY = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")  # the latter: RSA beside EC
_HAND_OVER = "LoadCredential= of the service unit hands it over (docs/how-to/https.md)"


class TlsError(HostError):
    """A certificate that cannot be shown: which file, what was found, what is expected. `field` is of TlsSettings."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


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
    if reason in _NOT_ITS_KEY:
        return TlsError("key", f"{key} is not the key of the certificate in {certificate}")
    if reason.startswith(("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK")):
        sentence = (
            "its key or its signature is too weak for OpenSSL: expected RSA of 2048 bits, P-256 or more, and SHA-256"
        )
        return TlsError("certificate", f"{certificate}: {sentence}")
    return TlsError("certificate", f"OpenSSL cannot use {certificate} with {key}: {reason.replace('_', ' ').lower()}")
