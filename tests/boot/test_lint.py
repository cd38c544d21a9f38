"""What `pxed check` says of profiles that boot Flatcar from memory, and at which place of the inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from pxed.assets.flatcar import Release
from pxed.boot.lint import flatcar_release, notes, profile_findings
from pxed.errors import Problem
from pxed.inventory.loader import load, located
from tests.inventory.support import marked

INVENTORY = """\
images:
  flatcar: {flatcar: {channel: CHANNEL, version: VERSION}}
  other: {kernel: vmlinuz}
profiles:
  p:
    image: flatcar
BODY
machines: {node1: {mac: 52:54:00:00:00:01, profile: p}}
"""


def findings(text: str, directory: Path, versions: dict[str, str] | None = None) -> list[Problem]:
    """Those of an inventory beside which there are the files a.ign, base.ign and w.bu."""
    for name in ("a.ign", "base.ign", "w.bu"):
        (directory / name).write_text('{"ignition": {"version": "3.3.0"}}')
    path = directory / "pxed.yaml"
    path.write_text(text)
    return located(profile_findings(load(path), versions or {}), path)


def profile(*lines: str, channel: str = "stable", version: str = "current") -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return INVENTORY.replace("BODY", body).replace("CHANNEL", channel).replace("VERSION", version)


CLEAN = [
    pytest.param(["console: tty0"], id="nothing but a console"),
    pytest.param(["ignition: a.ign"], id="a config"),
    pytest.param(["butane: w.bu", "ignition_delivery: embedded"], id="an embedded config"),
    pytest.param(["first_boot: false"], id="no config and no Ignition"),
    pytest.param(["first_boot: true"], id="Ignition without a config, as base configs of an OEM need it"),
    pytest.param(["ignition: a.ign", "root: LABEL=ROOT", "first_boot: false"], id="a local root that is provisioned"),
    pytest.param(["rootfstype: btrfs", "args: [rootflags=compress=zstd]"], id="btrfs in memory"),
    pytest.param(["root: LABEL=ROOT", "args: [rootfstype=ext4]"], id="the kind of a local root"),
    pytest.param(['ssh_keys: "ssh-ed25519 AAAA me@host"'], id="one ssh key"),
    pytest.param(["args: [ip=10.0.0.9, netmask=255.255.255.0, gateway=10.0.0.1]"], id="the old form of ip="),
    pytest.param(["args: ['ip=eth0:dhcp', 'nameserver=10.0.0.1']"], id="a form of ip="),
    pytest.param(["args: [flatcar.first_boot=yes, ignition.config.url=http://m/x]"], id="all of it in args"),
    pytest.param(["ignition: a.ign", "args: [coreos.first_boot=0]"], id="one of both names of first_boot is enough"),
    pytest.param(["args: [flatcar.oem.id=qemu]"], id="a platform"),
    pytest.param(["args: [flatcar.oem.id=pxe]"], id="a platform that this version translates again"),
    pytest.param(["args: [usrmerge=1, systemd.setenv=musr=1]"], id="words that only look like usr="),
    pytest.param(["args: [systemd.machine_id=0123456789abcdef0123456789abcdef]"], id="a machine id"),
    pytest.param(["boot: install", "install: {disk: /dev/sda}", "butane: w.bu"], id="an installation"),
    pytest.param(["boot: local", "args: [usr=/dev/sda3]", "autologin: true"], id="a profile that boots its disk"),
]


@pytest.mark.parametrize("lines", CLEAN)
def test_nothing_is_said_of_what_boots(lines: list[str], tmp_path: Path) -> None:
    assert findings(profile(*lines), tmp_path) == []


ERRORS = [
    pytest.param(
        ["boot: install", "install: {disk: /dev/sda}", "▶args: [usr=/dev/sda3]"],
        "usr belongs to a boot from disk",
        id="an installer is booted from memory too",
    ),
    pytest.param(["▶args: [usr=/dev/sda3]"], "usr belongs to a boot from disk", id="usr= asks for a disk"),
    pytest.param(["▶args: [mount.usr=LABEL=USR-A]"], "mount.usr belongs to", id="so does mount.usr="),
    pytest.param(["▶args: [verity.usr=PARTUUID=7]"], "verity.usr belongs to", id="so does verity.usr="),
    pytest.param(["▶args: [verity.usrhash=00ff]"], "verity.usrhash belongs to", id="so does verity.usrhash="),
    pytest.param(["▶args: [flatcar.randomize_guid=disk]"], "randomize_guid belongs to", id="so does randomize_guid"),
    pytest.param(
        ["▶ignition_url: http://m/x?a=1&usr=2"],
        "'usr=2' on the command line makes Flatcar look for a disk",
        id="usr= in a URL is taken for the word",
    ),
    pytest.param(
        ["▶args: [flatcar.first_boot=detected]"], "write first_boot: true", id="detected is for GRUB on a disk"
    ),
    pytest.param(["▶args: ['ip=eth0:auto6']"], "ip= would stop the boot", id="auto6 stops the boot"),
    pytest.param(["▶args: [ip=ibft]"], "ip= would stop the boot", id="ibft stops the boot"),
    pytest.param(["▶args: ['ip=:::::eth0:both']"], "ip= would stop the boot", id="both stops the boot"),
    pytest.param(["▶args: ['ip=:::::eth0:rarp']"], "ip= would stop the boot", id="rarp stops the boot"),
    pytest.param(["▶args: ['ip=:::::eth0:bootp']"], "ip= would stop the boot", id="bootp stops the boot"),
    pytest.param(["▶args: [ip=10.0.0.9]"], "needs netmask= beside it", id="an address without a netmask"),
    pytest.param(["▶args: [rootfstype=ext4]"], "rootfstype=ext4 needs a root", id="a root in memory is no ext4"),
]


@pytest.mark.parametrize(("lines", "part"), ERRORS)
def test_what_stops_a_boot_is_an_error_at_its_field(lines: list[str], part: str, tmp_path: Path) -> None:
    text, place = marked(profile(*lines))
    (problem,) = findings(text, tmp_path)
    assert not problem.warning
    assert part in problem.message
    assert (problem.line, problem.column) == place


WARNINGS = [
    pytest.param(
        ["▶rootfstype: tmpfs", "root: LABEL=ROOT"], "in place of the local root", id="a local root that is a tmpfs"
    ),
    pytest.param(
        ["ignition: a.ign", "▶first_boot: false"], "so the config is not applied", id="a config that Ignition ignores"
    ),
    pytest.param(
        ["ignition_base: base.ign", "▶first_boot: false"], "the config is not applied", id="a base config it ignores"
    ),
    pytest.param(
        ["ignition: a.ign", "▶args: [flatcar.first_boot=0]"], "the config is not applied", id="first_boot= in args wins"
    ),
    pytest.param(
        ["▶args: [flatcar.first_boot=1, flatcar.first_boot=no, ignition.config.url=http://m/x]"],
        "a config's URL in args does nothing",
        id="the last first_boot= of args wins",
    ),
    pytest.param(
        ["▶args: [ignition.config.url=http://m/x]"], "add first_boot: true", id="a URL in args without first_boot"
    ),
    pytest.param(
        ["▶args: [flatcar.config.url=http://m/x]"], "give it as ignition_url", id="an old name of it, likewise"
    ),
    pytest.param(
        ["ignition: a.ign", "▶args: [coreos.config.url=http://m/x]"], "the profile's own config is not used",
        id="a URL in args that wins over the config",
    ),
    pytest.param(
        ["ignition: a.ign", "▶args: [root=LABEL=ROOT]"], "Ignition run at every boot",
        id="a root in args, whose first boot is not known",
    ),
    pytest.param(
        ["▶ignition_delivery: embedded", "ignition_url: http://m/x"], "does not embed the config of another server",
        id="a URL that cannot be embedded",
    ),
    pytest.param(["▶args: [ignition.platform.id=metal]"], "write flatcar.oem.id=metal", id="the name of upstream"),
    pytest.param(["▶args: [systemd.machine_id=node1]"], "32 hexadecimal digits", id="a machine id that is none"),
    pytest.param(["▶autologin: true"], "whoever reaches every console gets a shell", id="autologin everywhere"),
    pytest.param(
        ["▶autologin: [tty1, ttyS0]", "console: [tty0, ttyS0]"], "whoever reaches tty1, ttyS0 gets a shell",
        id="autologin on some terminals",
    ),
    pytest.param(["▶args: [coreos.autologin]"], "whoever reaches every console", id="autologin by its old name"),
    pytest.param(["▶ssh_keys: [ssh-rsa AAAA, ssh-rsa BBBB]"], "takes the first ssh key", id="more than one ssh key"),
    pytest.param(
        ["▶ssh_keys: [ssh-rsa AAAA]", "args: ['sshkey=\"ssh-rsa BBBB\"']"], "takes the first ssh key",
        id="an ssh key in args beside another",
    ),
    pytest.param(["▶args: ['\"sshkey=ssh-rsa AAAA\"']"], "the quotes after the equals sign", id="quotes elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "part"), WARNINGS)
def test_what_boots_but_hardly_as_meant_is_a_warning_at_its_field(lines: list[str], part: str, tmp_path: Path) -> None:
    text, place = marked(profile(*lines))
    (problem,) = findings(text, tmp_path)
    assert problem.warning
    assert part in problem.message
    assert (problem.line, problem.column) == place


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        pytest.param(["autologin: [tty0]"], "the login prompts of a screen are on tty1", id="the screen itself"),
        pytest.param(["autologin: [ttyAMA0]", "console: [ttyAMA0]"], "use autologin: true", id="a name without an S"),
        pytest.param(["autologin: [ttyS1]", "console: [ttyS0]"], "needs console: [ttyS1]", id="no console there"),
    ],
)
def test_autologin_on_a_terminal_that_has_no_prompt_is_told(lines: list[str], part: str, tmp_path: Path) -> None:
    _, second = findings(profile(*lines), tmp_path)
    assert part in second.message
    assert second.warning


EMBEDDED = ["butane: w.bu", "▶ignition_delivery: embedded"]


@pytest.mark.parametrize(
    ("lines", "channel", "version", "part"),
    [
        pytest.param(EMBEDDED, "stable", "3760.2.0", "use ignition_delivery: url, or another version", id="the path"),
        pytest.param(EMBEDDED, "beta", "4593.1.0", "its second initramfs loses", id="the second initramfs"),
        pytest.param(["▶oem_files: {bin/x: a.ign}"], "beta", "4593.1.0", "oem_files does not work", id="own files"),
        pytest.param(
            ["▶ignition_url: 'oem:///x.ign'"], "beta", "4593.1.0", "oem:///x.ign is not found", id="an oem: URL"
        ),
    ],
)
def test_a_config_in_an_initrd_is_refused_for_a_release_that_loses_it(
    lines: list[str], channel: str, version: str, part: str, tmp_path: Path
) -> None:
    text, place = marked(profile(*lines, channel=channel, version=version))
    (problem,) = findings(text, tmp_path)
    assert not problem.warning
    assert part in problem.message
    assert (problem.line, problem.column) == place


def test_a_release_that_is_followed_is_judged_by_what_is_mirrored_now(tmp_path: Path) -> None:
    text, _ = marked(profile(*EMBEDDED, channel="beta"))
    assert findings(text, tmp_path) == [], "as far as is known, current is well"
    (problem,) = findings(text, tmp_path, {"flatcar": "4593.1.0"})
    assert "Flatcar beta 4593.1.0" in problem.message
    assert problem.warning, "the next sync may end it, so the daemon starts"


def test_the_platform_pxe_is_a_warning_where_it_stops_the_boot(tmp_path: Path) -> None:
    text, place = marked(profile("▶args: [flatcar.oem.id=pxe]", version="3227.2.4"))
    (problem,) = findings(text, tmp_path)
    assert "remove it" in problem.message
    assert problem.warning
    assert (problem.line, problem.column) == place


@pytest.mark.parametrize(
    ("version", "part", "warning"),
    [
        pytest.param("4593.2.2", "without the files for booting over the network", False, id="no PXE files"),
        pytest.param("4628.1.0", "is a version of beta, and its channel here is stable", True, id="another channel's"),
    ],
)
def test_a_pinned_version_that_cannot_be_had_is_told_once_at_the_image(
    version: str, part: str, warning: bool, tmp_path: Path
) -> None:
    text = profile("console: tty0", version=version).replace("machines:", "  q: {image: flatcar}\nmachines:")
    (problem,) = findings(text, tmp_path)
    assert part in problem.message
    assert problem.warning is warning
    assert (problem.key, problem.line) == ("images.flatcar.flatcar.version", 2)


URLS = """\
images:
  u:
    ▶kernel: https://beta.release.flatcar-linux.net/amd64-usr/4230.1.0/flatcar_production_pxe.vmlinuz
    initrd: https://beta.release.flatcar-linux.net/amd64-usr/4230.1.0/flatcar_production_pxe_image.cpio.gz
