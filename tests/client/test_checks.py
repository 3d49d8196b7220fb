"""Arguments of calls are checked in process as REST checks them: each is taken, or the problem names it."""

from __future__ import annotations

import json
import re
from unittest.mock import MagicMock

import gradoscope
import httpx2
import numpy as np
import pytest
import torch
from gradoscope import Client, explain
from gradoscope.client.arguments import Arguments
from gradoscope.contract.problems import Problem, Unprocessable
from PIL import Image

from tests.support.nets import Linear, Tiny

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


class Pair(Linear):
    """Two outputs, the second twice the first."""

    def forward(self, x):
        return super().forward(x), 2 * super().forward(x)


ANIMALS = ["house cat, Felis catus", "Dog", "crane", "crane"]


def targets(**given):
    """The indices of the targets of a call without a server."""
    arguments = {"model": Linear(classes=4), "input": {}, "methods": "vanilla_gradient", "labels": ANIMALS} | given
    return [panel.target.index for panel in explain(PICTURE, **arguments)]


@pytest.mark.parametrize(
    ("target", "indices"),
    [
        (np.int64(1), [1]),
        (np.array(3), [3]),
        (torch.tensor(2), [2]),
        (np.array([1, 2]), [1, 2]),
        (torch.tensor([0, 3]), [0, 3]),
        ([np.uint8(1), torch.tensor(1), 1], [1]),
        ({2: None}.keys(), [2]),
        ("Dog", [1]),
        ("dog", [1]),
        ("felis catus", [0]),
        ("1", [1]),
        (["dog", 2], [1, 2]),
    ],
    ids=repr,
)
def test_classes_are_integers_of_any_kind_or_labels(target, indices):
    assert targets(target=target) == indices


def test_the_other_arguments_take_integers_of_any_kind():
    net, labels = Linear(classes=4), {3: "d", np.int64(0): "a", 1: "b", 2: "c"}
    made = explain(
        PICTURE, model=net, input={}, labels=labels, target="c", against=np.int32(3), seed=np.int64(3),
        methods=("smooth_grad", "vanilla_gradient"), options={"smooth_grad": {"samples": np.int64(2)}}, size=None,
    )  # fmt: skip
    assert (made.seed, made[0].parameters["samples"], made[0].against.label) == (3, 2, "d")
    weights = net.weight.detach().numpy()
    np.testing.assert_allclose(made["vanilla_gradient"].values, weights[2] - weights[3], atol=1e-6)
    contrast = explain(PICTURE, model=net, input={}, labels=labels, target=2, against="d", methods="vanilla_gradient")
    np.testing.assert_array_equal(contrast[0].values, made["vanilla_gradient"].values)
    for labels in ({"0": "a", "1": "b", "2": "c", "3": "d"}, {"c": 2, "d": 3, "a": np.int64(0), "b": 1}):
        named = explain(PICTURE, model=net, input={}, labels=labels, target=2, against="d", methods="vanilla_gradient")
        np.testing.assert_array_equal(named[0].values, contrast[0].values)
    pair = Pair()
    made = explain(PICTURE, model=pair, input={}, output=np.int64(1), target=2, methods="vanilla_gradient")
    np.testing.assert_allclose(made[0].values, 2 * pair.weight[2].detach().numpy(), atol=1e-6)
    assert Arguments.checked({"size": torch.tensor([64, 96])}).sides == "64x96"
    assert Arguments.checked({"size": np.int64(64)}).sides == "64"


