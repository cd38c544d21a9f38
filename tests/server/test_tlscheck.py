"""What is said of a certificate before a machine meets it. The table is wide on purpose."""
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pxed.inventory.tls import TlsSettings
from pxed.server.tls import TlsError, server_context
from pxed.server.tlscheck import remarks
from tests.server.certificates import Pair, authority, openssl, signed

HERE = ("127.0.0.1", "10.0.0.1")
BOTH = "IP:127.0.0.1,IP:10.0.0.1"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return authority(tmp_path_factory.mktemp("ca"))


Make = Callable[[Pair, Path], TlsSettings]


def good(ca: Pair, home: Path) -> TlsSettings:
    return signed(ca, home, names=BOTH).settings(ca.certificate)


def named(names: str, host: str | None = None, **more: int) -> Make:
    return lambda ca, home: signed(ca, home, names=names, **more).settings(ca.certificate, host)


def without(part: str) -> Make:
    def make(ca: Pair, home: Path) -> TlsSettings:
        settings = good(ca, home)
        getattr(settings, part).unlink() if part != "ca" else None
        return settings if part != "ca" else settings.model_copy(update={"ca": home / "no.pem"})

    return make


def instead(part: str, content: bytes) -> Make:
    def make(ca: Pair, home: Path) -> TlsSettings:
        (home / "other").write_bytes(content)
        return good(ca, home).model_copy(update={part: home / "other"})

    return make


def other_key(ca: Pair, home: Path) -> TlsSettings:
    pair, other = signed(ca, home, names=BOTH), signed(ca, home, "other")
    return replace(pair, key=other.key).settings(ca.certificate)


def other_kind_of_key(ca: Pair, home: Path) -> TlsSettings:
    pair, other = signed(ca, home, names=BOTH), signed(ca, home, "other", kind=("-newkey", "rsa:2048", "-nodes"))
    return replace(pair, key=other.key).settings(ca.certificate)


def weak_key(ca: Pair, home: Path) -> TlsSettings:
    return signed(ca, home, names=BOTH, kind=("-newkey", "rsa:1024", "-nodes")).settings(ca.certificate)


def locked_key(ca: Pair, home: Path) -> TlsSettings:
    pair = signed(ca, home, names=BOTH)
    openssl("pkey", "-in", pair.key, "-aes256", "-passout", "pass:x", "-out", home / "locked.key")
    return replace(pair, key=home / "locked.key").settings(ca.certificate)


def other_ca(ca: Pair, home: Path) -> TlsSettings:
    return signed(ca, home, names=BOTH).settings(authority(home, "stranger").certificate)


def self_signed(ca: Pair, home: Path) -> TlsSettings:
    pair = Pair(home / "self.pem", home / "self.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90", "-subj",
            "/CN=x", "-addext", f"subjectAltName={BOTH}", "-keyout", pair.key, "-out", pair.certificate)  # fmt: skip
    return pair.settings()


def self_signed_and_given(ca: Pair, home: Path) -> TlsSettings:
    settings = self_signed(ca, home)
    return settings.model_copy(update={"ca": settings.certificate})


def unknown_ca(ca: Pair, home: Path) -> TlsSettings:
    return signed(ca, home, names=BOTH).settings()


def open_key(ca: Pair, home: Path) -> TlsSettings:
    settings = good(ca, home)
    settings.key.chmod(0o644)
    return settings


def group_key(ca: Pair, home: Path) -> TlsSettings:
    settings = good(ca, home)
    settings.key.chmod(0o640)
    return settings


