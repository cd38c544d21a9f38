"""For each kind of fault of an inventory: its place, its key and the words. The table is long and wide on purpose."""
# ruff: noqa: E501

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests.inventory.support import PATH, marked, problems

UUID1 = "4c4c4544-0051-3510-8053-b4c04f564433"
SWAPPED = str(UUID(bytes=UUID(UUID1).bytes_le))

P = "profiles: {p: {boot: local}}\n"
I = "images: {i: {kernel: k}}\n"  # noqa: E741

FAULTS = [
    # the document
    ("the top level is a list", "▶- a", "", "found a list, expected a mapping of server, images"),
    ("the top level is a text", "▶hello", "", 'found "hello", expected a mapping'),
    ("a YAML syntax error", "server: [a\n▶", "", "not YAML: did not find expected ',' or ']'"),
    ("a duplicate key", P + "machines:\n  a: {serial: A}\n  ▶a: {serial: B}", "machines.a", "a second time; the first is in line 3"),
    ("a tag", "server: {unknown: ▶!!str hold}", "server.unknown", "the tag"),
    ("an unknown section", "▶machine: {}", "machine", 'unknown key; did you mean "machines"?'),
    ("a section that is no mapping", "machines: ▶[a]", "machines", "found a list, expected a mapping of names"),
    ("groups that are no list", "groups: ▶{a: b}", "groups", "found a mapping, expected a list"),
    # server
    ("a misspelt server key", "server: {▶interface: eth0}", "server.interface", 'unknown key; did you mean "interfaces"?'),
    ("a misspelt key of tftp", "server: {tftp: {▶prot: 69}}", "server.tftp.prot", 'unknown key; did you mean "port"?'),
    ("a server that is no mapping", "server: ▶x", "server", 'found "x", expected a mapping'),
    ("a port that is no number", "server: {http: {port: ▶http}}", "server.http.port", 'found "http", expected a whole number'),
    ("HTTPS on the port of HTTP", "server: {http: {tls: {port: ▶8080, certificate: a, key: b}}}", "server.http.tls.port", "found 8080, which is the port of HTTP, expected another one"),
    ("HTTPS without a key", "server: {http: {▶tls: {certificate: a}}}", "server.http.tls.key", "is missing"),
    ("a host that is a URL", "server: {http: {tls: {certificate: a, key: b, host: ▶'https://a'}}}", "server.http.tls.host", "expected a name such as pxe.example.org, or an IPv4 address"),
    ("a host that is nearly an address", "server: {http: {tls: {certificate: a, key: b, host: ▶10.0.0.256}}}", "server.http.tls.host", "expected an IPv4 address such as 10.0.0.1"),
    ("a misspelt key of tls", "server: {http: {tls: {certificate: a, key: b, ▶cert: c}}}", "server.http.tls.cert", "unknown key"),
    ("a port of zero", "server: {http: {port: ▶0}}", "server.http.port", "expected a number from 1 up"),
    ("a port beyond 65535", "server: {tftp: {port: ▶65536}}", "server.tftp.port", "expected a number up to 65535"),
    ("a port with a sign", "server: {tftp: {port: ▶-1}}", "server.tftp.port", "expected a whole number"),
    ("a windowsize beyond 64", "server: {tftp: {max_windowsize: ▶65}}", "server.tftp.max_windowsize", "a number up to 64"),
    ("a relay by its name", "server: {relays: [▶gateway]}", "server.relays[0]", "expected an address such as 10.2.0.1 or a network such as 10.2.0.0/16"),
    ("a network with an address's end", "server: {relays: ▶10.2.0.1/16}", "server.relays", "expected an address such as 10.2.0.1"),
    ("a relay of IPv6", "server: {relays: ▶'2001:db8::1'}", "server.relays", "expected an address such as 10.2.0.1"),
    ("a relay twice", "server: {relays: ▶[10.2.0.1, 10.2.0.1/32]}", "server.relays", "twice, expected each value once"),
    ("a range that is no range", "server: {tftp: {port_range: ▶40000}}", "server.tftp.port_range", "such as 40000-40999"),
    ("a range that ends first", "server: {tftp: {port_range: ▶5-4}}", "server.tftp.port_range", "a range of ports"),
    ("a range beyond 65535", "server: {tftp: {port_range: ▶1-65536}}", "server.tftp.port_range", "a range of ports"),
    ("a rollover of 2", "server: {tftp: {rollover: ▶2}}", "server.tftp.rollover", "a number up to 1"),
    ("no transfers at all", "server: {tftp: {max_transfers: ▶0}}", "server.tftp.max_transfers", "a number from 1 up"),
    ("an unknown DHCP mode", "server: {dhcp: ▶proxi}", "server.dhcp", 'expected proxy, colocated or off; did you mean "proxy"?'),
    ("an interface name of 16 bytes", "server: {interfaces: ▶abcdefghijklmnop}", "server.interfaces", "at most 15 bytes"),
    ("an interface listed twice", "server: {interfaces: ▶[a, a]}", "server.interfaces", 'found "a" twice'),
    ("an unknown kind of firmware", "server: {loaders: {▶efi46: a}}", "server.loaders.efi46", 'did you mean "efi64"?'),
    ("a loader with an absolute path", "server: {loaders: {bios: ▶/a}}", "server.loaders.bios", "expected a relative path"),
    ("a loader that climbs", "server: {loaders: {bios: ▶../a}}", "server.loaders.bios", "stays in its directory"),
    ("unknown names no profile", P + "server: {unknown: ▶q}", "server.unknown", 'expected ignore, hold or the name of a profile (one of: hold, ignore, p)'),
    ("unknown nearly names one", "profiles: {worker: {boot: local}}\nserver: {unknown: ▶wroker}", "server.unknown", 'did you mean "worker"?'),
    ("an unknown kind of state", "server: {state: ▶mysql}", "server.state", "expected sqlite or a URL such as postgresql://"),
    ("an empty data_dir", "server: {data_dir: ▶''}", "server.data_dir", "expected a path"),
    # images
    ("an image with neither kernel nor flatcar", "images: {▶a: {}}", "images.a", "has neither kernel nor flatcar"),
    ("an image with nothing after it", "images:\n  ▶a:\n", "images.a", "has neither kernel nor flatcar"),
    ("a kernel with an absolute path", "images: {a: {kernel: ▶/boot/vmlinuz}}", "images.a.kernel", "expected a relative path"),
    ("an initrd that climbs", "images: {a: {kernel: k, initrd: [i, ▶a/../../i]}}", "images.a.initrd[1]", "stays in its directory"),
    ("an initrd with a blank", "images: {a: {kernel: k, initrd: ▶a b}}", "images.a.initrd", "one word without blanks"),
    ("an initrd that is empty", "images: {a: {kernel: k, initrd: [▶~]}}", "images.a.initrd[0]", "found nothing, expected a single value"),
    ("two files of one name", "images: {a: {kernel: x/k, initrd: [i, ▶y/k]}}", "images.a.initrd[1]", 'found "y/k" beside "x/k", expected another file name: both would be /images/a/k'),
    ("a file name that a URL repeats", "images: {a: {kernel: x/k, initrd: ▶http://h/k?a=b}}", "images.a.initrd", "both would be /images/a/k"),
    ("an image name with a slash", "images: {▶a/b: {kernel: k}}", "images.a/b", "expected a name of at most 253 letters"),
    ("an image key misspelt", "images: {a: {kernel: k, ▶initrds: i}}", "images.a.initrds", 'did you mean "initrd"?'),
    # profiles
    ("a misspelt profile key", "profiles: {p: {boot: local, ▶consle: tty0}}", "profiles.p.consle", 'unknown key; did you mean "console"?'),
    ("a key unlike any other", "profiles: {p: {boot: local, ▶zzz: a}}", "profiles.p.zzz", "unknown key (one of: args, autologin, boot,"),
    ("an unknown image", I + "profiles: {p: {image: ▶j}}", "profiles.p.image", 'found "j", expected the name of an image (one of: i)'),
    ("an image nearly right", "images: {rescue: {kernel: k}}\nprofiles: {p: {image: ▶resuce}}", "profiles.p.image", 'did you mean "rescue"?'),
    ("memory without an image", "profiles: {▶p: {console: tty0}}", "profiles.p", "boots from memory but names no image"),
    ("memory, said, without an image", "profiles: {p: {boot: ▶memory}}", "profiles.p.boot", "names no image, expected image: NAME or boot: local"),
    ("an unknown boot", "profiles: {p: {boot: ▶disk}}", "profiles.p.boot", "expected memory, install or local"),
    ("a console with a blank", "profiles: {p: {boot: local, console: [tty0, ▶ttyS0 115200]}}", "profiles.p.console[1]", "expected a console such as"),
    ("a console with a newline", 'profiles: {p: {boot: local, console: ▶"tty0\\n"}}', "profiles.p.console", "expected a console such as"),
    ("a terminal with line options", "profiles: {p: {boot: local, autologin: ▶'ttyS0,9600'}}", "profiles.p.autologin", "expected a terminal"),
    ("a mapping as autologin", "profiles: {p: {boot: local, autologin: ▶{a: b}}}", "profiles.p.autologin", "expected true, false or a list"),
    ("an ssh key with a double quote", "profiles: {p: {boot: local, ssh_keys: [▶'ssh-rsa A\"']}}", "profiles.p.ssh_keys[0]", "without double quotes"),
    ("an ssh key with a newline", 'profiles: {p: {boot: local, ssh_keys: ▶"ssh-rsa A\\nb"}}', "profiles.p.ssh_keys", "U+000A at character 10"),
    ("two arguments in one item", "profiles: {p: {boot: local, args: [▶a=b c=d]}}", "profiles.p.args[0]", "expected one kernel argument"),
    ("an argument with a newline", 'profiles: {p: {boot: local, args: [▶"a\\nb"]}}', "profiles.p.args[0]", "U+000A at character 2"),
    ("a root of two words", "profiles: {p: {boot: local, root: ▶/dev/sda 1}}", "profiles.p.root", "one word without blanks"),
    ("a wrong root file system", "profiles: {p: {boot: local, rootfstype: ▶ext4}}", "profiles.p.rootfstype", "expected tmpfs or btrfs"),
    ("a wrong truth value", "profiles: {p: {boot: local, first_boot: ▶maybe}}", "profiles.p.first_boot", "expected true or false"),
    ("a bad ip form", "profiles: {p: {boot: local, ip: [▶10.0.0.1:24]}}", "profiles.p.ip[0]", "one of the methods none, off, dhcp"),
    ("an ignition file that is missing", "profiles: {p: {boot: local, ignition: ▶absent.ign}}", "profiles.p.ignition", 'found "/srv/lab/absent.ign", expected a readable file: it does not exist'),
    ("an ignition file that is a directory", "profiles: {p: {boot: local, ignition: ▶/tmp}}", "profiles.p.ignition", "it is a directory"),
    ("an ignition file with a NUL", 'profiles: {p: {boot: local, ignition: ▶"a\\0b"}}', "profiles.p.ignition", "U+0000 at character 2"),
    ("an ignition file with too long a name", f"profiles: {{p: {{boot: local, ignition: ▶/tmp/{'x' * 300}}}}}", "profiles.p.ignition", "File name too long"),
    ("an ignition URL without a scheme", "profiles: {p: {boot: local, ignition_url: ▶host/x}}", "profiles.p.ignition_url", "expected a URL that Ignition fetches"),
    ("two sources of the config", "profiles: {p: {boot: local, ignition: /etc/passwd, ▶ignition_url: http://x/y}}", "profiles.p.ignition_url", "found ignition_url beside ignition, expected one of butane, ignition, ignition_url"),
    ("a wrong delivery", "profiles: {p: {boot: local, ignition_delivery: ▶post}}", "profiles.p.ignition_delivery", "expected url or embedded"),
    ("a wrong access", "profiles: {p: {boot: local, ignition_access: ▶twice}}", "profiles.p.ignition_access", "expected open, token or once"),
    ("a loader with an absolute path in a profile", "profiles: {p: {boot: local, loader: ▶/a.efi}}", "profiles.p.loader", "expected a relative path"),
    ("a wrong option 43", "profiles: {p: {boot: local, pxe: {opt43: ▶some}}}", "profiles.p.pxe.opt43", "expected auto, none or bypass"),
    ("a profile called hold", "profiles: {▶hold: {boot: local}}", "profiles.hold", "a word of server.unknown"),
    ("an empty profile name", "profiles: {▶'': {boot: local}}", "profiles.''", "expected a name"),
    # groups
    ("a group without match", P + "groups:\n  - ▶{profile: p}", "groups[0].match", "is missing, it must be given"),
    ("a group without profile", "groups:\n  - ▶{match: {mac: '*'}}", "groups[0].profile", "is missing, it must be given"),
    ("a group with an unknown profile", P + "groups:\n  - {match: {mac: '*'}, profile: ▶q}", "groups[0].profile", "expected the name of a profile (one of: p)"),
    ("a selector that names nothing", P + "groups:\n  - {▶match: {}, profile: p}", "groups[0].match", "names no field"),
    ("a MAC prefix without a wildcard", P + "groups:\n  - {match: {mac: ▶'52:54:00'}, profile: p}", "groups[0].match.mac", "a whole MAC address or a pattern with wildcards"),
    ("a MAC pattern too short to fit", P + "groups:\n  - {match: {mac: [▶'52:54:0?']}, profile: p}", "groups[0].match.mac[0]", "end it with * to match a prefix"),
    ("a MAC pattern with a wrong letter", P + "groups:\n  - {match: {mac: ▶'5z:*'}, profile: p}", "groups[0].match.mac", "expected a MAC pattern such as"),
    ("a MAC pattern of mixed spelling", P + "groups:\n  - {match: {mac: ▶'52:54-00:*'}, profile: p}", "groups[0].match.mac", "one kind of separator"),
    ("a UUID pattern that cannot fit", P + "groups:\n  - {match: {uuid: ▶'xyz*'}, profile: p}", "groups[0].match.uuid", "expected a UUID pattern"),
    ("a placeholder as serial pattern", P + "groups:\n  - {match: {serial: ▶None}, profile: p}", "groups[0].match.serial", "placeholders never match"),
    ("an unknown architecture", P + "groups:\n  - {match: {arch: ▶x86_64-uefi}, profile: p}", "groups[0].match.arch", 'expected an architecture; did you mean "x86_64-efi"?'),
    ("an empty list of patterns", P + "groups:\n  - {match: {arch: ▶[]}, profile: p}", "groups[0].match.arch", "an empty list"),
    ("two groups that say the same", P + "groups:\n  - {match: {mac: '52:54:*'}, profile: p}\n  - {▶match: {mac: 52-54-*}, profile: p}", "groups[1].match", "says the same as the group in line 3"),
    # machines
    ("a machine with nothing after it", P + "machines:\n  ▶a:\n", "machines.a", "has no mac, uuid or serial"),
    ("a machine that is a text", "machines: {a: ▶x}", "machines.a", 'found "x", expected a mapping'),
    ("a name with a blank", P + "machines: {▶a b: {serial: A}}", "machines.'a b'", "expected a name"),
    ("a name that begins with a dot", P + "machines: {▶.a: {serial: A}}", "machines.'.a'", "expected a name"),
    ("a name of 254 letters", P + f"machines: {{▶{'a' * 254}: {{serial: A}}}}", f"machines.{'a' * 254}", "at most 253"),
    ("no MAC", P + "machines: {a: {mac: ▶zz}}", "machines.a.mac", 'found "zz", expected a MAC address'),
    ("no MAC in a list", P + "machines: {a: {mac: [52:54:00:00:00:01, ▶zz]}}", "machines.a.mac[1]", 'found "zz", expected a MAC address'),
    ("an empty list of MACs", P + "machines: {a: {mac: ▶[]}}", "machines.a.mac", "an empty list"),
    ("a MAC listed twice", P + "machines: {a: {mac: ▶[52:54:00:00:00:01, 5254.0000.0001]}}", "machines.a.mac", 'found "52:54:00:00:00:01" twice'),
    ("a multicast MAC", P + "machines: {a: {mac: ▶01:00:5e:00:00:01}}", "machines.a.mac", "multicast"),
    ("no UUID", P + "machines: {a: {uuid: ▶4c4c}}", "machines.a.uuid", 'found "4c4c", expected a UUID'),
    ("a UUID that is empty", P + "machines: {a: {uuid: ▶''}}", "machines.a.uuid", 'found "", expected a UUID'),
    ("a UUID of zeros", P + f"machines: {{a: {{uuid: ▶{'0' * 32}}}}}", "machines.a.uuid", "the firmware has none"),
    ("a serial number that is empty", P + "machines: {a: {serial: ▶''}}", "machines.a.serial", "expected the serial number of one machine"),
    ("a serial number of the vendor", P + "machines: {a: {serial: ▶To be filled by O.E.M.}}", "machines.a.serial", "many machines carry this placeholder"),
    ("an unknown profile", P + "machines: {a: {serial: A, profile: ▶q}}", "machines.a.profile", "expected the name of a profile (one of: p)"),
    ("a profile that is a mapping", P + "machines: {a: {serial: A, profile: ▶{}}}", "machines.a.profile", "found a mapping, expected a single value"),
    ("a misspelt machine key", P + "machines: {a: {serial: A, profile: p, ▶macs: x}}", "machines.a.macs", 'did you mean "mac"?'),
    ("variables that are a list", P + "machines: {a: {serial: A, vars: ▶[x]}}", "machines.a.vars", "expected a mapping of template variables"),
    ("two machines with one MAC", P + "machines:\n  a: {mac: 52:54:00:00:00:01}\n  b: {mac: [52:54:00:00:00:02, ▶5254.0000.0001]}", "machines.b.mac[1]", 'machine "b" has the same identity as machine "a" (line 3): MAC 52:54:00:00:00:01'),
    ("two machines with one UUID", P + f"machines:\n  a: {{uuid: {UUID1}}}\n  b: {{uuid: ▶{UUID1.upper()}}}", "machines.b.uuid", f'machine "a" (line 3): UUID {UUID1}'),
    ("two machines with swapped UUIDs", P + f"machines:\n  a: {{uuid: {UUID1}}}\n  b: {{uuid: ▶{SWAPPED}}}", "machines.b.uuid", f"UUID {UUID1}, which is this one in the other byte order"),
    ("two machines with one serial number", P + "machines:\n  a: {serial: Ab}\n  b: {serial: ▶aB}", "machines.b.serial", 'machine "a" (line 3): serial number'),
    ("an override that takes the disk's profile to memory", P + "machines: {a: {serial: A, profile: p, boot: ▶memory}}", "machines.a.boot", "boots from memory (with profile p) but names no image"),
    ("the same under a group's profile", P + "groups: [{match: {serial: '*'}, profile: p}]\nmachines: {a: {serial: A, boot: ▶memory}}", "machines.a.boot", "(with profile p)"),
    ("an override with an unknown image", I + P + "machines: {a: {serial: A, profile: p, image: ▶j}}", "machines.a.image", "expected the name of an image"),
    ("an override with a missing file", P + "machines: {a: {serial: A, profile: p, ignition: ▶absent.ign}}", "machines.a.ignition", "it does not exist"),
    ("a base config that is missing", P + "machines: {a: {serial: A, profile: p, ignition_base: ▶absent.bu}}", "machines.a.ignition_base", "it does not exist"),
    ("a further file that is missing", "profiles: {p: {boot: local, oem_files: {usr/x: ▶absent}}}", "profiles.p.oem_files.usr/x", "it does not exist"),
    ("a further file that climbs", "profiles: {p: {boot: local, oem_files: ▶{../x: absent}}}", "profiles.p.oem_files", "a path in the initrd such as"),
    ("years of another channel", "images: {a: {flatcar: {channel: beta, version: ▶current-2024}}}", "images.a.flatcar.version", "only lts has years"),
    ("a canary of a pinned version", "images: {a: {flatcar: {version: 4593.2.5, ▶canary: [m]}}}\nmachines: {m: {serial: A, profile: p}}\n" + P, "images.a.flatcar.canary", "a pinned version has no successor"),
    ("a share of a pinned version", "images: {a: {flatcar: {version: 4593.2.5, ▶percent: 5}}}", "images.a.flatcar.percent", "a pinned version has no successor"),
    ("a canary that is no machine", "images: {a: {flatcar: {canary: [▶node2]}}}\nmachines: {node1: {serial: A, profile: p}}\n" + P, "images.a.flatcar.canary[0]", 'expected a machine; did you mean "node1"?'),
    ("more than all", "images: {a: {flatcar: {percent: ▶101}}}", "images.a.flatcar.percent", "101"),
    ("a mirror that is no URL", "server: {mirror: {url: ▶ftp://x}}", "server.mirror.url", "an http or https URL such as"),
    ("a mirror without a host", "server: {mirror: {url: ▶https:///x}}", "server.mirror.url", "an http or https URL such as"),
    ("an interval without a unit", "server: {mirror: {interval: ▶6}}", "server.mirror.interval", "off, or a time such as 30m, 6h or 1d"),
    ("a fingerprint that is a key id", "server: {mirror: {fingerprint: ▶E25D9AED0593B34A}}", "server.mirror.fingerprint", "40 hexadecimal digits"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "words"), [pytest.param(*fault[1:], id=fault[0]) for fault in FAULTS])
