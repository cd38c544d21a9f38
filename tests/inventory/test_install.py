"""Installations, reports and guarded configs in the inventory: what is refused and what it means. Wide on purpose."""
# ruff: noqa: E501

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pxed.errors import ConfigError, Problem
from pxed.inventory.loader import loads
from pxed.inventory.model import Inventory, Profile
from pxed.inventory.profile import access_of
from pxed.inventory.targets import target_of
from tests.inventory.support import PATH, inventory, marked, problems

IMAGES = """\
images:
  f: {flatcar: {version: 4593.2.5}}
  g: {flatcar: {channel: beta}}
  arm: {flatcar: {arch: arm64}}
  d: {kernel: linux, initrd: initrd.gz}
  n: {flatcar: {install_image: no}}
"""
M = "machines: {m: {serial: A, profile: p}}\n"
CONFIG = "ignition: /etc/hostname"  # any file that is there

ERRORS = [
    ("an installation without an image", "profiles: {p: {boot: ▶install}}", "profiles.p.boot", "boot: install names no image, expected image: NAME"),
    ("Flatcar without a disk", "profiles: {p: {image: f, boot: ▶install}}", "profiles.p.boot", "boot: install needs install: {disk: ...}, which is missing"),
    ("Flatcar with a mapping without a disk", "profiles: {p: {image: f, boot: install, ▶install: {reboot: no}}}", "profiles.p.install", "needs install: {disk: ...}"),
    ("a disk by its bare name", "profiles: {p: {image: f, boot: install, install: {disk: ▶sda}}}", "profiles.p.install.disk", 'found "sda", expected a block device such as /dev/sda'),
    ("a rule that is none", "profiles: {p: {image: f, boot: install, install: {disk: ▶small}}}", "profiles.p.install.disk", "or smallest, or largest"),
    ("two configs of the installed system", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, butane: /etc/hostname, ▶ignition: /etc/hostname}}}", "profiles.p.install.ignition", "found ignition beside butane, expected one of butane, ignition"),
    ("a config that is missing", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, butane: ▶absent.bu}}}", "profiles.p.install.butane", "it does not exist"),
    ("a channel beside an image", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, image: g, ▶channel: beta}}}", "profiles.p.install.channel", "found channel beside image, expected one of image, channel"),
    ("a version beside an image", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, image: g, ▶version: current}}}", "profiles.p.install.version", "found version beside image, expected one of image, version"),
    ("an image to install that nobody knows", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, image: ▶ff}}}", "profiles.p.install.image", 'found "ff", expected the name of an image'),
    ("an image to install that is not Flatcar", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, image: ▶d}}}", "profiles.p.install.image", 'found "d", expected an image of Flatcar'),
    ("an image to install for another architecture", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, image: ▶arm}}}", "profiles.p.install.image", "image arm is for arm64, but f, which is booted to install it, is for amd64"),
    ("an image without what is installed", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, image: ▶n}}}", "profiles.p.install.image", "image n has install_image: false, so that there is nothing to install"),
    ("a year of another channel", "profiles: {p: {image: g, boot: install, install: {disk: /dev/sda, version: ▶current-2024}}}", "profiles.p.install.version", "found current-2024 of beta, expected current: only lts has years"),
    ("a version that is none", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, version: ▶newest}}}", "profiles.p.install.version", "or a version such as 4593.2.5"),
    ("a config in an initrd", "profiles: {p: {image: f, boot: install, ▶ignition_delivery: embedded, install: {disk: /dev/sda}}}", "profiles.p.ignition_delivery", "has Ignition fetch its config: leave ignition_delivery out"),
    ("a live config of another server", "profiles: {p: {image: f, boot: install, ignition_url: ▶http://a/b, install: {disk: /dev/sda}}}", "profiles.p.ignition_url", "puts the installer into the config, which another server has: give it as a file"),
    ("no Ignition", "profiles: {p: {image: f, boot: install, first_boot: ▶no, install: {disk: /dev/sda}}}", "profiles.p.first_boot", "has Ignition start the installer: remove first_boot: false"),
    ("a root on a disk", "profiles: {p: {image: f, boot: install, root: ▶LABEL=ROOT, install: {disk: /dev/sda}}}", "profiles.p.root", "has the installer run in memory"),
    ("no attempt at all", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, attempts: ▶0}}}", "profiles.p.install.attempts", "expected a number from 1 up"),
    ("a deadline without a unit", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, deadline: ▶30}}}", "profiles.p.install.deadline", "expected a time such as 30s, 15m or 1h"),
    ("a deadline that is off", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, deadline: ▶off}}}", "profiles.p.install.deadline", "expected a time such as"),
    ("a wait of no time", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, backoff: ▶0s}}}", "profiles.p.install.backoff", "expected a time such as"),
    ("something else after failures", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, after_failure: ▶retry}}}", "profiles.p.install.after_failure", "expected hold or local"),
    ("a misspelt field of install", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda, ▶attempt: 3}}}", "profiles.p.install.attempt", 'did you mean "attempts"?'),
    ("a machine that makes its profile an installation", "profiles: {p: {image: f}}\nmachines: {m: {serial: A, profile: p, boot: ▶install}}", "machines.m.boot", "boot: install (with profile p) needs install: {disk: ...}"),
    ("a machine that embeds what its profile installs", "profiles: {p: {image: f, boot: install, install: {disk: /dev/sda}}}\nmachines: {m: {serial: A, profile: p, ▶ignition_delivery: embedded}}", "machines.m.ignition_delivery", "boot: install (with profile p) has Ignition fetch"),
    ("a way to the disk that is none", "profiles: {p: {boot: local, local: ▶never}}", "profiles.p.local", "expected script or silent"),
    ("a check of something else", f"profiles: {{p: {{image: f, {CONFIG}, ignition_check: [▶mac]}}}}", "profiles.p.ignition_check[0]", "expected address, serial, uuid or asset"),
    ("a check said twice", f"profiles: {{p: {{image: f, {CONFIG}, ignition_check: ▶[serial, serial]}}}}", "profiles.p.ignition_check", 'found "serial" twice'),
    ("a check of a serial number that nobody knows", f"profiles: {{p: {{image: f, {CONFIG}, ignition_check: serial}}}}\nmachines: {{▶m: {{mac: 52:54:00:00:00:01, profile: p}}}}", "machines.m", "has no serial, which profile p checks (ignition_check)"),
    ("a check of an asset tag that nobody knows", f"profiles: {{p: {{image: f, {CONFIG}, ignition_check: [address, asset]}}}}\nmachines: {{▶m: {{serial: A, profile: p}}}}", "machines.m", "has no asset_tag, which profile p checks"),
    ("a machine's own check of a UUID that it has not", f"profiles: {{p: {{image: f, {CONFIG}}}}}\nmachines: {{▶m: {{serial: A, profile: p, ignition_check: uuid}}}}", "machines.m", "has no uuid, which profile p checks"),
    ("an asset tag of the vendor", "profiles: {p: {boot: local}}\nmachines: {m: {serial: A, profile: p, asset_tag: ▶No Asset Tag}}", "machines.m.asset_tag", "many machines carry this placeholder"),
    ("guarded configs and no DHCP", f"server: {{dhcp: ▶off}}\nprofiles: {{p: {{image: f, {CONFIG}}}}}", "server.dhcp", "found off, so that no boot is ever seen, but profile p may get a config"),
    ("a machine's guarded config and no DHCP", f"server: {{dhcp: ▶off}}\nprofiles: {{p: {{image: f}}}}\nmachines: {{m: {{serial: A, profile: p, {CONFIG}}}}}", "server.dhcp", "but machine m may get"),
    ("reports and no DHCP", "server: {dhcp: ▶off}\nprofiles: {p: {image: d, report: true}}", "server.dhcp", "say script_only: true in server"),
    ("a time of no secret", "server: {token_ttl: ▶0m}", "server.token_ttl", "expected a time such as"),
]  # fmt: skip

