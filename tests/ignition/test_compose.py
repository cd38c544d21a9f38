"""The configs of `boot: install` and `report: true`: the live system's, the installed one's, what is refused. Wide tables."""
# ruff: noqa: E501

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pxed.boot.delivery import ignition_url, report_url
from pxed.boot.endpoint import Endpoint
from pxed.errors import ConfigError, Problem
from pxed.ignition.compose import job_of, live_config, system_config
from pxed.ignition.config import IgnitionConfigs
from pxed.ignition.document import Config
from pxed.ignition.installer import Job
from pxed.ignition.report import with_reports
from pxed.ignition.snippet import SnippetError
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.inventory.model import Inventory
from pxed.inventory.targets import target_of
from pxed.server.load import load_snapshot

ENDPOINT = Endpoint("10.0.0.1", 8080)
NODE = Identity("52:54:00:00:00:01")
MACHINES = "machines: {node1: {mac: 52:54:00:00:00:01, profile: p}}\n"
BUTANE = "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - {path: /etc/hostname, contents: {inline: %s}}\n"
V2 = '{"ignition": {"version": "2.3.0"}}'
V35 = '{"ignition": {"version": "3.5.0"}}'
ARGS = '{"ignition": {"version": "3.4.0"}, "kernelArguments": {"shouldExist": ["quiet"]}}'
OWN_REPORT = BUTANE % "x" + "systemd:\n  units:\n    - {name: pxed-report.service, enabled: true}\n"
OWN_INSTALL = BUTANE % "x" + "systemd:\n  units:\n    - {name: pxed-install.service, enabled: true}\n"


class Lab:
    """A directory with an inventory and the files it names."""

    def __init__(self, home: Path) -> None:
        self.home = home
        files = {
            "live.bu": BUTANE % "live", "system.bu": BUTANE % "{{ machine.name }}", "v2.ign": V2, "v35.ign": V35,
            "cloud.ign": "#cloud-config\n", "args.ign": ARGS, "own-report.bu": OWN_REPORT, "own-install.bu": OWN_INSTALL,
            "broken.bu": BUTANE % "{{ machine.vars.nothing }}",
        }  # fmt: skip
        for name, text in files.items():
            (home / name).write_text(text)

    def write(self, profile: str) -> Path:
        path = self.home / "pxed.yaml"
        images = "images: {f: {flatcar: {version: 4593.2.5}}, old: {flatcar: {channel: lts, version: 3510.3.8}}}\n"
        path.write_text(f"{images}profiles:\n  p: {{{profile}}}\n{MACHINES}")
        return path

    def load(self, profile: str) -> tuple[Inventory, Match, IgnitionConfigs]:
        snapshot = load_snapshot(self.write(profile))
        match = resolve(snapshot.inventory, NODE)
        assert isinstance(match, Match)
        return snapshot.inventory, match, snapshot.configs

    def problems(self, profile: str) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            load_snapshot(self.write(profile))
        return caught.value.problems


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def hostname(config: Config) -> str:
    source: str = json.loads(config.body)["storage"]["files"][0]["contents"]["source"]
    return source.removeprefix("data:,")


def units(config: Config) -> list[str]:
    return [unit["name"] for unit in json.loads(config.body).get("systemd", {}).get("units", [])]


def install(fields: str) -> str:
    return f"image: f, boot: install, install: {{disk: /dev/sda, {fields}}}"


def test_the_installed_systems_config_is_made_for_each_machine(lab: Lab) -> None:
    _, match, configs = lab.load(install("butane: system.bu"))
    config = configs.system(match, NODE, ENDPOINT)
    assert config is not None
    assert hostname(config) == "node1"
    assert configs.system(match, NODE, ENDPOINT) is config


def test_the_live_systems_config_is_another_one(lab: Lab) -> None:
    _, match, configs = lab.load(f"butane: live.bu, {install('butane: system.bu')}")
    system = configs.system(match, NODE, ENDPOINT)
    assert system is not None
    assert (hostname(configs.render(match, NODE, ENDPOINT)), hostname(system)) == ("live", "node1")


def test_a_system_without_a_config_gets_none(lab: Lab) -> None:
    _, match, configs = lab.load(install("reboot: yes"))
    assert configs.system(match, NODE, ENDPOINT) is None


def job(found: tuple[Inventory, Match, IgnitionConfigs], version: str = "4593.2.5") -> Job:
    inventory, match, _ = found
    target = target_of(match.profile, inventory.images)
    assert target is not None
    return job_of(
        match, target, version, ENDPOINT, key=b"key",
        report_url=report_url(match, ENDPOINT, NODE, "R"), config_url=ignition_url(match, ENDPOINT, NODE, "C"),
    )  # fmt: skip


def test_the_job_is_what_the_profile_says(lab: Lab) -> None:
    found = lab.load(install("butane: system.bu, reboot: no, channel: beta"))
    assert job(found, "4757.1.0") == Job(
        machine="node1",
        report_url="http://10.0.0.1:8080/report/node1?token=R",
        config_url="http://10.0.0.1:8080/ignition/node1?token=C",
        disk="/dev/sda",
        mirror_url="http://10.0.0.1:8080/flatcar/beta/amd64-usr",
        version="4757.1.0",
        key=b"key",
        reboot=False,
    )


@pytest.mark.parametrize(
    ("fields", "has"),
    [
        pytest.param("ignition: v35.ign", True, id="with a config"),
        pytest.param("reboot: yes", False, id="without a config"),
    ],
)
def test_a_config_is_fetched_where_there_is_one(lab: Lab, fields: str, has: bool) -> None:
    assert bool(job(lab.load(install(fields))).config_url) is has


