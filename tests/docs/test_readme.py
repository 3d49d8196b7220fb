"""The README is short, its examples run as written, and the commands behind its promises exist."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.snippets import run_python

README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"<!-- runs in tests -->\n```(\w+)\n(.*?)```", README, flags=re.S)


LIBRARY = re.search(r"<!-- library example -->\n```python\n(.*?)```", README, flags=re.S)[1]
PROMISES = README.partition("## What it promises\n")[2].partition("\n## ")[0]


def test_it_is_short():
    assert len(README.splitlines()) <= 160


def test_there_are_examples():
    assert [language for language, _ in EXAMPLES] == ["bash", "python"]


def test_each_promise_names_commands_that_exist():
    rows = re.findall(r"^\| (?!promise|---)(.+) \| (.+) \|$", PROMISES, flags=re.M)
    assert len(rows) > 10
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for promise, commands in rows:
        tools = [command.split() for command in re.findall(r"`([^`]+)`", commands)]
        assert tools, promise
        for tool, *arguments in tools:
            assert tool in ("pytest", "make"), promise
            for argument in arguments:
                there = argument in targets if tool == "make" else (ROOT / argument).exists()
                assert there, f"{promise}: {argument}"


def test_the_library_alone_runs_as_written(tmp_path):
    shape, _, error = run_python(LIBRARY, tmp_path, {}).strip().rpartition(" ")
    assert shape == "torch.Size([3, 32, 32])"
    assert abs(float(error)) < 1e-3  # the network is linear


@pytest.mark.parametrize(("language", "code"), EXAMPLES)
def test_examples_run_as_written(language, code, quick_model_server, tmp_path):
    (tmp_path / "static").symlink_to(ROOT / "static")
    code = code.replace("http://127.0.0.1:8000", quick_model_server.url)
    command = [sys.executable, "-c", code] if language == "python" else [shutil.which("bash"), "-euc", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    if language == "python":
        assert "vanilla_gradient (3, 224, 224)" in done.stdout
    else:
        assert len(json.loads(done.stdout)["panels"]) == 6
