"""Backpropagation through time against closed forms, torch's own recurrent layers and finite differences."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from gradoscope.lab.experiments.through_time import Cell, ThroughTimeParameters
from gradoscope.lab.experiments.through_time.adding import CONSTANT_MSE, Batch, batch
from gradoscope.lab.experiments.through_time.analysis import Task, parts, reach, squared_errors, states
from gradoscope.lab.experiments.through_time.cells import GATES, advance, from_input, from_state, state_size, weights
from gradoscope.lab.registry import experiments
from pydantic import ValidationError
from torch import Tensor, nn

from tests.support.lab import figure, result, updates, verdicts

CELLS: list[Cell] = ["tanh", "relu", "linear", "lstm", "gru"]


def drawn(
    cell: Cell, every: bool = False, mixed: bool = False, truncation: int = 0, length: int = 7
) -> tuple[Task, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    weight = weights(cell, 5, 0.9, generator)
    weight = weight + 0.1 * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    readout = torch.randn(6, generator=generator, dtype=torch.float64)
    given = batch(4, length, mixed, generator, torch.float64)
    return Task(cell, given, every, truncation), weight, readout


def loss(task: Task, copies: list[Tensor], readout: Tensor) -> float:
    return float(squared_errors(task, states(task, copies), readout).sum(0).mean())


@pytest.mark.parametrize("cell", ["tanh", "relu", "lstm", "gru"])
def test_cells_are_those_of_torch(cell: Cell) -> None:
    task, weight, _ = drawn(cell)
    layer: nn.RNNBase
    if cell in ("tanh", "relu"):
        layer = nn.RNN(2, 5, nonlinearity=cell).double()
    else:
        layer = (nn.LSTM(2, 5) if cell == "lstm" else nn.GRU(2, 5)).double()
    with torch.no_grad():
        layer.weight_hh_l0.copy_(weight[:, :5])
        layer.weight_ih_l0.copy_(weight[:, 5:7])
        layer.bias_ih_l0.copy_(weight[:, 7])
        layer.bias_hh_l0.zero_()
        expected = layer(task.batch.x[..., :2])[0]
    ours = torch.stack(states(task, [weight] * 7))[..., :5]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("every", "mixed"), [(False, False), (True, True)])
def test_each_part_is_what_finite_differences_say(cell: Cell, every: bool, mixed: bool) -> None:
    task, weight, readout = drawn(cell, every, mixed)
    found, step = parts(task, weight, readout), 1e-6
    generator = torch.Generator().manual_seed(2)
    for k in range(7):
        direction = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        moved = [loss(task, [*[weight] * k, weight + sign * step * direction, *[weight] * (6 - k)], readout)
                 for sign in (1, -1)]  # fmt: skip
        slope = (moved[0] - moved[1]) / (2 * step)
        assert float((found.summed[k] * direction).sum()) == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("truncation", [0, 4])
def test_the_parts_add_up_to_autograds_gradient(cell: str, precision: str, truncation: int) -> None:
    numbers = result("through_time", cell=cell, precision=precision, truncation=truncation, train_steps=0).numbers
    assert numbers["parts_error"] <= (1e-5 if precision == "float32" else 1e-12)


def test_the_error_is_that_of_the_tied_weight() -> None:
    task, weight, readout = drawn("tanh", every=True)
    tied = weight.clone().requires_grad_()
    squared_errors(task, states(task, [tied] * 7), readout).sum(0).mean().backward()
    assert tied.grad is not None
    found = parts(task, weight, readout)
    torch.testing.assert_close(found.summed.sum(0), tied.grad, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(found.averaged, found.summed / 7, rtol=1e-12, atol=1e-15)


def test_with_one_length_the_mean_is_the_sum_divided_by_t() -> None:
    found = result("through_time", train_steps=0, precision="float64")
    numbers = found.numbers
    assert numbers["cosine_sum_mean"] == pytest.approx(1, abs=1e-12)
    assert numbers["angle"] < 1e-6
    assert numbers["far_share_sum"] == pytest.approx(numbers["far_share_mean"], rel=1e-12)
    assert numbers["gradient_norm_sum"] == pytest.approx(50 * numbers["gradient_norm_mean"], rel=1e-12)
    assert numbers["far_share_sum"] == pytest.approx(sum(numbers["parts"][:25]) / sum(numbers["parts"]), rel=1e-12)
    assert verdicts(found) == {"added": "holds", "long_range": "fails", "vanishing": "fails", "direction": "holds"}
    shares = figure(found, "shares")
    assert shares.series[0].y == pytest.approx(shares.series[1].y, rel=1e-12)
    assert sum(shares.series[0].y) == pytest.approx(1)
    averaged = result("through_time", train_steps=0, precision="float64", reduction="mean").numbers
    assert averaged["parts"] == pytest.approx([one / 50 for one in numbers["parts"]], rel=1e-12)


def test_with_mixed_lengths_the_directions_differ() -> None:
    found = result("through_time", mixed_lengths=True, loss="every", train_steps=0, precision="float64")
    numbers = found.numbers
    assert numbers["cosine_sum_mean"] < 0.9999
    assert numbers["angle"] == pytest.approx(math.degrees(math.acos(numbers["cosine_sum_mean"])), rel=1e-6)
    assert numbers["angle"] > 1
    assert numbers["far_share_sum"] > numbers["far_share_mean"]
    assert verdicts(found)["direction"] == verdicts(found)["long_range"] == "depends"


@pytest.mark.parametrize(("radius", "first"), [(0.9, 0.00515377520732), (1.1, 117.390852879695)])
def test_a_linear_cells_jacobians_are_powers_of_the_radius(radius: float, first: float) -> None:
    norms = result("through_time", cell="linear", spectral_radius=radius, train_steps=0).numbers["jacobian_norms"]
    assert norms[0] == pytest.approx(first, rel=1e-9)
    assert norms == pytest.approx([radius ** (50 - k) for k in range(50)], rel=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_jacobians_are_what_autograd_says(cell: Cell) -> None:
    task, weight, readout = drawn(cell, every=True)
    found, size = reach(task, weight, readout), state_size(cell, 5)
    alone = Batch(task.batch.x[:, :1], task.batch.targets[:, :1], task.batch.lengths[:1])
    for k in (0, 3, 6):
        rest = Task(cell, Batch(alone.x[k:], alone.targets[k:], alone.lengths), True, 0)
        start = states(Task(cell, alone, True, 0), [weight] * 7)[k - 1][0] if k else torch.zeros(size).double()

        def end(state: Tensor, rest: Task = rest) -> Tensor:
            for row in rest.batch.x:
                state = advance(cell, from_state(weight), state, from_input(weight, row[0]))
            return state

        jacobian = torch.autograd.functional.jacobian(end, start)
        assert float(found.norms[k]) == pytest.approx(float(torch.linalg.svdvals(jacobian)[0]), rel=1e-9)


def test_the_reach_of_a_loss_is_its_gradient() -> None:
    task, weight, readout = drawn("gru", every=True)
    alone = Task("gru", Batch(task.batch.x[:, :1], task.batch.targets[:, :1], task.batch.lengths[:1]), True, 0)
    after = states(alone, [weight.clone().requires_grad_() for _ in range(7)])
    errors, found = squared_errors(alone, after, readout), reach(task, weight, readout).losses
    for t in range(7):
        for k in range(t + 1):
            (expected,) = torch.autograd.grad(errors[t, 0], after[k], retain_graph=True)
            assert float(found[t, k]) == pytest.approx(float(expected.norm()), rel=1e-9, abs=1e-15)
    assert bool(found.triu(1).isnan().any())


def test_recurrent_weights_are_orthogonal_times_the_radius() -> None:
    for cell in CELLS:
        weight = weights(cell, 6, 0.7, torch.Generator().manual_seed(0))
        for block in weight[:, :6].chunk(GATES[cell]):
            torch.testing.assert_close(block @ block.T, 0.49 * torch.eye(6).double(), rtol=0, atol=1e-14)


def test_truncation_cuts_the_sequence_into_pieces() -> None:
    found = result("through_time", truncation=10, train_steps=0)
    assert [one > 0 for one in found.numbers["parts"]] == [False] * 40 + [True] * 10
    assert found.numbers["truncation_cosine"] < 1
    whole = result("through_time", truncation=50, train_steps=0)
    assert whole.numbers["truncation_cosine"] == pytest.approx(1, abs=1e-6)
    assert verdicts(whole)["truncation"] == "holds"


def test_sgd_with_the_mean_at_rate_times_t_walks_with_the_sum() -> None:
    found = result("through_time", train_steps=60, length=20, hidden=8)
    numbers = found.numbers
    assert numbers["weights_gap_scaled"] < 1e-10
    assert numbers["weights_gap_mean"] > 1e-3
    assert numbers["loss_mean_scaled"] == pytest.approx(numbers["loss_sum"], rel=1e-9)
    assert verdicts(found)["trains"] == "fails"


def test_adam_does_the_same_with_sum_and_mean() -> None:
    found = result("through_time", train_steps=60, length=20, hidden=8, optimiser="adam")
    assert 0 < found.numbers["weights_gap_mean"] < 0.01
    assert verdicts(found)["trains_adam"] == "fails"
    beside = result("through_time", train_steps=60, length=20, hidden=8).numbers
    assert beside["loss_adam"] == pytest.approx(found.numbers["loss_sum"], rel=1e-9)
    assert beside["weights_gap_adam"] == pytest.approx(found.numbers["weights_gap_mean"], rel=1e-6)


@pytest.mark.parametrize("changed", [{"mixed_lengths": True}, {"clipping": 0.05}])
def test_lengths_and_clipping_part_the_ways(changed: dict[str, Any]) -> None:
    found = result("through_time", train_steps=30, length=20, hidden=8, **changed)
    assert found.numbers["weights_gap_scaled"] > 1e-4
    assert verdicts(found)["trains"] == "depends"


def test_training_is_what_a_plain_loop_does() -> None:
    numbers = result("through_time", train_steps=5, length=6, hidden=4, rate=0.1, clipping=0.3).numbers
    generator = torch.Generator().manual_seed(0)
    weight = weights("tanh", 4, 0.9, generator).requires_grad_()
    head = torch.randn(4, generator=generator, dtype=torch.float64) / 2
    readout = torch.cat([head, torch.zeros(1)]).requires_grad_()
    batch(16, 6, False, generator, torch.float64)
    rule, losses = torch.optim.SGD([weight, readout], lr=0.1), []
    for _ in range(5):
        given, state = batch(32, 6, False, generator, torch.float64), torch.zeros(32, 4).double()
        for row in given.x:
            state = torch.tanh(torch.cat([state, row], 1) @ weight.T)
        error = ((state @ readout[:4] + readout[4] - given.targets[-1]) ** 2).mean()
        losses.append(error.item())
        rule.zero_grad()
        error.backward()
        nn.utils.clip_grad_norm_([weight, readout], 0.3)
        rule.step()
    assert numbers["loss_sum"] == pytest.approx(losses, rel=1e-10)


def test_always_answering_one_has_an_error_of_a_sixth() -> None:
    given = batch(200_000, 10, False, torch.Generator().manual_seed(0), torch.float64)
    assert float(((given.targets[-1] - 1) ** 2).mean()) == pytest.approx(CONSTANT_MSE, rel=0.02)
    assert CONSTANT_MSE == 1 / 6


def test_two_numbers_are_marked_within_each_sequence() -> None:
    given = batch(500, 30, True, torch.Generator().manual_seed(0), torch.float64)
    numbers, marks, present = given.x.unbind(-1)
    assert bool((marks.sum(0) == 2).all())
    assert bool((present.sum(0) == given.lengths).all())
    assert bool((marks <= present).all())
    assert int(given.lengths.min()) >= 6
    assert int(given.lengths[0]) == 30
    torch.testing.assert_close((numbers * marks).sum(0), given.targets[-1])


def test_first_figures_come_before_training_and_losses_grow() -> None:
    found = updates("through_time", length=6, hidden=4, train_steps=40)
    assert [figure.id for figure in found[0].figures] == ["jacobians", "reach"]
    assert [figure.id for figure in found[1].figures] == ["jacobians", "reach", "parts", "shares"]
    lengths = [len(update.numbers["loss_sum"]) for update in found[2:]]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == 40


def test_no_training_where_none_is_asked_for() -> None:
    found = result("through_time", length=6, hidden=4, train_steps=0)
    assert "loss_sum" not in found.numbers
    assert found.done == found.total
    assert {"trains", "trains_adam", "adam", "learned"}.isdisjoint(verdicts(found))


def test_a_gradient_of_zero_has_no_shares() -> None:
    found = result("through_time", length=4, hidden=4, spectral_radius=0.0, cell="relu", train_steps=0, truncation=1)
    assert found.numbers["jacobian_norms"][0] == 0
    assert figure(found, "jacobians").series[0].y[0] is None


def test_what_explodes_is_none_and_no_error() -> None:
    found = result("through_time", cell="linear", spectral_radius=2.0, length=200, hidden=4, rate=1.0, train_steps=20)
    assert found.numbers["loss_sum"][-1] is None
    assert found.numbers["final_sum"] is None


@pytest.mark.parametrize(
    "wrong",
    [{"length": 1}, {"length": 201}, {"hidden": 65}, {"spectral_radius": -0.1}, {"cell": "elman"}, {"rate": 0.0},
     {"train_steps": -1}, {"loss": "first"}, {"spectral_radius": math.nan}],
)  # fmt: skip
def test_bad_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        ThroughTimeParameters(**wrong)
    assert refused.value.errors()[0]["loc"] == (next(iter(wrong)),)


def test_the_cost_grows_with_the_work() -> None:
    declared = experiments()["through_time"]
    assert declared.cost(ThroughTimeParameters()) <= 10
    assert declared.cost(ThroughTimeParameters(train_steps=0)) < declared.cost(ThroughTimeParameters())
