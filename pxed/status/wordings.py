"""What can be wrong with a boot, in plain sentences: the cause, and what to do.

One wording for the daemon and the probe. Evidence is said by who has it: pxed.status.diagnose for the daemon,
pxed.probe for a client's view. Codes in brackets are what the machine's own screen shows (Intel PXE 2.1; EDK2's
PxeBcDxe).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """STUCK: the machine will not come up by itself. WARNING: it may. INFO: it boots, but look at this."""

    STUCK = "stuck"
    WARNING = "warning"
    INFO = "info"


class Fault(StrEnum):
    """Every cause that pxed can name."""

    # before pxed's first file
    NO_DHCP_SERVER = "no-dhcp-server"
    DHCP_NO_LEASE = "dhcp-no-lease"
    DHCP_REFUSED = "dhcp-refused"
    DHCP_OPTION_60 = "dhcp-option-60"
    RIVAL_PROXY = "rival-proxy"
    RIVAL_IN_IPXE = "rival-in-ipxe"
    OFFER_DROPPED = "offer-dropped"
    BOOTSERVER_BLOCKED = "bootserver-blocked"
    REPLY_UNSENT = "reply-unsent"
    # the boot loader
    TFTP_UNREACHED = "tftp-unreached"
    TFTP_BLOCKED = "tftp-blocked"
    MTU_BLACK_HOLE = "mtu-black-hole"
    LOADER_MISSING = "loader-missing"
    LOADER_UNREACHED = "loader-unreached"
    WRONG_LOADER = "wrong-loader"
    LOADER_SILENT = "loader-silent"
    IPXE_LOOP = "ipxe-loop"
    IPXE_LACKS_FEATURE = "ipxe-lacks-feature"
    # iPXE and what it fetches
    SCRIPT_NEVER = "script-never"
    SCRIPT_REFUSED = "script-refused"
    KERNEL_NEVER = "kernel-never"
    FILE_MISSING = "file-missing"
    IMAGE_NOT_READY = "image-not-ready"
    IMAGE_DIGEST = "image-digest"
    DOWNLOAD_STALLED = "download-stalled"
    DOWNLOAD_BROKEN = "download-broken"
    INITRD_NEVER = "initrd-never"
    # the booted system
    IGNITION_NEVER = "ignition-never"
    IGNITION_NO_NETWORK = "ignition-no-network"
    IGNITION_NO_FIRST_BOOT = "ignition-no-first-boot"
    IGNITION_TOKEN = "ignition-token"  # noqa: S105
    IGNITION_SPEC = "ignition-spec"
    IGNITION_TEMPLATE = "ignition-template"
    IGNITION_REFUSED = "ignition-refused"
    NO_REPORT = "no-report"
    REBOOT_LOOP = "reboot-loop"
    INSTALL_FAILING = "install-failing"
    INSTALL_HELD = "install-held"
    REPORTED_FAILURE = "reported-failure"
    # who it is
    NOT_LISTED = "not-listed"
    MAC_TWICE = "mac-twice"
    NOT_SERVED = "not-served"
    ADDRESS_CHANGED = "address-changed"
    ADDRESS_IN_USE = "address-in-use"
    RETRANSMITS = "retransmits"


@dataclass(frozen=True, slots=True)
class Wording:
    """How a fault is told. `{name}` stands for a value that the finding brings."""

    severity: Severity
    cause: str
    remedy: str


_S, _W, _I = Severity.STUCK, Severity.WARNING, Severity.INFO

WORDINGS: MappingProxyType[Fault, Wording] = MappingProxyType({
    Fault.NO_DHCP_SERVER: Wording(
        _S,
        "No DHCP server answers on {interface}: the firmware has pxed's offer but gets no address (PXE-E51)",
        "pxed gives no addresses by itself: start a DHCP server on this network, or put this interface into its VLAN",
    ),
    Fault.DHCP_NO_LEASE: Wording(
        _S,
        "The DHCP server {server} is there but gives this machine no address: its pool is exhausted, or it serves"
        " known machines only",
        "Look at the leases and the log of {server}: enlarge its range, shorten its leases, or allow {mac}",
    ),
    Fault.DHCP_REFUSED: Wording(
        _W,
        "The DHCP server {server} refuses the address that the machine asks for (NAK)",
        "Look for a second DHCP server with another range, and for a reservation of {mac} outside the range",
    ),
    Fault.DHCP_OPTION_60: Wording(
        _S,
        'The DHCP server {server} sends option 60 "PXEClient" itself, so UEFI firmware asks it instead of pxed for the'
        " boot file, on port 4011 (PXE-E55)",
        "Take option 60 (vendor class identifier) out of the configuration of {server}; only if it runs on pxed's own"
        " host it may stay, with `dhcp: colocated`",
    ),
    Fault.RIVAL_PROXY: Wording(
        _S,
        "Another PXE server, {server}, answers this machine too and has won: it offers {file}",
        "Switch its network boot off (next-server, filename, ProxyDHCP, WDS), or let it leave {mac} alone",
    ),
    Fault.RIVAL_IN_IPXE: Wording(
        _S,
        "iPXE has taken its boot file from another server, {server}, and does not ask pxed for its script",
        "Take the boot file name (option 67 and next-server) out of the configuration of {server}",
    ),
    Fault.OFFER_DROPPED: Wording(
        _S,
        "The firmware does not take up pxed's offer: it has an address and asks for no boot file"
        " (PXE-E16, PXE-E53)",
        "Update the firmware, or try its other network boot (UEFI HTTP Boot instead of PXE, or BIOS mode); between two"
        " networks look whether the switch or relay drops pxed's replies (DHCP snooping: trust pxed's port)",
    ),
    Fault.BOOTSERVER_BLOCKED: Wording(
        _S,
        "The firmware and pxed cannot talk on UDP port 4011, where UEFI asks for the boot file (PXE-E55, PXE-E18)",
        "Allow UDP port 4011 to pxed's address and its replies from port 4011, in the host's firewall and in between",
    ),
    Fault.REPLY_UNSENT: Wording(
        _S,
        "The host does not send pxed's reply: {reason}",
        "Look at the host's firewall (nft list ruleset) and at its route to {address}",
    ),
    Fault.TFTP_UNREACHED: Wording(
        _S,
        "The firmware has the name of its boot file, {file}, but its TFTP request does not reach pxed (PXE-E32)",
        "Allow UDP port 69 to {server} in the host's firewall and in between, and look whether another TFTP server has"
        " the port",
    ),
    Fault.TFTP_BLOCKED: Wording(
        _S,
        "TFTP dies after its first packet: pxed hears the request for {file} but nothing of the transfer that follows"
        " (PXE-E32, PXE-E23)",
        "Allow UDP from the TFTP server's transfer ports (server.tftp.port_range) to the machines, and their answers:"
        " a firewall needs its TFTP helper (nf_conntrack_tftp) or that range",
    ),
    Fault.MTU_BLACK_HOLE: Wording(
        _S,
        "Blocks of {blksize} bytes do not reach the machine while small packets do: a link on the way takes smaller"
        " packets than pxed's interface",
        "Give both ends the same MTU (VLAN, tunnel or VPN between them?), or set the MTU of {interface} to that of the"
        " smallest link",
    ),
    Fault.LOADER_MISSING: Wording(
        _S,
        "The boot loader {file} that the machine asks for does not exist here",
        "Install Debian's package ipxe, or put {file} under data_dir/loaders, or correct `loader:` of the machine",
    ),
    Fault.LOADER_UNREACHED: Wording(
        _S,
        "The firmware was offered {file} over HTTP but does not fetch it",
        "Allow TCP port {port} to {server}, and look whether the firmware's clock, proxy or HTTP Boot setting is in"
        " the way",
    ),
    Fault.WRONG_LOADER: Wording(
        _S,
        "The boot loader {file} is not for this machine: it is made for {made_for}, the firmware is {arch}",
        "Take `loader: {file}` away from the machine, or from server.loaders, so that pxed chooses by architecture",
    ),
    Fault.LOADER_SILENT: Wording(
        _S,
        "The boot loader {file} was sent whole, but iPXE never spoke: it hangs, or the firmware does not run it",
        "Try another build for this machine: `loader: snponly.efi` or `loader: ipxe.efi` (BIOS: undionly.kpxe or"
        " ipxe.pxe); with Secure Boot on, only a signed loader runs",
    ),
    Fault.IPXE_LOOP: Wording(
        _S,
        "The machine loads its boot loader again and again ({count} times): iPXE starts, asks DHCP, and is sent back"
        " to a boot loader",
        "Look which server answers iPXE with a boot loader's name; an iPXE build that does not say it is iPXE (option"
        " 77 or 175) needs `loader:` set to Debian's own build",
    ),
    Fault.IPXE_LACKS_FEATURE: Wording(
        _S,
        "This iPXE build cannot boot: it lacks {feature}",
        "Let it load a complete build: leave `loader:` out so that pxed chains to Debian's iPXE, or update the ROM",
    ),
    Fault.SCRIPT_NEVER: Wording(
        _S,
        "iPXE was told its script, {url}, but does not fetch it",
        "Look at the machine's screen; allow TCP port {port} to {server} in the host's firewall and in between",
    ),
    Fault.SCRIPT_REFUSED: Wording(
        _S,
        "pxed cannot give the machine its script: {reason}",
        "Put right what the reason names; `pxed check` has file and line",
    ),
    Fault.KERNEL_NEVER: Wording(
        _S,
        "The machine has its script but does not fetch the kernel",
        "Look at the machine's screen for iPXE's error, and whether it can reach {where}",
    ),
    Fault.FILE_MISSING: Wording(
        _S,
        "The {role} {file} cannot be had: {reason}",
        "Put the file where the inventory says (data_dir/images), or correct the image's entry; `pxed check` tells"
        " which",
    ),
    Fault.IMAGE_NOT_READY: Wording(
        _W,
        "The image is not here yet: {reason}",
        "It waits and asks again by itself; `pxed images list` shows how far the mirror is",
    ),
    Fault.IMAGE_DIGEST: Wording(
        _S,
        "The image is not what was mirrored and verified: {reason}",
        "Run `pxed images verify` and then `pxed images sync`; look who writes to data_dir",
    ),
    Fault.DOWNLOAD_STALLED: Wording(
        _S,
        "The download of {file} stands still at {sent} of {due} bytes",
        "Look at the machine's link and at the switch port's errors; a machine that hung or lost power shows the same",
    ),
    Fault.DOWNLOAD_BROKEN: Wording(
        _S,
        "The machine broke off the download of {file} after {sent} of {due} bytes, and does not come back",
        "Look at the machine's screen; too little memory for the image looks like this ({memory})",
    ),
    Fault.INITRD_NEVER: Wording(
        _S,
        "The kernel was fetched but not its initrd {file}: the system starts without it and waits for"
        " /dev/disk/by-partlabel/USR-A",
        "Look at the machine's screen for iPXE's error at the initrd; enough memory for both is needed ({memory})",
    ),
    Fault.IGNITION_NEVER: Wording(
        _S,
        "The system has started and has a network, but does not fetch its Ignition config",
        "Look whether it can reach {url}; with ip= on the command line, whether that address is right",
    ),
    Fault.IGNITION_NO_NETWORK: Wording(
        _S,
        "The kernel and initrd were fetched, but the system never speaks: its initramfs has no network, or the kernel"
        " does not start",
        "Look at the machine's console (`console:`): a NIC without a driver in the image, a switch port that comes up"
        " slowly (STP: portfast), too little memory; `ignition_delivery: embedded` needs no network there",
    ),
    Fault.IGNITION_NO_FIRST_BOOT: Wording(
        _S,
        "Ignition does not run: the command line has no flatcar.first_boot, because the root {root} had its first"
        " boot already",
        "`pxed machines reset {machine}` lets the next boot be a first one again",
    ),
    Fault.IGNITION_TOKEN: Wording(
        _S,
        "The machine's request for its Ignition config is refused: {reason}",
        "Boot it once more: every boot gets a new token; see the alerts, another host may have used this one",
    ),
    Fault.IGNITION_SPEC: Wording(
        _S,
        "The machine's Ignition is too old for its config: {reason}",
        "Write the config for the older version (variant and version of the Butane file), or boot a newer release",
    ),
    Fault.IGNITION_TEMPLATE: Wording(
        _S,
        "The machine's Ignition config cannot be made: {reason}",
        "Correct the template or its variables; `pxed check` has file and line, and Ignition asks again by itself",
    ),
    Fault.IGNITION_REFUSED: Wording(
        _S,
        "The machine's request for its Ignition config is refused: {reason}",
        "Put right what the reason names; `pxed render {machine} ignition` shows what it would get",
    ),
    Fault.NO_REPORT: Wording(
        _S,
        "It loaded everything {minutes} minutes ago but has not reported that it runs",
        "Look at its console; a failed unit of its config, no route to pxed, or a report unit that is missing",
    ),
    Fault.REBOOT_LOOP: Wording(
        _S,
        "The machine boots again and again: {count} boots in {minutes} minutes, none came up",
        "Look at its console in the seconds before it restarts; `reboot: false` or a panic timeout of 0 keeps the"
        " message on the screen",
    ),
    Fault.INSTALL_FAILING: Wording(
        _W,
        "The installation failed and is tried again ({attempt} of {attempts} attempts): {reason}",
        "Put right what the reason names: the disk's name, its health, the image",
    ),
    Fault.INSTALL_HELD: Wording(
        _S,
        "The installation failed {attempts} times and is given up: {reason}",
        "Put right what the reason names, then `pxed machines install {machine}` or `pxed machines reset {machine}`",
    ),
    Fault.REPORTED_FAILURE: Wording(
        _S,
        "The machine reports that it failed: {reason}",
        "Put right what it names; `pxed machines show {machine}` has its whole message",
    ),
    Fault.NOT_LISTED: Wording(
        _W,
        "This machine is not in the inventory, so pxed {does}",
        "Add it under `machines:` (the dashboard has the lines to paste), or match it by a group",
    ),
    Fault.MAC_TWICE: Wording(
        _S,
        "Two machines claim the MAC {mac}: {who}",
        "Find the second one: a cloned virtual machine, a copied MAC in a NIC's settings, or a board's default MAC",
    ),
    Fault.NOT_SERVED: Wording(
        _W,
        "pxed leaves this machine's request unanswered: {reason}",
        "If it is to boot from pxed, put right what the reason names",
    ),
    Fault.ADDRESS_CHANGED: Wording(
        _I,
        "Its address changed during the boot, from {before} to {after}",
        "Nothing to do if it boots; two DHCP servers, or clients that identify themselves differently (option 61), do"
        " this",
    ),
    Fault.ADDRESS_IN_USE: Wording(
        _W,
        "The machine declines the address {address}: somebody else has it",
        "Find the host with that address, or take it out of the DHCP server's range",
    ),
    Fault.RETRANSMITS: Wording(
        _I,
        "{count} of {blocks} packets had to be sent again: the link loses packets",
        "Look at the switch port's errors and at the cable",
    ),
})  # fmt: skip
