"""The page of metrics, from their declarations."""

from __future__ import annotations

import inspect
from typing import Any

from gradoscope.attribution.metrics.base import Metric, metrics
from method_pages import parameter_table


def metric_pages() -> dict[str, str]:
    """The page by its path."""
    ordered = sorted(metrics().values(), key=lambda metric: (metric.order, metric.id))
    head = (
        "# Metrics\n"
        "Each measures one property of a finished map. The page `/trust` of a running server tells what each number "
        "says and what it does not; [trust](trust.md) has a study of them, [evaluate](evaluate.md) compares methods by "
        "them.\n"
    )
    return {"metrics.md": "\n".join([head, *map(_section, ordered)])}


def _section(metric: Metric[Any]) -> str:
    said = inspect.cleandoc(type(metric).__doc__ or "")
    about = f"`{metric.id}` · [{metric.paper.title}]({metric.paper.url})"
    return "\n\n".join([f"## {metric.title}", metric.summary, about, said, parameter_table(metric.Parameters)]) + "\n"
