"""Which signatures are trusted: one pinned primary key, its subkeys as they were when they signed.

Keys and signatures come from GnuPG, in times that it is told; a few from pysequoia.
"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.assets.mirror.errors import UntrustedError
from pxed.assets.mirror.keyfile import DEFAULT_KEY, KeyFileError
from pxed.assets.mirror.signatures import Keyring
from pxed.inventory.releases import SIGNING_KEY, ExpiredSubkeys, MirrorSettings
from tests.releases.gnupg import GnuPGKey, home
from tests.releases.keys import ThrowAwayKey

TEXT = b"# SHA512 HASH\nabc  file\n"
URL = "http://releases/file.sig"
CURRENT, EXPIRED, LATE, HARD, SOFT, RSA = "current", "expired", "late", "revoked hard", "revoked soft", "rsa"


@pytest.fixture(scope="module")
def keys():
    """One primary key and its subkeys, by what became of them."""
    with home() as path:
        primary = GnuPGKey.make(path)
        subkeys = {
            CURRENT: primary.with_subkey("20240101T000000"),
            EXPIRED: primary.with_subkey("20200102T000000", "1y"),
            LATE: primary.with_subkey("20200103T000000"),
            HARD: primary.with_subkey("20210101T000000"),
            SOFT: primary.with_subkey("20210102T000000"),
            RSA: primary.with_subkey("20240102T000000", algorithm="rsa2048"),
        }
        made = {
            **{name: (key.clearsigned(TEXT), key.detached(TEXT)) for name, key in dated(subkeys).items()},
            "sha1": both(subkeys[CURRENT].signing("", "--digest-algo", "SHA1")),
            "md5": both(subkeys[RSA].signing("", "--digest-algo", "MD5")),
            "future": both(subkeys[CURRENT].signing("20400101T000000")),
        }
        subkeys[LATE].expire("1y", "20200201T000000")
        subkeys[HARD].revoke(1)
        subkeys[SOFT].revoke(2)
        yield primary, subkeys, made


def dated(subkeys):
    when = {EXPIRED: "20200601T000000", LATE: "20220601T000000", HARD: "20210601T000000", SOFT: "20210601T000000"}
    return {name: key.signing(when.get(name, "")) for name, key in subkeys.items()}


def both(key):
    return key.clearsigned(TEXT), key.detached(TEXT)


@pytest.fixture
def keyring(keys, tmp_path):
    def load(expired=ExpiredSubkeys.ACCEPT, certificate=None, fingerprint=None):
        path = tmp_path / "key.asc"
        path.write_bytes(certificate or keys[0].certificate)
        settings = MirrorSettings(
            key=str(path), fingerprint=fingerprint or keys[0].fingerprint, expired_subkeys=expired
        )
        return Keyring.load(settings.model_copy(update={"key": path}))

    return load


@pytest.mark.parametrize("name", [CURRENT, EXPIRED, RSA])
def test_what_was_signed_while_the_subkey_was_valid_is_trusted(keys, keyring, name):
    clear, detached = keys[2][name]
    assert keyring().clearsigned(clear, URL) == (TEXT.removesuffix(b"\n"), keys[1][name].subkey)
    assert keyring().detached(detached, TEXT, URL) == keys[1][name].subkey


@pytest.mark.parametrize(
    ("name", "expired", "reason"),
    [
        pytest.param(EXPIRED, "refuse", r"expired on 2021-01-01: it is refused, as server",
                     id="a subkey that has expired since, where the inventory refuses those"),
        pytest.param(LATE, "accept", r"was signed on 2022-06-01, after the subkey .* had expired",
                     id="a signature that was made after its subkey expired"),
        pytest.param(HARD, "accept", "which is revoked", id="a subkey that is revoked as compromised"),
        pytest.param(SOFT, "accept", "which is revoked", id="a subkey that is revoked as superseded"),
        pytest.param("sha1", "accept", "uses the hash SHA-1, which can be forged", id="SHA-1"),
        pytest.param("md5", "accept", "uses the hash MD5, which can be forged", id="MD5"),
        pytest.param("future", "accept", r"2040-01-01, in the future: check this host's clock", id="the future"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(keys, keyring, name, expired, reason):
    clear, detached = keys[2][name]
    ring = keyring(ExpiredSubkeys(expired))
    with pytest.raises(UntrustedError, match=reason):
        ring.clearsigned(clear, URL)
    with pytest.raises(UntrustedError, match=reason):
        ring.detached(detached, TEXT, URL)


def test_a_foreign_key_is_named_with_the_remedy(keyring):
    foreign = ThrowAwayKey.make()
    with pytest.raises(UntrustedError, match=r"does not contain: .* fetch the key file anew \(server\.mirror\.key\)"):
        keyring().detached(foreign.detached(TEXT), TEXT, URL)
    with pytest.raises(UntrustedError, match=r"is signed by the key [0-9A-F]{40}, which"):
        keyring().clearsigned(foreign.clearsigned(TEXT), URL)


def test_another_content_does_not_fit_the_signature(keys, keyring, tmp_path):
    (tmp_path / "file").write_bytes(TEXT + b"!")
    for content in (TEXT + b"!", tmp_path / "file"):
        with pytest.raises(UntrustedError, match="does not fit what it signs"):
            keyring().detached(keys[2][CURRENT][1], content, URL)


def test_one_good_signature_beside_a_foreign_one_is_enough(keys, keyring):
    """Around a change of keys a release may be signed by both."""
    two = ThrowAwayKey.make().detached(TEXT) + keys[2][CURRENT][1]
    assert keyring().detached(two, TEXT, URL) == keys[1][CURRENT].subkey


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda clear: b"evil  file\n" + clear, id="text before it"),
        pytest.param(lambda clear: clear + b"evil  file\n", id="text after it"),
        pytest.param(lambda clear: clear + clear, id="two messages"),
        pytest.param(lambda clear: clear.replace(b"abc", b"abd"), id="a changed text"),
        pytest.param(lambda clear: clear[: len(clear) // 2], id="half of it"),
        pytest.param(lambda clear: TEXT, id="no signature"),
        pytest.param(lambda clear: b"", id="nothing"),
    ],
)
def test_a_clearsigned_message_stands_alone_and_as_it_was_signed(keys, keyring, change):
    with pytest.raises(UntrustedError):
        keyring().clearsigned(change(keys[2][CURRENT][0]), URL)


@pytest.mark.parametrize("signature", [b"", b"<html>404</html>", b"\xff" * 100])
def test_what_is_no_signature_is_refused(keyring, signature):
    with pytest.raises(UntrustedError, match=f"{URL} is not an OpenPGP signature"):
        keyring().detached(signature, TEXT, URL)


def test_the_projects_own_key_file_has_flatcars_key():
    ring = Keyring.load(MirrorSettings())
    assert ring.fingerprint == SIGNING_KEY
    assert "52F145DFD00BBDCD928CBB5A32DA80F91EF52974" in ring.keys
    assert sorted(fingerprint[:8] for fingerprint, key in ring.keys.items() if key.revoked) == ["1E100DD7", "A621F1DA"]
    assert DEFAULT_KEY.parent.name == "mirror"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "is not a file of OpenPGP public keys", id="an empty file"),
        pytest.param(b"hello", "is not a file of OpenPGP public keys", id="a text"),
        pytest.param(DEFAULT_KEY.read_bytes(), f"has the primary key {SIGNING_KEY}, not ", id="another key"),
    ],
)
def test_a_wrong_key_file_is_refused(keyring, content, reason):
    with pytest.raises(KeyFileError, match=reason):
        keyring(certificate=content or b"\n")


def test_a_missing_key_file_is_named(tmp_path):
    settings = MirrorSettings().model_copy(update={"key": tmp_path / "absent.asc"})
    with pytest.raises(KeyFileError, match=r"cannot read the key file .*absent\.asc .*No such file"):
        Keyring.load(settings)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_a_signature(data):
    ring = Keyring.load(MirrorSettings())
    for call in (lambda: ring.detached(data, TEXT, URL), lambda: ring.clearsigned(data, URL)):
        with pytest.raises(UntrustedError):
            call()


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4))
def test_a_damaged_signature_is_refused_or_still_good(flips):
    """Parts that are not signed, such as the issuer's key ID, may change."""
    for seed, check in DAMAGED:
        damaged = bytearray(seed)
        for place, flip in flips:
            damaged[place % len(damaged)] ^= flip
        with contextlib.suppress(UntrustedError):
            assert check(bytes(damaged)) in SIGNING.keys


_KEY = ThrowAwayKey.make()
SIGNING = Keyring(_KEY.secret.extract_certificate(), ExpiredSubkeys.ACCEPT, DEFAULT_KEY)
DAMAGED = (
    (_KEY.detached(TEXT), lambda damaged: SIGNING.detached(damaged, TEXT, URL)),
    (_KEY.clearsigned(TEXT), lambda damaged: SIGNING.clearsigned(damaged, URL)[1]),
)
