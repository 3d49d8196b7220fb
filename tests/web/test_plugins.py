"""A method and a metric from another distribution appear wherever the shipped ones do. The distribution is the example
of docs/plugins.md, laid out as pip installs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.metrics.base import metrics

from tests.support.paths import ROOT
from tests.support.server import Server

METHOD, METRIC = "squared_gradient", "concentration"
FILE = re.compile(r"`([\w./-]+)`:\n\n<!-- not run: tests/web/test_plugins\.py [^\n]*-->\n```\w+\n(.*?)```", re.S)
BROKEN = {  # by the entry point's group
    "methods": {"broken": "broken_method", "vanilla_gradient": "twin_method"},
    "metrics": {"gone": "no_such_module"},
}
TWIN = """
from gradoscope.attribution.methods.base import NoParameters, OnePass, Paper, register

@register
class Twin(OnePass[NoParameters]):
    id, title, year, summary = "vanilla_gradient", "Twin", 2024, "Another one."
    paper, strengths, weaknesses, Parameters = Paper("Twin", "https://example.org"), (), (), NoParameters

    def maps(self, engine, pictures, parameters):
        return pictures, {}
"""


def install(folder: Path) -> None:
    """The example's files and the metadata of its pyproject.toml, and a distribution that does not work."""
    files = dict(FILE.findall((ROOT / "docs" / "plugins.md").read_text("utf-8")))
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    declared = files["pyproject.toml"].partition("[project.entry-points")[2]
    groups = ("[project.entry-points" + declared).replace("[project.entry-points.", "[").replace('"', "")
    distribution(folder, "gradoscope_toy", groups)
    (folder / "broken_method.py").write_text("import no_such_library")
    (folder / "twin_method.py").write_text(TWIN)
    lines = [f"[gradoscope.{kind}]\n" + "\n".join(map(" = ".join, entries.items())) for kind, entries in BROKEN.items()]
    distribution(folder, "gradoscope_broken", "\n".join(lines))


def distribution(folder: Path, name: str, entry_points: str) -> None:
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(entry_points)


