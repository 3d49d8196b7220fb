"""What a watched run estimates the gradient noise scale from, against the formulas of arXiv:1812.06162."""

from __future__ import annotations

import gradoscope
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gradoscope.lab.runs.record import read_run
from torch import nn


def noise_by_hand(parts):
    """tr Σ and |G|² of (2.9) and (A.2) in arXiv:1812.06162, from gradients of equal micro-batches of 4 samples."""
    flat = torch.stack([torch.cat([one.flatten() for one in part]) for part in parts]).double()
    count, size = len(flat), 4
    small, large = float(flat.square().sum(1).mean()), float(flat.mean(0).square().sum())
    square = (count * size * large - size * small) / (count * size - size)
    return (small - large) / (1 / size - 1 / (count * size)), square


@pytest.mark.parametrize("clip", [False, True])
def test_noise_from_accumulated_micro_batches(tmp_path, clip):
    """Also where the optimizer gets clipped gradients: the estimate is of those before."""
    torch.manual_seed(0)
    model = nn.Linear(6, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    expected = []
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=2):
        for _ in range(4):
            parts = []
            for _ in range(3):
                loss = F.cross_entropy(model(torch.randn(4, 6)), torch.randint(2, (4,)))
                parts.append(torch.autograd.grad(loss, list(model.parameters()), retain_graph=True))
                (loss / 3).backward()
            expected.append(noise_by_hand(parts))
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
            optimizer.zero_grad()
    run = read_run((tmp_path / "run.jsonl").read_bytes())
    assert run.noise_from == "micro_batches"
    assert run.passes.tolist() == [3, 3]
    assert run.samples.tolist() == [12, 12]
    np.testing.assert_allclose(run.noise, [expected[0], expected[2]], rtol=2e-3)


def test_noise_from_successive_steps(tmp_path):
    torch.manual_seed(0)
    model = nn.Linear(6, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    grads = []
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=2):
        for size in (4, 4, 4, 4, 4, 4, 3):
            F.cross_entropy(model(torch.randn(size, 6)), torch.randint(2, (size,))).backward()
            grads.append([one.grad.clone() for one in model.parameters()])
            optimizer.step()
            optimizer.zero_grad()
    run = read_run((tmp_path / "run.jsonl").read_bytes())
    assert run.noise_from == "successive"
    expected = [noise_by_hand(grads[step - 1 : step + 1]) for step in (2, 4)]
    np.testing.assert_allclose(run.noise[1:3], expected, rtol=2e-3)
    assert np.isnan(run.noise[[0, 3]]).all(), "there is no step before the first, and the last batch is smaller"
