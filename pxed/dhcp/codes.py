"""Registries of BOOTP and DHCP: numbers as IANA and the PXE specification give them.

https://www.iana.org/assignments/bootp-dhcp-parameters/ ; PXE: Intel "Preboot Execution Environment 2.1", 2.4.
"""

from __future__ import annotations

from enum import IntEnum

SERVER_PORT = 67
CLIENT_PORT = 68
BOOT_SERVER_PORT = 4011  # PXE 2.1 2.2.3: ProxyDHCP and boot servers
MAGIC_COOKIE = b"\x63\x82\x53\x63"  # RFC 2131 3
BROADCAST_FLAG = 0x8000  # RFC 2131 2


class Op(IntEnum):
    """RFC 2131 2."""

    BOOTREQUEST = 1
    BOOTREPLY = 2


class MessageType(IntEnum):
    """Option 53, RFC 2132 9.6."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Option(IntEnum):
    """The options that take part in a network boot."""

    PAD = 0
    VENDOR_SPECIFIC = 43
    REQUESTED_ADDRESS = 50
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_IDENTIFIER = 54
    MAX_MESSAGE_SIZE = 57
    VENDOR_CLASS = 60
    TFTP_SERVER_NAME = 66
    BOOTFILE_NAME = 67
    USER_CLASS = 77  # RFC 3004
    RELAY_AGENT_INFORMATION = 82  # RFC 3046
    CLIENT_ARCHITECTURE = 93  # RFC 4578 2.1
    CLIENT_INTERFACE = 94  # RFC 4578 2.2
    CLIENT_MACHINE_IDENTIFIER = 97  # RFC 4578 2.3
    ETHERBOOT = 175  # iPXE's encapsulated options
    END = 255


class PxeOption(IntEnum):
    """Encapsulated in option 43 of a PXEClient, PXE 2.1 2.4."""

    DISCOVERY_CONTROL = 6
    DISCOVERY_MULTICAST = 7
    BOOT_SERVERS = 8
    BOOT_MENU = 9
    MENU_PROMPT = 10
    BOOT_ITEM = 71
    END = 255


class IpxeOption(IntEnum):
    """Encapsulated in option 175: what an iPXE build can do. https://ipxe.org/howto/dhcpd#ipxe-specific_options"""

    PRIORITY = 1
    NO_PROXYDHCP = 176
    HTTP = 19
    HTTPS = 20
    BZIMAGE = 24
    EFI = 36
