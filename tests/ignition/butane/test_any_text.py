"""For any text: never an exception, an output that Ignition accepts, a place in the text for every message."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pxed.ignition import butane, spec
from pxed.ignition.butane.decode import Flag, Listing, Struct, Whole
from pxed.ignition.butane.schema import SPECS, config_struct
from tests.ignition.butane.support import Memory

CASES = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "data" / "butane").glob("*/in.bu"))]
FILES = Memory({"a": b"hello", "t/b": b"\xff", "t/l": "../a", "t/f": None})
ENTRY = re.compile(r"(error|warning|info) at (\$.*, )?line \d+ col \d+: .+", re.DOTALL)
bounded = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def judged(text):
    """Translates, and checks what has to hold for everything."""
    result = butane.translate(text, files=FILES)
    assert (result.output is None) == bool(result.error)
    lines = text.count("\n" if isinstance(text, str) else b"\n") + 1
    for entry in result.entries:
        assert ENTRY.fullmatch(str(entry))
        assert entry.line <= lines * 4  # YAML has other line ends, too
    source = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    butane.pretty(result.entries, "x", source, colour=True)
    if result.output is not None:
        config, found = spec.parse(result.output, result.version)
        assert config is not None
        assert found == []
        assert not [
            finding for finding in spec.validate(config, result.version) if finding.severity is spec.Severity.ERROR
        ]
        assert spec.duplicates(config, result.version) == []
        assert json.loads(result.output)["ignition"]["version"] == result.version
    return result


@bounded
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_noise(text):
    judged(text)


@bounded
@given(st.binary(max_size=200) | st.text(alphabet="-:?{}[]&*!|>'\"%@` \n\taé~<0", max_size=120).map(str.encode))
def test_noise_after_a_header(text):
    judged(b"variant: flatcar\nversion: 1.1.0\n" + text)


PARTS = (b"", b" ", b"\n", b"- ", b"*a", b"&a ", b"!!int ", b"~", b"<<: ", b"{", b"]", b"\xff", b"\xef\xbb\xbf")
EDIT = st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(PARTS))


@bounded
@given(st.sampled_from(CASES), st.lists(EDIT, min_size=1, max_size=4))
def test_real_configs_with_parts_lost_and_added(text, edits):
    for where, lost, added in edits:
        at = int(where * len(text))
        text = text[:at] + added + text[at + lost :]
    judged(text)


WORDS = st.sampled_from(
    ["/a", "/b/c", "rel", "a", "t", "a.service", "b.conf", "core", "ext4", "swap", "raid1", "data:,x", "http://x/y",
     "sha512-ab", "gzip", "", "[Unit]\nA=b\n", "\u2028", "é", "\x00", "10-x.conf", "x@.container"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-5, 5000) | WORDS


def values(kind):
    """Mostly what fits a type of the schema, now and then what does not."""
    if isinstance(kind, Struct):
        fields = {name: values(of) for name, of in kind.fields.items() if name not in ("variant", "version")}
        fitting = st.dictionaries(st.sampled_from(sorted(fields)), st.none(), max_size=4).flatmap(
            lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen})
        )
    elif isinstance(kind, Listing):
        fitting = st.lists(values(kind.of), max_size=3)
    else:
        fitting = (
            st.booleans() if isinstance(kind, Flag) else st.integers(0, 5000) if isinstance(kind, Whole) else WORDS
        )
    return st.integers(0, 40).flatmap(lambda odd: fitting if odd else SCALARS)


@pytest.mark.parametrize("version", SPECS)
@settings(bounded, max_examples=60)
@given(st.data())
def test_configs_of_the_schema(version, data):
    config = data.draw(values(config_struct(version)))
    body = config if isinstance(config, dict) else {}
    judged(json.dumps({"variant": "flatcar", "version": version, **body}))
