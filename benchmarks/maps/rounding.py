"""Checks that no library is fast because its maps are wrong: each map's distance from the same map in float64, which is
computed with the peers' own gradients."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import numpy as np
from captum.attr import Saliency
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.gradients import Rule
from gradoscope.attribution.methods.rules import GuidedRule
from torch import Tensor

from . import own_methods, peers
from .subjects import Subject

# bounds on the distance from float64, of each map and in the median over methods: float32's rounding flips some ReLUs
WORST, MEDIAN = 1e-1, 1e-2
BATCH = 4


@dataclass(frozen=True)
class Distance:
    """Relative L2 distance of a library's map from another one. `bounded`: more than `WORST` is a fault, since then one
    of the two is another method."""

    method: str
    side: str
    against: str  # what it is compared with: float64 or captum
    value: float
    bounded: bool

    @property
    def allowed(self) -> bool:
        return not self.bounded or self.value <= WORST


class ByCaptum(Engine):
    """An engine whose gradients are captum's, in float64 and in PyTorch's usual memory layout."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject.classifier, subject.score, micro_batch=BATCH)
        self._exact, self._target = subject.exact, subject.target

    def gradients(self, pictures: Tensor, rule: Rule | None = None) -> Tensor:
        leaves = pictures.detach().double().requires_grad_()
        return Saliency(self._exact).attribute(leaves, target=self._target, abs=False).to(pictures.dtype)


def distances(subject: Subject, engines: list[str], methods: list[str], count: int) -> list[Distance]:
    """The distances of our engines and of the peers from float64, and of our integrated gradients from captum's.

    The peers' sampled methods are left out: they draw other noise, or take other points of the path.
    """
    found = []
    for method in methods:
        exact = truth(subject, method, count)
        for kind in engines:
            name = f"{own_methods.OURS} {kind}"
            value = distance(own_methods.ours(subject, method, kind)(count), exact)
            found.append(Distance(method, name, "float64", value, True))
        for peer in peers.PEERS:
            if peer.method == method and peer.installed and method not in ("smooth_grad", *own_methods.PATH_METHODS):
                found.append(_peer_distance(subject, peer, exact))
    if "integrated_gradients" in methods:
        found.append(_integrated(subject, count))
    subject.forget_exact()
    return found


def faults(found: list[Distance]) -> list[str]:
    """What is out of bounds, in words."""
    said = [f"{d.method}: {d.side} is {d.value:.1e} from {d.against}" for d in found if not d.allowed]
    # Two libraries in float32 are further from each other than each is from float64: not in the median.
    exact = [d for d in found if d.bounded and d.against == "float64"]
    for side in dict.fromkeys(d.side for d in exact):
        median = statistics.median(d.value for d in exact if d.side == side)
        if median > MEDIAN:
            said.append(f"{side}: {median:.1e} in the median, more than {MEDIAN:.0e}")
    return said


def truth(subject: Subject, method: str, count: int) -> np.ndarray:
    """The method's map in float64: captum's own for the methods of one gradient, else our sum of captum's gradients."""
    leaf = subject.x[None].double().requires_grad_()
    if method == "vanilla_gradient":
        return peers.array(Saliency(subject.exact).attribute(leaf, target=subject.target, abs=False))
    if method == "guided_backprop" and peers.guides_all(subject):
        return peers.guided_by_captum(subject.exact, leaf, subject.target)
    if method == "guided_backprop":  # captum's is another method on this model: our own rule, in float64
        return Engine(subject.exact, subject.score, micro_batch=1).gradients(leaf, GuidedRule())[0].cpu().numpy()
    if method == "grad_cam":
        return peers.cam_by_captum(subject.exact, leaf, subject)
    return own_methods.attribute(subject, method, ByCaptum(subject), count)


def distance(given: np.ndarray, expected: np.ndarray) -> float:
    """‖given − expected‖ / ‖expected‖, 0 where both are zero."""
    size = float(np.linalg.norm(expected.astype(np.float64)))
    away = float(np.linalg.norm(given.astype(np.float64) - expected.astype(np.float64)))
    return away / size if size else away


def _peer_distance(subject: Subject, peer: peers.Peer, exact: np.ndarray) -> Distance:
    """pytorch-grad-cam scales its map to [0, 1], so that its truth is scaled alike."""
    if peer.library == "pytorch-grad-cam":
        exact = (exact - exact.min()) / (float(exact.max() - exact.min()) or 1.0)
    actual = peer.make(subject, BATCH)(1)
    return Distance(peer.method, peer.library, "float64", distance(actual, exact.reshape(actual.shape)), False)


def _integrated(subject: Subject, count: int) -> Distance:
    """captum's integrated gradients from ours by the same rule, both in float32."""
    theirs = peers.integrated_by_captum(subject.theirs, subject.x, subject.target, count, BATCH)
    engine = own_methods.engine_of(subject)
    actual = own_methods.attribute(subject, "integrated_gradients", engine, count, rule="gauss_legendre")
    return Distance("integrated_gradients", f"{own_methods.OURS} pytorch", "captum", distance(actual, theirs), True)
