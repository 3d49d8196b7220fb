"""What a race of optimisers says, with its numbers."""

from __future__ import annotations

from typing import Any

from ....contract.experiments import ExperimentFinding, Verdict
from . import OptimisersParameters

NEAR = 0.1
"""A descent that ends this near to a lowest point has arrived."""


def findings(parameters: OptimisersParameters, found: dict[str, Any]) -> tuple[ExperimentFinding, ...]:
    """Each claim that these parameters say something about."""
    said = [_arrived(parameters, found)]
    rates, first = found["rates"], found["first_step"]
    if first.get("adam"):
        ratio = first["adam"] / rates["adam"]
        verdict: Verdict = "holds" if abs(ratio - 1) < 1e-3 and parameters.schedule != "warmup" else "depends"
        numbers = {"step": first["adam"], "rate": rates["adam"], "ratio": ratio}
        said.append(ExperimentFinding(id="first_step", verdict=verdict, numbers=numbers))
    if "best_factor" in found:
        faster: Verdict = "holds" if found["best_factor_momentum"] < found["best_factor"] else "fails"
        keys = ("best_factor", "best_factor_momentum", "best_alpha", "best_beta")
        numbers = {key: found[key] for key in keys} | {"condition": parameters.condition}
        said.append(ExperimentFinding(id="root", verdict=faster, numbers=numbers))
    if parameters.surface == "reddi" and {"adam", "amsgrad"} <= set(rates):
        adam, amsgrad = (found["trajectory"][name][-1][0] for name in ("adam", "amsgrad"))
        wrong: Verdict = "fails" if adam > 0 > amsgrad else "holds" if adam < -0.5 else "depends"
        said.append(ExperimentFinding(id="converges", verdict=wrong, numbers={"adam": adam, "amsgrad": amsgrad}))
    if len(found.get("final_at_default", {})) == 10:
        said.append(_fair(found))
    return tuple(said)


def _arrived(parameters: OptimisersParameters, found: dict[str, Any]) -> ExperimentFinding:
    """How many are near a lowest point at the end."""
    distances = found["distance"]
    near = [name for name, one in distances.items() if one is not None and one < NEAR]
    verdict: Verdict = "holds" if len(near) == len(distances) else "depends" if near else "fails"
    missing = [name for name in distances if name not in near]
    numbers: dict[str, float | int | str | None] = {
        "near": len(near), "number": len(distances), "steps": parameters.steps, "distance": NEAR,
        **({"missing_series": ", ".join(missing)} if missing else {}),
    }  # fmt: skip
    when = {name: step for name, step in found["arrival"].items() if step is not None}
    if when and len(distances) > 1:
        first = min(when, key=lambda name: when[name])
        numbers |= {"first_series": first, "first_step": when[first]}
    if len(distances) == 1:
        one = next(iter(distances))
        numbers |= {"one_series": one, "left": distances[one], "step": when.get(one)}
        return ExperimentFinding(id="arrived_one", verdict=verdict, numbers=numbers)
    return ExperimentFinding(id="arrived", verdict=verdict, numbers=numbers)


def _fair(found: dict[str, Any]) -> ExperimentFinding:
    """Whether the lowest at PyTorch's default rates is the lowest at the best rates too."""
    at_default = {name: one for name, one in found["final_at_default"].items() if one is not None}
    at_best = {name: one for name, one in found["final"].items() if one is not None}
    first, second = min(at_default, key=lambda name: at_default[name]), min(at_best, key=lambda name: at_best[name])
    numbers: dict[str, float | int | str | None] = {
        "at_default_series": first, "default_loss": at_default[first],
        "at_best_series": second, "best_loss": at_best[second],
        "winner_at_best": at_best.get(first), "sgd_default": at_default.get("sgd"), "sgd_best": at_best.get("sgd"),
    }  # fmt: skip
    return ExperimentFinding(id="fair", verdict="holds" if first == second else "fails", numbers=numbers)
