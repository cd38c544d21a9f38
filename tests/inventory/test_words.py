"""Words of the kernel command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.inventory import words


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("dhcp", id="DHCP on every interface"),
        pytest.param("eth0:dhcp", id="DHCP on one interface"),
        pytest.param("10.0.0.9", id="an address alone, with netmask= and gateway= among the arguments"),
        pytest.param("10.0.0.9::10.0.0.1:255.255.255.0:node1:eth0:none", id="a static address"),
        pytest.param("10.0.0.9::10.0.0.1:24:node1:eth0:none:10.0.0.1:1.1.1.1", id="a prefix length and name servers"),
        pytest.param("10.0.0.9:::255.255.255.0::eth0:off", id="no gateway and no host name"),
        pytest.param("[2001:db8::9]::[2001:db8::1]:64:node1:eth0:none", id="IPv6 in brackets"),
        pytest.param("::::node1:eth0:dhcp", id="a host name with DHCP"),
        pytest.param("dhcp,dhcp6", id="DHCP for both IPs on every interface"),
        pytest.param("eth0:any:1500", id="an MTU after the method"),
        pytest.param("eth0:dhcp:1500:52:54:00:00:00:01", id="an MTU and a MAC to take after the method"),
        pytest.param("eth0:dhcp::52-54-00-00-00-01", id="a MAC in dashes and no MTU"),
        pytest.param("10.0.0.9::10.0.0.1:24:node1:eth0:none:9000", id="a static address and an MTU"),
        pytest.param("10.0.0.9::10.0.0.1:24:node1:eth0:none:9000:52:54:00:00:00:01", id="a static address and a MAC"),
        pytest.param("10.0.0.9::10.0.0.1:24:node1:eth0:none::52:54:00:00:00:01", id="a MAC and no MTU"),
    ],
)
def test_forms_of_ip_that_the_initrd_takes(text: str) -> None:
    assert words.ip(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "one word", id="nothing"),
        pytest.param("10.0.0.9 dhcp", "one word", id="two words"),
        pytest.param("ibft", "expected dhcp, INTERFACE:dhcp", id="a method that stops Flatcar's boot"),
        pytest.param("eth0:auto6", "one of the methods", id="such a method on an interface"),
        pytest.param("averyveryverylongname:dhcp", "at most 15 bytes", id="an interface name that is too long"),
        pytest.param("10.0.0.9::10.0.0.1:255.255.255.0", "4 parts fit none", id="the kernel's short form"),
        pytest.param("10.0.0.999::10.0.0.1:24:n:eth0:none", "IP address as the address", id="a wrong address"),
        pytest.param("10.0.0.9::gw:24:n:eth0:none", "IP address as the gateway", id="a gateway by name"),
        pytest.param("10.0.0.9::10.0.0.1:255.0.255.0:n:eth0:none", "a netmask", id="a netmask with a hole"),
        pytest.param("10.0.0.9::10.0.0.1:999:n:eth0:none", "a netmask", id="a prefix beyond 128"),
        pytest.param("10.0.0.9::10.0.0.1::n:eth0:none", "an address and a netmask", id="no netmask"),
        pytest.param("10.0.0.9::10.0.0.1:24:-n:eth0:none", "a host name", id="a host name with a leading dash"),
        pytest.param("10.0.0.9::10.0.0.1:24:n:eth0:none:dns", "the name server", id="a name server by name"),
        pytest.param("10.0.0.9::10.0.0.1:24:n:eth0:static", "one of the methods", id="an unknown method"),
        pytest.param("none", "expected dhcp", id="no DHCP and no address"),
        pytest.param("dhcp,auto6", "expected dhcp", id="such a method beside DHCP"),
        pytest.param("eth0:none", "an address with the method", id="an interface without an address"),
        pytest.param("eth0:dhcp:big", "an MTU as a number", id="an MTU that is no number"),
        pytest.param("eth0:dhcp:1500:52:54", "a MAC address after", id="half a MAC"),
        pytest.param("10.0.0.9::10.0.0.1:33:n:eth0:none", "a netmask", id="a prefix beyond 32 for IPv4"),
        pytest.param("10.0.0.9:::24:n:eth0:dhcp", "no address with the method", id="an address with DHCP"),
        pytest.param("10.0.0.9:::24:n:eth0:none:1:2:3", "a MAC address after", id="too many name servers"),
        pytest.param("[2001:db8::9::[2001:db8::1]:64:n:eth0:none", "expected", id="an open bracket"),
    ],
)
def test_forms_of_ip_that_it_does_not_take(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        words.ip(text)


def test_an_unquoted_console_that_yaml_split_at_its_comma_is_joined() -> None:
    assert words.rejoin_consoles(["tty0", "ttyS0", "115200n8"]) == ["tty0", "ttyS0,115200n8"]
    assert words.rejoin_consoles(["ttyS0,9600", "115200n8"]) == ["ttyS0,9600", "115200n8"]
    assert words.rejoin_consoles(["115200n8"]) == ["115200n8"]
    assert words.rejoin_consoles([None, "9600"]) == [None, "9600"]


@pytest.mark.parametrize("text", ["tty0", "ttyS0,115200n8", "ttyAMA0", "hvc0", "uart8250,io,0x3f8,9600n8", "brl,ttyS0"])
def test_consoles(text: str) -> None:
    assert words.console(text) == text


@pytest.mark.parametrize("text", ["", "115200n8", "tty 0", "ttyS0, 9600", "tty0\n", 'tty"0'])
def test_what_is_no_console(text: str) -> None:
    with pytest.raises(ValueError, match="expected a console such as"):
        words.console(text)


@pytest.mark.parametrize("text", ["quiet", "a=b", 'a="b c"', '"a=b c"', "net.ifnames=0", "a=b,c:d/e"])
def test_kernel_arguments(text: str) -> None:
    assert words.argument(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "one kernel argument"),
        ("a b", "one kernel argument"),
        ('a="b" c', "one kernel argument"),
        ('a="b c', "double quotes in pairs"),
        ("a\nb", "U\\+000A"),
        ("a\u2028b", "U\\+2028"),
    ],
)
def test_what_is_no_kernel_argument(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        words.argument(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a public key such as"),
        ("AAAA", "a public key such as"),
        ('ssh-ed25519 AAAA "a b"', "without double quotes"),
        ("ssh-ed25519 AAAA\nssh-rsa BBBB", "U\\+000A"),
    ],
)
def test_what_is_no_ssh_key(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        words.ssh_key(text)


@pytest.mark.parametrize("text", ["", "eth0 ", "a/b", "eth0:1", "..", "abcdefghijklmnop", "äöüäöüäö"])
def test_what_is_no_interface_name(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        words.interface(text)


def test_an_interface_name_may_have_fifteen_bytes() -> None:
    assert words.interface("abcdefghijklmno") == "abcdefghijklmno"


@pytest.mark.parametrize(
    "check", [words.console, words.tty, words.ssh_key, words.argument, words.root, words.interface, words.ip]
)
@given(text=st.text(max_size=40) | st.text("10.:[]a/none dhcp", max_size=60))
def test_any_text_gives_one_line_or_a_value_error(check: Callable[[str], str], text: str) -> None:
    try:
        assert "\n" not in check(text)
    except ValueError as error:
        assert "expected" in str(error)
