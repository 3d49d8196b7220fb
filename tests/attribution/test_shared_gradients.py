"""Gradients along a path that several maps need: taken once, kept no longer than needed, and the same maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch
from gradoscope.attribution.counters import counters
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import Attribution, Method, find_method, methods
from gradoscope.attribution.score import Score
from gradoscope.attribution.shared_gradients import GradientSharer, SharedGradients, Walk, count_shared
from torch import Tensor

from tests.support.nets import Keeping, Tiny, explain, random_picture, relative, wrap

Asked = Sequence[tuple[str, dict[str, object]]]
STRAIGHT: Asked = [("integrated_gradients", {}), ("idgi", {}), ("xrai", {})]
BLUR: Asked = [("blur_integrated_gradients", {"max_sigma": 3.0}), ("idgi", {"path": "blur", "max_sigma": 3.0})]


def together(asked: Asked, micro_batch: int = 4, max_bytes: int = 2**20) -> tuple[list[Attribution], list[Engine]]:
    """Maps of one picture that share what they can, each a micro-batch in turn, as the pipeline makes them."""
    classifier, x = wrap(Tiny()).double(), random_picture(seed=3).double()
    found = [(find_method(id), find_method(id).Parameters.model_validate(given)) for id, given in asked]
    walks = {str(number): method.walks(parameters) for number, (method, parameters) in enumerate(found)}
    shared = SharedGradients(walks, max_bytes)
    sharers = [GradientSharer(shared, user, classifier, None, micro_batch) for user in walks]
    engines = [sharer.engine(Score(1)) for sharer in sharers]
    runs = {
        number: method.attribute(engines[number], x, parameters, 0) for number, (method, parameters) in enumerate(found)
    }
    results: dict[int, Attribution] = {}
    while runs:
        waiting = [number for number in runs if engines[number].is_ahead]
        assert len(waiting) < len(runs), "all wait for each other"
        for number in list(runs):
            if engines[number].is_ahead:
                continue
            try:
                next(runs[number])
            except StopIteration as end:
                results[number] = end.value
                del runs[number]
                sharers[number].release()
    assert not shared._kept
    assert not any(shared._bytes.values())
    return [results[number] for number in sorted(results)], engines


@contextmanager
def counted() -> Iterator[list[int]]:
    """The gradients that were computed in the block."""
    before, found = counters.gradient_evaluations, []
    yield found
    found.append(counters.gradient_evaluations - before)


@pytest.mark.parametrize("micro_batch", [1, 4, 7])
@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (STRAIGHT, 100),  # of 50 + 50 + 2 × 50: black once for three, white for XRAI alone
        (BLUR, 50),
        ([("integrated_gradients", {"baseline": "white"}), ("idgi", {"baseline": "white"}), ("xrai", {})], 100),
        ([("integrated_gradients", {"baseline": "noise"}), ("idgi", {"baseline": "noise"})], 50),
        ([("integrated_gradients", {"steps": 20}), ("idgi", {})], 70),  # other points
        ([("integrated_gradients", {"rule": "midpoint"}), ("idgi", {})], 100),
        ([("integrated_gradients", {"baseline": "mean"}), ("idgi", {})], 100),
        ([("blur_integrated_gradients", {"max_sigma": 4.0}), ("idgi", {"path": "blur", "max_sigma": 3.0})], 100),
        ([*STRAIGHT, *BLUR[:1]], 150),
    ],
)  # fmt: skip
def test_each_gradient_is_taken_once_and_each_map_is_as_alone(asked: Asked, taken: int, micro_batch: int) -> None:
    with counted() as found:
        maps, engines = together(asked, micro_batch)
    assert found == [taken]
    alone = [explain(id, wrap(Tiny()).double(), random_picture(seed=3).double(), score=Score(1), **options)
             for id, options in asked]  # fmt: skip
    for one, expected in zip(maps, alone, strict=True):
        assert relative(one.values, expected.values) < 1e-12
        one.diagnostics.pop("regions", None)
        assert one.diagnostics["gradient_evaluations"] == expected.diagnostics["gradient_evaluations"]
    told = sum(
        one.diagnostics["gradient_evaluations"] - engine.shared for one, engine in zip(maps, engines, strict=True)
    )
    assert told == taken
    chosen = [(find_method(id), options) for id, options in asked]
    planned = count_shared(method.walks(method.Parameters.model_validate(options)) for method, options in chosen)
    assert planned == sum(engine.shared for engine in engines)


def test_whoever_is_ahead_waits_where_there_is_no_room() -> None:
    """XRAI comes to the white path only after the black one: the others must not run away, nor be computed twice."""
    asked: Asked = [("integrated_gradients", {"baseline": "white"}), ("idgi", {"baseline": "white"}), ("xrai", {})]
    with counted() as found:
        _, engines = together(asked, 4, max_bytes=16 * 8 * 8 * 3 * 8)
    assert found == [100]
    assert sum(engine.shared for engine in engines) == 100


def test_what_finds_no_room_is_computed_again() -> None:
    with counted() as found:
        maps, engines = together(STRAIGHT[:2], max_bytes=0)
    assert found == [100]
    assert [engine.shared for engine in engines] == [0, 0]
    assert all(relative(one.values, 0 * one.values) for one in maps)


def test_who_stops_early_keeps_nobody_waiting() -> None:
    """With a tolerance a map may never come to points that it has announced."""
    asked: Asked = [("integrated_gradients", {"tolerance": 1.0, "steps": 2000})]
    method = find_method("integrated_gradients")
    walks = method.walks(method.Parameters(tolerance=1.0, steps=2000))
    (walk,) = walks
    shared = SharedGradients({"0": walks, "1": walks})
    shared.offer("1", (walk.path, walk.points[-1]), torch.ones(3), "plain")
    assert len(shared._kept) == 1
    shared.release("0")
    assert not shared._kept
    (one,), _ = together(asked)
    assert one.diagnostics["gradient_evaluations"] < 100


def test_a_gradient_is_kept_for_those_who_need_it_and_no_longer() -> None:
    walk = Walk("path", (0.25, 0.5))
    shared = SharedGradients({"a": [walk], "b": [walk], "c": [Walk("path", (0.5,))], "d": [Walk("other", (0.5,))]})
    batch = torch.arange(6.0).reshape(2, 3)
    shared.offer("a", ("path", 0.5), batch[1], "compiled")
    assert shared.take("d", ("other", 0.5)) is None
    kept = shared.take("b", ("path", 0.5))
    assert kept is not None
    assert kept[0].tolist() == [3, 4, 5]
    assert kept[1] == "compiled"
    assert kept[0].untyped_storage().nbytes() == kept[0].nbytes  # not that of the whole pass
    assert shared.take("c", ("path", 0.5)) is not None
    assert shared.take("b", ("path", 0.5)) is None
    assert count_shared([[walk], [walk], [Walk("path", (0.5,))], [Walk("other", (0.5,))]]) == 3
    assert count_shared([[walk, walk]]) == 0  # one map takes nothing from itself


PATH_METHODS = sorted(id for id, method in methods().items() if method.family == "path")


def points_of(id: str, **options: object) -> set[bytes]:
    """The pictures at which a method takes gradients, to the last bit."""
    network = Keeping()
    explain(id, wrap(network), random_picture(), score=Score(0), **options)
    return {picture.numpy().tobytes() for picture in network.shown}


def test_what_path_methods_have_in_common_with_their_defaults() -> None:
    """Guided integrated gradients begin at the baseline and then go their own way; GradientSHAP's points are random.
    So of the pictures that they need no other method has one, and there is nothing to share."""
    points = {id: points_of(id) for id in PATH_METHODS}
    common = {(one, other): len(points[one] & points[other]) for one in points for other in points if one < other}
    assert {pair: count for pair, count in common.items() if count} == {
        ("idgi", "integrated_gradients"): 50,
        ("idgi", "xrai"): 50,
        ("integrated_gradients", "xrai"): 50,
    }
    announced = {id: walks_of(find_method(id)) for id in PATH_METHODS}
    assert {id for id, walks in announced.items() if not walks} == {"gradient_shap", "guided_integrated_gradients"}


def test_the_ends_of_a_path_are_two_gradients_at_most() -> None:
    """With a tolerance the path's ends are among its points: the baseline, where guided integrated gradients begin, and
    the picture, where the vanilla gradient is. One gradient each, of dozens."""
    with_ends = points_of("integrated_gradients", tolerance=0.05)
    assert len(with_ends & points_of("guided_integrated_gradients")) == 1
    assert len(with_ends & points_of("vanilla_gradient")) == 1
    assert not points_of("integrated_gradients") & points_of("vanilla_gradient")
    assert not points_of("smooth_grad") & points_of("vanilla_gradient")


def walks_of(method: Method) -> tuple[Walk, ...]:  # type: ignore[type-arg]
    return method.walks(method.Parameters())


@pytest.mark.parametrize("id", [id for id in PATH_METHODS if walks_of(find_method(id))])
def test_the_points_announced_are_those_walked(id: str) -> None:
    """Each picture at which a gradient is taken, no more and no fewer, in this order."""
    method = find_method(id)
    walks, asked = method.walks(method.Parameters()), []

    class Asking(Engine):
        def gradients_along(self, path: object, points: Sequence[float]) -> Tensor:
            asked.extend((path.name, t) for t in points)  # type: ignore[attr-defined]
            return super().gradients_along(path, points)  # type: ignore[arg-type]

    engine = Asking(wrap(Tiny()), Score(0), micro_batch=3)
    for _ in method.attribute(engine, random_picture(), method.Parameters(), 0):
        pass
    assert asked == [(walk.path, t) for walk in walks for t in walk.points]
