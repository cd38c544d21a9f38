"""The release server's formats: version.txt, lts-info, DIGESTS, URLs."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.assets.mirror.digests import sha512_of
from pxed.assets.mirror.errors import UntrustedError
from pxed.assets.mirror.layout import Line, base_url, order, parse_lts_info, parse_version_txt, version_in, year_of
from pxed.errors import PxedError
from pxed.inventory.releases import RELEASE_SERVERS
from tests.releases.tree import LTS_INFO, version_txt

URL = "http://releases/version.txt"
SUM, OTHER = "ab" * 64, "cd" * 64


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("FLATCAR_VERSION=4593.2.5\n", "4593.2.5", id="plain"),
        pytest.param('FLATCAR_VERSION="4593.2.5"\n', "4593.2.5", id="double quotes"),
        pytest.param("FLATCAR_VERSION='4593.2.5'", "4593.2.5", id="single quotes, no end of line"),
        pytest.param("FLATCAR_VERSION=4593.2.5\r\nX=1\r\n", "4593.2.5", id="lines that end as DOS's do"),
        pytest.param("A=\nB=\"\"\n# words\n\nFLATCAR_VERSION=1.2.3  \n", "1.2.3", id="empty values, other lines"),
        pytest.param("FLATCAR_VERSION_ID=9.9.9\nFLATCAR_VERSION=1.2.3\n", "1.2.3", id="a longer key before it"),
    ],
)  # fmt: skip
def test_the_version_is_read_from_version_txt(text, value):
    assert version_in(text.encode(), URL) == value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "has no line FLATCAR_VERSION=: that is no release server, or a proxy answers", id="empty"),
        pytest.param(b"<html>Login</html>", "has no line FLATCAR_VERSION=", id="a proxy's page"),
        pytest.param(b"FLATCAR_VERSION=\n", "says FLATCAR_VERSION=, expected a version", id="an empty version"),
        pytest.param(b"FLATCAR_VERSION=../../x\n", r"says FLATCAR_VERSION=\.\./\.\./x, expected", id="a path"),
        pytest.param(b"\xff\xfe\x00", "has no line", id="no text"),
    ],
)
def test_what_is_no_version_txt_says_so(content, reason):
    with pytest.raises(UntrustedError, match=f"{URL} {reason}"):
        version_in(content, URL)


def test_all_values_are_read_as_a_release_has_them():
    assert parse_version_txt(version_txt("4593.2.5")) == {
        "FLATCAR_BUILD": "4593", "FLATCAR_BRANCH": "2", "FLATCAR_PATCH": "5", "FLATCAR_VERSION": "4593.2.5",
        "FLATCAR_VERSION_ID": "4593.2.5", "FLATCAR_BUILD_ID": "", "FLATCAR_SDK_VERSION": "4593.0.0",
    }  # fmt: skip


def test_lts_info_tells_majors_and_support_by_year():
    assert parse_lts_info(LTS_INFO.encode())[2024] == (4081, True)
    assert parse_lts_info(b"junk\n3510:2023:unsupported\n4081:2024\n") == {2023: (3510, False)}


@pytest.mark.parametrize(("word", "year"), [("current-2024", 2024), ("current", None), ("4593.2.5", None)])
def test_a_year_is_read_from_its_word(word, year):
    assert year_of(word) == year


@pytest.mark.parametrize(
    ("template", "url"),
    [
        pytest.param(RELEASE_SERVERS, "https://lts.release.flatcar-linux.net/amd64-usr/current/version.txt", id="own"),
        pytest.param("http://mirror/flatcar/", "http://mirror/flatcar/amd64-usr/current/version.txt", id="no channel"),
        pytest.param("http://pxed:8080/flatcar/{channel}", "http://pxed:8080/flatcar/lts/amd64-usr/current/version.txt",
                     id="another pxed"),
    ],
)  # fmt: skip
def test_urls_are_those_of_the_release_servers(template, url):
    line = Line(base_url(template, "lts"), "lts", "amd64", "current")
    assert line.url("current", "version.txt") == url


def test_versions_sort_by_number():
    assert sorted(["4593.10.0", "4593.2.5", "999.0.0"], key=order) == ["999.0.0", "4593.2.5", "4593.10.0"]


def digests(*sums, block="SHA512"):
    return "".join(f"# {block} HASH\n{value}  {name}\n" for value, name in sums).encode()


def test_the_sha512_of_the_file_is_taken_from_its_block():
    text = f"# MD5 HASH\n{'1' * 32}  file\n# SHA1 HASH\n{'2' * 40}  file\n# SHA512 HASH\n{SUM.upper()}  file\n"
    assert sha512_of(text.encode(), "file", URL) == SUM


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(
            digests((SUM, "other")), "no SHA-512 digest of file: it is for other", id="another file's digests"
        ),
        pytest.param(digests((SUM, "dir/file")), "no SHA-512 digest of file", id="a file of another directory"),
        pytest.param(digests((SUM, "file"), (OTHER, "file")), "two different SHA-512", id="two answers"),
        pytest.param(digests((SUM, "file"), block="SHA1"), "no SHA-512 digest", id="a sum in the block of a weak hash"),
        pytest.param(digests((SUM[:-1], "file")), "no SHA-512 digest", id="a sum that is too short"),
        pytest.param(f"{SUM}  file\n".encode(), "no SHA-512 digest", id="a sum without a block"),
        pytest.param(b"", "no SHA-512 digest of file: it has none", id="nothing"),
    ],
)
def test_digests_that_do_not_give_the_files_sum_are_refused(content, reason):
    with pytest.raises(UntrustedError, match=reason):
        sha512_of(content, "file", URL)


@given(st.binary(max_size=400) | st.text(alphabet="# SHA512HASH\n0af =\"'", max_size=400).map(str.encode))
def test_any_bytes_are_read_or_refused(content):
    parse_version_txt(content)
    parse_lts_info(content)
    for call in (lambda: version_in(content, URL), lambda: sha512_of(content, "a", URL)):
        with contextlib.suppress(PxedError):
            call()
