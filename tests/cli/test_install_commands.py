"""`pxed render` and `explain` of machines that install themselves or report. Wide tables; TOKEN stands for secrets."""
# ruff: noqa: E501

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from pxed.boot.course import Course, Way
from pxed.cli.installation import TOKEN, course_of, summary, target_for, words
from pxed.inventory.lookup import Identity, Match, resolve
from pxed.server.load import load_snapshot
from tests.server.certificates import authority, signed
from tests.server.mirrored import NEW, OLD, publish

PXED = Path(sys.executable).with_name("pxed")
INVENTORY = """\
server: {data_dir: data}
images:
  flatcar: {flatcar: {channel: stable, canary: [node2]}}
  debian: {kernel: debian/linux, initrd: debian/initrd.gz}
profiles:
  installer: {image: flatcar, boot: install, install: {disk: /dev/sda, butane: system.bu}}
  both: {image: flatcar, boot: install, butane: live.bu, report: true, install: {disk: smallest, butane: system.bu, reboot: no}}
  bare: {image: flatcar, boot: install, install: {disk: largest, channel: beta, attempts: 1, after_failure: local}}
  worker: {image: flatcar, butane: live.bu, report: true}
  preseed: {image: debian, boot: install, install: {deadline: 2h, backoff: 90s}}
  public: {image: flatcar, butane: live.bu, ignition_access: open}
  plain: {image: debian, report: true}
  disk: {boot: local}
machines:
  node6: {mac: 52:54:00:00:00:06, profile: public}
  node7: {mac: 52:54:00:00:00:07, profile: plain}
  node8: {mac: 52:54:00:00:00:08, profile: disk}
  node1: {mac: 52:54:00:00:00:01, profile: installer}
  node2: {mac: 52:54:00:00:00:02, profile: both}
  node3: {mac: 52:54:00:00:00:03, profile: bare}
  node4: {mac: 52:54:00:00:00:04, profile: worker}
  node5: {mac: 52:54:00:00:00:05, profile: preseed}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "pxed.yaml").write_text(INVENTORY)
    for name in ("live", "system"):
        (home / f"{name}.bu").write_text(
            f"variant: flatcar\nversion: 1.0.0\nstorage: {{directories: [{{path: '/{name}/{{{{ machine.name }}}}'}}]}}\n"
        )
    publish(home, OLD, NEW, promoted=OLD)
    return home


def pxed(home: Path, *arguments: str) -> tuple[int, str, str]:
    command = [PXED, *arguments, "-c", "pxed.yaml", "--address", "10.0.0.2"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def files(config: str) -> dict[str, str]:
    nodes = json.loads(config)["storage"].get("files", [])
    return {node["path"].rpartition("/")[2]: unquote(node["contents"]["source"]) for node in nodes}


def directories(config: str) -> list[str]:
    return [node["path"] for node in json.loads(config).get("storage", {}).get("directories", [])]


@pytest.mark.parametrize(
    ("machine", "version", "disk", "live"),
    [("node1", OLD, "/dev/sda", []), ("node2", NEW, "smallest", ["/live/node2"]), ("node3", "current", "largest", [])],
    ids=[
        "of the booted image",
        "of a canary, in the live system's own config",
        "of a channel that is not mirrored yet",
    ],
)
def test_the_ignition_of_an_installation_is_the_installers(
    home: Path, machine: str, version: str, disk: str, live: list[str]
) -> None:
    code, said, _ = pxed(home, "render", machine, "ignition")
    found = files(said)
    assert (code, directories(said)) == (0, live)
    assert f"version={version}\n" in found["settings"]
    assert f"disk={disk}\n" in found["settings"]
    assert found["report-url"] == f"data:,http://10.0.0.2:8080/report/{machine}?token=TOKEN"


def test_the_config_of_the_installed_system_is_fetched_by_the_installer(home: Path) -> None:
    found = files(pxed(home, "render", "node1", "ignition")[1])
    assert found["config-url"] == "data:,http://10.0.0.2:8080/ignition/node1?token=TOKEN"
    assert "config-url" not in files(pxed(home, "render", "node3", "ignition")[1])


@pytest.mark.parametrize(
    ("machine", "units"), [("node1", []), ("node2", ["pxed-report.service"])], ids=["alone", "with its report"]
)
def test_the_installed_systems_config_is_shown(home: Path, machine: str, units: list[str]) -> None:
    code, said, _ = pxed(home, "render", machine, "system")
    assert (code, directories(said)) == (0, [f"/system/{machine}"])
    assert [unit["name"] for unit in json.loads(said).get("systemd", {}).get("units", [])] == units


def test_a_config_is_shown_with_its_report(home: Path) -> None:
    code, said, _ = pxed(home, "render", "node4", "ignition")
    assert (code, directories(said)) == (0, ["/live/node4"])
    assert files(said)["report-url"] == "data:,http://10.0.0.2:8080/report/node4?token=TOKEN"


@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        ("node3", "profile bare installs a system without an Ignition config"),
        ("node4", "profile worker installs no Flatcar"),
        ("node5", "profile preseed installs no Flatcar"),
    ],
    ids=["a system without one", "a machine that boots from memory", "a system that installs itself"],
)
def test_there_may_be_no_config_of_an_installed_system(home: Path, machine: str, sentence: str) -> None:
    assert pxed(home, "render", machine, "system") == (1, "", f"{sentence}\n")


SUMMARIES = [
    ("of a listed image", 1, f"writes Flatcar {OLD} of image flatcar to /dev/sda, with the config of HOME/system.bu, reports, and reboots"),
    ("of a machine that stays up", 2, f"writes Flatcar {NEW} of image flatcar to the smallest disk, with the config of HOME/system.bu, reports, and stays up (reboot: false)"),
    ("of what is not mirrored yet", 3, "writes Flatcar beta, not mirrored yet, of image install:beta-amd64-current to the largest disk, without an Ignition config, reports, and reboots"),
    ("of another system", 5, "image debian installs itself, and reports to the URL in pxed.report= on its command line"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "sentence"), [pytest.param(*case[1:], id=case[0]) for case in SUMMARIES])
def test_an_installation_is_explained_in_a_sentence(home: Path, number: int, sentence: str) -> None:
    assert told(home, number)[0] == sentence.replace("HOME", str(home))


def test_the_rules_of_an_installation_are_explained(home: Path) -> None:
    assert told(home, 1)[1] == (
        "boot: install, until the machine reports that it is installed; then it boots its disk. An attempt fails 30m "
        "after its last report; the next begins 30s later, then after twice as long; after 3 failed attempts the "
        "machine is held"
    )
    assert told(home, 3)[1].endswith("after 1 failed attempt the machine boots its disk")
    assert "fails 2h after its last report; the next begins 90s later" in told(home, 5)[1]


COURSES = [
    ("an installation", 1, Course(Way.INSTALL, token=TOKEN)),
    ("a system that installs itself", 5, Course(Way.INSTALL, report=TOKEN)),
    ("a guarded config that reports", 4, Course(Way.MEMORY, token=TOKEN)),
    ("an open config", 6, Course(Way.MEMORY)),
    ("a report without a config", 7, Course(Way.MEMORY, report=TOKEN)),
    ("a disk", 8, Course(Way.LOCAL)),
]


@pytest.mark.parametrize(("number", "course"), [pytest.param(*case[1:], id=case[0]) for case in COURSES])
def test_the_first_boot_is_what_the_inventory_says(home: Path, number: int, course: Course) -> None:
    snapshot = load_snapshot(home / "pxed.yaml")
    match = resolve(snapshot.inventory, Identity(f"52:54:00:00:00:0{number}"))
    assert isinstance(match, Match)
    assert course_of(snapshot, match) == course


def told(home: Path, number: int) -> tuple[str, str]:
    snapshot = load_snapshot(home / "pxed.yaml")
    match = resolve(snapshot.inventory, Identity(f"52:54:00:00:00:0{number}"))
    assert isinstance(match, Match)
    return summary(snapshot, match, target_for(snapshot, match))


@pytest.mark.parametrize(("seconds", "text"), [(30, "30s"), (90, "90s"), (1800, "30m"), (7200, "2h"), (86400, "1d")])
def test_times_are_shown_as_they_are_written(seconds: int, text: str) -> None:
    assert words(seconds) == text


@pytest.mark.parametrize("private", [True, False], ids=["with a CA of its own", "with a public CA"])
def test_over_https_what_is_rendered_has_the_urls_and_the_ca_that_the_machine_gets(
    tmp_path: Path, private: bool
) -> None:
    ca = authority(tmp_path)
    signed(ca, tmp_path, names="IP:10.0.0.2")
    tls = f"tls: {{certificate: pxed.pem, key: pxed.key{', ca: ca.pem' if private else ''}}}"
    (tmp_path / "pxed.yaml").write_text(INVENTORY.replace("data_dir: data", f"data_dir: data, http: {{{tls}}}"))
    for name in ("live", "system"):
        (tmp_path / f"{name}.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    publish(tmp_path, OLD, NEW)
    installer, system = (files(pxed(tmp_path, "render", "node2", what)[1]) for what in ("ignition", "system"))
    urls = installer["report-url"], installer["config-url"], system["report-url"]
    assert [url.partition("10.0.0.2")[0].rpartition(",")[2] for url in urls] == ["https://"] * 3
    assert ("ca.pem" in installer, "ca.pem" in system) == (private, private)
    line = pxed(tmp_path, "render", "node2", "cmdline")[1]
    assert ("ignition.config.url=https://10.0.0.2:8443/" in line) is not private, (
        "a private CA comes with a stub by HTTP"
    )
