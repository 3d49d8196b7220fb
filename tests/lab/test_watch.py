"""`gradoscope.watch`: what it records, against the same numbers taken by hand; and that it changes nothing."""

from __future__ import annotations

import copy
import io
import json
import math
import sys
import warnings

import gradoscope
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gradoscope.lab.runs.layers import layers_of
from gradoscope.lab.runs.norms import norms
from gradoscope.lab.runs.record import read_run
from torch import nn
from torchvision.models import resnet18

SIZES = (8, 8, 8, 8, 8, 8, 3)  # a last, smaller batch


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Small(nn.Module):
    """A ReLU as a module that is called twice, one as a function, dropout and batch normalisation."""

    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.3)
        self.inner = nn.Linear(6, 8)
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        x = self.relu(self.norm(self.conv(x)))
        x = self.relu(x - 0.1)
        return self.head(F.relu(self.inner(self.drop(x.mean((2, 3))))))


def batches(sizes=SIZES, seed=0, side=10, classes=5):
    generator = torch.Generator().manual_seed(seed)
    for size in sizes:
        yield (
            torch.randn(size, 3, side, side, generator=generator),
            torch.randint(classes, (size,), generator=generator),
        )


def train(model, optimizer, data, seen=None):
    for x, y in data:
        F.cross_entropy(model(x), y).backward()
        if seen is not None:
            seen()
        optimizer.step()
        optimizer.zero_grad()


def run_of(file):
    return read_run(file.read_bytes())


def lines_of(file):
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def state(model):
    return [one.clone() for one in model.state_dict().values()]


def hooks_of(model, optimizer):
    """Every hook that there is."""
    found = [*optimizer._optimizer_step_pre_hooks, *optimizer._optimizer_step_post_hooks]
    shared = sys.modules["torch.optim.optimizer"]
    found += [*shared._global_optimizer_pre_hooks, *shared._global_optimizer_post_hooks]
    for module in model.modules():
        found += [*module._forward_hooks, *module._forward_pre_hooks, *module._backward_hooks]
        found += [*module._forward_hooks_always_called]
    for one in model.parameters():
        found += [*(one._backward_hooks or ()), *(one._post_accumulate_grad_hooks or ())]
    return found


@pytest.mark.parametrize("make", [Small, lambda: resnet18(num_classes=5)], ids=["small", "resnet18"])
@pytest.mark.parametrize("named", [True, False])
def test_weights_are_bit_for_bit_what_they_are_without_it(tmp_path, make, named):
    ends = []
    for watched in (False, True):
        torch.manual_seed(3)
        model = make()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        data = batches(
            SIZES[-4:] if not isinstance(model, Small) else SIZES, side=10 if isinstance(model, Small) else 33
        )
        if watched:
            given = (optimizer,) if named else ()
            with gradoscope.watch(model, *given, file=tmp_path / "run.jsonl", every=2) as watch:
                train(model, optimizer, data)
            assert watch.steps >= 4
        else:
            train(model, optimizer, data)
        ends.append((state(model), torch.get_rng_state(), model.training, hooks_of(model, optimizer)))
    (weights, random, mode, hooks), (same, same_random, same_mode, same_hooks) = ends
    assert all(torch.equal(one, other) for one, other in zip(weights, same, strict=True))
    assert torch.equal(random, same_random)
    assert mode == same_mode
    assert hooks == same_hooks == []


def test_norms_updates_and_dead_units_are_those_that_are_taken_by_hand(tmp_path):
    torch.manual_seed(0)
    model = Small()
    with torch.no_grad():
        model.inner.bias[:3] = -50.0  # three units that never fire
        model.norm.weight[1], model.norm.bias[1] = 0.0, -1.0  # a channel that never fires
    by_hand = []
    owners = {"conv": model.conv, "norm": model.norm, "inner": model.inner, "head": model.head}

    def length(tensors):
        return math.sqrt(sum(float(one.double().square().sum()) for one in tensors))

    def seen():
        by_hand.append({
            "gradient": [length([one.grad for one in owner.parameters()]) for owner in owners.values()],
            "before": [[one.detach().clone() for one in owner.parameters()] for owner in owners.values()],
        })  # fmt: skip

    class Steps(torch.optim.SGD):
        """Calls the hooks of optimizers twice in a step: its own, and those of its base class."""

        def step(self, closure=None):
            super().step(closure)
            for owner, before in zip(owners.values(), by_hand[-1]["before"], strict=True):
                moved = length([a.detach() - b for a, b in zip(owner.parameters(), before, strict=True)])
                by_hand[-1].setdefault("update", []).append(moved / length(before))

    optimizer = Steps(model.parameters(), lr=0.1, momentum=0.9)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=3):
        train(model, optimizer, batches(), seen)
    run = run_of(tmp_path / "run.jsonl")
    assert run.names == list(owners)
    assert run.steps.tolist() == [0, 3, 6]
    assert run.samples.tolist() == [8, 8, 3]
    for row, step in enumerate(run.steps):
        np.testing.assert_allclose(run.gradient[row], by_hand[step]["gradient"], rtol=1e-3)
        np.testing.assert_allclose(run.update[row], by_hand[step]["update"], rtol=1e-3)
    assert [one.name for one in run.activations] == ["relu", "relu#2", "relu()"]
    assert [one.units for one in run.activations] == [6, 6, 8]
    assert (run.dead[:, 0] >= 1).all()
    assert (run.dead[:, 2] >= 3).all()
    assert dict(run.silent[2])[-1] >= 3


