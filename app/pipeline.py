"""upload → decode → preprocess → (probe images → gradients) → reduce → store → render: the order of the stages.

Everything here runs in a worker. A run is a generator: it yields events for the client, and `None` after every
micro-batch, where another request may take its turn or this one be closed.
"""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from . import __version__
from .attribution.base import Attribution, Progress
from .attribution.engine import Engine
from .attribution.score import Score
from .errors import ComputationFailed, NotFound, OutOfMemory, Problem, Unprocessable
from .plan import Panel, plan, settle_targets
from .service.jobs import Event, Explain, Job, Labels, Predict
from .service.store import Store
from .settings import Settings
from .vision.decode import decode
from .vision.preprocess import Seen, preprocess
from .wire import encode_map, npy, statistics
from .zoo.classifier import Classifier
from .zoo.zoo import Zoo

log = logging.getLogger(__name__)
Run = Generator[Event | None, None, None]
SHOWN_PIXELS = 2048  # longest side of the picture that is served again
PARTIAL_SECONDS = 0.25  # at most four partial maps a second for a panel
PROGRESS_SECONDS = 0.1


@dataclass(frozen=True)
class Workshop:
    """What a run works with."""

    settings: Settings
    zoo: Zoo
    store: Store

    @property
    def versions(self) -> dict[str, str]:
        return {"gradoscope": __version__, "torch": str(torch.__version__), "device": self.zoo.device.type}


def run(job: Job, workshop: Workshop) -> Run:
    """The run of a job; its last event is `done`, or `result` for the small ones. Raises `Problem`."""
    if isinstance(job, Explain):
        return explain(job, workshop)
    if isinstance(job, Predict):
        return predict(job, workshop)
    return labels(job, workshop)


def labels(job: Labels, workshop: Workshop) -> Run:
    yield Event("result", {"labels": list(workshop.zoo.labels(job.model))})


def predict(job: Predict, workshop: Workshop) -> Run:
    """Top classes of a picture, model by model."""
    picture = decode(job.picture, workshop.settings.max_pixels)
    predictions = []
    for model in job.models or (workshop.settings.default_model,):
        sight = look(workshop, picture, model, job.top_k)
        predictions.append({"model": model, "classes": sight.classes})
        yield None
    yield Event("result", {"predictions": predictions})


def explain(job: Explain, workshop: Workshop) -> Run:
    """Explain one picture: events as in the REST contract. Refusals come as `Problem` before the first event."""
    began = time.monotonic()
    picture = decode(job.picture, workshop.settings.max_pixels)
    panels = plan(job, workshop.zoo, workshop.settings)
    sights = {}
    for model in dict.fromkeys(panel.model for panel in panels):
        sights[model] = look(workshop, picture, model)
        yield None
    settle_targets(panels, {model: sight.classes[0]["index"] for model, sight in sights.items()})
    record = begin(job, workshop, picture)
    try:
        yield Event("accepted", _accepted(job, workshop, panels))
        for model, sight in sights.items():
            keep_input(job, workshop, model, sight, record)
            yield Event("prediction", _prediction(record["inputs"][-1]))
        yield None
        ordered = sorted(panels, key=lambda p: p.method.cost(p.parameters, workshop.zoo.card(p.model).input.size))
        for event in side_by_side(make(panel, job, workshop, sights[panel.model].x) for panel in ordered):
            if event is not None and event.name == "panel":
                record["panels"] = [p.record for p in panels if p.record.get("status")]
                record["seconds"] = round(time.monotonic() - began, 3)
                record["status"] = "done" if len(record["panels"]) == len(panels) else "running"
                workshop.store.update(job.id, record)
            yield event
    except GeneratorExit:
        if record["status"] != "done":  # a client may leave with the last panel in its hands
            with suppress(NotFound):  # it may be cancelled because it was deleted
                workshop.store.update(job.id, {**record, "status": "cancelled"})
        raise
    yield Event("done", record)


def side_by_side(runs: Iterable[Run]) -> Run:
    """Let runs take turns by micro-batch, so that all maps of a request sharpen together, the cheap ones at once."""
    waiting = deque(runs)
    try:
        while waiting:
            for event in waiting[0]:
                if event is None:
                    waiting.rotate(-1)
                    break
                yield event
            else:
                waiting.popleft()
            yield None
    finally:
        for run in waiting:
            run.close()


