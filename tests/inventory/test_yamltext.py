"""YAML text as plain data: every scalar is text, every fault has its place."""

from __future__ import annotations

import gc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pxed.inventory.fields import untyped
from pxed.inventory.places import dotted
from pxed.inventory.yamltext import Faulty, Plain, read, read_marked
from tests.inventory.support import marked

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LADDER = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 2000))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        pytest.param("a: 52:54:00:12:34:56", {"a": "52:54:00:12:34:56"}, id="a MAC is no sexagesimal number"),
        pytest.param("a: 2024-01-01", {"a": "2024-01-01"}, id="a date stays text"),
        pytest.param("a: 1.10", {"a": "1.10"}, id="a version is no float"),
        pytest.param("a: yes", {"a": "yes"}, id="yes stays text"),
        pytest.param("no: x", {"no": "x"}, id="a key is text"),
        pytest.param("1: x", {"1": "x"}, id="a numeric key is text"),
        pytest.param(
            "a: ~\nb:\nc: null\nd: ''", {"a": None, "b": None, "c": None, "d": ""}, id="nothing, and an empty text"
        ),
        pytest.param("a: |\n  x\n  y\n", {"a": "x\ny\n"}, id="a block scalar"),
        pytest.param("a: &x {b: c}\nd: *x", {"a": {"b": "c"}, "d": {"b": "c"}}, id="an alias of a mapping"),
        pytest.param("a: &x 5\nd: [*x]", {"a": "5", "d": ["5"]}, id="an alias of a scalar"),
        pytest.param("&x a: b\nd: *x", {"a": "b", "d": "a"}, id="an alias of a key"),
        pytest.param("a: &x 1\nb: &x 2\nc: *x", {"a": "1", "b": "2", "c": "2"}, id="an anchor defined anew"),
        pytest.param(
            "a: &x {b: c, d: e}\nf: {<<: *x, d: g}",
            {"a": {"b": "c", "d": "e"}, "f": {"b": "c", "d": "g"}},
            id="a merge key",
        ),
        pytest.param("a: {d: g, <<: {d: e, h: i}}", {"a": {"d": "g", "h": "i"}}, id="own keys win, whatever the order"),
        pytest.param(
            "a: {<<: [{x: y}, {x: z, v: w}]}", {"a": {"x": "y", "v": "w"}}, id="the first of merged mappings wins"
        ),
        pytest.param("", None, id="an empty text"),
        pytest.param("# only a comment\n", None, id="a comment"),
        pytest.param("--- \n...\n", None, id="an empty document"),
        pytest.param("\ufeffa: b", {"a": "b"}, id="a byte order mark"),
    ],
)
def test_text_becomes_plain_data(text: str, data: object) -> None:
    assert read(text) == data
    assert read_marked(text).data == data
    assert read_marked(text).faults == []


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        pytest.param("a: b\n▶a: c", "a", "a second time; the first is in line 1", id="a duplicate key"),
        pytest.param(
            "x:\n  - {a: b, ▶a: c}", "x[0].a", "a second time; the first is in line 2", id="a duplicate in a list"
        ),
        pytest.param("a: ▶!!int 5", "a", 'the tag "tag:yaml.org,2002:int"', id="a tag"),
        pytest.param("a: ▶!python/object:os.system [x]", "a", "the tag", id="a tag that other loaders run"),
        pytest.param("a: ▶! 5", "a", 'the tag "!"', id="the non-specific tag"),
        pytest.param("a: ▶*x", "a", "the alias *x", id="an alias without its anchor"),
        pytest.param("a: &x [▶*x]", "a[0]", "an anchor that ends above", id="an alias inside its own anchor"),
        pytest.param("? ▶[a]\n: b", "", "a list as a key", id="a list as a key"),
        pytest.param("? ▶{a: b}\n: c", "", "a mapping as a key", id="a mapping as a key"),
        pytest.param("a: &x y\n▶*x : z", "", "an alias as a key", id="an alias as a key"),
        pytest.param("a: b\n▶---\nc: d", "", "a second document", id="a second document"),
        pytest.param("a: {<<: ▶x}", "a.<<", "expected a mapping", id="a merge key without a mapping"),
        pytest.param("a: {<<: {b: c}, ▶<<: {d: e}}", "a.<<", "the merge key << twice", id="two merge keys"),
        pytest.param(
            "a:\n▶\tc: d", "", "not YAML: found character that cannot start any token", id="a tab as indentation"
        ),
        pytest.param("a: [b\nc▶: d", "", "not YAML: did not find expected ',' or ']'", id="a bracket left open"),
        pytest.param('a: "x▶', "", "not YAML: found unexpected end of stream", id="a quote left open"),
        pytest.param("a: b▶: c", "", "mapping values are not allowed", id="a colon too many"),
        pytest.param("a: b\nc: ▶\x07", "", "control characters are not allowed", id="a control character"),
        pytest.param("é: b\nö: ▶\x00", "", "control characters are not allowed", id="a NUL after letters of two bytes"),
        pytest.param("a: ▶\ud800", "", "a lone surrogate", id="a lone surrogate"),
        pytest.param("a: " + "[" * 63 + "▶[" + "]" * 64, "a" + "[0]" * 63, "more than 64 deep", id="deep nesting"),
    ],
)
def test_a_fault_has_its_place(text: str, path: str, message: str) -> None:
    text, place = marked(text)
    faults = read_marked(text).faults
    assert [(fault.place, dotted(fault.path)) for fault in faults] == [(place, path)]
    assert message in faults[0].message
    with pytest.raises(Faulty):
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(BOMB, "aliases that unfold to more than 2000000 values", id="billions of values in nine lines"),
        pytest.param(LADDER, "more than 64 deep", id="aliases that nest two thousand lists"),
    ],
)
def test_what_aliases_unfold_to_is_bounded(text: str, message: str) -> None:
    faults = read_marked(text).faults
    assert len(faults) == 1
    assert message in faults[0].message
    with pytest.raises(Faulty):
        read(text)


