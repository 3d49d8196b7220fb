"""The numbers in each metric's figures, as the metrics themselves give them on a tiny net."""

from __future__ import annotations

import pytest
from gradoscope.attribution.metrics.base import metrics
from gradoscope.evaluation.scalars import declared, figure, main_scalar, scalars_of

FEW = {
    "deletion": {"steps": 3},
    "insertion": {"steps": 3},
    "infidelity": {"samples": 4},
    "max_sensitivity": {"samples": 2},
    "randomisation": {"stages": 2},
    "gradient_check": {"directions": 2},
    "relevance_mass": {"box": "2,2,8,8"},
    "relevance_rank": {"box": "2,2,8,8"},
    "road": {"steps": 2},
}


@pytest.fixture(scope="module")
def figures():
    """By metric, of a map of integrated gradients."""
    from tests.support.explained_maps import explained_map, measure
    from tests.support.nets import Tiny, explain, random_picture, wrap

    model, picture = wrap(Tiny()), random_picture(side=12)
    made = explain("integrated_gradients", model, picture, steps=3)
    own = explained_map("integrated_gradients", model, picture, made.values, steps=3)
    object.__setattr__(own, "diagnostics", made.diagnostics)
    return {id: measure(id, own, **FEW.get(id, {})).figures for id in metrics()}


def test_every_metric_has_its_numbers(figures):
    found = {number.id: value for id, given in figures.items() for number, value in scalars_of(id, given)}
    assert set(found) == {number.id for own in declared().values() for number in own} - {
        "stability.seed"
    }  # the method draws nothing
    for id in figures:
        assert main_scalar(id) in found


def test_numbers_are_computed_from_the_figures(figures):
    found = {number.id: value for id, given in figures.items() for number, value in scalars_of(id, given)}
    deletion, insertion = figures["deletion"], figures["insertion"]
    assert found["deletion.gain_random"] == pytest.approx(deletion["random_area"] - deletion["map"]["area"])
    assert found["insertion.gain_gaussian"] == pytest.approx(insertion["map"]["area"] - insertion["gaussian"]["area"])
    stages = figures["randomisation"]["stages"]
    assert found["randomisation.rank_correlation_first"] == stages[0]["rank_correlation"]
    assert found["randomisation.ssim_last"] == stages[-1]["ssim"]
    classes = [one["rank_correlation"] for one in figures["class_sensitivity"]["classes"]]
    assert found["class_sensitivity.rank_correlation"] == pytest.approx(sum(classes) / len(classes))
    assert found["completeness.relative_error"] == abs(figures["completeness"]["relative_error"])
    mirrored = next(trial for trial in figures["stability"]["trials"] if trial["id"] == "mirror")
    assert found["stability.mirror"] == mirrored["rank_correlation"]


def test_a_metric_that_is_not_known_has_its_single_figures():
    given = {"area": 2, "share": 0.5, "passed": True, "name": "x", "curve": [1, 2], "none": None, "nan": float("nan")}
    assert {number.id: value for number, value in scalars_of("new", given)} == {"new.area": 2.0, "new.share": 0.5}
    assert main_scalar("new") is None
    assert [number.id for number, _ in scalars_of("completeness", {"relative_error": None})] == []


def test_numbers_are_written_shortly():
    assert [figure(value) for value in (0.7276, -0.048, 0.00042, -1234.5, 0)] == [
        "0.728", "−0.048", "0.00042", "−1.2e+03", "0.000",
    ]  # fmt: skip
