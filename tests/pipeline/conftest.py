"""Quick stand-ins for the three shipped models, and one pool of decoder processes for all tests here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from gradoscope.images.decoder_pool import DecoderPool
from gradoscope.pipeline.context import Context
from gradoscope.settings import Settings

from tests.support.quick_model import write_quick_model

# float32 numbers beside the weights, so that the stand-ins take 1.8, 2.1 and 2.4 MiB
IDLE = (365_000, 444_000, 523_000)


@pytest.fixture(scope="session")
def lites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stand-ins' cards and weights, for GRADOSCOPE_MODELS."""
    folder = tmp_path_factory.mktemp("lites")
    for number, idle in enumerate(IDLE):
        write_quick_model(folder, number=number, idle=idle)
    return folder


@pytest.fixture(scope="session")
def open_context(lites: Path) -> Callable[..., Context]:
    """Opens a context with the stand-ins and these settings. Each has its own models, store and caches; they share the
    decoder processes, which take half a second to start and keep nothing of a job."""
    decoders = DecoderPool(Settings())

    def open_context(**settings: object) -> Context:
        given = {"models": lites, "device": "cpu", **settings}
        return replace(Context.open(Settings(**given)), decoders=decoders)  # type: ignore[arg-type]

    return open_context
