"""The file of a run, and what is said of it: against runs whose numbers are known, and hostile ones."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys

import gradoscope
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gradoscope.client.experiment_files import files
from gradoscope.contract.experiments import ExperimentResult
from gradoscope.contract.problems import Unprocessable
from gradoscope.lab.runs import record
from gradoscope.lab.runs.record import read_run
from gradoscope.lab.runs.report import report
from gradoscope.lab.runs.writer import RunWriter
from gradoscope.lab.worded import RUN
from gradoscope.lab.wording import PLACEHOLDER, words
from gradoscope.settings import shipped
from torch import nn

HEAD = {
    "format": "gradoscope-run", "version": 1, "every": 10,
    "layers": [{"name": name, "kind": "Linear", "parameters": 100} for name in ("a", "b", "c")],
}  # fmt: skip


def step(number, gradient=(1.0, 1.0, 1.0), **more):
    return {"step": number, "gradient": list(gradient), "update": [1e-3] * len(gradient), "samples": 8, **more}


def data_of(*lines, head=HEAD):
    return "".join(json.dumps(line) + "\n" for line in (head, *lines)).encode()


def findings_of(*lines, head=HEAD):
    return {one.id: one for one in report(data_of(*lines, head=head)).findings}


# The file


def test_a_file_stays_below_its_bound_for_any_number_of_steps(tmp_path):
    file, most = tmp_path / "run.jsonl", 64 * 1024
    writer = RunWriter(file, HEAD, most)
    largest = 0
    for number in range(20_000):
        writer.add_step(step(number * 10), stays=number == 777)
        if number % 500 == 0:
            largest = max(largest, file.stat().st_size)
            read_run(file.read_bytes())  # it can be read at any time
    writer.close()
    assert max(largest, file.stat().st_size) <= most
    run = read_run(file.read_bytes())
    assert run.steps[0] == 0
    assert run.steps[-1] == 199_990
    assert 7770 in run.steps, "a line that stays"
    gaps = np.diff(run.steps)
    assert gaps[-1] == 10
    assert np.median(gaps[:20]) > 100, "older steps are the sparser"
    assert list(tmp_path.iterdir()) == [file]


KILLED = """
import os, signal, sys
import gradoscope, torch
from torch import nn
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with gradoscope.watch(model, optimizer, file=sys.argv[1], every=1):
    for number in range(50):
        model(torch.randn(4, 4)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        if number == 40:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_is_killed_leaves_a_file_that_is_read(tmp_path):
    file = tmp_path / "run.jsonl"
    subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False, timeout=120)
    assert read_run(file.read_bytes()).steps.tolist() == list(range(41))
    whole = file.read_bytes()
    cut = read_run(whole[:-20])  # in the middle of the last line
    assert cut.steps.tolist() == list(range(40))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "head"),
        (b'{"format": "other", "version": 1}\n', "head"),
        (data_of(head=HEAD | {"version": 2}), "version"),
        (data_of(head=HEAD | {"layers": []}), "layers"),
        (data_of(head=HEAD | {"layers": [{"name": "a", "parameters": 0}]}), "parameters"),
        (data_of(), "no recorded step"),
        (data_of(step(1), step(1)), "after step 1"),
        (data_of(step(1, (1.0, 2.0))), "3 layers"),
        (data_of(step(1) | {"gradient": [1.0, "x", 1.0]}), "gradient"),
        (data_of(step(1) | {"gradient": [-1.0, 1.0, 1.0]}), "gradient"),
        (data_of(step(1) | {"dead": [3]}), "activations"),
        (data_of({"activation": {"name": "r", "units": 2}}, step(1) | {"dead": [3]}), "more units"),
        (data_of({"activation": {"name": "r", "units": 2}}, step(1) | {"silent": [[[5, 1]]]}), "contradict"),
        (data_of(step(1) | {"not_finite": [9]}), "no such layer"),
        (data_of(step(1)).replace(b"1.0", b"NaN"), "line 2"),
        (data_of(step(1)).replace(b"1.0", b"1e999"), "line 2"),
        (data_of(step(1)) + b'{"step": ' + b"[" * 100_000 + b"\n", "line 3"),
        (data_of(step(1)) + b'{"step": ' + b"9" * 10_000 + b"}\n", "line 3"),
        (data_of(step(1)) + b'{"step": "\xff\xfe"}\n', "line 3"),
        (b"x" * (record.MAX_BYTES + 1), "limit"),
    ],
)
def test_what_is_no_run_is_refused_in_words(data, words):
    with pytest.raises(Unprocessable, match="no file of a run") as refused:
        report(data)
    assert words in refused.value.detail
    assert len(refused.value.detail) < 400


