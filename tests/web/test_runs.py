"""POST /runs, and the clients: the same answer from the server, the client, in process and in a shell."""

from __future__ import annotations

import json
import subprocess
import sys

import gradoscope
import httpx2
import pytest
from gradoscope.lab.runs.record import MAX_BYTES
from gradoscope.settings import shipped

from tests.support.cli import gradoscope as shell

TROUBLE = shipped("static") / "runs" / "trouble.jsonl"


def plain(result):
    return {name: value for name, value in result.items() if name != "seconds"}


@pytest.fixture
def client(server_url):
    with httpx2.Client(base_url=server_url, timeout=60) as opened:
        yield opened


def test_page_client_process_and_shell_say_the_same(client, server_url, tmp_path):
    answer = client.post("/api/v1/runs", files={"run": ("any name", TROUBLE.read_bytes())})
    assert answer.status_code == 200, answer.text
    sent = answer.json()
    here = gradoscope.read_run(TROUBLE)
    assert plain(here.record.to_dict()) == plain(sent)
    with gradoscope.Client(server_url) as remote:
        assert plain(remote.read_run(TROUBLE).record.to_dict()) == plain(sent)
    done = shell("lab", "run", TROUBLE, "--json", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert plain(json.loads(done.stdout)) == plain(sent)
    assert (tmp_path / "out" / "layers.svg").exists()
    assert here.plot("layers") is not None


def test_the_shell_prints_findings():
    done = shell("lab", "run", TROUBLE)
    assert done.returncode == 0, done.stderr
    assert "does not hold: The gradients of input" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run",), "gradoscope.watch"),
        (("run", "nowhere.jsonl"), "cannot be read"),
        (("run", __file__), "no file of a run"),
        (("run", TROUBLE, "-o", "a=1"), "no option"),
        (("graph", TROUBLE), "only `lab run`"),
    ],
)
def test_the_shell_refuses(arguments, words):
    done = shell("lab", *arguments)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())


def test_refusals(client):
    for files, status, words in (
        ({}, 422, "run: send the file"),
        ({"run": ("run.jsonl", b"nothing")}, 422, "no file of a run"),
        ({"run": ("run.jsonl", b"x" * (MAX_BYTES + 10_000))}, 413, "larger"),
        ({"other": ("run.jsonl", b"{}")}, 422, "no field `other`"),
    ):
        answer = client.post("/api/v1/runs", files=files or None, data=None if files else {})
        assert answer.status_code == status, answer.text
        assert words in answer.json()["detail"]


def test_reading_a_run_loads_no_torch():
    code = f"import sys, gradoscope; gradoscope.read_run({str(TROUBLE)!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
