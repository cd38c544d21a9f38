"""What machines will say of pxed's certificate: rehearsed with a TLS client in memory, before a machine does.

The client is OpenSSL with only the CA that machines are given, so what it says of dates, names and the chain is what
curl and Ignition will say. A library that reads certificates (cryptography) would tell less, and 10 MB of it be loaded.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pxed.inventory.tls import TlsSettings
from pxed.server.tls import TlsError, server_context

SOON = 14 * 86400  # seconds before its end from which on a certificate's end is told
_CREDENTIALS = "/run/credentials/"  # systemd looks after those itself
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h)
_SELF_SIGNED, _HOST, _ADDRESS = 18, 62, 64  # X509_V_ERR_* (x509_vfy.h)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing wrong; `field` is of TlsSettings. What is fatal no machine gets over, whatever the time is."""

    field: str
    sentence: str
    fatal: bool = False


def remarks(settings: TlsSettings, addresses: Sequence[str] = ()) -> Iterator[Remark]:
    """What is wrong with the listener's files for machines that reach it at `addresses`."""
    try:
        server = server_context(settings)
    except TlsError as error:
        yield Remark(error.field, str(error), fatal=True)
        return
    yield from judged(settings, server, addresses)


def judged(settings: TlsSettings, server: ssl.SSLContext, addresses: Sequence[str] = ()) -> Iterator[Remark]:
    """The same of files that were loaded."""
    try:
        leaf, der = _leaf(server)
    except ssl.SSLError as error:
        sentence = f"no handshake comes about with {settings.certificate}: {error.reason or error}"
        yield Remark("certificate", sentence, fatal=True)
        return
    yield from _dates(settings, leaf)
    yield from _chain(settings, server)
    yield from _names(settings, server, der, addresses)
    yield from _readers(settings)


def _dates(settings: TlsSettings, leaf: dict[str, Any]) -> Iterator[Remark]:
    begin, end = (ssl.cert_time_to_seconds(leaf[name]) for name in ("notBefore", "notAfter"))
    now = time.time()
    if now < begin:
        yield Remark("certificate", f"{settings.certificate} is not valid before {_day(begin)}: is the clock right?")
    elif now > end:
        yield Remark("certificate", f"{settings.certificate} expired on {_day(end)}: machines refuse it")
    elif end - now < min(SOON, (end - begin) / 3):
        yield Remark("certificate", f"{settings.certificate} expires on {_day(end)}: replace it, no restart is needed")


def _chain(settings: TlsSettings, server: ssl.SSLContext) -> Iterator[Remark]:
    client = _client()
    if settings.ca is not None:
        try:
            client.load_verify_locations(settings.ca)
        except ssl.SSLError as error:
            yield Remark("ca", f"OpenSSL cannot read {settings.ca}: {error.reason or error}", fatal=True)
            return
    else:
        client.load_default_certs()
    client.verify_flags = ssl.VerifyFlags(client.verify_flags | _NO_CHECK_TIME)
    try:
        rehearse(server, client)
    except ssl.SSLCertVerificationError as error:
        yield _distrusted(settings, error)


def _distrusted(settings: TlsSettings, error: ssl.SSLCertVerificationError) -> Remark:
    what = error.verify_message
    if settings.ca is not None:
        sentence = (
            f"{settings.ca} did not sign {settings.certificate}, or what is between them is missing in it ({what})"
        )
        return Remark("ca", sentence, fatal=True)
    if error.verify_code == _SELF_SIGNED:
        sentence = f"{settings.certificate} signs itself: give it as server.http.tls.ca too, or no machine trusts it"
        return Remark("ca", sentence)
    sentence = f"this host's CAs do not vouch for {settings.certificate} ({what}): machines need server.http.tls.ca"
    return Remark("ca", sentence)


def _names(settings: TlsSettings, server: ssl.SSLContext, der: bytes, addresses: Sequence[str]) -> Iterator[Remark]:
    wanted = [settings.host] if settings.host is not None else list(addresses)
    missing = [name for name in wanted if not _is_for(server, der, name)]
    if missing and settings.host is not None:
        sentence = f"{settings.certificate} has no subjectAltName for {settings.host}: machines refuse it"
        yield Remark("host", sentence)
    elif missing:
        sentence = f"{settings.certificate} has no subjectAltName for {', '.join(missing)}, where machines reach pxed"
        yield Remark("certificate", f"{sentence}: set server.http.tls.host to a name that it has")


def _is_for(server: ssl.SSLContext, der: bytes, name: str) -> bool:
    client = _client(der)
    client.check_hostname = True
    try:
        rehearse(server, client, name)
    except ssl.SSLCertVerificationError as error:
        return error.verify_code not in (_HOST, _ADDRESS)
    return True


def _readers(settings: TlsSettings) -> Iterator[Remark]:
    mode = settings.key.stat().st_mode
    if mode & 0o007 and not str(settings.key).startswith(_CREDENTIALS):
        yield Remark("key", f"everybody may read {settings.key} (mode {mode & 0o777:04o}): chmod 640 {settings.key}")


def _leaf(server: ssl.SSLContext) -> tuple[dict[str, Any], bytes]:
    """The certificate as the ssl module tells it, and its DER."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    der = rehearse(server, blind).getpeercert(binary_form=True) or b""
    return rehearse(server, _client(der)).getpeercert() or {}, der


def _client(anchor: bytes = b"") -> ssl.SSLContext:
    """A client that trusts nothing, or one certificate whatever its date is and whoever signed it."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.hostname_checks_common_name = False  # as Go's, which is Ignition's
    if anchor:
        client.load_verify_locations(cadata=anchor)
        client.verify_flags = ssl.VerifyFlags(client.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    return client


def rehearse(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None = None) -> ssl.SSLObject:
    """A handshake in memory; the client's end. Raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(down, up, server_hostname=name)
    there = server.wrap_bio(up, down, server_side=True)
    waiting = [here, there]
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    return here


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