profiles: {p: {image: u}}
machines: {node1: {mac: 52:54:00:00:00:01, profile: p}}
"""


def test_an_image_of_urls_is_judged_by_its_kernel(tmp_path: Path) -> None:
    text, place = marked(URLS)
    (problem,) = findings(text, tmp_path)
    assert "flatcar/Flatcar#1695" in problem.message
    assert (problem.line, problem.column) == place


@pytest.mark.parametrize(("lines", "part"), [*ERRORS, *WARNINGS])
def test_nothing_of_this_is_said_of_another_system(lines: list[str], part: str, tmp_path: Path) -> None:
    text, _ = marked(profile(*lines))
    assert findings(text.replace("image: flatcar", "image: other"), tmp_path) == []


OVERRIDES = """\
images: {flatcar: {flatcar: {}}}
profiles:
  p: {image: flatcar, autologin: true, console: ttyS0}
machines:
  node1: {mac: 52:54:00:00:00:01, profile: p}
  node2: {mac: 52:54:00:00:00:02, profile: p, args: [quiet]}
  node3: {mac: 52:54:00:00:00:03, profile: p, args: [usr=/dev/sda3]}
  node4: {mac: 52:54:00:00:00:04, profile: p, autologin: [ttyS0], console: tty0}
  node5: {mac: 52:54:00:00:00:05, profile: p, autologin: false}
