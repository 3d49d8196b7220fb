"""Every registered method on every kind of architecture: a sound map, and a model that is left as it was."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import pytest
import torch
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.methods.base import OnePass, find_method, methods
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.nets import Tiny, classifier, finish, random_picture, steps_of, wrap
from tests.support.token_nets import Tokens

# side of the picture: smaller than usual where the architecture allows
SIDES = {
    "resnet18": 64,
    "vgg11": 64,
    "densenet121": 64,
    "inception_v3": 107,  # the smallest with more than one place in the last feature map
    "mobilenet_v3_small": 96,
    "mobilenetv3_small_100": 96,
    "efficientnet_b0": 96,
    "convnext_atto": 96,
    "vit_64": 64,
}
QUICK = {
    "smooth_grad": {"samples": 3},
    "integrated_gradients": {"steps": 3},
    "blur_integrated_gradients": {"steps": 3, "max_sigma": 8.0},
    "gradient_shap": {"samples": 3},
    "occlusion": {"window": 48, "stride": 32},
    "rise": {"masks": 3},
    "guided_integrated_gradients": {"steps": 3},
    "score_cam": {"channels": 3},
    **{id: {"samples": 3, "segments": 4, "compactness": 100.0} for id in ("lime", "kernel_shap")},
    "ablation_cam": {"channels": 3, "relu": False},
    "idgi": {"steps": 3},
    "xrai": {"steps": 2},
}
# what each of these methods knows no rule for; the others explain every architecture here
REFUSED = {
    "full_grad": {
        "vit_64": r"some bias is in no layer\. .* 3 × attention",
        "mobilenet_v3_small": r"some bias is in no layer\. .* 9 × mul \(SqueezeExcitation\) outside",
        "mobilenetv3_small_100": r"9 × mul \(SqueezeExcite\) outside",
        "efficientnet_b0": r"16 × mul \(SqueezeExcitation\) outside",
    },
    "deconvolution": {
        "mobilenet_v3_small": "hardswish",
        "mobilenetv3_small_100": "hardswish",
        "efficientnet_b0": "silu",
        "convnext_atto": "gelu",
        "vit_64": "gelu",
    },
    "deep_lift": {
        "densenet121": r"1 × relu \(no module\)",
        "inception_v3": r"94 × relu \(BasicConv2d\), 2 × maxpool",
        "mobilenet_v3_small": r"19 × hardswish \(Hardswish\), 9 × mul \(SqueezeExcitation\)",
        "mobilenetv3_small_100": r"hardswish \(Hardswish\).* mul \(SqueezeExcite\)",
        "efficientnet_b0": r"49 × silu \(SiLU\), 16 × mul \(SqueezeExcitation\)",
        "convnext_atto": r"nativelayernorm.* gelu \(GELU\)",
        "vit_64": r"nativelayernorm.* gelu \(GELU\), 3 × attention",
    },
    **{
        method: {name: "no attention whose weights can be seen" for name in SIDES if name != "vit_64"}
        for method in ("attention_rollout", "le_grad")
    },
    "lrp": {"convnext_atto": "nativelayernorm", "vit_64": "nativelayernorm"},
    "shapley_cam": {"vit_64": "needs second derivatives"},
}
FOUND_OUT_LATE = ("shapley_cam",)  # whether there is a second derivative shows when it is taken
HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks_always_called",
)
GLOBAL_HOOKS = [name for name in vars(nn.modules.module) if name.startswith("_global_") and name.endswith("hooks")]
METHODS = list(methods())


def named_tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return tensors_of(model.named_modules())


def tensors_of(modules: Iterable[tuple[str, nn.Module]]) -> list[tuple[str, Tensor]]:
    return [
        (f"{name}.{key}", tensor)
        for name, module in modules
        for tensors in (module._parameters, module._buffers)
        for key, tensor in tensors.items()
        if tensor is not None
    ]


def state(model: nn.Module) -> list[object]:
    """All that a method could leave behind beside other weights: modules, hooks, modes, threads."""
    modules = list(model.named_modules())  # once: it takes as long as all that follows
    tensors = tensors_of(modules)
    return [
        [(name, kind) for name, module in modules for kind in HOOKS if getattr(module, kind)],
        [name for name in GLOBAL_HOOKS if getattr(nn.modules.module, name)],
        [name for name, module in modules if module.training],
        [(name, id(module)) for name, module in modules],
        [(name, id(tensor), tensor.requires_grad, tensor.grad is None) for name, tensor in tensors],
        [tensor._version for _, tensor in tensors],
        torch.is_grad_enabled(),
        [thread.name for thread in threading.enumerate()],
    ]


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """The weights too, bit by bit: as integers, for which NaN and -0.0 are values like others."""
    before, kept = state(model), weights_at_first(model)
    assert before[:3] == [[], [], []]
    yield
    assert state(model) == before
    for (name, tensor), expected in zip(named_tensors(model), kept, strict=True):
        assert torch.equal(bits(tensor), expected), name


_at_first: WeakKeyDictionary[nn.Module, list[Tensor]] = WeakKeyDictionary()


def weights_at_first(model: nn.Module) -> list[Tensor]:
    """A copy of the weights as they were the first time: copying 100 MB three times took longer than most methods."""
    if model not in _at_first:
        _at_first[model] = [bits(tensor).clone() for _, tensor in named_tensors(model)]
    return _at_first[model]


def bits(tensor: Tensor) -> Tensor:
    return tensor.detach().view(torch.int32) if tensor.is_floating_point() else tensor


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", SIDES)
def test_contract(architecture: str, method: str) -> None:
    side = SIDES[architecture]
    model, x = classifier(architecture, side), random_picture(side=side)
    options = {"micro_batch": 2, **QUICK.get(method, {})}
    if refusal := REFUSED.get(method, {}).get(architecture):
        asked = finish if method in FOUND_OUT_LATE else iter
        with left_as_it_was(model), pytest.raises(Refused, match=refusal):
            asked(steps_of(method, model, x, **options))
        return
    kept = x.clone()
    with left_as_it_was(model):  # done
        yielded, actual = finish(steps_of(method, model, x, score=Score(0), **options))
        assert actual.values.shape in ((3, side, side), (1, side, side))
        assert actual.values.dtype == torch.float32
        assert bool(torch.isfinite(actual.values).all())
        assert not actual.values.requires_grad
        assert float(actual.values.min()) < float(actual.values.max()), "constant"
        assert [step.done for step in yielded] == sorted({step.done for step in yielded})
        assert yielded[-1].done == yielded[-1].total
        declared = find_method(method)
        assert yielded[-1].total == declared.cost(declared.Parameters(**QUICK.get(method, {})), (side, side))
        assert torch.equal(x, kept)
    with left_as_it_was(model):  # closed in the middle
        steps = steps_of(method, model, x, **options)
        next(steps)
        steps.close()
    with left_as_it_was(model), pytest.raises(IndexError):  # a class that does not exist
        finish(steps_of(method, model, x, score=Score(1000), **options))


class Faulty(Tiny):
    """Raises at its `fuse`-th pass; in the middle of it, after the first layer's hooks have run."""

    fuse = 0

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.first(x))
        self.fuse -= 1
        if self.fuse == 0:
            raise ArithmeticError("the model broke")
        return self.head(self.activation(self.second(x)).mean((2, 3)))


