"""For any text, loading gives an Inventory or raises ConfigError, and nothing else."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pxed.errors import ConfigError
from pxed.inventory.loader import loads
from pxed.inventory.model import Inventory
from tests.inventory.support import PATH, VALID

UUID1 = "4c4c4544-0051-3510-8053-b4c04f564433"


def _outcome(text: str) -> Inventory | ConfigError:
    try:
        return loads(text, PATH)
    except ConfigError as error:
        assert error.problems
        return error


@given(st.text(max_size=200))
def test_any_text_is_an_inventory_or_a_config_error(text: str) -> None:
    assert _outcome(text)


_KEYS = [
    "a",
    "b",
    "n",
    "server",
    "images",
    "profiles",
    "groups",
    "machines",
    "mac",
    "uuid",
    "serial",
    "profile",
    "vars",
    "match",
    "kernel",
    "initrd",
    "flatcar",
    "image",
    "boot",
    "console",
    "autologin",
    "ip",
    "install",
    "pxe",
    "tftp",
    "http",
    "port",
    "loaders",
    "<<",
]
_SCALARS = st.sampled_from(
    ["", "~", "5", "true", "x", "'*'", "52:54:00:00:00:01", UUID1, "local", "http://h/k", "[", "&a x", "*a", "!t x"]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(_KEYS), inner), max_size=4).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.tuples(st.sampled_from(_KEYS), _VALUES), max_size=5))
@settings(max_examples=300)
def test_any_shape_under_the_known_keys_is_an_inventory_or_a_config_error(pairs: list[tuple[str, str]]) -> None:
    assert _outcome("\n".join(f"{key}: {value}" for key, value in pairs))


@given(st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_mutation_of_a_valid_text_is_an_inventory_or_a_config_error(data: st.DataObject) -> None:
    text = VALID
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = (
            text[:start]
            + data.draw(st.text(max_size=4) | st.sampled_from(["{", "}", "[", "]", ": ", "\n", "  ", "*", "&"]))
            + text[end:]
        )
    outcome = _outcome(text)
    if isinstance(outcome, ConfigError):
        lines = text.count("\n") + 2  # a mark at the end may stand one line on
        assert all(problem.line <= lines for problem in outcome.problems)
