"""Downloads missing weights before models are loaded, with a progress bar."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from ..settings import Settings
from ..zoo.download import download_weights
from ..zoo.paths import short_path
from ..zoo.zoo import Zoo
from .progress import BYTES, ProgressBars


def fetch_all(zoo: Zoo, models: Iterable[str], settings: Settings, console: Console | None = None) -> None:
    """Download the missing weights of models. Raises `Problem`."""
    for model in models:
        if zoo.weights.availability(zoo.spec(model).weights) == "downloadable":
            fetch(zoo, model, settings, console or Console(stderr=True))


def fetch(zoo: Zoo, model: str, settings: Settings, console: Console) -> None:
    """Download a model's weights if they are missing, with a progress bar. Raises `Problem`."""
    file = zoo.spec(model).weights
    if not zoo.weights.find(file):
        with ProgressBars(console) as bars:
            task = bars.add(model, None, BYTES)
            for progress in download_weights(file, model, settings):
                bars.update(task, progress.done, progress.total)
    console.print(
        f"{model}: {short_path(zoo.weights.require(file, model))}", highlight=False, markup=False, soft_wrap=True
    )
