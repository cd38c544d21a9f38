"""`pxed serve` when the state's database is not there yet."""

from __future__ import annotations

import importlib
import socket
from pathlib import Path

import pytest

from pxed.server.bus import LogWriter

serve = importlib.import_module("pxed.cli.serve")  # the package has a command of that name


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_a_database_that_stays_away_ends_the_start_so_that_systemd_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "pxed.yaml"
    config.write_text(
        f"server: {{dhcp: off, data_dir: data, state: 'postgresql://pxed:hidden@127.0.0.1:1/pxed', "
        f"tftp: {{port: {free_port(socket.SOCK_DGRAM)}}}, http: {{port: {free_port(socket.SOCK_STREAM)}}}}}\n"
    )
    monkeypatch.setattr(serve, "AWAY_SECONDS", 0.1)
    monkeypatch.setattr(serve, "AWAY_PAUSE", 0.2)
    monkeypatch.setattr(serve, "LogWriter", lambda: serve_log(tmp_path))
    assert serve.run(config, "text", "info") == 3
    said = capfd.readouterr().err + (tmp_path / "log").read_text()
    assert "cannot be reached" in said
    assert "hidden" not in said


def serve_log(home: Path) -> LogWriter:
    """The daemon's log in a file: its writer's thread outlives the test's capture of stderr."""
    return LogWriter((home / "log").open("wb"))
