"""DeepLIFT: the score's difference from a baseline, propagated backwards layer by layer."""

from __future__ import annotations

import warnings

import torch
from pydantic import Field
from torch import Tensor

from ...classifier import Classifier
from ...engine import Engine
from ...errors import ComputationFailed, Refused
from ...gradients import finite
from ...inspection import NonlinearOperation, inspection_of
from ...torch_state import clean_state
from ..base import Attribution, Method, Paper, Parameters, Progress, Steps, register
from ..baselines import Baseline, make_baseline
from ..paths import completeness
from ..rescale import SUPPORTED_MODULES, ScoreNetwork

# The map's sum may be off by the larger of these two: a share of the expected sum, and a share of the larger score
# (because scores are rounded).
SUM_TOLERANCE = 0.01
ROUNDING = 1e-4


class DeepLiftParameters(Parameters):
    baseline: Baseline = Field("black", title="Baseline", description="The picture that stands for «nothing there»")


@register
class DeepLift(Method[DeepLiftParameters]):
    """(x − x′) ⊙ m, where m is the gradient with each nonlinearity's derivative replaced by Δoutput / Δinput.

    Δ is the difference between picture and baseline: the rescale rule of Shrikumar, Greenside, Kundaje 2017,
    arXiv:1704.02685. Sums to S(x) − S(x′) up to rounding. Computed by captum, on a private copy of the
    network (see `methods.rescale`).
    Diagnostics: `completeness`, `rescaled` (number of nonlinearities), `gradient_evaluations` (2: the picture and its
    baseline).

    Raises `Refused` if captum has no rule for an operation of the model, or if S is not a logit or a difference of
    logits; `ComputationFailed` if the map does not sum to S(x) − S(x′): then captum's rules have missed an operation.
    """

    id = "deep_lift"
    title = "DeepLIFT"
    year = 2017
    order = 2
    family = "rule"
    paper = Paper(
        "Learning Important Features Through Propagating Activation Differences (Shrikumar, Greenside, Kundaje)",
        "https://arxiv.org/abs/1704.02685",
    )
    summary = "The score's difference from a baseline, distributed backwards layer by layer."
    strengths = (
        "One backward pass",
        "Complete but for rounding, and checked",
        "Sees what the gradient misses by saturation",
    )
    weaknesses = (
        "Needs a rule for each operation: models with SiLU, gates or attention are refused",
        "Depends on the baseline, and on how the network is written: equal functions can have different maps",
    )
    additive = True
    Parameters = DeepLiftParameters

    def stochastic(self, parameters: DeepLiftParameters) -> bool:
        return parameters.baseline == "noise"

    def cost(self, parameters: DeepLiftParameters, size: tuple[int, int]) -> int:
        return 2

    def check(self, classifier: Classifier, parameters: DeepLiftParameters) -> None:
        if classifier.calling.one_by_one:
            raise Refused(
                "DeepLIFT lets picture and baseline through the network together, and this network's answer for a "
                "picture depends on what else is in the pass, or is another one each time. Take integrated gradients."
            )
        inspection = inspection_of(classifier)
        if not inspection.differentiable:
            raise Refused("The logits do not depend on the picture by differentiable steps: DeepLIFT has no map.")
        nonlinear = inspection.nonlinear.items()
        unsupported = [f"{count} × {operation}" for operation, count in nonlinear if not has_rule(operation)]
        if unsupported:
            known = ", ".join(module.__name__ for module in SUPPORTED_MODULES)
            raise Refused(
                f"DeepLIFT has no rule for: {', '.join(unsupported)}. It knows the modules {known}, each called as a "
                "module; with anything else on the way its map would look right and not sum to the score. Take "
                "integrated gradients, which needs no rules."
            )

    def attribute(self, engine: Engine, picture: Tensor, parameters: DeepLiftParameters, seed: int) -> Steps:
        if engine.score.kind != "logit":
            raise Refused("DeepLIFT explains a logit or the difference of two. Take score = logit.")
        baseline = make_baseline(parameters.baseline, picture, seed)
        start, end = finite(engine.scores(torch.stack((picture, baseline)))).double().tolist()
        with clean_state():
            values = finite(rescale(ScoreNetwork(engine.classifier, engine.score), picture, baseline))
        record = completeness(start, end, float(values.double().sum()))
        expected, attributed = record["expected"], record["attributed"]
        if abs(attributed - expected) > max(SUM_TOLERANCE * abs(expected), ROUNDING * max(abs(start), abs(end))):
            raise ComputationFailed(
                f"DeepLIFT's map sums to {attributed:.4g} where the score changes by {expected:.4g}: captum's rules "
                "did not cover all that this model does, so no map is shown. Take integrated gradients."
            )
        yield Progress(2, 2, values)
        rescaled = engine.inspection.nonlinear.total()
        return Attribution(values, {"gradient_evaluations": 2, "completeness": record, "rescaled": rescaled})


def has_rule(operation: NonlinearOperation) -> bool:
    """Whether an operation is that of a module which captum has a rule for."""
    return operation.module is not None and SUPPORTED_MODULES.get(operation.module) == operation.kind


def rescale(network: ScoreNetwork, picture: Tensor, baseline: Tensor) -> Tensor:
    """(x − x′) ⊙ m by captum, for one picture (C, H, W)."""
    from captum.attr import DeepLift as CaptumDeepLift  # here: it takes Matplotlib along, half a second in each start

    # Not undone afterwards: the filters are global, so undoing it here would bring the warning back in other threads.
    warnings.filterwarnings("ignore", "Setting forward, backward hooks and attributes on non-linear", UserWarning)
    x = picture[None].clone().requires_grad_()
    # captum's backward pass of a max pooling has no deterministic form in PyTorch; it is deterministic here, because
    # the windows do not overlap
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        values: Tensor = CaptumDeepLift(network).attribute(x, baseline[None], target=0)[0]
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warn_only)
    return values.detach()
