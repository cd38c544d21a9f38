"""The installation's state machine: each transition of design section 7, and what no order of events may do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pxed.boot.course import Way
from pxed.status import install, oneshot
from pxed.status.install import OutdatedError, Rules, is_open, on_boot, on_deadline, on_report
from pxed.status.records import Standing, State

RULES = Rules(attempts=3, deadline=100.0, backoff=10.0)
NEW = install.wanted("node1", ("52:54:00:00:00:01",), 1.0)


def story(*steps, start=NEW):
    """What a row of (what, boot, time) leads to: "boot", or a stage that is reported, "tick" for the deadline."""
    standing, last = start, None
    for what, boot, now in steps:
        if what == "boot":
            last = on_boot(standing, boot, now, RULES, "4593.2.5")
            standing = last.step.standing
        elif what == "tick":
            standing = on_deadline(standing, now, RULES).standing
        else:
            standing = on_report(standing, boot, what, f"it {what}", now, RULES).standing
    return standing, last


INSTALLED = [("boot", "b1", 10), ("installing", "b1", 20), ("installed", "b1", 90)]
FAILED_ONCE = [("boot", "b1", 10), ("failed", "b1", 20)]
HELD = [*FAILED_ONCE, ("boot", "b2", 40), ("failed", "b2", 50), ("boot", "b3", 80), ("failed", "b3", 90)]


@pytest.mark.parametrize(
    ("steps", "state", "attempt"),
    [
        pytest.param([], State.WANTED, 0, id="nothing has happened"),
        pytest.param([("boot", "b1", 10)], State.WANTED, 1, id="a script that was given installs nothing yet"),
        pytest.param(
            [("boot", "b1", 10), ("boot", "b1", 12)], State.WANTED, 1, id="the same boot that asks again is one attempt"
        ),
        pytest.param(INSTALLED[:2], State.INSTALLING, 1, id="its own report makes it installing"),
        pytest.param(INSTALLED, State.INSTALLED, 1, id="its own report makes it installed"),
        pytest.param([*INSTALLED, ("boot", "b2", 99)], State.LOCAL, 1, id="the boot after that is from the disk"),
        pytest.param([*INSTALLED, ("running", "b1", 99)], State.LOCAL, 1, id="the installed system says that it runs"),
        pytest.param(
            [*INSTALLED, ("installed", "b1", 95)], State.INSTALLED, 1, id="a report that is said twice counts once"
        ),
        pytest.param(
            [*INSTALLED, ("installing", "b1", 95)],
            State.INSTALLED,
            1,
            id="a late report of progress takes nothing back",
        ),
        pytest.param(
            [INSTALLED[0], INSTALLED[2]], State.INSTALLED, 1, id="installed without installing before counts too"
        ),
        pytest.param(FAILED_ONCE, State.WANTED, 1, id="a failed attempt is followed by another"),
        pytest.param([*FAILED_ONCE, ("failed", "b1", 21)], State.WANTED, 1, id="a failure that is said twice is one"),
        pytest.param([*FAILED_ONCE, ("boot", "b2", 25)], State.WANTED, 1, id="no attempt begins during the back-off"),
        pytest.param([*FAILED_ONCE, ("boot", "b2", 31)], State.WANTED, 2, id="one begins after it"),
        pytest.param(
            [("boot", "b1", 10), ("boot", "b2", 12)], State.WANTED, 1, id="a new boot without a report ends the attempt"
        ),
        pytest.param(
            [("boot", "b1", 10), ("tick", "", 109)], State.WANTED, 1, id="before the deadline nothing happens"
        ),
        pytest.param(HELD, State.FAILED, 3, id="after three failures it is held"),
        pytest.param([*HELD, ("boot", "b4", 9999)], State.FAILED, 3, id="and stays so however often it boots"),
        pytest.param([*HELD, ("installing", "b3", 95)], State.FAILED, 3, id="and whatever progress it tells of"),
        pytest.param(
            [*HELD, ("installed", "b3", 95)], State.INSTALLED, 3, id="unless the last attempt was done after all"
        ),
        pytest.param(
            [("boot", "b1", 10), ("tick", "", 111), ("installed", "b1", 112)],
            State.INSTALLED,
            1,
            id="a report after the deadline still counts",
        ),
        pytest.param(
            [("boot", "b1", 10), ("tick", "", 111), ("installing", "b1", 112)],
            State.INSTALLING,
            1,
            id="an attempt that was given up can be alive",
        ),
    ],
)
def test_a_story_ends_in_a_state(steps, state, attempt):
    standing, _ = story(*steps)
    assert (standing.state, standing.attempt) == (state, attempt)


@pytest.mark.parametrize(
    ("steps", "way", "says", "seconds"),
    [
        pytest.param([("boot", "b1", 10)], Way.INSTALL, "", 0, id="the first boot installs"),
        pytest.param(
            [("boot", "b1", 10), ("boot", "b2", 12)],
            Way.WAIT,
            "booted again and the installer had not",
            10,
            id="a loop waits",
        ),
        pytest.param(
            [*INSTALLED[:2], ("boot", "b2", 30)],
            Way.WAIT,
            "booted again while it was installing",
            10,
            id="a reset in the middle waits",
        ),
        pytest.param(
            [*FAILED_ONCE, ("boot", "b2", 25)], Way.WAIT, "attempt 1 failed: it failed", 5, id="the back-off is told"
        ),
        pytest.param(
            [*HELD[:4], ("boot", "b3", 51)], Way.WAIT, "attempt 2 failed", 19, id="the second back-off is twice as long"
        ),
        pytest.param([*HELD, ("boot", "b4", 9999)], Way.HELD, "no more are made: it failed", 0, id="held says why"),
        pytest.param([*INSTALLED, ("boot", "b2", 99)], Way.LOCAL, "", 0, id="an installed machine boots its disk"),
        pytest.param(
            [("boot", "b1", 10), ("tick", "", 111), ("boot", "b2", 112)],
            Way.WAIT,
            "the installer never reported within 100 seconds",
            9,
            id="a missed deadline is told",
        ),
    ],
)
def test_a_boot_does_what_its_story_makes_of_it(steps, way, says, seconds):
    _, turn = story(*steps)
    assert (turn.way, turn.seconds) == (way, seconds)
    assert says in turn.text


def test_a_report_renews_the_deadline():
    standing, _ = story(*INSTALLED[:2])
    assert standing.deadline == 120
    assert on_report(standing, "b1", "installing", "writing", 110, RULES).standing.deadline == 210


def test_the_back_off_doubles_and_is_bounded():
    rules, standing, waits, now = Rules(30, 100, 100), NEW, [], 0.0
    for number in range(8):
        standing = on_boot(standing, f"b{number}", now, rules).step.standing
        standing = on_report(standing, f"b{number}", "failed", "", now, rules).standing
        waits.append(standing.not_before - now)
        now = standing.not_before
    assert waits == [100, 200, 400, 800, 1600, 3200, 3600, 3600]


@pytest.mark.parametrize("stage", ["installing", "installed", "failed", "running"])
def test_a_report_of_an_earlier_boot_is_refused(stage):
    standing, _ = story(*FAILED_ONCE, ("boot", "b2", 40))
    with pytest.raises(OutdatedError, match="another one has begun"):
        on_report(standing, "b1", stage, "", 41, RULES)


@pytest.mark.parametrize("order", [lambda s: install.order_install(s, "", 95), lambda s: install.order_reset(s, 95)])
def test_after_an_order_the_old_boot_has_no_say(order):
    standing, _ = story(*INSTALLED[:2])
    step = order(standing)
    assert [row.outcome for row in step.attempts] == ["superseded"]
    with pytest.raises(OutdatedError):
        on_report(step.standing, "b1", "installed", "", 96, RULES)


def test_an_order_frees_a_held_machine_with_all_its_attempts():
    standing, _ = story(*HELD)
    again = install.order_install(standing, "other", 100).standing
    assert (again.state, again.attempt, again.ordered, again.profile) == (State.WANTED, 0, True, "other")
    assert on_boot(again, "b9", 100, RULES).way is Way.INSTALL


def test_a_machine_that_is_told_to_boot_its_disk_does_so_at_once():
    standing, _ = story(*INSTALLED[:2])
    assert on_boot(install.order_local(standing, 30).standing, "b2", 40, RULES).way is Way.LOCAL


@pytest.mark.parametrize("stage", ["installing", "failed"])
def test_an_installer_learns_that_its_machine_is_to_boot_the_disk_before_it_writes(stage):
    standing, _ = story(*INSTALLED[:2])
    with pytest.raises(OutdatedError, match="an operator wants this machine to boot its disk"):
        on_report(install.order_local(standing, 30).standing, "b1", stage, "", 40, RULES)


def test_a_clock_that_was_set_back_does_not_keep_a_machine_waiting():
    standing, _ = story(*FAILED_ONCE)
    assert on_boot(replace(standing, not_before=1e9), "b2", 40, RULES).way is Way.INSTALL


def test_every_ended_attempt_says_how():
    standing, rows = NEW, []
    for number in range(3):
        turn = on_boot(standing, f"b{number}", number * 1000, RULES, "1.2.3")
        step = on_report(turn.step.standing, f"b{number}", "failed", f"reason {number}", number * 1000 + 5, RULES)
        rows += [*turn.step.attempts, *step.attempts]
        standing = step.standing
    ended = [(row.boot, row.number, row.outcome, row.reason, row.version) for row in rows if row.ended]
    assert ended == [(f"b{n}", n + 1, "failed", f"reason {n}", "1.2.3") for n in range(3)]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["new boot", "same boot", "installing", "failed", "running", "old installed", "tick", "order"]),
        st.floats(0, 300),
    ),
    max_size=60,
)


@given(EVENTS)
def test_no_order_of_events_installs_without_the_reports_of_the_current_attempt(events):
    """Nothing but `installed` of the boot that counts ends an installation; attempts never pass the budget."""
    standing, now, boots = NEW, 0.0, ["b0"]
    for what, wait in events:
        now += wait
        try:
            if what == "new boot":
                boots.append(f"b{len(boots)}")
            if what.endswith("boot"):
                turn = on_boot(standing, boots[-1], now, RULES)
                standing = turn.step.standing
                assert (turn.way is Way.INSTALL) == (is_open(standing) and standing.boot == boots[-1])
            elif what == "tick":
                standing = on_deadline(standing, now, RULES).standing
            elif what == "order":
                standing = install.order_install(standing, "", now).standing
            elif what == "old installed":
                old = next((boot for boot in boots if boot != standing.boot), "none")
                standing = on_report(standing, old, "installed", "", now, RULES).standing
            else:
                standing = on_report(standing, standing.boot or "none", what, "", now, RULES).standing
        except OutdatedError:
            pass
        assert standing.state in (State.WANTED, State.INSTALLING, State.FAILED)
        assert standing.attempt <= RULES.attempts
        assert is_open(standing) or standing.state is not State.INSTALLING


class TestOneShot:
    def test_it_is_given_to_the_next_boot_and_to_no_other(self):
        standing = oneshot.order(Standing("node1"), "rescue")
        first = oneshot.on_boot(standing, "b1")
        again = oneshot.on_boot(first.standing, "b1")
        assert (first.profile, again.profile) == ("rescue", "rescue")
        after = oneshot.on_boot(oneshot.on_loaded(again.standing), "b2")
        assert (after.profile, after.standing.next_profile) == ("", "")

    def test_a_boot_that_did_not_load_it_does_not_use_it_up(self):
        first = oneshot.on_boot(oneshot.order(Standing("node1"), "rescue"), "b1")
        assert oneshot.on_boot(first.standing, "b2").profile == "rescue"

    def test_it_can_be_taken_back(self):
        standing = oneshot.order(oneshot.order(Standing("node1"), "rescue"), "")
        assert oneshot.on_boot(standing, "b1").profile == ""

    def test_files_of_another_boot_do_not_use_it_up(self):
        standing = oneshot.order(Standing("node1"), "rescue")
        assert oneshot.on_loaded(standing) == standing

    def test_it_leaves_the_installation_as_it_is(self):
        standing = replace(NEW, next_profile="rescue")
        assert replace(oneshot.on_boot(standing, "b1").standing, next_boot="") == standing
