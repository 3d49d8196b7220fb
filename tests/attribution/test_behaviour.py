"""How networks are called (memory format, one by one), and what is found out about their answers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from gradoscope.attribution.backends.selection import BackendSelector
from gradoscope.attribution.behaviour import Behaviour, behaviour_of
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.metrics.base import ExplainedMap, find_metric
from gradoscope.attribution.outputs import NoLogits
from gradoscope.attribution.score import Score
from gradoscope.attribution.shared_forward import ForwardPass, SharedEngine
from gradoscope.pipeline.notes import network_notes
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.support.nets import Tiny, explain, finish, gradient, random_picture, relative, wrap


class Viewed(Tiny):
    """Its `view` fails on a feature map in channels_last."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.second(self.activation(self.first(x))))
        return self.head(x.view(x.size(0), -1).unflatten(1, (8, -1)).mean(2))


class Squeezed(Tiny):
    """Drops a batch of one."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze()


class BatchStatistics(Tiny):
    """Batch normalisation without running statistics; its answer for one picture is no constant."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(8, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.second(self.activation(self.first(x))))
        return self.head(self.activation(x).mean((2, 3)))


class OneAtATime(Tiny):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(1, 3, 8, 8))


class Unsteady(Tiny):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(super().forward(x), 0.5)


def pictures(count: int = 3) -> Tensor:
    return torch.stack([random_picture(seed=seed) for seed in range(count)])


def alone(network: Classifier, given: Tensor) -> Tensor:
    """The gradients of a score by plain autograd, one picture at a time."""
    return torch.stack([gradient(network, picture, lambda y: y[:, 0]) for picture in given])


def test_view_on_feature_maps() -> None:
    network = wrap(Viewed())
    behaviour_of(network)
    assert network.calling.memory_format == torch.contiguous_format
    expected = alone(wrap(Tiny()), pictures())
    assert relative(Engine(network, Score(0)).gradients(pictures()), expected) < 1e-5
    layer = Engine(network, Score(0)).features(pictures(), "second")
    assert relative(layer[0], Engine(wrap(Tiny()), Score(0)).features(pictures(), "second")[0]) < 1e-5
    assert network.at((8, 16)).calling == network.calling


def test_view_is_found_out_by_a_pass_too() -> None:
    """Without `behaviour_of` before it, as when somebody uses only an engine."""
    assert relative(Engine(wrap(Viewed()), Score(0)).gradients(pictures()), alone(wrap(Tiny()), pictures())) < 1e-5


def test_others_keep_channels_last() -> None:
    network = wrap(Tiny())
    assert behaviour_of(network) == Behaviour(3, change=behaviour_of(network).change)
    assert network.calling.memory_format == torch.channels_last
    assert not network.calling.one_by_one
    assert network_notes(behaviour_of(network)) == []


def test_a_batch_of_one_that_is_dropped_is_one_row() -> None:
    network = wrap(Squeezed())
    assert behaviour_of(network).classes == 3
    assert not behaviour_of(network).batch_dependent
    assert relative(Engine(network, Score(2)).scores(pictures()), wrap(Tiny())(pictures())[:, 2]) < 1e-5
    single = wrap(Squeezed(classes=1), classes=1)
    assert behaviour_of(single).classes == 1
    assert single(pictures(1)).shape == (1, 1)
    assert single(pictures(3)).shape == (3, 1)


def test_axes_of_size_one_at_the_end_are_dropped() -> None:
    """As of a network that ends in a convolution and a mean which keeps its axes."""

    class Unflattened(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, :, None, None]

    network = wrap(Unflattened())
    assert (behaviour_of(network).classes, behaviour_of(network).batch_dependent) == (3, False)
    assert network(pictures()).shape == (3, 3)
    assert relative(Engine(network, Score(0)).gradients(pictures()), alone(wrap(Tiny()), pictures())) < 1e-5