def test_a_fault_names_its_place_its_key_and_what_was_expected(text: str, key: str, words: str) -> None:
    text, place = marked(text)
    found = problems(text)
    assert [(problem.line, problem.column) for problem in found] == [place], "\n".join(map(str, found))
    assert found[0].key == key
    assert words in found[0].message
    assert str(found[0]).startswith(f"{PATH}:{place[0]}:{place[1]}: ")


def test_the_ids_of_the_table_are_unique() -> None:
    assert len({fault[0] for fault in FAULTS}) == len(FAULTS)


def test_a_release_beside_files_is_refused() -> None:
    messages = [problem.message for problem in problems("images: {a: {flatcar: {}, kernel: k, initrd: i}}")]
    assert [message.split(",")[0] for message in messages if "beside" in message] == [
        "found kernel beside flatcar", "found initrd beside flatcar",
    ]  # fmt: skip


def test_a_release_is_validated() -> None:
    found = problems("images: {a: {flatcar: {channel: stabel, arch: x86, version: latest}}}")
    assert [problem.message for problem in found] == [
        'found "stabel", expected stable, beta, alpha, lts or edge; did you mean "stable"?',
        'found "x86", expected amd64 or arm64',
        'found "latest", expected current, current-YEAR (of lts) or a version such as 4593.2.5',
    ]


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
server: {unknwon: ignore, http: {port: x}}
images: {a: {kernel: /k}}
profiles:
  p: {image: b, boot: memroy, ignition: absent.ign}
