"""`pxed serve` when the state's database is not there yet."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.ports import free_port

SERVE = """
import importlib, pathlib, sys
serve = importlib.import_module("pxed.cli.serve")
serve.AWAY_SECONDS, serve.AWAY_PAUSE = 0.1, 0.2
sys.exit(serve.run(pathlib.Path(sys.argv[1]), "text", "info"))
"""


def test_a_database_that_stays_away_ends_the_start_so_that_systemd_tries_again(tmp_path: Path) -> None:
    config = tmp_path / "pxed.yaml"
    config.write_text(
        f"server: {{dhcp: off, data_dir: data, state: 'postgresql://pxed:hidden@127.0.0.1:1/pxed', "
        f"tftp: {{port: {free_port(socket.SOCK_DGRAM)}}}, http: {{port: {free_port(socket.SOCK_STREAM)}}}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(config)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 3, done.stderr
    assert "cannot be reached" in done.stderr
    assert "hidden" not in done.stderr
