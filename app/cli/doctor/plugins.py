"""Methods and metrics that other distributions bring: which work, and which cannot be loaded."""

from __future__ import annotations

from collections.abc import Iterator

from ...attribution import plugins as discovery
from ...attribution.methods.base import method_faults
from ...attribution.metrics.base import metric_faults
from ...pipeline.presentation import KINDS
from ...settings import Settings
from .finding import Diagnosis


def plugins(settings: Settings) -> Iterator[Diagnosis]:
    """Each that another distribution brings; silent where there is none."""
    faults = [*method_faults(), *metric_faults()]
    broken = {fault.plugin for fault in faults}
    found = [plugin for kind in KINDS for plugin in discovery.plugins(kind) if plugin.origin != discovery.BUILT_IN]
    if sound := [f"{plugin.id} of {plugin.origin}" for plugin in found if plugin not in broken]:
        yield Diagnosis("plug-ins", "ok", ", ".join(sound))
    for fault in faults:
        remedy = f"Repair or remove {fault.plugin.origin}: all others work without it"
        yield Diagnosis("plug-ins", "attention", f"{fault.plugin.id} is left out: {fault.reason}", remedy)
