"""OpenVINO is imported in one place, which switches its telemetry off."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

APP = ROOT / "app"
PROBE = """
import socket, sys, threading
calls = []
socket.socket.connect = lambda self, address: calls.append(address)
import gradoscope.attribution.backends.runtime
from openvino.tools import ovc
print(type(ovc.telemetry).__module__, threading.active_count(), calls)
"""


def test_importing_it_sends_no_telemetry() -> None:
    pytest.importorskip("openvino")
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub", "1", "[]"]


def test_it_is_imported_in_one_place() -> None:
    importing = re.compile(r"^\s*(import|from) openvino", re.MULTILINE)
    assert [path.name for path in APP.rglob("*.py") if importing.search(path.read_text("utf-8"))] == ["runtime.py"]
