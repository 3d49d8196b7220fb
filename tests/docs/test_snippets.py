"""Commands and Python in the docs run as written, in the order of each page; a block that does not run says why."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.paths import ROOT
from tests.support.snippets import run_python

LANGUAGES = ("bash", "python")
BLOCK = re.compile(r"(?:<!-- not run: (?P<why>.+?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.S | re.M)
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
# run by tests that also look at what they make: test_docs.py, and below
ELSEWHERE = {"python.md", "contributing.md", "rest.md"}


def snippets(text):
    """(language, code) of the blocks that are to run."""
    return [
        (block["language"], block["code"])
        for block in BLOCK.finditer(text)
        if block["language"] in LANGUAGES and not block["why"]
    ]


@pytest.fixture(scope="module")
def server_url(quick_model_server):
    return quick_model_server.url


@pytest.fixture(scope="module")
def shell(quick_model):
    """Variables for the commands: their model is the quick stand-in too."""
    return quick_model


def run_all(text, server_url, folder, variables):
    """Run a page's blocks one after the other in a folder that looks like a checkout; what each wrote to stdout.

    Commands run in a shell, Python runs in this process.
    """
    for name in ("static", "examples", "models", "deploy"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    environment = {
        **os.environ,
        **variables,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GRADOSCOPE_STORE": str(folder / "store"),
        "MPLBACKEND": "agg",
    }
    blocks = [(language, code.replace("http://127.0.0.1:8000", server_url)) for language, code in snippets(text)]
    outputs = []
    for code in (code for language, code in blocks if language == "bash"):
        command = [shutil.which("bash"), "-euc", code]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        outputs.append(done.stdout)
    python = "\n".join(code for language, code in blocks if language == "python")  # what one defines, the next uses
    if python:
        outputs.append(run_python(python, folder, environment))
    return outputs


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_commands_and_python_run_as_written(page, server_url, tmp_path, shell):
    run_all((ROOT / "docs" / page).read_text("utf-8"), server_url, tmp_path, shell)


def test_the_rest_page_makes_what_it_says(server_url, tmp_path, shell):
    *_, last = outputs = run_all((ROOT / "docs" / "rest.md").read_text("utf-8"), server_url, tmp_path, shell)
    assert len(json.loads((tmp_path / "cat.json").read_text())["panels"]) == 6
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 3 * 224
    assert len(outputs) == 3
    assert "event: done" in last


def test_the_page_for_contributors_has_no_examples_but_those_of_test_docs():
    text = (ROOT / "docs" / "contributing.md").read_text("utf-8")
    assert [language for language, _ in snippets(text)] == ["python", "python"]


def test_a_snippet_that_fails_is_noticed(server_url, tmp_path, shell):
    with pytest.raises(AssertionError, match="nonsense"):
        run_all("```bash\necho nonsense && false\n```\n", server_url, tmp_path, shell)
    with pytest.raises(SystemExit, match="nonsense"):
        run_all("```bash\ntrue\n```\n\n```python\nraise SystemExit('nonsense')\n```\n", server_url, tmp_path, shell)
    run_all("<!-- not run: needs a GPU -->\n```bash\nfalse\n```\n", server_url, tmp_path, shell)


@pytest.mark.parametrize("page", ["../README.md", *PAGES])
def test_commands_name_their_language(page):
    """A block of commands without one would never run."""
    text = (ROOT / "docs" / page).resolve().read_text("utf-8")
    for block in BLOCK.finditer(text):
        if not block["language"]:
            first = block["code"].split()[0]
            assert first not in ("gradoscope", "curl", "make", "docker", "pip", "python"), block["code"]
