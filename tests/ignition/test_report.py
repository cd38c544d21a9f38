"""The unit that reports a running machine, merged into configs and run for real. The tables are wide on purpose."""
# ruff: noqa: E501

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from pxed.ignition import spec
from pxed.ignition.butane import translate
from pxed.ignition.document import Config, read_config
from pxed.ignition.report import UNIT, reports, with_reports
from pxed.ignition.snippet import SnippetError, prepared
from tests.ignition.guest import CLOSED, SHELLS, TOKEN, Guest, Pxed, files_of, serving
from tests.ignition.test_installer import units_of, verify

AT = "/etc/pxed/report"
URL = f"http://10.0.0.1:8080/report/node1?token={TOKEN}"
OUTCOMES = [
    ("it is taken at once", [204], ["running"], 0, "reported that this machine runs"),
    ("pxed is away for a while", [CLOSED, 503, 200], ["running"] * 3, 0, 'cannot report "running" yet, trying again in 2 s'),
    ("pxed refuses it", [403], ["running"], 1, "pxed refuses the report that this machine runs: HTTP status 403: this"),
]  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("statuses", "stages", "code", "words"), [pytest.param(*case[1:], id=case[0]) for case in OUTCOMES]
)
def test_a_machine_reports_that_it_runs(
    tmp_path: Path, shell: str, statuses: list[int], stages: list[str], code: int, words: str
) -> None:
    guest = Guest(tmp_path)
    guest.program("curl", f'exec {shutil.which("curl")} "$@"\n')
    with serving(Pxed()) as pxed:
        pxed.answers(report=statuses)
        done = guest.run(reports(URL.replace("http://10.0.0.1:8080", pxed.url)), shell, at=AT)
    assert (done.returncode, pxed.reports, done.stderr) == (code, stages, "")
    assert words in done.stdout
    assert pxed.asked[-1].message.startswith("Linux ")
    assert TOKEN not in done.stdout + "".join(guest.log)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, for 127.0.0.1, and its key."""
    home = tmp_path_factory.mktemp("ca")
    cert, key = home / "cert.pem", home / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
         "-subj", "/CN=pxed", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.mark.parametrize("trusted", [True, False], ids=["its CA is given", "its CA is not known"])
def test_over_https_the_report_goes_to_whom_the_given_ca_has_signed(
    tmp_path: Path, certificate: tuple[Path, Path], trusted: bool
) -> None:
    guest = Guest(tmp_path)
    guest.program("nap", "kill $PPID\n")  # it would ask again for ever
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serving(Pxed(), context) as pxed:
        ca = certificate[0].read_bytes() if trusted else b""
        done = guest.run(reports(URL.replace("http://10.0.0.1:8080", pxed.url), ca), "bash", at=AT)
    assert pxed.reports == (["running"] if trusted else [])
    assert trusted == ("certificate" not in done.stdout)


@pytest.mark.parametrize("version", [version for version in spec.VERSIONS if "experimental" not in version])
def test_a_config_of_any_ignition_3_takes_it_and_keeps_its_version(version: str) -> None:
    own = {"ignition": {"version": version}, "systemd": {"units": [{"name": "a.service", "enabled": True}]}}
    config = with_reports(Config(json.dumps(own).encode(), version), URL)
    assert read_config(config.body) == (config, ())
    assert config.spec == version
    assert {unit["name"] for unit in json.loads(config.body)["systemd"]["units"]} == {UNIT, "a.service"}
    assert files_of(config)[f"{AT}/report-url"] == (URL.encode(), 0o600)


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    verify(tmp_path, units_of(reports(URL)))


def test_real_ignition_takes_it() -> None:
    validate = shutil.which("ignition-validate")
    if validate is None:
        pytest.skip("ignition-validate is not installed (make setup)")
    config = with_reports(Config(b'{"ignition":{"version":"3.0.0"}}', "3.0.0"), URL, b"-----BEGIN CERTIFICATE-----\n")
    done = subprocess.run([validate, "-"], input=config.body, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


REFUSED = [
    ("a unit of the same name", b'{"ignition":{"version":"3.0.0"},"systemd":{"units":[{"name":"pxed-report.service"}]}}', "3.0.0", "report: true puts the unit pxed-report.service into the config, which has one of its own: give that another name"),
    ("Ignition 2", b'{"ignition":{"version":"2.2.0"}}', "2.2.0", "report: true puts a unit into the config, and this one is Ignition 2.2.0: expected Ignition 3 or Butane"),
    ("a cloud-config", b"#cloud-config\n", "", "and this one is no Ignition config: expected Ignition 3 or Butane"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "version", "words"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_it_cannot_be_put_into(body: bytes, version: str, words: str) -> None:
    with pytest.raises(SnippetError, match=re.escape(words)):
        with_reports(Config(body, version), URL)


def test_it_is_made_once_and_filled_for_each_boot() -> None:
    mark = "m" * 43
    own = Config(b'{"ignition":{"version":"3.4.0"}}', "3.4.0")
    form = prepared(with_reports(own, URL.replace(TOKEN, mark)), mark)
    assert form.fill(TOKEN) == with_reports(own, URL)


MANUAL = (Path(__file__).parents[2] / "docs/how-to/install.md").read_text()
SHELL = [text for text in re.findall(r"```bash\n(.*?)```", MANUAL, re.DOTALL) if "/proc/cmdline" in text]
(SNIPPET,) = re.findall(r"```yaml\n# report\.bu\n(.*?)```", MANUAL, re.DOTALL)


UNIT_OF_MANUAL = Config(translate(SNIPPET.encode()).output or b"", "3.3.0")


def scripts() -> list[object]:
    ((body, _),) = files_of(UNIT_OF_MANUAL).values()
    return [pytest.param(text, id="in the shell") for text in SHELL] + [pytest.param(body.decode(), id="in Butane")]


@pytest.mark.parametrize("script", scripts())
def test_what_the_manual_says_of_reports_works(tmp_path: Path, script: str) -> None:
    cmdline = tmp_path / "cmdline"
    with serving(Pxed()) as pxed:
        pxed.answers(report=[503, 204])
        cmdline.write_text(f"initrd=x pxed.report={pxed.url}/report/node1?token={TOKEN} quiet\n")
        text = script.replace("/proc/cmdline", str(cmdline))
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, pxed.asked[-1].path, pxed.reports[0] in ("running", "installed")) == (
        0,
        "/report/node1",
        True,
    )
    assert pxed.asked[-1].message


def test_the_manuals_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    assert translate(SNIPPET.encode()).entries == ()
    verify(tmp_path, units_of(UNIT_OF_MANUAL))
