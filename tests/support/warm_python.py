"""Runs scripts that need PyTorch alone, each in a process of its own, without importing PyTorch for each.

One Python, isolated (`-I`: no folder of the caller's, no variables), imports PyTorch and nothing else. For each script
it forks. So a script finds what a fresh interpreter has, and PyTorch is loaded already: importing it takes longer than
most of these scripts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

KEEPER = """
import contextlib, json, os, runpy, sys, traceback
import torch

def run(file, folder, out, err):
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.chdir(folder)
    sys.argv = [file]
    status = 0
    try:
        runpy.run_path(file, run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

for line in sys.stdin:
    if (child := os.fork()) == 0:
        run(*json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class WarmPython:
    def __init__(self) -> None:
        command = [sys.executable, "-I", "-c", KEEPER]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, script: Path, folder: Path) -> subprocess.CompletedProcess[str]:
        """`python -I script` in `folder`; what it prints is kept there beside whatever it writes."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        out, err = folder / "stdout", folder / "stderr"
        self.process.stdin.write(json.dumps([str(script), str(folder), str(out), str(err)]) + "\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        return subprocess.CompletedProcess([str(script)], status, out.read_text("utf-8"), err.read_text("utf-8"))

    def run_code(self, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """The same of code, which is written into the folder."""
        script = folder / "script.py"
        script.write_text(code, "utf-8")
        return self.run(script, folder)

    def stop(self) -> None:
        self.process.communicate()
