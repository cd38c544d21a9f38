"""What a host can lack, in plain sentences: the cause, and what to do. docs/how-to/check-host.md quotes each.

One wording for `pxed check --host` and for the daemon's own log.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from pxed.errors import HostError


class Severity(StrEnum):
    """ERROR: the daemon does not start, or serves nobody. WARNING: some machines are not served. NOTE: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(StrEnum):
    """Every finding that pxed can have of a host."""

    INTERFACE_MISSING = "interface-missing"
    INTERFACE_DOWN = "interface-down"
    INTERFACE_NO_ADDRESS = "interface-no-address"
    INTERFACE_NONE = "interface-none"
    PORT_TAKEN = "port-taken"
    PORT_FORBIDDEN = "port-forbidden"
    PORT_FAILED = "port-failed"
    RIVALS_UNHEARD = "rivals-unheard"
    PXED_RUNS = "pxed-runs"
    FILE_HIDDEN = "file-hidden"
    FILE_CLOSED = "file-closed"
    FILE_PRIVATE = "file-private"
    DIRECTORY_CLOSED = "directory-closed"
    DATA_HIDDEN = "data-hidden"
    DATA_PROTECTED = "data-protected"
    DATA_MISSING = "data-missing"
    DATA_CLOSED = "data-closed"
    DATA_READ_ONLY = "data-read-only"
    DATA_FULL = "data-full"
    DATA_SPACE = "data-space"
    STATE_LOCKED = "state-locked"
    NO_USER = "no-user"
    OTHER_CONFIG = "other-config"
    LOADERS_MISSING = "loaders-missing"
    LOADER_MISSING = "loader-missing"
    FIREWALL_DROPS = "firewall-drops"
    REVERSE_PATH = "reverse-path"
    ADDRESS_TWICE = "address-twice"
    RECEIVE_BUFFER = "receive-buffer"
    FEW_DESCRIPTORS = "few-descriptors"
    CLOCK_UNSET = "clock-unset"
    MIRROR_UNKNOWN = "mirror-unknown"
    NO_SYSTEMD = "no-systemd"
    NOT_ROOT = "not-root"


