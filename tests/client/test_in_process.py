"""The call without a server: the same maps; and networks that are in memory, which stay as they were."""

from __future__ import annotations

import functools
import importlib.util
import multiprocessing
import warnings

import gradoscope
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gradoscope import Client, explain
from gradoscope.cli.progress import notes
from gradoscope.client import forks
from gradoscope.client.events import Accepted, Done, Finished
from gradoscope.client.in_process import InProcess
from gradoscope.contract.problems import NotFound, Unprocessable
from gradoscope.contract.records import EngineBody
from PIL import Image
from torch import nn

from tests.support.nets import Linear, Tiny, gradient, relative
from tests.support.paths import SAMPLES

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
X = torch.from_numpy(PICTURE).permute(2, 0, 1) / 255


def state_of(network):
    """All that must be as it was before."""
    return {
        "training": [module.training for module in network.modules()],
        "parameters": [(id(p), p.data_ptr(), p.requires_grad, p.dtype, id(p.grad)) for p in network.parameters()],
        "values": [value.clone() for value in network.state_dict().values()],
        "hooks": [
            [list(hooks) for hooks in (m._forward_hooks, m._forward_pre_hooks, m._backward_hooks)]
            for m in network.modules()
        ],
    }


def same(one, other):
    values = zip(one.pop("values"), other.pop("values"), strict=True)
    return all(torch.equal(a, b) for a, b in values) and one == other


def test_maps_are_those_of_a_server(server):
    """In a size that nobody asked the server for yet. The first three methods share a pass of the plain backend;
    SmoothGrad may use a faster backend, which differs at kinks."""
    question = {"methods": ["vanilla_gradient", "guided_backprop", "grad_cam", "smooth_grad"], "fit": "pad",
                "size": (192, 208), "options": {"smooth_grad": {"samples": 4}}, "target": 285}  # fmt: skip
    here = explain(SAMPLES / "cat.jpg", **question)
    with Client(server.url) as client:
        there = client.explain(SAMPLES / "cat.jpg", **question)
        assert [seen.crop for seen in here.inputs] == [seen.crop for seen in there.inputs]
        for one, other in zip(here, there, strict=True):
            assert (one.method, one.target, one.parameters) == (other.method, other.target, other.parameters)
            if one.method == "smooth_grad":
                assert relative(one.values, other.values) < 1e-2
            else:
                np.testing.assert_allclose(one.values, other.values, rtol=0, atol=1e-5 * np.abs(other.values).max())
    assert here.url is None
    assert type(here) is type(there)


def test_nothing_is_kept_on_disk_unless_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = explain(PICTURE, model=Linear(), input={}, methods="vanilla_gradient")
    assert list(tmp_path.iterdir()) == []
    assert made.save(tmp_path / "kept").joinpath("explanation.json").is_file()


def test_a_map_of_zeros_says_what_to_do():
    """All weights of the head are negative, so nothing speaks for a class, and ReLU leaves nothing."""
    net = Tiny()
    with torch.no_grad():
        net.head.weight.copy_(-net.head.weight.abs())
    made = explain(PICTURE, model=net, input={}, methods=["grad_cam", "vanilla_gradient"], target=1)
    cam, gradient_map = made
    assert not cam.values.any()
    assert [note.code for note in cam.record.notes] == ["zero_relu"]
    assert "relu = false" in cam.notes[0]
    assert gradient_map.notes == []
    assert notes(made.record) == [f"grad_cam, {cam.model}: {cam.notes[0]}"]
    with_signs = explain(
        PICTURE, model=net, input={}, methods="grad_cam", target=1, options={"grad_cam": {"relu": False}}
    )
    assert with_signs[0].values.max() <= 0
    assert with_signs[0].values.any()
    assert with_signs[0].notes == []


def test_a_saturated_probability_says_what_to_do():
    net = Linear(seed=3)
    with torch.no_grad():
        net.weight.mul_(1e4)
    sure = explain(PICTURE, model=net, input={}, methods="vanilla_gradient", score="probability")[0]
    assert not sure.values.any()
    assert [note.code for note in sure.record.notes] == ["zero_probability"]
    assert "score = logit" in sure.notes[0]


def test_the_record_names_the_engine():
    made = explain(PICTURE, model=Linear(), input={}, methods="vanilla_gradient")[0]
    engine = EngineBody.model_validate(made.diagnostics["engine"])
    assert (engine.backend, engine.dtype, engine.device) == ("plain", "float32", "cpu")
    assert engine.threads == torch.get_num_threads()


