"""The store on either database: what is written is there after a restart, and nothing else is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pxed.status.records import (
    Alert,
    Attempt,
    Booted,
    BootRecord,
    FirstBoot,
    Forget,
    Purpose,
    Row,
    Setting,
    Spent,
    Standing,
    State,
    Timeline,
    Token,
)
from pxed.status.store import History, Store, StoreError, Trouble, opened
from pxed.status.store.retention import Keep, Retention
from pxed.status.store.rows import key_of, text
from pxed.status.store.statements import rows
from tests.status.store.places import FUTURE, ONE_OF_EACH

NODE = Standing("node1", ("52:54:00:00:00:01",), State.WANTED)


def rows_of(store: Store) -> set[Row]:
    """All of them, and that each is under its own key."""
    contents = store.load()
    for named, key in ((contents.standings, "machine"), (contents.tokens, "hash"), (contents.settings, "name")):
        assert all(getattr(row, key) == name for name, row in named.items())
    named = (contents.standings, contents.tokens, contents.first_boots, contents.settings)
    listed = (contents.attempts, contents.boots, contents.alerts)
    kept = {*store.booted().values(), *store._again(lambda connection: rows(connection, Timeline))}
    return kept | {row for found in named for row in found.values()} | {row for found in listed for row in found}


def test_a_new_store_is_empty(place):
    assert rows_of(place.open()) == set()


def test_a_row_of_each_kind_is_the_same_after_a_restart(place):
    place.open().write(ONE_OF_EACH)
    assert rows_of(place.again()) == set(ONE_OF_EACH)


@pytest.mark.parametrize("row", ONE_OF_EACH, ids=lambda row: type(row).__name__)
def test_a_row_that_is_forgotten_is_gone_after_a_restart(place, row):
    store = place.open()
    store.write(ONE_OF_EACH)
    store.write([Forget(*key_of(row))])
    assert rows_of(place.again()) == set(ONE_OF_EACH) - {row}


@pytest.mark.parametrize(
    ("writes", "left"),
    [
        pytest.param([NODE, replace(NODE, attempt=2)], {replace(NODE, attempt=2)}, id="the last of two puts counts"),
        pytest.param([NODE, Forget(Standing, ("node1",))], set(), id="a put that is forgotten later is gone"),
        pytest.param([Forget(Standing, ("node1",)), NODE], {NODE}, id="a row that is put after it was forgotten stays"),
        pytest.param([Forget(Standing, ("strange",))], set(), id="what is not there can be forgotten"),
        pytest.param([], set(), id="nothing can be written"),
    ],
)
def test_writes_of_one_transaction_count_in_their_order(place, writes, left):
    place.open().write(writes)
    assert rows_of(place.again()) == left


@pytest.mark.parametrize(
    ("peer", "kept"),
    [
        pytest.param("a\0b", "a\ufffdb", id="a NUL, which PostgreSQL cannot hold"),
        pytest.param("\udc80x", "\ufffd\ufffd\ufffdx", id="half a surrogate pair, which UTF-8 cannot say"),
        pytest.param("\U0001f4a5 '; DROP TABLE boots --", "\U0001f4a5 '; DROP TABLE boots --", id="any other"),
        pytest.param("x" * 100_000, "x" * 100_000, id="a long one"),
    ],
)  # fmt: skip
def test_texts_of_peers_are_kept(place, peer, kept):
    place.open().write([replace(NODE, reason=peer)])
    assert place.again().load().standings["node1"].reason == kept


@pytest.mark.parametrize(
    "poison",
    [
        pytest.param(replace(NODE, machine="bad", attempt=2**70), id="a number that is too large"),
        pytest.param(replace(NODE, machine="bad", since=None), id="nothing where a time belongs"),
    ],
)
def test_a_row_that_no_store_takes_is_refused_with_its_transaction_only(place, poison):
    store = place.open()
    with pytest.raises(StoreError) as refused:
        store.write([NODE, poison, Setting("name", "value")])
    assert refused.value.trouble is Trouble.ROW
    assert rows_of(store) == set()
    store.write([NODE])
    assert rows_of(place.again()) == {NODE}


def test_expired_tokens_are_left_out_and_can_be_deleted(place):
    store = place.open()
    fresh = Token("aa", "node1", "b1", Purpose.CONFIG, 1.0, FUTURE)
    store.write([fresh, replace(fresh, hash="bb", expires=2.0)])
    assert set(store.load().tokens) == {"aa"}
    store.expire(FUTURE + 1)
    assert store.load().tokens == {}


def test_only_one_daemon_has_a_store(place):
    first = place.open()
    first.write([NODE])
    with pytest.raises(StoreError, match="in use by another pxed: stop that one first") as refused:
        place.open()
    assert refused.value.trouble is Trouble.LOCKED
    assert rows_of(place.again()) == {NODE}


def test_a_command_reads_beside_the_daemon_and_writes_nothing(place):
    daemon = place.open()
    daemon.write([NODE])
    command = place.open(read_only=True)
    assert rows_of(command) == {NODE}
    daemon.write([replace(NODE, attempt=1)])
    assert rows_of(command) == {replace(NODE, attempt=1)}
    with pytest.raises(StoreError):
        command.write([NODE])
    assert rows_of(daemon) == {replace(NODE, attempt=1)}


def test_a_command_reads_after_the_daemon_ended(place):
    place.open().write([NODE])
    place.close()
    assert rows_of(place.open(read_only=True)) == {NODE}


def test_a_command_finds_no_store_where_no_daemon_ran(place):
    with pytest.raises(StoreError, match="no pxed has used it yet") as missing:
        place.open(read_only=True)
    assert missing.value.trouble is Trouble.MISSING


def test_history_is_one_machines_and_newest_first(place):
    boots = tuple(BootRecord(f"b{i}", f"node{i % 2}", "m", "a", float(i), "web", "memory") for i in range(6))
    attempts = tuple(Attempt(f"node{i % 2}", f"b{i}", i, float(i)) for i in range(6))
    alerts = tuple(Alert(f"a{i}", float(i), f"node{i % 2}", "m", "a", "held", "text") for i in range(6))
    store = place.open()
    store.write([*boots, *attempts, *alerts])
    assert store.history("node1") == History(attempts[5::-2], boots[5::-2], alerts[5::-2])
    assert store.history("strange") == History()


def test_history_is_loaded_oldest_first_and_of_each_machine_its_newest(place):
    boots = [BootRecord(f"b{i:02}", "node1", "m", "a", float(i), "web", "memory") for i in range(40)]
    other = BootRecord("x", "node2", "m", "a", 3.0, "web", "memory")
    store = place.open()
    store.write([*boots, other])
    assert store.load().boots == [other, *boots[20:]]


def test_what_belongs_to_an_installation_under_way_is_loaded_however_old_it_is(place, monkeypatch):
    monkeypatch.setattr(opened, "LOADED_IN_ALL", 3)
    boots = [BootRecord(f"b{i}", f"node{i}", "m", "a", float(i), "web", "install") for i in range(9)]
    attempts = [Attempt(f"node{i}", f"b{i}", 1, float(i)) for i in range(9)]
    standings = [Standing("node1", boot="b1", deadline=9.0), Standing("node2", boot="b2"), Standing("node7", boot="b7")]
    store = place.open()
    store.write([*boots, *attempts, *standings])
    contents = store.load()
    assert (contents.boots, contents.attempts) == ([boots[1], *boots[6:]], [attempts[1], *attempts[6:]])


def test_history_is_bounded_for_each_machine_and_in_all(place):
    store = place.open()
    store._retention = Retention(Keep(20, 100), step=10)
    alerts = [Alert(f"{i:04}", float(i), f"node{i % 10}", "m", "a", "held", "text") for i in range(400)]
    for start in range(0, 400, 4):
        store.write(alerts[start : start + 4])
    kept = rows_of(store)
    assert set(alerts[-100:]) <= kept
    assert len(kept) <= 100 + 10
    one = [Attempt("busy", str(i), i, float(i)) for i in range(80)]
    for attempt in one:
        store.write([attempt])
    kept = {row for row in rows_of(store) if isinstance(row, Attempt)}
    assert len(store.history("busy").attempts) <= 20 + 16
    assert set(one[-20:]) <= kept


def boot(number: int, machine: str = "node1", mac: str = "m1", began: float = 0.0) -> Timeline:
    began = began or float(number)
    return Timeline(f"{machine}-{mac}-{number:03}", machine, mac, began, began + 1, "running", "", f"{{{number}}}")


def test_timelines_are_found_by_name_and_by_mac_newest_first(place):
    own, renamed, strange = boot(1), boot(2, "was-node1"), boot(3, "node2", "m2")
    another = boot(4, "node1", "m9")  # had this name; its MAC is another machine's by now
    same_name = boot(5, "node1", "m3")  # a NIC that nobody has any more
    store = place.open()
    store.write([own, renamed, strange, another, same_name])
    found = store.timelines("node1", {"m1"}, 10, lambda mac: mac != "m9")
    assert found == [same_name, renamed, own]
    assert store.timelines("node1", {"m1"}, 2, lambda mac: mac != "m9") == [same_name, renamed]
    assert store.timelines("nobody", set(), 10, lambda mac: True) == []
    assert (store.timeline(strange.id), store.timeline("strange")) == (strange, None)


def test_timelines_are_not_read_at_the_start(place):
    store = place.open()
    store.write([boot(1)])
    assert store.load() == replace(store.load(), boots=[], alerts=[], attempts=[])


def test_timelines_are_kept_by_their_number_of_each_machine_and_in_all(place):
    store = place.open()
    store._retention = Retention(timelines=Keep(20, 100), step=10)
    every = [boot(number, f"node{number % 10}", f"m{number % 10}") for number in range(400)]
    for start in range(0, 400, 4):
        store.write(every[start : start + 4])
    kept = rows_of(store)
    assert set(every[-100:]) <= kept
    assert len(kept) <= 100 + 10
    busy = [boot(number, "busy", "mb", 1000.0 + number) for number in range(80)]
    for one in busy:
        store.write([one])
    assert store.timelines("busy", (), 100, lambda mac: True)[:20] == busy[:-21:-1]
    assert len(store.timelines("busy", (), 100, lambda mac: True)) <= 20 + 16


def test_timelines_are_kept_for_some_time_whatever_their_number(place):
    day, now = 86400.0, 100 * 86400.0
    store = place.open()
    store._retention = Retention(timelines=Keep(50, 1000, 90 * day), step=10, clock=lambda: now)
    old = [boot(number, f"node{number}", began=now - 90 * day - 5 + number) for number in range(8)]
    store.write(old)
    assert rows_of(store) == set(old[5:])  # the first write of a daemon looks
    now += 3600.0  # so that the next hour's first does
    store.write([boot(1, "other", began=now)])
    assert rows_of(store) == {boot(1, "other", began=now)}


def test_the_age_of_other_history_does_not_matter(place):
    store = place.open()
    store._retention = Retention(timelines=Keep(50, 1000, 1.0), clock=lambda: FUTURE)
    store.write([row for row in ONE_OF_EACH if not isinstance(row, Timeline)])
    store.write([boot(1)])
    assert rows_of(store) == {row for row in ONE_OF_EACH if not isinstance(row, Timeline)}


NAMES = st.sampled_from(["n1", "n2", "n3", "52:54:00:00:00:01"])
TEXTS = st.one_of(st.just(""), st.text(max_size=12), st.just("\0"))
TIMES = st.floats(allow_nan=False, allow_infinity=False, width=64)
FLAGS = st.booleans()
ROWS = st.one_of(
    st.builds(
        Standing, NAMES, st.lists(NAMES, max_size=3).map(tuple), st.sampled_from([None, *State]), FLAGS, TEXTS, TIMES,
        st.integers(-(2**63), 2**63 - 1), TEXTS, TIMES, TIMES, TEXTS, TEXTS, TEXTS, TEXTS, FLAGS,
    ),
    st.builds(
        Token, NAMES, TEXTS, TEXTS, st.sampled_from(Purpose), TIMES, st.just(FUTURE), FLAGS, st.sampled_from(Spent),
        TEXTS,
    ),
    st.builds(Booted, NAMES, TEXTS, TEXTS, TEXTS, TEXTS, TIMES),
    st.builds(FirstBoot, NAMES, TEXTS, TIMES),
    st.builds(Setting, NAMES, TEXTS),
    st.builds(Attempt, NAMES, NAMES, st.integers(0, 9), TIMES, TIMES, TEXTS, TEXTS, TEXTS),
    st.builds(BootRecord, NAMES, NAMES, TEXTS, TEXTS, TIMES, TEXTS, TEXTS),
    st.builds(Alert, NAMES, TIMES, NAMES, TEXTS, TEXTS, TEXTS, TEXTS),
    st.builds(Timeline, NAMES, NAMES, NAMES, TIMES, TIMES, TEXTS, TEXTS, TEXTS),
)  # fmt: skip
WRITES = st.one_of(ROWS, ROWS.map(lambda row: Forget(*key_of(row))))


def storable(row: Row) -> Row:
    texts = {name: text(value) for name in row.__slots__ if type(value := getattr(row, name)) is str}
    return replace(row, **texts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(WRITES, max_size=12), max_size=8))
def test_a_store_is_what_a_dictionary_would_be(place, batches):
    store = place.opened[-1] if place.opened else place.open()
    store.write([Forget(*key_of(row)) for row in rows_of(store)])
    model: dict[object, Row] = {}
    for batch in batches:
        store.write(batch)
        for write in batch:
            if isinstance(write, Forget):
                model.pop(key_of(write), None)
            else:
                model[key_of(write)] = storable(write)
    assert rows_of(store) == set(model.values())


def test_infinite_times_are_kept(place):
    store = place.open()
    store.write([replace(NODE, deadline=math.inf)])
    assert store.load().standings["node1"].deadline == math.inf
