"""What the measurement of a sync sees of a program: its output, its CPU, its own peak of memory."""

import sys

import pytest

from benchmarks.cases import sync


def test_output_cpu_and_peak_are_those_of_the_program():
    small = sync._run([sys.executable, "-c", "print('hello'); import time; time.sleep(0.1)"])
    big = sync._run(
        [sys.executable, "-c", "x = b'x' * 100_000_000; sum(range(3_000_000)); import time; time.sleep(0.1)"]
    )
    assert small.output == "hello\n"
    assert big.cpu > small.cpu
    assert 80 < big.peak_mb - small.peak_mb < 120


def test_a_program_that_fails_is_no_measurement():
    with pytest.raises(RuntimeError, match="exited with 3"):
        sync._run([sys.executable, "-c", "raise SystemExit(3)"])


@pytest.mark.parametrize("size", [1, 1 << 20, (1 << 20) + 7])
def test_a_file_has_the_size_that_is_asked_for_and_the_same_bytes_each_time(tmp_path, size):
    path = sync._content(tmp_path / "file", size)
    first = path.read_bytes()
    assert len(first) == size
    assert sync._content(path, size).read_bytes() == first
