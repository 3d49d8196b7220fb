"""How often a model is right, with its interval."""

from __future__ import annotations

import pytest
from gradoscope.evaluation.accuracy import Z95, accuracies, wilson


def look(target, *top, model="m"):
    classes = [{"index": index, "label": str(index), "probability": 0.1, "logit": 0.0} for index in top]
    named = {"target": {"index": target, "label": str(target), "probability": 0.1, "logit": 0.0}}
    return {"picture": "a", "model": model, "problem": None, "classes": classes, **({} if target is None else named)}


@pytest.mark.parametrize(("hits", "count"), [(3, 10), (0, 5), (5, 5), (499, 1000)])
def test_the_ends_of_the_interval_solve_wilsons_equation(hits, count):
    """|p − θ| = z √(θ(1−θ)/n), of which the ends are the two solutions θ."""
    for end in wilson(hits, count):
        assert 0 <= end <= 1
        assert (hits / count - end) ** 2 == pytest.approx(Z95**2 * end * (1 - end) / count, abs=1e-12)


def test_accuracy_and_top_five_of_each_model():
    looks = [look(1, 1, 2), look(1, 2, 1), look(1, 2, 3), look(4, 4), look(7, 7, model="other")]
    first, second = accuracies(looks)
    assert (first.model, first.pictures, first.right, first.in_top, first.accuracy) == ("m", 4, 2, 3, 0.5)
    assert first.low < 0.5 < first.high
    assert (second.model, second.accuracy, second.high) == ("other", 1.0, 1.0)


def test_no_accuracy_without_named_classes_and_of_pictures_that_were_not_predicted():
    failed = {"picture": "b", "model": "m", "problem": {}, "status": "failed"}
    assert accuracies([look(None, 1), failed]) == []