def begin(job: Explain, workshop: Workshop, picture: Image.Image) -> dict[str, Any]:
    """Open the record in the store, with the picture: as it was sent (to be used again), and as it is served."""
    record = {
        "id": job.id,
        "url": f"/e/{job.id}",
        "status": "running",
        "seed": job.seed,
        "score": job.score,
        "seconds": 0.0,
        "versions": workshop.versions,
        "image": {"width": picture.width, "height": picture.height},
        "inputs": [],
        "panels": [],
    }
    store, source = workshop.store, picture_hash(job.picture)
    store.create(job.id, record)
    if store.attach(job.id, "source", store.key("source", source)) is None:
        store.put(job.id, "source", store.key("source", source), job.picture, {})
    if store.attach(job.id, "image", store.key("image", source)) is None:
        shown = picture.copy()
        shown.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS), Image.Resampling.LANCZOS)
        store.put(job.id, "image", store.key("image", source), _png(shown), {})
    return record


@dataclass(frozen=True)
class Sight:
    """What a model sees of a picture, as pixels and as `x`, (3, H, W), and the classes that it believes in."""

    seen: Seen
    x: Tensor
    classes: list[dict[str, Any]]


def look(workshop: Workshop, picture: Image.Image, model: str, count: int = 5) -> Sight:
    """Show a picture to a model; its `count` likeliest classes, best first."""
    classifier = workshop.zoo.load(model)
    seen = preprocess(picture, workshop.zoo.card(model).input)
    x = torch.from_numpy(seen.pixels).to(device=classifier.device, dtype=classifier.dtype)
    return Sight(seen, x, top_classes(classifier, x, count))


def keep_input(job: Explain, workshop: Workshop, model: str, sight: Sight, record: dict[str, Any]) -> None:
    """Put what a model saw, and what it believes, into the record and the store."""
    store, card = workshop.store, workshop.zoo.card(model)
    key = store.key("input", picture_hash(job.picture), card.input.model_dump())
    if store.attach(job.id, f"input:{model}", key) is None:
        store.put(job.id, f"input:{model}", key, _png(sight.seen.picture), {})
    record["inputs"].append(
        {
            "model": model,
            "size": list(card.input.size),
            "crop": [round(edge, 3) for edge in sight.seen.crop],
            "url": f"/api/v1/explanations/{job.id}/inputs/{model}.png",
            "predictions": sight.classes,
        }
    )
    store.update(job.id, record)


def make(panel: Panel, job: Explain, workshop: Workshop, x: Tensor) -> Run:
    """One panel: from the store where it is there, else computed. Its record says what came of it."""
    classifier = workshop.zoo.load(panel.model)
    assert panel.target is not None  # settled before
    panel.record = _panel_record(panel, classifier, panel.target)
    summed: dict[str, Any] | None = None
    try:
        if panel.refusal:
            raise panel.refusal
        key = _panel_key(panel, job, workshop, classifier)
        stored = workshop.store.attach(job.id, f"panel:{panel.id}", key)
        values = _stored_values(workshop.store, job.id, panel.id) if stored else None
        panel.record["from_store"] = values is not None
        if stored is None or values is None:
            engine = Engine(classifier, Score(panel.target, job.score, panel.against), workshop.settings.micro_batch)
            values, stored = yield from compute(panel, engine, x, job.seed)
            workshop.store.put(job.id, f"panel:{panel.id}", key, npy(values), stored)
        url = f"/api/v1/explanations/{job.id}/panels/{panel.id}"
        panel.record |= {"status": "done", **stored, "urls": {"npy": f"{url}.npy", "png": f"{url}.png"}}
        summed = encode_map(values.sum(0))
    except Exception as error:
        problem = as_problem(error)
        panel.record |= {"status": "refused" if isinstance(problem, Unprocessable) else "failed"}
        panel.record["problem"] = problem.as_dict()
    yield Event("panel", {"panel": panel.record, "map": summed})


