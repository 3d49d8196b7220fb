"""The inspection: what one probing pass finds, and which module each operation belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NoReturn

import pytest
import torch
import torch.nn.functional as F
from gradoscope.attribution.copies import copied
from gradoscope.attribution.errors import Refused
from gradoscope.attribution.gradient_flow.profile import measure
from gradoscope.attribution.inspection import NonlinearOperation, inspection_of
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.metrics.networks import private_copy
from gradoscope.attribution.score import Score
from torch import Tensor, nn

from tests.support.cheap_options import CAMS, CHEAP
from tests.support.nets import Linear, Tiny, classifier, explain, random_picture, relative, wrap

TRANSFORMERS_ONLY = ("attention_rollout", "le_grad")


def test_operations_belong_to_the_innermost_module_that_returns_them() -> None:
    """Not to the containers that pass its output on; and a function within a module belongs to that module."""

    class Block(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.silu(x)

    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(inplace=True))),
        *(nn.MaxPool2d(2), Block(), nn.Flatten(), nn.Linear(36, 3)),
    )
    found = inspection_of(wrap(network)).nonlinear
    assert found == {
        NonlinearOperation("Relu", nn.ReLU): 1,
        NonlinearOperation("MaxPool2DWithIndices", nn.MaxPool2d): 1,
        NonlinearOperation("Silu", Block): 1,
    }
    assert [str(operation) for operation in sorted(found, key=str)] == [
        "maxpool2dwithindices (MaxPool2d)",
        "relu (ReLU)",
        "silu (Block)",
    ]


def test_operation_after_a_module_is_not_the_modules() -> None:
    inspection = inspection_of(wrap(Tiny(lambda x: F.relu(x))))
    assert inspection.nonlinear == {NonlinearOperation("Relu", None): 2}
    assert str(NonlinearOperation("Relu", None)) == "relu (no module)"


def test_batch_normalisation_by_stored_statistics_is_linear() -> None:
    assert inspection_of(classifier("resnet18", 64)).nonlinear == {
        NonlinearOperation("Relu", nn.ReLU): 17,
        NonlinearOperation("MaxPool2DWithIndices", nn.MaxPool2d): 1,
    }


def test_linear_network_has_a_gradient_and_no_nonlinear_operation() -> None:
    inspection = inspection_of(wrap(Linear()))
    assert inspection.differentiable
    assert not inspection.nonlinear
    assert not inspection.guided


def test_network_without_a_gradient() -> None:
    class Detached(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.detach())

    inspection = inspection_of(wrap(Detached()))
    assert not inspection.differentiable
    assert (inspection.guided, inspection.nonlinear) == (Counter(), Counter())
    assert [layer.name for layer in inspection.layers] == ["first", "second", "activation"]


def test_rectifiers_are_distinguished_from_other_activations() -> None:
    class Mixed(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            x = F.hardtanh(F.relu6(self.first(x)))
            return self.head(F.leaky_relu(self.second(x).clamp(min=0)).mean((2, 3)))

    inspection = inspection_of(wrap(Mixed()))
    assert inspection.guided == {"Hardtanh": 2, "Clamp": 1, "LeakyRelu": 1}
    assert inspection.unrectified == {"hardtanh": 1, "leakyrelu": 1}


def test_probing_picture_has_the_size_and_channels_of_the_classifier() -> None:
    shown: list[tuple[int, ...]] = []

    class Keeping(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            shown.append(tuple(x.shape))
            return super().forward(x)

    model = wrap(Keeping(channels=1), mean=(0.0,), std=(1.0,)).at((6, 10))
    assert [layer.shape for layer in inspection_of(model).layers] == [(6, 6, 10), (8, 3, 5), (8, 3, 5)]
    assert set(shown) == {(1, 1, 6, 10)}
    assert not torch.is_inference_mode_enabled()


def test_numbers_that_autograd_has_saved() -> None:
    """Attention with a float mask multiplies by numbers: autograd saves them as numbers, not as tensors."""

    class Masked(Tiny):
        def forward(self, x: Tensor) -> Tensor:
            tokens = self.first(x).flatten(2).transpose(1, 2)[:, :16]
            heads = tokens.unflatten(2, (2, 3)).transpose(1, 2)
            mask = torch.linspace(0, 1, 256).view(1, 16, 16)
            mixed = F.scaled_dot_product_attention(heads, heads, heads, attn_mask=mask)
            return self.head(F.pad((tokens + mixed.transpose(1, 2).flatten(2)).relu().mean(1), (0, 2)))

    network = wrap(Masked())
    inspection = inspection_of(network)
    assert (inspection.operation_fault, inspection.layer_fault) == (None, None)
    assert inspection.guided == {"Relu": 1}
    assert inspection.unknown == {}
    assert measure(network, random_picture(), Score(0))[0].norm > 0


def test_failed_inspection_refuses_only_the_methods_that_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise AttributeError("'float' object has no attribute 'numel'")

    for name, refused in {
        "find_layers": {*CAMS, "guided_grad_cam", *TRANSFORMERS_ONLY},
        "find_operations": {"guided_backprop", "deconvolution", "guided_grad_cam", "deep_lift"},
    }.items():
        network = wrap(Tiny())
        with monkeypatch.context() as patched:
            patched.setattr(f"gradoscope.attribution.inspection.{name}", fail)
            _ = inspection_of(network)
        for id, method in methods().items():
            if id in refused:
                with pytest.raises(Refused, match="AttributeError: 'float' object"):
                    method.check(network, method.Parameters())
            elif id not in TRANSFORMERS_ONLY:
                method.check(network, method.Parameters())


def as_scripted(network: nn.Module) -> nn.Module:
    return torch.jit.script(network)  # type: ignore[no-any-return]


def as_traced(network: nn.Module) -> nn.Module:
    return torch.jit.trace(network, random_picture()[None])  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("compile", [as_scripted, as_traced])
def test_scripted_and_traced_networks(compile: Callable[[nn.Module], nn.Module]) -> None:
    """Methods that need no look inside give the right map; the others are refused, with the reason."""
    x, network = random_picture(), wrap(compile(Tiny().eval()))
    refused = {
        "guided_grad_cam": ".",
        "full_grad": "FullGrad",
        "lrp": "rule for: .*convolution",
        "deep_lift": "rule for: 2 × relu .no module.",
        **dict.fromkeys(CAMS, "feature map"),
        **dict.fromkeys(TRANSFORMERS_ONLY, "no attention|ScriptModules"),
    }
    if compile is as_scripted:
        refused |= dict.fromkeys((*CAMS, "guided_backprop", "deconvolution", "deep_lift"), "ScriptModules")
        with pytest.raises(Refused, match="cannot be looked into"):
            measure(network, x, Score(0))
    for id in methods():
        options = CHEAP.get(id, {})
        if id in refused:
            with pytest.raises(Refused, match=refused[id]):
                explain(id, network, x, **options)
        else:
            actual, expected = (explain(id, one, x, **options).values for one in (network, wrap(Tiny())))
            assert relative(actual, expected) < 1e-4, id


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_networks() -> None:
    """Quantised operations have no derivative: gradients are refused, forward passes go on."""
    quantised = torch.ao.quantization.quantize_dynamic(Tiny().eval(), {nn.Linear}, dtype=torch.qint8)
    network, x = wrap(quantised), random_picture()
    assert explain("occlusion", network, x, window=4, stride=4).values.any()
    for id in ("rise", "score_cam", "ablation_cam", "lime", "kernel_shap"):
        assert explain(id, network, x, **CHEAP[id]).values.any(), id
    for id in (id for id, method in methods().items() if method.differentiates):
        with pytest.raises(Refused):
            explain(id, network, x, **CHEAP.get(id, {}))


def test_activations_kept_in_a_list_do_not_hinder_a_copy() -> None:
    class Keeping(Tiny):
        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[str, list[Tensor]] = {"maps": []}

        def forward(self, x: Tensor) -> Tensor:
            self.kept["maps"] = [*self.kept["maps"][-3:], x * 1]
            return super().forward(x)

    network, x = wrap(Keeping()), random_picture()
    explain("vanilla_gradient", network, x)
    assert network.network.kept["maps"][0].grad_fn is not None
    copy = copied(network)
    assert copy.network.first.weight is network.network.first.weight
    assert private_copy(network).network.first.weight is not network.network.first.weight
    assert explain("deep_lift", network, x).diagnostics["rescaled"] == 2
