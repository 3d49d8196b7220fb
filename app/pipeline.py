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
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from . import __version__
from .attribution.base import Attribution, Progress
from .attribution.engine import Engine
from .attribution.score import Score
from .errors import ComputationFailed, NotFound, OutOfMemory, Problem
from .plan import Panel, choose_methods, examine, plan, settle_targets
from .service.jobs import Estimate, Event, Explain, Job, Labels, Locate, Predict, Refresh
from .service.store import Store
from .settings import Settings
from .vision.decode import decode
from .vision.preprocess import Seen, asked, preprocess
from .wire import encode_map, npy, statistics
from .zoo.cards import Input
from .zoo.classifier import Classifier
from .zoo.zoo import Zoo

log = logging.getLogger(__name__)
Run = Generator[Event | None, None, None]
SHOWN_PIXELS = 2048  # longest side of the picture that is served again
PARTIAL_SECONDS = 0.25  # at most four partial maps a second for a panel
PROGRESS_SECONDS = 0.1
CLOCKED = 8  # evaluations that a pace is learnt from
REFERENCE_PIXELS = 320 * 320  # up to this size of input, a micro-batch is as large as the setting says


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


def run(job: Job, workshop: Workshop) -> Run:
    """The run of a job; its last event is `done`, or `result` for the small ones. Raises `Problem`."""
    if isinstance(job, Explain):
        return explain(job, workshop)
    if isinstance(job, Predict):
        return predict(job, workshop)
    if isinstance(job, Estimate):
        return estimate(job, workshop)
    return tell(job, workshop.zoo)


def estimate(job: Estimate, workshop: Workshop) -> Run:
    """Evaluations of each method, and seconds by the pace that was last measured on this model; null before."""
    own = asked(workshop.zoo.recipe(job.model).input, None, job.size)
    pixels = own.size[0] * own.size[1]
    pace = workshop.pace.get(job.model)
    listed = []
    for method, parameters in choose_methods(job):
        count = method.cost(parameters, own.size)
        seconds = None if pace is None else round(pace * pixels * count, 3)
        listed.append({"method": method.id, "gradient_evaluations": count, "seconds": seconds})
    yield Event("result", {"model": job.model, "estimates": listed})


def tell(job: Labels | Locate | Refresh, zoo: Zoo) -> Run:
    """What needs no picture."""
    if isinstance(job, Labels):
        yield Event("result", {"labels": list(zoo.labels(job.model))})
    elif isinstance(job, Locate):
        file = zoo.recipe(job.model).weights
        yield Event("result", {"file": zoo.weights.settled(file), "ready": zoo.weights.find(file) is not None})
    else:
        zoo.refresh()
        yield Event("result", {})


def predict(job: Predict, workshop: Workshop) -> Run:
    """Top classes of a picture, model by model."""
    picture = decode(job.picture, workshop.settings.max_pixels)
    models = job.models or (workshop.settings.default_model,)
    for model in models:
        workshop.zoo.recipe(model)
    predictions = []
    for model in models:
        with (yield from held(workshop.zoo, [model])):
            sight = look(workshop, picture, model, job, job.top_k)
        predictions.append({"model": model, "classes": sight.classes})
        yield None
    yield Event("result", {"predictions": predictions})


def explain(job: Explain, workshop: Workshop) -> Run:
    """Explain one picture: events as in the REST contract. Refusals come as `Problem` before the first event."""
    began = time.monotonic()
    picture = decode(job.picture, workshop.settings.max_pixels)
    panels = plan(job, workshop.zoo, workshop.settings)
    sights = yield from look_all(job, workshop, picture, panels)
    record = begin(job, workshop, picture)
    try:
        yield Event("accepted", _accepted(job, workshop, panels, sights))
        for model, sight in sights.items():
            keep_input(job, workshop, model, sight, record)
            yield Event("prediction", _prediction(record["inputs"][-1]))
        yield None
        for event in make_all(job, workshop, panels, sights):
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


def look_all(
    job: Explain, workshop: Workshop, picture: Image.Image, panels: list[Panel]
) -> Generator[None, None, dict[str, Sight]]:
    """Show the picture to each model, and settle what can be made of it: which panels, and their targets.

    A model that cannot be had takes only its own panels with it. Raises the refusal where no panel is left.
    """
    sights: dict[str, Sight] = {}
    for model in dict.fromkeys(panel.model for panel in panels):
        mine = [panel for panel in panels if panel.model == model]
        try:
            with (yield from held(workshop.zoo, [model])):
                sight = look(workshop, picture, model, job)
                examine(mine, job, sight.classifier(workshop.zoo))
        except Exception as error:
            refusal = as_problem(error)
            for panel in mine:
                panel.refusal = refusal
        else:
            sights[model] = sight
        yield None
    settle_targets(panels, {model: sight.classes[0]["index"] for model, sight in sights.items()})
    return sights


def make_all(job: Explain, workshop: Workshop, panels: list[Panel], sights: dict[str, Sight]) -> Run:
    """All panels: those of models that fit into memory together side by side, the others after them."""
    for panel in panels:
        if panel.model not in sights:
            panel.record = _panel_record(panel, workshop.zoo)
            panel.record |= _outcome(panel.refusal or ComputationFailed("The model could not be had."))
            yield Event("panel", {"panel": panel.record, "map": None})
    for group in workshop.zoo.groups(sights):
        mine = [panel for panel in panels if panel.model in group]
        ordered = sorted(mine, key=lambda p: p.method.cost(p.parameters, sights[p.model].input.size))
        with (yield from held(workshop.zoo, group)):
            yield from side_by_side(make(panel, job, workshop, sights[panel.model]) for panel in ordered)


def held(zoo: Zoo, models: list[str]) -> Generator[None, None, AbstractContextManager[None]]:
    """Wait, turn by turn, until there is room for these models; then hold them by the context manager."""
    asker = object()
    try:
        while not zoo.room(models, asker):
            yield None
    finally:
        zoo.leave(asker)
    return zoo.hold(models)


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
    """What a model sees of a picture, as pixels and as `x`, (C, H, W), and the classes that it believes in."""

    model: str
    input: Input
    seen: Seen
    x: Tensor
    classes: list[dict[str, Any]]
    targets: list[dict[str, Any]]  # what it believes of the classes that were asked for

    def classifier(self, zoo: Zoo) -> Classifier:
        """The model for pictures of this size; to be held meanwhile."""
        return zoo.load(self.model, self.input.size)


def look(workshop: Workshop, picture: Image.Image, model: str, job: Explain | Predict, count: int = 5) -> Sight:
    """Show a picture to a model, in the size and by the fit asked for; its `count` likeliest classes, best first."""
    own = asked(workshop.zoo.recipe(model).input, job.fit, job.size)
    classifier = workshop.zoo.load(model, own.size)
    seen = preprocess(picture, own)
    x = torch.from_numpy(seen.pixels).to(device=classifier.device, dtype=classifier.dtype)
    asked_for = () if isinstance(job, Predict) else tuple(index for index in job.targets if index is not None)
    return Sight(model, own, seen, x, *believed_classes(classifier, x, count, asked_for))


def keep_input(job: Explain, workshop: Workshop, model: str, sight: Sight, record: dict[str, Any]) -> None:
    """Put what a model saw, and what it believes, into the record and the store."""
    store = workshop.store
    key = store.key("input", picture_hash(job.picture), sight.input.model_dump())
    if store.attach(job.id, f"input:{model}", key) is None:
        store.put(job.id, f"input:{model}", key, _png(sight.seen.picture), {})
    record["inputs"].append(
        {
            "model": model,
            "size": list(sight.input.size),
            "fit": sight.input.fit,
            "crop": [round(edge, 3) for edge in sight.seen.crop],
            "url": f"/api/v1/explanations/{job.id}/inputs/{model}.png",
            "predictions": sight.classes,
            "targets": sight.targets,
        }
    )
    store.update(job.id, record)


