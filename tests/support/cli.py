"""The console command in this process: for tests of what it says and writes, not of how a process begins and ends."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
from gradoscope.cli.main import main
from gradoscope.service.threads import SPIN_COUNT
from rich.console import Console

COLUMNS = 200


def gradoscope(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`gradoscope …` with these arguments and variables of the environment: its exit status and what it has said into
    a pipe; COLUMNS is the width of its lines."""
    words = ["gradoscope", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", words)
        # GOMP_SPINCOUNT is what the command sets itself: here so that it is taken back
        variables = {"COLUMNS": str(COLUMNS), "GOMP_SPINCOUNT": SPIN_COUNT, **environment}
        for name, value in variables.items():
            patch.setenv(name, value)
        for console in consoles():
            patch.setattr(console, "_width", int(variables["COLUMNS"]))
        status = exit_status()
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def exit_status() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def consoles() -> list[Any]:
    """Those that the command's modules have made when they were imported: each took the width that it found."""
    modules = [module for name, module in sys.modules.items() if name.startswith("gradoscope.cli")]
    found = [getattr(module, "console", None) for module in modules]
    return [console for console in found if isinstance(console, Console)]
