"""Feature maps and counts, architecture by architecture; each expectation was worked out from the source.

Guided: every activation on the way to the logits, those inside squeeze-and-excitation too. Gates: one for each
squeeze-and-excitation block.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from gradoscope.attribution.captures import captured
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import InvalidParameter, Refused
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.layers import FeatureLayers, choose_layer
from gradoscope.attribution.methods.cams import CamParameters
from gradoscope.attribution.methods.grad_cam import GradCam
from gradoscope.attribution.score import Score
from gradoscope.attribution.shared_forward import ForwardPass, SharedEngine
from gradoscope.pipeline.problems import as_problem
from torch import Tensor, nn

from tests.support.nets import NARROW, NARROWED, Tiny, classifier, explain, lite0, random_picture, relative, wrap

# architecture: (guided, gates, automatic layer, its shape at full width)
EXPECTED = {
    "resnet18": (17, 0, "layer4", (512, 7, 7)),  # stem + 8 blocks × 2
    "vgg11": (10, 0, "features.19", (512, 14, 14)),  # 8 convolutions + 2 linear; the ReLU before the last pooling
    "alexnet": (7, 0, "features.11", (256, 13, 13)),  # 5 + 2
    "squeezenet1_1": (26, 0, "features", (512, 13, 13)),  # stem + 8 fires × 3 + class map, which does not count
    "googlenet": (57, 0, "inception5b", (1024, 7, 7)),  # stem 3 + 9 modules × 6
    "inception_v3": (94, 0, "Mixed_7c", (2048, 8, 8)),
    "densenet121": (121, 0, "features", (1024, 7, 7)),  # stem + 58 layers × 2 + 3 transitions + 1 after features
    "mnasnet": (35, 0, "layers", (1280, 7, 7)),  # stem 2 + 16 blocks × 2 + last
    "shufflenet_v2": (37, 0, "conv5", (1024, 7, 7)),  # stem + 13 units × 2 + 3 units × 3 + last
    "regnet_y_400mf": (65, 16, "trunk_output", (440, 7, 7)),  # stem + 16 blocks × (3 + 1 in the squeeze)
    "mobilenet_v3_small": (33, 9, "features", (576, 7, 7)),
    "mobilenet_v3_large": (40, 8, "features", (960, 7, 7)),
    "mobilenetv3_small_100": (33, 9, "blocks", (576, 7, 7)),
    "efficientnet_b0": (49, 16, "features", (1280, 7, 7)),  # stem + 16 + 15 expansions + 16 squeezes + head
    "tf_efficientnet_lite0": (33, 0, "bn2", (1280, 7, 7)),  # stem + 16 + 15 expansions + head
    "convnext_atto": (12, 0, "stages", (320, 7, 7)),  # 2 + 2 + 6 + 2 blocks
    "tresnet_m": (75, 18, "body", (2048, 7, 7)),  # 36 of them leaky
    "torchvision_swin_tiny": (12, 0, "permute", (192, 7, 7)),  # ends in (N, C, h, w)
}


@pytest.mark.parametrize("name", EXPECTED)
def test_inspection(name: str) -> None:
    guided, gates, layer, shape = EXPECTED[name]
    inspection = inspection_of(classifier(name))
    assert inspection.differentiable
    assert inspection.unknown == {}
    assert (inspection.guided.total(), inspection.gates.total()) == (guided, gates)
    channels = shape[0] // NARROW if name in NARROWED else shape[0]
    assert (inspection.layers[-1].name, inspection.layers[-1].shape) == (layer, (channels, *shape[1:]))
    assert inspection.default_layer == layer


def test_inspection_of_the_real_lite0() -> None:
    inspection = inspection_of(lite0())
    assert (inspection.guided, inspection.gates, inspection.unknown) == ({"Hardtanh": 33}, {}, {})
    assert (inspection.layers[-1].name, inspection.layers[-1].shape) == ("bn2", (1280, 7, 7))


@pytest.mark.parametrize(
    ("name", "layer", "shape"), [("vit_tiny", "blocks.11.norm1", (192, 14, 14)), ("swin_tiny", "norm", (192, 7, 7))]
)
def test_transformers_have_a_layer_of_tokens(name: str, layer: str, shape: tuple[int, int, int]) -> None:
    """Swin's attention weights (24, 49, 49) are (N, C, h, w), too, and no feature maps: see test_token_layers."""
    found = inspection_of(classifier(name)).feature_layers
    assert (found.default, found.unproven) == (layer, ())
    chosen = found.find(layer)
    assert chosen is not None
    assert chosen.shape == shape
    assert not [layer.name for layer in found.layers if "attn_drop" in layer.name or "softmax" in layer.name]
    GradCam().check(classifier(name), CamParameters())
    assert (inspection_of(classifier(name)).guided, inspection_of(classifier(name)).unknown) == (
        {"Gelu": 12},
        {},
    )  # a GELU for each block


