"""Findings, the sentences about a metric's figures: each rule, each sentence, and that each metric has one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.metrics.base import metrics
from gradoscope.attribution.metrics.findings import percent, short
from gradoscope.pipeline.findings import findings
from gradoscope.pipeline.texts import texts

from tests.support.explained_maps import explained_map, measure

PREFIX = "trust.finding."
Figures = dict[str, Any]

# Each function below makes the figures of the metric of its name; `curve` makes those of deletion and insertion.


def curve(
    area: float, random: list[float], displaced: list[float], gaussian: float, ends: tuple[float, float]
) -> Figures:
    return {
        "map": {"area": area, "probabilities": list(ends)},
        "random": [{"area": other} for other in random],
        "displaced": [{"area": other} for other in displaced],
        "gaussian": {"area": gaussian},
    }


def deletion(
    area: float, random: float = 0.4, displaced: float = 0.4, gaussian: float = 0.6, pairs: int = 10
) -> Figures:
    """The class has P = 0.9, and 0.1 when nothing is left of the picture. Each control has `pairs` · 2 draws."""
    drawn = [[first, first + more] * pairs for first, more in ((random, 0.02), (displaced, 0.04))]
    return curve(area, *drawn, gaussian, (0.9, 0.1))


def insertion(
    area: float, random: float = 0.4, displaced: float = 0.4, gaussian: float = 0.1, pairs: int = 10
) -> Figures:
    return deletion(area, random, displaced, gaussian, pairs) | {"map": {"area": area, "probabilities": [0.1, 0.9]}}


def randomisation(*ranks: float | None) -> Figures:
    similarity = ({"rank_correlation": rank, "signed_rank_correlation": 0.0} for rank in ranks)
    listed = [{"count": 1 + 3 * place, **alike} for place, alike in enumerate(similarity)]
    return {"layers": listed[-1]["count"], "stages": listed}


def class_sensitivity(*ranks: float | None) -> Figures:
    """For the most likely other classes, and last for one that is drawn at random."""
    listed = [
        {"label": f"class {place}", "random": False, "rank_correlation": rank} for place, rank in enumerate(ranks)
    ]
    return {"classes": [*listed[:-1], {**listed[-1], "random": True}]}


def stability(score: float = 5.0, **ranks: float | None) -> Figures:
    return {"score": 5.0, "trials": [{"id": id, "score": score, "rank_correlation": r} for id, r in ranks.items()]}


def gradient_check(error: float | None, passed: bool = False, kinks: int = 0) -> Figures:
    return {"relative_error": error, "passed": passed, "kinks": kinks, "between": kinks, "slopes": [0.1] * 16}


def infidelity(
    unexplained: float, constant: float = 0.9, gaussian: float = 0.95, displaced: float = 0.8, draws: int = 24
) -> Figures:
    controls = {"constant": constant, "gaussian": gaussian}
    return {
        "unexplained": unexplained,
        "scale": 2.0 if unexplained < 1 else 0.0,
        "correlation": (1 - unexplained) ** 0.5,
        "samples": 100,
        "displaced": [{"unexplained": displaced}] * draws,
        "displaced_p": 1 / (draws + 1),
        **{name: {"unexplained": share} for name, share in controls.items()},
    }


def completeness(error: float | None, remedy: Figures | None = None) -> Figures:
    known = {"complete": abs(error) <= 0.05, "remedy": remedy} if error is not None else {"reason": "nothing"}
    return {"expected": 2.0, "attributed": 2 * (1 + (error or 0)), "relative_error": error, **known}


def try_more(parameter: str, helps: bool | None = None) -> Figures:
    """The remedy of a poor completeness: a larger value of the parameter."""
    return {"parameter": parameter, "value": 50, "most": False, "helps": helps, "tolerance": True}


PLAIN, INTEGRATED, CAM = "vanilla_gradient", "integrated_gradients", "grad_cam"
CASES: list[tuple[str, str, Figures, dict[str, str]]] = [
    ("deletion", PLAIN, deletion(0.2), {"deletion_better": "support"}),
    ("deletion", PLAIN, deletion(0.2, displaced=0.1), {"deletion_place_does_not_matter": "doubt"}),
    ("deletion", CAM, deletion(0.2, random=0.1), {"deletion_random_as_good": "note"}),
    (
        "deletion", PLAIN, deletion(0.41, gaussian=0.3),
        {"deletion_no_better_than_random": "doubt", "deletion_gaussian_as_good": "note"},
    ),
    ("deletion", PLAIN, deletion(0.2, pairs=1), {"deletion_few_draws": "note"}),
    ("deletion", PLAIN, curve(0.2, [0.4] * 20, [0.1, 0.5] * 10, 0.6, (0.9, 0.1)), {"deletion_unclear": "note"}),
    ("deletion", PLAIN, curve(0.1, [0.1], [0.1], 0.1, (0.12, 0.1)), {"deletion_little_to_lose": "note"}),
    ("insertion", PLAIN, insertion(0.6), {"insertion_better": "support"}),
    ("insertion", PLAIN, insertion(0.6, displaced=0.7), {"insertion_place_does_not_matter": "doubt"}),
    ("insertion", PLAIN, insertion(0.6, random=0.7), {"insertion_random_as_good": "note"}),
    (
        "insertion", PLAIN, insertion(0.4, gaussian=0.5),
        {"insertion_no_better_than_random": "doubt", "insertion_gaussian_as_good": "note"},
    ),
    ("insertion", PLAIN, insertion(0.6, pairs=1), {"insertion_few_draws": "note"}),
    ("insertion", PLAIN, curve(0.6, [0.4] * 20, [0.7, 0.2] * 10, 0.1, (0.1, 0.9)), {"insertion_unclear": "note"}),
    ("insertion", PLAIN, curve(0.1, [0.1], [0.1], 0.1, (0.1, 0.12)), {"insertion_little_to_lose": "note"}),
    ("randomisation", PLAIN, randomisation(0.4, 0.3, 0.1), {"randomisation_changes": "support"}),
    ("randomisation", PLAIN, randomisation(0.99, 0.95, 0.2), {"randomisation_unchanged": "doubt"}),
    (
        "randomisation", "guided_backprop", randomisation(0.99, 0.8, 0.7),
        {"randomisation_unchanged": "doubt", "randomisation_alike_at_last": "doubt"},
    ),
    ("randomisation", CAM, randomisation(0.6, 0.6, 0.6), {"randomisation_alike_coarse": "note"}),
    ("randomisation", INTEGRATED, randomisation(0.6, 0.6, 0.6), {"randomisation_picture_stays": "doubt"}),
    ("randomisation", PLAIN, randomisation(0.8, 0.6, 0.2), {"randomisation_changes_late": "note"}),
    (
        "randomisation", CAM, randomisation(0.3, 0.2, None),
        {"randomisation_changes": "support", "randomisation_no_map": "note"},
    ),
    ("randomisation", CAM, randomisation(None, None), {"randomisation_no_map": "note"}),
    ("class_sensitivity", PLAIN, class_sensitivity(0.95, 0.94, 0.93), {"class_sensitivity_same": "doubt"}),
    ("class_sensitivity", PLAIN, class_sensitivity(0.95, 0.5, 0.1), {"class_sensitivity_near_same": "note"}),
    ("class_sensitivity", PLAIN, class_sensitivity(0.5, 0.3, 0.1), {"class_sensitivity_differs": "support"}),
    ("class_sensitivity", PLAIN, class_sensitivity(0.8, 0.3, 0.1), {"class_sensitivity_partly": "note"}),
    ("class_sensitivity", CAM, class_sensitivity(None, None), {"class_sensitivity_none": "note"}),
    ("stability", PLAIN, stability(shift=0.9, jpeg=0.8, mirror=0.75), {"stability_stays": "support"}),
    ("stability", PLAIN, stability(shift=0.9, jpeg=0.6), {"stability_partly": "note"}),
    ("stability", PLAIN, stability(shift=None), {"stability_none": "note"}),
    ("stability", "smooth_grad", stability(seed=0.3, shift=0.9), {"stability_seed": "doubt"}),
    (
        "stability", PLAIN, stability(shift=0.3, jpeg=0.3, mirror=0.3),
        {f"stability_{id}": "doubt" for id in ("shift", "jpeg", "mirror")},
    ),
    (
        "stability", PLAIN, stability(2.0, shift=0.3, jpeg=0.3, mirror=0.3),
        {f"stability_{id}_with_score": "note" for id in ("shift", "jpeg", "mirror")},
    ),
    ("gradient_check", PLAIN, gradient_check(error=1e-5, passed=True), {"gradient_check_passed": "support"}),
    ("gradient_check", PLAIN, gradient_check(error=0.3), {"gradient_check_failed": "doubt"}),
    ("gradient_check", PLAIN, gradient_check(error=None), {"gradient_check_flat": "note"}),
    ("gradient_check", PLAIN, gradient_check(error=1e-5, passed=True, kinks=8), {"gradient_check_kink": "note"}),
    ("gradient_check", PLAIN, gradient_check(error=None, passed=True, kinks=16), {"gradient_check_only_kinks": "note"}),
    ("gradient_check", PLAIN, gradient_check(error=None, passed=False, kinks=16),
     {"gradient_check_failed_at_kinks": "doubt"}),
    ("gradient_check", PLAIN, gradient_check(error=0.3, passed=False, kinks=8), {"gradient_check_failed": "doubt"}),
    ("gradient_check", "guided_backprop", gradient_check(error=None, passed=False, kinks=16),
     {"gradient_check_failed_at_kinks": "note"}),
    ("gradient_check", "input_x_gradient", gradient_check(error=1.0), {"gradient_check_product": "note"}),
    ("gradient_check", INTEGRATED, gradient_check(error=1.0), {"gradient_check_parts": "note"}),
    ("gradient_check", "guided_backprop", gradient_check(error=1.7), {"gradient_check_rule": "note"}),
    ("gradient_check", "smooth_grad", gradient_check(error=0.8), {"gradient_check_mean": "note"}),
    ("gradient_check", CAM, gradient_check(error=0.8), {"gradient_check_other": "note"}),
    ("completeness", INTEGRATED, completeness(0.02), {"completeness_holds": "support"}),
    ("completeness", "full_grad", completeness(0.02) | {"parts": 52}, {"completeness_parts": "support"}),
    ("completeness", "full_grad", completeness(0.2) | {"parts": 52}, {"completeness_poor_parts": "doubt"}),
    (
        "completeness", INTEGRATED, completeness(-0.2, try_more("steps", True)) | {"half_error": 0.4},
        {"completeness_poor_steps": "doubt"},
    ),
    (
        "completeness", INTEGRATED, completeness(-0.2, try_more("steps", False)) | {"half_error": 0.2},
        {"completeness_poor_steps_no_help": "doubt"},
    ),
    (
        "completeness", "gradient_shap", completeness(0.2, try_more("samples")) | {"standard_error": 0.15},
        {"completeness_poor_samples": "doubt"},
    ),
    ("completeness", INTEGRATED, completeness(0.2, try_more("steps")), {"completeness_poor": "doubt"}),
    ("completeness", "deep_lift", completeness(0.2), {"completeness_poor": "doubt"}),
    ("completeness", INTEGRATED, completeness(None), {"completeness_nothing": "note"}),
    ("infidelity", PLAIN, infidelity(0.6), {"infidelity_foretells": "support"}),
    ("infidelity", PLAIN, infidelity(0.6, draws=3), {"infidelity_unclear": "note"}),
    ("infidelity", PLAIN, infidelity(0.6, displaced=0.6), {"infidelity_place_does_not_matter": "doubt"}),
    ("infidelity", PLAIN, infidelity(0.6, constant=0.12), {"infidelity_constant_as_good": "note"}),
    (
        "infidelity", PLAIN, infidelity(0.97, constant=0.12),
        {"infidelity_constant_as_good": "note", "infidelity_foretells_little": "note"},
    ),
    (
        "infidelity", PLAIN, infidelity(0.6, gaussian=0.5),
        {"infidelity_foretells": "support", "infidelity_gaussian_as_good": "note"},
    ),
    ("infidelity", PLAIN, infidelity(1.0), {"infidelity_wrong_sign": "doubt"}),
    ("infidelity", PLAIN, infidelity(1.0) | {"correlation": 0.3}, {"infidelity_wrong_sign": "note"}),
    ("infidelity", CAM, {"unexplained": None, "samples": 100}, {"infidelity_none": "note"}),
    (
        "max_sensitivity", PLAIN, {"max_sensitivity": 1.3, "radius": 0.02, "samples": 10},
        {"max_sensitivity_moves": "note"},
    ),
    (
        "max_sensitivity", CAM, {"max_sensitivity": None, "radius": 0.02, "samples": 10},
        {"max_sensitivity_none": "note"},
    ),
    ("sparseness", PLAIN, {"gini": 0.61, "tenth": 0.4}, {"sparseness_measured": "note"}),
    ("sparseness", CAM, {"gini": None, "tenth": None}, {"sparseness_none": "note"}),
    (
        "complexity", PLAIN, {"entropy": 9.2, "largest": 10.8, "places": 9897.1, "of": 50176},
        {"complexity_measured": "note"},
    ),
    (
        "complexity", CAM, {"entropy": None, "largest": 10.8, "places": None, "of": 50176},
        {"complexity_none": "note"},
    ),
    *(
        (metric, PLAIN, {share: value, "area": area}, {f"{metric}_{code}": level})
        for metric, share in (("relevance_mass", "mass"), ("relevance_rank", "hits"))
        for value, area, code, level in (
            (0.9, 0.2, "much", "support"), (0.3, 0.2, "some", "note"), (0.2, 0.2, "no_more", "doubt"),
            (None, 0.2, "none", "note"), (None, None, "no_region", "note"), (0.91, 0.8, "much", "support"),
        )
    ),
    *(
        (
            "road", CAM,
            {"whole": whole, "most": [most], "least": [least], "random": [0.4], "gap": least - most}, expected,
        )
        for whole, most, least, expected in (
            (0.9, 0.1, 0.8, {"road_better": "support"}), (0.9, 0.5, 0.8, {"road_partly": "note"}),
            (0.9, 0.8, 0.3, {"road_no_better": "doubt"}), (0.05, 0.1, 0.8, {"road_little_to_lose": "note"}),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("metric", "method", "figures", "expected"), CASES)
def test_rules(metric: str, method: str, figures: Figures, expected: dict[str, str]) -> None:
    actual = findings(metric, figures, find_method(method))
    assert {finding.code: finding.level for finding in actual} == expected
    for finding in actual:
        body = finding.record()
        assert body.url == f"/trust#{metric}"
        assert body.detail.endswith(".")
        assert not set("{}") & set(body.detail)


def test_the_cases_cover_every_sentence() -> None:
    expected_codes = {code for *_, expected in CASES for code in expected}
    codes = {key.removeprefix(PREFIX) for key in texts("en") if key.startswith(PREFIX)}
    # The others are of the gradient flow.
    assert expected_codes == {code for code in codes if code.startswith(tuple(metrics()))}


def test_a_sentence_contains_the_numbers() -> None:
    (finding,) = findings("deletion", deletion(0.2), find_method(PLAIN))
    assert finding.values["area"] == 0.2
    assert "Area 0.2; 20 random orders 0.4 to 0.42, displaced 0.4 to 0.44." in finding.detail


@pytest.mark.parametrize("metric", sorted(metrics()))
@pytest.mark.parametrize("method", [PLAIN, INTEGRATED])
def test_every_measurement_has_a_finding(metric: str, method: str) -> None:
    if metric == "completeness" and method == PLAIN:
        return  # refused
    options = {"steps": 4} if method == INTEGRATED else {}
    complete = {"completeness": {"expected": 1.0, "attributed": 1.1, "relative_error": 0.1}}
    subject = replace(explained_map(method, **options), diagnostics=complete)
    quick = {"deletion": {"steps": 3, "draws": 1}, "insertion": {"steps": 3}, "max_sensitivity": {"samples": 2}}
    assert findings(metric, measure(metric, subject, **quick.get(metric, {})).figures, subject.method)


def test_an_unknown_metric_has_no_findings() -> None:
    assert findings("magic", {}, find_method(PLAIN)) == []


def test_rounding() -> None:
    assert (short(0.12345), short(0.00812345), short(123.4), short(-0.5)) == (0.123, 0.00812, 123, -0.5)
    assert (percent(0.1234), percent(0.01234), percent(2.341)) == (12, 1.23, 234)
