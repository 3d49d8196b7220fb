"""What the checked-in docs say is true of what ships."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import gradoscope
import pytest
from gradoscope.attribution.methods.base import methods
from gradoscope.images.image_files import ImageFile
from gradoscope.pipeline.folder_index import write_index
from gradoscope.service.telemetry import Telemetry
from gradoscope.settings import Settings
from gradoscope.zoo.cards import read_cards

from tests.support.nets import Tiny
from tests.support.paths import ROOT

sys.path.insert(0, str(ROOT / "docs" / "_pages"))
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


def shown(default):
    if default in (None, "", []):
        return "none"
    if isinstance(default, Path):
        return str(default).replace(str(Path.home()), "~")
    return ", ".join(default) if isinstance(default, list) else str(default)


def settings_rows():
    return [
        (f"GRADOSCOPE_{name.upper()}", shown(field.default), field.description)
        for name, field in Settings.model_fields.items()
    ]


def test_every_setting_is_in_the_docs():
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert re.findall(r"^\| `(GRADOSCOPE_\w+)` \| `(.+?)` \| .+? \| (.+) \|$", page, flags=re.M) == settings_rows()


def test_generated_tables_are_up_to_date():
    from refresh import refreshed

    for file, text in refreshed().items():
        assert file.read_text("utf-8") == text, f"run python docs/_pages/refresh.py: {file.name} is stale"


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("GRADOSCOPE_ALLOWED_HOSTS", "a.example, b.example")
    monkeypatch.setenv("GRADOSCOPE_MICRO_BATCH", "7")
    settings = Settings()
    assert settings.allowed_hosts == ["a.example", "b.example"]
    assert settings.micro_batch == 7
    monkeypatch.setenv("GRADOSCOPE_MICRO_BATCH", "-1")
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Settings()


CONTRIBUTING = (ROOT / "docs" / "contributing.md").read_text("utf-8")


def example(heading):
    """The Python block below a heading of the page for contributors."""
    return re.search(rf"^## {heading}$.*?```python\n(.*?)```", CONTRIBUTING, flags=re.S | re.M)[1]


def test_the_method_to_add_works_as_written():
    import torch
    from gradoscope.attribution.classifier import Classifier
    from gradoscope.attribution.engine import Engine
    from gradoscope.attribution.methods import base
    from gradoscope.attribution.score import Score

    base.methods()
    code = example("To add a method")
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


def test_the_metric_to_add_works_as_written():
    import torch
    from gradoscope.attribution.metrics import base

    base.metrics()
    try:
        exec(example("To add a metric"), {})
        metric = base.find_metric("concentration")
        values = torch.cat([torch.full((10,), 3.0), torch.full((90,), -1.0)])
        subject = base.ExplainedMap(None, torch.zeros(1, 10, 10), values.view(1, 10, 10), None, None)
        steps = metric.measure(subject, metric.Parameters())
        assert next(steps).total == metric.cost(None, metric.Parameters()).total == 0
        with pytest.raises(StopIteration) as end:
            next(steps)
        assert end.value.value.figures == {"share": pytest.approx(30 / 120)}
    finally:
        base._registry.drop("concentration")


def test_every_telemetry_metric_is_in_the_docs():
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


def write_run(folder: Path) -> None:
    """The results of a run over a folder with one picture, cat.jpg."""
    made = gradoscope.explain(sample="cat", model=Tiny(), input={"size": 32}, methods=["grad_cam"])
    entry = ImageFile(Path("photos/cat.jpg"), folder / "cat.jpg")
    made.save(entry.folder)
    write_index(folder, [entry], {})


@pytest.mark.slow
def test_the_python_page_runs_as_written(server_url, tmp_path):
    (tmp_path / "static").symlink_to(ROOT / "static")
    write_run(tmp_path / "explanations" / "photos")
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S))
    code = code.replace("http://127.0.0.1:8000", server_url)
    command = [sys.executable, "-W", "error::UserWarning", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for text in ("tiger cat (3, 224, 224)", "281", "422 Unprocessable", "['vanilla_gradient: done'", "[128, 128]"):
        assert text in done.stdout.replace("integrated_gradients ", ""), done.stdout
    assert (tmp_path / "maps.png").is_file()
    assert len(list((tmp_path / "explanations" / "cat" / "panels").glob("*.npy"))) == 2
    assert "cat.jpg Tiny grad_cam" in done.stdout


def test_the_recipe_for_many_pictures_is_not_refused(quick_model_server, monkeypatch):
    """More at once than a server takes from one client: the recipe of docs/python.md holds them back."""
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    section = page.partition("## asyncio\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", section, flags=re.M | re.S)
    pictures = re.search(r"pictures = \[.*\]", code)
    assert pictures
    code = code.replace(pictures[0], 'pictures = ["static/samples/cat.jpg"] * 24')
    monkeypatch.chdir(ROOT)
    exec(code.replace("http://127.0.0.1:8000", quick_model_server.url), {"gradoscope": gradoscope})


def test_guided_backprop_stands_out_in_the_table_of_weight_randomisation():
    page = (ROOT / "docs" / "trust.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", page.partition("## Weight randomisation\n")[2], flags=re.M)
    six = [method.title for method in methods().values() if method.default]
    assert {name for name, _ in rows} >= set(six)
    first = {name: float(cells.split()[0].replace("−", "-")) for name, cells in rows[1:8] if name in six}
    assert first.keys() == set(six)
    assert first.pop("Guided backprop") >= 0.9 > 0.7 > max(first.values())


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def test_the_architecture_names_every_folder_of_the_code():
    listed = re.findall(r"^\| `(\w+)/` \| ", ARCHITECTURE, flags=re.M)
    assert sorted(listed) == sorted(file.parent.name for file in (ROOT / "app").glob("*/__init__.py"))


def test_the_architecture_names_modules_that_exist():
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", ARCHITECTURE))
    assert len(named) > 10
    roots = [ROOT, ROOT / "app", *(ROOT / "app" / name for name in ("attribution", "service", "web", "cli"))]
    for path in named:
        assert any((root / path).exists() for root in roots), path


def test_the_glossary_says_each_term_once():
    rows = re.findall(r"^\| (.+?) \| .+ \|$", ARCHITECTURE.partition("## Glossary\n")[2], flags=re.M)
    terms = [term for row in rows if row not in ("term", "---") for term in row.split(", ")]
    assert len(terms) > 60
    assert len(terms) == len(set(terms))


def test_links_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if not target.startswith(("http://", "https://")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def heading_ids(page):
    """The anchors that a page's headings make, as GitHub and Sphinx name them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_to_headings_lead_somewhere():
    found = 0
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text("utf-8")):
            found += 1
            assert anchor in heading_ids(page.parent / target if target else page), f"{page.name}: {target}#{anchor}"
    assert found > 3
