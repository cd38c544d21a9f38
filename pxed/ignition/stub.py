"""The small config before an HTTPS one: it carries the CA that the real one's server is checked against.

Ignition trusts the initramfs's own CAs only, for the URL of the kernel's command line there is no other way
(https://coreos.github.io/ignition/operator-notes/). What it names it fetches with the CAs that this config adds, and it
checks the digest of what it got.
"""

from __future__ import annotations

from base64 import b64encode

from pxed.ignition import spec
from pxed.ignition.document import Config


def stub_config(version: str, url: str, sha512: str, ca: bytes) -> Config:
    """A config of spec `version` that names the one at `url`, whose SHA-512 (hexadecimal) is known. `ca` is PEM."""
    source = f"data:;base64,{b64encode(ca).decode()}"
    tree = {
        "ignition": {
            "version": version,
            "config": {"merge": [{"source": url, "verification": {"hash": f"sha512-{sha512}"}}]},
            "security": {"tls": {"certificateAuthorities": [{"source": source}]}},
        }
    }
    return Config(spec.marshal(tree, version), version)