@dataclass(frozen=True, slots=True)
class Wording:
    """Both sentences are templates over the finding's values."""

    severity: Severity
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the host."""

    code: Code
    severity: Severity
    cause: str
    remedy: str

    @property
    def sentence(self) -> str:
        return f"{self.cause}: {self.remedy}"


class HostFindingError(HostError):
    """A finding that does not let the daemon start."""

    def __init__(self, found: Finding) -> None:
        super().__init__(found.sentence)
        self.finding = found


WORDINGS = MappingProxyType(
    {
        Code.INTERFACE_MISSING: Wording(
            Severity.WARNING,
            "the interface {interface} of server.interfaces is not there",
            "pxed serves it as soon as it appears; if the name is wrong, correct it ({known})",
        ),
        Code.INTERFACE_DOWN: Wording(
            Severity.WARNING,
            "the interface {interface} of server.interfaces is down, so no machine is answered there",
            "ip link set {interface} up; pxed then serves it at once",
        ),
        Code.INTERFACE_NO_ADDRESS: Wording(
            Severity.WARNING,
            "the interface {interface} of server.interfaces has no IPv4 address, so no machine is answered there",
            "give it one (ip address add ADDRESS/PREFIX dev {interface}, and in the host's network configuration); "
            "pxed then serves it at once",
        ),
        Code.INTERFACE_NONE: Wording(
            Severity.WARNING,
            "no interface is up, connected and has an IPv4 address (loopback left out), so no machine is answered",
            "give one an address (ip address add ADDRESS/PREFIX dev NAME); pxed then serves it at once",
        ),
        Code.PORT_TAKEN: Wording(Severity.ERROR, "{port} is taken by {who}", "{way_out}"),
        Code.PORT_FORBIDDEN: Wording(
            Severity.ERROR,
            "user {user} has no right to bind {port}",
            "run pxed as root, or grant CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or "
            "let systemd hand the socket over (pxed.socket)",
        ),
        Code.PORT_FAILED: Wording(
            Severity.ERROR,
            "{port} cannot be bound: {error}",
            "look into the kernel's log (dmesg) and the host's limits",
        ),
        Code.RIVALS_UNHEARD: Wording(
            Severity.NOTE,
            "{why}, so other DHCP and PXE servers of this network are not noticed",
            "pxed serves all the same; to find them use `pxed-probe dhcp -i INTERFACE`",
        ),
        Code.PXED_RUNS: Wording(
            Severity.NOTE,
            "pxed has its ports already ({who})",
            "so whether others want them was not looked at; `systemctl status pxed` and /healthz say how it is",
        ),
        Code.FILE_HIDDEN: Wording(
            Severity.ERROR,
            "the service cannot see {path}, since its sandbox hides that place ({directive})",
            "move it to /etc/pxed (chgrp {group} /etc/pxed/{name} && chmod g+r /etc/pxed/{name})",
        ),
        Code.FILE_CLOSED: Wording(
            Severity.ERROR, "user {user} may not read {path}", "chgrp {group} {path} && chmod g+r {path}"
        ),
        Code.FILE_PRIVATE: Wording(
            Severity.WARNING,
            "user {user} may not read {path}, which nobody else may read either",
            "chown {user} {path} && chmod 600 {path}, or let systemd hand it over (LoadCredential=)",
        ),
        Code.DIRECTORY_CLOSED: Wording(
            Severity.ERROR,
            "user {user} may not enter {directory}, so {path} is out of reach",
            "chgrp {group} {directory} && chmod g+x {directory}",
        ),
        Code.DATA_HIDDEN: Wording(
            Severity.ERROR,
            "the service cannot see server.data_dir {path}, since its sandbox hides that place ({directive})",
            "use a directory outside of it, /var/lib/pxed or one below /srv",
        ),
        Code.DATA_PROTECTED: Wording(
            Severity.ERROR,
            "the service may not write into server.data_dir {path}, since its sandbox forbids it ({directive})",
            "systemctl edit pxed, write [Service] and below it ReadWritePaths={path}, then systemctl restart pxed",
        ),
        Code.DATA_MISSING: Wording(
            Severity.ERROR,
            "server.data_dir {path} is not there, and user {user} may not make it",
            "install -d -o {user} -g {group} -m 750 {path}",
        ),
        Code.DATA_CLOSED: Wording(
            Severity.ERROR,
            "user {user} may not write {path}",
            "chown -R {user}: {path}; run `pxed images sync` as that user too",
        ),
        Code.DATA_READ_ONLY: Wording(
            Severity.ERROR,
            "server.data_dir {path} is on a file system that is mounted read-only",
            "mount it writable (mount -o remount,rw; see dmesg for why it is not), or use another directory",
        ),
        Code.DATA_FULL: Wording(
            Severity.ERROR, "the file system of server.data_dir {path} has no {what} left", "make room on it"
        ),
        Code.DATA_SPACE: Wording(
            Severity.WARNING,
            "the file system of server.data_dir {path} has {megabytes} MB left, less than a release needs",
            "make room on it, or lower server.mirror.keep",
        ),
        Code.STATE_LOCKED: Wording(
            Severity.ERROR,
            "the state store {path} is in use by another pxed",
            "stop that one first",
        ),
        Code.NO_USER: Wording(
            Severity.ERROR,
            "the service runs as user {user}, who does not exist",
            "systemd-sysusers (it reads /usr/lib/sysusers.d/pxed.conf), or useradd --system {user}",
        ),
        Code.OTHER_CONFIG: Wording(
            Severity.NOTE,
            "the service pxed serves {served}, not {config}",
            "so whether the service can read its files was not looked at; leave out -c to check what is served",
        ),
        Code.LOADERS_MISSING: Wording(
            Severity.WARNING,
            "there is no {files}, so firmware gets no boot loader",
            "apt install ipxe, or put the files into {place}; no restart is needed",
        ),
        Code.LOADER_MISSING: Wording(
            Severity.WARNING,
            "there is no {file} for machines of {key}",
            "put such a build of iPXE into {place}; Debian's ipxe package has BIOS and x86-64, that of Debian 13 also "
            "ipxe-arm64.efi",
        ),
        Code.FIREWALL_DROPS: Wording(
            Severity.WARNING,
            "the firewall drops what machines send to {ports} (nftables: {chain})",
            "{commands}; and the same where the firewall's rules are kept",
        ),
        Code.REVERSE_PATH: Wording(
            Severity.WARNING,
            "{one} and {other} are both on {network} and check the way back strictly (rp_filter 1), so what machines "
            "send to one of them is dropped",
            "{commands}; and the same in /etc/sysctl.d",
        ),
        Code.ADDRESS_TWICE: Wording(
            Severity.WARNING,
            "{one} and {other} have the same address {address}",
            "give each its own: machines cannot reach both",
        ),
        Code.RECEIVE_BUFFER: Wording(
            Severity.NOTE,
            "{machines} machines that start at once send more than a socket may hold (net.core.rmem_max {most})",
            "sysctl -w net.core.rmem_max={wanted}, and in /etc/sysctl.d; with pxed's socket units it is not needed",
        ),
        Code.FEW_DESCRIPTORS: Wording(
            Severity.NOTE,
            "the limit of open files is {limit}, and server.tftp.max_transfers needs {needed}",
            "raise it where pxed is started (ulimit -n {needed}); until then fewer transfers run at once",
        ),
        Code.CLOCK_UNSET: Wording(
            Severity.NOTE,
            "the clock is not synchronised, and machines judge pxed's certificate by theirs",
            "timedatectl set-ntp true, or install chrony",
        ),
        Code.MIRROR_UNKNOWN: Wording(
            Severity.NOTE,
            "the name of the release server {host} cannot be looked up, so nothing new is mirrored",
            "set up DNS (/etc/resolv.conf), or bring releases another way (docs/how-to/mirror.md, air gap)",
        ),
        Code.NO_SYSTEMD: Wording(
            Severity.NOTE,
            "this host does not run systemd (process 1 is {program})",
            "let what starts services run `pxed serve -c {config}` as root or with CAP_NET_BIND_SERVICE: it works, "
            "but nothing restarts a pxed that hangs, and a restart breaks off what takes longer than 30 seconds",
        ),
        Code.NOT_ROOT: Wording(
            Severity.NOTE,
            "this check runs as user {user}",
            "run it as root (sudo pxed check --host): then it also names who has a port, reads files as the service "
            "does and looks at the firewall",
        ),
    }
)


def finding(code: Code, /, **values: str) -> Finding:
    """The finding with its sentence."""
    wording = WORDINGS[code]
    return Finding(code, wording.severity, wording.cause.format_map(values), wording.remedy.format_map(values))
