"""What a client is told of an exception: the one place where the library's errors become problems."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..attribution import errors
from ..attribution.memory import out_of_memory
from ..contract import problems
from ..contract.problems import ComputationFailed, OutOfMemory, Problem, Unprocessable

log = logging.getLogger(__name__)
FIELDS = {"method": "method", "metric": "metrics"}  # kind of name → the field of a request that holds it
KINDS: dict[type[errors.AttributionError], type[Problem]] = {
    errors.Refused: problems.Refused,
    errors.ComputationFailed: ComputationFailed,
    errors.OutOfMemory: OutOfMemory,
}


def as_problem(error: Exception) -> Problem:
    """What a client is told of an exception; what is not meant for clients goes to the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, errors.AttributionError):
        return problem_of_library_error(error)
    if out_of_memory(error):
        detail = "The computation needs more memory than there is. Take a smaller model or fewer requests."
        return OutOfMemory(detail).coded("memory")
    log.error("computation failed", exc_info=error)
    reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}" if str(error) else type(error).__name__
    return ComputationFailed(f"The computation broke off ({reason}). The log where it was computed has the details.")


def problem_of_library_error(error: errors.AttributionError) -> Problem:
    """An error of the attribution library as a problem, with its status and the field that is at fault."""
    if isinstance(error, errors.UnknownName):
        return Unprocessable(error.detail, field=FIELDS[error.kind])
    if isinstance(error, errors.InvalidParameter):
        return Unprocessable(error.detail, field=f"options.{error.method}.{error.parameter}")
    kind = next((KINDS[cls] for cls in type(error).__mro__ if cls in KINDS), ComputationFailed)
    return kind(error.detail)


@contextmanager
def library_errors_as_problems() -> Iterator[None]:
    """A context in which an error of the attribution library is raised as a problem for the client."""
    try:
        yield
    except errors.AttributionError as error:
        raise problem_of_library_error(error) from error
