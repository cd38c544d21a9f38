"""The wheel, installed by pip and by pipx into environments of their own: complete, and it serves."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pxed import __version__
from tests.lab.process import ROOT
from tests.lab.tail import Tail
from tests.ports import free_port

pytestmark = [pytest.mark.net, pytest.mark.timeout(300)]  # from PyPI, or pip's cache
PYTHON = "/usr/bin/python3"
QUIET = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_COMPILE": "1"}


def run(*argv: object, **more: str) -> str:
    environment = {**os.environ, **QUIET, **more}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False, env=environment, cwd="/")
    assert done.returncode == 0, f"{argv}: {done.stderr}{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make wheel` builds it."""
    home = tmp_path_factory.mktemp("wheel")
    run(ROOT / "debian" / "package", "--copy", home / "copy")
    run(PYTHON, "-m", "venv", home / "venv")
    run(home / "venv/bin/pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", home, home / "copy")
    [built] = home.glob("*.whl")
    return built


def by_pip(wheel: Path, home: Path) -> Path:
    run(PYTHON, "-m", "venv", home / "venv")
    run(home / "venv/bin/pip", "--quiet", "install", wheel)
    return home / "venv"


def by_pipx(wheel: Path, home: Path) -> Path:
    run(PYTHON, "-m", "venv", home / "tools")
    run(home / "tools/bin/pip", "--quiet", "install", "pipx")
    places = {"PIPX_HOME": str(home / "pipx"), "PIPX_BIN_DIR": str(home / "bin"), "PIPX_MAN_DIR": str(home / "man")}
    said = run(home / "tools/bin/pipx", "install", "--python", PYTHON, wheel, **places)
    assert "pxed-probe" in said
    assert {path.name for path in (home / "bin").iterdir()} == {"pxed", "pxed-probe"}
    return home / "pipx/venvs/pxed"


def test_the_wheel_has_every_file_of_the_program_and_no_other(wheel: Path) -> None:
    assert wheel.name == f"pxed-{__version__}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "pxed").rglob("*") if path.is_file()}
    wanted = {name for name in ours if "__pycache__" not in name}
    assert {name for name in names if name.startswith("pxed/")} == wanted
    assert {name.split("/")[0] for name in names} == {
        "pxed",
        f"pxed-{__version__}.dist-info",
        f"pxed-{__version__}.data",
    }


@pytest.mark.parametrize("install", [by_pip, by_pipx])
def test_installed_it_serves(wheel: Path, tmp_path: Path, install: Callable[[Path, Path], Path]) -> None:
    venv = install(wheel, tmp_path)
    pxed = venv / "bin" / "pxed"
    assert run(pxed, "--version") == f"pxed {__version__}\n"
    assert "Usage: pxed-probe" in re.sub(r"\x1b\[[\d;]*m", "", run(venv / "bin/pxed-probe", "--help"))
    units = {path.name for path in (ROOT / "systemd").iterdir()}
    assert {path.name for path in (venv / "share/pxed/systemd").iterdir()} == units
    assert "no errors" in run(pxed, "check", "-c", venv / "share/pxed/config/pxed.yaml")
    http, tftp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    config = tmp_path / "pxed.yaml"
    config.write_text(
        f"server: {{interfaces: [lo], dhcp: 'off', data_dir: data, http: {{port: {http}}}, tftp: {{port: {tftp}}}}}\n"
    )
    (tmp_path / "data").mkdir()
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([pxed, "serve", "-c", config], cwd="/", stderr=out)
    try:
        Tail(log, lambda: process.poll() is None).wait(lambda line: " ready: " in line or None, 30)
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/healthz", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/", timeout=10) as answer:
            assert b"<html" in answer.read()
    finally:
        process.terminate()
        assert process.wait(20) == 0
