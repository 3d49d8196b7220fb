"""The request that made an explanation, copied from the page: run, it makes the same again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser import CAT, EXPLANATIONS, LONG, cheaply
from tests.support.keeping import Keeping

expect.set_options(timeout=LONG)


def runs(code: str, language: str, folder: Path) -> str:
    command = ["bash", "-euc", code] if language == "curl" else [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout


def test_copied_requests_make_the_same_again(keep: Keeping, tmp_path: Path) -> None:
    options = {"grad_cam": {"relu": False}, "smooth_grad": {"samples": 2}}
    keep.cheap(
        method=["grad_cam", "smooth_grad"], target="285", against="967", seed="7", fit="pad", size="192",
        options=json.dumps(options),
    )  # fmt: skip
    made = keep.record()
    curl = keep.copied("curl")
    assert f"-F from={keep.id}" in curl
    again = json.loads(runs(curl, "curl", tmp_path))
    same = ("method", "model", "target", "against", "parameters", "shape", "statistics")
    assert [[panel[key] for key in same] for panel in again["panels"]] == [
        [panel[key] for key in same] for panel in made["panels"]
    ]
    assert (again["seed"], again["score"]) == (7, "logit")
    assert again["inputs"][0]["size"] == [192, 192]
    assert again["inputs"][0]["fit"] == "pad"
    printed = runs(keep.copied("Python"), "Python", tmp_path)
    assert re.search(r"^efficientnet_lite0 grad_cam Egyptian cat \(1, 192, 192\) ", printed, re.M)
    assert re.search(r"^efficientnet_lite0 smooth_grad Egyptian cat \(3, 192, 192\) ", printed, re.M)


def test_a_file_is_named_in_the_copied_request(keep: Keeping, tmp_path: Path) -> None:
    name = 'my cat\'s; "best", 2.jpg'
    (tmp_path / name).write_bytes(CAT.read_bytes())
    keep.open()
    keep.page.route(EXPLANATIONS, cheaply)
    keep.page.locator("#file").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": CAT.read_bytes()})
    keep.finished(1)
    curl = keep.copied("curl")
    assert json.loads(runs(curl, "curl", tmp_path))["panels"][0]["method"] == "grad_cam"
    assert "grad_cam tiger cat (1, 224, 224)" in runs(keep.copied("Python"), "Python", tmp_path)
    keep.page.reload()
    keep.finished(1)
    assert "-F from=" in keep.copied("curl"), "after a reload the server has the picture, the page has not"
