"""A record is written as a whole, after a while, and again when it changed while it was being written."""

import asyncio

from pxed.server.durable import Saver, replace


async def test_a_record_that_changes_while_it_is_written_is_written_again(tmp_path):
    contents, taken = iter([b"first", b"second"]), asyncio.Event()

    def take():
        content = next(contents)
        taken.set()
        return lambda: content

    saver = Saver(tmp_path / "record", 0, take, print)
    saver.changed()
    await taken.wait()
    saver.changed()
    await saver.close()
    assert (tmp_path / "record").read_bytes() == b"second"
    await saver.close()
    assert next(contents, None) is None


def test_a_file_is_replaced_and_leaves_nothing_beside_it(tmp_path):
    for content in (b"one", b"two"):
        replace(tmp_path / "new" / "file", content)
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "new").iterdir()] == [("file", b"two")]
