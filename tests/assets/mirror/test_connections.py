"""How release servers are reached: proxies of the environment, TLS with the host's authorities."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys

import pytest

from pxed.assets.mirror.layout import KERNEL
from tests.assets.mirror.site import KERNEL_A, A, Site
from tests.assets.mirror.test_faults import assert_matches
from tests.assets.mirror.test_resume import ROOT, inventory_text
from tests.releases.server import ReleaseServer


def test_a_proxy_of_the_environment_is_used(site, monkeypatch):
    """The release server is the proxy: it answers for every host."""
    site.publish_a()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{site.server.port}")
    assert not site.sync(site.inventory(url="http://releases.invalid/{channel}")).failed
    assert site.read(A, KERNEL) == KERNEL_A


def test_a_host_of_no_proxy_is_asked_directly(site, monkeypatch):
    site.publish_a()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert not site.sync().failed


def test_a_proxy_that_is_down_is_named(site, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    failed = site.failure(site.inventory(url="http://releases.invalid/{channel}"))
    by = r" \(by the proxy http://127\.0\.0\.1:9 of the environment\)"
    assert_matches(r"http://releases\.invalid/.*" + by + r": no connection to 127\.0\.0\.1:9: ", failed.reason)


def test_a_proxy_that_is_no_url_is_named_without_its_password(site, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://me:secret@/")
    failed = site.failure(site.inventory(url="http://releases.invalid/{channel}"))
    assert "of the environment" in failed.reason
    assert "secret" not in failed.reason


@pytest.fixture
def secure(tmp_path):
    """A release server with TLS, and the certificate that it shows."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=releases", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key),
         "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    (tmp_path / "data").mkdir(exist_ok=True)
    with ReleaseServer(tmp_path / "secure", tls=context) as server:
        site = Site(server, tmp_path / "data")
        site.publish_a()
        yield site, certificate


def test_a_certificate_of_an_unknown_authority_is_refused(secure):
    site, _ = secure
    failed = site.failure()
    assert_matches("no TLS connection: .*self.signed certificate.*: is its authority known to this host", failed.reason)
    assert site.versions() == set()


def test_an_authority_in_ssl_cert_file_is_trusted(secure):
    """In a process of its own: the authorities are read when aiohttp is imported."""
    site, certificate = secure
    config = site.data_dir / "pxed.yaml"
    config.write_text(inventory_text(site))
    done = subprocess.run(
        [sys.executable, "-m", "pxed", "images", "sync", "-c", str(config)],
        env={**os.environ, "SSL_CERT_FILE": str(certificate)}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, site.versions()) == (0, {A}), done.stderr
