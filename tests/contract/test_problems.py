"""One shape for every problem, across processes too."""

from __future__ import annotations

import ast
import pickle
import re

import pytest
from gradoscope.contract.problem_body import ProblemBody
from gradoscope.contract.problems import (
    BY_STATUS,
    Problem,
    Refused,
    TooManyRequests,
    Unprocessable,
    problem_from_body,
)
from gradoscope.pipeline.problems import as_problem
from gradoscope.pipeline.texts import texts
from gradoscope.web.middleware.problems import ProblemResponse
from gradoscope.zoo import cards, download, loader, weights  # noqa: F401  their kinds of problems

from tests.support.paths import ROOT

SENT_BY_SERVERS = ("gradoscope.contract.", "gradoscope.zoo.")


def kinds(kind=Problem):
    return [kind, *(k for sub in kind.__subclasses__() for k in kinds(sub))]


@pytest.mark.parametrize("kind", kinds())
def test_a_problem_survives_the_way_to_the_client(kind):
    problem = kind("what happened", field="image", retry_after=3).coded("picture_side", width=3, name="cat")
    read = ProblemBody.model_validate(problem.to_dict())
    for copy in (pickle.loads(pickle.dumps(problem)), problem_from_body(read)):
        assert copy.to_dict() == problem.to_dict()
    assert problem.to_dict()["errors"] == [{"field": "image", "detail": "what happened"}]
    assert 400 <= problem.status < 600
    assert problem.status != 500


def test_what_a_server_has_sent_survives_too():
    problem = Problem("what happened")
    problem.status, problem.title, problem.request_id = 418, "I'm a teapot", "r1"
    copy = pickle.loads(pickle.dumps(problem))
    assert (copy.status, copy.title, copy.request_id) == (418, "I'm a teapot", "r1")
    assert copy.to_dict() == problem.to_dict()


def test_statuses_have_their_kind():
    for status, kind in BY_STATUS.items():
        assert kind.status == status


def test_what_is_not_a_problem_becomes_one_without_its_traceback():
    problem = as_problem(RuntimeError("first line\nsecond line with /a/path"))
    assert problem.status == 503
    assert "first line" in problem.detail
    assert "/a/path" not in problem.detail
    assert as_problem(MemoryError()).status == 507
    assert as_problem(Refused("no")).detail == "no"
    assert as_problem(TooManyRequests("later", retry_after=2)).retry_after == 2


def test_a_problem_can_always_be_written():
    """Whatever a client has sent stands in it."""
    problem = Unprocessable("no field \ud800", errors=[{"field": "\udfff", "detail": "a\ud83d"}])
    assert problem.to_dict()["detail"] == "no field ?"
    assert problem.to_dict()["errors"] == [{"field": "?", "detail": "a?"}]
    assert ProblemResponse(problem).body.decode()


def coded() -> dict[str, set[str]]:
    """The codes that the sources give to problems, with the names of their values."""
    trees = (ast.parse(file.read_text("utf-8")) for file in (ROOT / "app").rglob("*.py"))
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        code.value: {keyword.arg for keyword in call.keywords if keyword.arg}
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "coded"
        for code in ast.walk(call.args[0])
        if isinstance(code, ast.Constant) and isinstance(code.value, str)
    }


def test_the_page_has_words_for_every_type_and_code_in_each_language():
    codes = coded()
    for language in ("en", "zh"):
        words = {key: text for key, text in texts(language).items() if key.startswith("refusal.")}
        sent = [kind for kind in kinds() if kind.__module__.startswith(SENT_BY_SERVERS)]
        titles = {kind.title.lower().replace(" ", "_").replace("-", "_") for kind in sent}
        assert {f"refusal.title.{title}" for title in titles} <= words.keys()
        sentences = {key.removeprefix("refusal.") for key in words if not key.startswith("refusal.title.")}
        assert sentences == codes.keys()
        for code, values in codes.items():
            assert set(re.findall(r"\{(\w+)\}", words[f"refusal.{code}"])) <= values, code
