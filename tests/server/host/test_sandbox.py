"""What a unit's sandbox hides and protects, by its directives; and what the shipped unit says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pxed.server.host.sandbox import Service, parsed

UNIT = Path(__file__).parents[3] / "systemd" / "pxed.service"
STRICT = Service(
    "pxed", protect_home="yes", protect_system="strict", private_tmp="yes", inaccessible=(Path("/srv/secret"),),
    bound=(Path("/home/images"),), writable=(Path("/srv/pxed"),), state=(Path("/var/lib/pxed"),),
)  # fmt: skip
HIDDEN = {
    "/root/pxed.yaml": "ProtectHome=yes",
    "/home/me/worker.bu": "ProtectHome=yes",
    "/run/user/1000/x": "ProtectHome=yes",
    "/tmp/worker.bu": "PrivateTmp=yes",
    "/var/tmp/worker.bu": "PrivateTmp=yes",
    "/srv/secret/key.pem": "InaccessiblePaths=",
    "/home/images/vmlinuz": "",
    "/homes/worker.bu": "",
    "/etc/pxed/pxed.yaml": "",
    "/srv/pxed/images/x": "",
}
PROTECTED = {
    "/var/lib/pxed": "",
    "/var/lib/pxed/mirror": "",
    "/var/lib/other": "ProtectSystem=strict",
    "/srv/pxed": "",
    "/data": "ProtectSystem=strict",
    "/dev/shm": "",
}


@pytest.mark.parametrize(("path", "directive"), HIDDEN.items())
def test_what_the_sandbox_hides(path: str, directive: str) -> None:
    assert STRICT.hides(Path(path)) == directive
    assert Service().hides(Path(path)) == ""


@pytest.mark.parametrize(("path", "directive"), PROTECTED.items())
def test_where_the_sandbox_forbids_writing(path: str, directive: str) -> None:
    assert STRICT.protects(Path(path)) == directive
    assert Service().protects(Path(path)) == ""


def test_weaker_protection_is_of_the_system_only() -> None:
    full = Service(protect_system="full", protect_home="read-only")
    assert full.protects(Path("/etc/pxed")) == "ProtectSystem=full"
    assert full.protects(Path("/home/me/data")) == "ProtectHome=read-only"
    assert full.protects(Path("/data")) == ""
    assert full.hides(Path("/home/me/pxed.yaml")) == ""


def test_the_words_of_systemctl_show_are_understood() -> None:
    shown = {
        "User": "pxed", "SupplementaryGroups": "tls images", "ProtectHome": "true", "ProtectSystem": "strict",
        "PrivateTmp": "no", "ReadWritePaths": "/data -/more", "BindReadOnlyPaths": "/home/images:/images:rbind",
        "StateDirectory": "pxed pxed/images", "InaccessiblePaths": "-/srv/secret",
        "ExecStart": "{ path=/usr/bin/pxed ; argv[]=/usr/bin/pxed serve -c /etc/pxed/pxed.yaml ; ignore_errors=no }",
    }  # fmt: skip
    assert parsed(shown) == Service(
        "pxed", Path("/etc/pxed/pxed.yaml"), ("tls", "images"), "yes", "strict", "no", (Path("/srv/secret"),),
        (Path("/home/images"),), (Path("/data"), Path("/more")), (Path("/var/lib/pxed"), Path("/var/lib/pxed/images")),
    )  # fmt: skip
