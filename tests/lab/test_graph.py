"""The graph of an expression: its gradients against autograd, closed forms, and path by path; what is not allowed."""

from __future__ import annotations

import math

import pytest
from gradoscope.contract.jobs import RunExperiment
from gradoscope.contract.problems import Unprocessable
from gradoscope.lab.experiments.graph.compute import costs
from gradoscope.lab.experiments.graph.expression import MAX_CHARACTERS, ONE, TWO, parse
from gradoscope.pipeline.experiment import experiment
from hypothesis import given, settings
from hypothesis import strategies as st


def result(expression, **values):
    run = experiment(RunExperiment("graph", {"expression": expression, "values": values}))
    *_, done = (event for event in run if event is not None)
    return done.result


def graph_of(found):
    return next(figure.data.nodes for figure in found.figures if figure.id == "graph")


def test_the_first_example():
    found = result("(x+y)*z", x=-2, y=5, z=-4)
    assert found.numbers["value"] == -12
    assert found.numbers["gradients"] == {"x": -4, "y": -4, "z": 3}
    assert found.numbers["operations"] == 2
    x, y, z, total, product = graph_of(found)
    assert (total.value, total.gradient, total.shares) == (3, -4, [-4, -4])
    assert (product.value, product.gradient, product.shares) == (-12, 1, [-4, 3])
    assert [node.title for node in (x, y, z, total, product)] == ["x", "y", "z", "+", "×"]


def test_a_value_that_is_used_twice_gets_the_sum_path_by_path():
    found = result("a*a+a", a=3)
    assert found.numbers["gradients"] == {"a": 7}
    assert found.numbers["paths"] == {"a": [3, 3, 1]}
    verdicts = {finding.id: finding.verdict for finding in found.findings}
    assert verdicts == {"autograd": "holds", "added": "holds", "averaged": "fails"}
    table = next(figure.data for figure in found.figures if figure.id == "paths")
    assert [row[2] for row in table.rows] == [3, 3, 1]
    assert table.rows[2][1] == "a → a*a+a"


@pytest.mark.parametrize(
    ("expression", "values", "gradients"),
    [
        ("exp(x)", {"x": 2}, [math.e**2]),
        ("log(x)", {"x": 4}, [0.25]),
        ("sqrt(x)", {"x": 4}, [0.25]),
        ("sin(x)+cos(y)", {"x": 0, "y": math.pi / 2}, [1, -1]),
        ("tanh(x)", {"x": 0.5}, [1 - math.tanh(0.5) ** 2]),
        ("sigmoid(x)", {"x": 0}, [0.25]),
        ("relu(x)+relu(y)", {"x": -1, "y": 1}, [0, 1]),
        ("relu(x)", {"x": 0}, [0]),
        ("max(x, y)", {"x": 1, "y": 2}, [0, 1]),
        ("min(x, y)", {"x": 1, "y": 2}, [1, 0]),
        ("max(x, y)", {"x": 2, "y": 2}, [0.5, 0.5]),
        ("x/y", {"x": 3, "y": 2}, [0.5, -0.75]),
        ("x**y", {"x": 2, "y": 3}, [12, 8 * math.log(2)]),
        ("x**2", {"x": -3}, [-6]),
        ("x**0", {"x": 0}, [0]),
        ("0**x", {"x": 2}, [0]),
        ("-x", {"x": 2}, [-1]),
        ("+x - 3", {"x": 2}, [1]),
        ("x", {"x": 2}, [1]),
        ("1 + 2", {}, []),
    ],
)
def test_closed_forms(expression, values, gradients):
    found = result(expression, **values)
    assert list(found.numbers["gradients"].values()) == pytest.approx(gradients, abs=1e-12)
    assert found.numbers["autograd_difference"] <= 1e-12


def test_a_name_that_is_not_used_has_no_gradient():
    assert result("x*2", x=1, y=5).numbers["gradients"] == {"x": 2, "y": 0}


@pytest.mark.parametrize(("expression", "x"), [("log(x)", -1), ("1/x", 0), ("exp(x)", 1000), ("sqrt(x)", 0)])
def test_what_is_not_finite_is_said(expression, x):
    found = result(expression, x=x)
    assert [(finding.id, finding.verdict) for finding in found.findings] == [("finite", "fails")]