def test_damaged_files_are_refused_or_read_and_nothing_else():
    whole = bytearray((shipped("static") / "runs" / "trouble.jsonl").read_bytes()[:20_000])
    chance = random.Random(0)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 8)):
            place = chance.randrange(len(data))
            data[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        try:
            json.dumps(report(bytes(data)).to_dict(), allow_nan=False)
        except Unprocessable:  # anything else is an error
            refused += 1
    assert 0 < refused < 150, "both happen"


def test_extreme_numbers_are_drawn_without_a_warning():
    for value in (0.0, 1e-320, 1e308, None):
        lines = [step(number, (value, 1.0, value)) | {"update": [value, 1.0, value]} for number in range(12)]
        lines = [line | {"noise": [1e308, -1e308]} for line in lines]
        result = report(data_of(*lines))
        json.dumps(result.to_dict(), allow_nan=False)
        assert {"norms", "layers", "updates"} <= {figure.id for figure in result.figures}


# What is found


def test_a_vanishing_gradient_with_its_layers_number_and_step():
    """From step 400 on the first two layers are 10⁶ times smaller than the last."""
    lines = [step(10 * n, (1e-6, 1e-6, 1.0) if n >= 40 else (0.5, 0.5, 1.0)) for n in range(100)]
    found = findings_of(*lines)["vanishing"]
    assert found.verdict == "fails"
    assert found.numbers["layers"] == "a, b"
    assert found.numbers["step"] == 400
    assert found.numbers["times"] == pytest.approx(1e6)
    assert "since step 400" in found.text
    assert findings_of(*lines[:40])["vanishing"].verdict == "holds"
    once = [step(10 * n, (1e-6, 1.0, 1.0) if 20 <= n < 40 else (1.0, 1.0, 1.0)) for n in range(100)]
    passed = findings_of(*once)["vanishing"]
    assert passed.verdict == "depends"
    assert passed.numbers["steps"] == 20


def test_layers_that_vanish_one_after_the_other():
    lines = [step(n, (1e-6 if n >= 4 else 1.0, 1e-4 if n >= 20 else 1.0, 1.0)) for n in range(60)]
    found = findings_of(*lines)["vanishing_spread"]
    assert (found.numbers["layers"], found.numbers["first"], found.numbers["step"]) == ("a, b", 4, 20)
    assert "the first since step 4, all since step 20" in found.text


def test_exploding_layers_growth_and_gradients_that_are_not_finite():
    lines = [step(n, (1e5, 1.0, 1.0)) for n in range(10)]
    assert findings_of(*lines)["exploding"].numbers["layers"] == "a"
    grown = [step(n, (1.0, 1.0, 1.0 if n < 18 else 1e4)) for n in range(20)]
    found = findings_of(*grown)["growth"]
    assert found.verdict == "fails"
    assert found.numbers["times"] == pytest.approx(1e4 / math.sqrt(3), rel=1e-3)
    broken = [step(n, (1.0, None if n > 5 else 1.0, 1.0), not_finite=[1] if n > 5 else []) for n in range(20)]
    found = findings_of(*broken)["finite"]
    assert (found.verdict, found.numbers["layer"], found.numbers["step"]) == ("fails", "b", 6)
    once = [step(n, not_finite=[1] if n == 5 else []) for n in range(20)]
    assert findings_of(*once)["finite"].verdict == "depends"


def test_updates_that_are_too_large_or_too_small():
    lines = [step(n) | {"update": [1e-3, 0.2, 1e-3]} for n in range(10)]
    found = findings_of(*lines)["large_updates"]
    assert (found.numbers["layers"], found.numbers["update"], found.numbers["step"]) == ("b", 0.2, 0)
    lines = [step(n) | {"update": [1e-8, 1e-3, 1e-3]} for n in range(10)]
    assert findings_of(*lines)["small_updates"].numbers["layers"] == "a"
    assert findings_of(*[step(n) for n in range(10)])["updates"].verdict == "holds"


def test_activations_that_were_not_looked_at_are_named():
    lines = [step(n) for n in range(10)]
    lines[0]["uncounted"] = {"GELU": 4, "tanh": 1}
    found = findings_of(*lines)
    assert found["dead_other"].verdict == "depends"
    assert "GELU (4), tanh (1)" in found["dead_other"].text
    assert "dead_unknown" not in found
    assert findings_of(*[step(n) for n in range(10)])["dead_unknown"].verdict == "depends"
    with pytest.raises(Unprocessable):
        report(data_of(step(0, uncounted={"GELU": -1})))


def test_dead_units_count_only_where_they_stay_dead():
    head = [{"activation": {"name": "relu", "units": 100}}]
    lines = [step(10 * n, dead=[50], silent=[[[120, 37], [985, 13]]] if n == 99 else [[]]) for n in range(100)]
    found = findings_of(*head, *lines)["dead"]
    assert found.verdict == "fails"
    assert (found.numbers["percent"], found.numbers["step"], found.numbers["layer"]) == (37.0, 120, "relu")
    assert "37 % of the units of relu" in found.text
    assert "after step 120" in found.text


def noisy(count, batch, trace, length, seed=0):
    """Pairs of batch gradients of length `length` with per-sample variance `trace`, as the estimates of steps."""
    chance = np.random.default_rng(seed)
    size = 400
    true = np.full(size, length / math.sqrt(size))
    for number in range(count):
        one, other = true + chance.normal(0, math.sqrt(trace / batch / size), (2, size))
        small, large = (one @ one + other @ other) / 2, ((one + other) / 2) @ ((one + other) / 2)
        yield step(number, samples=batch, noise_from="successive", noise=[
            float((small - large) / (1 / batch - 1 / (2 * batch))), float(2 * large - small),
        ])  # fmt: skip


def test_the_noise_scale_is_that_of_the_gradients_it_was_made_from():
    result = report(data_of(*noisy(200, batch=16, trace=64.0, length=1.0)))
    assert result.numbers["noise_scale"] == pytest.approx(64, rel=0.05)
    found = {one.id: one for one in result.findings}
    assert found["noise_successive"].verdict == "holds"
    assert findings_of(*noisy(200, batch=256, trace=64.0, length=1.0))["noise_successive"].verdict == "fails"
    assert findings_of(*noisy(40, batch=4, trace=64.0, length=0.0))["noise_untold"].verdict == "depends"
    assert findings_of(*noisy(8, batch=16, trace=64.0, length=1.0))["noise_unknown"].verdict == "depends"


# Whole trainings


def watched(tmp_path, model, optimizer, loss, steps=30, every=2):
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=every):
        for number in range(steps):
            loss(model, number).backward()
            optimizer.step()
            optimizer.zero_grad()
    return {one.id: one for one in gradoscope.read_run(tmp_path / "run.jsonl").findings}


