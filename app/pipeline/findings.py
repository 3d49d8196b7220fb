"""What a metric's figures say, in plain words: cautious sentences with their numbers, never a single score.

Thresholds are conventions; every sentence names its numbers, so that a reader can hold another view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any, Literal

from ..attribution.methods.base import Method
from ..contract.metrics import Finding as FindingBody
from ..contract.texts import NAME, texts
from ..contract.wire import JsonObject

Level = Literal["support", "doubt", "note"]
Figures = JsonObject

LITTLE = 0.1  # of probability: less than that there is nothing to lose on a curve
MARGIN = 0.02  # of the class's probability: areas that are closer are the same
SAME, ALIKE, APART = (
    0.9,
    0.7,
    0.5,
)  # rank correlations: from the first on two maps are the same, below the last they differ
MOVED = 0.1  # relative change of the score: more than that, and the map may change with it
BLIND = 0.9  # share of the score's changes unexplained: more than that, and the map foretells next to nothing


@dataclass(frozen=True)
class Finding:
    """A sentence: `trust.finding.CODE` of the pages' texts, with its `values`."""

    metric: str
    code: str
    level: Level
    values: JsonObject = field(default_factory=dict)

    @property
    def detail(self) -> str:
        """The sentence in English."""
        return NAME.sub(lambda name: str(self.values[name[1]]), texts("en")[f"trust.finding.{self.code}"])

    def record(self) -> FindingBody:
        """The finding as it goes over the wire."""
        return FindingBody(
            code=self.code, level=self.level, detail=self.detail, values=self.values, url=f"/trust#{self.metric}"
        )


def findings(metric: str, figures: Figures, method: Method[Any]) -> list[Finding]:
    """What the figures of a metric say of a method's map; nothing where no rule is known."""
    rule = RULES.get(metric)
    return [] if rule is None else [Finding(metric, *found) for found in rule(metric, figures, method)]


Found = tuple[str, Level, JsonObject]
Rule = Callable[[str, Figures, Method[Any]], Iterator[Found]]


