"""Models × methods: `make table` writes docs/models-and-methods.md.

Every card that ships, built as its source does it, from a file of seeded random weights. Every method explains it with
two samples, steps, masks or channels, and its map is compared with captum's if captum has the method. A cell is `ok`,
or a refusal whose reason is below the table.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import captum
import timm
import torch
import torchvision
import torchvision.models as tv
from captum.attr import (
    Deconvolution,
    GuidedBackprop,
    GuidedGradCam,
    InputXGradient,
    IntegratedGradients,
    LayerGradCam,
    Saliency,
)
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.errors import AttributionError, Refused
from gradoscope.attribution.inspection import inspection_of
from gradoscope.attribution.methods.base import Method, methods
from gradoscope.attribution.methods.smooth_grad import mirrored
from gradoscope.attribution.score import Score
from gradoscope.cli.check_card import cheap_parameters
from gradoscope.images.decode import decode
from gradoscope.images.preprocess import preprocess
from gradoscope.images.samples import read_sample
from gradoscope.settings import Settings
from gradoscope.zoo.cards import Card, Embedded, read_cards
from gradoscope.zoo.model_spec import ModelSpec
from gradoscope.zoo.sources import model_spec_of
from torch import Tensor, nn
from torch.nn.functional import interpolate

from tests.support.paths import ROOT

OUT = ROOT / "docs" / "models-and-methods.md"
STEPS = 2
SAME = 1e-4  # relative L2 distance from captum's map up to which it is the same
Peer = Callable[[Classifier, Tensor, int], Tensor]


def random_state(card: Card) -> dict[str, Tensor]:
    """Seeded random weights as the library would ship them: with auxiliary heads where it has them."""
    torch.manual_seed(0)
    if isinstance(card.source, Embedded):
        return dict(timm.create_model(card.architecture).state_dict())
    heads = {"aux_logits": True, "init_weights": False} if card.architecture in ("googlenet", "inception_v3") else {}
    state = tv.get_model(card.architecture, weights=None, **heads).state_dict()
    for tensor in state.values():
        if tensor.ndim > 1 and not tensor.any():  # a head that starts at 0, as ViT's: every map would be 0
            nn.init.normal_(tensor, std=0.02)
    return state


def build(spec: ModelSpec, folder: Path) -> Classifier:
    path = folder / "weights.pth"
    torch.save(random_state(spec.card), path)
    classifier = Classifier(
        spec.build(path),
        size=spec.input.size,
        labels=spec.labels,
        mean=spec.input.mean,
        std=spec.input.std,
        id=spec.id,
    )
    return classifier.to(memory_format=torch.channels_last)


def only_relu_modules(classifier: Classifier) -> bool:
    """Whether every activation is an `nn.ReLU` module. captum guides no other one, so its map is another one else."""
    inspection = inspection_of(classifier)
    activations = [operation for operation in inspection.nonlinear if "MaxPool" not in operation.kind]
    return (
        bool(inspection.guided)
        and not inspection.gates
        and all(operation.module is nn.ReLU for operation in activations)
    )


def cam(classifier: Classifier, x: Tensor, target: int) -> Tensor:
    layer = classifier.network.get_submodule(str(inspection_of(classifier).default_layer))
    values = LayerGradCam(classifier, layer).attribute(x, target=target, relu_attributions=True)
    return interpolate(values, x.shape[-2:], mode="bilinear", align_corners=False)


def guided_cam(classifier: Classifier, x: Tensor, target: int) -> Tensor:
    layer = classifier.network.get_submodule(str(inspection_of(classifier).default_layer))
    return GuidedGradCam(classifier, layer).attribute(x, target=target, interpolate_mode="bilinear")


def has_channels_first(classifier: Classifier) -> bool:
    """Whether Grad-CAM's layer is (N, C, h, w): captum knows no tokens and no channels last."""
    inspection = inspection_of(classifier)
    layer = inspection.feature_layers.find(str(inspection.default_layer))
    return layer is not None and layer.layout.kind == "channels_first"


def smooth(classifier: Classifier, x: Tensor, target: int) -> Tensor:
    """captum's gradients at our noisy pictures: its own noise is another."""
    deviation = 0.15 * float(x.max() - x.min())
    noisy = torch.stack([x[0] + deviation * sample for sample in mirrored(0, STEPS, tuple(x.shape[1:]))])
    return Saliency(classifier).attribute(noisy, target=target, abs=False).mean(0, keepdim=True)


def integrated(classifier: Classifier, x: Tensor, target: int) -> Tensor:
    return IntegratedGradients(classifier, multiply_by_inputs=True).attribute(
        x, torch.zeros_like(x), target=target, n_steps=STEPS, method="gausslegendre"
    )


