"""An explanation from a shell: the same pipeline in this process, with progress bars, into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .attribution.base import methods
from .cli_models import fetch
from .export import files
from .pipeline import Workshop, run
from .service.jobs import Event, Explain
from .service.store import Store
from .settings import Settings
from .zoo.memory import keep_freed
from .zoo.zoo import Zoo


def explain_here(job: Explain, settings: Settings, folder: Path, console: Console) -> dict[str, Any]:
    """Run a job to its end and write its results into `folder`. Returns the record; raises `Problem`."""
    keep_freed()
    store = Store(settings.store, settings.store_bytes, settings.store_days * 86400)
    zoo = Zoo(settings)
    for model in job.models:
        if zoo.weights.availability(zoo.recipe(model).weights) == "downloadable":
            fetch(zoo, model, settings, console)
    workshop = Workshop(settings, zoo, store)
    bars = Progress(
        TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    record: dict[str, Any] = {}
    with bars:
        tasks: dict[str, Any] = {}
        for event in run(job, workshop):
            if event is not None:
                record = _follow(event, bars, tasks) or record
    _write(record, store, folder)
    _tell(record, folder, console)
    return record


def _follow(event: Event, bars: Progress, tasks: dict[str, Any]) -> dict[str, Any] | None:
    data = event.data
    if event.name == "accepted":
        for panel in data["panels"]:
            tasks[panel["id"]] = bars.add_task(panel["method"], total=panel["cost"])
    elif event.name == "prediction":
        best = data["predictions"][0]
        bars.console.print(f"{data['model']}: {best['label']} ({best['probability']:.2f})", highlight=False)
    elif event.name == "progress":
        bars.update(tasks[data["panel"]], completed=data["done"], total=data["total"])
    return data if event.name == "done" else None


def _write(record: dict[str, Any], store: Store, folder: Path) -> None:
    titles = {id: method.title for id, method in methods().items()}
    for name, data in files(record, lambda part: store.read(record["id"], part), titles):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _tell(record: dict[str, Any], folder: Path, console: Console) -> None:
    for panel in record["panels"]:
        if panel["problem"]:
            console.print(
                f"{panel['method']} {panel['status']}: {panel['problem']['detail']}", highlight=False, markup=False
            )
    done = sum(panel["status"] == "done" for panel in record["panels"])
    console.print(f"{done} of {len(record['panels'])} maps in {record['seconds']:.1f} s: {folder}/", highlight=False)