"""


def test_a_machine_is_told_only_what_its_own_fields_do(tmp_path: Path) -> None:
    found = {(problem.key, problem.line) for problem in findings(OVERRIDES, tmp_path)}
    assert found == {("profiles.p.autologin", 3), ("machines.node3.args", 7), ("machines.node4.autologin", 8)}


GROUPS = """\
images: {flatcar: {flatcar: {}}}
profiles: {p: {image: flatcar}}
groups: [{match: {mac: "52:54:00:*"}, profile: p}]
machines:
  node1: {mac: 52:54:00:00:00:01, args: [ip=ibft]}
"""


def test_a_machine_whose_profile_a_group_chooses_is_judged_too(tmp_path: Path) -> None:
    (problem,) = findings(GROUPS, tmp_path)
    assert (problem.key, problem.line) == ("machines.node1.args", 5)


def test_the_memory_that_flatcar_needs_is_one_note(tmp_path: Path) -> None:
    path = tmp_path / "pxed.yaml"
    path.write_text(profile("console: tty0").replace("machines:", "  q: {image: flatcar}\nmachines:"))
    (note,) = located(notes(load(path)), path)
    assert (note.line, note.key) == (6, "profiles.p.image")
    assert note.message == (
        "machines that boot Flatcar from memory need 3 GB of it at least: see that those of p, q have it"
    )
    path.write_text(profile("console: tty0").replace("image: flatcar", "image: other"))
    assert notes(load(path)) == []


def test_the_release_of_an_image_is_the_mirrored_one_when_that_is_known(tmp_path: Path) -> None:
    path = tmp_path / "pxed.yaml"
    path.write_text(profile("console: tty0"))
    images = load(path).images
    assert flatcar_release("flatcar", images["flatcar"]) == Release("stable", "current")
    newest = flatcar_release("flatcar", images["flatcar"], {"flatcar": "4593.2.5"})
    assert newest == Release("stable", "4593.2.5", follows=True)
    assert flatcar_release("other", images["other"], {"other": "4593.2.5"}) is None
