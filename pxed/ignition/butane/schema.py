"""The schema of variant flatcar as a table: Butane's base v0_4 (1.0.0), v0_5 (1.1.0) and v0_8_exp (1.2.0-experimental).

Fields stand in the order of Butane's Go structs, which is the order of its messages. JSON names follow from the YAML
names. Left out: every other variant, and what flatcar does not know (boot_device, grub, extensions).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from pxed.ignition.butane.decode import Flag, Listing, Struct, Text, Type, Whole

# NAME:TYPE, TYPE being s (string), i (int), b (bool), Struct, [Element]. After it: =Name, the Go name of a named type
# (=Name<1.1 before that version); ! for Butane's own fields, which have no place in Ignition; @1.1 or @1.2, the first
# version that has it.
_TABLE = """
Config           version:s! variant:s! ignition:Ignition kernel_arguments:KernelArguments passwd:Passwd storage:Storage
                 systemd:Systemd
Ignition         config:IgnitionConfig proxy:Proxy security:Security timeouts:Timeouts
IgnitionConfig   merge:[Resource] replace:Resource
Proxy            http_proxy:s https_proxy:s no_proxy:[s]
Security         tls:TLS
TLS              certificate_authorities:[Resource]
Timeouts         http_response_headers:i http_total:i
Resource         compression:s http_headers:[HTTPHeader]=HTTPHeaders source:s inline:s! local:s!
                 verification:Verification
HTTPHeader       name:s value:s
Verification     hash:s
KernelArguments  should_exist:[s=KernelArgument] should_not_exist:[s=KernelArgument]
Passwd           groups:[PasswdGroup] users:[PasswdUser]
PasswdGroup      gid:i name:s password_hash:s should_exist:b system:b
PasswdUser       gecos:s groups:[s=Group] home_dir:s name:s no_create_home:b no_log_init:b no_user_group:b
                 password_hash:s primary_group:s should_exist:b ssh_authorized_keys:[s=SSHAuthorizedKey]
                 ssh_authorized_keys_local:[s]!@1.1 shell:s system:b uid:i
Storage          directories:[Directory] disks:[Disk] files:[File] filesystems:[Filesystem] links:[Link] luks:[Luks]
                 raid:[Raid] trees:[Tree]!
Directory        group:NodeGroup overwrite:b path:s user:NodeUser mode:i
File             group:NodeGroup overwrite:b path:s user:NodeUser append:[Resource] contents:Resource mode:i
Link             group:NodeGroup overwrite:b path:s user:NodeUser hard:b target:s
NodeGroup        id:i name:s
NodeUser         id:i name:s
Disk             device:s partitions:[Partition] wipe_table:b
Partition        guid:s label:s number:i resize:b should_exist:b size_mib:i start_mib:i type_guid:s
                 wipe_partition_entry:b
Filesystem       device:s format:s label:s mount_options:[s] options:[s] path:s uuid:s wipe_filesystem:b
                 with_mount_unit:b!
Luks             cex:Cex@1.2 clevis:Clevis device:s discard:b@1.1 key_file:Resource label:s name:s
                 open_options:[s]@1.1 options:[s=LuksOption<1.1] uuid:s wipe_volume:b
Cex              enabled:b
Clevis           custom:ClevisCustom tang:[Tang] threshold:i tpm2:b
ClevisCustom     config:s needs_network:b pin:s
Tang             thumbprint:s url:s advertisement:s@1.1
Raid             devices:[s=Device] level:s name:s options:[s=RaidOption<1.1] spares:i
Tree             group:NodeGroup@1.2 local:s path:s user:NodeUser@1.2 file_mode:i@1.2 dir_mode:i@1.2
Systemd          units:[Unit] quadlets:[Quadlet]!@1.2
Unit             contents:s contents_local:s!@1.1 dropins:[Dropin] enabled:b mask:b name:s
Dropin           contents:s contents_local:s!@1.1 name:s
Quadlet          contents:s contents_local:s name:s rootful:b dropins:[Dropin]
"""
_SCALARS: dict[str, tuple[Callable[[str], Type], str]] = {
    "s": (Text, "string"), "i": (Whole, "int"), "b": (Flag, "bool")
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spec:
    """One version of the variant: its Ignition version, the fields that its filter forbids and why."""

    version: str
    ignition: str
    package: str  # the Go package of its types, as error messages name it
    forbidden: tuple[str, str]  # field of storage.luks, message
    rank: tuple[int, int] = field(default=(1, 0))


SPECS = {
    spec.version: spec
    for spec in (
        Spec("1.0.0", "3.3.0", "v0_4", ("clevis", "clevis is not supported in this spec version")),
        Spec("1.1.0", "3.4.0", "v0_5", ("clevis", "clevis is not supported in this spec version"), (1, 1)),
        Spec(
            "1.2.0-experimental", "3.7.0-experimental", "v0_8_exp",
            ("cex", "cex is not currently supported on the target platform"), (1, 2),
        ),
    )
}  # fmt: skip


def common_fields() -> Struct:
    """What Butane decodes first, to learn variant and version."""
    struct = Struct("config.commonFields")
    return struct.define({"version": Text("string"), "variant": Text("string")})


@cache
def config_struct(version: str) -> Struct:
    """The root struct of one version of the variant."""
    spec = SPECS[version]
    structs: dict[str, Struct] = {}
    rows = _rows()
    for name in rows:
        structs[name] = Struct(f"{spec.package}.{name}")
    for name, fields in rows.items():
        types, own = {}, set()
        for text in fields:
            field_name, _, rest = text.partition(":")
            rest, _, since = rest.partition("@")
            if since and spec.rank < _rank(since):
                continue
            if rest.endswith("!"):
                own.add(field_name)
            types[field_name] = _type(rest.rstrip("!"), structs, spec)
        structs[name].define(types, frozenset(own))
    return structs["Config"]


def _rows() -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for line in _TABLE.strip().splitlines():
        name, *fields = line.split()
        if line[0].isspace():
            fields.insert(0, name)
            name = next(reversed(rows))
        rows.setdefault(name, []).extend(fields)
    return rows


def _rank(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _type(text: str, structs: dict[str, Struct], spec: Spec) -> Type:
    if text.startswith("["):
        inner, _, name = text[1:].rpartition("]")
        of = _type(inner, structs, spec)
        return Listing(of, f"{spec.package}.{name[1:]}" if name else f"[]{of.go}")
    kind, _, name = text.partition("=")
    if kind in structs:
        return structs[kind]
    name, _, until = name.partition("<")
    make, go = _SCALARS[kind]
    return make(f"{spec.package}.{name}" if name and not (until and spec.rank >= _rank(until)) else go)
