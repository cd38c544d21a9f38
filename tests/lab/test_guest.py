"""Reading what a machine printed."""

from __future__ import annotations

import pytest

from tests.lab import guest
from tests.lab.tail import plain

BOOT = """iPXE initialising devices...ok
[    2.1] something PXED-LAB cmdline console=ttyS0 pxed.lab=worker
PXED-LAB firmware efi
PXED-LAB address 10.77.0.101
PXED-LAB ignition-url http://10.77.0.2:8080/ignition/node1
PXED-LAB ignition-begin
{
  "ignition": {"version": "3.3.0"}
}

PXED-LAB ignition-end
PXED-LAB reported
PXED-LAB done 4.20
"""


def test_the_print_out_is_read_line_by_line() -> None:
    printout = guest.read(BOOT.splitlines())
    assert printout.arguments == ["console=ttyS0", "pxed.lab=worker"]
    assert (printout.firmware, printout.address) == ("efi", "10.77.0.101")
    assert printout.config == {"ignition": {"version": "3.3.0"}}
    assert (printout.reported, printout.done) == (True, True)


def test_a_machine_that_stopped_half_way_has_printed_no_config() -> None:
    printout = guest.read(BOOT.splitlines()[:8])
    assert (printout.ignition, printout.reported, printout.done) == ("", False, False)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param("\x1b[2J\x1b[01;01HBdsDxe: failed\r", "BdsDxe: failed", id="OVMF moves the cursor"),
        pytest.param("\x1b[?7l\x1bcNo bootable device.", "\x1bcNo bootable device.", id="only known sequences go"),
        pytest.param("plain text", "plain text", id="plain text stays"),
    ],
)
def test_cursor_movements_are_taken_out(raw: str, text: str) -> None:
    assert plain(raw) == text