WARNINGS = [
    ("silence for what boots from memory", "profiles: {p: {image: f, ▶local: silent}}", "profiles.p.local", "local: silent does nothing for a machine that boots from memory"),
    ("guarded configs beside a DHCP server on this host", f"server: {{dhcp: ▶colocated}}\nprofiles: {{p: {{image: f, {CONFIG}}}}}", "server.dhcp", "only boots that ask port 4011 are seen, not BIOS"),
    ("a check of what everybody may have", f"profiles: {{p: {{image: f, {CONFIG}, ignition_access: open, ▶ignition_check: address}}}}", "profiles.p.ignition_check", "checks nothing where anybody may fetch the config"),
    ("a disk for what installs itself", "profiles: {p: {image: d, boot: install, install: {▶disk: /dev/sda}}}", "profiles.p.install.disk", "does nothing: image d is not Flatcar, so it installs itself"),
    ("a release for what installs itself", "profiles: {p: {image: d, boot: install, install: {▶channel: beta}}}", "profiles.p.install.channel", "so it installs itself"),
    ("another image for what installs itself", "profiles: {p: {image: d, boot: install, install: {▶image: f}}}", "profiles.p.install.image", "so it installs itself"),
    ("a config for what installs itself", "profiles: {p: {image: d, boot: install, install: {▶ignition: /etc/hostname}}}", "profiles.p.install.ignition", "so it installs itself"),
]  # fmt: skip


