"""pxed.ignition.butane as a library: what docs/reference/butane.md shows and promises."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pxed.ignition import butane
from tests.ignition.butane.support import Memory, config

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "butane.md").read_text()


def block(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]


WORKER = block("yaml")


def test_the_program_of_the_page_runs(tmp_path):
    (tmp_path / "worker.bu").write_text(WORKER)
    done = subprocess.run(
        [sys.executable, "-c", block("python")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "worker.ign").read_text())["ignition"] == {"version": "3.4.0"}


def test_the_excerpt_of_the_page_is_what_is_shown():
    source = WORKER.replace("0644", "644").encode()
    result = butane.translate(source)
    shown = butane.pretty(result.entries, "worker.bu", source).split("\n\n")[0]
    assert [line.rstrip() for line in shown.splitlines()] == block("text").splitlines()


def test_the_package_imports_without_the_rest_of_pxed():
    code = (
        "import sys; from pxed.ignition import butane;"
        "print(sorted({n.split('.')[1] for n in sys.modules if n.startswith('pxed.')}), 'jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['errors', 'ignition'] False\n"


def test_a_text_and_its_bytes_are_the_same():
    text = config("storage: {files: [{path: /ä}]}")
    assert butane.translate(text) == butane.translate(text.encode())


def test_a_result_names_every_local_file_that_was_asked_for():
    files = Memory({"a": b"", "t/b": b"", "k": b"key"})
    body = (
        "storage: {files: [{path: /a, contents: {local: ./a}}], trees: [{local: t}]}\n"
        "passwd: {users: [{name: core, ssh_authorized_keys_local: [k, nope]}]}"
    )
    assert butane.translate(config(body), files=files).local_files == ("a", "k", "nope", "t", "t/b")


def test_an_entry_has_its_place_and_its_line():
    (entry,) = butane.translate(config("foo: 1")).entries
    assert (entry.severity, entry.path, entry.line, entry.column, entry.message) == (
        "warning", "$.foo", 3, 1, "unused key foo",
    )  # fmt: skip
    assert str(entry) == "warning at $.foo, line 3 col 1: unused key foo"


def test_colours_are_for_terminals():
    source = config("foo: 1").encode()
    shown = butane.pretty(butane.translate(source).entries, "x.bu", source, colour=True)
    assert shown.startswith("\x1b[1;33mwarning\x1b[0m[$.foo]:\n  \x1b[1;34m-->\x1b[0m x.bu:3:1\n")
    assert "\x1b[1;34m^^^^\x1b[0m unused key foo" in shown


def test_threads_do_not_meet():
    texts = [config(f"storage: {{files: [{{path: /{number}}}]}}\nx{number}: 1") for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(butane.translate, texts)) == [butane.translate(text) for text in texts]


@pytest.mark.parametrize(
    "failure", [PermissionError(13, "Permission denied", "files/a"), OSError("odd"), OSError(5, "")]
)
def test_files_may_fail_in_any_way(failure):
    class Failing(Memory):
        def read(self, path):
            raise failure

        def stat(self, path, *, follow):
            raise failure

    body = "storage: {files: [{path: /a, contents: {local: a}}], trees: [{local: a}]}"
    result = butane.translate(config(body), files=Failing({}))
    assert [entry.path for entry in result.entries] == ["$.storage.files.0.contents.local", "$.storage.trees.0"]
    assert result.error == "source config is invalid"
