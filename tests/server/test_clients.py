"""Which machine has which address."""

import socket
import sys

import pytest

from pxed.server import clients as clients_module
from pxed.server.clients import Clients

ARP = """IP address       HW type     Flags       HW address            Mask     Device
10.77.0.100      0x1         0x2         52:54:00:00:00:01     *        eth1
10.77.0.101      0x1         0x0         00:00:00:00:00:00     *        eth1
"""


def test_what_was_learnt_wins_over_the_neighbour_table(tmp_path):
    (tmp_path / "arp").write_text(ARP)
    clients = Clients(tmp_path / "arp")
    clients.learn("10.77.0.100", "52:54:00:00:00:07")
    assert clients.mac_of("10.77.0.100") == "52:54:00:00:00:07"


def test_the_neighbour_table_helps_where_nothing_was_learnt(tmp_path):
    (tmp_path / "arp").write_text(ARP)
    clients = Clients(tmp_path / "arp")
    assert clients.mac_of("10.77.0.100") == "52:54:00:00:00:01"
    assert clients.mac_of("10.77.0.101") == ""
    assert clients.mac_of("10.77.0.1") == ""


def test_no_neighbour_table_means_that_nothing_is_known(tmp_path):
    assert Clients(tmp_path / "absent").mac_of("10.77.0.100") == ""


def test_the_zero_address_and_an_empty_mac_teach_nothing(tmp_path):
    clients = Clients(tmp_path / "absent")
    clients.learn("0.0.0.0", "52:54:00:00:00:01")
    clients.learn("10.77.0.9", "")
    assert clients.mac_of("0.0.0.0") == clients.mac_of("10.77.0.9") == ""


def test_the_oldest_address_is_forgotten_when_the_table_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(clients_module, "KNOWN_ADDRESSES", 2)
    clients = Clients(tmp_path / "absent")
    for last in (1, 2, 1, 3):
        clients.learn(f"10.0.0.{last}", f"52:54:00:00:00:0{last}")
    assert [clients.mac_of(f"10.0.0.{last}") for last in (1, 2, 3)] == ["52:54:00:00:00:01", "", "52:54:00:00:00:03"]


def test_a_machine_known_by_its_uuid_is_known_by_the_mac_it_was_seen_with(tmp_path, monkeypatch):
    monkeypatch.setattr(clients_module, "KNOWN_NAMES", 1)
    clients = Clients(tmp_path / "absent")
    clients.learn_name("52:54:00:00:00:01", "node1")
    assert clients.name_of("52:54:00:00:00:01") == "node1"
    clients.learn_name("52:54:00:00:00:02", "node2")
    assert clients.name_of("52:54:00:00:00:01") == ""


NEIGHBOURS = """IP address       HW type     Flags       HW address            Mask     Device
10.77.0.100      0x1         0x0         52:54:00:00:00:09     *        eth0
10.77.0.100      0x1         0x2         52:54:00:00:00:01     *        eth1
10.77.0.101      0x1         0x0         52:54:00:00:00:03     *        eth1
10.77.0.102      0x1         0x2         52:54:00:00:00:04     *        eth0
10.77.0.102      0x1         0x6         52:54:00:00:00:05     *        eth1
"""


@pytest.mark.parametrize(
    ("address", "macs"),
    [
        pytest.param("10.77.0.100", ("52:54:00:00:00:01",), id="what another interface knew once is no neighbour"),
        pytest.param("10.77.0.101", (), id="an entry that the kernel could not confirm says nothing"),
        pytest.param("10.77.0.102", ("52:54:00:00:00:04", "52:54:00:00:00:05"), id="two networks use one address"),
        pytest.param("10.77.0.10", (), id="an address that begins alike is another one"),
    ],
)
def test_neighbours_are_what_the_kernel_knows_now(tmp_path, address, macs):
    (tmp_path / "arp").write_text(NEIGHBOURS)
    assert Clients(tmp_path / "arp").neighbours(address) == macs


ROUTED = """IP address       HW type     Flags       HW address            Mask     Device
10.77.0.254      0x1         0x2         52:54:00:00:00:fe     *        eth1
10.77.0.253      0x1         0x2         52:54:00:00:00:fd     *        eth1
10.77.0.120      0x1         0x2         52:54:00:00:00:fe     *        eth1
10.77.0.121      0x1         0x2         52:54:00:00:00:fd     *        eth1
10.77.0.122      0x1         0x2         52:54:00:00:00:fe     *        eth1
10.77.0.122      0x1         0x2         52:54:00:00:00:01     *        eth2
10.77.0.130      0x1         0x2         52:54:00:00:00:09     *        eth1
10.77.0.131      0x1         0x2         52:54:00:00:00:09     *        eth1
"""


def route(gateway: str, flags: int) -> str:
    number = int.from_bytes(socket.inet_aton(gateway), sys.byteorder)
    return f"eth1\t00000A0A\t{number:08X}\t{flags:04X}\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"


@pytest.mark.parametrize(
    ("address", "macs"),
    [
        pytest.param("10.77.0.120", (), id="a gateway answers ARP for who is behind it, and proves nothing"),
        pytest.param("10.77.0.254", (), id="nor for itself: it may translate addresses"),
        pytest.param("10.77.0.121", ("52:54:00:00:00:fd",), id="a router that no route is through is like anybody"),
        pytest.param("10.77.0.122", ("52:54:00:00:00:01",), id="a NIC beside the gateway on another network counts"),
        pytest.param("10.77.0.131", ("52:54:00:00:00:09",), id="many addresses make nobody a router"),
    ],
)
def test_the_mac_of_a_gateway_is_nobodys(tmp_path, address, macs):
    (tmp_path / "arp").write_text(ROUTED)
    heads = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    routes = route("10.77.0.254", 3) + route("0.0.0.0", 1) + route("10.77.0.253", 2)
    (tmp_path / "route").write_text(heads + routes)
    assert Clients(tmp_path / "arp", tmp_path / "route").neighbours(address) == macs


def test_without_a_table_of_routes_no_one_is_a_gateway(tmp_path):
    (tmp_path / "arp").write_text(ROUTED)
    assert Clients(tmp_path / "arp", tmp_path / "absent").neighbours("10.77.0.120") == ("52:54:00:00:00:fe",)


def test_the_routes_of_this_host_can_be_read():
    """The real table has the form that is read here."""
    rows = [line.split() for line in clients_module.ROUTES.read_text().splitlines()]
    assert rows[0][:4] == ["Iface", "Destination", "Gateway", "Flags"]
    assert all(int(row[2], 16) < 2**32 and int(row[3], 16) for row in rows[1:])
