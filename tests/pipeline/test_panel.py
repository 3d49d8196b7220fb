"""One panel."""

from __future__ import annotations

from gradoscope.pipeline.panel import micro_batch
from gradoscope.settings import Settings


def test_large_inputs_go_through_in_smaller_batches():
    settings = Settings(micro_batch=4)
    sides = (224, 320, 380, 512, 640, 1024, 2048)
    assert [micro_batch(settings, (side, side)) for side in sides] == [4, 4, 3, 2, 1, 1, 1]