def warnings(text: str) -> list[Problem]:
    return list(loads(text, PATH).warnings)


@pytest.mark.parametrize(("text", "key", "words"), [pytest.param(*fault[1:], id=fault[0]) for fault in ERRORS])
def test_an_error_names_its_place_its_key_and_what_was_expected(text: str, key: str, words: str) -> None:
    text, place = marked(f"{IMAGES}{text}")
    found = problems(text)
    assert [(problem.line, problem.key) for problem in found] == [(place[0], key)], "\n".join(map(str, found))
    assert words in found[0].message


@pytest.mark.parametrize(("text", "key", "words"), [pytest.param(*fault[1:], id=fault[0]) for fault in WARNINGS])
def test_a_warning_names_its_place_and_what_has_no_effect(text: str, key: str, words: str) -> None:
    text, place = marked(f"{IMAGES}{text}")
    found = warnings(text)
    assert [(problem.line, problem.key) for problem in found] == [(place[0], key)], "\n".join(map(str, found))
    assert words in found[0].message


FINE = [
    ("Flatcar with a disk", "profiles: {p: {image: f, boot: install, install: {disk: /dev/disk/by-id/wwn-0x5000}}}"),
    ("the smallest disk", "profiles: {p: {image: f, boot: install, install: {disk: smallest}}}"),
    ("another system that installs itself", "profiles: {p: {image: d, boot: install}}"),
    ("guarded configs without DHCP, where scripts are enough", f"server: {{dhcp: off, script_only: true}}\nprofiles: {{p: {{image: f, {CONFIG}}}}}"),
    ("open configs without DHCP", f"server: {{dhcp: off}}\nprofiles: {{p: {{image: f, ignition_access: open, {CONFIG}}}}}"),
    ("configs of another server without DHCP", "server: {dhcp: off}\nprofiles: {p: {image: f, ignition_url: http://a/b}}"),
    ("silence after an installation", "profiles: {p: {image: f, boot: install, local: silent, install: {disk: /dev/sda}}}"),
    ("silence for what boots its disk", "profiles: {p: {boot: local, local: silent}}"),
    ("a check of what is known", f"profiles: {{p: {{image: f, {CONFIG}, ignition_check: [address, serial, asset]}}}}\nmachines: {{m: {{serial: A, asset_tag: 00017, profile: p}}}}"),
]  # fmt: skip


@pytest.mark.parametrize("text", [pytest.param(case[1], id=case[0]) for case in FINE])
def test_what_is_fine_loads_without_a_word(text: str) -> None:
    assert warnings(IMAGES + text) == []


def profile(fields: str, before: str = "") -> tuple[Inventory, Profile]:
    found = inventory(f"{before}{IMAGES}profiles: {{p: {{{fields}}}}}\n{M}")
    return found, found.profiles["p"]


def test_every_field_of_an_installation_has_its_default() -> None:
    install = profile("image: d, boot: install")[1].installation
    assert (install.disk, install.reboot, install.after_failure) == (None, True, "hold")
    assert (install.attempts, install.deadline, install.backoff) == (3, 1800, 30)


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("2m", 120), ("1h", 3600), ("7d", 604800)], ids=str)
def test_times_are_seconds(text: str, seconds: int) -> None:
    found, _ = profile(
        f"image: f, report: true, report_within: {text}, boot: install, "
        f"install: {{disk: /dev/sda, deadline: {text}, backoff: {text}}}",
        f"server: {{token_ttl: {text}, mirror: {{interval: {text}}}}}\n",
    )
    install = found.profiles["p"].installation
    assert (install.deadline, install.backoff, found.profiles["p"].report_within) == (seconds,) * 3
    assert (found.server.token_ttl, found.server.mirror.interval) == (seconds, seconds)


ACCESS = [
    ("no config is open", "image: f", "open"),
    ("a config works once", f"image: f, {CONFIG}", "once"),
    ("a base config works once", "image: f, ignition_base: /etc/hostname", "once"),
    ("a config of another server is not ours to guard", "image: f, ignition_url: http://a/b", "open"),
    ("an installation's config works once", "image: f, boot: install, install: {disk: /dev/sda}", "once"),
    ("what is said counts", f"image: f, {CONFIG}, ignition_access: token", "token"),
    ("open may be said", f"image: f, {CONFIG}, ignition_access: open", "open"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "access"), [pytest.param(*case[1:], id=case[0]) for case in ACCESS])
def test_who_may_fetch_a_config(fields: str, access: str) -> None:
    assert access_of(profile(fields)[1]) == access