class Tail(nn.Module):
    """A network whose last modules are given."""

    def __init__(self, *tail: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(inplace=True))
        if tail:
            self.tail = nn.Sequential(*tail)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.tail(self.body(x)) if hasattr(self, "tail") else self.body(x)).mean((2, 3)))


class Halves(nn.Module):
    """Wider than high: not the proportions of the picture."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :2, :]


@pytest.mark.parametrize(
    "tail",
    [nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(3), nn.Identity(), nn.Dropout(), nn.Dropout2d(), Halves(), nn.Softmax(1)],
)
def test_what_is_no_layer(tail: nn.Module) -> None:
    """Identity and dropout hand on the tensor that they were given, which is the body's."""
    last = inspection_of(wrap(Tail(tail))).layers[-1]
    assert last.name == "body" or "body" in last.aliases
    assert last.shape == (6, 8, 8)


def test_one_pixel_is_no_map() -> None:
    assert inspection_of(wrap(Tail(nn.Conv2d(6, 6, 8)))).layers[-1].name == "body"


def test_in_place_activation_is_a_layer_of_its_own() -> None:
    """It returns the tensor that it was given: the convolution before it put out something else."""
    layers = {layer.name: layer.aliases for layer in inspection_of(wrap(Tail())).layers}
    assert layers == {"body.0": (), "body": ("body.1",)}


def test_in_place_after_the_layer_does_not_reach_the_feature_map() -> None:
    """torchvision's densenet121 applies an in-place ReLU right after `features`."""

    class After(Tail):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.tail(self.body(x)), inplace=True).mean((2, 3)))

    network, x = wrap(After(nn.Conv2d(6, 6, 1))), random_picture()
    with captured(network, "tail.0") as capture:
        network(x[None])
    before = network.network.tail(network.network.body(x[None]))
    assert torch.equal(capture.features, before)
    assert bool((before < 0).any())


def test_attention_pooling_leaves_the_last_map_of_a_cnn() -> None:
    """CLIP's ResNet works on tokens in its last layer only: most of it is a CNN."""

    class AttentionPooling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.keys = Tail(nn.Conv2d(6, 6, 1), nn.ReLU()), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.body.tail(self.body.body(x)).flatten(2).mT
            return self.body.head((self.keys(tokens).softmax(1) * tokens).sum(1))

    assert inspection_of(wrap(AttentionPooling())).layers[-1].name == "body.tail"


def test_module_called_twice_stands_where_it_ran_last() -> None:
    """The capture holds its last call, so this is what the automatic layer means."""
    layers = inspection_of(wrap(Tiny())).layers
    assert [(layer.name, layer.shape) for layer in layers] == [
        ("first", (6, 8, 8)),
        ("second", (8, 4, 4)),
        ("activation", (8, 4, 4)),
    ]


def test_layers_of_wide_pictures() -> None:
    network = wrap(Tiny())
    network.size = (32, 80)
    assert [layer.shape for layer in inspection_of(network).layers] == [(6, 32, 80), (8, 16, 40), (8, 16, 40)]


def test_choose_layer() -> None:
    layers = inspection_of(wrap(Tail(nn.Conv2d(6, 6, 1)))).feature_layers
    assert choose_layer(layers, "auto", "grad_cam") == "tail"
    assert choose_layer(layers, "body.1", "grad_cam") == "body.1"
    with pytest.raises(InvalidParameter, match="body") as caught:
        choose_layer(layers, "bodi", "grad_cam")
    assert as_problem(caught.value).errors[0]["field"] == "options.grad_cam.layer"
    with pytest.raises(Refused):
        choose_layer(FeatureLayers([], None), "auto", "grad_cam")


