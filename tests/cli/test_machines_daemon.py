"""`pxed machines` and the real daemon, started as systemd starts it: with the token as a credential, or without one."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tests.ports import free_port
from tests.server.standings import TOKEN, write_token

PXED = Path(sys.executable).with_name("pxed")


def inventory(home: Path) -> None:
    http, tftp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    ports = f"http: {{port: {http}}}, tftp: {{port: {tftp}}}"
    server = f"server: {{interfaces: [lo], data_dir: data, dhcp: 'off', {ports}}}\n"
    machine = "node1: {mac: 52:54:00:00:00:01, profile: disk}"
    (home / "pxed.yaml").write_text(f"{server}profiles: {{disk: {{boot: local}}}}\nmachines: {{{machine}}}\n")


@contextlib.contextmanager
def serving(home: Path, **environment: str) -> Iterator[IO[str]]:
    """The daemon; gives its log, which ends when the block does."""
    inventory(home)
    command = [PXED, "serve", "-c", "pxed.yaml", "--log-format", "json"]
    told = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"} | environment
    process = subprocess.Popen(command, cwd=home, env=told, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        started = list(itertools.takewhile(lambda line: '"kind": "ready"' not in line, process.stderr))
        assert process.poll() is None, "".join(started)
        yield process.stderr
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def pxed(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [PXED, "machines", *words, "-c", "pxed.yaml"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PXED_")}
    return subprocess.run(command, cwd=home, env=clean, capture_output=True, text=True, check=False, timeout=60)


def test_the_token_of_a_credential_is_let_in_a_wrong_one_is_not_and_neither_is_logged(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    write_token(credentials / "api-token").chmod(0o440)
    good, bad = write_token(tmp_path / "good"), write_token(tmp_path / "bad", f"{TOKEN}0")
    with serving(tmp_path, CREDENTIALS_DIRECTORY=str(credentials)) as log:
        listed = pxed(tmp_path, "list")
        refused = pxed(tmp_path, "install", "node1", "--token-file", str(bad))
        let_in = pxed(tmp_path, "install", "nobody", "--token-file", str(good))
        warning = next(line for line in log if '"kind": "refused"' in line)
    assert (listed.returncode, "node1" in listed.stdout) == (0, True)
    assert (refused.returncode, refused.stderr) == (1, "node1: This is not the API's token.\n")
    assert let_in.returncode == 1
    assert "There is no machine 'nobody'" in let_in.stderr
    assert '"level": "warning"' in warning
    assert '"address": "127.0.0.1"' in warning
    assert TOKEN not in warning


def test_without_a_token_the_daemon_says_how_to_set_one(tmp_path: Path) -> None:
    with serving(tmp_path):
        done = pxed(tmp_path, "install", "node1", "--token-file", str(write_token(tmp_path / "any")))
    assert done.returncode == 1
    assert done.stderr.startswith("node1: The API changes nothing, because no token is set: write one of 20 characters")
