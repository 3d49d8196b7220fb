"""Runs Python of the docs in this process: importing PyTorch anew takes seconds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

import pytest


def run_python(code: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What it writes to stdout, in that folder and with these variables, as a program of its own."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.chdir(folder)
        for name, value in environment.items():
            patch.setenv(name, value)
        exec(compile(code, "the docs", "exec"), {"__name__": "__main__"})
    return out.getvalue()