def test_all_duplicates_and_tags_are_told_at_once() -> None:
    faults = read_marked("a: 1\na: 2\nb: !x 3\na: 4\n").faults
    assert [fault.place for fault in faults] == [(2, 1), (3, 4), (4, 1)]


def test_places_of_keys_values_and_what_is_missing() -> None:
    found = read_marked("a:\n  b: [x, y]\nc: &z {d: e}\nf: {<<: *z, g: h}\n")
    assert found.locate(("a", "b")) == ((2, 6), 2)
    assert found.locate(("a", "b"), at_key=True) == ((2, 3), 2)
    assert found.locate(("a", "b", 1)) == ((2, 10), 3)
    assert found.locate(("a", "absent")) == ((1, 1), 1), "of a missing key: the key of the mapping that lacks it"
    assert found.locate(("f", "d")) == ((3, 11), 2), "a merged key stands where it was written"
    assert found.locate(("absent",)) == ((1, 1), 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("0", 0), ("-7", -7), ("true", True), ("False", False), ("~", None), ("", None), ("null", None),
        ("'5'", "5"), ('"true"', "true"), ("007", "007"), ("+5", "+5"), ("-0", "-0"), ("1_000", "1_000"),
        ("1.5", "1.5"),
        ("0x1f", "0x1f"), ("yes", "yes"), ("12:30", "12:30"), ("9" * 18, int("9" * 18)), ("9" * 19, "9" * 19),
        ("-", [None]), ("٣", "٣"), ("{a: [1, x]}", {"a": [1, "x"]}),
    ],
)  # fmt: skip
def test_values_of_template_variables_are_typed_by_their_spelling(text: str, value: object) -> None:
    found = untyped(read(f"a: {text}" if text != "-" else "a:\n  -")["a"])
    assert found == value
    assert type(found) is type(value)


@given(
    st.recursive(
        st.text(max_size=8) | st.none(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=20,
    )
)
def test_quoted_data_comes_back_as_it_was(data: object) -> None:
    text = yaml.dump(data, Dumper=_Quoting, allow_unicode=False)
    assert read(text) == data
    assert read_marked(text).data == data


@given(st.text(max_size=80) | st.text("ab:{}[],&*<>-? \n'\"!#|~5", max_size=80))
def test_any_text_is_read_alike_with_and_without_places(text: str) -> None:
    found = read_marked(text)
    try:
        data = read(text)
    except Faulty:
        assert found.faults
    else:
        assert found.faults == []
        assert found.data == data
        assert gc.isenabled()


def test_a_plain_scalar_is_a_text_like_any_other() -> None:
    assert read("a: 5")["a"] == "5"
    assert Plain("true").typed() is True


class _Quoting(yaml.SafeDumper):
    """Quotes every text, so that nothing but None is plain; writes no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
