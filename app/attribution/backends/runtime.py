"""OpenVINO, without its telemetry: the only place that imports it.

On import it reports to its maker, by the package `openvino_telemetry`; where that cannot be imported it has a stub in
its place. Nothing may leave this machine, so here it cannot.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
from openvino import opset15 as op  # noqa: E402

__all__ = ["op", "ov"]