def short(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def percent(share: float) -> float:
    """A share in percent; whole where it is at least 10."""
    value = short(100 * share)
    return round(100 * share) if abs(value) >= 10 else value


# Deletion and insertion


def curves(metric: str, figures: Figures, method: Method[Any]) -> Iterator[Found]:
    """Against random orders, against the map displaced, and against the centred Gaussian."""
    way = figures["map"]["probabilities"]
    whole, nothing = (way[0], way[-1]) if metric == "deletion" else (way[-1], way[0])
    if whole - nothing < LITTLE:
        yield f"{metric}_little_to_lose", "note", {"whole": short(whole), "nothing": short(nothing)}
        return
    sign = -1 if metric == "deletion" else 1
    area, margin = figures["map"]["area"], MARGIN * whole
    areas = {name: [record["area"] for record in figures[name]] for name in ("random", "displaced")}
    values: JsonObject = {"area": short(area), "draws": len(areas["random"])}
    for name, drawn in areas.items():
        values |= {name: short(mean(drawn)), f"{name}_low": short(min(drawn))}
        values[f"{name}_high"] = short(max(drawn))
    verdicts = tuple(against(area, areas[name], sign, margin) for name in ("random", "displaced"))
    outcome, level = _OUTCOMES.get(verdicts, ("unclear", "note"))
    yield f"{metric}_{outcome}", level, values
    gaussian = figures["gaussian"]["area"]
    if sign * (area - gaussian) < margin:
        yield f"{metric}_gaussian_as_good", "note", {"area": short(area), "gaussian": short(gaussian)}


Verdict = Literal["better", "unclear", "no better"]

# of random orders, and of the map displaced
_OUTCOMES: dict[tuple[Verdict, ...], tuple[str, Level]] = {
    ("better", "better"): ("better", "support"),
    ("better", "no better"): ("place_does_not_matter", "doubt"),
    ("unclear", "better"): ("random_as_good", "note"),
    ("no better", "better"): ("random_as_good", "note"),
    ("no better", "no better"): ("no_better_than_random", "doubt"),
}


def against(area: float, drawn: list[float], sign: int, margin: float) -> Verdict:
    """Better: than each of those drawn by more than a margin, and than their mean by two standard deviations."""
    gains = [sign * (area - other) for other in drawn]
    if mean(gains) <= margin:
        return "no better"
    spread = stdev(drawn) if len(drawn) > 1 else 0.0
    return "better" if min(gains) > margin and mean(gains) > 2 * spread else "unclear"


# Against other networks, classes, pictures


def randomisation(metric: str, figures: Figures, method: Method[Any]) -> Iterator[Found]:
    """At the first stages, and at the last."""
    stages, layers = figures["stages"], figures["layers"]
    known = [stage for stage in stages if stage["rank_correlation"] is not None]
    if not known:
        yield "randomisation_no_map", "note", {"count": stages[0]["count"], "layers": layers}
        return
    first, last = known[0], known[-1]
    ranks = {"first": short(first["rank_correlation"]), "last": short(last["rank_correlation"]), "layers": layers}
    kept = None
    for stage in known:
        if stage["rank_correlation"] < SAME:
            break
        kept = stage
    if kept is not None:
        rank = short(kept["rank_correlation"])
        yield "randomisation_unchanged", "doubt", {"count": kept["count"], "layers": layers, "rank": rank}
    if last["count"] == layers and last["rank_correlation"] >= APART:
        signed = short(last["signed_rank_correlation"] or 0.0)
        yield *_alike(method), {"rank": ranks["last"], "signed": signed, "layers": layers}
    elif kept is None and first["rank_correlation"] < ALIKE:
        yield "randomisation_changes", "support", ranks
    elif kept is None:
        yield "randomisation_changes_late", "note", ranks
    if last is not stages[-1]:
        yield "randomisation_no_map", "note", {"count": stages[stages.index(last) + 1]["count"], "layers": layers}


def _alike(method: Method[Any]) -> tuple[str, Level]:
    """What it may be where a map is like that of a network that knows nothing."""
    if method.single_channel:
        return "randomisation_alike_coarse", "note"
    return "randomisation_picture_stays" if method.additive else "randomisation_alike_at_last", "doubt"


def class_sensitivity(metric: str, figures: Figures, method: Method[Any]) -> Iterator[Found]:
    """Against a class drawn from all the others first, then against the next ones."""
    known = [record for record in figures["classes"] if record["rank_correlation"] is not None]
    if not known:
        yield "class_sensitivity_none", "note", {}
        return
    near = [record for record in known if not record["random"]] or known
    far = next((record for record in known if record["random"]), min(near, key=_rank))
    likest = max(near, key=_rank)
    values = {
        "near": likest["label"],
        "near_rank": short(_rank(likest)),
        "far": far["label"],
        "far_rank": short(_rank(far)),
    }
    if _rank(far) >= SAME:
        yield "class_sensitivity_same", "doubt", values
    elif _rank(likest) >= SAME:
        yield "class_sensitivity_near_same", "note", values
    elif _rank(likest) < ALIKE and _rank(far) < ALIKE:
        yield "class_sensitivity_differs", "support", values
    else:
        yield "class_sensitivity_partly", "note", values


def stability(metric: str, figures: Figures, method: Method[Any]) -> Iterator[Found]:
    """Each trial that moves the map; whether the score moved too."""
    score = figures["score"]
    known = [trial for trial in figures["trials"] if trial["rank_correlation"] is not None]
    if not known:
        yield "stability_none", "note", {}
        return
    for trial in known:
        if _rank(trial) >= APART:
            continue
        values = {"rank": short(_rank(trial)), "before": short(score), "after": short(trial["score"])}
        if abs(trial["score"] - score) > MOVED * max(abs(score), abs(trial["score"])):
            yield f"stability_{trial['id']}_with_score", "note", values
        else:
            yield f"stability_{trial['id']}", "doubt", values
    low = min(map(_rank, known))
    if low >= ALIKE:
        yield "stability_stays", "support", {"rank": short(low)}
    elif low >= APART:
        yield "stability_partly", "note", {"rank": short(low)}


def _rank(record: Figures) -> float:
    rank: float = record["rank_correlation"]
    return rank


# Against the score itself


def gradient_check(metric: str, figures: Figures, method: Method[Any]) -> Iterator[Found]:
    """Only the plain gradient is meant to pass; of others it says what they are."""
    error = figures["relative_error"]
    if error is None:
        yield "gradient_check_flat", "note", {}
    elif figures["passed"]:
        yield "gradient_check_passed", "support", {"percent": percent(error)}
    elif method.id == "vanilla_gradient":
        yield "gradient_check_failed", "doubt", {"percent": percent(error)}
    else:
        kind = "parts" if method.additive else _KINDS.get(method.id, "other")
        yield f"gradient_check_{kind}", "note", {"percent": percent(error)}


_KINDS = {"guided_backprop": "rule", "deconvolution": "rule", "guided_grad_cam": "rule", "smooth_grad": "mean"}


def completeness(metric: str, figures: Figures, method: Method[Any]) -> Iterator[Found]:
    """With what helps where the sum is poor."""
    error = figures["relative_error"]
    values = {name: short(figures[name]) for name in ("expected", "attributed")}
    if error is None:
        yield "completeness_nothing", "note", values
        return
    values["percent"] = percent(abs(error))
    if figures["complete"]:
        yield "completeness_holds", "support", values
        return
    remedy = figures.get("remedy")
    if remedy is None or remedy["suggested"] is None:
        yield "completeness_poor", "doubt", values
    else:
        values |= {"value": remedy["value"], "suggested": remedy["suggested"]}
        yield f"completeness_poor_{remedy['parameter']}", "doubt", values


def infidelity(metric: str, figures: Figures, method: Method[Any]) -> Iterator[Found]:
    unexplained = figures["unexplained"]
    if unexplained is None:
        yield "infidelity_none", "note", {}
        return
    values = {"percent": percent(unexplained), "samples": figures["samples"]}
    yield "infidelity_foretells_little" if unexplained > BLIND else "infidelity_foretells", "note", values


def max_sensitivity(metric: str, figures: Figures, method: Method[Any]) -> Iterator[Found]:
    moved = figures["max_sensitivity"]
    if moved is None:
        yield "max_sensitivity_none", "note", {}
        return
    values = {"percent": percent(moved), "radius": percent(figures["radius"]), "samples": figures["samples"]}
    yield "max_sensitivity_moves", "note", values


RULES: dict[str, Rule] = {
    "deletion": curves,
    "insertion": curves,
    "randomisation": randomisation,
    "class_sensitivity": class_sensitivity,
    "stability": stability,
    "gradient_check": gradient_check,
    "completeness": completeness,
    "infidelity": infidelity,
    "max_sensitivity": max_sensitivity,
}