LEAVES = st.sampled_from(["x", "y", "z", "2", "0.5"])


def grown(inner):
    one = st.builds(lambda name, a: f"{name}({a})", st.sampled_from(["tanh", "sigmoid", "sin", "cos", "relu"]), inner)
    two = st.builds(lambda sign, a, b: f"({a} {sign} {b})", st.sampled_from("+-*"), inner, inner)
    extremum = st.builds(lambda name, a, b: f"{name}({a}, {b})", st.sampled_from(TWO), inner, inner)
    return st.one_of(one, two, extremum)


@settings(max_examples=60, deadline=None)
@given(st.recursive(LEAVES, grown, max_leaves=8).filter(lambda text: len(text) <= MAX_CHARACTERS))
def test_any_expression_agrees_with_autograd_and_its_paths_add_up(expression):
    found = result(expression, x=0.7, y=-1.3, z=2.1)
    numbers = found.numbers
    assert numbers["autograd_difference"] <= 1e-12
    for name, products in numbers["paths"].items():
        assert math.fsum(products) == pytest.approx(numbers["gradients"][name], abs=1e-9)
        assert len(products) == parse(expression).names.count(name) * expression.replace("max", "").count(name)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('ls')", "x.real", "x[0]", "lambda: 1", "x if y else z", "(x, y)", "[x]", "x < y",
        "True", "None", "1j", "'x'", "f'{x}'", "x^2", "x // y", "x % y", "x @ y", "~x", "not x", "x and y", "abs(x)",
        "max(x)", "max(x, y, z)", "sin(x, y)", "sin()", "sin(x=1)", "sin(*x)", "eval(x)", "x := 3", "x; y", "x = 3",
        "", " ", "(", ")", "x +", "2x", "x\x00", "1e300", "9" * 20, "max", "sin + x", "await x", "x\ny",
    ],
)  # fmt: skip
def test_what_is_no_formula_of_these_is_refused(expression):
    with pytest.raises(Unprocessable) as refused:
        result(expression, x=1, y=1, z=1)
    assert refused.value.errors[0]["field"].startswith("parameters.")


@pytest.mark.parametrize("expression", ["x" * 201, "x+" * 150 + "x", "(" * 200, "-" * 300 + "x"])
def test_a_long_one_is_refused(expression):
    with pytest.raises(Unprocessable, match="200"):
        result(expression, x=1)


@pytest.mark.parametrize("expression", ["-" * 199 + "x", "(" * 90 + "x" + ")" * 90, "sin(" * 39 + "x" + ")" * 39])
def test_a_deep_one_is_computed(expression):
    assert result(expression, x=1).numbers["autograd_difference"] <= 1e-12


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"x": 1}, "parameters.values"),
        ({"x": 1, "y": "2"}, "parameters.values.y"),
        ({"x": 1, "y": 1e7}, "parameters.values.y"),
        ({"x": 1, "y": None}, "parameters.values.y"),
        ({"x": 1, "y": 2, "1a": 3}, "parameters.values.1a"),
        ({f"x{number}": 1 for number in range(13)}, "parameters.values"),
        ([], "parameters.values"),
    ],
)
def test_values_that_will_not_do_are_refused(values, field):
    with pytest.raises(Unprocessable) as refused:
        list(experiment(RunExperiment("graph", {"expression": "x*y", "values": values})))
    assert refused.value.errors[0]["field"].startswith(field)


def test_names_that_are_functions_are_called_only():
    assert set(ONE) & set(TWO) == set()
    assert parse("max(x, 2*y)").names == ("x", "y")


def test_reverse_mode_costs_the_same_for_any_number_of_inputs():
    reverse, forward, differences = costs().series
    assert max(reverse.y) < 2.5
    assert forward.y[-1] / forward.y[0] > 500
    assert differences.y == [2 * n for n in differences.x]
    for n, cost in zip(reverse.x[:4], reverse.y, strict=False):  # against a graph that is really built
        parsed = parse(" + ".join(f"tanh(2*x{number})" for number in range(n)))
        assert cost == (parsed.operations + parsed.edges) / parsed.operations
