"""What an estimate in seconds rests on."""

from __future__ import annotations

import pytest
from gradoscope.pipeline.throughput import Throughput


def test_throughput_is_by_evaluation_and_pixel_and_one_outlier_does_not_count():
    throughput = Throughput()
    assert throughput.seconds("net", ("gradients",), 1, (8, 8)) is None
    for seconds in (1.0, 1.1, 40.0):
        throughput.record("net", ("gradients",), seconds, 10, (10, 10))
    assert throughput.seconds("net", ("gradients",), 20, (20, 10)) == pytest.approx(4.4)
    assert throughput.seconds("net", ("forwards",), 20, (20, 10)) is None
    for _ in range(2):
        throughput.record("net", ("gradients",), 2.0, 10, (10, 10))
    assert throughput.seconds("net", ("gradients",), 10, (10, 10)) == pytest.approx(2.0)


def test_what_another_backend_took_says_nothing():
    throughput = Throughput()
    for _ in range(3):
        throughput.record("net", ("gradients",), 9.0, 10, (10, 10), "plain")
    throughput.record("net", ("gradients",), 1.0, 10, (10, 10), "compiled")
    assert throughput.seconds("net", ("gradients",), 10, (10, 10)) == pytest.approx(1.0)
    assert throughput.backend("net", ("gradients",)) == "compiled"
    assert throughput.backend("other", ("gradients",)) == ""
