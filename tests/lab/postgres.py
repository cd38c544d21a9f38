"""A PostgreSQL server of the tests' own: Debian's, unprivileged, on a Unix socket in a temporary directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

PORT = 5432  # only a part of the socket's name
USER = "pxed"


class Postgres:
    """Made by initdb, with the defaults that Debian's package has: fsync is on."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._server: subprocess.Popen[bytes] | None = None
        self._names = (f"pxed{number}" for number in count())
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        assert programs, "PostgreSQL is not installed: make setup"
        self._programs = programs[-1]
        if os.geteuid() == 0:
            shutil.chown(directory, "nobody")
        data = str(directory / "data")
        initdb = ("initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        subprocess.run(self._command(*initdb), check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        """Take connections when this returns."""
        arguments = ("-D", str(self.directory / "data"), "-k", str(self.directory), "-c", "listen_addresses=")
        log = (self.directory / "log").open("ab")
        with log:
            self._server = subprocess.Popen(self._command("postgres", *arguments), stdout=log, stderr=log, cwd="/")
        ready = (str(self._programs / "pg_isready"), "-q", "-h", str(self.directory), "-t", "20")
        while subprocess.run(ready, check=False).returncode:
            assert self._server.poll() is None, (self.directory / "log").read_text()

    def stop(self) -> None:
        """At once: all connections break, and it recovers at the next start."""
        if self._server is not None:
            self._server.send_signal(3)  # SIGQUIT, "immediate shutdown"
            self._server.wait()
            self._server = None

    def place(self) -> str:
        """The URL of a new, empty schema: a store of its own, made in no time."""
        name = next(self._names)
        self.run(self.url(), f"CREATE SCHEMA {name}")
        return f"{self.url()}&options=-csearch_path%3D{name}"

    def url(self, database: str = "postgres", user: str = USER) -> str:
        """The URL of a database."""
        return f"postgresql:///{database}?host={self.directory}&port={PORT}&user={user}"

    def run(self, url: str, *statements: str) -> None:
        """Statements, each by itself."""
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _command(self, program: str, *arguments: str) -> list[str]:
        drop = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups") if os.geteuid() == 0 else ()
        return [*drop, "env", "LC_ALL=C", str(self._programs / program), *arguments]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that runs."""
    directory = Path(tempfile.mkdtemp(prefix="pxed-postgres-", dir="/tmp"))  # a socket's path has 107 characters
    server = Postgres(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