@pytest.fixture(scope="module")
def environment(quick_model: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("plugins")
    install(folder)
    return quick_model | {
        "PYTHONPATH": str(folder),
        "GRADOSCOPE_STORE": str(tmp_path_factory.mktemp("store") / "store"),
    }


@pytest.fixture(scope="module")
def server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    variables = {key: value for key, value in environment.items() if key != "GRADOSCOPE_STORE"}
    server = Server(tmp_path_factory.mktemp("server") / "store", **variables)
    yield server
    server.stop()


def text(server: Server, path: str, language: str = "en") -> str:
    answer = server.http.get(path, headers={"accept-language": language})
    assert answer.status_code == 200
    return answer.text


def test_the_catalogue_has_them_beside_all_that_ship(server: Server) -> None:
    listed = [method["id"] for method in server.http.get("/api/v1/methods").json()["methods"]]
    assert set(listed) == {*methods(), METHOD}
    assert listed.index(METHOD) == listed.index("vanilla_gradient") - 1  # of 2013 too, and s comes before v
    assert {metric["id"] for metric in server.http.get("/api/v1/metrics").json()["metrics"]} == {*metrics(), METRIC}


@pytest.mark.parametrize(
    ("language", "title", "about", "metric"),
    [
        ("en", "Squared gradient", "The gradient without its sign", "Concentration"),
        ("zh", "平方梯度", "不计符号的梯度", "集中度"),
    ],
)
def test_pages_show_them(server: Server, language: str, title: str, about: str, metric: str) -> None:
    section = text(server, "/methods", language).partition(f'<article id="{METHOD}"')[2].partition("</article>")[0]
    assert title in section
    assert about in section
    assert "arXiv:1312.6034" in section
    assert "2013" in section
    section = text(server, "/trust", language).partition(f'<section class="question" id="{METRIC}"')[2]
    section = section.partition("</section>")[0]
    assert metric in section
    assert "arXiv:2005.00631" in section


@pytest.mark.parametrize(
    ("language", "title", "metric"), [("en", "Squared gradient", "Concentration"), ("zh", "平方梯度", "集中度")]
)
def test_the_workbench_has_their_texts(server: Server, language: str, title: str, metric: str) -> None:
    page = text(server, "/", language)
    words = json.loads(page.partition('id="texts">')[2].partition("</script>")[0])
    assert words[f"method.{METHOD}"] == title
    assert f"catalogue.summary.{METHOD}" in words
    measuring = server.http.get(f"/static/texts/{language}/measuring.json").json()
    assert measuring[f"trust.metric.{METRIC}"] == metric
    assert f"trust.finding.{METRIC}_wide" in server.http.get(f"/static/texts/{language}/findings.json").json()
    known = json.loads(page.partition('id="plugins">')[2].partition("</script>")[0])
    assert METHOD not in known["methods"]  # it is no default
    assert known["metrics"][len(metrics())] == {"id": METRIC, "figure": False}  # behind those that ship


def test_a_map_is_computed_and_measured(server: Server) -> None:
    data = {"sample": "cat", "size": "64", "method": [METHOD, "vanilla_gradient"], "metrics": METRIC}
    answer = server.http.post("/api/v1/explanations", data=data)
    assert answer.status_code == 200, answer.text
    panels: dict[str, Any] = {panel["method"]: panel for panel in answer.json()["panels"]}
    assert all(panel["status"] == "done" for panel in panels.values())
    measured = panels[METHOD]["metrics"][METRIC]
    assert 0.1 < panels["vanilla_gradient"]["metrics"][METRIC]["figures"]["share"] < measured["figures"]["share"] < 1
    (finding,) = measured["findings"]
    assert finding["code"] in (f"{METRIC}_narrow", f"{METRIC}_wide")
    assert f"{round(100 * measured['figures']['share'])} %" in finding["detail"]
    assert finding["url"] == f"/trust#{METRIC}"


def test_a_broken_plug_in_is_reported_and_left_out(server: Server) -> None:
    log = server.log.read_text()
    assert "the method «broken» of gradoscope-broken 1.0 is left out: ModuleNotFoundError" in log
    assert "the method «vanilla_gradient» of gradoscope-broken 1.0 is left out: ValueError: two methods call" in log
    vanilla = next(m for m in server.http.get("/api/v1/methods").json()["methods"] if m["id"] == "vanilla_gradient")
    assert vanilla["title"] == "Vanilla gradient"
    assert 'id="broken"' not in text(server, "/methods")
    assert 'id="gone"' not in text(server, "/trust")


ASK = """
import json, sys
sys.path.insert(0, "docs/_pages")
import build, method_pages, metric_pages
from tests.support.cli import gradoscope

pages = method_pages.method_pages() | metric_pages.metric_pages()
contents, table = build.CONTENTS, method_pages.method_table(linked=True)
commands = {name: gradoscope(name, *more) for name, more in (("methods", ()), ("doctor", ("--json",)))}
said = {name: (done.returncode, done.stdout) for name, done in commands.items()}
print(json.dumps({"contents": contents, "table": table, "pages": pages, "commands": said}))
"""


@pytest.fixture(scope="module")
def fresh_process(environment: dict[str, str]) -> dict[str, Any]:
    """What docs and commands say where the plug-ins are found, in one process: importing PyTorch takes seconds."""
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_command_line_has_them(fresh_process: dict[str, Any]) -> None:
    status, listed = fresh_process["commands"]["methods"]
    assert status == 0
    assert "squared_gradient  Squared gradient (2013)" in listed
    assert all(id in listed for id in methods())


def test_the_doctor_lists_working_and_broken_plug_ins(fresh_process: dict[str, Any]) -> None:
    said = json.loads(fresh_process["commands"]["doctor"][1])
    found = [finding for finding in said["findings"] if finding["what"] == "plug-ins"]
    assert found[0]["verdict"] == "ok"
    assert found[0]["detail"] == f"{METHOD} of gradoscope-toy 1.0, {METRIC} of gradoscope-toy 1.0"
    assert [finding["verdict"] for finding in found[1:]] == ["attention"] * 3
    details = " ".join(finding["detail"] for finding in found[1:])
    for id, reason in {
        "broken": "No module named 'no_such_library'",
        "vanilla_gradient": "two methods call themselves vanilla_gradient",
        "gone": "No module named 'no_such_module'",
    }.items():
        assert f"{id} is left out: " in details
        assert reason in details
    assert "gradoscope-broken 1.0" in found[1]["remedy"]


def test_the_docs_have_them(fresh_process: dict[str, Any]) -> None:
    contents, pages = fresh_process["contents"], fresh_process["pages"]
    assert f"methods/{METHOD}" in contents["Methods"]
    assert "the squared sensitivity of each pixel value" in pages[f"methods/{METHOD}.md"]
    assert f"[Squared gradient](methods/{METHOD}.md)" in fresh_process["table"]
    assert "## Concentration\n\nWhich share of the map" in pages["metrics.md"]
