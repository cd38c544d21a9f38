"""The generated installer, run for real by bash and busybox' shell against a pxed that answers as told."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from pxed.ignition.document import Config, read_config
from pxed.ignition.installer import UNIT, Job, installer_config
from pxed.ignition.snippet import SnippetError, grafted, prepared
from tests.ignition.guest import CLOSED, CONFIG_TOKEN, SHELLS, SHORT, SYSTEM, TOKEN, Guest, Pxed, files_of, serving

AT = "/etc/pxed/install"
KEY = b"\x99\x01a key, not armoured\xff"
JOB = Job(
    machine="node1",
    report_url=f"http://10.0.0.1/report/node1?token={TOKEN}",
    config_url=f"http://10.0.0.1/ignition/node1?token={CONFIG_TOKEN}",
    disk="/dev/sda",
    mirror_url="http://10.0.0.1:8080/flatcar/stable/amd64-usr",
    version="4593.2.5",
    key=KEY,
)
WHOLE = ["installing", "installing", "installing", "installed"]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    assert shutil.which(SHELLS[request.param][0]), "bash and busybox must be installed (make setup)"
    return str(request.param)


@pytest.fixture
def guest(tmp_path: Path) -> Guest:
    return Guest(tmp_path)


@pytest.fixture
def pxed() -> Iterator[Pxed]:
    with serving(Pxed()) as found:
        yield found


@pytest.fixture
def install(guest: Guest, pxed: Pxed, shell: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(**fields: object) -> subprocess.CompletedProcess[str]:
        job = replace(
            JOB,
            disk=f"{guest.home}/dev/sda",
            report_url=JOB.report_url.replace("http://10.0.0.1", pxed.url),
            config_url=JOB.config_url.replace("http://10.0.0.1", pxed.url),
        )
        done = guest.run(installer_config(replace(job, **fields)), shell, at=AT)  # type: ignore[arg-type]
        told = done.stdout + done.stderr + "".join(asked.message for asked in pxed.asked) + "".join(guest.log)
        assert TOKEN not in told, "a token was shown"
        assert CONFIG_TOKEN not in told, "a token was shown"
        assert "geheim" not in told, "the config was shown"
        assert not (guest.home / "work/config.ign").exists()
        assert all(asked.kind != "application/json" for asked in pxed.asked)
        return done

    return run


Install = Callable[..., subprocess.CompletedProcess[str]]


def test_a_machine_is_installed_and_rebooted(guest: Guest, pxed: Pxed, install: Install) -> None:
    done = install()
    assert (done.returncode, done.stderr) == (0, "")
    assert pxed.reports == WHOLE
    disk = f"{guest.home}/dev/sda"
    assert [asked.message for asked in pxed.asked if asked.stage] == [
        "installing Flatcar 4593.2.5 on node1\n", "fetching the config\n", f"writing 4593.2.5 to {disk}\n",
        f"Flatcar 4593.2.5 is on {disk}\n",
    ]  # fmt: skip
    assert guest.ran("flatcar-install") == [
        f"-d|{disk}|-b|{JOB.mirror_url}|-V|4593.2.5|-k|{guest.home}/at/key.asc|-o||-i|{guest.home}/work/config.ign|"
    ]
    assert ((guest.home / "written").read_bytes(), (guest.home / "key").read_bytes()) == (SYSTEM, KEY)
    assert guest.ran("systemctl") == ["--no-block|reboot|"]
    assert "Success!" in done.stdout


def test_no_token_is_on_a_command_line(guest: Guest, pxed: Pxed, install: Install) -> None:
    """While flatcar-install runs, and in every run of curl."""
    real = shutil.which("curl")
    guest.program("curl", f'exec {real} "$@"\n')
    assert install().returncode == 0
    assert (guest.home / "seen").read_text() == ""
    assert len(guest.ran("curl")) == len(pxed.asked)


def test_without_a_config_flatcar_install_gets_none(guest: Guest, pxed: Pxed, install: Install) -> None:
    assert install(config_url="").returncode == 0
    assert pxed.reports == ["installing", "installing", "installed"]
    assert "|-i|" not in guest.ran("flatcar-install")[0]


def test_a_machine_may_stay_up(guest: Guest, pxed: Pxed, install: Install) -> None:
    done = install(reboot=False)
    assert (done.returncode, guest.ran("systemctl"), pxed.reports) == (0, [], WHOLE)
    assert "this machine stays up, as reboot: false wants it" in done.stdout


WAITS = [
    ("pxed is not ready", {"report": [503, 503, 204]}, ["1|", "2|"]),
    ("pxed closes the connection", {"report": [CLOSED, 204]}, ["1|"]),
    ("pxed is not ready when all is done", {"stages": {"installed": [CLOSED, 500, 503, 200]}}, ["1|", "2|", "4|"]),
    ("pxed is away for long", {"stages": {"installed": [503] * 8 + [204]}}, ["1|", "2|", "4|", "8|", *["16|"] * 4]),
    ("the config is not ready", {"config": [503, 500, 200]}, ["5|", "5|"]),
    ("the config's connection is closed", {"config": [CLOSED, 200]}, ["5|"]),
    ("the config breaks off", {"config": [SHORT, 200]}, ["5|"]),
]


@pytest.mark.parametrize(("answers", "waits"), [pytest.param(*case[1:], id=case[0]) for case in WAITS])
def test_it_asks_again_when(
    guest: Guest, pxed: Pxed, install: Install, answers: dict[str, Any], waits: list[str]
) -> None:
    pxed.answers(**answers)
    assert install().returncode == 0
    assert (guest.home / "written").read_bytes() == SYSTEM
    assert guest.ran("nap") == [*waits, "1|"]  # the last before the reboot


REFUSALS = [
    ("before anything is done", {"report": [403]}, ["installing"], False),
    ("before the disk is written", {"report": [204, 204, 410]}, ["installing"] * 3, False),
    ("when all is done", {"stages": {"installed": [404]}}, WHOLE, True),
    ("by a redirection, which it is not told to follow", {"report": [302]}, ["installing"], False),
]


@pytest.mark.parametrize(("answers", "reports", "written"), [pytest.param(*case[1:], id=case[0]) for case in REFUSALS])
def test_a_report_that_pxed_refuses_stops_it(
    guest: Guest, pxed: Pxed, install: Install, answers: dict[str, Any], reports: list[str], written: bool
) -> None:
    pxed.answers(**answers)
    done = install()
    assert (done.returncode, pxed.reports, (guest.home / "written").exists()) == (1, reports, written)
    assert re.search(r"STOPPED: pxed refuses the report: HTTP status \d{3}: this boot is over", done.stdout)
    assert "does not reboot by itself; see 'pxed machines show node1'" in done.stdout
    assert guest.ran("systemctl") == []


def failure(pxed: Pxed) -> str:
    assert pxed.reports[-1] == "failed"
    return pxed.asked[-1].message


def test_what_flatcar_install_says_is_reported(guest: Guest, pxed: Pxed, install: Install) -> None:
    guest.installs(r"printf '3: GPG signature verification failed for \033[1mx\033[0m\r\n' >&2; exit 7")
    done = install()
    assert done.returncode == 1
    lines = failure(pxed).splitlines()
    assert lines[:2] == ["flatcar-install ended with status 7", ""]
    assert "3: GPG signature verification failed for [1mx[0m" in lines
    assert "FAILED: flatcar-install ended with status 7" in done.stdout
    assert (guest.ran("nap")[-1], guest.ran("systemctl")) == ("10|", ["--no-block|reboot|"])


def test_of_a_long_log_the_end_is_reported_without_secrets(guest: Guest, pxed: Pxed, install: Install) -> None:
    guest.installs(f"seq 100000; echo 'GET http://x/?token={TOKEN[:9]}&x=1 RRR'; exit 1")
    install()
    message = failure(pxed)
    assert 3500 < len(message) <= 4096
    assert message.startswith("flatcar-install ended with status 1\n\n")
    assert message.endswith("99999\n100000\nGET http://x/?token=...&x=1 RRR\n")


FAILURES = [
    (
        "the config is refused",
        {"config": [403]},
        {},
        "the config of the system to install was refused: HTTP status 403",
    ),
    ("the config is not there", {"config": [404]}, {}, "was refused: HTTP status 404"),
    ("the config never comes", {"config": [503]}, {}, "could not be fetched: HTTP status 503"),
    ("the disk never appears", {}, {"disk": "/nowhere/sda"}, "disk /nowhere/sda did not appear within 60 s"),
    (
        "no disk fits",
        {},
        {"disk": "smallest"},
        'no disk may be taken for "smallest", 60 s after the start; there are: none',
    ),
]


@pytest.mark.parametrize(("answers", "fields", "sentence"), [pytest.param(*case[1:], id=case[0]) for case in FAILURES])
def test_it_fails_with_a_reason_when(
    guest: Guest,
    pxed: Pxed,
    install: Install,
    answers: dict[str, list[int]],
    fields: dict[str, str],
    sentence: str,
) -> None:
    pxed.answers(**answers)
    assert install(**fields).returncode == 1
    assert sentence in failure(pxed)
    assert guest.ran("flatcar-install") == []
    assert guest.ran("systemctl") == ["--no-block|reboot|"]


def test_a_failed_machine_may_stay_up_for_inspection(guest: Guest, pxed: Pxed, install: Install) -> None:
    guest.installs("exit 1")
    assert install(reboot=False).returncode == 1
    assert (pxed.reports[-1], guest.ran("systemctl")) == ("failed", [])


def test_a_failure_that_pxed_refuses_stops_it(guest: Guest, pxed: Pxed, install: Install) -> None:
    guest.installs("exit 1")
    pxed.stages["failed"] = [403]
    assert "STOPPED: pxed refuses the report" in install().stdout
    assert guest.ran("systemctl") == []


def test_a_live_system_without_the_tools_says_so(guest: Guest, pxed: Pxed, install: Install) -> None:
    (guest.home / "bin/flatcar-install").unlink()
    assert install().returncode == 1
    assert "the system that was booted has no flatcar-install: expected a live Flatcar as image" in failure(pxed)


def test_the_machine_is_rebooted_the_hard_way_if_need_be(guest: Guest, install: Install) -> None:
    guest.program("systemctl", "exit 1\n")
    assert install().returncode == 0
    assert guest.log[-1].startswith("restart")


def test_a_disk_by_id_is_resolved_and_both_names_are_told(guest: Guest, pxed: Pxed, install: Install) -> None:
    by_id = guest.home / "dev/by-id"
    by_id.symlink_to("sda")
    install(disk=str(by_id))
    assert guest.ran("flatcar-install")[0].startswith(f"-d|{guest.home}/dev/sda|")
    assert pxed.asked[-1].message == f"Flatcar 4593.2.5 is on {guest.home}/dev/sda ({by_id})\n"


def test_a_disk_that_appears_late_is_waited_for(guest: Guest, install: Install) -> None:
    late = guest.home / "dev/late"
    guest.program("nap", f"[ $(grep -c nap {guest.home}/log) -lt 3 ] || touch {late}\n")
    assert install(disk=str(late)).returncode == 0
    assert guest.ran("flatcar-install")[0].startswith(f"-d|{late}|")


def chosen(guest: Guest) -> str:
    (options,) = guest.ran("flatcar-install")
    return options.split("|")[1].removeprefix(f"{guest.home}/dev/")


@pytest.mark.parametrize(("rule", "disk"), [("smallest", "sdb"), ("largest", "nvme0n1")])
def test_a_rule_takes_by_size(guest: Guest, pxed: Pxed, install: Install, rule: str, disk: str) -> None:
    guest.disk("sda", 500)
    guest.disk("sdb", 120)
    guest.disk("nvme0n1", 4000, bus="pci1/nvme/nvme0")
    assert install(disk=rule).returncode == 0
    assert chosen(guest) == disk
    assert pxed.asked[-1].message.endswith(f"{disk} (the {rule} disk of 3)\n")


@pytest.mark.parametrize("rule", ["smallest", "largest"])
def test_of_equal_disks_the_first_in_the_topology_is_taken(guest: Guest, install: Install, rule: str) -> None:
    guest.disk("sda", 500, bus="pci0/ata2")
    guest.disk("sdb", 500, bus="pci0/ata1")
    install(disk=rule)
    assert chosen(guest) == "sdb"


UNFIT = [
    ("removable", {"removable": 1}, "removable"),
    ("read-only", {"ro": 1}, "read-only"),
    ("hidden", {"hidden": 1}, "hidden"),
    ("on USB", {"bus": "pci0/usb1/1-1/host6"}, "on USB"),
    ("in use", {"mounted": "\n/sysroot\n"}, "in use"),
    ("used for swap", {"mounted": "[SWAP]\n"}, "in use"),
    ("too small", {"gigabytes": 8}, "too small, 8 GB"),
    ("a card reader without a card", {"gigabytes": 0}, "too small, 0 GB"),
]


@pytest.mark.parametrize(("values", "why"), [pytest.param(*case[1:], id=case[0]) for case in UNFIT])
def test_a_rule_takes_no_disk_that_is(
    guest: Guest, pxed: Pxed, install: Install, values: dict[str, int], why: str
) -> None:
    guest.unreal("loop0")
    guest.disk("sda", **{"gigabytes": 100, **values})  # type: ignore[arg-type]
    assert install(disk="smallest").returncode == 1
    assert failure(pxed).rstrip().endswith(f"there are: {guest.home}/dev/sda ({why})")


def test_a_rule_takes_the_disk_of_an_old_controller_by_its_device_name(guest: Guest, install: Install) -> None:
    guest.disk("cciss!c0d0", 100)
    install(disk="largest")
    assert chosen(guest) == "cciss/c0d0"


HOSTILE = ["it's", "a b", '"$(touch x)"', "`touch x`", "$HOME", "a;b", "a|b", "*", "\\", "-n", "ü"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_comes_from_outside_stays_one_word(guest: Guest, pxed: Pxed, shell: str, text: str) -> None:
    disk = guest.home / "dev" / text
    disk.touch()
    job = replace(JOB, machine=text, disk=str(disk), mirror_url=f"http://x/{text}", version=text, config_url="")
    job = replace(job, report_url=JOB.report_url.replace("http://10.0.0.1", pxed.url))
    assert guest.run(installer_config(job), shell, at=AT).returncode == 0
    assert guest.ran("flatcar-install") == [f"-d|{disk}|-b|http://x/{text}|-V|{text}|-k|{guest.home}/at/key.asc|-o||"]
    assert not Path("x").exists()


PRINTABLE = strategies.text(strategies.characters(codec="utf-8").filter(str.isprintable), max_size=30)


@settings(max_examples=40, deadline=None)
@given(machine=PRINTABLE, disk=PRINTABLE, mirror=PRINTABLE)
@pytest.mark.parametrize("shell", SHELLS)
def test_any_text_reaches_the_script_as_it_is(shell: str, machine: str, disk: str, mirror: str) -> None:
    job = replace(JOB, machine=machine, disk=disk, mirror_url=mirror)
    assignments, _ = files_of(installer_config(job))[f"{AT}/settings"]
    told = assignments + b'printf "%s\\n" "$machine" "$disk" "$mirror"\n'
    done = subprocess.run(
        [*SHELLS[shell], "-s"], input=told, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, f"{machine}\n{disk}\n{mirror}\n", b"")


@pytest.mark.parametrize(
    "fields",
    [{"machine": "a\nb"}, {"disk": "/dev/\x00"}, {"version": "1\r2"}, {"report_url": 'http://x/"'},
     {"report_url": "http://x/\\"}, {"config_url": "http://x/ y"}, {"config_url": "ftp://x/"}],
    ids=str,
)  # fmt: skip
def test_what_no_line_can_hold_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(SnippetError, match="expected"):
        installer_config(replace(JOB, **fields))  # type: ignore[arg-type]


def test_secrets_are_in_files_of_the_owner_alone() -> None:
    files = files_of(installer_config(replace(JOB, ca=b"-----BEGIN CERTIFICATE-----\n")))
    assert {path.removeprefix(f"{AT}/"): mode for path, (_, mode) in files.items()} == {
        "run": 0o755, "settings": 0o600, "report-url": 0o600, "config-url": 0o600, "key.asc": 0o644, "ca.pem": 0o644,
    }  # fmt: skip
    assert files[f"{AT}/report-url"][0].decode() == JOB.report_url


def test_the_config_is_one_that_ignition_takes(tmp_path: Path) -> None:
    config = installer_config(JOB)
    assert read_config(config.body) == (config, ())
    assert config.spec == "3.3.0"
    validate = shutil.which("ignition-validate")
    if validate is None:
        pytest.skip("ignition-validate is not installed (make setup)")
    done = subprocess.run([validate, "-"], input=config.body, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def units_of(config: Config) -> dict[str, str]:
    return {unit["name"]: unit["contents"] for unit in json.loads(config.body)["systemd"]["units"]}


def verify(directory: Path, units: dict[str, str]) -> None:
    """What systemd itself has against a unit; the script it runs is not on this machine, /bin/sh is."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (make setup)")
    for name, text in units.items():
        (directory / name).write_text(text)
        done = subprocess.run(
            [analyze, "verify", "--recursive-errors=no", str(directory / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    units = units_of(installer_config(JOB))
    assert list(units) == [UNIT]
    verify(tmp_path, units)


def test_it_is_merged_into_the_live_systems_own_config() -> None:
    own = Config(b'{"ignition":{"version":"3.4.0"},"passwd":{"users":[{"name":"core"}]}}', "3.4.0")
    tree = json.loads(grafted(own, installer_config(JOB), "boot: install").body)
    assert (tree["ignition"]["version"], tree["passwd"]) == ("3.4.0", {"users": [{"name": "core"}]})
    assert tree["systemd"]["units"][0]["name"] == UNIT


OWN = [
    ("a unit of its own", {"systemd": {"units": [{"name": UNIT}]}}, f"puts the unit {UNIT} into the config"),
    ("a file of its own", {"storage": {"files": [{"path": f"{AT}/run"}]}}, f"puts the file {AT}/run into the config"),
    ("a directory in the way", {"storage": {"directories": [{"path": f"{AT}/run"}]}}, f"the file {AT}/run"),
]


@pytest.mark.parametrize(("parts", "words"), [pytest.param(*case[1:], id=case[0]) for case in OWN])
def test_what_the_config_has_of_its_own_is_not_lost(parts: dict[str, object], words: str) -> None:
    own = Config(json.dumps({"ignition": {"version": "3.0.0"}, **parts}).encode(), "3.0.0")
    with pytest.raises(SnippetError, match=re.escape(words)):
        grafted(own, installer_config(JOB), "boot: install")


def test_it_is_made_once_and_filled_for_each_boot() -> None:
    marks = ("m" * 43, "n" * 43)
    urls = [url.rpartition("=")[0] for url in (JOB.report_url, JOB.config_url)]
    marked = replace(JOB, report_url=f"{urls[0]}={marks[0]}", config_url=f"{urls[1]}={marks[1]}")
    own = Config(b'{"ignition":{"version":"3.4.0"}}', "3.4.0")
    form = prepared(grafted(own, installer_config(marked), "boot: install"), *marks)
    filled = form.fill(TOKEN, CONFIG_TOKEN)
    assert filled == grafted(own, installer_config(JOB), "boot: install")
    assert filled.digest != form.config.digest


@pytest.mark.parametrize("mark", ["short", "x" * 43, "with/slash-and-more-than-sixteen"])
def test_a_mark_that_is_not_there_is_refused(mark: str) -> None:
    with pytest.raises(SnippetError, match="found no mark"):
        prepared(installer_config(JOB), mark)
