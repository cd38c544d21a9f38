"""The small config before HTTPS: the CA that signed pxed's certificate, and where the real config is.

A machine asks for its first config with the CAs of its initramfs only, and no kernel argument adds one. So this one
goes by HTTP. It holds no secret but the URL of the real config, which HTTPS alone opens, and the digest of that.

The real config is merged into it, rather than taking its place: Ignition uses the CAs and timeouts of this one for the
fetch either way (internal/exec/engine.go calls UpdateHttpTimeoutsAndCAs before RenderConfig), but its later stages
are processes of their own, which take them from the config that came out; what replaces this one would have lost them.
"""

from __future__ import annotations

import re
from base64 import b64encode

from pxed.ignition import spec as ignition_spec
from pxed.ignition.document import Config
from pxed.ignition.snippet import SnippetError

OLDEST = "3.0.0"  # has security.tls, config.merge and verification.hash
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


def stub_config(spec: str, url: str, sha512: str, ca: bytes) -> Config:
    """The config that names the real one, of which `spec`, `url` (https) and `sha512` (hexadecimal) are given; `ca`
    are certificates (PEM). Raises SnippetError for a real one that is no Ignition config, and without certificates."""
    if not spec:
        raise SnippetError("with server.http.tls.ca only Ignition configs can be given, and this is none")
    # Ignition before 2.3 reads the first certificate of each source only (internal/resource/http.go, pem.Decode).
    certificates = list(dict.fromkeys(_CERTIFICATE.findall(ca)))
    if not certificates:
        raise SnippetError("the file of server.http.tls.ca has no certificate: expected PEM")
    version = spec if spec in ignition_spec.VERSIONS else OLDEST
    tree = {
        "ignition": {
            "version": version,
            "config": {"merge": [{"source": url, "verification": {"hash": f"sha512-{sha512}"}}]},
            "security": {"tls": {"certificateAuthorities": [{"source": _data_url(one)} for one in certificates]}},
        }
    }
    return Config(ignition_spec.marshal(tree, version), version)


def _data_url(content: bytes) -> str:
    return f"data:;base64,{b64encode(content).decode()}"
