"""With many parameters, not the defaults alone: words for all that is shown, and what the updates promise."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, get_args, get_origin

import pytest
from gradoscope.contract.experiments import KIND_OF, Axis, Grid, GridGroup, GridStep, Series
from gradoscope.contract.wire import WireModel
from gradoscope.lab.experiment import Update
from gradoscope.lab.registry import FOLDER, experiments
from pydantic import ValidationError

from tests.support.lab import updates

# Parameters of a run that shows many of the figures and findings in little time.
QUICK: dict[str, list[dict[str, Any]]] = {
    "through_time": [
        {"length": 6, "hidden": 4, "train_steps": 3, "truncation": 2},
        {"length": 10, "hidden": 4, "train_steps": 3, "mixed_lengths": True, "loss": "every", "cell": "lstm"},
        {"length": 6, "hidden": 4, "train_steps": 3, "optimiser": "adam", "clipping": 0.1, "truncation": 6},
        {"length": 6, "hidden": 4, "train_steps": 3, "cell": "linear", "spectral_radius": 2.0, "rate": 1.0},
    ],
    "depth": [
        {"depth": 3, "width": 4},
        {"depth": 12, "width": 4, "activation": "sigmoid", "initialisation": "lecun"},
        {"depth": 30, "width": 4, "activation": "tanh", "initialisation": "normal", "sigma": 1.0},
        {"depth": 3, "width": 4, "initialisation": "zeros"},
        {"depth": 1, "width": 2, "activation": "linear", "normalisation": "batch", "residual": True},
    ],
    "saturation": [
        {},
        {"loss": "cross_entropy", "activation": "tanh"},
        {"weight": 0.0, "bias": 0.0},
        {"activation": "linear", "rate": 10.0, "steps": 2000},
        {"activation": "relu"},
    ],
    "mini_batch": [
        {"updates": 3},
        {"updates": 30, "sizes": [4, 4], "large_batch": 1, "rate_rule": "linear"},
        {"updates": 3, "sizes": [4, 4], "reduction": "sum", "batch_norm": True, "large_batch": 512},
        {"updates": 3, "sizes": [4], "batch_norm": True, "reduction": "sum", "rate": 1.0, "rate_rule": "root"},
    ],
    "dropout": [
        {"steps": 2, "seeds": 2, "nets": 2, "samples": 20},
        {"steps": 0, "layers": 2, "units": 5},
        {"steps": 0, "p": 0.0},
        {"steps": 20, "seeds": 3, "nets": 2, "samples": 40, "p": 0.95, "mask": [[0, 1]]},
        {"steps": 30, "seeds": 6, "nets": 2, "samples": 200, "activation": "tanh"},
    ],
    "weight_decay": [
        {"steps": 60},
        {"steps": 300, "optimiser": "sgd"},
        {"steps": 100, "optimiser": "sgd", "momentum": 0.9, "rate": 0.01, "kind": "proximal"},
        {"steps": 200, "kind": "decoupled"},
        {"steps": 3, "decay": 0.0},
        {"steps": 1000, "optimiser": "sgd", "rate": 1.0, "decay": 10.0},
    ],
    "optimisers": [
        {"steps": 3},
        {"steps": 3, "rate": "default", "surface": "reddi"},
        {"steps": 300, "rate": 0.1, "surface": "reddi", "schedule": "warmup"},
        {"steps": 2, "optimiser": "sgd", "rate": 1000.0, "condition": 1.0, "start": [0.0, 0.0]},
    ],
    "binary": [
        {"train_steps": 3, "seeds": 3},
        {"train_steps": 20, "seeds": 3, "estimator": "straight_through", "balanced": False, "offset": 1.0},
        {"train_steps": 0, "seeds": 3, "progress": 1.0},
        {"train_steps": 0, "seeds": 3, "t_min": 1.0, "t_max": 1.0, "estimator": "clipped"},
    ],
    "plasticity": [
        {"tasks": 6, "steps_per_task": 50, "seeds": 3, "replacement_rate": 0.0025, "maturity": 1},
        {"tasks": 2, "steps_per_task": 50, "seeds": 3, "maturity": 10_000},
        {"tasks": 2, "steps_per_task": 50, "seeds": 3, "algorithm": "continual", "bias_correction": False},
        {"tasks": 2, "steps_per_task": 50, "seeds": 3, "algorithm": "adam", "adam_rate": 0.1},
    ],
    "gradient_check": [
        {},
        {"function": "relu"},
        {"scheme": "complex"},
        {"function": "network", "precision": "float32"},
    ],
    "convolution": [
        {},
        {"stride": 2, "padding": 1, "dilation": 2, "bias": 0.5},
        {"input": [[0, 0, 0]] * 3, "kernel": [[1, -1], [-1, 1]]},
        {"input": [[1]], "kernel": [[0]], "upstream": [[-1]]},
    ],
    "pooling": [
        {},
        {"input": [[2, 2], [2, 2]]},
        {"kind": "max", "input": [[1, 1, 2], [0, 3, 3], [3, 1, 0]], "stride": 1},
        {"kind": "max"},
        {"kind": "average", "input": [[1, 2, 3]] * 3, "kernel": 3, "padding": 1, "stride": 1},
        {"kind": "lp", "input": [[-1, 1, -1]], "kernel": 2, "stride": 1},
        {"kind": "stochastic", "input": [[1, 2, 3], [0, 0, -1], [2, 9, 1]], "stride": 1},
        {"kind": "stochastic", "input": [[1], [2]], "kernel": 1},
        {"kind": "global", "input": [[1]], "kernel": 3},
    ],
}
NAMES = sorted(QUICK)


@pytest.fixture(scope="module", params=NAMES)
def ran(request: pytest.FixtureRequest) -> tuple[str, list[Update]]:
    name: str = request.param
    return name, [update for asked in QUICK[name] for update in updates(name, **asked)]


def words(name: str, language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((FOLDER / name / "texts" / f"{language}.json").read_text("utf-8"))
    return found


def choices(annotation: Any) -> set[str]:
    """The words among which a parameter chooses."""
    found = get_args(annotation)
    if get_origin(annotation) is Literal:
        return {one for one in found if isinstance(one, str)}
    return {choice for one in found for choice in choices(one)}


def used(value: Any) -> set[str]:
    """The keys of the words that a figure's data needs."""
    if isinstance(value, Axis):
        return {f"axis.{value.id}"}
    if isinstance(value, Series):
        return {f"series.{value.id}"}
    if isinstance(value, Grid):
        return {f"grid.{value.id}"}
    if isinstance(value, GridStep):
        return {f"step.{value.id}"}
    if isinstance(value, GridGroup):
        return {f"group.{value.id}"} | used(value.grids)
    if isinstance(value, WireModel):
        return {key for _, one in value for key in used(one)}
    return {key for one in value for key in used(one)} if isinstance(value, list) else set()


