"""Units that never fire in a watched run, and the activations whose units are not looked at."""

from __future__ import annotations

import copy

import gradoscope
import pytest
import torch
from gradoscope.lab.runs.record import read_run
from gradoscope.lab.runs.report import report
from torch import nn


def test_dead_units_and_when_they_fired_last(tmp_path):
    """Unit k of five fires where the input is above k: known at each step."""
    model = nn.Sequential(nn.Linear(1, 5), nn.ReLU(), nn.Linear(5, 1))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[0].bias.copy_(-torch.arange(5.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=2):
        for high in (3.5, 9.0, 2.5, 9.0, 1.5, 9.0, 1.5):  # the odd steps are not recorded
            model(torch.tensor([[0.1], [high]])).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    run = read_run((tmp_path / "run.jsonl").read_bytes())
    assert run.dead[:, 0].tolist() == [1, 2, 3, 3]
    assert run.silent == [[(-1, 1), (0, 1), (2, 1)]]


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.GELU(), "GELU"), (nn.SiLU(inplace=True), "SiLU"), (nn.LeakyReLU(), "LeakyReLU"), (nn.Mish(), "Mish"),
        (nn.Hardswish(), "Hardswish"), (nn.ELU(), "ELU"), (nn.PReLU(), "PReLU"), (nn.Tanh(), "tanh"),
        (nn.Sigmoid(), "sigmoid"), (nn.Softplus(), "Softplus"), (nn.Hardtanh(), "Hardtanh"),
    ],
)  # fmt: skip
def test_what_was_not_looked_at_is_said(tmp_path, module, kind):
    """No model without ReLUs is said to be free of dead units, nor one that has others beside them."""
    for beside in (False, True):
        layers = [nn.Linear(3, 4), copy.deepcopy(module), nn.Linear(4, 4), copy.deepcopy(module), nn.Linear(4, 1)]
        model = nn.Sequential(*layers, *([nn.ReLU()] if beside else []))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1):
            for _ in range(4):
                model(torch.rand(8, 3) + 1).square().sum().backward()
                optimizer.step()
        data = (tmp_path / "run.jsonl").read_bytes()
        assert read_run(data).uncounted == {kind: 2}
        assert data.count(b'"uncounted"') == 1  # only where it changes
        found = {one.id: one for one in report(data).findings if one.id.startswith("dead")}
        assert set(found) == ({"dead", "dead_beside"} if beside else {"dead_other"}) or "dead_always" in found
        said = found["dead_beside" if beside else "dead_other"]
        assert said.verdict == "depends"
        assert f"{kind} (2)" in said.text
        assert read_run(data).activations == [] or beside


def test_a_relu6_is_counted_and_no_other_activation(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU6(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1):
        model(torch.rand(8, 3)).sum().backward()
        optimizer.step()
    run = read_run((tmp_path / "run.jsonl").read_bytes())
    assert (run.uncounted, len(run.activations)) == ({}, 1)