def test_layer_that_the_score_does_not_depend_on_is_refused() -> None:
    class Aside(Tail):
        def forward(self, x: Tensor) -> Tensor:
            self.tail(self.body(x))
            return self.head(self.body(x).mean((2, 3)))

    network, x = wrap(Aside(nn.Conv2d(6, 6, 1))), random_picture()
    assert [layer.name for layer in inspection_of(network).layers] == ["body.0", "body"]
    with pytest.raises(InvalidParameter, match="«tail» is no layer"):
        explain("grad_cam", network, x, layer="tail")
    with pytest.raises(Refused, match="does not depend on the layer «tail"):
        Engine(network, Score(0)).features(x[None], "tail")


def test_auxiliary_head_that_runs_last_gives_no_layer() -> None:
    """The automatic layer is the last one that the logits come from."""

    class Auxiliary(Tail):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            features = self.body(x)
            return self.head(features.mean((2, 3))), self.tail(features).mean((2, 3))

    network = wrap(Auxiliary(nn.Conv2d(6, 6, 1), nn.ReLU()))
    assert inspection_of(network).layers[-1].name == "body"
    assert explain("grad_cam", network, random_picture()).diagnostics["layer"] == "body"


class Averaged(nn.Module):
    """The mean over a picture and a view of it: the backbone runs twice in a pass."""

    def __init__(self, other: Callable[[Tensor], Tensor], first: Callable[[Tensor], Tensor] = lambda x: x) -> None:
        super().__init__()
        self.tiny, self.views = Tiny(), (first, other)

    def forward(self, x: Tensor) -> Tensor:
        first, second = (self.tiny(view(x)) for view in self.views)
        return (first + second) / 2


@pytest.mark.parametrize("axes", [(-1,), (-2,), (-2, -1)], ids=str)
@pytest.mark.parametrize("swapped", [False, True])
def test_maps_of_a_picture_and_its_mirror_image_are_added_up(axes: tuple[int, ...], swapped: bool) -> None:
    def mirror(x: Tensor) -> Tensor:
        return x.flip(axes)

    network = wrap(Averaged(lambda x: x, mirror) if swapped else Averaged(mirror), side=16)
    x = random_picture(side=16)
    assert inspection_of(network).default_layer == "tiny.activation"
    single = wrap(Tiny(), side=16)
    one, other = (explain("grad_cam", single, view, layer="activation", relu=False).values for view in (x, mirror(x)))
    actual = explain("grad_cam", network, x, relu=False)
    assert actual.diagnostics["layer"] == "tiny.activation"
    assert relative(actual.values, (one + mirror(other)) / 2) < 1e-5
    for method in ("grad_cam", "guided_grad_cam"):  # also where it is named
        explain(method, network, x, layer="tiny.second")


def test_what_runs_twice_on_something_else_is_refused_by_name() -> None:
    network = wrap(Averaged(lambda x: x.roll(3, -1)), side=16)
    assert inspection_of(network).default_layer is None
    for layer in ("auto", "tiny.second"):
        with pytest.raises(Refused, match=r"«tiny\.\w+» runs twice"):
            explain("grad_cam", network, random_picture(side=16), layer=layer)


class Crops(Tiny):
    """The mean over five crops, which go through the layers as a batch: torchvision's way with FiveCrop."""

    def forward(self, x: Tensor) -> Tensor:
        crops = torch.stack([x[..., a : a + 12, b : b + 12] for a, b in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))], 1)
        return super().forward(crops.flatten(0, 1)).unflatten(0, (len(x), 5)).mean(1)