PEERS: dict[str, Peer] = {
    "vanilla_gradient": lambda c, x, t: Saliency(c).attribute(x, target=t, abs=False),
    "input_x_gradient": lambda c, x, t: InputXGradient(c).attribute(x, target=t),
    "guided_backprop": lambda c, x, t: GuidedBackprop(c).attribute(x, target=t),
    "deconvolution": lambda c, x, t: Deconvolution(c).attribute(x, target=t),
    "grad_cam": cam,
    "guided_grad_cam": guided_cam,
    "smooth_grad": smooth,
    "integrated_gradients": integrated,
}
NEED_RELU_MODULES = ("guided_backprop", "deconvolution", "guided_grad_cam")
NEED_CHANNELS_FIRST = ("grad_cam", "guided_grad_cam")


def run(method: Method[Any], classifier: Classifier, x: Tensor, target: int) -> Tensor:
    parameters = cheap_parameters(method, STEPS)
    if method.id == "integrated_gradients":
        parameters = parameters.model_copy(update={"rule": "gauss_legendre"})  # captum's
    method.check(classifier, parameters)
    steps = method.attribute(Engine(classifier, Score(target), micro_batch=2), x, parameters, 0)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        values: Tensor = end.value.values
        return values


def cell(method: Method[Any], classifier: Classifier, x: Tensor, target: int) -> tuple[str, str]:
    """A cell's text, and the reason if the method was refused or failed."""
    try:
        values = run(method, classifier, x, target)
    except Refused as refusal:
        return "refused", refusal.detail
    except AttributionError as error:
        return "failed", error.detail
    if not bool(values.isfinite().all()):
        return "failed", "values that are not finite"
    peer = PEERS.get(method.id)
    if peer is None or (method.id in NEED_RELU_MODULES and not only_relu_modules(classifier)):
        return "ok", ""
    if method.id in NEED_CHANNELS_FIRST and not has_channels_first(classifier):
        return "ok", ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum says that it sets hooks
        expected = peer(classifier, x[None].clone().requires_grad_(), target)[0].detach()
    size = float(expected.double().norm())
    distance = float((values.double() - expected.double()).norm()) / size if size else float(values.abs().max())
    return ("ok =" if distance <= SAME else f"ok {distance:.0e}"), ""


def rows(names: list[str]) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    cards, _ = read_cards(*Settings().card_folders)
    picture = decode(read_sample("cat"), 10**8)
    for name, card in cards.items():
        if names and name not in names:
            continue
        spec = model_spec_of(card)
        with tempfile.TemporaryDirectory() as folder:
            classifier = build(spec, Path(folder))
        x = torch.from_numpy(preprocess(picture, spec.input).pixels)
        with torch.no_grad():
            target = int(classifier(x[None])[0].argmax())
        cells = {id: cell(method, classifier, x, target) for id, method in methods().items()}
        print(name, {id: said for id, (said, _) in cells.items()}, file=sys.stderr, flush=True)
        yield name, cells


def plain(library: Any) -> str:
    """A library's version without its build."""
    return str(library.__version__).partition("+")[0]


def page(table: list[tuple[str, dict[str, tuple[str, str]]]]) -> str:
    columns = list(methods())
    reasons: dict[str, int] = {}
    lines = [
        "# Models and methods",
        "",
        f"Made by `make table` on {datetime.date.today().isoformat()} with PyTorch {plain(torch)}, torchvision "
        f"{plain(torchvision)}, timm {plain(timm)}, captum {plain(captum)}, on a CPU: every shipped card "
        f"with seeded random weights, on the sample «cat», with {STEPS} samples, steps, masks or channels for each "
        "method.",
        "",
        f"- `ok =`: the same map as captum's (relative L2 distance up to {SAME:.0e}).",
        "- `ok` and a number: the distance from captum's map.",
        "- `ok`: finite and of the right shape; captum does not have the method, or its version is another method (it "
        "guides only `nn.ReLU` modules, and takes no tokens).",
        "- A number in brackets: refused, for the reason below.",
        "",
        "| model | " + " | ".join(methods()[id].title for id in columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    for name, cells in table:
        said = []
        for id in columns:
            verdict, reason = cells[id]
            said.append(verdict if not reason else f"[{reasons.setdefault(reason, len(reasons) + 1)}]" + (
                " **failed**" if verdict == "failed" else ""))  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(said) + " |")
    lines += ["", *(f"{number}. {reason}" for reason, number in reasons.items())]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "models", nargs="*", help="ids; all that ship where none is named (and then the page is written)"
    )
    names = parser.parse_args().models
    table = list(rows(names))
    if names:
        print(page(table))
        return
    OUT.write_text(page(table), "utf-8")
    failed = [(name, id) for name, cells in table for id, (verdict, _) in cells.items() if verdict == "failed"]
    print(f"{len(table)} models × {len(methods())} methods, {len(failed)} failed: {OUT}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
