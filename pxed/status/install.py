"""The installation of one machine as a state machine (design section 7). Pure: what is known, what happened and when
go in, what is known then comes out.

    wanted -> installing -> installed -> local
       ^          |
       +- failed attempt, back-off -> ... -> failed: held until an operator acts

A state moves forward on the machine's own report only. An attempt begins when a boot is given the installer; a new boot
or a passed deadline without a report in between is a failed attempt. Every function gives the same result when it is
asked again about the same thing: a machine repeats a report whose answer it did not get.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from pxed.boot.course import Way
from pxed.errors import PxedError
from pxed.status.records import Attempt, Standing, State

MAX_BACKOFF = 3600.0  # seconds
MAX_REASON = 2000  # characters of a machine's report that are kept


class OutdatedError(PxedError):
    """A report that belongs to no attempt that counts: its machine has begun another one, or was told otherwise."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How an installation is tried. Times in seconds."""

    attempts: int = 3
    deadline: float = 1800.0  # from the script to the first report, and from one report to the next
    backoff: float = 30.0  # before the second attempt; doubled before each further one
    then_local: bool = False  # after the last one the disk is booted; else the machine is held


class Step(NamedTuple):
    """What is known now, and what became of attempts. `said` is the sentence for the log, "" when nothing changed."""

    standing: Standing
    attempts: tuple[Attempt, ...] = ()
    said: str = ""


class Turn(NamedTuple):
    """What a boot does, and what is known then."""

    way: Way
    step: Step
    text: str = ""
    seconds: int = 0  # until it may ask again


def is_open(standing: Standing) -> bool:
    """Whether an attempt is under way."""
    return standing.deadline > 0.0


def on_boot(standing: Standing, boot: str, now: float, rules: Rules, version: str = "") -> Turn:
    """A machine whose profile installs asks for its script, in the boot `boot`; `version` would be installed."""
    if standing.state is State.INSTALLED:
        return Turn(Way.LOCAL, _to(standing, State.LOCAL, now, "installed, and boots its disk"))
    if standing.state is State.LOCAL:
        return Turn(Way.LOCAL, Step(standing))
    if is_open(standing) and standing.boot != boot:
        return _told(_failed(standing, _came_back(standing), now, rules), now)
    if is_open(standing):
        return Turn(Way.INSTALL, Step(standing))
    if standing.state is State.FAILED or 0.0 < standing.not_before - now <= MAX_BACKOFF:  # else the clock was set back
        return _told(Step(standing), now)
    return Turn(Way.INSTALL, _begun(standing, boot, now, rules, version))


def on_report(standing: Standing, boot: str, stage: str, message: str, now: float, rules: Rules) -> Step:
    """A report `installing`, `installed`, `failed` or `running` made in the boot `boot`. Raises OutdatedError."""
    if standing.boot != boot or standing.state is None:
        raise OutdatedError("this report belongs to an earlier boot; another one has begun since")
    if standing.state in (State.INSTALLED, State.LOCAL):
        return _after_success(standing, stage, now)
    if stage == "installed":
        return _installed(standing, now)
    if stage == "failed":
        why = message or "the installer says no more"
        return _failed(standing, why, now, rules) if is_open(standing) else _same(standing)
    if stage == "installing":
        return _installing(standing, now, rules)
    return _same(standing)


def on_deadline(standing: Standing, now: float, rules: Rules) -> Step:
    """Time has passed: an attempt without a report has failed."""
    if not is_open(standing) or now < standing.deadline:
        return _same(standing)
    where = "the installer never reported" if standing.state is State.WANTED else "no more report of the installer"
    return _failed(standing, f"{where} within {_minutes(rules.deadline)}", now, rules)


def order_install(standing: Standing, profile: str, now: float) -> Step:
    """An operator wants it installed (again): the next boot does it."""
    fresh = Standing(
        standing.machine,
        standing.macs,
        State.WANTED,
        ordered=True,
        profile=profile,
        since=now,
        next_profile=standing.next_profile,
        next_boot=standing.next_boot,
        next_loaded=standing.next_loaded,
    )
    return Step(fresh, _superseded(standing, now), "an operator wants it installed: its next boot does it")


def order_local(standing: Standing, now: float) -> Step:
    """An operator wants it to boot its disk."""
    local = replace(
        standing, state=State.LOCAL, ordered=True, since=now, deadline=0.0, not_before=0.0, reason="", attempt=0
    )
    return Step(local, _superseded(standing, now), "an operator wants it to boot its disk")