@pytest.mark.parametrize(("network", "code"), [(BatchStatistics(), "batch_dependent"), (OneAtATime(), "one_by_one")])
def test_one_by_one_everywhere(network: nn.Module, code: str) -> None:
    asked = wrap(network)
    behaviour = behaviour_of(asked)
    assert behaviour.batch_dependent
    assert [note.code for note in network_notes(behaviour)] == [code]
    x, expected = pictures(5), alone(asked, pictures(5))
    logits = torch.cat([asked(picture[None]) for picture in x])
    for backend in (None, BackendSelector(asked, "auto", lambda size: True)):
        engine = Engine(asked, Score(0), backend, micro_batch=4)
        assert engine.micro_batch == 1
        for _ in range(3):  # where trials of other backends would begin
            assert relative(engine.gradients(x), expected) < 1e-6
        assert relative(engine.scores(x), logits[:, 0]) < 1e-6
        assert relative(engine.of(Score((0, 0, 0, 0, 0))).gradients(x), expected) < 1e-6
        features, slopes = engine.features(x, "first")
        assert (features.shape, slopes.shape) == ((5, 6, 8, 8), (5, 6, 8, 8))
        assert relative(features[3:4], engine.features(x[3:4], "first")[0]) < 1e-6
    assert relative(asked(x), logits) < 1e-6
    shared = SharedEngine(ForwardPass(asked, x, ["first"]), Score(0))
    assert relative(shared.gradients(x), expected) < 1e-6
    assert relative(shared.features(x, "first")[0], features) < 1e-6
    with pytest.raises(Refused, match="together"):
        find_method("deep_lift").run(Engine(asked, Score(0)), x[0])


def test_metrics_pass_pictures_alone_too() -> None:
    network, x = wrap(BatchStatistics()), random_picture()
    behaviour_of(network)
    map = explain("vanilla_gradient", network, x)
    subject = ExplainedMap(Engine(network, Score(0)), x, map.values, find_method("vanilla_gradient"), None)
    metric = find_metric("gradient_check")
    _, found = finish(metric.measure(subject, metric.Parameters(directions=4)))
    assert found.figures["relative_error"] < 1e-3


def test_randomness_is_measured() -> None:
    behaviour = behaviour_of(wrap(Unsteady()))
    assert behaviour.random
    assert 0.1 < behaviour.spread < 3  # dropout by half: as large as the logits themselves
    (note,) = network_notes(behaviour)
    assert note.code == "random"
    assert f"{note.values['percent']} %" in note.detail