def test_all_that_is_shown_has_words(ran: tuple[str, list[Update]]) -> None:
    name, found = ran
    needed = {"title", "question", "summary"}
    experiment = experiments()[name]
    for parameter, declared in experiment.parameters.model_fields.items():
        needed |= {f"parameter.{parameter}", f"help.{parameter}"}
        needed |= {f"choice.{parameter}.{choice}" for choice in choices(declared.annotation)}
    needed |= {f"try.{one.id}" for one in experiment.tries}
    for update in found:
        for one in update.figures:
            needed |= {f"figure.{one.id}", f"about.{one.id}"} | used(one.data)
        needed |= {f"number.{key}" for key in update.numbers}
        for finding in update.findings:
            needed |= {f"claim.{finding.id}", f"finding.{finding.id}.{finding.verdict}"}
    for language in ("en", "zh"):
        assert needed - set(words(name, language)) == set(), language


def test_sentences_name_only_numbers_that_they_get(ran: tuple[str, list[Update]]) -> None:
    name, found = ran
    for finding in (finding for update in found for finding in update.findings):
        assert finding.numbers
        for language in ("en", "zh"):
            sentence = words(name, language)[f"finding.{finding.id}.{finding.verdict}"]
            asked = set(re.findall(r"{(\w+)}", sentence))
            assert asked, sentence
            assert asked <= set(finding.numbers), sentence


def test_updates_count_up_and_are_json(ran: tuple[str, list[Update]]) -> None:
    _, found = ran
    for update in found:
        assert 0 < update.done <= update.total
        json.dumps(update.numbers, allow_nan=False)
        for figure in update.figures:
            json.dumps(figure.data.to_dict(), allow_nan=False)
            assert type(figure.data) in KIND_OF
        assert len({figure.id for figure in update.figures}) == len(update.figures)


@pytest.mark.parametrize("name", NAMES)
def test_the_last_update_is_whole(name: str) -> None:
    for asked in QUICK[name]:
        *earlier, last = updates(name, **asked)
        assert last.done == last.total
        for update in earlier:
            assert set(update.numbers) <= set(last.numbers)
            assert {one.id for one in update.figures} <= {one.id for one in last.figures}


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        experiments()[name].parameters(nonsense=1)
