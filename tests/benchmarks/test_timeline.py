"""The benchmark of the timeline tells every boot as what it is; how fast is not a test's business."""

from benchmarks.cases import timeline


def test_every_boot_of_the_hall_is_told_right(monkeypatch):
    monkeypatch.setattr(timeline, "_QUICK", 200)
    sample = timeline._fold(None, None, True)
    assert not sample.problem
    assert sample.details["events"] > 200 * 10
    assert timeline._memory(None, None, True).value > 0.5
