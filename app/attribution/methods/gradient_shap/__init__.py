"""GradientSHAP: gradients between the picture and baselines drawn at random."""

from __future__ import annotations

import math
from functools import partial
from itertools import cycle
from statistics import stdev

import torch
from pydantic import Field
from torch import Tensor

from ...engine import Engine
from ...gradients import finite
from ...noise import generator
from ..base import Attribution, Diagnostics, Method, Paper, Parameters, Progress, Steps, qualities, register
from ..baselines import Baseline, make_baseline
from ..paths import completeness
from ..running_mean import RunningMean


class GradientShapParameters(Parameters):
    samples: int = Field(50, title="Samples", ge=1, le=2000, description="Random points to average over")
    baseline: Baseline = Field(
        "noise",
        title="Baseline",
        description="What stands for «nothing there»; noise is drawn anew for each sample",
    )


@register
class GradientShap(Method[GradientShapParameters]):
    """Mean over k of (x − x′_k) ⊙ g(x′_k + α_k (x − x′_k)), α_k ~ U(0, 1), x′_k a baseline.

    Lundberg, Lee 2017, arXiv:1705.07874; as expected gradients Erion et al. 2019, arXiv:1906.10670. With the noise
    baseline each sample draws a picture of its own, the other baselines are one and the same picture. What sample k
    draws comes from (seed, k) alone, and sums are kept in float64 and sample by sample, so the micro-batch does not
    matter. The expectation sums to S(x) − mean_k S(x′_k). Diagnostics: `completeness`, `forward_evaluations`, and
    `standard_error`, √(Σ_k ‖a_k − ā‖² / (n (n − 1))) / ‖ā‖ with the samples' maps a_k and their mean ā, which falls
    like 1/√n; the map's sum has one too, in `completeness`.
    """

    id = "gradient_shap"
    title = "GradientSHAP"
    year = 2017
    order = 3
    family = "path"
    paper = Paper(
        "A Unified Approach to Interpreting Model Predictions (Lundberg, Lee)", "https://arxiv.org/abs/1705.07874"
    )
    summary = "Integrated gradients as an expectation: random points on random paths instead of steps on one path."
    strengths = (
        "Does not depend on one baseline: averages over many",
        "Complete in expectation: the map sums to the change of the score",
    )
    weaknesses = (
        "Random: another seed gives another map, and completeness comes with many samples only",
        "Noise as a baseline is a choice like any other: no network was trained on such pictures",
    )
    additive = True
    Parameters = GradientShapParameters
    qualities = qualities("samples", 25, 200, 1000)

    def stochastic(self, parameters: GradientShapParameters) -> bool:
        return True  # the points on the path are random, whatever the baseline

    def cost(self, parameters: GradientShapParameters, size: tuple[int, int]) -> int:
        return parameters.samples

    def attribute(self, engine: Engine, picture: Tensor, parameters: GradientShapParameters, seed: int) -> Steps:
        random_baselines = parameters.baseline == "noise"
        baseline = partial(make_baseline, parameters.baseline, picture, seed)
        fixed = baseline()
        running_mean = RunningMean(torch.zeros_like(picture, dtype=torch.float64))
        sums: list[Tensor] = []  # on the device, which is not waited for at each sample
        baseline_scores: list[float] = []
        done = 0
        for batch in engine.batches(range(parameters.samples)):
            baselines = torch.stack([baseline(k) if random_baselines else fixed for k in batch])
            alphas = [float(torch.rand((), generator=generator(seed, k, "alpha"))) for k in batch]
            changes = picture - baselines
            points = baselines + changes.new_tensor(alphas).view(-1, 1, 1, 1) * changes
            for gradient, change in zip(engine.gradients(points), changes, strict=True):
                sample = gradient.double() * change.double()
                running_mean.add(sample)
                sums.append(sample.sum())
            if random_baselines or not baseline_scores:
                baseline_scores += finite(engine.scores(baselines if random_baselines else fixed[None])).tolist()
            done += len(batch)
            values = running_mean.mean.to(picture.dtype, copy=True)
            yield Progress(done, parameters.samples, values)
        score = float(finite(engine.scores(picture[None])))
        expected = sum(baseline_scores) / len(baseline_scores)
        record = completeness(score, expected, float(values.double().sum()))
        if record["relative_error"] is not None and done > 1:
            # the error of each sample's completeness, but for S(x), which is the same for all
            errors = [
                total + baseline
                for total, baseline in zip(torch.stack(sums).tolist(), cycle(baseline_scores), strict=False)
            ]
            record["standard_error"] = stdev(errors) / math.sqrt(done) / abs(record["expected"])
        diagnostics: Diagnostics = {
            "gradient_evaluations": done,
            "forward_evaluations": len(baseline_scores) + 1,
            "completeness": record,
            "standard_error": running_mean.standard_error,
        }
        return Attribution(values, diagnostics)
