"""Score-CAM and Ablation-CAM: by hand, against pytorch-grad-cam and torchcam, and whichever way the passes take."""

from __future__ import annotations

from functools import lru_cache

import pytest
import pytorch_grad_cam as grad_cam
import pytorch_grad_cam.score_cam as score_cam_of_grad_cam
import torch
import torchcam.methods as torchcam
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.counters import counters
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import ComputationFailed, InvalidParameter
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.methods.cams import enlarged
from gradoscope.attribution.methods.score_cam import unit_range
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.attribution.methods.test_cams import CLOSE, LEAF, apart, model, normalised, of_grad_cam
from tests.attribution.methods.test_parity import CAT, out_of_place
from tests.support.nets import (
    NARROW,
    Tiny,
    explain,
    finish,
    lite0,
    narrow,
    random_picture,
    relative,
    sample_pixels,
    steps_of,
    wrap,
)

CHANNEL_CAMS = ("score_cam", "ablation_cam")
# a smaller Lite0: each channel is a pass, and the peers go through the whole network each time
SIDE = 32
LAYERS = {"lite0": "blocks.3.0.bn1", "resnet18": "layer3", "vgg11_bn": "0.13"}


@lru_cache
def small(name: str) -> Classifier:
    if name == "vgg11_bn":
        torch.manual_seed(0)
        features = narrow("vgg11_bn").features
        head = nn.Linear(512 // NARROW, 1000)
        return wrap(nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head), SIDE, 1000)
    return (lite0() if name == "lite0" else model(name)).at((SIDE, SIDE))


@lru_cache
def cat() -> Tensor:
    return sample_pixels("cat", SIDE)


class ScaledLater(torchcam.ScoreCAM):
    """torchcam's Score-CAM with its masks scaled after they are enlarged, as in the paper."""

    def _upsample(self, activation: Tensor) -> Tensor:
        return self._normalize(super()._upsample(activation), 2)


def of_torchcam(peer: type, network: Classifier, layer: str) -> Tensor:
    with out_of_place(network), peer(network, network.network.get_submodule(layer)) as extractor:
        network(cat()[None])
        (found,) = extractor(CAT)
    return enlarged(found[None], cat()[None])[0]


def halves(scale_factor: object = None, size: object = None) -> nn.Module:
    """`UpsamplingBilinear2d` with pixels that have an area: align_corners = False."""
    return nn.Upsample(size, mode="bilinear", align_corners=False)