def test_a_linear_network_in_closed_form():
    net, events = Linear(seed=3), []
    made = explain(
        PICTURE, model=net, input={}, labels=["a", "b", "c"], target=[2, "top"], progress=events.append,
        methods=["vanilla_gradient", "integrated_gradients", "input_x_gradient"],
    )  # fmt: skip
    weights = net.weight[2].detach().numpy()
    np.testing.assert_array_equal(made.panel("vanilla_gradient", target=2).values, weights)
    integrated = made.panel("integrated_gradients", target=2)
    np.testing.assert_allclose(integrated.values, weights * X.numpy(), atol=1e-6)
    assert abs(integrated.completeness_error) < 1e-5
    assert integrated.values.sum() == pytest.approx(float(net(X[None])[0, 2].detach()), rel=1e-4)
    assert integrated.target.label == "c"
    assert made.seen("Linear").size == (8, 8)
    assert [type(events[0]), type(events[-1])] == [Accepted, Done]
    assert sum(isinstance(event, Finished) for event in events) == len(made)


def test_input_describes_what_a_network_takes():
    net = Tiny(classes=4)
    image = Image.fromarray(PICTURE).resize((40, 30))
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    made = explain(image, model={"mine": net}, input={"size": 16, "mean": mean, "std": std, "fit": "squash"},
                   methods="vanilla_gradient", target=1)  # fmt: skip
    assert made.inputs[0].size == [16, 16]
    pixels = torch.from_numpy(np.array(made.seen("mine"))).permute(2, 0, 1) / 255
    scale = torch.tensor(std).view(3, 1, 1)
    normalised = (pixels - torch.tensor(mean).view(3, 1, 1)) / scale
    expected = gradient(net.eval(), normalised, lambda logits: logits[:, 1]) / scale
    np.testing.assert_allclose(made["vanilla_gradient"].values, expected, atol=1e-5)
    assert made["vanilla_gradient"].target.label == "class 1"
    flipped = explain(
        image, model=net, input={"transform": lambda seen: torch.from_numpy(np.asarray(seen)[:, ::-1] / 255)
                                 .permute(2, 0, 1), "mean": mean, "std": std}, methods="vanilla_gradient",
    )  # fmt: skip
    np.testing.assert_array_equal(np.asarray(flipped.seen("Tiny")), np.asarray(image)[:, ::-1])
    own = gradoscope.Input(size=(24, 16), channels=1)
    grey = explain(image, model=Tiny(channels=1), input=own, methods=["vanilla_gradient", "grad_cam"])
    assert grey["vanilla_gradient"].values.shape == (1, 24, 16)
    with pytest.warns(UserWarning, match="a transform and neither mean nor std"):
        small = explain(
            image, model=net, input=lambda seen: torch.full((1, 3, 12, 20), 0.25), methods="grad_cam", size=None
        )
    assert small.inputs[0].size == [12, 20]


def test_without_input_the_picture_goes_in_as_it_is():
    with pytest.warns(UserWarning, match="Tiny saw the picture in its own size, without normalisation") as said:
        made = explain(PICTURE, model=Tiny(), methods="vanilla_gradient")
    assert said[0].filename == __file__
    assert made.inputs[0].size == [8, 8]
    np.testing.assert_array_equal(np.asarray(made.seen("Tiny")), PICTURE)


