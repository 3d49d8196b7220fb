"""The README keeps its promises: settings are listed, examples run as written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from gradoscope.settings import Settings
from PIL import Image

from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"<!-- runs in tests -->\n```(\w+)\n(.*?)```", README, flags=re.S)


def shown(name, default):
    if default in (None, "", []):
        return "none"
    if isinstance(default, Path):
        return str(default).replace(str(Path.home()), "~")
    return ", ".join(default) if isinstance(default, list) else str(default)


def settings_table():
    rows = []
    for name, field in Settings.model_fields.items():
        rows.append(f"| `GRADOSCOPE_{name.upper()}` | `{shown(name, field.default)}` | {field.description} |")
    return "\n".join(rows)


def test_every_setting_is_in_the_readme():
    assert settings_table() in README


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("GRADOSCOPE_ALLOWED_HOSTS", "a.example, b.example")
    monkeypatch.setenv("GRADOSCOPE_MICRO_BATCH", "7")
    settings = Settings()
    assert settings.allowed_hosts == ["a.example", "b.example"]
    assert settings.micro_batch == 7
    monkeypatch.setenv("GRADOSCOPE_MICRO_BATCH", "-1")
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Settings()


def test_there_are_examples():
    assert [language for language, _ in EXAMPLES] == ["bash", "bash", "python"]


def test_the_method_to_add_works_as_written():
    import torch
    from gradoscope.attribution.classifier import Classifier
    from gradoscope.attribution.engine import Engine
    from gradoscope.attribution.methods import base
    from gradoscope.attribution.score import Score

    base.methods()
    code = re.search(r"### To add a method.*?```python\n(.*?)```", README, flags=re.S)[1]
    try:
        exec(code, {})
        method = base.find_method("squared_gradient")
        weights = torch.nn.Linear(3 * 4 * 4, 2)
        engine = Engine(
            Classifier(torch.nn.Sequential(torch.nn.Flatten(), weights), size=(4, 4), labels="ab"), Score(1)
        )
        steps = method.attribute(engine, torch.zeros(3, 4, 4), method.Parameters(), 0)
        assert next(steps).done == 1
        with pytest.raises(StopIteration) as end:
            next(steps)
        assert torch.allclose(end.value.value.values.flatten(), weights.weight[1] ** 2)
    finally:
        base._registry.drop("squared_gradient")


@pytest.mark.parametrize(("language", "code"), EXAMPLES)
def test_examples_run_as_written(language, code, server_url, tmp_path):
    (tmp_path / "static").symlink_to(ROOT / "static")
    code = code.replace("http://127.0.0.1:8000", server_url)
    command = [sys.executable, "-c", code] if language == "python" else [shutil.which("bash"), "-euc", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    if language == "python":
        assert "vanilla_gradient (3, 224, 224)" in done.stdout
    elif "sheet.png" in code:
        with Image.open(tmp_path / "sheet.png") as sheet:
            assert sheet.width > 3 * 224
        assert "event: done" in done.stdout
    else:
        assert len(json.loads(done.stdout)["panels"]) == 6
