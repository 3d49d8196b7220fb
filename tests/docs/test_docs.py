"""What is checked in to the docs belongs to what ships."""

from __future__ import annotations

import re
import subprocess
import sys

from gradoscope.attribution.methods.base import methods
from gradoscope.service.telemetry import Telemetry
from gradoscope.settings import Settings
from gradoscope.zoo.cards import read_cards

from tests.support.paths import ROOT

TABLE = (ROOT / "docs" / "models-and-methods.md").read_text("utf-8")


def test_table_has_every_model_and_every_method_and_no_failure():
    header, _, *rows = (line for line in TABLE.splitlines() if line.startswith("|"))
    assert [cell.strip() for cell in header.strip("|").split("|")][1:] == [m.title for m in methods().values()]
    cells = {row.strip("|").split("|")[0].strip(): [c.strip() for c in row.strip("|").split("|")[1:]] for row in rows}
    assert set(cells) == set(read_cards(*Settings().card_folders)[0])
    reasons = dict(re.findall(r"^(\d+)\. (.+)$", TABLE, flags=re.M))
    for model, said in cells.items():
        for verdict in said:
            assert verdict in ("ok", "ok =") or verdict.strip("[]") in reasons, (model, verdict)
    assert re.search(r"on 20\d\d-\d\d-\d\d with PyTorch", TABLE)


def test_every_metric_is_in_the_docs():
    rows = {}
    for metric in Telemetry().registry.collect():
        ending = {"counter": "_total", "info": "_info"}.get(metric.type, "")
        rows[f"{metric.name}{ending}"] = (metric.type, metric.documentation)
    page = (ROOT / "docs" / "service.md").read_text("utf-8")
    listed = re.findall(r"^\| `(gradoscope_\w+)` \| (\w+) \| .*? \| (.+?) \|$", page, flags=re.M)
    assert {name: (kind, text) for name, kind, text in listed} == rows


def test_the_figures_under_load_are_in_the_docs():
    page = (ROOT / "docs" / "service.md").read_text("utf-8")
    table = page.partition("<!-- load -->\n")[2].partition("<!-- /load -->")[0]
    assert table.startswith("50 clients for 300 s")
    for kind, others in re.findall(r"^\| ([^|]+) \| \d+ \| \d+ \| (\d+) \|", table, flags=re.M):
        assert others == "0", kind
    drift = re.search(r"^\| both \|.*\| ([+-][\d.]+)% \|$", table, flags=re.M)
    assert abs(float(drift[1])) < 5


def test_the_python_page_runs_as_written(server_url, tmp_path):
    (tmp_path / "static").symlink_to(ROOT / "static")
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S))
    code = code.replace("http://127.0.0.1:8000", server_url)
    command = [sys.executable, "-W", "error::UserWarning", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for told in ("tiger cat (3, 224, 224)", "281", "422 Unprocessable", "['vanilla_gradient: done'", "[128, 128]"):
        assert told in done.stdout.replace("integrated_gradients ", ""), done.stdout
    assert (tmp_path / "maps.png").is_file()
    assert len(list((tmp_path / "explanations" / "cat" / "panels").glob("*.npy"))) == 2


def test_the_trust_study_is_in_the_docs_as_the_page_tells_it():
    page = (ROOT / "docs" / "trust.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", page.partition("## Weight randomisation\n")[2], flags=re.M)
    six = [method.title for method in methods().values() if method.default]
    assert {name for name, _ in rows} >= set(six)
    first = {name: float(cells.split()[0].replace("−", "-")) for name, cells in rows[1:8] if name in six}
    assert first.keys() == set(six)
    assert first.pop("Guided backprop") >= 0.9 > 0.7 > max(first.values())


GENERATED = ("settings.md", "rest.md", "command-line.md", "methods/index.md")  # tests/docs/test_site.py builds these


def test_links_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if not target.startswith(("http://", "https://")) and target not in GENERATED:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
