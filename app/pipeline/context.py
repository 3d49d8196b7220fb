"""What runs work with: the models, the store, and what was learnt about the pace."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .. import __version__
from ..images.decoder_pool import Decoders
from ..settings import Settings
from ..storage.stores import AnyStore, open_store
from ..zoo.zoo import Zoo
from .lru_cache import Recent
from .throughput import Pace


@dataclass(frozen=True)
class Workshop:
    """What a run works with."""

    settings: Settings
    zoo: Zoo
    store: AnyStore
    recent: Recent
    decoders: Decoders
    pace: Pace = field(default_factory=Pace)

    @classmethod
    def open(cls, settings: Settings, decoders: int = 2) -> Workshop:
        """The workshop that the settings describe, with up to so many decoding processes; loads no model."""
        return cls(
            settings, Zoo(settings), open_store(settings), Recent(settings.picture_bytes), Decoders(settings, decoders)
        )

    @property
    def versions(self) -> dict[str, str]:
        return {"gradoscope": __version__, "torch": str(torch.__version__), "device": self.zoo.device.type}
