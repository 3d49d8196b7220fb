"""What the library refuses, and what can go wrong in it. Each says in `detail` what happened and what to do."""

from __future__ import annotations


class AttributionError(Exception):
    """Something was refused or has failed; `detail` says what, and what to do."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Refused(AttributionError):
    """This method or metric cannot be applied to this model or map rightly, so it is not."""


class UnknownName(AttributionError):
    """There is no method or metric of that id; `kind` says which of the two was asked for: method or metric."""

    def __init__(self, detail: str, kind: str) -> None:
        super().__init__(detail)
        self.kind = kind

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str]]:
        return type(self), (self.detail, self.kind)


class InvalidParameter(AttributionError):
    """A parameter has a value that does not go with this model; `method` and `parameter` name it."""

    def __init__(self, detail: str, method: str, parameter: str) -> None:
        super().__init__(detail)
        self.method, self.parameter = method, parameter

    def __reduce__(self) -> tuple[type[InvalidParameter], tuple[str, str, str]]:
        return type(self), (self.detail, self.method, self.parameter)


class ComputationFailed(AttributionError):
    """The computation gave what cannot be right, or values that are not finite; no map is given instead."""


class OutOfMemory(AttributionError):
    """The computation needs more memory than there is."""
