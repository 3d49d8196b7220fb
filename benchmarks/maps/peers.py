"""The same maps by other libraries (the peers), each called as its documentation says, at its best batch size.

Models are in eval mode and no parameter takes a gradient (pytorch-grad-cam and torch-cam need one of the picture then).
Every map ends as an array in the host's memory, as ours does.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import saliency.core as pair
import torch
from captum.attr import GuidedBackprop, IntegratedGradients, LayerGradCam, NoiseTunnel, Saliency
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.inspection import inspection_of
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .own_methods import Run
from .subjects import Subject

BATCHES = (1, 2, 4, 8, 16)  # tried before anything is measured
NOISE = 0.15  # as our default: a share of the picture's range
MAX_SIGMA = 50  # PAIR's default and ours


@dataclass(frozen=True)
class Peer:
    """A library's way to one of our methods; `make(subject, batch)` gives its run."""

    library: str
    method: str
    make: Callable[[Subject, int], Run]
    package: str = ""  # an optional one that it needs

    @property
    def installed(self) -> bool:
        return not self.package or importlib.util.find_spec(self.package) is not None


def vanilla(subject: Subject, batch: int) -> Run:
    return lambda count: array(Saliency(subject.theirs).attribute(leaf(subject), target=subject.target, abs=False))


def guided(subject: Subject, batch: int) -> Run:
    return lambda count: guided_by_captum(subject.theirs, leaf(subject), subject.target)


def guided_by_captum(model: Classifier, x: Tensor, target: int) -> np.ndarray:
    """Guides `nn.ReLU` modules only, out of place: on other activations it is the plain gradient."""
    with warnings.catch_warnings(), out_of_place(model):
        warnings.simplefilter("ignore")  # that it sets hooks
        return array(GuidedBackprop(model).attribute(x, target=target))


def cam(subject: Subject, batch: int) -> Run:
    def run(count: int) -> np.ndarray:
        return cam_by_captum(subject.theirs, leaf(subject), subject)

    return run


def cam_by_captum(model: Classifier, x: Tensor, subject: Subject) -> np.ndarray:
    peer = LayerGradCam(model, model.network.get_submodule(subject.layer))
    small = peer.attribute(x, target=subject.target, relu_attributions=True)
    return array(interpolate(small, x.shape[-2:], mode="bilinear", align_corners=False))


def pytorch_grad_cam(subject: Subject, batch: int) -> Run:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    layers, targets = [subject.theirs.network.get_submodule(subject.layer)], [ClassifierOutputTarget(subject.target)]

    def run(count: int) -> np.ndarray:
        with GradCAM(model=subject.theirs, target_layers=layers) as extractor:
            found: np.ndarray = extractor(input_tensor=leaf(subject), targets=targets)
            return found

    return run


def torch_cam(subject: Subject, batch: int) -> Run:
    from torchcam.methods import GradCAM

    layer = f"network.{subject.layer}"

    def run(count: int) -> np.ndarray:
        with GradCAM(subject.theirs, layer) as extractor:
            scores = subject.theirs(leaf(subject))
            (small,) = extractor(subject.target, scores, normalized=False)
            return array(interpolate(small[None], subject.x.shape[-2:], mode="bilinear", align_corners=False))

    return run


def smooth(subject: Subject, batch: int) -> Run:
    """SmoothGrad by captum: the noise has the same distribution as ours, but other numbers."""
    deviation = NOISE * float(subject.x.max() - subject.x.min())

    def run(count: int) -> np.ndarray:
        torch.manual_seed(0)
        return array(
            NoiseTunnel(Saliency(subject.theirs)).attribute(
                leaf(subject),
                nt_type="smoothgrad",
                nt_samples=count,
                nt_samples_batch_size=min(batch, count),
                stdevs=deviation,
                target=subject.target,
                abs=False,
            )
        )

    return run


def integrated(subject: Subject, batch: int) -> Run:
    return lambda count: integrated_by_captum(subject.theirs, subject.x, subject.target, count, batch)


def integrated_by_captum(model: Classifier, x: Tensor, target: int, steps: int, batch: int) -> np.ndarray:
    """captum's defaults: Gauss-Legendre, from black."""
    peer = IntegratedGradients(model)
    return array(peer.attribute(x[None], target=target, n_steps=steps, internal_batch_size=min(batch, steps)))


def blurred(subject: Subject, batch: int) -> Run:
    """PAIR's defaults, but for the number of steps and the batch."""
    pixels = subject.x.permute(1, 2, 0).double().cpu().numpy()

    def gradients(images: np.ndarray, call_model_args: object, expected_keys: object) -> dict[str, np.ndarray]:
        x = torch.from_numpy(images).float().permute(0, 3, 1, 2).contiguous().to(subject.device).requires_grad_()
        (gradient,) = torch.autograd.grad(subject.theirs(x)[:, subject.target].sum(), x)
        return {pair.INPUT_OUTPUT_GRADIENTS: gradient.movedim(1, 3).cpu().numpy()}

    def run(count: int) -> np.ndarray:
        found = pair.BlurIG().GetMask(pixels, gradients, max_sigma=MAX_SIGMA, steps=count, batch_size=batch)
        return np.ascontiguousarray(found.transpose(2, 0, 1), dtype=np.float32)

    return run


PEERS = (
    Peer("captum", "vanilla_gradient", vanilla),
    Peer("captum", "guided_backprop", guided),
    Peer("captum", "grad_cam", cam),
    Peer("pytorch-grad-cam", "grad_cam", pytorch_grad_cam, "pytorch_grad_cam"),
    Peer("torch-cam", "grad_cam", torch_cam, "torchcam"),
    Peer("captum", "smooth_grad", smooth),
    Peer("captum", "integrated_gradients", integrated),
    Peer("PAIR saliency", "blur_integrated_gradients", blurred),
)
MAIN = ("captum", "PAIR saliency")  # together they have all six
DEFAULT_BATCH = {"captum": 10**6, "PAIR saliency": 1}  # captum takes all at once, PAIR one after the other
DEFAULT_BATCH_LABEL = ", its default batch"  # after a library's name


def main_peer(method: str) -> Peer:
    """The one whose time counts in «all six»."""
    return next(peer for peer in PEERS if peer.method == method and peer.library in MAIN)


def leaf(subject: Subject) -> Tensor:
    """The picture as a batch that takes a gradient: captum warns of one that doesn't."""
    return subject.x[None].clone().requires_grad_()


def array(batch: Tensor) -> np.ndarray:
    values: np.ndarray = batch[0].detach().cpu().numpy()
    return values


def guides_all(subject: Subject) -> bool:
    """Whether captum guides every activation of this model, so that its map is really guided backprop: it guides
    `nn.ReLU` modules only."""
    inspection = inspection_of(subject.classifier)
    activations = [operation for operation in inspection.nonlinear if "MaxPool" not in operation.kind]
    return (
        bool(inspection.guided)
        and not inspection.gates
        and all(operation.module is nn.ReLU for operation in activations)
    )


@contextmanager
def out_of_place(network: nn.Module) -> Iterator[None]:
    """A context in which no activation works in place, as captum's hooks on modules need it."""
    inplace = [module for module in network.modules() if getattr(module, "inplace", False)]
    for module in inplace:
        module.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in inplace:
            module.inplace = True  # type: ignore[assignment]