TARGETS = [
    ("the image that is booted", "image: f", "", "f"),
    ("another image", "image: f", "image: g", "g"),
    ("a listed image of the channel", "image: f", "channel: beta", "g"),
    ("the booted image when it is just that", "image: f", "channel: stable", "f"),
    ("another channel's newest", "image: f", "channel: stable, version: current", "install:stable-amd64-current"),
    ("a release that no image is", "image: f", "channel: alpha", "install:alpha-amd64-current"),
    ("a version of the booted channel", "image: g", "version: 4757.1.0", "install:beta-amd64-4757.1.0"),
    ("the booted architecture", "image: arm", "channel: lts, version: current-2024", "install:lts-arm64-current-2024"),
    ("nothing, whatever is named, where the image installs itself", "image: d", "channel: stable", None),
    ("nothing, where the image installs itself", "image: d", "reboot: yes", None),
]  # fmt: skip


@pytest.mark.parametrize(("booted", "install", "name"), [pytest.param(*case[1:], id=case[0]) for case in TARGETS])
def test_which_release_is_installed(booted: str, install: str, name: str | None) -> None:
    disk = f"install: {{{', '.join(filter(None, ['disk: /dev/sda' if name else '', install]))}}}"
    found, installer = profile(f"{booted}, boot: install, {disk}")
    target = target_of(installer, found.images)
    assert (target.image if target else None) == name
    assert target is None or found.images[target.image].flatcar == target.flatcar


def test_a_release_that_only_an_installation_names_is_an_image_of_the_inventory() -> None:
    found, _ = profile("image: f, boot: install, install: {disk: /dev/sda, channel: lts, version: current-2024}")
    flatcar = found.images["install:lts-amd64-current-2024"].flatcar
    assert flatcar is not None
    assert (flatcar.channel, flatcar.version, flatcar.arch) == ("lts", "current-2024", "amd64")
    assert "install:lts-amd64-current-2024" not in profile("image: f")[0].images


def test_a_release_comes_from_where_the_booted_image_comes() -> None:
    text = "images: {f: {flatcar: {url: http://mirror/}}}\nprofiles: {p: {image: f, boot: install, install: {disk: /dev/sda, channel: beta}}}"
    images = inventory(text).images
    assert [(name, image.flatcar.url) for name, image in images.items() if image.flatcar] == [
        ("f", "http://mirror"), ("install:beta-amd64-current:f", "http://mirror"),
    ]  # fmt: skip


OVER = [
    ("another disk keeps the rest", "disk: /dev/sdb", {"disk": "/dev/sdb", "attempts": 5, "image": "f", "reboot": False}),
    ("another config takes the place of the config", "ignition: /etc/hosts", {"ignition": Path("/etc/hosts"), "butane": None}),
    ("a channel takes the place of the image", "channel: beta", {"channel": "beta", "image": None, "disk": "/dev/sda"}),
    ("a default may be said again", "reboot: true", {"reboot": True, "attempts": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("own", "expected"), [pytest.param(*case[1:], id=case[0]) for case in OVER])
def test_a_machine_overrides_single_fields_of_an_installation(own: str, expected: dict[str, Any]) -> None:
    text = (
        f"{IMAGES}profiles: {{p: {{image: g, boot: install, "
        "install: {disk: /dev/sda, butane: /etc/hostname, image: f, attempts: 5, reboot: no}}}\n"
        f"machines: {{m: {{serial: A, profile: p, install: {{{own}}}}}}}"
    )
    found = inventory(text).machines["m"].profile
    assert found is not None
    assert {name: getattr(found.installation, name) for name in expected} == expected


def test_the_files_of_an_installation_are_watched() -> None:
    found, _ = profile("image: f, boot: install, install: {disk: /dev/sda, ignition: /etc/hostname}")
    assert Path("/etc/hostname") in found.sources


def test_an_asset_tag_is_the_machines_and_finds_none() -> None:
    text = "profiles: {p: {boot: local}}\nmachines: {m: {serial: A, profile: p, asset_tag: 00017}}"
    machine = inventory(text).machines["m"]
    assert (machine.asset_tag, dict(machine.overrides)) == ("00017", {})
    with pytest.raises(ConfigError, match="has no mac, uuid or serial"):
        inventory("profiles: {p: {boot: local}}\nmachines: {m: {asset_tag: 00017, profile: p}}")


def test_the_ids_of_the_tables_are_unique() -> None:
    names = [case[0] for table in (ERRORS, WARNINGS, FINE, ACCESS, TARGETS, OVER) for case in table]
    assert len(set(names)) == len(names)
