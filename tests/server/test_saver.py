"""A record is written as a whole, after a while, and again when it changed while it was being written."""

import asyncio

from pxed.server.saver import Saver


async def test_a_record_that_changes_while_it_is_written_is_written_again(tmp_path):
    contents, taken = iter([b"first", b"second"]), asyncio.Event()

    def take():
        content = next(contents)
        taken.set()
        return lambda: content

    saver = Saver(tmp_path / "new" / "record", 0, take, print)
    saver.changed()
    await taken.wait()
    saver.changed()
    await saver.close()
    assert (tmp_path / "new" / "record").read_bytes() == b"second"
    await saver.close()
    assert next(contents, None) is None
