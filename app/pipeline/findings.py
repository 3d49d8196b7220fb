"""What a metric's figures say, in plain words: cautious sentences with their numbers, never a single score.

Each metric decides which of its sentences hold (`Metric.findings`); here they get their words.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from ..attribution.errors import UnknownName
from ..attribution.methods.base import Method
from ..attribution.metrics.base import find_metric
from ..attribution.metrics.findings import Figures, Level
from ..contract.metrics import Finding as FindingBody
from ..contract.wire import JsonObject
from .presentation import FALLBACK
from .texts import PLACEHOLDER, texts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """A sentence: `trust.finding.CODE` of the pages' texts, with its `values`."""

    metric: str
    code: str
    level: Level
    values: JsonObject = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of its text."""
        return f"trust.finding.{self.code}"

    @property
    def detail(self) -> str:
        """The sentence in English."""
        return PLACEHOLDER.sub(lambda name: str(self.values[name[1]]), texts(FALLBACK)[self.key])

    def record(self) -> FindingBody:
        """The finding as it goes over the wire."""
        return FindingBody(
            code=self.code, level=self.level, detail=self.detail, values=self.values, url=f"/trust#{self.metric}"
        )


def findings(metric: str, figures: Figures, method: Method[Any]) -> list[Finding]:
    """What the figures of a metric say of a method's map; nothing if the metric no longer exists."""
    try:
        found = find_metric(metric).findings(figures, method)
    except UnknownName:
        return []
    known = texts(FALLBACK)
    named = [Finding(metric, f"{metric}_{code}", level, values) for code, level, values in found]
    for finding in named:
        if finding.key not in known:
            log.error("no text for the finding %s of the metric %s: it is left out", finding.code, metric)
    return [finding for finding in named if finding.key in known]