class Doubled(nn.Module):
    """A network with about all that could be changed by mistake."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.9))
        self.head = torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
        self.register_buffer("calls", torch.zeros(()))
        self.kept = None
        self.register_forward_hook(lambda module, args, output: output * 2)

    def forward(self, x):
        self.calls += 1
        self.kept = self.body(x)
        return self.head(self.kept.mean((2, 3)))


@pytest.mark.parametrize("fails", [False, True])
def test_a_network_is_left_exactly_as_it_was(fails):
    torch.manual_seed(0)
    net = Doubled().train()
    net.body[1].eval()
    net.body[0].weight.requires_grad_(False)
    net(torch.rand(2, 3, 8, 8)).sum().backward()  # gradients, and a feature map that is no leaf
    net.half()
    before, kept = state_of(net), net.kept
    if fails:
        with pytest.raises(ZeroDivisionError):
            explain(PICTURE, model=net, input={}, progress=lambda event: 1 / 0)
    else:
        made = explain(PICTURE, model=net, input={}, methods=["vanilla_gradient", "guided_backprop", "grad_cam"])
        assert [panel.status for panel in made] == ["done"] * 3
    assert net.kept is kept
    assert same(state_of(net), before)
    if not fails:
        assert made[0].target.index == int(net.float().eval()(X[None])[0].argmax())


def test_training_goes_on_between_calls():
    net = Linear()
    first = explain(PICTURE, model=net, input={}, methods="vanilla_gradient", target=0)[0]
    with torch.no_grad():
        net.weight *= 2
    second = explain(PICTURE, model=net, input={}, methods="vanilla_gradient", target=0)[0]
    np.testing.assert_allclose(second.values, 2 * first.values)


def test_networks_beside_each_other_and_a_shipped_one():
    made = explain(
        Image.fromarray(PICTURE), model=[Linear(seed=1), Linear(seed=2), "efficientnet_lite0"], input={"size": 8},
        methods="vanilla_gradient",
    )  # fmt: skip
    assert [panel.model for panel in made] == ["Linear", "Linear-2", "efficientnet_lite0"]
    assert [panel.status for panel in made] == ["done"] * 3
    with pytest.raises(NotFound, match="no model «Linear»"):
        explain(PICTURE, model="Linear")
    assert "Linear" not in InProcess.for_device(None).zoo.specs


class Failing(nn.Module):
    def forward(self, x):
        raise RuntimeError("no such thing\nsecond line")


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        (Failing(), {}, r"Failing does not take a picture of 3×8×8.*RuntimeError: no such thing\. Say what it takes"),
        (nn.Conv2d(3, 3, 3), {}, r"\(N, classes\), not \(1, 3, 6, 6\)\. It is no classifier"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), {}, "parameters without a shape"),
        (Linear(), {"labels": ["a", "b"]}, "answers with 3 logits, and there are 2 labels"),
        (Linear(), {"input": {"sice": 8}}, "sice: there is no such field. Did you mean `size`"),
        (Linear(), {"input": {"size": 4}}, "size"),
        (Linear(), {"input": lambda image: image}, "not Image"),
        (Linear(), {"input": lambda image: 1 / 0}, "ZeroDivisionError"),
        (Linear(), {"input": lambda image: 2 * X}, "must be in .0, 1.. Leave its normalisation out"),
        ([Linear(), "efficientnet_lite0"], {"input": lambda image: X}, "do not see what a transform makes"),
        ("efficientnet_lite0", {"input": {}}, "input= is of an nn.Module"),
        ("efficientnet_lite0", {"labels": ["a", "b"]}, "labels= is of an nn.Module"),
        (17, {}, "int is neither"),
        ([Linear(), Linear().to("meta")], {}, "on several devices"),
        (Linear(), {"methods": "grad_cam"}, "needs a spatial feature map"),
    ],
)
def test_what_cannot_be_done_says_why(model, given, words):
    given = {"methods": "vanilla_gradient", **given}
    if isinstance(model, (nn.Module, list)):
        given = {"input": {}, **given}
    with pytest.raises(Unprocessable, match=words):
        explain(PICTURE, model=model, **given)


class Viewed(Tiny):
    """Flattens by `view`, as tutorials do."""

    def forward(self, x):
        x = self.activation(self.second(self.activation(self.first(x))))
        return self.head(x.view(x.size(0), -1).unflatten(1, (8, -1)).mean(2))


class Quiet(Tiny):
    """Its `train` returns nothing."""

    def train(self, mode=True):
        super().train(mode)


class OverChannels(Tiny):
    """Convolves over channels too, as lambda networks do; with this kernel it changes nothing."""

    def __init__(self):
        super().__init__()
        self.over_channels = nn.Conv3d(1, 1, 3, padding=1, bias=False)
        nn.init.dirac_(self.over_channels.weight)

    def forward(self, x):
        return super().forward(self.over_channels(x.unsqueeze(1)).squeeze(1))


@pytest.mark.parametrize("network", [Viewed(), Quiet(), OverChannels()])
@pytest.mark.parametrize(
    "setting", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)]
)
def test_unusual_networks_under_the_callers_grad_and_autocast_modes(network, setting):
    expected = gradient(Tiny(), X, lambda logits: logits[:, 1])
    states = []
    with setting():
        made = explain(
            PICTURE, model=network, input={}, target=1, options={"integrated_gradients": {"steps": 3}},
            methods=["vanilla_gradient", "grad_cam", "integrated_gradients"],
            progress=lambda event: states.append((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))),
        )  # fmt: skip
        own = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
    assert [panel.status for panel in made] == ["done"] * 3
    assert relative(torch.from_numpy(made["vanilla_gradient"].values), expected) < 1e-5
    assert set(states) == {own}  # a listener is called in the caller's state


def test_network_built_in_inference_mode():
    with torch.inference_mode():
        built = Tiny()
    made = explain(PICTURE, model=built, input={}, target=1, methods="vanilla_gradient")[0]
    assert relative(torch.from_numpy(made.values), gradient(Tiny(), X, lambda logits: logits[:, 1])) < 1e-5


class Closed(Tiny):
    """Keeps functions that refer to the network: a `forward`, a hook, an activation; all that they keep is its own."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop, self.kept = nn.BatchNorm2d(8), nn.Dropout(0.5), []
        self.forward = lambda x: self.head(self.drop(self.maps(x).mean((2, 3))))
        self.second.register_forward_hook(lambda module, inputs, output: self.kept.append(output))
        self.maps = functools.partial(lambda x, slope: F.leaky_relu(normed(x), slope), slope=0.1)
        normed = torch.compile(self.normed, backend="eager")

    def normed(self, x):
        return self.norm(self.second(self.activation(self.first(x))))


