"""Tokens in the running daemon: minted, looked up, spent. The rules are pxed.status.tokens.

All that count are in memory; each change is durable before its answer leaves. A raw token is nowhere kept.
"""

from __future__ import annotations

import secrets
import time
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NoReturn

from pxed.server.alerts import Alerts, Subject
from pxed.server.callers import Caller
from pxed.server.keeping import Keeper
from pxed.server.replies import refuse
from pxed.status import tokens
from pxed.status.records import Forget, Purpose, Setting, Spent, Token, Write
from pxed.status.store.errors import StoreError
from pxed.status.tokens import Denied

NOT_KEPT = "The state cannot be kept now, pxed's log says why"  # which is nobody else's business
KEY = "token-key"  # the setting that holds the key
MOST = 200_000  # tokens; the oldest goes first: a group's machines are MACs that a sender can invent
_RETRY = {"Retry-After": "2"}


class Access:
    """Who may have a machine's secrets."""

    def __init__(self, keeper: Keeper, alerts: Alerts, known: Mapping[str, Token], key: bytes) -> None:
        self._keeper = keeper
        self._alerts = alerts
        self._key = key
        self._tokens: OrderedDict[str, Token] = OrderedDict()
        self._of: dict[str, set[str]] = {}  # hashes by machine
        self._former: dict[str, frozenset[str]] = {}  # names that the machines of tokens had before, by hash
        self._busy: set[str] = set()
        for token in known.values():
            self._remember(token)

    def mint(self, purpose: Purpose, machine: str, boot: str, seconds: float, *, once: bool, address: str = "") -> str:
        """A new token in memory: its row is among fresh() and is to be committed before anybody gets it."""
        raw = tokens.written(secrets.token_bytes(tokens.SIZE))
        self._remember(_row(raw, purpose, machine, boot, seconds, once=once, address=address))
        return raw

    def derive(self, raw: str, token: Token, purpose: Purpose, seconds: float, once: bool) -> tuple[str, Token]:
        """The token of the same boot for another purpose, and its row, which is not known yet."""
        other = tokens.derived(self._key, raw, purpose, token.machine, token.boot)
        bound = token.address if purpose is Purpose.SECURE else ""
        return other, _row(other, purpose, token.machine, token.boot, seconds, once=once, address=bound)

    def rows(self, machine: str, boot: str) -> list[Token]:
        """What is known of a boot's tokens."""
        return [token for token in self.of(machine) if token.boot == boot]

    def of(self, machine: str) -> list[Token]:
        """All that count of a machine."""
        return [self._tokens[hash_] for hash_ in self._of.get(machine, ())]

    def remembered(self, machine: str) -> Callable[[str], list[Write]]:
        """What lets a machine's tokens count again, under its name of then: their end could not be kept. Nobody has
        those that were minted since. It gives what makes that durable."""
        known = [(token, self._former.get(token.hash, frozenset())) for token in self.of(machine)]

        def put_back(now: str) -> list[Write]:
            ended = [(replace(token, machine=now), names) for token, names in known if token.hash not in self._tokens]
            for token, names in ended:
                self._remember(token)
                if former := names | ({machine} - {now}):
                    self._former[token.hash] = former
            return [token for token, _ in ended]

        return put_back

    def is_spent(self, machine: str, boot: str, purpose: Purpose) -> bool:
        """Whether a token of the boot has been used."""
        return any(row.purpose is purpose and row.state is Spent.SPENT for row in self.rows(machine, boot))

    def drop(self, machine: str, *, keep: Iterable[Purpose] = ()) -> list[Write]:
        """Forget a machine's tokens but those for `keep`: the writes that make it durable."""
        kept = frozenset(keep)
        gone = [hash_ for hash_ in self._of.get(machine, ()) if self._tokens[hash_].purpose not in kept]
        for hash_ in gone:
            self._forget(hash_)
        return [Forget(Token, (hash_,)) for hash_ in gone]

    def owner_of(self, raw: str, name: str, *, listed: bool) -> str:
        """The machine that a token was given to, by its name of now: when it was `name` then, which another one may
        have now, or when no machine of that name is listed. "" else, and for a token that is not known."""
        row = self._tokens.get(tokens.hashed(raw)) if raw else None
        return row.machine if row is not None and (not listed or name in self._former.get(row.hash, ())) else ""

    def move(self, moves: Mapping[str, str]) -> list[Write]:
        """Tokens of machines that have another name now, and what makes that durable."""
        old = {hash_: name for name in moves for hash_ in self._of.get(name, ())}
        moved = [replace(self._tokens[hash_], machine=moves[name]) for hash_, name in old.items()]
        former = {hash_: self._former.get(hash_, frozenset()) | {name} for hash_, name in old.items()}
        for token in moved:
            self._forget(token.hash)
        for token in moved:
            self._remember(token)
        self._former |= former
        return list(moved)

    def is_for(self, raw: str, machine: str, purposes: frozenset[Purpose]) -> bool:
        """Whether a token was given to the machine for one of these."""
        row = self._tokens.get(tokens.hashed(raw))
        return row is not None and row.machine == machine and row.purpose in purposes

    def check(self, raw: str, machine: str, purposes: frozenset[Purpose], caller: Caller) -> Token:
        """The row of a token that opens one of `purposes`. Raises HttpRefusalError, and an alert."""
        hash_ = tokens.hashed(raw) if len(raw) <= tokens.LENGTH else ""
        return self._judged(hash_, machine, purposes, caller)

    def _judged(self, hash_: str, machine: str, purposes: frozenset[Purpose], caller: Caller) -> Token:
        row = self._tokens.get(hash_)
        busy = row is not None and row.once and row.hash in self._busy
        verdict = tokens.judged(row, machine, purposes, caller.address, time.time(), busy=busy)
        if isinstance(verdict, Denied):
            self.deny(verdict, machine, caller)
        return verdict

    def deny(self, denied: Denied, machine: str, caller: Caller) -> NoReturn:
        """Refuse it, and raise the alert."""
        if denied.what:
            whose = f", the address of {caller.machine or caller.mac}" if caller.machine or caller.mac else ""
            text = f"{caller.address}{whose} was refused a secret of {machine}: {denied.sentence}"
            self._alerts.alert(denied.what, Subject(machine, caller.mac, caller.address), text)
        headers = _RETRY if denied.status == 503 else {}
        refuse(denied.status, f"Not for this token: {denied.sentence}.", headers, "token")

    async def begin(self, token: Token, caller: Caller, *others: Token) -> None:
        """An answer to a token begins; `others` are in it. Durable when it returns. Raises HttpRefusalError: 503, or
        as check() does, for others may have shown the token while the answer was made."""
        name = self._tokens.get(token.hash, token).machine  # it can be renamed while the answer is made
        token = self._judged(token.hash, name, frozenset({token.purpose}), caller)
        row = tokens.serving(token, caller.address)
        if token.once:
            self._busy.add(token.hash)
        unspent = (other for other in others if self._tokens.get(other.hash, _NONE).state is not Spent.SPENT)
        new = [replace(other, machine=name) for other in unspent]
        before = [self._tokens.get(one.hash) for one in (row, *new)]
        for one in (row, *new):
            self._remember(one)
        try:
            await self._keeper.commit(row, *new)
        except StoreError:
            for one, old in zip((row, *new), before, strict=True):
                if self._tokens.get(one.hash) is one:  # else another boot has begun, which ends them
                    self._remember(old) if old is not None else self._forget(one.hash)
            self._busy.discard(token.hash)
            refuse(503, f"{NOT_KEPT}: ask again.", {"Retry-After": "5"})
        except BaseException:
            self._busy.discard(token.hash)
            raise

    async def end(self, token: Token, address: str, *, whole: bool) -> None:
        """The answer is over; `whole`: it has arrived."""
        self._busy.discard(token.hash)
        known = self._tokens.get(token.hash)  # by the name that its machine has by now
        if not whole or not token.once or known is None:
            return
        row = tokens.served(tokens.serving(known, address))
        self._remember(row)
        try:
            await self._keeper.commit(row)
        except StoreError:
            self._keeper.later(row)

    def expire(self, now: float) -> None:
        """Forget what has expired: called from time to time."""
        for hash_ in [hash_ for hash_, token in self._tokens.items() if token.expires <= now]:
            if hash_ not in self._busy:
                self._forget(hash_)
                self._keeper.later(Forget(Token, (hash_,)))

    def _remember(self, token: Token) -> None:
        self._tokens[token.hash] = token
        self._of.setdefault(token.machine, set()).add(token.hash)
        if len(self._tokens) > MOST:
            self._forget(next(iter(self._tokens)))

    def _forget(self, hash_: str) -> None:
        token = self._tokens.pop(hash_, None)
        if token is None:
            return
        self._former.pop(hash_, None)
        hashes = self._of[token.machine]
        hashes.discard(hash_)
        if not hashes:
            del self._of[token.machine]


_NONE = Token("", "", "", Purpose.CONFIG, 0.0, 0.0)


def _row(
    raw: str, purpose: Purpose, machine: str, boot: str, seconds: float, *, once: bool, address: str = ""
) -> Token:
    now = time.time()
    return Token(tokens.hashed(raw), machine, boot, purpose, now, now + seconds, once, address=address)


async def token_key(keeper: Keeper, settings: Mapping[str, Setting]) -> bytes:
    """The key that tokens are derived with: the store's, made at its first use. Raises StoreError."""
    known = settings.get(KEY)
    if known is not None:
        return b64decode(known.value)
    key = secrets.token_bytes(tokens.SIZE)
    await keeper.commit(Setting(KEY, b64encode(key).decode()))
    return key
