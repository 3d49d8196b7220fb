"""The attribution library's errors as problems for the client."""

from __future__ import annotations

import pytest
from gradoscope.attribution.errors import (
    AttributionError,
    ComputationFailed,
    InvalidParameter,
    OutOfMemory,
    Refused,
    UnknownName,
)
from gradoscope.contract import problems
from gradoscope.pipeline.problems import as_problem, library_errors_as_problems


@pytest.mark.parametrize(
    ("error", "status", "title", "field"),
    [
        (Refused("why"), 422, "Method refused", None),
        (OutOfMemory("why"), 507, "Not enough memory", None),
        (UnknownName("why", "method"), 422, "Unprocessable", "method"),
        (UnknownName("why", "metric"), 422, "Unprocessable", "metrics"),
        (InvalidParameter("why", "grad_cam", "layer"), 422, "Unprocessable", "options.grad_cam.layer"),
        (ComputationFailed("why"), 503, "Computation failed", None),
        (AttributionError("why"), 503, "Computation failed", None),
    ],
)
def test_an_error_becomes_a_problem(error: AttributionError, status: int, title: str, field: str | None) -> None:
    problem = as_problem(error)
    assert (problem.status, problem.title, problem.detail) == (status, title, "why")
    assert [fault["field"] for fault in problem.errors] == ([field] if field else [])


def test_a_problem_stays_as_it_is() -> None:
    problem = problems.Unprocessable("why", field="size")
    assert as_problem(problem) is problem


def test_within_the_block_errors_are_raised_as_problems() -> None:
    with pytest.raises(problems.Refused, match="why") as caught, library_errors_as_problems():
        raise Refused("why")
    assert isinstance(caught.value.__cause__, Refused)
    with pytest.raises(KeyError), library_errors_as_problems():
        raise KeyError("others go on as they are")
