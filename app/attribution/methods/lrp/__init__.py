"""Layer-wise relevance propagation: the score, shared out backwards layer by layer by rules."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from typing import Literal
from weakref import WeakKeyDictionary

from pydantic import Field
from torch import Tensor

from ...classifier import Classifier
from ...engine import Engine
from ...errors import Refused
from ...gradients import finite
from ...memory import out_of_memory
from ...torch_state import clean_state
from ..base import Attribution, Method, Paper, Parameters, Progress, Steps, register
from ..paths import completeness
from .layers import RULE_SETS, RuleSet
from .recording import Recording

Rules = Literal["epsilon_plus_flat", "epsilon_gamma_box", "alpha2_beta1_flat", "excitation_backprop"]


class LrpParameters(Parameters):
    rules: Rules = Field(
        "epsilon_plus_flat",
        title="Rules",
        description="Which rule each layer gets: those of the dense layers, of the convolutions, of the first layer",
    )
    biases: Literal["share", "absorb"] = Field(
        "share",
        title="Biases",
        description="share: what a bias adds is shared out among the inputs; absorb: it stays with the bias",
    )


@register
class Lrp(Method[LrpParameters]):
    """R_i = Σ_j (share of i in output j) R_j, from layer to layer down to the picture; R starts as the score, a logit.

    Bach et al. 2015, doi:10.1371/journal.pone.0130140. The rules say what a share is; see `lrp.layers`. The sets are
    those of Kohlbrenner et al. 2019, arXiv:1910.09840, and excitation backprop (Zhang et al. 2016, arXiv:1608.00507):

    - `epsilon_plus_flat`: ε in dense layers, z⁺ in convolutions, flat in the first layer.
    - `epsilon_gamma_box`: ε, γ = 0.25, box with the bounds of pixel values.
    - `alpha2_beta1_flat`: ε, α = 2 and β = 1, flat.
    - `excitation_backprop`: z⁺ everywhere. It starts at the score here, and there at 1.

    A batch normalisation after a layer is merged into it; another one counts as a layer with the ε rule. Activations
    pass relevance on. Sums, means and max pooling share it in proportion to what each value adds. A gate, such as that
    of squeeze-and-excitation, gets none. The network itself is not changed: see `lrp.recording`.

    Each layer hands on what it gets, but for what its bias adds. With `biases` = absorb that stays with the bias, as in
    the papers. With share it goes to the inputs, by their magnitude, together with what the 10⁻⁶ take that keep
    denominators from 0: then Σ_i R_i = S up to rounding. Diagnostics: `completeness`, against S; `layers`.

    Raises `Refused` if an operation has no rule, naming it, or if S is not a logit or a difference of logits.
    """

    id = "lrp"
    title = "LRP"
    year = 2015
    family = "rule"
    paper = Paper(
        "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation "
        "(Bach et al.)",
        "https://doi.org/10.1371/journal.pone.0130140",
    )
    summary = "The score, shared out backwards layer by layer, by rules that fit each kind of layer."
    strengths = ("One backward pass, with little noise", "What goes in comes out: its sum is checked against the score")
    weaknesses = (
        "Another set of rules gives another map, and none is derived from the network",
        "Sets with z⁺ depend little on the class",
        "Needs a rule for each operation: transformers and layer normalisation are refused",
    )
    additive = True
    relation_to_gradient = "rule"
    Parameters = LrpParameters

    def cost(self, parameters: LrpParameters, size: tuple[int, int]) -> int:
        return 1

    def check(self, classifier: Classifier, parameters: LrpParameters) -> None:
        _refuse(operations_without_rule(classifier))

    def attribute(self, engine: Engine, picture: Tensor, parameters: LrpParameters, seed: int) -> Steps:
        if engine.score.kind != "logit":
            raise Refused("LRP explains a logit or the difference of two. Take score = logit.")
        (score,) = finite(engine.scores(picture[None])).double().tolist()
        rule = RelevanceRule(RULE_SETS[parameters.rules], share_rest=parameters.biases == "share")
        try:
            values = engine.gradients(picture[None], rule)[0]
        finally:
            rule.remove()
        yield Progress(1, 1, values)
        record = completeness(score, 0.0, float(values.double().sum()))
        return Attribution(values, {"gradient_evaluations": 1, "completeness": record, "layers": rule.layers})


class RelevanceRule:
    """A set of rules for one backward pass: it then gives relevance in the place of the gradient."""

    layers = 0

    def __init__(self, rules: RuleSet, share_rest: bool) -> None:
        self._rules, self._share_rest = rules, share_rest
        self._recording: Recording | None = None

    def recording(self) -> AbstractContextManager[object]:
        self._recording = Recording(self._rules, self._share_rest)
        return self._recording

    def __call__(self, logits: Tensor) -> None:
        """Raises `Refused` where something between the picture and these logits has no rule."""
        assert self._recording is not None
        _refuse(self._recording.unknown(logits))
        self.layers = self._recording.layers
        # relevance starts as the parts of S, which is linear in the logits
        started = logits.detach().clone()
        logits.register_hook(lambda slopes: slopes * started)  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """Forget the pass and what it holds."""
        self._recording = None


_known: WeakKeyDictionary[Classifier, Counter[str]] = WeakKeyDictionary()


def operations_without_rule(classifier: Classifier) -> Counter[str]:
    """What LRP has no rule for, by one pass of a grey picture; made once for each classifier.

    Raises `Refused` where the pass fails.
    """
    if classifier not in _known:
        recording = Recording(RULE_SETS["epsilon_plus_flat"], share_rest=False)
        try:
            with clean_state(), recording:
                logits = classifier(classifier.to_memory_format(classifier.grey_pictures()).clone().requires_grad_())
            _known[classifier] = recording.unknown(logits)
        except Exception as error:  # a network may contain anything
            if out_of_memory(error):
                raise
            raise Refused(
                f"The operations of this model could not be looked at ({type(error).__name__}: {str(error)[:160]}), so "
                "LRP does not know its layers. Take integrated gradients."
            ) from error
        if not logits.requires_grad:
            raise Refused("The logits do not depend on the picture by differentiable steps: LRP has no map.")
    return _known[classifier]


def _refuse(unknown: Counter[str]) -> None:
    if unknown:
        listed = ", ".join(f"{count} × {operation}" for operation, count in unknown.items())
        raise Refused(
            f"LRP has no rule for: {listed}. A map that passes over an operation would look right and not be. Take "
            "integrated gradients, which needs no rules."
        )