class FaultyTransformer(Tokens):
    """The same, of a transformer."""

    fuse = 0

    def forward(self, x: Tensor) -> Tensor:
        self.fuse -= 1
        return super().forward(x)

    def between(self, tokens: Tensor) -> Tensor:
        if self.fuse == 0:
            raise ArithmeticError("the model broke")
        return tokens


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fuse", [1, 2])
def test_model_that_raises(method: str, fuse: int) -> None:
    attention = find_method(method).transformers_only
    network = FaultyTransformer() if attention else Faulty()
    model, x = (wrap(network, 32), random_picture(32)) if attention else (wrap(network), random_picture())
    assert inspection_of(model).layers  # its passes are done before `fuse` counts
    find_method(method).check(model, find_method(method).Parameters())
    options = {**QUICK.get(method, {}), **({"window": 4, "stride": 4} if method == "occlusion" else {})}
    with left_as_it_was(model):
        steps = steps_of(method, model, x, micro_batch=1, **options)
        network.fuse = fuse
        if fuse == 1 or not (isinstance(find_method(method), OnePass) or attention):
            with pytest.raises(ArithmeticError, match="the model broke"):
                finish(steps)
        else:
            finish(steps)


def test_inspection_of_a_model_that_raises() -> None:
    for fuse in (1, 2):
        network = Faulty()
        model = wrap(network)
        with left_as_it_was(model):
            network.fuse = fuse
            found = inspection_of(model)
        faults = [found.layer_fault, found.operation_fault]  # one pass fails, the other is complete
        assert faults[fuse - 1] == "ArithmeticError: the model broke"
        assert faults[2 - fuse] is None


@pytest.mark.parametrize("method", METHODS)
def test_model_without_a_graph(method: str) -> None:
    """Every method of gradients refuses; others need none. Nothing is computed from an empty gradient."""

    class Detached(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                return super().forward(x)

    model = wrap(Detached())
    with left_as_it_was(model):
        if not find_method(method).differentiates and not find_method(method).transformers_only:
            options = {"window": 4, "stride": 4} if method == "occlusion" else QUICK[method]
            finish(steps_of(method, model, random_picture(), **options))
            return
        with pytest.raises(Refused):
            finish(steps_of(method, model, random_picture(), **QUICK.get(method, {})))


def test_registry_is_in_historical_order() -> None:
    """Occlusion comes first: leaving out a part of the input is older than gradients."""
    assert METHODS == [
        "occlusion",
        "deconvolution",
        "vanilla_gradient",
        "guided_backprop",
        "lrp",
        "input_x_gradient",
        "grad_cam",
        "guided_grad_cam",
        "lime",
        "smooth_grad",
        "integrated_gradients",
        "deep_lift",
        "gradient_shap",
        "kernel_shap",
        "grad_cam_plus_plus",
        "rise",
        "full_grad",
        "score_cam",
        "xrai",
        "blur_integrated_gradients",
        "ablation_cam",
        "eigen_cam",
        "hires_cam",
        "xgrad_cam",
        "attention_rollout",
        "guided_integrated_gradients",
        "layer_cam",
        "idgi",
        "le_grad",
        "shapley_cam",
    ]


def test_six_methods_answer_a_request_that_names_none() -> None:
    assert [id for id, method in methods().items() if method.default] == [
        "vanilla_gradient",
        "guided_backprop",
        "grad_cam",
        "smooth_grad",
        "integrated_gradients",
        "blur_integrated_gradients",
    ]


@pytest.mark.parametrize("method", METHODS)
def test_declaration(method: str) -> None:
    """Each says what it is; each parameter has a default and a help text, and unknown ones are refused."""
    declared = find_method(method)
    assert declared.title
    assert declared.summary
    assert declared.family != "other"
    assert declared.strengths
    assert declared.weaknesses
    assert declared.paper.url.startswith(("https://arxiv.org/abs/", "https://doi.org/"))  # a DOI where arXiv has none
    for field in declared.Parameters.model_fields.values():
        assert field.description
        assert not field.is_required()
    with pytest.raises(ValueError, match="unheard_of"):
        declared.Parameters(unheard_of=1)
