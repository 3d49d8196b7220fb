"""The page of metrics, from their declarations."""

from __future__ import annotations

import inspect
from typing import Any

from gradoscope.attribution.metrics.base import Metric, metrics
from gradoscope.evaluation.box_pointing import BOX_POINTING
from gradoscope.evaluation.scalars import HITS, LOCALISATION, declared
from method_pages import parameter_table
from tables import table


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


def number_table() -> str:
    """A row for each number that an evaluation compares."""
    numbers = [*(number for own in declared().values() for number in own), *BOX_POINTING.scalars, LOCALISATION, HITS]
    return table(("number", "better", "what it is"), [(f"`{n.id}`", n.better, n.says) for n in numbers])


def _section(metric: Metric[Any]) -> str:
    said = inspect.cleandoc(type(metric).__doc__ or "")
    about = f"`{metric.id}` · [{metric.paper.title}]({metric.paper.url})"
    return "\n\n".join([f"## {metric.title}", metric.summary, about, said, parameter_table(metric.Parameters)]) + "\n"
