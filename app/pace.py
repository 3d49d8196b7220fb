"""How long evaluations take on each model, as it was last measured: what an estimate in seconds rests on."""

from __future__ import annotations

Size = tuple[int, int]


class Pace:
    """Seconds for an evaluation, per input pixel, by the model and what was evaluated (such as `gradients`)."""

    def __init__(self) -> None:
        self._paces: dict[tuple[str, ...], float] = {}

    def learn(self, model: str, what: tuple[str, ...], seconds: float, evaluations: int, size: Size) -> None:
        """So many evaluations took so long; the newer counts more."""
        pace = seconds / evaluations / (size[0] * size[1])
        key = (model, *what)
        self._paces[key] = 0.5 * (self._paces.get(key, pace) + pace)

    def seconds(self, model: str, what: tuple[str, ...], evaluations: int, size: Size) -> float | None:
        """What so many evaluations will take; None before any was measured."""
        pace = self._paces.get((model, *what))
        return None if pace is None else pace * evaluations * size[0] * size[1]
