"""`score=function`: any number that a network answers with is explained; what needs classes is refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import gradoscope
import numpy as np
import pytest
import torch
from gradoscope import explain
from gradoscope.contract.problems import Unprocessable
from torch import nn

from tests.support.nets import Linear, Tiny, relative

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
X = torch.from_numpy(PICTURE).permute(2, 0, 1) / 255
with torch.random.fork_rng():
    torch.manual_seed(0)
    PIXELS = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))  # answers with (N, 2, H, W)


def first_map(answer):
    return answer[:, 0].sum((1, 2))


def gradient_of(network, score):
    x = X[None].clone().requires_grad_()
    return torch.autograd.grad(score(network(x)).sum(), x)[0][0]


@dataclass
class Answer:
    boxes: torch.Tensor
    value: torch.Tensor


class Answering(nn.Module):
    """A network whose answer has that form."""

    def __init__(self, form):
        super().__init__()
        self.net, self.form = Tiny(), form

    def forward(self, x):
        return self.form(self.net(x))


FORMS = {
    "tensor": (lambda y: y, lambda answer: answer[:, 1]),
    "tuple": (lambda y: (y.argmax(1), y), lambda answer: answer[1][:, 1]),
    "dictionary": (lambda y: {"other": y[:, 0], "scores": y}, lambda answer: answer["scores"][:, 1]),
    "dataclass": (lambda y: Answer(y.long(), y), lambda answer: answer.value[:, 1]),
    "a list of pictures": (
        lambda y: [{"scores": row} for row in y],
        lambda answer: torch.stack([one["scores"][1] for one in answer]),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_answer_may_have_any_form(form):
    make, score = FORMS[form]
    network = Answering(make)
    made = explain(PICTURE, model=network, input={}, score=score, methods=["vanilla_gradient", "integrated_gradients"])
    expected = gradient_of(network.eval(), score)
    assert relative(torch.from_numpy(made["vanilla_gradient"].values), expected) < 1e-5
    assert abs(made["integrated_gradients"].completeness_error) < 0.05
    assert made.record.inputs[0].notes == []


def test_record_and_diagnostics_name_the_score(tmp_path):
    made = explain(PICTURE, model=PIXELS, input={}, score=first_map)
    assert made.score == made.record.score == "first_map"
    assert len(made) == 6
    for panel in made:
        assert panel.status == "done"
        assert (panel.diagnostics["score"], panel.target.index, panel.target.label) == ("first_map", 0, "first_map")
    assert made.predictions == {"Sequential": []}
    assert "first_map" in made._repr_html_()
    read = gradoscope.load(made.save(tmp_path / "made"))
    assert (read.score, read["grad_cam"].values.shape) == ("first_map", (1, 8, 8))
    unnamed = explain(PICTURE, model=PIXELS, input={}, score=lambda answer: answer.sum((1, 2, 3)), methods="occlusion")
    assert unnamed.score == "lambda"
    bound = partial(lambda answer, channel: answer[:, channel].sum((1, 2)), channel=1)
    assert explain(PICTURE, model=PIXELS, input={}, score=bound, methods="occlusion").score == "lambda"
    logit = explain(PICTURE, model=Tiny(), input={}, methods="vanilla_gradient")
    assert (logit.score, "score" in logit["vanilla_gradient"].diagnostics) == ("logit", False)


def test_metrics_of_classes_refuse_by_name_and_others_measure():
    few = {"max_sensitivity": {"samples": 2}, "infidelity": {"samples": 10}, "randomisation": {"stages": 1}}
    made = explain(
        PICTURE, model=PIXELS, input={}, score=first_map, methods="integrated_gradients", metrics="all", options=few
    )
    metrics = made["integrated_gradients"].metrics
    refused = {id for id, measured in metrics.items() if measured.status != "done"}
    assert refused >= {"deletion", "insertion", "class_sensitivity"}
    assert {"completeness", "randomisation", "stability", "sparseness"} <= set(metrics) - refused
    assert metrics["deletion"].problem.detail.startswith(
        "Deletion needs the probabilities of classes, and «first_map» is a score without classes."
    )
    assert all("without classes" in metrics[id].problem.detail for id in refused)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (lambda answer: answer, r"one number for each picture, \(1,\) for 1 picture, not \(1, 2, 8, 8\)"),
        (lambda answer: answer.mean(), r"not \(\)\. Choose or sum over all dimensions but the first"),
        (lambda answer: answer.flatten(1).argmax(1), r"floats .* not int64 \(1,\)"),
        (lambda answer: 3.0, "not float"),
        (lambda answer: answer.nothing, r"fails on the network's answer \(AttributeError.* is \(1, 2, 8, 8\)\."),
        (lambda answer: answer @ torch.ones(3), r"\(RuntimeError: "),
        (lambda answer: first_map(answer) / 0, r"is -?inf for this picture on Sequential"),
        (lambda answer: first_map(answer.detach()), "no gradient. Leave out .* without gradients: occlusion"),
        ("margin", "score: «margin» is none of logit, log_probability, probability"),
    ],
)
def test_a_score_that_is_none_says_what_to_do(score, words):
    with pytest.raises(Unprocessable, match=words) as refused:
        explain(PICTURE, model=PIXELS, input={}, score=score, methods="vanilla_gradient")
    assert [error["field"] for error in refused.value.errors] == ["score"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"target": 1}, "target"),
        ({"target": "top"}, "target"),
        ({"against": 1}, "against"),
        ({"labels": ["a", "b"]}, "labels"),
        ({"output": 0}, "output"),
        ({"activation": "softmax"}, "activation"),
        ({"model": "efficientnet_lite0", "input": None}, "score"),
        ({"model": [PIXELS, "efficientnet_lite0"]}, "score"),
    ],
)
def test_arguments_of_classes_do_not_go_with_it(given, field):
    with pytest.raises(Unprocessable) as refused:
        explain(PICTURE, **{"model": PIXELS, "input": {}, "score": first_map, **given})
    assert [error["field"] for error in refused.value.errors] == [field]
    with pytest.raises(Unprocessable, match="A server takes one of logit"):
        gradoscope.Client().explain(PICTURE, score=first_map)


def test_methods_without_gradients_explain_what_has_none():
    def steps(answer):
        return (answer[:, 0] > 0).float().sum((1, 2))

    made = explain(PICTURE, model=PIXELS, input={}, score=steps, methods=["occlusion", "vanilla_gradient"])
    assert [panel.status for panel in made] == ["done", "refused"] or [p.status for p in made] == ["refused", "done"]
    assert "does not depend on the picture by differentiable steps" in made["vanilla_gradient"].problem.detail


def test_it_is_tried_on_the_picture_itself():
    """Where nothing is found, as by a detector on noise, there is no score; the picture has one."""

    class Finds(nn.Module):
        def forward(self, x):
            return [picture[:, picture[0] > 0.9] for picture in x]  # only where it is bright

    def of_first(answer):
        return torch.stack([found.sum(0)[0] for found in answer])

    picture = np.full((8, 8, 3), 100, dtype=np.uint8)
    picture[2, 3] = 255
    made = explain(picture, model=Finds(), input={}, score=of_first, methods="vanilla_gradient")
    assert np.flatnonzero(made["vanilla_gradient"].values.sum(0)).tolist() == [2 * 8 + 3]


@pytest.mark.parametrize(
    "score",
    [
        lambda answer: answer[0, :1],  # it only knows one picture
        lambda answer: answer[:, 0] + answer.mean(),  # others in a pass change it
    ],
)
def test_pictures_go_one_by_one_where_a_score_mixes_them(score):
    network = Linear()
    with pytest.warns(UserWarning, match=r"one picture at a time|other pictures"):
        made = explain(PICTURE, model=network, input={}, score=score, methods=["vanilla_gradient", "smooth_grad"])
    expected = gradient_of(network, score)
    for panel in made:  # of a linear network both are the gradient
        assert relative(torch.from_numpy(panel.values), expected) < 1e-5


def test_several_networks_and_another_size():
    models = {"one": nn.Conv2d(3, 2, 3), "other": nn.Conv2d(3, 4, 1)}
    made = explain(PICTURE, model=models, input={}, score=first_map, size=40, methods="vanilla_gradient")
    assert [(panel.model, panel.values.shape) for panel in made] == [("one", (3, 40, 40)), ("other", (3, 40, 40))]


def test_one_logit_is_two_classes_unless_a_single_label_says_otherwise():
    made = explain(PICTURE, model=Tiny(classes=1), input={}, methods="vanilla_gradient", target=[0, 1])
    negative, positive = made
    assert [panel.target.label for panel in made] == ["negative", "positive"]
    assert np.array_equal(negative.values, -positive.values)
    assert sum(each.probability for each in made.predictions["Tiny"]) == pytest.approx(1)
    alone = explain(PICTURE, model=Tiny(classes=1), input={}, methods="vanilla_gradient", labels=["cat"])
    assert [(each.index, each.label) for each in alone.predictions["Tiny"]] == [(0, "cat")]


@pytest.mark.parametrize(("activation", "ending"), [("softmax", nn.Softmax(1)), ("sigmoid", nn.Sigmoid())])
def test_logits_of_a_network_that_ends_in_an_activation(activation, ending):
    network = nn.Sequential(Tiny(), ending).eval()
    with pytest.warns(UserWarning, match=f"say activation = “{activation}”"):
        explain(PICTURE, model=network, input={}, methods="vanilla_gradient", target=0)
    given = {"input": {}, "methods": "vanilla_gradient", "target": 0, "activation": activation}
    made = explain(PICTURE, model=network, **given)
    assert made.record.inputs[0].notes == []
    probabilities = network(X[None])[0]
    shown = {each.index: each.probability for each in made.predictions["Sequential"]}
    assert shown == pytest.approx(dict(enumerate(probabilities.tolist())), abs=1e-6)
    expected = gradient_of(network[0], lambda y: y.log_softmax(1)[:, 0] if activation == "softmax" else y[:, 0])
    assert relative(torch.from_numpy(made["vanilla_gradient"].values), expected) < 1e-4
    far = nn.Linear(3, 3)
    nn.init.constant_(far.bias, -5)  # no probabilities, whatever the picture
    with pytest.raises(Unprocessable, match=r"activation: Sequential: .* does not end in a .*Leave it out") as no:
        explain(PICTURE, model=nn.Sequential(Tiny(), far), **given)
    assert [error["field"] for error in no.value.errors] == ["activation"]
    with pytest.raises(Unprocessable, match="activation: «relu» is none of softmax, sigmoid"):
        explain(PICTURE, model=network, **{**given, "activation": "relu"})