def order_reset(standing: Standing, now: float) -> Step:
    """Nothing is known of it any more: it does what the inventory says, as a new machine does."""
    forgotten = Standing(standing.machine, standing.macs)
    return Step(forgotten, _superseded(standing, now), "an operator has reset it: it does what the inventory says")


def wanted(machine: str, macs: tuple[str, ...], now: float) -> Standing:
    """A machine that the inventory wants installed, and of which nothing is known yet."""
    return Standing(machine, macs, State.WANTED, since=now)


def _begun(standing: Standing, boot: str, now: float, rules: Rules, version: str) -> Step:
    number = standing.attempt + 1
    begun = replace(
        standing, state=State.WANTED, attempt=number, boot=boot, deadline=now + rules.deadline, not_before=0.0,
        version=version, since=standing.since or now,
    )  # fmt: skip
    attempt = Attempt(standing.machine, boot, number, now, version=version)
    return Step(begun, (attempt,), f"attempt {number} of {rules.attempts} begins")


def _installing(standing: Standing, now: float, rules: Rules) -> Step:
    """The deadline begins anew; an attempt that had been given up is alive after all, unless the machine is held."""
    if standing.state is State.FAILED:
        return _same(standing)
    said = "" if standing.state is State.INSTALLING else f"attempt {standing.attempt} of {rules.attempts} is installing"
    since = standing.since if standing.state is State.INSTALLING else now
    going = replace(
        standing, state=State.INSTALLING, since=since, deadline=now + rules.deadline, not_before=0.0, reason=""
    )
    attempts = () if is_open(standing) else (_row(standing, now),)
    return Step(going, attempts, said)


def _installed(standing: Standing, now: float) -> Step:
    done = replace(standing, state=State.INSTALLED, since=now, deadline=0.0, not_before=0.0, reason="", ordered=False)
    row = replace(_row(standing, now), ended=now, outcome="installed")
    return Step(done, (row,), "is installed: its next boot is from its disk")


def _after_success(standing: Standing, stage: str, now: float) -> Step:
    if standing.ordered and stage in ("installing", "failed"):
        raise OutdatedError("an operator wants this machine to boot its disk")
    if stage == "failed":
        raise OutdatedError("this installation was reported as complete")
    if stage == "running" and standing.state is State.INSTALLED:
        return _to(standing, State.LOCAL, now, "installed, and runs from its disk")
    return _same(standing)


def _failed(standing: Standing, reason: str, now: float, rules: Rules) -> Step:
    reason = reason[:MAX_REASON]
    row = replace(_row(standing, now), ended=now, outcome="failed", reason=reason)
    closed = replace(standing, deadline=0.0, reason=reason, since=now)
    what = f"attempt {standing.attempt} of {rules.attempts} failed: {reason}"
    if standing.attempt >= rules.attempts:
        last = "boots its disk all the same" if rules.then_local else "held"
        return Step(replace(closed, state=State.FAILED, not_before=0.0), (row,), f"{last}: {what}")
    wait = min(MAX_BACKOFF, rules.backoff * 2 ** min(standing.attempt - 1, 20))
    return Step(replace(closed, state=State.WANTED, not_before=now + wait), (row,), what)


def _told(step: Step, now: float) -> Turn:
    """The screen of a machine whose attempt has failed: wait, or held."""
    standing = step.standing
    if standing.state is State.FAILED:
        return Turn(Way.HELD, step, f"attempt {standing.attempt} failed, no more are made: {standing.reason}")
    seconds = max(1, int(standing.not_before - now + 0.999))
    return Turn(Way.WAIT, step, f"attempt {standing.attempt} failed: {standing.reason}", seconds)


def _came_back(standing: Standing) -> str:
    if standing.state is State.INSTALLING:
        return "the machine booted again while it was installing"
    return "the machine booted again and the installer had not reported"


def _to(standing: Standing, state: State, now: float, said: str) -> Step:
    return Step(replace(standing, state=state, since=now), (), said)


def _same(standing: Standing) -> Step:
    return Step(standing)


def _row(standing: Standing, now: float) -> Attempt:
    """The attempt's row. Whoever keeps the rows leaves the `began` of one that is there already."""
    return Attempt(standing.machine, standing.boot, standing.attempt, now, version=standing.version)


def _superseded(standing: Standing, now: float) -> tuple[Attempt, ...]:
    if not is_open(standing):
        return ()
    return (replace(_row(standing, now), ended=now, outcome="superseded", reason="an operator decided otherwise"),)


def _minutes(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"
