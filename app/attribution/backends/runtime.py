"""Imports OpenVINO without its telemetry. Nothing else may import it.

On import OpenVINO sends telemetry through the package `openvino_telemetry`; if that cannot be imported, it uses a
stub. Nothing may leave this machine, so the import is blocked here.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
from openvino import opset15 as op  # noqa: E402

__all__ = ["op", "ov"]
