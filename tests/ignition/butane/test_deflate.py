"""Lengths of gzip files as Go's compress/gzip makes them at BestCompression, and the choices that hang on them.

Every number was printed by a program of ten lines around compress/gzip, built with Go 1.19.
"""

from __future__ import annotations

import pytest

from pxed.ignition.butane.dataurl import data_url
from pxed.ignition.butane.deflate import gzip_length

LENGTHS = {
    "nothing": (b"", 23),
    "one letter": (b"z", 25),
    "one letter repeated": (b"z" * 200, 27),
    "two letters repeated": (b"ab" * 60, 28),
    "a short line repeated": (b"a b\n" * 20, 30),
    "ten digits repeated": (b"0123456789" * 12, 36),
    "a sentence three times": (b"The quick brown fox jumps over the lazy dog. " * 3, 72),
    "settings repeated": (b"key=value\n" * 100, 42),
    "numbered lines": (b"\n".join(b"line %d" % number for number in range(300)), 613),
    "every byte once, which is stored": (bytes(range(256)), 284),
    "zeros, as many as are counted": (bytes(8192), 47),
}

# By the length of zlib's output each of these would be chosen the other way.
BORDER = {
    "credentials of a unit": (
        b"LoadCredential=login.motd\nLoadCredential=login.issue\nLoadCredential=network.hosts\n"
        b"LoadCredential=ssh.authorized_keys.root\n[Unit]\n",
        False,
    ),
    "manual pages of a unit": (
        b"Documentation=man:locale.conf(5)\nDocumentation=man:vconsole.conf(5)\n"
        b"Documentation=man:org.freedesktop.locale1(5)\n",
        False,
    ),
    "protections of a unit": (
        b"PrivateTmp=yes\nProtectProc=invisible\nProtectControlGroups=yes\nProtectHome=yes\nProtectKernelLogs=yes\n"
        b"ProtectKernelModules=yes\n",
        False,
    ),
    "a service with two commands": (
        b"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/lib/systemd/systemd-binfmt\n"
        b"ExecStop=/lib/systemd/systemd-binfmt --unregister\nTimeoutSec=90s\n",
        True,
    ),
    "the order of units": (
        b"After=plymouth-start.service systemd-vconsole-setup.service\nConflicts=emergency.service\n"
        b"Before=emergency.service\nConflicts=shutdown.target initrd-switch-root.target\n",
        True,
    ),
}


@pytest.mark.parametrize(("text", "length"), LENGTHS.values(), ids=LENGTHS)
def test_a_text_is_as_long_as_go_makes_it(text: bytes, length: int) -> None:
    assert gzip_length(text) == length


@pytest.mark.parametrize(("text", "gzipped"), BORDER.values(), ids=BORDER)
def test_a_text_at_the_border_is_compressed_only_if_go_makes_it_shorter(text: bytes, gzipped: bool) -> None:
    assert data_url(text, None)[1] == ("gzip" if gzipped else "")
