"""`pxed check` and `pxed serve` with a certificate: errors stop both, warnings neither."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pxed.cli.check import run
from pxed.errors import HostError
from pxed.inventory.loader import loads
from pxed.server.sockets import open_all
from tests.server.certificates import authority, signed

PXED = Path(sys.executable).with_name("pxed")
INVENTORY = """\
server:
  interfaces: lo
  data_dir: data
  http:
    tls: {certificate: pxed.pem, key: pxed.key, ca: ca.pem}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    ca = authority(tmp_path)
    signed(ca, tmp_path)
    (tmp_path / "pxed.yaml").write_text(INVENTORY)
    return tmp_path


def check(home: Path, capfd: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    code = run(home / "pxed.yaml", False)
    lines = capfd.readouterr().err.splitlines()
    return code, [line.replace(f"{home}/", "") for line in lines if "tls" in line]


def test_a_good_certificate_is_no_problem(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert check(home, capfd) == (0, [])


def test_an_error_has_its_place(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copy(home / "ca.key", home / "pxed.key")
    words = "pxed.key is not the key of the certificate in pxed.pem"
    assert check(home, capfd) == (1, [f"pxed.yaml:5:34: server.http.tls.key: {words}"])


def test_a_warning_stops_nothing(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "pxed.key").chmod(0o644)
    code, (line,) = check(home, capfd)
    assert code == 0
    assert line.startswith("pxed.yaml:5:34: warning: server.http.tls.key: everybody may read pxed.key")


CREDENTIAL = "/run/credentials/pxed.service/tls-key"


def test_a_key_that_systemd_gives_to_the_service_only_is_noted(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = INVENTORY.replace("pxed.key", CREDENTIAL).replace("data_dir", f"api_token_file: {CREDENTIAL}\n  data_dir")
    (home / "pxed.yaml").write_text(text)
    assert run(home / "pxed.yaml", False) == 0
    said = capfd.readouterr()
    sentence = f"{CREDENTIAL} can be read inside the service only (LoadCredential=), which checks it at its start"
    notes = [line.replace(f"{home}/", "") for line in said.out.splitlines() if "note" in line]
    assert notes == [
        f"pxed.yaml:3:3: note: server.api_token_file: {sentence}",
        f"pxed.yaml:6:34: note: server.http.tls.key: {sentence}",
    ]
    assert CREDENTIAL not in said.err
    (home / "pxed.pem").unlink()
    assert run(home / "pxed.yaml", False) == 1
    assert "cannot read" in capfd.readouterr().err, "what else is wrong is told"


def test_inside_the_service_a_credential_that_is_missing_is_an_error(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "pxed.yaml").write_text(INVENTORY.replace("pxed.key", CREDENTIAL))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(Path(CREDENTIAL).parent))
    assert check(home, capfd)[0] == 1


def test_the_daemon_does_not_start_with_an_error(home: Path) -> None:
    (home / "pxed.key").unlink()
    done = subprocess.run([PXED, "serve", "-c", home / "pxed.yaml"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"pxed: cannot read {home}/pxed.key: No such file or directory\n")


def test_a_socket_for_https_needs_a_certificate(tmp_path: Path) -> None:
    server = loads("server: {dhcp: 'off', interfaces: lo}", tmp_path / "pxed.yaml").server
    with socket.create_server(("127.0.0.1", 0)) as sock, socket.create_server(("127.0.0.1", 0)) as http:
        server = server.model_copy(update={"http": server.http.model_copy(update={"port": http.getsockname()[1]})})
        with pytest.raises(HostError, match="a socket for https, but the inventory has no"):
            open_all(server, {"https": [sock], "http": [http]})