class Deep(nn.Module):
    """A recurrent network of six layers whose weights are small, read at its last step."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.rnn = nn.RNN(4, 16, num_layers=6, batch_first=True)
        self.head = nn.Linear(16, 1)
        with torch.no_grad():
            for one in self.rnn.parameters():
                one.mul_(gain)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def test_a_recurrent_network_that_vanishes(tmp_path):
    torch.manual_seed(0)
    model = Deep(gain=0.05)
    x, y = torch.randn(8, 5, 4), torch.randn(8, 1)
    F.mse_loss(model(x), y).backward()
    norms = {name: float(one.grad.double().norm()) for name, one in model.named_parameters()}
    head = math.hypot(norms["head.weight"], norms["head.bias"])
    times = {name: head / value for name, value in norms.items() if name.startswith("rnn.")}
    expected = [name for name, value in times.items() if value >= 1000]
    assert 0 < len(expected) < len(times)
    model.zero_grad()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    found = watched(tmp_path, model, optimizer, lambda net, _: F.mse_loss(net(x), y))["vanishing"]
    assert found.verdict == "fails"
    assert found.numbers["count"] == len(expected)
    assert found.numbers["most"] == max(times, key=times.__getitem__)
    assert found.numbers["times"] == pytest.approx(max(times.values()), rel=2e-3)
    assert found.numbers["last"] == "head"
    assert found.numbers["step"] == 0


def test_a_network_that_explodes(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(*[nn.Linear(16, 16) for _ in range(12)], nn.Linear(16, 1))
    with torch.no_grad():
        for one in model[:-1]:
            one.weight.mul_(12.0)
        model[-1].weight.mul_(30.0)
    x = 1e-9 * torch.randn(8, 16)
    found = watched(
        tmp_path, model, torch.optim.SGD(model.parameters(), lr=1e-3), lambda net, _: (net(x) - 1).square().mean()
    )
    assert found["finite"].verdict == "fails"
    assert found["finite"].numbers["step"] in range(0, 10)


def test_dead_relus_of_a_training(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 1))
    x = torch.randn(64, 6)
    with torch.no_grad():
        model[0].bias[:10] = -100.0
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    found = watched(tmp_path, model, optimizer, lambda net, _: net(x).square().mean())["dead_always"]
    with torch.no_grad():
        expected = int((model[:2](x).amax(0) == 0).sum())
    assert found.numbers["count"] == expected == 10
    assert found.numbers["percent"] == 25.0


# Words, figures, files


def test_every_finding_number_and_figure_has_words_in_both_languages():
    english, chinese = words(RUN), words(RUN, "zh")
    own = {code: json.loads((RUN.folder / "texts" / f"{code}.json").read_text("utf-8")) for code in ("en", "zh")}
    assert own["en"].keys() == own["zh"].keys()
    for key, text in english.items():
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(chinese[key])), key
    seen = set()
    for name in ("healthy", "trouble"):
        result = report((shipped("static") / "runs" / f"{name}.jsonl").read_bytes())
        json.dumps(result.to_dict(), allow_nan=False)
        for one in result.findings:
            assert f"claim.{one.id}" in english
            assert "{" not in one.text, one
            names = set(PLACEHOLDER.findall(english[f"finding.{one.id}.{one.verdict}"]))
            assert names <= one.numbers.keys(), one
            seen.add((one.id, one.verdict))
        assert {f"figure.{figure.id}" for figure in result.figures} <= english.keys()
        assert {f"about.{figure.id}" for figure in result.figures} <= english.keys()
        assert {f"number.{name}" for name in result.numbers} <= english.keys()
    assert {("finite", "holds"), ("vanishing", "holds"), ("vanishing_spread", "fails"), ("dead", "fails")} <= seen


def test_figures_are_drawn_and_written():
    result = report((shipped("static") / "runs" / "trouble.jsonl").read_bytes())
    written = dict(files(result))
    layers = written["layers.csv"].decode().splitlines()
    assert layers[1].startswith("input,")
    assert {"norms.svg", "layers.png", "dead.npy", "table.csv", "result.json"} <= written.keys()
    assert ExperimentResult.model_validate(json.loads(written["result.json"])) == result


def test_the_largest_file_is_read_and_its_answer_is_small():
    wide = HEAD | {"layers": [{"name": f"layer{n}", "parameters": 10} for n in range(record.MAX_LAYERS)]}
    line = json.dumps(step(0, [1.234] * record.MAX_LAYERS) | {"update": [1.234e-3] * record.MAX_LAYERS})
    count = (record.MAX_BYTES - 20_000) // (len(line) + 8)
    lines = [json.loads(line) | {"step": number} for number in range(count)]
    result = report(data_of(*lines, head=wide))
    assert len(json.dumps(result.to_dict())) < 2 * 2**20