def test_a_little_randomness_is_reported_too() -> None:
    """The maps of a steep network vary much more than its logits."""

    class Trembling(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            logits = super().forward(x)
            return logits + 5e-4 * (logits.max() - logits.min()) * torch.randn_like(logits)

    assert behaviour_of(wrap(Trembling())).random


@pytest.mark.parametrize(
    ("ending", "found"),
    [
        (lambda y: (9 * y).softmax(1), "probabilities"),
        (lambda y: y.log_softmax(1), "log_probabilities"),
        (lambda y: y.sigmoid(), "sigmoids"),
        (lambda y: y[:, :1].sigmoid(), "sigmoids"),
        (lambda y: y[:, 0].sigmoid().squeeze(), "sigmoids"),
        (lambda y: y.bfloat16().softmax(1), "probabilities"),
        (lambda y: y.softmax(1) + 0.01, "logits"),
        (lambda y: y.sigmoid() * 0.5, "logits"),
        (lambda y: y.clamp(0, 1), "logits"),
    ],
)
def test_probabilities_are_distinguished_from_logits(ending: object, found: str) -> None:
    class Ended(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return ending(super().forward(x))  # type: ignore[operator, no-any-return]

    behaviour = behaviour_of(wrap(Ended()))
    assert behaviour.ending == found
    assert [note.code for note in network_notes(behaviour)] == ([] if found == "logits" else [found])


def test_one_logit_with_two_labels_is_two_classes() -> None:
    network, x = wrap(Tiny(classes=1), classes=2), pictures()
    logit = wrap(Tiny(classes=1), classes=1)(x)
    behaviour_of(network)
    assert torch.equal(network(x), torch.cat((-logit, logit), 1))
    assert torch.allclose(network.probabilities(network(x)).sum(1), torch.ones(3))
    assert torch.allclose(network.probabilities(network(x))[:, 1:], logit.sigmoid())
    negative, positive = (Engine(network, Score(k, multilabel=True)).gradients(x) for k in (0, 1))
    assert torch.equal(negative, -positive)
    assert relative(positive, alone(wrap(Tiny(classes=1), classes=1), x)) < 1e-5


class TwoHeads(Tiny):
    def forward(self, x: Tensor) -> object:
        logits = super().forward(x)
        return {"box": torch.cat((logits, logits[:, :1]), 1), "labels": logits.argmax(1), "cls": 2 * logits}


def test_outputs_by_name_place_and_function() -> None:
    expected = 2 * wrap(Tiny())(pictures())
    for output in ("cls", 2, -1, lambda answer: answer["cls"]):
        network = wrap(TwoHeads(), output=output)
        assert torch.equal(network(pictures()), expected)
        assert behaviour_of(network).candidates == ()
        assert network.at((16, 16)).output == output
    for wrong, words in (("clas", "no output «clas»; it has box: "), (7, "no output «7»"), ("labels", "int64")):
        with pytest.raises(NoLogits, match=words):
            wrap(TwoHeads(), output=wrong)(pictures())


def test_which_of_several_outputs_was_taken_is_reported() -> None:
    behaviour = behaviour_of(wrap(TwoHeads(), classes=4))
    assert (behaviour.part, behaviour.candidates) == ("box", (("box", 4), ("cls", 3)))
    (note,) = network_notes(behaviour)
    assert "box (4), cls (3)" in note.detail


class Checkpointed(Tiny):
    """Re-entrant checkpointing, with which `torch.autograd.grad` fails."""

    def forward(self, x: Tensor) -> Tensor:
        x = checkpoint(lambda value: self.activation(self.first(value)), x, use_reentrant=True)
        return self.head(self.activation(self.second(x)).mean((2, 3)))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_reentrant_checkpointing() -> None:
    network, x = wrap(Checkpointed()), pictures()
    assert relative(Engine(network, Score(0)).gradients(x), alone(wrap(Tiny()), x)) < 1e-5
    assert network.calling.by_backward
    for fresh in (network, wrap(Checkpointed())):
        shared = SharedEngine(ForwardPass(fresh, x, ["second"]), Score(0))
        assert relative(shared.gradients(x), alone(wrap(Tiny()), x)) < 1e-5
        expected = Engine(wrap(Tiny()), Score(0)).features(x, "second")
        for actual, wanted in zip(shared.features(x, "second"), expected, strict=True):
            assert relative(actual, wanted) < 1e-5
    with pytest.raises(Refused, match="Checkpoint"):
        explain("guided_backprop", wrap(Checkpointed()), x[0])


def test_recurrent_layers_keep_their_function() -> None:
    """In training mode, which cuDNN needs for a gradient, and without dropout: as in eval mode."""

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.rows, self.head = nn.LSTM(24, 6, num_layers=2, dropout=0.5, batch_first=True), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.rows(x.permute(0, 2, 1, 3).flatten(2))[0][:, -1])

    network = wrap(Recurrent())
    expected = Recurrent().eval()(pictures())
    assert not behaviour_of(network).random
    assert torch.allclose(network(pictures()), expected, atol=1e-6)
    assert network.network.rows.training


class WithoutBackward(torch.autograd.Function):
    """As cuDNN's recurrent layers in eval mode: no backward pass."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.by_cudnn = torch.backends.cudnn.enabled
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        if ctx.by_cudnn:
            raise RuntimeError("cudnn RNN backward can only be called in training mode")
        return gradient


class DroppedLSTM(nn.LSTM):
    """A subclass that is another function in training mode."""

    def forward(self, x: Tensor, hx: Any = None) -> Any:
        rows, state = super().forward(F.dropout(x, 0.5, self.training), hx)
        return WithoutBackward.apply(rows), state


class RecurrentHead(Tiny):
    def __init__(self, kind: type[nn.LSTM]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rows = kind(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.second(self.activation(self.first(x))))
        return self.head(self.rows(x.mean(3).transpose(1, 2))[0][:, -1])


def test_recurrent_layers_of_other_kinds_go_without_cudnn() -> None:
    """A subclass stays in eval mode, where its dropout is off; cuDNN is off too, and back on afterwards."""
    x, plain = pictures(), wrap(RecurrentHead(nn.LSTM))
    network = wrap(RecurrentHead(DroppedLSTM))
    assert not network.network.rows.training
    assert not behaviour_of(network).random
    assert relative(Engine(network, Score(0)).gradients(x), alone(plain, x)) < 1e-5
    assert network.calling.without_cudnn
    assert network.at((16, 16)).calling.without_cudnn
    for fresh in (network, wrap(RecurrentHead(DroppedLSTM))):
        shared = SharedEngine(ForwardPass(fresh, x, ["second"]), Score(0))
        assert relative(shared.gradients(x), alone(plain, x)) < 1e-5
        for actual, wanted in zip(
            shared.features(x, "second"), Engine(plain, Score(0)).features(x, "second"), strict=True
        ):
            assert relative(actual, wanted) < 1e-5
    assert torch.backends.cudnn.enabled
    network.network.rows.forward = lambda *given: 1 / 0
    with pytest.raises(ZeroDivisionError):
        network(x)
    assert torch.backends.cudnn.enabled
