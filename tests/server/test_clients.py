"""Which machine has which address."""

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
