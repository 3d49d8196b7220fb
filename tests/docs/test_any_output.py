"""The examples of docs/any-output.md: each runs, and its gradient is PyTorch's own of the same score."""

from __future__ import annotations

import runpy

import numpy as np
import pytest
import torch

from tests.support.nets import relative
from tests.support.paths import ROOT

EXAMPLES = sorted(path.stem for path in (ROOT / "examples" / "any_output").glob("*.py"))


def test_there_is_one_of_each_kind():
    assert EXAMPLES == ["detector", "embedding", "regressor", "segmentation", "two_inputs"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gradient_is_that_of_the_score(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    with torch.random.fork_rng():  # it seeds
        made = runpy.run_path(str(ROOT / "examples" / "any_output" / f"{name}.py"))
    explanation, network = made["explanation"], made["network"].eval()
    assert [panel.status for panel in explanation] == ["done"] * len(explanation)
    assert explanation.predictions == {type(network).__name__: []}
    pixels = np.asarray(explanation.seen(type(network).__name__), dtype=np.float32) / 255
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].requires_grad_()
    score = made[explanation.score](network((x - 0.5) / 0.5))
    assert score.shape == (1,)
    (gradient,) = torch.autograd.grad(score.sum(), x)
    assert relative(torch.from_numpy(explanation["vanilla_gradient"].values), gradient[0]) < 1e-5
    for panel in explanation:
        assert panel.diagnostics["score"] == panel.target.label == explanation.score
        assert np.abs(panel.values).max() > 0