@LEAF
@pytest.mark.parametrize("name", LAYERS)
def test_score_cam_against_grad_cam_and_torchcam(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both make their masks as the paper does: scaled at the picture's size, pixels being areas."""
    network, layer = small(name), LAYERS[name]
    actual = explain("score_cam", network, cat(), score=Score(CAT), layer=layer, micro_batch=16).values
    assert apart(actual, of_torchcam(ScaledLater, network, layer)) < CLOSE
    monkeypatch.setattr(score_cam_of_grad_cam.torch.nn, "UpsamplingBilinear2d", halves)
    assert apart(actual, of_grad_cam(grad_cam.ScoreCAM, network, cat(), layer)) < CLOSE


@LEAF
def test_score_cam_where_the_peers_depart_from_the_paper() -> None:
    """grad-cam's masks are shifted (align_corners = True), torchcam's reach 1 on the small map only. Of a feature map
    as large as the picture both are as they stand the same as ours."""
    network, layer = small("lite0"), LAYERS["lite0"]
    actual = explain("score_cam", network, cat(), score=Score(CAT), layer=layer, micro_batch=16).values
    for theirs in (
        of_grad_cam(grad_cam.ScoreCAM, network, cat(), layer),
        of_torchcam(torchcam.ScoreCAM, network, layer),
    ):
        assert float((normalised(actual) - normalised(theirs)).abs().max()) > 1e-3
    network = small("vgg11_bn")
    large = explain("score_cam", network, cat(), score=Score(CAT), layer="0.2", micro_batch=16).values
    assert apart(large, of_grad_cam(grad_cam.ScoreCAM, network, cat(), "0.2")) < CLOSE
    assert apart(large, of_torchcam(torchcam.ScoreCAM, network, "0.2")) < CLOSE


@LEAF
@pytest.mark.parametrize(("name", "layer"), [("lite0", "blocks.5.0.bn1"), ("resnet18", "layer3"), ("vgg11_bn", "0.27")])
def test_ablation_cam_against_grad_cam(name: str, layer: str) -> None:
    """At layers whose smallest value is 0: elsewhere the peer sets a channel to −10⁷."""
    network = small(name)
    target = int(network(cat()[None])[0].argmax())  # a score above 0: below, the peer's map has the other sign
    actual = explain("ablation_cam", network, cat(), score=Score(target), layer=layer, micro_batch=16).values
    with torch.no_grad():
        assert apart(actual, of_grad_cam(grad_cam.AblationCAM, network, cat(), layer, target=target)) < CLOSE


class Written(nn.Module):
    """Two channels, the picture's red and the square of its green, and y = ±(3 a + b − a b) of their means."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = Pair()

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.maps(x).mean((2, 3)).unbind(1)
        return torch.stack((3 * a + b - a * b, -3 * a - b + a * b, a), 1)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack((x[:, 0], x[:, 1] ** 2), 1)


def written() -> tuple[Classifier, Tensor]:
    network = wrap(Written(), side=2, classes=3).double()
    x = torch.zeros(3, 2, 2, dtype=torch.float64)
    x[0, 0, 0], x[1, 1, 1] = 0.8, 0.5  # means: a = 0.2, b = 0.0625
    return network, x


@pytest.mark.parametrize("target", [0, 1])
def test_ablation_cam_by_hand(target: int) -> None:
    """S = 0.6 + 0.0625 − 0.0125 = 0.65, or its negative; without a 0.0625, without b 0.6."""
    network, x = written()
    actual = explain("ablation_cam", network, x, score=Score(target), layer="maps", relu=False).values
    sign = 1 if target == 0 else -1  # the score's, not turned by dividing
    weights = [sign * (0.65 - 0.0625) / 0.65, sign * (0.65 - 0.6) / 0.65]
    expected = torch.tensor([[weights[0] * 0.8, 0], [0, weights[1] * 0.25]], dtype=torch.float64)
    assert torch.allclose(actual[0], expected)


def test_score_cam_by_hand() -> None:
    """Each mask is 1 at one pixel: the picture keeps that pixel only. S = 0.6 of the first, 0.0625 of the second."""
    network, x = written()
    actual = explain("score_cam", network, x, score=Score(0), layer="maps").values
    weights = torch.tensor([0.6, 0.0625], dtype=torch.float64).softmax(0)
    assert torch.allclose(actual[0], torch.stack((weights[0] * 0.8, weights[1] * 0.25)).diag())
    one = explain("score_cam", network, x, score=Score(0), layer="maps", channels=1)
    assert torch.allclose(one.values[0], torch.tensor([[0.8, 0], [0, 0]], dtype=torch.float64))  # it varies most
    assert one.diagnostics == {"gradient_evaluations": 0, "forward_evaluations": 2, "layer": "maps"}


def test_constant_channels_have_no_weight() -> None:
    network, x = written()
    x[1] = 0.5  # b is 0.25 everywhere: Score-CAM leaves it out, Ablation-CAM does not
    score, ablation = (explain(id, network, x, score=Score(0), layer="maps", relu=False) for id in CHANNEL_CAMS)
    assert torch.allclose(score.values[0], x[0])
    assert score.diagnostics["forward_evaluations"] == 2
    assert ablation.diagnostics["forward_evaluations"] == 3
    assert float(ablation.values[0, 1, 1]) == pytest.approx((0.25 - 0.2 * 0.25) / (0.6 + 0.25 - 0.05) * 0.25)
    x[0], x[1] = 0, 0  # nothing at all: a score of 0 divides nothing
    assert not any(explain(id, network, x, score=Score(0), layer="maps").values.any() for id in CHANNEL_CAMS)


def test_masks_reach_from_0_to_1() -> None:
    masks = unit_range(torch.tensor([[[[2.0, 4.0]], [[-1.0, -3.0]], [[5.0, 5.0]]]]))
    assert masks.tolist() == [[[[0, 1]], [[1, 0]], [[0, 0]]]]


@pytest.mark.parametrize("method", CHANNEL_CAMS)
def test_maps_grow_and_the_micro_batch_does_not_matter(method: str) -> None:
    network, x = wrap(Tiny(seed=5)).double(), random_picture().double()
    yielded, expected = finish(steps_of(method, network, x, relu=False, micro_batch=3))
    assert [step.done for step in yielded] == [1, 4, 7, 8]  # seven channels: one is 0 everywhere
    assert all(step.total == 8 and step.estimate is not None for step in yielded)
    assert len({step.estimate.sum().item() for step in yielded if step.estimate is not None}) == 4
    assert torch.equal(yielded[-1].estimate, expected.values)
    for micro_batch in (1, 8, 100):
        assert (
            relative(explain(method, network, x, relu=False, micro_batch=micro_batch).values, expected.values) < 1e-10
        )
    few = explain(method, network, x, channels=3, relu=False)
    assert few.diagnostics["forward_evaluations"] == 4
    assert relative(yielded[1].estimate, few.values) < 1e-10  # the strongest first


@pytest.mark.parametrize("method", CHANNEL_CAMS)
def test_several_layers_are_the_mean_of_their_scaled_maps(method: str) -> None:
    network, x = wrap(Tiny(seed=5)).double(), random_picture().double()
    names = [layer.name for layer in inspection_of(network).layers]
    single = [explain(method, network, x, layer=name, relu=False).values for name in names]
    actual = explain(method, network, x, layer=", ".join(names), relu=False)
    assert relative(actual.values, torch.stack([map / map.abs().max() for map in single]).mean(0)) < 1e-10
    declared = find_method(method)
    parameters = declared.Parameters(layer=",".join(names), channels=3)
    assert declared.cost(parameters, (8, 8)) == 1 + 3 * len(names) > 4
    with pytest.raises(InvalidParameter, match=rf"{method}\.layer: «nowhere» is no layer"):
        explain(method, network, x, layer=f"{names[0]},nowhere")


class Rows(nn.Module):
    """How many rows each pass has had."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return x


class Counting(Tiny):
    """Counts rows below and above the last feature map; `fault` is what it does with more rows than pictures."""

    def __init__(self, fault: str = "") -> None:
        super().__init__(nn.ReLU(inplace=True), seed=5)
        self.below, self.above, self.fault = Rows(), Rows(), fault

    def forward(self, x: Tensor) -> Tensor:
        pictures = len(self.below(x))
        features = self.above(self.activation(self.second(self.activation(self.first(x)))).mean((2, 3)))
        if self.fault == "raises":
            features = features.view(pictures, 8)
        elif self.fault == "mixes" and len(features) > pictures:
            features = features.flip(0)
        return self.head(features)


@pytest.mark.parametrize("fault", ["", "raises", "mixes"])
def test_layers_below_run_once_where_that_is_the_same(fault: str) -> None:
    network, x = wrap(Counting(fault)).double(), random_picture().double()
    expected = explain("ablation_cam", wrap(Tiny(seed=5)).double(), x, micro_batch=1).values
    inspection_of(network)
    network.network.below.seen.clear(), network.network.above.seen.clear()
    before = counters.micro_batches
    assert relative(explain("ablation_cam", network, x, micro_batch=3).values, expected) < 1e-10
    # the picture, three channels by whole passes and from the layer on, then three more, and the seventh
    assert network.network.below.seen == ([1, 3, 1, 3, 1] if fault else [1, 3, 1, 1, 1])
    assert network.network.above.seen == [1, 3, 3, 3, 1]
    assert counters.micro_batches - before == (4 if fault == "raises" else 5)  # a pass that failed does not count


def test_a_layer_beside_a_skip_connection() -> None:
    """Its rows are added to the one row of the other branch."""

    class Skip(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            x = self.activation(self.first(x))
            return self.head((self.second(x) + x[:, :1, ::2, ::2]).mean((2, 3)))

    branching, x = wrap(Skip(seed=5)).double(), random_picture().double()
    engine = Engine(branching, Score(1))
    score, outputs = engine.feature_maps(x, ["second"])
    channels = torch.arange(8)
    whole, quick = (engine.ablated_scores(x, "second", (0,), channels, from_layer=way) for way in (False, True))
    expected = score - branching.network.head.weight[1] * outputs["second"][0][0].mean((1, 2))
    assert relative(whole, expected) < 1e-12
    assert relative(quick, expected) < 1e-12


@pytest.mark.parametrize("method", CHANNEL_CAMS)
def test_values_that_are_not_finite_are_refused(method: str) -> None:
    class Infinite(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) / torch.zeros(())

    with pytest.raises(ComputationFailed):
        explain(method, wrap(Infinite(seed=5)), random_picture())
