"""What a worker does for the first request before it is ready: the default model, and its quickest backend."""

from __future__ import annotations

import time

from ..attribution.score import Score
from ..pipeline.context import Context
from ..zoo.loader import LoadedModel

COMPILE_SECONDS = 1.0  # that a start waits at most for the default model's compiled gradient


def warm_up(context: Context) -> LoadedModel:
    """Load the default model, compute gradients, and begin to compile its gradient in the background.

    `end_trials` goes on with it: between the two is time for what else is to be done before the worker is ready.
    """
    settings = context.settings
    loaded = context.zoo.load(settings.default_model)
    engine = loaded.engine(Score(0), settings.micro_batch)
    for number in range(3):  # the first passes are slower; the last is recorded
        count = engine.micro_batch
        pictures = loaded.classifier.noise_pictures(count)
        began = time.monotonic()
        engine.gradients(pictures)
        seconds = time.monotonic() - began
        if number == 0:
            loaded.backend.begin(seconds / count)
        elif loaded.backend.begun:
            break  # `end_trials` makes further passes
    backend = loaded.backend.name
    context.throughput.record(settings.default_model, ("gradients",), seconds, count, loaded.size, backend)
    _ = loaded.inspection
    return loaded


def end_trials(context: Context, loaded: LoadedModel) -> None:
    """Find the quickest backend before the first request comes, so that none is compiled or tried beside it."""
    before, size = loaded.backend.name, loaded.size
    loaded.backend.settle(COMPILE_SECONDS)
    if loaded.backend.name != before and (seconds := loaded.backend.seconds) is not None:
        context.throughput.record(context.settings.default_model, ("gradients",), seconds, 1, size, loaded.backend.name)
