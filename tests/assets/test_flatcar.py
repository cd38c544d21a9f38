"""Flatcar's versions and what each of them supports."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.assets.flatcar import (
    CHANNELS,
    MIN_MEMORY,
    Release,
    Version,
    VersionError,
    boot_problem,
    butane_versions,
    embedded_problem,
    ignition_spec,
    newest_known,
    oem_url_problem,
    platform_problem,
    release_of,
    spec_numbers,
    version_of,
)
from pxed.inventory.model import FlatcarImage, Image


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("4593.2.5", Version(4593, 2, 5), id="a release"),
        pytest.param(" 4593.2.5\n", Version(4593, 2, 5), id="a release as a file has it, with its line's end"),
        pytest.param("4593.2.10", Version(4593, 2, 10), id="a patch of two digits"),
        pytest.param(
            "4800.0.0+nightly-20260820-2100", Version(4800, 0, 0, "+nightly-20260820-2100"), id="a nightly build"
        ),
        pytest.param("9999.9.1-dev", Version(9999, 9, 1, "-dev"), id="a developer's build"),
    ],
)
def test_a_text_is_a_version(text: str, version: Version) -> None:
    assert Version.parse(text) == version
    assert str(version) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "current", "current-2024", "4593", "4593.2", "4593.2.5.1", "v4593.2.5", "4593.2.x"]
)
def test_a_text_is_no_version(text: str) -> None:
    assert version_of(text) is None
    with pytest.raises(VersionError, match=r"expected a Flatcar version such as 4593\.2\.5"):
        Version.parse(text)


@given(st.text(max_size=40) | st.from_regex(r"[0-9.+-]*", fullmatch=True))
def test_any_text_is_a_version_or_is_refused(text: str) -> None:
    found = version_of(text)
    assert found is None or str(found) == text.strip() or found == Version.parse(str(found))


def test_versions_compare_by_number_not_by_text() -> None:
    texts = ["4593.2.10", "4593.2.9", "4081.3.10", "10000.0.0", "4593.2.9+nightly-1", "4628.1.0"]
    assert [str(version) for version in sorted(map(Version.parse, texts))] == [
        "4081.3.10", "4593.2.9", "4593.2.9+nightly-1", "4593.2.10", "4628.1.0", "10000.0.0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "channel"),
    [("4790.0.0", "alpha"), ("4757.1.0", "beta"), ("4593.2.5", "stable"), ("4081.3.10", "lts"), ("9999.99.0", "")],
)
def test_the_second_number_tells_the_channel(text: str, channel: str) -> None:
    assert Version.parse(text).channel == channel


def test_the_channels_are_those_of_the_inventory() -> None:
    assert set(CHANNELS) == set(get_args(FlatcarImage.model_fields["channel"].annotation))


def test_what_was_current_is_known_for_each_channel_that_moves() -> None:
    assert [newest_known(channel) for channel in CHANNELS] == ["4593.2.5", "4757.1.0", "4790.0.0", "4081.3.10", ""]
    assert newest_known("lts", "current-2023") == "3510.3.8"
    assert newest_known("stable", "current-2023") == ""


def test_what_is_current_belongs_to_its_channel() -> None:
    for channel in CHANNELS:
        newest = newest_known(channel)
        assert not newest or Version.parse(newest).channel == channel


@pytest.mark.parametrize(
    ("channel", "version", "spec", "butane"),
    [
        pytest.param("lts", "3033.3.18", "2.3.0", (), id="LTS 2022 has Ignition 0.36: no Butane"),
        pytest.param("stable", "3139.2.3", "2.3.0", (), id="the last stable before Ignition 2"),
        pytest.param("alpha", "3185.0.0", "3.3.0", ("1.0.0",), id="the first alpha with Ignition 2.13"),
        pytest.param("stable", "3227.2.0", "3.3.0", ("1.0.0",), id="the first stable with Ignition 2.13"),
        pytest.param("stable", "3374.2.0", "3.3.0", ("1.0.0",), id="Ignition 2.14 takes nothing newer"),
        pytest.param("lts", "3510.3.8", "3.3.0", ("1.0.0",), id="LTS 2023"),
        pytest.param("lts", "current-2023", "3.3.0", ("1.0.0",), id="LTS 2023, followed"),
        pytest.param("alpha", "3535.0.0", "3.4.0", ("1.0.0", "1.1.0"), id="the first alpha with Ignition 2.15"),
        pytest.param("stable", "3602.2.0", "3.4.0", ("1.0.0", "1.1.0"), id="the first stable with Ignition 2.15"),
        pytest.param("stable", "4081.2.0", "3.4.0", ("1.0.0", "1.1.0"), id="Ignition 2.19 takes nothing newer"),
        pytest.param("lts", "4081.3.10", "3.4.0", ("1.0.0", "1.1.0"), id="LTS 2024"),
        pytest.param("lts", "current", "3.4.0", ("1.0.0", "1.1.0"), id="the newest LTS that is known"),
        pytest.param("stable", "4152.2.0", "3.5.0", ("1.0.0", "1.1.0"), id="the first stable with Ignition 2.20"),
        pytest.param("stable", "4593.2.5", "3.5.0", ("1.0.0", "1.1.0"), id="Ignition 2.24"),
        pytest.param("alpha", "current", "3.5.0", ("1.0.0", "1.1.0"), id="the newest alpha that is known"),
        pytest.param("alpha", "9999.0.0+dev", "3.5.0", ("1.0.0", "1.1.0"), id="a future build has at least as much"),
        pytest.param("", "4081.2.0", "3.4.0", ("1.0.0", "1.1.0"), id="a version without its channel"),
        pytest.param("edge", "current", None, (), id="what edge has is not known"),
        pytest.param("", "", None, (), id="nothing is known"),
    ],
)
def test_each_release_takes_ignition_configs_up_to_a_version(
    channel: str, version: str, spec: str | None, butane: tuple[str, ...]
) -> None:
    assert ignition_spec(channel, version) == spec
    assert butane_versions(channel, version) == butane


def test_a_specification_is_compared_by_its_first_two_numbers() -> None:
    assert spec_numbers("3.10.0") > spec_numbers("3.4.0") == spec_numbers("3.4.0-experimental")
    with pytest.raises(VersionError):
        spec_numbers("three")


@pytest.mark.parametrize(
    ("channel", "before", "first", "last", "fixed", "thread"),
    [
        ("stable", "3602.2.3", "3760.2.0", "3815.2.0", "3815.2.1", "#1376"),
        ("beta", "3602.1.6", "3732.1.0", "3850.1.0", "3874.1.0", "#1376"),
        ("alpha", "3619.0.0", "3637.0.0", "3874.0.0", "3913.0.0", "#1376"),
        ("alpha", "4459.0.0", "4487.0.0", "4628.0.0", "4669.0.0", "#2023"),
        ("beta", "4459.1.2", "4515.1.0", "4593.1.0", "4628.1.0", "#2023"),
    ],
)
def test_an_embedded_config_is_not_found_by_some_releases(
    channel: str, before: str, first: str, last: str, fixed: str, thread: str
) -> None:
    assert embedded_problem(channel, before) == embedded_problem(channel, fixed) == ""
    assert thread in embedded_problem(channel, first)
    assert thread in embedded_problem(channel, last)


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_is_current_boots_with_an_embedded_config(channel: str) -> None:
    assert embedded_problem(channel, "current") == boot_problem(channel, "current") == ""


def test_stable_never_lost_the_embedded_config_to_the_second_initramfs() -> None:
    assert embedded_problem("stable", "4459.2.2") == embedded_problem("stable", "4593.2.0") == ""


def test_a_version_in_a_wrong_channel_is_judged_by_its_own_number() -> None:
    assert "#2023" in embedded_problem("stable", "4593.1.0")
    assert "#2023" in embedded_problem("", "4593.1.0")


def test_oem_urls_fail_only_where_the_second_initramfs_loses_the_files() -> None:
    assert "#2023" in oem_url_problem("beta", "4593.1.0")
    assert oem_url_problem("beta", "4628.1.0") == oem_url_problem("stable", "3760.2.0") == ""


@pytest.mark.parametrize(
    ("channel", "version", "thread"),
    [
        ("beta", "4186.1.1", ""),
        ("beta", "4230.1.0", "#1695"),
        ("beta", "4230.1.1", ""),
        ("alpha", "4230.0.1", "#1695"),
        ("alpha", "4284.0.0", ""),
        ("stable", "4230.2.0", ""),
        ("stable", "4593.2.1", ""),
        ("stable", "4593.2.2", "#2160"),
        ("beta", "4628.1.2", "#2160"),
        ("alpha", "4694.0.1", "#2160"),
        ("stable", "4593.2.3", ""),
    ],
)
def test_some_releases_cannot_be_booted_over_the_network(channel: str, version: str, thread: str) -> None:
    assert (thread in boot_problem(channel, version)) if thread else boot_problem(channel, version) == ""


def test_the_platform_pxe_ends_the_boot_of_the_releases_of_2022() -> None:
    assert not platform_problem("stable", "3139.2.3")
    assert platform_problem("beta", "3185.1.0")
    assert platform_problem("stable", "3227.2.4")
    assert not platform_problem("stable", "3374.2.0")
    assert platform_problem("", "")


SERVER = "https://stable.release.flatcar-linux.net/amd64-usr"


@pytest.mark.parametrize(
    ("kernel", "release"),
    [
        pytest.param(f"{SERVER}/current/flatcar_production_pxe.vmlinuz", Release("stable", "current"), id="current"),
        pytest.param(
            f"{SERVER}/4593.2.5/flatcar_production_pxe.vmlinuz", Release("stable", "4593.2.5"), id="a version"
        ),
        pytest.param(
            "http://lts.release.flatcar-linux.net/arm64-usr/current-2023/flatcar_production_pxe.vmlinuz",
            Release("lts", "current-2023"),
            id="a year of LTS",
        ),
        pytest.param(
            "http://m.example/flatcar/beta/amd64-usr/4628.1.0/flatcar_production_pxe.vmlinuz?x=/alpha/",
            Release("beta", "4628.1.0"),
            id="a mirror in the same layout",
        ),
        pytest.param(
            "flatcar/4593.2.5/flatcar_production_pxe.vmlinuz", Release("stable", "4593.2.5"), id="a directory"
        ),
        pytest.param("flatcar_production_pxe.vmlinuz", Release("", ""), id="a file whose release nothing tells"),
        pytest.param("http://m/amd64-usr/newest/flatcar_production_pxe.vmlinuz", Release("", ""), id="an own name"),
        pytest.param("rescue/vmlinuz", None, id="another system"),
        pytest.param("http://m/flatcar_x/vmlinuz", None, id="another system below a directory of that name"),
    ],
)
def test_the_release_of_an_image_is_read_from_its_kernel(kernel: str, release: Release | None) -> None:
    assert release_of(Image(kernel=kernel)) == release


def test_the_release_of_a_mirrored_image_is_what_it_says() -> None:
    image = Image(flatcar=FlatcarImage(channel="lts", version="current-2024"))
    assert release_of(image) == Release("lts", "current-2024")
    assert release_of(Image()) is None
    assert Release("stable", "4593.2.5").pinned
    assert not Release("lts", "current-2024").pinned
    assert not Release("stable", "4593.2.5", follows=True).pinned


def test_a_release_is_named_by_what_is_known_of_it() -> None:
    assert str(Release("lts", "current-2024")) == "Flatcar lts current-2024"
    assert str(Release("", "")) == "Flatcar"


def test_the_memory_that_flatcar_needs_is_three_gigabytes() -> None:
    assert MIN_MEMORY == 3 << 30
