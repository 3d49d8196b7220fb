"""What runs work with: the models, the store, and what was learnt about the pace."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from . import __version__
from .service.store import Store
from .settings import Settings
from .zoo.zoo import Zoo


@dataclass(frozen=True)
class Workshop:
    """What a run works with."""

    settings: Settings
    zoo: Zoo
    store: Store
    pace: dict[str, float] = field(default_factory=dict)  # by model: seconds for an evaluation, per input pixel

    @property
    def versions(self) -> dict[str, str]:
        return {"gradoscope": __version__, "torch": str(torch.__version__), "device": self.zoo.device.type}
