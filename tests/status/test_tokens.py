"""Tokens: what opens what, and what does not."""

from dataclasses import replace

import pytest

from pxed.status import tokens
from pxed.status.records import Purpose, Spent, Token
from pxed.status.tokens import Denied, derived, hashed, judged, served, serving, written

KEY = bytes(range(32))
RAW = written(bytes(32))
CONFIG = frozenset({Purpose.CONFIG})
ROW = Token(hashed(RAW), "node1", "b1", Purpose.CONFIG, 100.0, 1000.0, once=True)


def test_a_token_has_256_bits_in_43_characters_that_a_url_carries_as_they_are():
    assert len(RAW) == tokens.LENGTH == 43
    assert written(b"\xff" * 32).replace("-", "").replace("_", "").isalnum()


def test_tokens_of_a_boot_differ_by_purpose_machine_boot_key_and_origin():
    made = {
        derived(KEY, RAW, Purpose.REPORT, "node1", "b1"),
        derived(KEY, RAW, Purpose.SYSTEM, "node1", "b1"),
        derived(KEY, RAW, Purpose.REPORT, "node2", "b1"),
        derived(KEY, RAW, Purpose.REPORT, "node1", "b2"),
        derived(KEY[::-1], RAW, Purpose.REPORT, "node1", "b1"),
        derived(KEY, written(b"x" * 32), Purpose.REPORT, "node1", "b1"),
        RAW,
    }
    assert len(made) == 7
    assert {len(token) for token in made} == {tokens.LENGTH}


def test_the_same_token_is_made_again():
    assert derived(KEY, RAW, Purpose.REPORT, "n", "b") == derived(KEY, RAW, Purpose.REPORT, "n", "b")


@pytest.mark.parametrize(
    ("token", "asked", "what", "status"),
    [
        pytest.param(None, {}, "wrong-token", 403, id="one that nobody gave out"),
        pytest.param(ROW, {"machine": "node2"}, "foreign-token", 403, id="that of another machine"),
        pytest.param(ROW, {"purposes": frozenset({Purpose.REPORT})}, "wrong-token", 403, id="one for another purpose"),
        pytest.param(ROW, {"now": 1000.0}, "expired", 403, id="one whose time is over"),
        pytest.param(served(ROW), {}, "replay", 403, id="one that has been used"),
        pytest.param(serving(ROW, "10.0.0.8"), {}, "foreign-address", 403, id="one that another address is using"),
        pytest.param(replace(ROW, address="10.0.0.8"), {}, "foreign-address", 403, id="one bound to another address"),
        pytest.param(serving(ROW, "10.0.0.9"), {"busy": True}, "", 503, id="one whose answer is under way"),
    ],
)
def test_it_is_denied(token, asked, what, status):
    asked = {"machine": "node1", "purposes": CONFIG, "address": "10.0.0.9", "now": 500.0} | asked
    verdict = judged(token, **asked)
    assert isinstance(verdict, Denied)
    assert (verdict.what, verdict.status) == (what, status)
    assert RAW not in verdict.sentence


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(ROW, id="a fresh one"),
        pytest.param(serving(ROW, "10.0.0.9"), id="the same address after a broken answer"),
        pytest.param(served(replace(ROW, once=False)), id="one that works more than once, after its use"),
        pytest.param(replace(ROW, address="10.0.0.9"), id="the address that it is bound to"),
    ],
)
def test_it_opens(token):
    assert judged(token, "node1", CONFIG, "10.0.0.9", 500.0) == token


def test_only_what_works_once_is_bound_and_spent():
    many = replace(ROW, once=False)
    assert serving(many, "10.0.0.9") == many == served(many)
    assert serving(ROW, "10.0.0.9").state is Spent.SERVING
    assert served(ROW).state is Spent.SPENT
