"""The map against those of other classes."""

from __future__ import annotations

import pytest
import torch
from gradoscope.attribution.metrics.class_sensitivity import of_class
from gradoscope.attribution.score import Score
from scipy.stats import spearmanr
from torch import Tensor

from tests.support.explained_maps import explained_map, measure
from tests.support.nets import Tiny, explain, random_picture, wrap


def test_the_next_classes_by_their_logits_and_one_of_the_rest() -> None:
    model, picture = wrap(Tiny(classes=9), side=12, classes=9), random_picture(side=12)
    subject = explained_map(model=model, picture=picture)
    actual = measure("class_sensitivity", subject)
    ranked = [k for k in model(picture[None])[0].argsort(descending=True).tolist() if k != 0]
    classes = actual.figures["classes"]
    assert [record["target"] for record in classes[:4]] == ranked[:4]
    assert classes[4]["target"] in ranked[4:]
    assert [record["random"] for record in classes] == [False] * 4 + [True]
    for record in classes:
        values = explain("vanilla_gradient", model, picture, score=Score(record["target"])).values
        assert torch.equal(values, actual.maps[str(record["target"])])
        one, other = (v.abs().sum(0).double().ravel() for v in (subject.values, values))
        assert record["rank_correlation"] == pytest.approx(spearmanr(one, other).statistic, abs=1e-6)


@pytest.mark.parametrize(("classes", "count", "drawn"), [(1, 0, 0), (3, 2, 0), (5, 4, 0), (6, 5, 1)])
def test_few_classes(classes: int, count: int, drawn: int) -> None:
    subject = explained_map(model=wrap(Tiny(classes=classes), side=12, classes=classes))
    actual = measure("class_sensitivity", subject).figures["classes"]
    assert len(actual) == count
    assert sum(record["random"] for record in actual) == drawn


def test_a_map_that_knows_no_class_is_like_all() -> None:
    class Same(Tiny):
        """Every class has the same logit, but for a factor."""

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, :1] * torch.tensor([[1.0, 2.0, 3.0]])

    for record in measure("class_sensitivity", explained_map(model=wrap(Same(), side=12))).figures["classes"]:
        assert record["rank_correlation"] == pytest.approx(1, abs=1e-3)
        assert record["ssim"] == pytest.approx(1, abs=1e-3)


def test_a_difference_of_logits_is_never_of_a_class_with_itself() -> None:
    assert of_class(Score(0, against=2), 1) == Score(1, against=2)
    assert of_class(Score(0, against=2), 2) == Score(2)
