"""What the Debian package holds, file by file, as somebody who does not trust its build would look."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from pxed import __version__
from tests.lab.debpackage import as_version, debian_package, field
from tests.lab.process import ROOT

pytestmark = [pytest.mark.net, pytest.mark.timeout(600)]
PACKAGES = "./usr/lib/pxed/lib/python3.11/site-packages/"
CONTROL = (ROOT / "debian" / "control").read_text()


@pytest.fixture(scope="module")
def deb() -> Path:
    return debian_package()


@pytest.fixture(scope="module")
def files(deb: Path) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """Every member with its content; links have none."""
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: (one, tar.extractfile(one).read() if one.isfile() else b"") for one in tar}


def scripts(deb: Path, folder: Path) -> dict[str, str]:
    subprocess.run(["dpkg-deb", "--control", deb, folder], check=True)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_version_and_depends(deb: Path) -> None:
    assert field(deb, "Version") == __version__
    depends = field(deb, "Depends")
    assert {"ipxe", "python3 (>= 3.11)", "python3 (<< 3.12)"} <= set(depends.split(", "))
    assert "systemd-sysusers" in depends and "libc6 (>=" in depends and "libpq" not in depends


def test_all_belongs_to_root_and_nothing_is_writable_for_others(files: dict) -> None:
    assert {(one.uid, one.gid, one.uname) for one, _ in files.values()} == {(0, 0, "root")}
    assert not [name for name, (one, _) in files.items() if one.mode & 0o7022 and not one.issym()]


def test_only_these_can_be_run(files: dict) -> None:
    assert {name for name, (one, _) in files.items() if one.isfile() and one.mode & 0o111} == {
        "./usr/lib/pxed/bin/pxed",
        "./usr/lib/pxed/bin/pxed-probe",
    }


def test_programs_run_in_their_own_environment(files: dict) -> None:
    for name in ("pxed", "pxed-probe"):
        assert files[f"./usr/bin/{name}"][0].linkname == f"../lib/pxed/bin/{name}"
        assert files[f"./usr/lib/pxed/bin/{name}"][1].splitlines()[0] == b"#!/usr/lib/pxed/bin/python3 -I"
    assert files["./usr/lib/pxed/bin/python3"][0].linkname == "../../../bin/python3"
    config = files["./usr/lib/pxed/pyvenv.cfg"][1].decode()
    assert re.fullmatch(r"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3\.11\.\d+\n", config), (
        config
    )


def test_nothing_tells_where_it_was_built(files: dict) -> None:
    """Neither this machine's folders nor the build's; compiled files have the path that they are installed at."""
    traces = (str(ROOT).encode(), b"/debian/pxed", b"/tmp/tmp.")
    assert not [name for name, (_, content) in files.items() for trace in traces if trace in content]
    code = files[f"{PACKAGES}pxed/cli/__pycache__/__init__.cpython-311.pyc"][1]
    assert b"/usr/lib/pxed/lib/python3.11/site-packages/pxed/cli/__init__.py" in code


def test_bytecode_is_taken_as_it_is(files: dict) -> None:
    """PEP 552: bit 0 of the flags, checked by hash; bit 1, look at the source. Every module has its bytecode."""
    compiled = {name: content for name, (_, content) in files.items() if name.endswith(".pyc")}
    assert {int.from_bytes(content[4:8], "little") for content in compiled.values()} == {1}
    sources = {name for name in files if name.startswith(f"{PACKAGES}pxed/") and name.endswith(".py")}
    wanted = {re.sub(r"([^/]+)\.py$", r"__pycache__/\1.cpython-311.pyc", name) for name in sources}
    assert wanted and wanted <= set(compiled)


def test_no_pip_no_tests_no_records(files: dict) -> None:
    unwanted = re.compile(
        rf"{PACKAGES}(pip|setuptools|wheel|pkg_resources)[/-]|/tests?/|/(RECORD|INSTALLER|direct_url.json)$"
    )
    assert not [name for name in files if name.startswith("./usr/lib/pxed/") and unwanted.search(name)]


def test_everything_that_pxed_reads_is_there(files: dict) -> None:
    tracked = subprocess.run(["git", "ls-files", "pxed"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = tracked.stdout.split() or [str(path.relative_to(ROOT)) for path in (ROOT / "pxed").rglob("*.*")]
    assert not [name for name in names if (ROOT / name).is_file() and PACKAGES + name not in files]


def test_units_of_the_repository(files: dict) -> None:
    """As they are, but without the line that systemd 252 does not know."""
    for path in [*(ROOT / "systemd").glob("*.service"), *(ROOT / "systemd").glob("*.socket")]:
        wanted = path.read_text().replace("Type=notify-reload\n", "")
        assert files[f"./lib/systemd/system/{path.name}"][1].decode() == wanted
    assert files["./usr/lib/sysusers.d/pxed.conf"][1] == (ROOT / "systemd" / "pxed.sysusers").read_bytes()
    assert files["./usr/lib/tmpfiles.d/pxed.conf"][1] == (ROOT / "systemd" / "pxed.tmpfiles").read_bytes()


def test_configuration_is_kept_on_upgrades(deb: Path, files: dict, tmp_path: Path) -> None:
    assert scripts(deb, tmp_path / "control")["conffiles"].split() == ["/etc/pxed/pxed.yaml"]
    assert files["./etc/pxed/pxed.yaml"][1] == (ROOT / "config" / "pxed.yaml").read_bytes()


def test_maintainer_scripts_are_sound_shell(deb: Path, tmp_path: Path) -> None:
    found = scripts(deb, tmp_path / "control")
    assert {"postinst", "prerm", "postrm"} <= set(found)
    for name in ("postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", tmp_path / "control" / name], check=True)
        assert "#DEBHELPER#" not in found[name]
    assert "enable 'pxed.service'" in found["postinst"], "only for one that was enabled before"
    assert "try-restart 'pxed.service'" in found["postinst"]
    assert "socket" not in "".join(re.findall(r"deb-systemd-invoke (?:try-)?restart.*", found["postinst"]))


def test_copyright_names_every_package_that_is_brought(files: dict) -> None:
    text = (ROOT / "debian" / "copyright").read_text()
    assert files["./usr/share/doc/pxed/copyright"][1].decode() == text
    tops = {name.removeprefix(PACKAGES).split("/")[0] for name in files if name.startswith(PACKAGES)} - {""}
    tops -= {"__pycache__", "pxed"}
    assert not [top for top in sorted(tops) if not top.endswith(".dist-info") and f"/{top}" not in text]
    wanted = set(re.findall(r"^License: (.*)$", text.split("\nLicense: Expat\n", 1)[1], re.MULTILINE))
    named = {part for line in wanted for part in line.split(" and ")}
    assert {name for name in named if not re.search(rf"^License: {re.escape(name)}\n ", text, re.MULTILINE)} == set()


def test_pinned_packages_are_those_of_the_project() -> None:
    """Each dependency of pyproject.toml is pinned, and each pin has digests."""
    text = (ROOT / "debian" / "requirements.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:", text, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["postgresql"]]
    assert {re.split(r"[\[<>=]", line)[0] for line in wanted} <= set(pinned)
    assert len(pinned) == text.count("==")


def test_the_laboratory_installs_what_the_build_needs() -> None:
    listed = set(re.findall(r"^([a-z0-9+-]+) +#", (ROOT / "tests/lab/packages-deb.txt").read_text(), re.MULTILINE))
    block = re.search(r"^Build-Depends:\n((?: .*\n)+)", CONTROL, re.MULTILINE)
    assert block is not None
    needed = {name for name in re.findall(r"^ ([a-z0-9+-]+)", block[1], re.MULTILINE) if not name.startswith("dh-")}
    assert needed - {"debhelper-compat", "python3"} <= listed


def test_a_newer_version_has_the_same_files(deb: Path) -> None:
    newer = as_version(deb, f"{__version__}+up1")
    assert field(newer, "Version") == f"{__version__}+up1"
    assert field(newer, "Depends") == field(deb, "Depends")
    subprocess.run(["dpkg", "--compare-versions", field(newer, "Version"), "gt", __version__], check=True)
    contents = [subprocess.run(["dpkg-deb", "-c", one], check=True, capture_output=True).stdout for one in (deb, newer)]
    assert contents[0] == contents[1]


def test_lintian_finds_no_error_and_no_warning(deb: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    argv = ["lintian", "--no-cfg", "--allow-root", "--fail-on", "error,warning", deb]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout
