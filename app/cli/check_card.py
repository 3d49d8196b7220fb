"""`gradoscope models check`: loads a card's model and tries every method on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from ..attribution.errors import AttributionError, Refused
from ..attribution.inspection import Inspection
from ..attribution.methods.base import Method, Parameters, methods
from ..contract.arrays import Statistics
from ..contract.problems import Problem
from ..images.decode import decode
from ..images.preprocess import preprocess
from ..images.samples import read_sample, samples
from ..pipeline.notes import network_notes, notes
from ..settings import Settings
from ..zoo.cards import CardError, File, read_card
from ..zoo.checkpoint import match_state_dict, read_nested
from ..zoo.loader import LoadedModel
from ..zoo.model_spec import ModelSpec
from ..zoo.paths import short_path
from ..zoo.sources.libraries import builders
from ..zoo.weights import Weights
from ..zoo.zoo import Zoo

Verdict = Literal["ok", "note", "refused", "wrong"]
CHEAP_COUNT = 8  # steps, samples, masks or channels: enough to see whether a method works
MIN_SPREAD = 1e-3  # if logits differ less than this share of their spread between pictures, the model is useless


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: its subject, the verdict, and in words what was found or what to do."""

    what: str
    verdict: Verdict
    detail: str


def check(path: Path, settings: Settings, picture: bytes | None = None) -> Iterator[CheckResult]:
    """Go from card to maps, as a server would, and yield a result for each step. Ends at the first fatal problem."""
    try:
        card = read_card(path)
        yield CheckResult("card", "ok", f"{card.title}: {card.architecture}, {card.source.kind}")
        zoo = Zoo(settings.model_copy(update={"models": path.resolve().parent, "downloads": "any"}))
        spec = zoo.spec(path.stem)
        yield from _check_weights(spec, zoo.weights)
        loaded = zoo.load(path.stem)
    except Problem as problem:
        yield CheckResult("card" if isinstance(problem, CardError) else "weights", "wrong", problem.detail)
        return
    yield from _network(spec, loaded)
    yield from _check_predictions(spec, loaded, picture, settings.max_pixels)
    yield _layers(loaded.inspection)
    decoded = decode(picture or read_sample("cat"), settings.max_pixels)
    x = torch.from_numpy(preprocess(decoded, spec.input).pixels).to(loaded.classifier.device)
    for method in methods().values():
        yield _try_method(method, loaded, x, settings)


def _check_weights(spec: ModelSpec, weights: Weights) -> Iterator[CheckResult]:
    path = weights.require(spec.weights, spec.id)
    yield CheckResult(
        "weights", "ok", f"{short_path(path)}, SHA-256 {weights.verified(spec.weights, path, spec.id)[:16]}…"
    )
    source = spec.card.source
    if isinstance(source, File):
        other_keys = _other_keys(spec, source, path)
        if other_keys:
            listed = " or ".join(f'key = "{key}"' for key in other_keys)
            yield CheckResult("weights", "note", f"The file holds other weights that fit: write {listed} to take them.")


def _other_keys(spec: ModelSpec, source: File, path: Path) -> tuple[str, ...]:
    if source.key is not None:
        return ()
    for _, build in builders(spec.card, len(spec.labels)):  # the first that fits is the one that is loaded
        with suppress(Exception):  # loading the model will report it
            return match_state_dict(build().state_dict(), read_nested(path, spec.card.file), None, source.prefix).others
    return ()


def _network(spec: ModelSpec, loaded: LoadedModel) -> Iterator[CheckResult]:
    count = sum(p.numel() for p in loaded.classifier.parameters())
    size = "×".join(map(str, (spec.input.channels, *spec.input.size)))
    try:
        operations = loaded.inspection.operations  # a rule changes the activations, and leaves the gates as they are
        inside = f"activations: {_list_counts(operations.guided)}, gates: {_list_counts(operations.gates)}"
    except Refused as refused:
        inside = refused.detail
    yield CheckResult("network", "ok", f"{count:,} parameters, input {size}, {len(spec.labels)} classes; {inside}")
    for note in network_notes(loaded.behaviour):
        yield CheckResult("network", "note", note.detail)


def _list_counts(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) or "none"


def _check_predictions(
    spec: ModelSpec, loaded: LoadedModel, picture: bytes | None, max_pixels: int
) -> Iterator[CheckResult]:
    classifier = loaded.classifier
    pictures = {"the picture": picture} if picture else {name: read_sample(name) for name in samples()}
    logits = []
    for name, data in pictures.items():
        x = torch.from_numpy(preprocess(decode(data, max_pixels), spec.input).pixels)
        logits.append(loaded.logits(x[None].to(classifier.device))[0].double().cpu())
        probabilities = classifier.probabilities(logits[-1])
        best = int(probabilities.argmax())
        yield CheckResult("answer", "ok", f"{name}: {classifier.label(best)} {float(probabilities[best]):.2f}")
    stacked = torch.stack(logits)
    if not bool(stacked.isfinite().all()):
        yield CheckResult("answer", "wrong", "The logits hold NaN or infinity: weights, `mean` or `std` are broken.")
    elif len(logits) > 1 and float(stacked.std(0).mean()) <= MIN_SPREAD * max(float(stacked.std()), 1e-12):
        yield CheckResult(
            "answer",
            "wrong",
            "The logits hardly depend on the picture. Is it trained? Are `mean` and `std` those of the training?",
        )
    if spec.card.labels is None and isinstance(spec.card.source, File):
        yield CheckResult("labels", "note", "The classes have numbers only: name them by `labels` (a list or a file).")


def _layers(inspection: Inspection) -> CheckResult:
    layers = inspection.layers
    if not layers:
        return CheckResult("Grad-CAM layers", "refused", "none: there is no spatial feature map")
    listed = ", ".join(f"{x.name} {x.shape[0]}×{x.shape[1]}×{x.shape[2]}" for x in reversed(layers[-6:]))
    more = f" … {len(layers)} in all" if len(layers) > 6 else ""
    default = inspection.default_layer
    if default is None:
        return CheckResult(
            "Grad-CAM layers", "note", f"{listed}{more}; none is taken by itself: the line «grad_cam» below says why"
        )
    taken = "the first one" if default == layers[-1].name else default
    return CheckResult("Grad-CAM layers", "ok", f"{listed}{more}; {taken} is the default")


def _try_method(method: Method[Any], loaded: LoadedModel, x: torch.Tensor, settings: Settings) -> CheckResult:
    parameters = cheap_parameters(method, side=min(x.shape[-2:]))
    try:
        method.check(loaded.classifier, parameters)
        score = loaded.score(int(loaded.logits(x[None])[0].argmax()))
        steps = method.attribute(loaded.engine(score, settings.micro_batch), x, parameters, 0)
        while True:
            next(steps)
    except StopIteration as stop:
        values = stop.value.values
    except Refused as refused:
        return CheckResult(method.id, "refused", refused.detail)
    except Exception as error:
        detail = error.detail if isinstance(error, (Problem, AttributionError)) else f"{type(error).__name__}: {error}"
        return CheckResult(method.id, "wrong", detail)
    if not bool(values.isfinite().all()):
        return CheckResult(method.id, "wrong", "The map holds NaN or infinity.")
    low, high = float(values.min()), float(values.max())
    if low == high == 0:
        said = notes(method, parameters, "logit", Statistics(min=0, max=0, sum=0))
        return CheckResult(method.id, "note", " ".join(note.detail for note in said))
    if low == high:
        return CheckResult(method.id, "note", f"The map is {low:.3g} everywhere: it tells no place from another.")
    return CheckResult(method.id, "ok", f"{tuple(values.shape)}, {low:.3g} … {high:.3g}")


def cheap_parameters(method: Method[Any], count: int = CHEAP_COUNT, side: int = 128) -> Parameters:
    """Cheap parameters of a method: few steps, samples, masks or channels, large windows for pictures of `side`."""
    fields = method.Parameters.model_fields
    given: dict[str, int] = {name: count for name in ("steps", "samples", "masks", "channels") if name in fields}
    if "stride" in fields:
        given |= {"window": max(1, side // 2), "stride": max(1, side // 2)}
    return method.Parameters.model_validate(given)
