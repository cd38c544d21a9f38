"""The commands as an operator runs them: exit codes, what they print, where errors point."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PXED = Path(sys.executable).with_name("pxed")
CAPTURES = Path(__file__).parent.parent / "data" / "captures"
INVENTORY = """\
server: {data_dir: data, unknown: hold}
images: {lab: {kernel: vmlinuz, initrd: [initrd.img]}}
profiles:
  worker: {image: lab, ignition: worker.ign, args: [quiet]}
  disk: {boot: local}
machines:
  node1: {mac: 52:54:00:12:34:56, profile: worker}
  node2: {mac: 52:54:00:12:34:57, profile: disk}
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "pxed.yaml").write_text(INVENTORY)
    config = '{"ignition": {"version": "3.3.0"}, "passwd": {"users": [{"name": "{{ machine.name }}"}]}}'
    (tmp_path / "worker.ign").write_text(config)
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "loaders").mkdir()
    for name in ("images/vmlinuz", "images/initrd.img", "loaders/snponly.efi", "loaders/undionly.kpxe"):
        (tmp_path / "data" / name).write_text(name)
    return tmp_path


def pxed(home, *words: str) -> subprocess.CompletedProcess[str]:
    command = [PXED, *words, *([] if words[0] == "schema" else ["-c", "pxed.yaml"])]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)


def test_check_finds_nothing_wrong(home):
    done = pxed(home, "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 machines, 2 profiles, 1 images; no errors, 0 warnings" in done.stdout


def test_check_warns_of_a_missing_file_and_fails_for_an_error(home):
    (home / "data/images/vmlinuz").unlink()
    done = pxed(home, "check")
    assert done.returncode == 0
    assert "pxed.yaml:2:16: warning: images.lab.kernel" in done.stderr
    (home / "pxed.yaml").write_text(INVENTORY.replace("profile: disk", "profil: disk"))
    done = pxed(home, "check")
    assert done.returncode == 1
    assert "pxed.yaml:8:" in done.stderr
    assert "profile" in done.stderr


def test_check_notes_what_flatcar_needs_in_memory_and_finds_nothing_wrong(home):
    url = "https://stable.release.flatcar-linux.net/amd64-usr/current/flatcar_production_pxe"
    (home / "pxed.yaml").write_text(INVENTORY.replace("vmlinuz", f"'{url}.vmlinuz'"))
    done = pxed(home, "check")
    assert (done.returncode, done.stderr) == (0, "")
    note, summary = done.stdout.splitlines()
    place, _, words = note.partition(" note: ")
    assert place.startswith("pxed.yaml:")
    assert words == (
        "profiles.worker.image: machines that boot Flatcar from memory need 3 GB of it at least: see that those of "
        "worker have it"
    )
    assert "no errors, 0 warnings" in summary


def test_check_gives_json(home):
    (home / "pxed.yaml").write_text(INVENTORY.replace("lab, ignition", "lap, ignition"))
    problems = json.loads(pxed(home, "check", "--json").stdout)
    assert [(p["line"], p["key"]) for p in problems] == [(4, "profiles.worker.image")]


def test_explain_tells_every_stage_of_a_uefi_boot(home):
    done = pxed(home, "explain", "node1", "--address", "10.0.0.2", "--json")
    steps = json.loads(done.stdout)["steps"]
    assert done.returncode == 0, done.stderr
    stages = [step["stage"] for step in steps]
    assert stages == ["discover", "bootserver", "loader", "ipxe", "script", "kernel", "initrd", "ignition"]
    assert "OFFER to 255.255.255.255:68 from 10.0.0.2: snponly.efi, no option 43" in steps[0]["answer"]


def test_explain_of_a_bios_machine_has_no_boot_server_step(home):
    steps = json.loads(pxed(home, "explain", "node1", "--arch", "0", "--json").stdout)["steps"]
    assert [step["stage"] for step in steps][:3] == ["discover", "loader", "ipxe"]
    assert "undionly.kpxe, option 43 bypass" in steps[0]["answer"]


def test_explain_says_which_file_is_missing(home):
    (home / "data/images/initrd.img").unlink()
    done = pxed(home, "explain", "node1")
    assert done.returncode == 1
    assert "initrd.img" in done.stdout.splitlines()[-1]


def test_explain_of_a_machine_that_is_left_alone_says_why(home):
    (home / "pxed.yaml").write_text(INVENTORY.replace(", unknown: hold", ""))
    done = pxed(home, "explain", "02:00:00:00:00:01")
    assert done.returncode == 1
    assert "no answer" in done.stdout
    assert "not listed" in done.stdout


@pytest.mark.parametrize("capture", sorted(path.name for path in CAPTURES.glob("*.pcap")))
def test_explain_reads_each_capture(home, capture):
    done = pxed(home, "explain", str(CAPTURES / capture), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert all(line["verdict"] for line in told["packets"])
    assert all(boot["sentence"] for boot in told["boots"])


def test_explain_gives_the_verdict_of_each_boot_in_a_capture(home):
    (home / "pxed.yaml").write_text(INVENTORY.replace("52:54:00:12:34:56", "52:54:00:77:00:00"))
    done = pxed(home, "explain", str(CAPTURES / "uefi-x64-ovmf-dnsmasq.pcap"))
    assert done.returncode == 0, done.stderr
    packets, _, boots = done.stdout.partition("\n\n")
    assert "-> OFFER to 255.255.255.255:68" in packets
    assert boots == (
        "node1 [52:54:00:77:00:00]: PXE firmware (x86_64-efi): discover, offer, bootserver, loader, ipxe\n"
        "  it is at ipxe, and its HTTP is not in sight here\n"
    )


def test_explain_refuses_what_is_neither_machine_nor_mac(home):
    done = pxed(home, "explain", "node9")
    assert done.returncode == 2
    assert "node9" in done.stderr


def test_render_gives_exactly_what_the_machine_gets(home):
    line = pxed(home, "render", "node1", "cmdline", "--address", "10.0.0.2").stdout
    assert "ignition.config.url=http://10.0.0.2:8080/ignition/node1" in line
    assert line.endswith(" quiet\n")
    script = pxed(home, "render", "node1", "script", "--address", "10.0.0.2").stdout
    assert script.startswith("#!ipxe\n")
    assert line.strip() in script
    config = json.loads(pxed(home, "render", "node1", "ignition").stdout)
    assert config["passwd"]["users"] == [{"name": "node1"}]


def test_render_says_when_there_is_nothing(home):
    for words in (["node2", "cmdline"], ["node2", "ignition"]):
        assert pxed(home, "render", *words).returncode == 1
    assert pxed(home, "render", "node1", "coffee").returncode == 2


def test_schema_is_json(home):
    assert json.loads(pxed(home, "schema").stdout)["additionalProperties"] is False


def test_an_over_long_command_line_is_refused_with_its_place(home):
    long = " ".join(f"word{number}={'x' * 40}" for number in range(50))
    arguments = ", ".join(long.split())
    (home / "pxed.yaml").write_text(INVENTORY.replace("args: [quiet]", f"args: [{arguments}]"))
    for command in (["check"], ["serve"]):
        done = pxed(home, *command)
        assert done.returncode == 1
        assert "pxed.yaml:4:3: profiles.worker: the kernel command line would be" in done.stderr
        assert "2047" in done.stderr