def test_a_system_that_is_to_report_has_a_config(lab: Lab) -> None:
    assert job(lab.load(f"report: true, {install('reboot: yes')}")).config_url


def test_the_installer_is_put_into_the_live_systems_config(lab: Lab) -> None:
    found = lab.load(f"butane: live.bu, report: true, {install('butane: system.bu')}")
    own, profile = found[2].render(found[1], NODE, ENDPOINT), found[1].profile
    config = live_config(own, profile, "http://x/report?token=R", job(found))
    assert hostname(config) == "live"
    assert units(config) == ["pxed-install.service"]
    assert units(live_config(None, profile, "http://x/report?token=R", job(found))) == ["pxed-install.service"]


def test_the_installed_system_reports_where_that_is_wanted(lab: Lab) -> None:
    for fields, expected in (("report: true, ", ["pxed-report.service"]), ("", [])):
        _, match, configs = lab.load(fields + install("butane: system.bu"))
        config = system_config(configs.system(match, NODE, ENDPOINT), match.profile, "http://x/report?token=R")
        assert (hostname(config), units(config)) == ("node1", expected)
    wanting = lab.load(f"report: true, {install('reboot: yes')}")[1].profile
    assert units(system_config(None, wanting, "http://x/report?token=R")) == ["pxed-report.service"]


def test_a_machine_that_boots_from_memory_reports_where_that_is_wanted(lab: Lab) -> None:
    _, match, configs = lab.load("image: f, butane: live.bu, report: true")
    config = live_config(configs.render(match, NODE, ENDPOINT), match.profile, "http://x/report?token=R", None)
    assert units(config) == ["pxed-report.service"]


def test_nothing_is_made_where_nothing_is_wanted(lab: Lab) -> None:
    with pytest.raises(SnippetError, match="there is no config"):
        live_config(None, lab.load("image: f")[1].profile, "http://x/report?token=R", None)


def test_an_initrd_may_hold_a_config_that_is_finished_already(lab: Lab) -> None:
    _, match, configs = lab.load("image: f, butane: live.bu, ignition_delivery: embedded, report: true")
    finished = with_reports(configs.render(match, NODE, ENDPOINT), "http://10.0.0.1/report/node1?token=R")
    archive = configs.packed(match, finished)
    assert finished.body in gzip.decompress(archive.body)
    assert archive.digest != configs.archive(match, NODE, ENDPOINT).digest


PROBLEMS = [
    ("a report in a config of Ignition 2", "image: f, ignition: v2.ign, report: true", "profiles.p.report", "this one is Ignition 2.3.0: expected Ignition 3 or Butane"),
    ("a report in a cloud-config", "image: f, ignition: cloud.ign, report: true", "profiles.p.report", "this one is no Ignition config"),
    ("a report in a config with a report", "image: f, butane: own-report.bu, report: true", "profiles.p.report", "puts the unit pxed-report.service into the config, which has one of its own"),
    ("a report of an installed system in its config of Ignition 2", f"report: true, {install('ignition: v2.ign')}", "profiles.p.report", "this one is Ignition 2.3.0"),
    ("an installer in a live config of Ignition 2", f"ignition: v2.ign, {install('reboot: yes')}", "profiles.p.boot", "boot: install puts a unit into the config, and this one is Ignition 2.3.0"),
    ("an installer in a live config with an installer", f"butane: own-install.bu, {install('reboot: yes')}", "profiles.p.boot", "puts the unit pxed-install.service into the config"),
    ("a live system's kernel arguments", f"ignition: args.ign, {install('reboot: yes')}", "profiles.p.ignition", "kernel_arguments cannot be set by a machine that boots from memory"),
    ("a broken config of the installed system", install("butane: broken.bu"), "machines.node1", "cannot be rendered for node1"),
    ("a config that is newer than the system it is for", "image: f, boot: install, install: {disk: /dev/sda, image: old, ignition: v35.ign}", "profiles.p.install.ignition", "the config is of Ignition version 3.5.0, but Flatcar lts 3510.3.8 takes 3.3.0 at most"),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "key", "words"), [pytest.param(*case[1:], id=case[0]) for case in PROBLEMS])
def test_a_load_refuses(lab: Lab, profile: str, key: str, words: str) -> None:
    found = [problem for problem in lab.problems(profile) if not problem.warning]
    assert [problem.key for problem in found] == [key], "\n".join(map(str, found))
    assert words in found[0].message
    assert found[0].line > 0


FINE = [
    ("a report of an installed system, whatever the live one has", f"report: true, butane: own-report.bu, {install('butane: system.bu')}"),
    ("an installed system's kernel arguments", install("ignition: args.ign")),
    ("an installed system's config of Ignition 2", install("ignition: v2.ign")),
    ("an installed system's config for a newer release than the live one", "image: old, boot: install, install: {disk: /dev/sda, image: f, ignition: v35.ign}"),
    ("an own installer, where pxed installs nothing", "image: f, butane: own-install.bu"),
]  # fmt: skip


@pytest.mark.parametrize("profile", [pytest.param(case[1], id=case[0]) for case in FINE])
def test_a_load_takes(lab: Lab, profile: str) -> None:
    assert lab.load(profile)[0].machines


def test_a_version_of_another_channel_is_told(lab: Lab) -> None:
    snapshot = load_snapshot(lab.write(install("version: 4757.1.0")))
    (warning,) = snapshot.warnings
    assert (warning.key, warning.line) == ("profiles.p.install.version", 3)
    assert warning.message == "4757.1.0 is a version of beta, and its channel here is stable: change one"


def test_a_changed_config_of_the_installed_system_is_loaded_anew(lab: Lab) -> None:
    assert lab.home / "system.bu" in lab.load(install("butane: system.bu"))[0].sources
