"""Loading: what a good text becomes, and for each kind of fault the place, the key and the words."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from uuid import UUID

import pytest

from pxed.errors import ConfigError
from pxed.inventory.loader import load, loads
from pxed.inventory.model import LOADER_KEYS, Boot, DhcpMode, Opt43
from tests.inventory.support import PATH, VALID, inventory, problems

UUID1 = "4c4c4544-0051-3510-8053-b4c04f564433"
SWAPPED = str(UUID(bytes=UUID(UUID1).bytes_le))


# --- what a good text becomes ---


def test_a_valid_text_loads_without_warnings() -> None:
    assert inventory(VALID).warnings == ()


def test_the_defaults_are_those_of_the_design() -> None:
    server = inventory("server: {}").server
    assert (server.interfaces, server.data_dir, server.dhcp) == ((), Path("/var/lib/pxed"), DhcpMode.PROXY)
    assert (server.tftp.port, server.tftp.max_windowsize, server.tftp.max_transfers) == (69, 64, 1024)
    assert (server.http.port, server.state, server.unknown, server.loaders) == (8080, "sqlite", "ignore", {})


def test_every_server_field_is_read() -> None:
    server = inventory(
        """
        server:
          interfaces: [eth1, br-lan]
          data_dir: data
          dhcp: colocated
          tftp: {port: 1069, max_windowsize: 16, max_transfers: 8}
          http: {port: 80}
          state: sqlite
          unknown: hold
          loaders: {bios: undionly.kpxe, arm64: arm/snponly.efi}
        """
    ).server
    assert server.interfaces == ("eth1", "br-lan")
    assert server.data_dir == Path("/srv/lab/data")
    assert server.dhcp is DhcpMode.COLOCATED
    assert (server.tftp.port, server.tftp.max_windowsize, server.tftp.max_transfers, server.http.port) == (
        1069,
        16,
        8,
        80,
    )
    assert (server.unknown, server.loaders) == ("hold", {"bios": "undionly.kpxe", "arm64": "arm/snponly.efi"})


def test_every_profile_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "w.ign").write_text("{}")
    profile = loads(
        """
        images: {a: {kernel: k, initrd: i}}
        profiles:
          w:
            image: a
            boot: memory
            console: [tty0, ttyS0,115200n8]
            autologin: [ttyS0]
            ssh_keys: ssh-ed25519 AAAA me
            rootfstype: btrfs
            root: LABEL=ROOT
            first_boot: no
            ip: 10.0.0.9::10.0.0.1:255.255.255.0:node1:eth0:none
            args: [quiet, 'a="b c"']
            ignition: w.ign
            ignition_delivery: url
            ignition_access: open
            loader: ipxe.efi
            pxe: {opt43: bypass}
        """,
        tmp_path / "pxed.yaml",
    ).profiles["w"]
    assert (profile.image, profile.boot, profile.console) == ("a", Boot.MEMORY, ("tty0", "ttyS0,115200n8"))
    assert (profile.autologin, profile.ssh_keys) == (("ttyS0",), ("ssh-ed25519 AAAA me",))
    assert (profile.rootfstype, profile.root, profile.first_boot) == ("btrfs", "LABEL=ROOT", False)
    assert profile.ip == ("10.0.0.9::10.0.0.1:255.255.255.0:node1:eth0:none",)
    assert (profile.args, profile.ignition, profile.loader) == (("quiet", 'a="b c"'), tmp_path / "w.ign", "ipxe.efi")
    assert (profile.pxe.opt43, profile.config()) == (Opt43.BYPASS, tmp_path / "w.ign")


def test_a_key_with_nothing_after_it_is_absent() -> None:
    loaded = inventory("server:\n  http:\n  loaders: ~\nimages:\nprofiles: {p: {boot: local, image: , args: null}}\n")
    assert loaded.server.http.port == 8080
    assert loaded.profiles["p"].model_fields_set == {"boot"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("true", True),
        ("yes", True),
        ("false", False),
        ("ttyS0", ("ttyS0",)),
        ("[tty1, ttyS0]", ("tty1", "ttyS0")),
        ("[]", ()),
    ],
)
def test_autologin_is_a_truth_value_or_terminals(written: str, read: object) -> None:
    assert inventory(f"profiles: {{p: {{boot: local, autologin: {written}}}}}").profiles["p"].autologin == read


def test_machines_keep_what_identifies_them() -> None:
    machine = inventory(VALID).machines["node2"]
    assert machine.macs == ("52:54:00:00:00:02", "52:54:00:00:00:03")
    assert (machine.uuid, machine.serial) == (UUID(UUID1), "5XQ5DV3")
    assert (machine.profile_name, machine.profile, machine.overrides, machine.vars) == (None, None, {}, {})


def test_machines_without_overrides_share_their_profile() -> None:
    loaded = inventory(VALID)
    assert loaded.machines["node1"].profile is loaded.profiles["worker"]


def test_a_machine_may_override_any_field_and_keeps_the_others() -> None:
    text = VALID + "  node3: {serial: A, profile: worker, args: [x=y], pxe: {opt43: none}, loader: ipxe.efi}\n"
    machine = inventory(text).machines["node3"]
    assert machine.profile is not None
    assert set(machine.overrides) == {"args", "pxe", "loader"}
    assert (machine.profile.args, machine.profile.loader, machine.profile.pxe.opt43) == (
        ("x=y",),
        "ipxe.efi",
        Opt43.NONE,
    )
    assert (machine.profile.image, machine.profile.console) == ("rescue", ("tty0", "ttyS0,115200n8"))
    assert inventory(text).profiles["worker"].args == ()


def test_overriding_the_config_source_drops_the_profiles_own(tmp_path: Path) -> None:
    (tmp_path / "w.ign").write_text("{}")
    text = "profiles: {p: {boot: local, ignition: w.ign}}\nmachines: {a: {serial: A, profile: p, ignition_url: http://x/y}}"
    profile = loads(text, tmp_path / "pxed.yaml").machines["a"].profile
    assert profile is not None
    assert (profile.ignition, profile.config()) == (None, "http://x/y")


def test_variables_are_typed_by_their_spelling() -> None:
    machine = inventory(
        'machines: {a: {serial: A, vars: {n: 5, t: "5", b: true, x: , l: [1, {m: v}], m: 5:6}}}'
    ).machines["a"]
    assert machine.vars == {"n": 5, "t": "5", "b": True, "x": None, "l": [1, {"m": "v"}], "m": "5:6"}


def test_anchors_and_merge_keys_work() -> None:
    text = """
    profiles:
      p: &p {boot: local, args: [a=b]}
      q: {<<: *p, console: tty0}
    machines:
      a: &a {serial: A, profile: q, vars: {role: x}}
      b: {<<: *a, serial: B}
    """
    loaded = inventory(text)
    assert (loaded.profiles["q"].args, loaded.profiles["q"].console) == (("a=b",), ("tty0",))
    assert (loaded.machines["b"].serial, loaded.machines["b"].vars) == ("B", {"role": "x"})


def test_sources_are_the_text_and_every_template_once(tmp_path: Path) -> None:
    for name in ("a.ign", "b.ign"):
        (tmp_path / name).write_text("{}")
    text = """
    profiles: {p: {boot: local, ignition: a.ign}, q: {boot: local, ignition: a.ign}}
    machines: {m: {serial: A, profile: p, ignition: b.ign}}
    """
    loaded = loads(text, tmp_path / "pxed.yaml")
    assert loaded.sources == (tmp_path / "pxed.yaml", tmp_path / "a.ign", tmp_path / "b.ign")


def test_ten_thousand_machines_load_right(tmp_path: Path) -> None:
    lines = [
        f"  node{i}: {{mac: 52:54:00:00:{i >> 8:02x}:{i & 255:02x}, profile: p{i % 3}, vars: {{rack: {i % 40}}}}}"
        for i in range(10_000)
    ]
    text = "profiles: {p0: {boot: local}, p1: {boot: local}, p2: {boot: local}}\nmachines:\n" + "\n".join(lines)
    file = tmp_path / "pxed.yaml"
    file.write_text(text)
    loaded = load(file)
    assert len(loaded.machines) == len(loaded.indexes.by_mac) == 10_000
    for i in (0, 1, 255, 256, 9_999):
        machine = loaded.machines[f"node{i}"]
        assert machine.macs == (f"52:54:00:00:{i >> 8:02x}:{i & 255:02x}",)
        assert machine.profile is loaded.profiles[f"p{i % 3}"]
        assert machine.vars == {"rack": i % 40}
        assert loaded.indexes.by_mac[machine.macs[0]] is machine


@pytest.mark.parametrize("text", [VALID, "server: [", "x: 1"])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(text: str, enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        problems(text)
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


# --- files ---


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot read the inventory: No such file or directory"):
        load(tmp_path / "absent.yaml")


def test_a_directory_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the inventory: Is a directory"):
        load(tmp_path)


def test_a_name_with_a_nul_is_a_problem() -> None:
    with pytest.raises(ConfigError, match="cannot read the inventory: embedded null byte"):
        load(Path("a\x00b"))


def test_an_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "pxed.yaml"
    file.write_text(VALID)
    file.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may read every file
        with pytest.raises(ConfigError, match="cannot read the inventory: Permission denied"):
            load(file)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        pytest.param(b"a: b\nc: \xff\n", (2, 4), id="Latin-1"),
        pytest.param("é: ".encode() + b"\xe9", (1, 4), id="after a letter of two bytes"),
        pytest.param("a: b".encode("utf-16"), (1, 1), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbfa: \xff", (1, 4), id="after a byte order mark"),
    ],
)
def test_what_is_not_utf8_is_a_problem_with_its_place(tmp_path: Path, raw: bytes, place: tuple[int, int]) -> None:
    file = tmp_path / "pxed.yaml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError, match="expected UTF-8 text") as caught:
        load(file)
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [place]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "pxed.yaml"
    file.write_bytes(b"\xef\xbb\xbfserver:\r\n  unknown: hold\r\n")
    assert load(file).server.unknown == "hold"


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "---\n", "~"])
def test_an_empty_file_is_a_problem_of_the_whole(text: str) -> None:
    found = problems(text)
    assert [str(problem) for problem in found] == [
        f"{PATH}: the file is empty, expected a mapping of server, images, profiles, groups, machines"
    ]


P = "profiles: {p: {boot: local}}\n"

# --- warnings ---


def test_a_machine_that_nothing_can_serve_is_a_warning_with_its_place() -> None:
    loaded = inventory("machines:\n  a: {mac: 52:54:00:00:00:01}\n")
    assert [str(warning) for warning in loaded.warnings] == [
        f"{PATH}:2:3: warning: machines.a: has no profile, no group can match it and server.unknown is ignore: "
        "it will get no answer"
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("server: {unknown: hold}\n", id="a waiting screen"),
        pytest.param(
            P + "groups: [{match: {mac: '52:*', arch: arm64-efi}, profile: p}]\n", id="a group for one architecture"
        ),
        pytest.param(
            P + "groups: [{match: {serial: 'X*'}, profile: p}]\n", id="a group by a serial number that is not listed"
        ),
    ],
)
def test_a_machine_that_something_may_serve_is_no_warning(text: str) -> None:
    assert inventory(text + "machines:\n  a: {mac: 52:54:00:00:00:01}\n").warnings == ()


def test_errors_come_with_the_warnings() -> None:
    with pytest.raises(ConfigError) as caught:
        inventory("machines:\n  a: {mac: 52:54:00:00:00:01}\n  b: {mac: zz}\n")
    assert [problem.warning for problem in caught.value.problems] == [True, False]


def test_loader_keys_are_those_of_the_schema() -> None:
    loaders = ", ".join(f"{key}: {key}.efi" for key in LOADER_KEYS)
    assert tuple(inventory(f"server: {{loaders: {{{loaders}}}}}").server.loaders) == LOADER_KEYS