class Windows(Tiny):
    """A convolution within each quarter of the map, the quarters as a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.activation(self.first(x)))
        quarters = x.unflatten(3, (2, -1)).unflatten(2, (2, -1)).permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
        whole = self.inner(quarters).unflatten(0, (len(x), 2, 2)).permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
        return self.head(whole.mean((2, 3)))


def test_crops_and_windows_along_the_batch_are_runs_too() -> None:
    """Each row is a map of a part of the picture: the first alone would hide the others."""
    crops, windows, x = wrap(Crops(), side=16), wrap(Windows(), side=16), random_picture(side=16)
    for layer in ("auto", "second"):
        with pytest.raises(Refused, match=r"«\w+» runs 5 times in a pass, side by side"):
            explain("grad_cam", crops, x, layer=layer)
    with pytest.raises(Refused, match="«inner» runs 4 times"):
        explain("grad_cam", windows, x, layer="inner")
    actual = explain("grad_cam", windows, x)
    assert actual.diagnostics["layer"] == "second"
    leaf = torch.zeros(1, 8, 8, 8, requires_grad=True)
    handle = windows.network.second.register_forward_hook(lambda module, inputs, output: output + leaf)
    seen: list[Tensor] = []
    also = windows.network.second.register_forward_hook(lambda module, inputs, output: seen.append(output))
    windows(x[None])[:, 0].sum().backward()
    handle.remove()
    also.remove()
    assert leaf.grad is not None
    cam = (leaf.grad.mean((2, 3), keepdim=True) * seen[0]).sum(1, keepdim=True).relu().detach()
    assert relative(actual.values, F.interpolate(cam, (16, 16), mode="bilinear")[0]) < 1e-5


def test_the_call_that_counts_is_one_that_the_logits_depend_on() -> None:
    """An auxiliary output may run the same layers before or after."""

    class Beside(Tiny):
        def __init__(self, views: tuple[Callable[[Tensor], Tensor], ...], counted: slice) -> None:
            super().__init__()
            self.views, self.counted = views, counted

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            answers = [super(Beside, self).forward(view(x)) for view in self.views]
            return {"logits": torch.stack(answers[self.counted]).mean(0), "all": torch.stack(answers)}

    def same(x: Tensor) -> Tensor:
        return x

    def mirror(x: Tensor) -> Tensor:
        return x.flip(-1)

    x, single = random_picture(side=16), wrap(Tiny(), side=16)
    one, other = (explain("grad_cam", single, view(x), relu=False).values for view in (same, mirror))
    for views, counted, expected in (
        ((same, torch.zeros_like), slice(0, 1), one),
        ((torch.zeros_like, same), slice(1, 2), one),
        ((torch.zeros_like, same, mirror), slice(1, 3), (one + mirror(other)) / 2),
        ((same, mirror, torch.zeros_like), slice(0, 2), (one + mirror(other)) / 2),
    ):
        actual = explain("grad_cam", wrap(Beside(views, counted), side=16), x, relu=False)
        assert actual.diagnostics["layer"] == "activation"
        assert relative(actual.values, expected) < 1e-5
        shared = SharedEngine(ForwardPass(wrap(Beside(views, counted), side=16), x[None], ["activation"]), Score(0))
        values, _ = GradCam().maps(shared, x[None], CamParameters(relu=False))
        assert relative(values[0], expected) < 1e-5


def test_activation_that_is_used_again_is_no_second_run() -> None:
    """Tiny's activation follows both convolutions; and in a block with a skip connection around the second call."""

    class Block(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            x = self.activation(self.first(x))
            x = x + self.activation(self.second(x))[:, :6].repeat_interleave(2, 2).repeat_interleave(2, 3)
            return self.head(self.last(x).mean((2, 3)))

    block = Block()
    block.last = nn.Conv2d(6, 8, 1)
    assert inspection_of(wrap(Tiny())).default_layer == "activation"
    layers = inspection_of(wrap(block)).feature_layers
    assert layers.default == "last"
    assert layers.find("activation").calls == 1  # type: ignore[union-attr]
    assert not layers.find("activation").whole  # type: ignore[union-attr]
    explain("grad_cam", wrap(block), random_picture(), layer="activation")


def test_branch_is_not_chosen_automatically() -> None:
    class Side(nn.Module):
        """Tokens, with a small convolution beside them."""

        def __init__(self) -> None:
            super().__init__()
            self.patch, self.beside = nn.Conv2d(3, 8, 2, stride=2), nn.Conv2d(8, 8, 3, padding=1)
            self.mix, self.head = nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patch(x)
            tokens = (x + 1e-3 * self.beside(x)).flatten(2).transpose(1, 2)
            return self.head((tokens + self.mix(tokens)).mean(1))

    network = wrap(Side())
    found = inspection_of(network).feature_layers
    assert ([layer.name for layer in found.layers], found.default) == (["patch", "beside"], None)
    with pytest.raises(Refused, match=r"name a branch by grad_cam\.layer: patch, beside"):
        explain("grad_cam", network, random_picture())
    assert explain("grad_cam", network, random_picture(), layer="beside").values.shape == (1, 8, 8)


def test_branch_before_the_last_whole_layer_is_passed_over() -> None:
    class Late(Tiny):
        """The last convolution is a branch beside what the score mostly comes from."""

        def forward(self, x: Tensor) -> Tensor:
            x = self.second(self.activation(self.first(x)))
            return self.head((x + self.beside(x)).mean((2, 3)))

    late = Late()
    late.beside = nn.Conv2d(8, 8, 3, padding=1)
    found = inspection_of(wrap(late)).feature_layers
    assert found.layers[-1].name == "beside"
    assert found.default == "second"