def test_only_the_forward_passes_of_training_count(tmp_path):
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
        model[0].bias.fill_(-1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1):
        model(torch.zeros(4, 1)).sum().backward()
        with torch.no_grad():
            model(torch.full((4, 1), 9.0))  # a look at other data in between: every unit fires
        optimizer.step()
    assert run_of(tmp_path / "run.jsonl").dead.tolist() == [[2]]


def test_recurrent_modules_have_a_layer_for_each_parameter(tmp_path):
    model = nn.LSTM(3, 4, num_layers=2, batch_first=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1):
        model(torch.randn(5, 7, 3))[0].square().mean().backward()
        expected = [float(one.grad.norm()) for one in model.parameters()]
        optimizer.step()
    run = run_of(tmp_path / "run.jsonl")
    assert run.names == [name for name, _ in model.named_parameters()]
    np.testing.assert_allclose(run.gradient[0], expected, rtol=1e-3)


def test_shared_frozen_and_sparse_parameters(tmp_path):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(20, 4, sparse=True)
            self.frozen = nn.Linear(4, 4).requires_grad_(False)
            self.unused = nn.Linear(4, 4)
            self.one = nn.Linear(4, 4)
            self.other = nn.Linear(4, 4)
            self.other.weight = self.one.weight

        def forward(self, x):
            return self.other(self.one(self.frozen(self.words(x)))).square().mean()

    torch.manual_seed(0)
    model = Words()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1):
        for _ in range(2):
            model(torch.tensor([[1, 1, 2], [3, 1, 9]])).backward()
            words = float(model.words.weight.grad.to_dense().norm())
            one = math.hypot(float(model.one.weight.grad.norm()), float(model.one.bias.grad.norm()))
            other = float(model.other.bias.grad.norm())
            assert not model.words.weight.grad.is_coalesced()
            optimizer.step()
            optimizer.zero_grad()
    run = run_of(tmp_path / "run.jsonl")
    assert run.names == ["words", "frozen", "unused", "one", "other"]
    np.testing.assert_allclose(run.gradient[-1], [words, np.nan, np.nan, one, other], rtol=1e-3)
    assert np.isnan(run.update[-1, 1:3]).all()
    assert (run.update[-1, [0, 3, 4]] > 0).all()


@pytest.mark.parametrize("fused", [False, True])
def test_amp_gradients_are_unscaled_and_skipped_steps_are_none(tmp_path, fused):
    torch.manual_seed(0)
    model = nn.Linear(6, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    expected = []
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1) as watch:
        for number in range(4):
            loss = F.cross_entropy(model(torch.randn(4, 6)), torch.randint(2, (4,)))
            if number != 2:
                grads = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
                expected.append(math.sqrt(sum(float(one.square().sum()) for one in grads)))
            scaler.scale(loss * (math.inf if number == 2 else 1.0)).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    run = run_of(tmp_path / "run.jsonl")
    found = np.hypot(*run.gradient.T)  # of weight and bias
    finite = np.isfinite(found)
    assert watch.steps == (4 if fused else 3), "a fused optimizer leaves a step out by itself"
    np.testing.assert_allclose(found[finite], expected, rtol=1e-3)
    assert run.passes.tolist() == [1] * watch.steps
    assert run.noise_from in (None, "successive")


def test_a_closure_computes_within_the_step(tmp_path):
    model = nn.Linear(3, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    data = torch.randn(8, 3)

    def closure():
        optimizer.zero_grad()
        loss = (model(data) - 1).square().mean()
        loss.backward()
        return loss

    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1):
        optimizer.step(closure)
        last = math.sqrt(sum(float(one.grad.square().sum()) for one in model.parameters()))
    (found,) = run_of(tmp_path / "run.jsonl").gradient
    assert found @ found == pytest.approx(last**2, rel=2e-3)


def test_a_loop_without_an_optimizer(tmp_path):
    model = nn.Linear(3, 1, bias=False)
    with gradoscope.watch(model, file=tmp_path / "run.jsonl", every=2) as watch:
        for _ in range(3):
            model(torch.ones(1, 3)).sum().backward()
            with torch.no_grad():
                before = model.weight.clone()
                model.weight -= 0.1 * model.weight.grad
                ratio = float((model.weight - before).norm() / before.norm())
            watch.step()
            model.weight.grad = None
    run = run_of(tmp_path / "run.jsonl")
    assert run.steps.tolist() == [0, 2]
    np.testing.assert_allclose(run.gradient, [[math.sqrt(3)]] * 2, rtol=1e-3)
    np.testing.assert_allclose(run.update[-1], [ratio], rtol=1e-3)


