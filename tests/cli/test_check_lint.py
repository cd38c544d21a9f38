"""`pxed check` across the layers: each fault at its file and line, with what to do about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pxed.cli.check import run

BUTANE = "variant: flatcar\nversion: {}\n"
HEAD = """\
server: {data_dir: data}
images:
  flatcar: {flatcar: {channel: CHANNEL, version: VERSION}}
profiles:
  worker:
    image: flatcar
"""
MACHINES = "machines:\n  node1: {mac: 52:54:00:00:00:01, profile: worker}\n"


def check(
    home: Path,
    capfd: pytest.CaptureFixture[str],
    fields: str,
    *,
    config: str = BUTANE.format("1.0.0"),
    channel: str = "stable",
    version: str = "current",
) -> tuple[int, list[str]]:
    """Exit code and the lines about this inventory, from its first column on."""
    (home / "worker.bu").write_text(config)
    (home / "worker.ign").write_text(config)
    text = HEAD.replace("CHANNEL", channel).replace("VERSION", version)
    lines = "".join(f"    {line}\n" for line in fields.split("\n"))
    (home / "pxed.yaml").write_text(text + lines + MACHINES)
    code = run(home / "pxed.yaml", False)
    said = capfd.readouterr()
    ours = [line.replace(f"{home}/", "") for line in said.err.splitlines()]
    return code, [line for line in ours if "loaders" not in line and "not mirrored" not in line]


@pytest.mark.parametrize(
    ("fields", "options", "place", "words", "remedy"),
    [
        pytest.param(
            "args: [" + ", ".join(f"option{i}=0123456789" for i in range(100)) + "]", {},
            "pxed.yaml:5:3: profiles.worker", "kernels take 2047", "shorten args or ssh_keys", id="an over-long line",
        ),
        pytest.param(
            "butane: worker.bu", {"config": BUTANE.format("1.1.0") + "kernel_arguments: {should_exist: [quiet]}\n"},
            "pxed.yaml:7:5: profiles.worker.butane", "kernel_arguments cannot be set", "move them to args",
            id="kernel_arguments",
        ),
        pytest.param(
            "butane: worker.bu\nroot: /dev/sda1",
            {"config": BUTANE.format("1.0.0")
             + "storage: {filesystems: [{device: /dev/sda1, format: ext4, path: /}]}\n"},
            "pxed.yaml:7:5: profiles.worker.butane", "is mounted already", "leave path out",
            id="root= and a filesystem at /",
        ),
        pytest.param(
            "butane: worker.bu", {"config": BUTANE.format("1.1.0"), "channel": "lts", "version": "current-2023"},
            "pxed.yaml:7:5: profiles.worker.butane", "takes 3.3.0 at most", "version: 1.0.0",
            id="Butane newer than the channel",
        ),
        pytest.param(
            "butane: worker.bu\nignition_delivery: embedded", {"channel": "alpha", "version": "4500.0.0"},
            "pxed.yaml:8:5: profiles.worker.ignition_delivery", "", "ignition_delivery: url",
            id="embedded in a broken window",
        ),
        pytest.param(
            "butane: worker.bu\nfirst_boot: false", {},
            "pxed.yaml:8:5: warning: profiles.worker.first_boot", "the config is not applied", "leave first_boot out",
            id="a config that no Ignition reads",
        ),
        pytest.param(
            "autologin: true", {},
            "pxed.yaml:7:5: warning: profiles.worker.autologin", "a shell without a password", "remove autologin",
            id="a shell without a password",
        ),
        pytest.param(
            "ignition: worker.ign",
            {"config": '{"ignition": {"version": "3.3.0", "config": {"merge": [{"source": "oem:///x.ign"}]}}}',
             "version": "4500.0.0", "channel": "alpha"},
            "pxed.yaml:7:5: profiles.worker.ignition", "oem:///x.ign is not found", "an http URL", id="the oem: scheme",
        ),
        pytest.param(
            "args: [mount.usr=/dev/sda3]", {}, "pxed.yaml:7:5: profiles.worker.args", "mount.usr", "",
            id="a word of disk boots",
        ),
    ],
)  # fmt: skip
def test_a_fault_between_layers_is_told_at_its_line_with_the_remedy(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    fields: str,
    options: dict[str, str],
    place: str,
    words: str,
    remedy: str,
) -> None:
    _, lines = check(tmp_path, capfd, fields, **options)
    ours = [line for line in lines if line.startswith(place)]
    assert any(words in line and remedy in line for line in ours), "\n".join(lines)


def test_a_sound_inventory_has_a_note_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "worker.bu").write_text(BUTANE.format("1.1.0"))
    (tmp_path / "pxed.yaml").write_text(
        HEAD.replace("CHANNEL", "stable").replace("VERSION", "current") + "    butane: worker.bu\n" + MACHINES
    )
    assert run(tmp_path / "pxed.yaml", False) == 0
    said = capfd.readouterr()
    assert (
        f"{tmp_path}/pxed.yaml:6:5: note: profiles.worker.image: machines that boot Flatcar from memory need 3 GB"
        in said.out
    )
    assert "no errors" in said.out
    assert [line for line in said.err.splitlines() if "loaders" not in line] == [
        f"{tmp_path}/pxed.yaml:3:13: warning: images.flatcar.flatcar: stable current for amd64 is not mirrored yet: "
        "run pxed images sync"
    ]


def test_notes_are_told_beside_errors_and_as_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "worker.bu").write_text(BUTANE.format("1.1.0"))
    head = HEAD.replace("CHANNEL", "stable").replace("VERSION", "current")
    (tmp_path / "pxed.yaml").write_text(
        f"{head}    autologin: true\n    rootfstype: tmpfs\n    args: [usr=x]\n{MACHINES}"
    )
    assert run(tmp_path / "pxed.yaml", False) == 1
    said = capfd.readouterr()
    assert "note: profiles.worker.image: machines that boot Flatcar from memory need 3 GB" in said.out
    assert said.err.splitlines()[-1] == "1 error, 1 warning"
    assert run(tmp_path / "pxed.yaml", True) == 1
    found = json.loads(capfd.readouterr().out)
    assert [(one["line"], one["severity"]) for one in found] == [(7, "warning"), (9, "error"), (6, "note")]


@pytest.mark.parametrize(
    ("mirror", "place", "words"),
    [
        pytest.param("key: none.asc", "1:35: warning: server.mirror.key", "cannot read the key file", id="no file"),
        pytest.param(
            "key: pxed.yaml", "1:35: warning: server.mirror.key", "not a file of OpenPGP public keys", id="no key in it"
        ),
        pytest.param(
            f"fingerprint: {'A' * 40}", "1:35: warning: server.mirror.fingerprint", f"not {'A' * 40}", id="another key"
        ),
    ],
)
def test_a_key_that_verifies_nothing_is_told_before_the_first_sync(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], mirror: str, place: str, words: str
) -> None:
    head = (
        HEAD.replace("CHANNEL", "stable")
        .replace("VERSION", "current")
        .replace("data}", f"data, mirror: {{{mirror}}}}}")
    )
    (tmp_path / "pxed.yaml").write_text(head + MACHINES)
    assert run(tmp_path / "pxed.yaml", False) == 0
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if f"pxed.yaml:{place}" in line and words in line], lines


def test_every_machine_is_rendered(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = BUTANE.format("1.0.0") + "storage:\n  directories:\n    - path: {{ machine.vars.path }}\n"
    code, lines = check(tmp_path, capfd, "butane: worker.bu", config=config)
    assert code == 1
    assert any(line.startswith("worker.bu:5:1: machines.node1: cannot be rendered for node1") for line in lines)