groups:
  - {match: {mac: zz, arch: nope}, profile: q}
machines:
  m: {mac: zz, serial: A, profile: r}
  n: {serial: a}
  n: {serial: b}
"""
    found = problems(text)
    assert [(problem.line, problem.key) for problem in found] == [
        (1, "server.unknwon"), (1, "server.http.port"), (2, "images.a.kernel"), (4, "profiles.p.image"),
        (4, "profiles.p.boot"), (4, "profiles.p.ignition"), (6, "groups[0].match.mac"), (6, "groups[0].match.arch"),
        (6, "groups[0].profile"), (8, "machines.m.mac"), (8, "machines.m.profile"), (9, "machines.n.serial"),
        (10, "machines.n"),
    ]  # fmt: skip


def test_a_broken_entry_is_known_by_name_and_blamed_for_nothing_that_its_fault_hides() -> None:
    found = problems(
        "images: {a: {kernel: /k}}\nprofiles: {p: {image: a, boot: x}}\nmachines: {m: {mac: zz, profile: p}}"
    )
    assert [problem.key for problem in found] == ["images.a.kernel", "profiles.p.boot", "machines.m.mac"]


def test_the_example_of_the_design_is_valid(tmp_path: Path) -> None:
    (tmp_path / "worker.bu").write_text("variant: flatcar\n")
    assert problems((Path(__file__).parent / "design.yaml").read_text(), tmp_path / "pxed.yaml") == []
