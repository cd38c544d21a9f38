"""Words of the kernel command line that an operator writes: console, autologin, ssh keys, root, ip, free arguments.

Sources: Linux Documentation/admin-guide/kernel-parameters (a double quote protects blanks), Flatcar's
ssh-key-proc-cmdline (sshkey="..." up to the next double quote), dracut.cmdline(7) and Flatcar's
parse-ip-for-networkd.sh (the forms of ip=).
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from pxed.inventory.scalars import expected, single_line, word

_CONSOLE = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*(?:,[^\s\"]+)?")
_CONSOLE_OPTIONS = re.compile(r"[0-9]+(?:[noe][0-9]?r?)?")
_TTY = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
# Flatcar's initrd takes these (parse-ip-for-networkd.sh); auto6, ibft, both, rarp and bootp of dracut stop its boot.
_DYNAMIC = ("dhcp", "dhcp6", "on", "any")
_STATIC = ("none", "off")
IP_METHODS = (*_STATIC, *_DYNAMIC)
_IP_FORM = (
    "dhcp, INTERFACE:dhcp[:MTU[:MAC]], ADDRESS (with netmask= and gateway= in args) or "
    "ADDRESS:PEER:GATEWAY:NETMASK:HOSTNAME:INTERFACE:none[:DNS[:DNS]]"
)
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def console(text: str) -> str:
    """A console= value: "tty0" or "ttyS0,115200n8"."""
    if _CONSOLE.fullmatch(text) is None:
        raise expected(text, 'a console such as tty0 or "ttyS0,115200n8"')
    return text


def rejoin_consoles(items: list[object]) -> list[object]:
    """[ttyS0, 115200n8] -> ["ttyS0,115200n8"]: YAML splits the unquoted [ttyS0,115200n8] at its comma.

    Bare line options name no console, so nothing else can be meant.
    """
    joined: list[object] = []
    for item in items:
        previous = joined[-1] if joined else None
        if (
            isinstance(item, str)
            and isinstance(previous, str)
            and _CONSOLE_OPTIONS.fullmatch(item)
            and "," not in previous
        ):
            joined[-1] = f"{previous},{item}"
        else:
            joined.append(item)
    return joined


def tty(text: str) -> str:
    """A terminal's name for flatcar.autologin=: no line options."""
    if _TTY.fullmatch(text) is None:
        raise expected(text, "a terminal such as tty1 or ttyS0")
    return text


def ssh_key(text: str) -> str:
    """A public key for sshkey="...": a double quote would end it early, a newline would end the script's line."""
    single_line(text)
    if '"' in text:
        raise expected(
            text, 'a public key without double quotes: sshkey="..." on the kernel command line ends at the next one'
        )
    if len(text.split()) < 2:
        raise expected(text, "a public key such as ssh-ed25519 AAAA...")
    return text.strip()


def argument(text: str) -> str:
    """One kernel argument: blanks only inside double quotes, which come in pairs."""
    single_line(text)
    if text.count('"') % 2:
        raise expected(text, "double quotes in pairs")
    if not text or re.search(r"\s", re.sub(r'"[^"]*"', "", text)):
        raise expected(text, 'one kernel argument: a list item for each, blanks only inside double quotes (name="a b")')
    return text


def root(text: str) -> str:
    """A root= value: a device, LABEL=..., UUID=... or PARTUUID=...; one word."""
    word(text)
    if '"' in text:
        raise expected(text, "a device such as /dev/sda1, LABEL=ROOT, UUID=... or PARTUUID=...")
    return text


def interface(text: str) -> str:
    """A network interface's name. IFNAMSIZ is 16 with the NUL; dev_valid_name() refuses '/', ':' and blanks."""
    word(text)
    if len(text.encode()) > 15 or re.search(r"[/:]", text) or text in (".", ".."):
        raise expected(text, "an interface name of at most 15 bytes without '/' and ':'")
    return text


def ip(text: str) -> str:
    """An ip= value in one of the forms that the initrd understands (dracut's ip_to_var())."""
    word(text)
    parts = re.split(r":(?![^\[]*\])", text)  # colons outside the brackets of IPv6 addresses
    if len(parts) == 1:
        if not set(text.split(",")) <= set(_DYNAMIC) and not _is_address(text):
            raise expected(text, _IP_FORM)
    elif len(parts) == 2 or parts[1] in _DYNAMIC:
        _check_dynamic(text, parts)
    elif len(parts) >= 7:
        _check_static(text, parts)
    else:
        raise expected(text, f"{_IP_FORM}: {len(parts)} parts fit none of these")
    return text


def _check_dynamic(text: str, parts: list[str]) -> None:
    device, method, *rest = parts
    _check_interface(text, device)
    _check_method(text, method)
    if method in _STATIC:
        raise expected(text, f"an address with the method {method}: {_IP_FORM}")
    _check_mtu_and_mac(text, rest)


def _check_static(text: str, parts: list[str]) -> None:
    address, peer, gateway, netmask, hostname, device, method, *rest = parts
    _check_method(text, method)
    for label, value in (("address", address), ("peer", peer), ("gateway", gateway)):
        if value and not _is_address(value):
            raise expected(text, f"an IP address as the {label}, not {value!r}")
    if netmask and not _is_netmask(netmask, 128 if ":" in address else 32):
        raise expected(text, f"a netmask such as 255.255.255.0 or a prefix length, not {netmask!r}")
    if method in _STATIC and not (address and netmask):
        raise expected(text, f"an address and a netmask with the method {method}")
    if method in _DYNAMIC and address:
        raise expected(text, f"no address with the method {method}: the initrd stops at both")
    if hostname and _HOSTNAME.fullmatch(hostname) is None:
        raise expected(text, f"a host name, not {hostname!r}")
    if device:
        _check_interface(text, device)
    if rest and (rest[0].isdecimal() or len(rest) > 2):
        _check_mtu_and_mac(text, rest)
    else:
        _check_name_servers(text, rest)


def _check_name_servers(text: str, servers: list[str]) -> None:
    for value in servers:
        if value and not _is_address(value):
            raise expected(text, f"an IP address as the name server, not {value!r}")


def _check_mtu_and_mac(text: str, rest: list[str]) -> None:
    mtu, mac = (rest[0] if rest else ""), ":".join(rest[1:])
    if mtu and not (mtu.isascii() and mtu.isdecimal()):
        raise expected(text, f"an MTU as a number, not {mtu!r}")
    if mac and _MAC.fullmatch(mac) is None:
        raise expected(text, f"a MAC address after the MTU, not {mac!r}")


def _check_method(text: str, method: str) -> None:
    if method not in IP_METHODS:
        raise expected(text, f"one of the methods {', '.join(IP_METHODS)}, not {method!r}")


def _check_interface(text: str, name: str) -> None:
    try:
        interface(name)
    except ValueError:
        raise expected(text, f"an interface name of at most 15 bytes, not {name!r}") from None


def _is_address(text: str) -> bool:
    try:
        if text.startswith("["):
            IPv6Address(text[1:-1])
        else:
            IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _is_netmask(text: str, longest: int) -> bool:
    if re.fullmatch(r"[0-9]{1,3}", text):
        return int(text) <= longest
    try:
        mask = int(IPv4Address(text)) ^ 0xFFFFFFFF
    except AddressValueError:
        return False
    return mask & (mask + 1) == 0