def test_step_is_left_out_where_an_optimizer_counts(tmp_path):
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl") as watch, pytest.raises(RuntimeError):
        watch.step()


def test_hooks_are_gone_after_an_exception(tmp_path):
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.failing = False

        def forward(self, x):
            if self.failing:
                raise KeyboardInterrupt
            return F.relu(self.inner(x))

    model = Fails()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def broken_off():
        with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1):
            for number in range(3):
                model.failing = number == 2
                model(torch.ones(1, 2)).sum().backward()
                optimizer.step()

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert hooks_of(model, optimizer) == []
    assert torch.overrides._get_current_function_mode_stack() == []
    assert run_of(tmp_path / "run.jsonl").steps.tolist() == [0, 1]


def test_a_model_that_is_copied_or_saved_in_the_loop_takes_no_hook_along(tmp_path):
    model = Small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1) as watch:
        copied = copy.deepcopy(model)
        saved = io.BytesIO()
        torch.save(model, saved)
        assert b"gradoscope.lab" not in saved.getvalue()
        for other in (copied, torch.load(io.BytesIO(saved.getvalue()), weights_only=False)):
            train(other, torch.optim.SGD(other.parameters(), lr=0.1), batches((4, 4)))
        assert watch.steps == 0
        train(model, optimizer, batches((4,)))
        assert watch.steps == 1


def test_gradients_of_any_size_have_their_norm():
    for size in (1e-30, 1e-20, 1e-3, 1e18, 1e30):
        tensor = torch.full((100,), size)
        assert norms([tensor])[0] == pytest.approx(10 * float(tensor[0]), rel=1e-5)
    assert norms([torch.zeros(3), torch.tensor([1.0, math.inf]), torch.tensor([60000.0] * 4).half()]) == [
        0.0, math.inf, pytest.approx(120000, rel=1e-3),
    ]  # fmt: skip
    assert math.isnan(norms([torch.tensor([1.0, math.nan])])[0])


@pytest.mark.parametrize("raw", [False, True], ids=["the compiled model", "the model below it"])
def test_a_compiled_model_is_watched_but_for_its_units(tmp_path, raw):
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch._dynamo.utils.counters.clear()
    with gradoscope.watch(model if raw else compiled, optimizer, file=tmp_path / "run.jsonl", every=2):
        for _ in range(6):
            compiled(torch.randn(4, 4)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
    counters = torch._dynamo.utils.counters
    assert counters["stats"]["unique_graphs"] == 1, "no graph is compiled again"
    run = run_of(tmp_path / "run.jsonl")
    assert run.steps.tolist() == [0, 2, 4]
    assert np.isfinite(run.gradient).all()
    assert run.head.notes == ([] if raw else ["compiled"])
    assert run.activations == []
    found = {one.id for one in gradoscope.read_run(tmp_path / "run.jsonl").findings}
    assert ("dead_unknown" if raw else "dead_compiled") in found


def test_what_fails_in_recording_does_not_stop_the_training(tmp_path, monkeypatch):
    model = Small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with gradoscope.watch(model, optimizer, file=tmp_path / "run.jsonl", every=1) as watch:
        monkeypatch.setattr(watch._writer, "add_step", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.warns(RuntimeWarning, match="disk full"):
            train(model, optimizer, batches((4,)))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            train(model, optimizer, batches((4, 4)))
        assert hooks_of(model, optimizer) == []


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (nn.ReLU(), {}, "no parameters"),
        (nn.LazyLinear(3), {}, "forward pass first"),
        (nn.Linear(1, 1), {"every": 0}, "every"),
        (nn.Linear(1, 1), {"batch_size": 1.5}, "batch_size"),
    ],
)
def test_what_cannot_be_watched_is_refused(tmp_path, model, options, words):
    with pytest.raises(ValueError, match=words):
        gradoscope.watch(model, file=tmp_path / "run.jsonl", **options)


def test_another_file_is_not_lost_and_an_older_run_is_replaced(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    with pytest.raises(FileExistsError, match="no file of a run"), gradoscope.watch(nn.Linear(1, 1), file=file):
        pass
    assert file.read_text() == "mine"
    for _ in range(2):
        with gradoscope.watch(nn.Linear(1, 1), file=tmp_path / "run.jsonl"):
            pass
    assert len(lines_of(tmp_path / "run.jsonl")) == 1


def test_many_layers_are_put_together():
    model = nn.ModuleList([nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1))) for _ in range(10)])
    assert len(layers_of(model)) == 20
    grouped = layers_of(model, limit=12)
    assert [one.name for one in grouped] == [str(number) for number in range(10)]
    assert all(len(one.parameters) == 4 for one in grouped)
