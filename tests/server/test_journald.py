"""Journal entries: the fields that journald gets, what is too big for a datagram, and a socket that is away."""

from __future__ import annotations

import io
import json
import mmap
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pxed.events import Event, Kind, Level
from pxed.server.bus import Bus, LogWriter
from pxed.server.journald import JournalStream, as_entry, as_prefixed, listens
from pxed.status.journal import Journal
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
PXED = Path(sys.executable).with_name("pxed")

STUCK = Event(
    Kind.STUCK, 1795000000.25, "node1", "52:54:00:00:00:01", "no DHCP server answers", Level.WARNING,
    {"fault": "no-dhcp-server", "boot": "16367aacb67a", "held": True, "wanted": None, "file": "", "attempt": 2},
)  # fmt: skip


@contextmanager
def journald(path: Path) -> Iterator[socket.socket]:
    """A socket where journald's would be."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(20)
        yield sock


def received(sock: socket.socket) -> dict[str, str]:
    """The next entry, from the datagram or from the sealed file that comes with an empty one."""
    content, descriptors, _, _ = socket.recv_fds(sock, 1 << 20, 1)
    for descriptor in descriptors:
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as file:  # as journald does it
            content += file[:]
        with pytest.raises(PermissionError):
            os.write(descriptor, b"changed")
        os.close(descriptor)
    assert content.endswith(b"\n")
    return dict(line.split("=", 1) for line in content.decode().splitlines())


def test_an_event_has_its_facts_in_fields():
    assert as_entry(STUCK) == (
        "MESSAGE=node1 [52:54:00:00:00:01]: stuck: no DHCP server answers\nPRIORITY=4\nSYSLOG_IDENTIFIER=pxed\n"
        "PXED_KIND=stuck\nPXED_MACHINE=node1\nPXED_MAC=52:54:00:00:00:01\nPXED_FAULT=no-dhcp-server\n"
        "PXED_BOOT=16367aacb67a\nPXED_HELD=true\nPXED_ATTEMPT=2\n"
    )


@pytest.mark.parametrize(("level", "priority"), [(Level.DEBUG, 7), (Level.INFO, 6), (Level.WARNING, 4)])
def test_the_priority_is_syslogs(level, priority):
    entry = as_entry(Event(Kind.NOTICE, 0.0, text="hello", level=level))
    assert f"\nPRIORITY={priority}\n" in entry
    assert as_prefixed(entry) == f"<{priority}>pxed: notice: hello\n"


def test_a_peer_cannot_forge_a_field_or_an_entry():
    forged = Event(
        Kind.REFUSED, 0.0, "a\nb", "c\n\nd", "no file\n\nMESSAGE=forged", data={"file": "x\nPRIORITY=0\u2028"}
    )
    entry = as_entry(forged)
    assert [line.split("=")[0] for line in entry.splitlines()] == [
        "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "PXED_KIND", "PXED_MACHINE", "PXED_MAC", "PXED_FILE",
    ]  # fmt: skip


async def test_the_bus_sends_an_entry_for_each_event(tmp_path):
    with journald(tmp_path / "socket") as sock:
        stream = JournalStream(io.BytesIO(), str(tmp_path / "socket"))
        bus = Bus(Journal(), LogWriter(stream), as_entry)
        bus.emit(STUCK)
        bus.emit(Event(Kind.NOTICE, 0.0, text="another"))
        bus.close()
        entries = [received(sock), received(sock)]
        stream.close()
    assert [entry["PXED_KIND"] for entry in entries] == ["stuck", "notice"]
    assert entries[0]["PXED_FAULT"] == "no-dhcp-server"


def test_what_is_too_big_for_a_datagram_goes_as_a_sealed_file(tmp_path):
    text = "x" * 500_000
    with journald(tmp_path / "socket") as sock:
        stream = JournalStream(io.BytesIO(), str(tmp_path / "socket"))
        stream.write(as_entry(Event(Kind.NOTICE, 0.0, text=text)).encode() + b"\n")
        entry = received(sock)
        stream.close()
    assert entry["MESSAGE"] == f"pxed: notice: {text}"


def test_lines_go_to_stderr_while_the_socket_is_away_and_to_the_journal_when_it_is_back(tmp_path):
    fallback = io.BytesIO()
    stream = JournalStream(fallback, str(tmp_path / "socket"))
    stream.write(f"{as_entry(STUCK)}\n{as_entry(Event(Kind.NOTICE, 0.0, text='another'))}\n".encode())
    assert fallback.getvalue().decode().splitlines() == [
        "<4>node1 [52:54:00:00:00:01]: stuck: no DHCP server answers",
        "<6>pxed: notice: another",
    ]
    with journald(tmp_path / "socket") as sock:
        stream.write(as_entry(STUCK).encode() + b"\n")
        assert received(sock)["PXED_MACHINE"] == "node1"
    stream.write(as_entry(STUCK).encode() + b"\n")  # and away again
    stream.flush()
    stream.close()
    assert fallback.getvalue().count(b"\n") == 3


def test_journald_is_known_by_the_file_behind_stderr(tmp_path):
    with (tmp_path / "log").open("w") as file:
        status = os.fstat(file.fileno())
        ours = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert listens(ours, file.fileno())
        assert not listens({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"}, file.fileno())
        assert not listens({}, file.fileno())
    assert not listens(ours, -1)


# A journald of its own below a /run of its own; systemd-cat connects stderr to it as systemd does, which
# also tells so (as systemd-cat does since 253).
SESSION = """
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
/lib/systemd/systemd-journald &
until [ -S /run/systemd/journal/socket -a -S /run/systemd/journal/stdout ]; do read -t 0.05 <> <(:) || :; done
systemd-cat sh -c 'export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2); exec "$PXED" serve -c "$CONFIG"' &
pxed=$!
curl -fsS --retry 60 --retry-connrefused --retry-delay 1 "$URL" >/dev/null
kill -TERM $pxed
wait $pxed
"$PYTHON" -c "$MORE"
journalctl --sync
"""
MORE = """
import io
from pxed.events import Event, Kind, Level
from pxed.server.journald import JournalStream, as_entry
stream = JournalStream(io.BytesIO())
data = {"fault": "no-dhcp-server", "severity": "stuck"}
event = Event(Kind.STUCK, 0.0, "node1", "52:54:00:00:00:01", "x" * 500_000, Level.WARNING, data)
stream.write(as_entry(event).encode())
"""


def in_session(home: Path, *queries: str) -> list[str]:
    """What each journalctl command prints when a daemon has run there."""
    port = free_port(socket.SOCK_STREAM)
    url = f"http://127.0.0.1:{port}/boot.ipxe?mac=52:54:00:00:00:01"
    (home / "pxed.yaml").write_text(
        f"server: {{dhcp: 'off', interfaces: [lo], data_dir: data, http: {{port: {port}}}, "
        f"tftp: {{port: {free_port(socket.SOCK_DGRAM)}}}}}\nprofiles: {{disk: {{boot: local}}}}\n"
        "machines: {node1: {mac: 52:54:00:00:00:01, profile: disk}}\n"
    )
    told = {"PXED": str(PXED), "CONFIG": str(home / "pxed.yaml"), "URL": url, "PYTHON": sys.executable}
    asks = "".join(f"{query} >{home}/{number}\n" for number, query in enumerate(queries))
    command = [
        "unshare",
        "--mount",
        "--pid",
        "--mount-proc",
        "--fork",
        "--kill-child",
        "bash",
        "-euo",
        "pipefail",
        "-c",
        SESSION + asks,
    ]
    environment = os.environ | told | {"MORE": MORE, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [(home / str(number)).read_text() for number in range(len(queries))]


@pytest.mark.net
def test_a_real_journald_finds_entries_by_their_fields_as_the_page_says(tmp_path):
    page = re.findall(r"^journalctl .*(?=\n)", (ROOT / "docs/reference/logs.md").read_text(), re.MULTILINE)
    assert len(page) >= 4
    queries = [query.replace(" -f", "").replace("-u pxed", "-t pxed") for query in page]  # no unit, no end
    answers = in_session(tmp_path, "journalctl -o json PXED_MACHINE=node1 --all", *queries)
    entries = [json.loads(line) for line in answers[0].splitlines()]
    assert [entry["PXED_KIND"] for entry in entries] == ["script", "stuck"]
    assert entries[0]["PXED_PROFILE"] == "disk"
    assert entries[0]["_TRANSPORT"] == "journal"
    assert entries[0]["_EXE"]
    assert entries[1]["MESSAGE"].count("x") >= 500_000
    for query, answer in zip(queries, answers[1:], strict=True):
        assert answer.replace("-- No entries --", "").strip(), query
