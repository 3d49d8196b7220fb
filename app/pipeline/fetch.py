"""Have weights here before models are loaded: downloaded where that is possible, with a progress bar."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from ..settings import Settings
from ..zoo.download import pull
from ..zoo.weights import shown
from ..zoo.zoo import Zoo
from .progress import BYTES, ProgressBars


def fetch_all(zoo: Zoo, models: Iterable[str], settings: Settings, console: Console | None = None) -> None:
    """Download the weights of models that are not here. Raises `Problem`."""
    for model in models:
        if zoo.weights.availability(zoo.recipe(model).weights) == "downloadable":
            fetch(zoo, model, settings, console or Console(stderr=True))


def fetch(zoo: Zoo, model: str, settings: Settings, console: Console) -> None:
    """Have a model's weights here, with a progress bar. Raises `Problem`."""
    file = zoo.recipe(model).weights
    if not zoo.weights.find(file):
        with ProgressBars(console) as bars:
            task = bars.add(model, None, BYTES)
            for fetched in pull(file, model, settings):
                bars.update(task, fetched.done, fetched.total)
    console.print(f"{model}: {shown(zoo.weights.require(file, model))}", highlight=False, soft_wrap=True)
