"""Checks what an experiment is asked with, before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from ..contract.experiments import ExperimentRequest
from ..contract.parsing import invalid_fields, value_fault
from ..contract.problems import Unprocessable
from ..contract.wire import JsonObject
from .experiment import Experiment, Parameters

P = TypeVar("P", bound=Parameters)
FIELD = "parameters"
MAX_BYTES = 256 * 1024  # of the parameters as JSON: the grids that are typed by hand are far smaller


def checked_request(given: object) -> ExperimentRequest:
    """The body of a request. Raises `Unprocessable`, which names every field at fault."""
    if not isinstance(given, dict):
        raise Unprocessable(
            'The body is no JSON object. Send e.g. {"parameters": {"length": 50}, "seed": 0}; what is left out has its '
            "default.",
            field="body",
        )
    try:
        return ExperimentRequest.model_validate(given)
    except ValidationError as invalid:
        raise invalid_fields(invalid, "", ExperimentRequest.model_fields, word="field") from invalid


def checked_parameters(experiment: Experiment[P], given: Mapping[str, Any]) -> P:
    """The parameters of an experiment, with its defaults; read as JSON, whoever gives them.

    Raises:
        Unprocessable: names every parameter at fault, and its bounds.
    """
    if fault := value_fault(given):
        raise Unprocessable(f"{FIELD}: it {fault}.", field=FIELD)
    try:
        text = json.dumps(given, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Unprocessable(f"{FIELD}: no JSON can say this ({str(error)[:120]}).", field=FIELD) from error
    if len(text) > MAX_BYTES:
        raise Unprocessable(f"{FIELD}: {len(text):,} bytes of JSON; the limit is {MAX_BYTES:,}.", field=FIELD)
    try:
        return experiment.parameters.model_validate_json(text)
    except ValidationError as invalid:
        raise invalid_fields(invalid, FIELD, experiment.parameters.model_fields) from invalid


def check_seconds(experiment: Experiment[P], parameters: P, limit: float) -> float:
    """About how many seconds a run takes. Raises `Unprocessable` where that is more than a request may take."""
    seconds = experiment.cost(parameters)
    if seconds > limit:
        raise Unprocessable(
            f"{FIELD}: this takes about {seconds:,.0f} s; the limit of a request is {limit:,.0f} s. Ask for fewer "
            "steps, or something smaller.",
            field=FIELD,
        ).coded("experiment_too_long", seconds=round(seconds), limit=round(limit))
    return seconds


def as_json(parameters: Parameters) -> JsonObject:
    """All parameters as JSON has them, defaults filled in."""
    return parameters.model_dump(mode="json")