def compute(
    panel: Panel, engine: Engine, x: Tensor, seed: int
) -> Generator[Event | None, None, tuple[np.ndarray, dict[str, Any]]]:
    """Run a method turn by turn, with its progress and partial maps. Seconds count its own turns only."""
    steps = panel.method.attribute(engine, x, panel.parameters, seed)
    seconds, last_partial, last_progress = 0.0, -1.0, -1.0
    try:
        while True:
            began = time.monotonic()
            step = next(steps)
            now = time.monotonic()
            seconds += now - began
            if now - last_progress >= PROGRESS_SECONDS or step.done == step.total:
                last_progress = now
                yield Event("progress", {"panel": panel.id, "done": step.done, "total": step.total})
            if step.done < step.total and step.estimate is not None and now - last_partial >= PARTIAL_SECONDS:
                last_partial = now
                yield _partial(panel.id, step)
            if step.done < step.total:  # a method of one step has its map now: it need not wait for another turn
                yield None
    except StopIteration as end:
        seconds += time.monotonic() - began
        attribution: Attribution = end.value
    finally:
        steps.close()
    values = attribution.values.detach().float().cpu().numpy()
    if not np.isfinite(values).all():
        raise ComputationFailed("The map holds values that are not finite (NaN or infinity), so it is not shown.")
    meta = {
        "shape": list(values.shape),
        "statistics": statistics(values),
        "diagnostics": attribution.diagnostics,
        "seconds": round(seconds, 3),
    }
    return values, meta


def as_problem(error: Exception) -> Problem:
    """What a client is told of an exception; what is not meant for clients goes to the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return OutOfMemory("The computation needs more memory than there is. Take a smaller model or fewer requests.")
    log.error("computation failed", exc_info=error)
    reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else type(error).__name__
    return ComputationFailed(f"The computation broke off ({reason}). The server's log has the details.")


def top_classes(classifier: Classifier, x: Tensor, count: int) -> list[dict[str, Any]]:
    """The `count` likeliest classes with probability and logit, best first."""
    with torch.no_grad():
        logits = classifier(x[None])[0].double()
    probabilities = logits.softmax(0)
    best = probabilities.argsort(descending=True, stable=True)[:count].tolist()
    return [
        {
            "index": index,
            "label": classifier.label(index),
            "probability": float(probabilities[index]),
            "logit": float(logits[index]),
        }
        for index in best
    ]


def picture_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _accepted(job: Explain, workshop: Workshop, panels: list[Panel]) -> dict[str, Any]:
    evaluations = 0
    listed = []
    for panel in panels:
        cost = panel.method.cost(panel.parameters, workshop.zoo.card(panel.model).input.size)
        evaluations += 0 if panel.refusal else cost
        listed.append(
            {"id": panel.id, "model": panel.model, "method": panel.method.id, "target": panel.target, "cost": cost}
        )
    return {"id": job.id, "panels": listed, "gradient_evaluations": evaluations}


def _prediction(seen: dict[str, Any]) -> dict[str, Any]:
    return {"model": seen["model"], "input": seen, "predictions": seen["predictions"]}


def _partial(panel: str, step: Progress) -> Event:
    assert step.estimate is not None
    summed = step.estimate.detach().float().sum(0)
    height, width = (min(side, 112) for side in summed.shape)
    small = torch.nn.functional.adaptive_avg_pool2d(summed[None, None], (height, width))[0, 0]
    return Event(
        "partial", {"panel": panel, "done": step.done, "total": step.total, "map": encode_map(small.cpu().numpy())}
    )


def _panel_record(panel: Panel, classifier: Classifier, target: int) -> dict[str, Any]:
    def named(index: int) -> dict[str, Any]:
        return {"index": index, "label": classifier.label(index)}

    return {
        "id": panel.id,
        "status": None,  # not settled yet
        "model": panel.model,
        "method": panel.method.id,
        "target": named(target),
        "against": None if panel.against is None else named(panel.against),
        "parameters": panel.parameters.model_dump(),
        "shape": None,
        "statistics": None,
        "diagnostics": {},
        "seconds": 0.0,
        "from_store": False,
        "urls": {"npy": None, "png": None},
        "problem": None,
    }


def _panel_key(panel: Panel, job: Explain, workshop: Workshop, classifier: Classifier) -> str:
    """All that determines a panel's values, and only that: the seed counts only where the method draws."""
    return workshop.store.key(
        "panel",
        picture_hash(job.picture),
        workshop.zoo.card(panel.model).input.model_dump(),
        (classifier.id, classifier.fingerprint),
        (panel.method.id, panel.parameters.model_dump()),
        (panel.target, panel.against, job.score),
        job.seed if panel.method.seeded(panel.parameters) else None,
        workshop.versions,
    )


def _stored_values(store: Store, record: str, panel: str) -> np.ndarray | None:
    data = store.read(record, f"panel:{panel}")
    try:
        return None if data is None else np.load(io.BytesIO(data), allow_pickle=False)
    except ValueError:
        log.warning("a stored panel is damaged and is computed again")
        return None


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()