def test_functions_of_a_network_that_refer_to_it_refer_to_the_copy():
    """Else the original would be asked: in training mode, with its statistics changed by each pass."""
    global built
    closed, built = Closed().train(), Tiny().train()
    built.drop = nn.Dropout(0.5)
    built.forward = lambda x, drop=built.drop: built.head(drop(built.second(built.first(x)).mean((2, 3))))
    for network in (closed, built):
        before = state_of(network)
        arguments = {"target": 1, "methods": ["vanilla_gradient", "grad_cam"], "metrics": "randomisation"}
        made = explain(PICTURE, model=network, input={}, **arguments)
        assert same(state_of(network), before)
        assert made.record.inputs[0].notes == []
        assert [panel.status for panel in made] == ["done"] * 2
        assert made["vanilla_gradient"].record.metrics["randomisation"].figures["stages"][-1]["rank_correlation"] < 0.9
        expected = gradient(network.eval(), X, lambda logits: logits[:, 1])
        assert relative(torch.from_numpy(made["vanilla_gradient"].values), expected) < 1e-5
    assert len(closed.kept) == 1  # of the pass for `expected`


class TwoOutputs(Tiny):
    """Two outputs, the second of them random probabilities."""

    def forward(self, x):
        logits = super().forward(x)
        return torch.cat((logits, logits), 1), torch.nn.functional.dropout(logits).softmax(1)


def test_notes_are_in_the_record_and_warn():
    with pytest.warns(UserWarning, match="TwoOutputs: This network has several outputs") as said:
        made = explain(PICTURE, model=TwoOutputs(), input={}, methods="vanilla_gradient")
    assert said[0].filename == __file__
    assert [note.code for note in made.record.inputs[0].notes] == ["several_outputs"]
    assert len(made.record.inputs[0].predictions) == 5
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = explain(PICTURE, model=TwoOutputs(), input={}, output=1, labels=list("abc"), methods="vanilla_gradient")
    assert [note.code for note in made.record.inputs[0].notes] == ["random", "probabilities"]
    assert ["answers randomly" in str(one.message) for one in said] == [True, False]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"output": "cls", "input": {}},
            "output: TwoOutputs: the network has no output «cls»; it has 0: .1, 6., 1: .1, 3.",
        ),
        (
            {"labels": ["a", "b", "c"], "input": {}},
            "answers with 6 logits, and there are 3 labels, or name another output .* 0 .6., 1 .3.",
        ),
        ({"output": 1, "model": "efficientnet_lite0"}, "output= is of an nn.Module"),
    ],
)
def test_output_that_is_not_there_is_named(given, words):
    with pytest.raises(Unprocessable, match=words):
        explain(PICTURE, **{"model": TwoOutputs(), "methods": "vanilla_gradient", **given})


def test_forked_child():
    """OpenMP's threads and the decoding process of the parent are not its own: without care it waits for ever."""

    def ask():
        return explain(
            PICTURE, model=Tiny(), input={}, target=1, methods=["vanilla_gradient", "occlusion"],
            options={"occlusion": {"window": 4, "stride": 4}},
        )  # fmt: skip

    def answer(connection):
        connection.send([panel.values for panel in ask()])

    expected = [panel.values for panel in ask()]
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=answer, args=(sender,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own: a process with threads is forked
        child.start()
    try:
        assert receiver.poll(60), "the child hangs"
        for given, wanted in zip(receiver.recv(), expected, strict=True):
            np.testing.assert_allclose(given, wanted, atol=1e-6)
    finally:
        child.kill()
        child.join()
    assert [panel.status for panel in ask()] == ["done"] * 2  # the parent's decoding process goes on


def test_a_forked_child_that_imports_gradoscope_anew_knows_that_it_is_forked():
    """Its parent may have used PyTorch's threads without Gradoscope."""

    def forked_anew():
        (loaded := importlib.util.module_from_spec(forks.__spec__)).__spec__.loader.exec_module(loaded)
        return loaded.forked()

    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=lambda: sender.send(forked_anew()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    try:
        assert receiver.poll(60)
        assert receiver.recv()
        assert not forked_anew()
    finally:
        child.kill()
        child.join()


def test_bars_are_drawn_where_asked(capsys):
    explain(PICTURE, model=Linear(), input={}, methods="vanilla_gradient")
    assert capsys.readouterr().out == ""
    explain(PICTURE, model=Linear(), input={}, methods="vanilla_gradient", progress=True)
    assert "vanilla_gradient" in capsys.readouterr().out
