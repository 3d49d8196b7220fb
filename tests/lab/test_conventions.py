"""What every experiment that is registered keeps to."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys

import pytest
import torch
from gradoscope.contract.experiments import KIND_OF, Axis
from gradoscope.contract.jobs import RunExperiment
from gradoscope.lab.arguments import as_json, checked_parameters
from gradoscope.lab.registry import experiments
from gradoscope.lab.wording import PLACEHOLDER, described, words
from gradoscope.pipeline.experiment import experiment

LANGUAGES = ("en", "zh")
TOLERANCE = 1e-5  # relative, of what a script prints: it computes in float32, in another order
MAX_BYTES = 2 * 2**20  # of a result with the defaults, as JSON
LONG_SECONDS = 10  # what takes longer with its defaults is tested by `make test-slow`
by_id = pytest.mark.parametrize("id", tuple(experiments()))
by_id_with_result = pytest.mark.parametrize(
    "id",
    [
        pytest.param(id, marks=[pytest.mark.slow] if one.cost(one.parameters()) > LONG_SECONDS else [])
        for id, one in experiments().items()
    ],
)


@pytest.fixture(scope="module")
def results():
    """The result of each with its defaults, as JSON; computed once."""
    found = {}

    def result(id):
        if id not in found:
            before = torch.random.get_rng_state()
            found[id] = finished(id, {})
            assert torch.equal(torch.random.get_rng_state(), before), "it draws from the generator that all share"
        return found[id]

    return result


def test_ids_orders_and_folders_are_unique():
    known = experiments()
    assert list(known) == sorted(known, key=lambda id: known[id].order)
    assert len({one.order for one in known.values()}) == len(known)
    for id, one in known.items():
        assert re.fullmatch("[a-z][a-z0-9_]*", id)
        assert one.folder.name == id


@by_id
def test_what_is_declared(id):
    one = experiments()[id]
    defaults = one.parameters()
    assert 0 < one.cost(defaults) < 120
    assert checked_parameters(one, as_json(defaults)) == defaults  # what is answered can be asked again
    assert all(paper.url.startswith(("https://", "http://")) for paper in one.papers)
    assert 2 <= len(one.tries) <= 4
    for tried in one.tries:
        assert 0 < one.cost(checked_parameters(one, tried.parameters)) < 300
    json.dumps(described(one).to_dict(), allow_nan=False)
    for name, field in one.parameters.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


def test_importing_the_declarations_imports_no_torch():
    """One after the other in one process: the first that brings it is named."""
    lines = [
        f"import gradoscope.lab.experiments.{id}; assert 'torch' not in sys.modules, {id!r}" for id in experiments()
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(["import sys", *lines])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@by_id_with_result
@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_has_words(id, language, results):
    one, result = experiments()[id], results(id)
    own = json.loads((one.folder / "texts" / f"{language}.json").read_text("utf-8"))
    missing = sorted(set(keys_of(one, result)) - set(own))
    assert not missing
    assert all(text.strip() for text in own.values())


@by_id
def test_both_languages_have_the_same_keys_and_places_for_numbers(id):
    en, zh = (words(experiments()[id], language) for language in LANGUAGES)
    assert set(en) == set(zh)
    for key in en:
        if key.startswith("finding."):
            assert set(PLACEHOLDER.findall(en[key])) == set(PLACEHOLDER.findall(zh[key])), key
    assert [key for key in en if en[key] == zh[key] and len(en[key].split()) > 3] == []


@by_id
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_claim_stands_as_a_title_without_a_full_stop(id, language):
    known = words(experiments()[id], language)
    assert [key for key, text in known.items() if key.startswith("claim.") and text[-1] in ".。"] == []


def keys_of(one, result):
    """The keys of all words that an experiment and its result need."""
    yield from ("title", "question", "summary")
    for name in one.parameters.model_fields:
        yield from (f"parameter.{name}", f"help.{name}")
    yield from (f"try.{tried.id}" for tried in one.tries)
    for figure in result.figures:
        yield from (f"figure.{figure.id}", f"about.{figure.id}")
        yield from (f"axis.{axis.id}" for axis in axes(figure.data))
        for series in (*getattr(figure.data, "series", ()), *getattr(figure.data, "paths", ())):
            yield f"series.{series.id}"
        for group in getattr(figure.data, "groups", ()):
            yield from (f"group.{group.id}", *(f"grid.{grid.id}" for grid in group.grids))
        yield from (f"step.{step.id}" for step in getattr(figure.data, "steps", ()))
    yield from (f"number.{name}" for name in result.numbers)
    for finding in result.findings:
        yield from (f"claim.{finding.id}", f"finding.{finding.id}.{finding.verdict}")


def axes(data):
    return [value for name in ("x", "y") if isinstance(value := getattr(data, name, None), Axis)]


@by_id_with_result
def test_the_result_is_whole(id, results):
    result = results(id)
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert len(text) < MAX_BYTES
    assert result.figures
    assert result.findings
    assert result.numbers
    for figure in result.figures:
        assert figure.kind == KIND_OF[type(figure.data)]
    ids = [figure.id for figure in result.figures]
    assert len(set(ids)) == len(ids)
    for finding in result.findings:
        assert finding.numbers, finding.id  # never a sentence without its number
        assert not PLACEHOLDER.search(finding.text), finding.text


@by_id_with_result
def test_the_same_seed_gives_the_same(id):
    """Of what is quickest: its defaults, or something to try."""
    one = experiments()[id]
    asked = min(({}, *(dict(tried.parameters) for tried in one.tries)), key=lambda asked: cost_of(one, asked))
    first, again = (finished(id, asked, seed=3) for _ in range(2))
    assert first.numbers == again.numbers
    assert first.figures == again.figures


def cost_of(one, asked):
    return one.cost(checked_parameters(one, asked))


def finished(id, asked, seed=0):
    *_, done = (event for event in experiment(RunExperiment(id, asked, seed)) if event is not None)
    return done.result


@by_id_with_result
def test_the_script_runs_alone_and_prints_the_same_numbers(id, results, warm_python, tmp_path):
    """In another folder, without this package: it needs PyTorch alone."""
    file = experiments()[id].folder / "script.py"
    text = file.read_text("utf-8")
    assert "gradoscope" not in text
    assert len(text.splitlines()) <= 60
    done = warm_python.run(file, tmp_path)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed
    for name, value in printed.items():
        same(value, results(id).numbers[name], name)


def same(printed, known, place):
    """The same numbers, to `TOLERANCE`."""
    if isinstance(printed, dict):
        for name, value in printed.items():
            same(value, known[name], f"{place}.{name}")
    elif isinstance(printed, list):
        assert len(printed) == len(known), place
        for number, value in enumerate(printed):
            same(value, known[number], f"{place}[{number}]")
    elif isinstance(printed, float):
        assert math.isclose(printed, known, rel_tol=TOLERANCE, abs_tol=1e-9), place
    else:
        assert printed == known, place


def test_a_script_that_fails_or_uses_this_package_is_noticed(warm_python, tmp_path):
    """A script has what a fresh interpreter has: not even the name of what is imported already."""
    for text, complaint in (("torch.zeros(1)", "NameError"), ("import tests", "No module named 'tests'")):
        (tmp_path / "script.py").write_text(text)
        done = warm_python.run(tmp_path / "script.py", tmp_path)
        assert done.returncode == 1
        assert complaint in done.stderr


@by_id
def test_the_formula_is_mathml(id):
    text = (experiments()[id].folder / "templates" / "formula.html").read_text("utf-8")
    assert "<math" in text
    assert "<script" not in text
