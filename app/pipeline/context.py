"""What all jobs share: models, store, caches, decoder processes, and measured speeds."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..contract.version import VERSION
from ..images.decoder_pool import DecoderPool
from ..settings import Settings
from ..storage.stores import AnyStore, open_store
from ..zoo.zoo import Zoo
from .lru_cache import LRUCache
from .throughput import Throughput


@dataclass(frozen=True)
class Context:
    """The shared state of all jobs of a process."""

    settings: Settings
    zoo: Zoo
    store: AnyStore
    picture_cache: LRUCache
    decoders: DecoderPool
    throughput: Throughput = field(default_factory=Throughput)

    @classmethod
    def open(cls, settings: Settings, decoders: int = 2) -> Context:
        """The context for these settings, with up to `decoders` decoder processes. Loads no model."""
        return cls(
            settings,
            Zoo(settings),
            open_store(settings),
            LRUCache(settings.picture_bytes),
            DecoderPool(settings, decoders),
        )

    @property
    def versions(self) -> dict[str, str]:
        return {"gradoscope": VERSION, "torch": str(torch.__version__), "device": self.zoo.device.type}