FATAL, WARNING = True, False
CASES: dict[str, tuple[Make, list[tuple[str, str, bool]]]] = {
    "a good one": (good, []),
    "the key may be a group's": (group_key, []),
    "the host has a name of its own": (named("DNS:pxe.example", "pxe.example"), []),
    "a wildcard is for the host": (named("DNS:*.example.org", "pxe.example.org"), []),
    "one that signs itself and is given as the CA": (self_signed_and_given, []),
    "an address is missing": (named("IP:127.0.0.1"), [("certificate", "no subjectAltName for 10.0.0.1, where machines reach pxed: set server.http.tls.host", WARNING)]),
    "the host is missing": (named(BOTH, "pxe.example"), [("host", "no subjectAltName for pxe.example: machines refuse it", WARNING)]),
    "there are no names but the subject's, which Ignition does not look at": (named("", "pxed"), [("host", "no subjectAltName for pxed", WARNING)]),
    "it ends soon": (named(BOTH, days=5), []),
    "it is over": (named(BOTH, days=-1), [("certificate", "expired on 20", WARNING)]),
    "it signs itself and machines are not told": (self_signed, [("ca", "signs itself: give it as server.http.tls.ca too", WARNING)]),
    "nobody knows its CA": (unknown_ca, [("ca", "this host's CAs do not vouch for", WARNING)]),
    "another CA signed it": (other_ca, [("ca", "did not sign", FATAL)]),
    "everybody may read the key": (open_key, [("key", "(mode 0644): chmod 640", WARNING)]),
    "the key is another certificate's": (other_key, [("key", "is not the key of the certificate in", FATAL)]),
    "the key is of another kind": (other_kind_of_key, [("key", "is not the key of the certificate in", FATAL)]),
    "the key is too weak": (weak_key, [("certificate", "too weak for OpenSSL: expected RSA of 2048 bits", FATAL)]),
    "the key has a password": (locked_key, [("key", "has a password: take it off with openssl pkey", FATAL)]),
    "no certificate is there": (without("certificate"), [("certificate", "cannot read", FATAL)]),
    "no key is there": (without("key"), [("key", "cannot read", FATAL)]),
    "no CA is there": (without("ca"), [("ca", "cannot read", FATAL)]),
    "the certificate is no PEM": (instead("certificate", b"\x30\x82"), [("certificate", "has no certificate: expected PEM", FATAL)]),
    "the key is no PEM": (instead("key", b""), [("key", "has no private key: expected PEM, with -----BEGIN PRIVATE KEY-----", FATAL)]),
    "the certificate is broken": (instead("certificate", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"), [("certificate", "OpenSSL cannot use", FATAL)]),
    "the CA is broken": (instead("ca", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"), [("ca", "OpenSSL cannot read", FATAL)]),
}  # fmt: skip


@pytest.mark.parametrize(("make", "expected"), CASES.values(), ids=CASES)
def test_what_is_said(ca: Pair, tmp_path: Path, make: Make, expected: list[tuple[str, str, bool]]) -> None:
    found = list(remarks(make(ca, tmp_path), HERE))
    assert [(one.field, one.fatal) for one in found] == [(field, fatal) for field, _, fatal in expected]
    for one, (_, words, _) in zip(found, expected, strict=True):
        assert words in one.sentence


def test_the_end_is_told_two_weeks_before_and_of_short_lives_in_the_last_third(ca: Pair, tmp_path: Path) -> None:
    """`days=5` of the table has just begun; of these the older part is over."""
    pair = signed(ca, tmp_path, names=BOTH)
    request = tmp_path / "pxed.csr"
    openssl("ca", "-batch", "-selfsign", "-keyfile", pair.key, "-in", request, "-out", pair.certificate, "-notext",
            "-startdate", "20200101000000Z", "-enddate", _in_days(10), "-config", _ca_config(tmp_path))  # fmt: skip
    (remark,) = (one for one in remarks(pair.settings(pair.certificate), ()) if one.field == "certificate")
    assert "expires on" in remark.sentence


def _in_days(days: int) -> str:
    import datetime

    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


def _ca_config(home: Path) -> Path:
    (home / "index").touch()
    (home / "serial").write_text("01\n")
    text = f"[ca]\ndefault_ca=a\n[a]\ndatabase={home}/index\nserial={home}/serial\nnew_certs_dir={home}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n"
    (home / "ca.cnf").write_text(text)
    return home / "ca.cnf"


def test_what_is_fatal_stops_a_start_with_its_field(ca: Pair, tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="is not the key") as caught:
        server_context(other_key(ca, tmp_path))
    assert caught.value.field == "key"
