"""Throw-away certificates by the real openssl: a CA, and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from pxed.inventory.tls import TlsSettings

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*arguments: str | Path, **options: bytes) -> bytes:
    """Run it; its standard output."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False, timeout=60, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, in files."""

    certificate: Path
    key: Path

    def settings(self, ca: Path | None = None, host: str | None = None, port: int = 8443) -> TlsSettings:
        """As the inventory has it."""
        return TlsSettings.model_construct(certificate=self.certificate, key=self.key, ca=ca, host=host, port=port)


def authority(home: Path, name: str = "ca") -> Pair:
    """A CA that signs itself, for a year."""
    pair = Pair(home / f"{name}.pem", home / f"{name}.key")
    extensions = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign")
    openssl("req", "-x509", *_EC, "-days", "365", "-subj", f"/CN={name}", *extensions,
            "-keyout", pair.key, "-out", pair.certificate)  # fmt: skip
    return pair


def signed(
    ca: Pair, home: Path, name: str = "pxed", names: str = "IP:127.0.0.1", days: int = 300, kind: tuple[str, ...] = _EC
) -> Pair:
    """A certificate for these subjectAltNames. Negative `days` are of one that is over."""
    pair, request = Pair(home / f"{name}.pem", home / f"{name}.key"), home / f"{name}.csr"
    openssl("req", "-new", *kind, "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
    extensions = home / f"{name}.ext"
    extensions.write_text(f"basicConstraints=CA:FALSE\n{f'subjectAltName={names}' if names else ''}\n")
    openssl("x509", "-req", "-in", request, "-CA", ca.certificate, "-CAkey", ca.key, "-CAcreateserial", "-sha256",
            "-days", str(days), "-extfile", extensions, "-out", pair.certificate)  # fmt: skip
    pair.key.chmod(0o600)
    return pair
