"""PostgreSQL: found again when it comes back, never shared, and no word of a password."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import psycopg
import pytest

from pxed.status.records import Standing
from pxed.status.store import StoreError, Trouble, open_store
from tests.status.store.places import Place

NODE = Standing("node1")
END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"  # noqa: E501


@pytest.fixture
def place(postgres, tmp_path):
    place = Place(postgres.place(), tmp_path)
    yield place
    place.close()


def test_a_connection_that_was_broken_is_made_again_and_nobody_notices(place, postgres):
    store = place.open()
    store.write([NODE])
    postgres.run(postgres.url(), END_OTHERS)
    store.write([replace(NODE, attempt=1)])
    postgres.run(postgres.url(), END_OTHERS)
    assert store.load().standings["node1"].attempt == 1


def test_a_store_is_held_again_after_its_connection_broke(place, postgres):
    store = place.open()
    postgres.run(postgres.url(), END_OTHERS)
    store.write([NODE])
    with pytest.raises(StoreError) as refused:
        place.open()
    assert refused.value.trouble is Trouble.LOCKED


def test_a_daemon_that_lost_its_store_to_another_writes_no_more(place, postgres):
    store = place.open()
    store.write([NODE])
    postgres.run(postgres.url(), END_OTHERS)
    other = place.open()
    with pytest.raises(StoreError) as held:
        store.write([replace(NODE, attempt=1)])
    assert held.value.trouble is Trouble.LOCKED
    other.write([replace(NODE, attempt=2)])
    other.close()
    for _ in range(2):
        with pytest.raises(StoreError, match="was used by another pxed while this one had lost it: restart") as stale:
            store.write([replace(NODE, attempt=1)])
        assert stale.value.trouble is Trouble.STALE
    store.close()
    assert place.open().load().standings["node1"].attempt == 2


def test_a_commit_is_on_the_disk_whatever_the_database_says(place, postgres):
    postgres.run(postgres.url(), "ALTER ROLE pxed SET synchronous_commit = off")
    try:
        store = place.open()
        with store._connection.begin():
            found = store._connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
    finally:
        postgres.run(postgres.url(), "ALTER ROLE pxed RESET synchronous_commit")
    assert found == "on"


def test_a_url_may_name_the_driver_as_sqlalchemy_does(place):
    place.state = place.state.replace("postgresql:", "postgresql+psycopg:")
    place.open().write([NODE])
    assert place.again().load().standings == {"node1": NODE}


@pytest.mark.parametrize(
    ("url", "said", "trouble"),
    [
        pytest.param("postgresql://u:s3cret@127.0.0.1:1/x", "cannot be reached", Trouble.AWAY, id="no server"),
        pytest.param("postgresql://u:s3cret@nowhere.invalid/x", "cannot be reached", Trouble.AWAY, id="no such host"),
        pytest.param("postgresql://u:a@s3cret@host/x", "not a URL that", Trouble.UNUSABLE, id="an @ in the password"),
        pytest.param("postgresql://u:a/s3cret@host/x", "not a URL that", Trouble.UNUSABLE, id="a / in the password"),
        pytest.param("postgresql://u:s3cret%zz@host/x", "not a URL that", Trouble.UNUSABLE, id="a % in the password"),
        pytest.param("postgresql://u:s3cret@h/x?s3cret=1", "not a URL that", Trouble.UNUSABLE, id="a strange word"),
        pytest.param("{server}&user=u&password=s3cret", "check user and password", Trouble.UNUSABLE, id="no such user"),
        pytest.param("{nowhere}&password=s3cret", "make it with `createdb`", Trouble.UNUSABLE, id="no such database"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_without_the_password(tmp_path, postgres, url, said, trouble):
    url = url.format(server=postgres.url(), nowhere=postgres.url("nowhere"))
    with pytest.raises(StoreError, match=said) as refused:
        open_store(url, tmp_path)
    assert "s3cret" not in str(refused.value)
    assert refused.value.trouble is trouble


def test_a_wrong_password_is_said_without_it(place, postgres):
    rules = postgres.directory / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all guarded scram-sha-256\n" + before)
    postgres.run(postgres.url(), "CREATE ROLE guarded LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()")
    try:
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(postgres.url(user="guarded"))
        with pytest.raises(StoreError, match="check user and password") as refused:
            open_store(f"{postgres.url(user='guarded')}&password=s3cret", place.data_dir)
    finally:
        rules.write_text(before)
        postgres.run(postgres.url(), "DROP ROLE guarded", "SELECT pg_reload_conf()")
    assert "s3cret" not in str(refused.value)


def test_a_database_that_pxeds_user_may_not_change_is_said(place, postgres):
    postgres.run(postgres.url(), "CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(StoreError, match="let it own the database"):
            open_store(postgres.url(user="guest"), place.data_dir)
    finally:
        postgres.run(postgres.url(), "DROP ROLE guest")


def test_an_empty_database_beside_a_store_in_sqlite_is_refused(place):
    sqlite = open_store("sqlite", place.data_dir)
    sqlite.write([NODE])
    sqlite.close()
    with pytest.raises(StoreError, match=r"they would be installed again\. Move that file away if this is wanted"):
        place.open()
    (place.data_dir / "state.db").unlink()
    assert place.open().load().standings == {}


def test_a_driver_that_is_missing_is_said_with_the_command_that_installs_it(tmp_path):
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from pathlib import Path\n"
        "from pxed.status.store import StoreError, open_store\n"
        "try: open_store('postgresql://host/x', Path(sys.argv[1]))\n"
        "except StoreError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "pip install 'pxed[postgresql]'" in done.stdout


def test_a_store_in_sqlite_loads_no_driver_of_postgresql(tmp_path):
    code = (
        "import sys; from pathlib import Path; from pxed.status.store import open_store\n"
        "open_store('sqlite', Path(sys.argv[1])).load()\n"
        "print([name for name in sys.modules if 'psycopg' in name or 'dialects.postgresql' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