def make(panel: Panel, job: Explain, workshop: Workshop, sight: Sight) -> Run:
    """One panel: from the store where it is there, else computed. Its record says what came of it."""
    panel.record = _panel_record(panel, workshop.zoo)
    summed: dict[str, Any] | None = None
    try:
        if panel.refusal:
            raise panel.refusal
        assert panel.target is not None  # settled before
        classifier = sight.classifier(workshop.zoo)
        key = _panel_key(panel, job, workshop, classifier, sight.input)
        stored = workshop.store.attach(job.id, f"panel:{panel.id}", key)
        values = _stored_values(workshop.store, job.id, panel.id) if stored else None
        panel.record["from_store"] = values is not None
        if stored is None or values is None:
            score = Score(panel.target, job.score, panel.against, classifier.multilabel)
            engine = Engine(classifier, score, micro_batch(workshop.settings, classifier.size))
            values, stored = yield from compute(panel, engine, sight.x, job.seed)
            _clock(workshop, panel, stored["seconds"], sight.input.size)
            workshop.store.put(job.id, f"panel:{panel.id}", key, npy(values), stored)
        url = f"/api/v1/explanations/{job.id}/panels/{panel.id}"
        panel.record |= {"status": "done", **stored, "urls": {"npy": f"{url}.npy", "png": f"{url}.png"}}
        summed = encode_map(values.sum(0))
    except Exception as error:
        panel.record |= _outcome(as_problem(error))
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


def _clock(workshop: Workshop, panel: Panel, seconds: float, size: tuple[int, int]) -> None:
    """Learn a model's pace from a panel of many evaluations; the newer counts more."""
    count = panel.method.cost(panel.parameters, size)
    if count >= CLOCKED:
        pace = seconds / count / (size[0] * size[1])
        workshop.pace[panel.model] = 0.5 * (workshop.pace.get(panel.model, pace) + pace)


def as_problem(error: Exception) -> Problem:
    """What a client is told of an exception; what is not meant for clients goes to the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return OutOfMemory("The computation needs more memory than there is. Take a smaller model or fewer requests.")
    log.error("computation failed", exc_info=error)
    reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else type(error).__name__
    return ComputationFailed(f"The computation broke off ({reason}). The server's log has the details.")


def believed_classes(
    classifier: Classifier, x: Tensor, count: int, targets: Iterable[int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The `count` likeliest classes with probability and logit, best first; and the same of `targets`."""
    with torch.no_grad():
        logits = classifier(x[None])[0].double()
    probabilities = classifier.probabilities(logits)
    best = probabilities.argsort(descending=True, stable=True)[:count].tolist()

    def believed(index: int) -> dict[str, Any]:
        return {
            "index": index,
            "label": classifier.label(index),
            "probability": float(probabilities[index]),
            "logit": float(logits[index]),
        }

    return [believed(index) for index in best], [believed(i) for i in targets if 0 <= i < len(logits)]


def micro_batch(settings: Settings, size: tuple[int, int]) -> int:
    """Pictures of `size` per pass: fewer of large ones, so that a pass takes about the same memory; 0 is automatic."""
    if not settings.micro_batch:
        return 0
    return max(1, min(settings.micro_batch, round(settings.micro_batch * REFERENCE_PIXELS / (size[0] * size[1]))))


def picture_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _outcome(problem: Problem) -> dict[str, Any]:
    """A panel that is not made: refused, where the request or the model is why, or failed."""
    return {"status": "refused" if problem.status < 500 else "failed", "problem": problem.as_dict()}


def _accepted(job: Explain, workshop: Workshop, panels: list[Panel], sights: dict[str, Sight]) -> dict[str, Any]:
    evaluations = 0
    listed = []
    for panel in panels:
        input = sights[panel.model].input if panel.model in sights else workshop.zoo.recipe(panel.model).input
        cost = panel.method.cost(panel.parameters, input.size)
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


def _panel_record(panel: Panel, zoo: Zoo) -> dict[str, Any]:
    labels = zoo.labels(panel.model)

    def named(index: int | None) -> dict[str, Any] | None:
        if index is None:
            return None
        return {"index": index, "label": labels[index] if 0 <= index < len(labels) else f"class {index}"}

    return {
        "id": panel.id,
        "status": None,  # not settled yet
        "model": panel.model,
        "method": panel.method.id,
        "target": named(panel.target),
        "against": named(panel.against),
        "parameters": panel.parameters.model_dump(),
        "shape": None,
        "statistics": None,
        "diagnostics": {},
        "seconds": 0.0,
        "from_store": False,
        "urls": {"npy": None, "png": None},
        "problem": None,
    }


def _panel_key(panel: Panel, job: Explain, workshop: Workshop, classifier: Classifier, input: Input) -> str:
    """All that determines a panel's values, and only that: the seed counts only where the method draws."""
    return workshop.store.key(
        "panel",
        picture_hash(job.picture),
        input.model_dump(),
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