WRONG = {
    "a fraction": ({"target": 1.5}, r"target: 1\.5 \(float\) is neither the index"),
    "a whole float": ({"target": np.float32(1)}, r"target: .* \(float32\) is neither the index"),
    "a truth value": ({"target": True}, r"target: True \(bool\)"),
    "a truth value of NumPy": ({"target": np.bool_(True)}, "target"),
    "nested": ({"target": [[1]]}, r"target: \[1\] \(list\)"),
    "a table": ({"target": np.array([[1, 2]])}, "target"),
    "a class": ({"target": "no such animal"}, "target: Linear has no class «no such animal»"),
    "near": ({"target": "dgo"}, r"target: .* Near it: 1 \(Dog\)"),
    "twice": ({"target": "crane"}, r"target: Linear has 2 classes «crane».* There are: 2 \(crane\), 3 \(crane\)"),
    "outside": ({"target": 4}, r"target: class 4 is outside 0 … 3"),
    "against": ({"target": 0, "against": "unicorn"}, "against: Linear has no class «unicorn»"),
    "against itself": ({"target": "dog", "against": 1}, "against: class 1 is the target itself"),
    "two against": ({"against": [1, 2]}, r"against: \[1, 2\]"),
    "one label": ({"labels": "cat"}, r"labels: 'cat' \(str\) is one string"),
    "some labels": ({"labels": {0: "cat"}}, "labels: Linear answers with 4 logits, and there are 1 labels"),
    "a hole": ({"labels": {0: "cat", 2: "dog"}}, "labels: a mapping names every class.* class 1 is missing"),
    "labels without order": ({"labels": {"cat", "dog", "cow", "hen"}}, r"labels: .* \(set\) has no order"),
    "a hole in digits": ({"labels": {"0": "cat", "2": "dog"}}, "class 1 is missing"),
    "no labels": ({"labels": []}, "labels: there is none"),
    "labels of labels": ({"labels": [["cat"], ["dog"]]}, r"labels: \['cat'\] \(list\) is no label"),
    "a negative seed": ({"seed": -1}, r"seed: -1 \(int\) is no integer from 0"),
    "a seed": ({"seed": 0.5}, "seed: 0.5"),
    "a big seed": ({"seed": 2**63}, "seed"),
    "a score": ({"score": "logits"}, "score: «logits» is none of .*Did you mean `logit`"),
    "a fit": ({"fit": "crops"}, "fit: «crops» is none of .*Did you mean `crop`"),
    "a size": ({"size": (64, 64, 3)}, "size"),
    "a size in words": ({"size": "large"}, "size: 'large'"),
    "no mapping": ({"options": ["smooth_grad"]}, "options"),
    "no parameters": ({"options": {"smooth_grad": 100}}, r"options\.smooth_grad: 100"),
    "an infinity": ({"options": {"smooth_grad": {"noise": float("nan")}}}, "options"),
    "an object": ({"options": {"smooth_grad": {"noise": object()}}}, "options: object is nothing that JSON knows"),
    "a parameter": (
        {"options": {"smooth_grad": {"sample": 5}}},
        r"options\.smooth_grad\.sample: there is no such parameter\. Did you mean `samples`\?",
    ),
    "a method's options": ({"options": {"smoothgrad": {}}}, "options: .*«smoothgrad». Did you mean `smooth_grad`"),
    "a method": ({"methods": "gradcam"}, "no method «gradcam». Did you mean `grad_cam`"),
    "no id": ({"methods": [1]}, "methods: 1"),
    "a metric": ({"metrics": "deletions"}, "no metric «deletions». Did you mean `deletion`"),
    "an argument": ({"taget": 1}, "taget: there is no such argument. Did you mean `target`"),
    "an argument of networks": ({"outputs": 1}, "outputs: there is no such argument. Did you mean `output`"),
    "of the input": ({"mean": 0.5}, "mean: there is no such argument. It belongs into input="),
    "transform=": ({"transform": print}, "transform: there is no such argument. It belongs into input="),
    "an input": ({"input": 224}, "input: int is no description"),
    "a field of the input": ({"input": {"sice": 8}}, "sice: there is no such field. Did you mean `size`"),
    "0 … 255": ({"input": {"mean": (123.7, 116.3, 103.5)}}, "input: mean: mean is of pixel values in .0, 1.* by 255"),
    "0 … 255 in std": ({"input": {"std": 58.4}}, "std is of pixel values"),
    "an output": ({"output": 1.5}, r"output: 1\.5 \(float\) is neither the name"),
    "a truth value as output": ({"output": True}, r"output: True \(bool\)"),
    "a function that fails": (
        {"output": lambda answer: answer["logits"], "labels": None},
        r"output: Linear: «<lambda>» fails on the network's answer \(\w+Error",
    ),
    "a network without values": ({"model": Linear(classes=4).to("meta")}, r"on the device meta \(weight\)\. Load"),
    "the class of a network": ({"model": Linear}, r"model: type is neither.* Give an instance: Linear\(…\)"),
    "the name of a network": ({"model": {1: Linear()}}, "model: '1' is no name"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_named(name):
    given, words = WRONG[name]
    with pytest.raises(Unprocessable, match=words) as refused:
        targets(**given)
    assert "server" not in refused.value.detail
    assert refused.value.errors, "no field is named"


def test_a_misspelt_sample_or_model_has_a_near_one():
    with pytest.raises(Problem, match=r"no sample «cats»\. Did you mean `cat`"):
        explain(sample="cats")
    with pytest.raises(Problem, match=r"no model «efficientnet_lite»\. Did you mean `efficientnet_lite"):
        explain(PICTURE, model="efficientnet_lite")


def test_a_network_of_another_number_of_channels_is_recognised():
    with pytest.raises(Unprocessable, match=r'does not take a picture of 3×8×8.*say input=\{"channels": 1\}'):
        explain(PICTURE, model=Tiny(channels=1), input={}, methods="vanilla_gradient")
    with pytest.raises(Unprocessable, match=r'say input=\{"channels": 3\}'):
        explain(PICTURE, model=Tiny(), input={"channels": 1}, methods="vanilla_gradient")


def test_a_transform_without_mean_and_std_gives_a_warning():
    def whole(picture):
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255

    arguments = {"model": Linear(), "methods": "vanilla_gradient"}
    for given in (whole, {"transform": whole}):
        with pytest.warns(UserWarning, match="a transform and neither mean nor std"):
            explain(PICTURE, input=given, **arguments)
    explain(PICTURE, input={"transform": whole, "mean": 0, "std": 1}, **arguments)  # warnings are errors here


class Breaking(torch.nn.Module):
    """Takes single pictures, and no gradient."""

    def __init__(self):
        super().__init__()
        self.linear = Linear()

    def forward(self, x):
        if x.requires_grad:
            raise RuntimeError("out of order")
        return self.linear(x)


def test_an_error_in_this_process_does_not_mention_a_server():
    made = explain(PICTURE, model=Breaking(), input={}, methods=["vanilla_gradient", "occlusion"])
    broken = made["vanilla_gradient"]
    assert broken.status != "done"
    assert made["occlusion"].status == "done"
    assert "out of order" in broken.problem.detail
    assert "server" not in broken.problem.detail


def test_a_record_without_a_server_names_files_and_no_addresses(tmp_path):
    arguments = {"model": Tiny(), "input": {"size": 32}, "methods": ["vanilla_gradient", "grad_cam"]}
    events = []
    made = explain(Image.new("RGB", (32, 32)), metrics="randomisation", progress=events.append, **arguments)
    assert "/api/v1" not in made.record.model_dump_json()
    assert not any("/api/v1" in repr(event) for event in events)
    folder = made.save(tmp_path / "saved")
    record = json.loads((folder / "explanation.json").read_text())
    assert "/api/v1" not in json.dumps(record)
    for panel, entry in zip(made, record["panels"], strict=True):
        np.testing.assert_array_equal(np.load(folder / entry["urls"]["npy"]), panel.values)
        assert (folder / entry["urls"]["png"]).is_file()
        maps = entry["metrics"]["randomisation"]["maps"]
        for name, file in maps.items():
            np.testing.assert_array_equal(np.load(folder / file), panel.metric_map("randomisation", name))
        assert maps
    assert (folder / record["inputs"][0]["url"]).is_file()


def test_a_client_sends_what_was_checked():
    sent = MagicMock(return_value=httpx2.Response(422, json={"type": "x", "title": "x", "status": 422, "detail": "x"}))
    with Client("http://there", transport=httpx2.MockTransport(sent)) as client:
        with pytest.raises(Problem):
            client.explain(PICTURE, target=torch.tensor([3, 4]), against="tiger cat", seed=np.int64(7))
        body = sent.call_args.args[0].content.decode("latin-1")
        fields = dict(re.findall(r'name="(target|against|seed)"\r\n\r\n([^\r]*)', body))
        assert fields == {"target": "4", "against": "tiger cat", "seed": "7"}
        sent.reset_mock()
        for call in (
            lambda: client.explain(PICTURE, target=1.5),
            lambda: client.explain(PICTURE, labels=["a", "b"]),
            lambda: client.explain(PICTURE, output="cls"),
            lambda: client.gradient_flow(PICTURE, target=1.5),
            lambda: client.gradient_flow(PICTURE, targets=1),
            lambda: client.gradient_flow(PICTURE, target=[1, 2]),
            lambda: client.estimate(size=(1, 2, 3)),
            lambda: client.measure("x", "p1", options=3),
        ):
            with pytest.raises(Unprocessable):
                call()
        sent.assert_not_called()
    assert issubclass(Unprocessable, gradoscope.Problem)
