"""Experiments from Python: from a server, with asyncio, and in this process; their figures and files."""

from __future__ import annotations

import asyncio
import json

import gradoscope
import numpy as np
import pytest
from gradoscope import AsyncClient, Client
from gradoscope.client import experiment_figures
from gradoscope.client.experiment_files import files
from gradoscope.client.experiments import checked_call
from gradoscope.contract.jobs import RunExperiment
from gradoscope.contract.problems import NotFound, Unprocessable
from gradoscope.pipeline.experiment import experiment

from tests.support.toy_experiment import use_toy

SQUARE = {"expression": "a*a+a", "values": {"a": 3}}


@pytest.fixture
def toy_result(monkeypatch):
    use_toy(monkeypatch)
    *_, done = (event for event in experiment(RunExperiment("toy", {"kind": "not_finite"}, 0)) if event is not None)
    return done.result


# In this process


def test_in_process():
    heard = []
    found = gradoscope.experiment("graph", **SQUARE, seed=np.int64(2), progress=heard.append)
    assert found.numbers["gradients"] == {"a": 7}
    assert (found.id, found.seed, found.parameters) == ("graph", 2, SQUARE)
    assert [event.name for event in heard] == ["accepted", "done"]
    assert list(found.figures) == ["graph", "gradients", "paths", "cost"]
    assert {finding.id: finding.verdict for finding in found.findings}["averaged"] == "fails"
    assert repr(found) == "<Experiment graph: 4 figures; autograd holds, added holds, averaged fails>"


def test_numbers_of_numpy_are_numbers():
    assert gradoscope.experiment("graph", {"expression": "x", "values": {"x": np.float32(2)}}).numbers["value"] == 2


def test_the_caller_s_state_of_torch_does_not_matter(warm_python, tmp_path):
    code = (
        "import torch, gradoscope; torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False);"
        "print(gradoscope.experiment('graph').numbers['gradients'], torch.get_default_dtype(), torch.is_grad_enabled())"
    )
    done = warm_python.run_code(code, tmp_path)
    assert done.stdout.strip() == "{'x': -4.0, 'y': -4.0, 'z': 3.0} torch.float64 False"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"progress": 0.5}, "progress"),
        ({"parameters": [1]}, "parameters"),
        ({"parameters": {"values": {}}, "values": {}}, "values"),
        ({"values": object()}, "parameters"),
        ({"expresion": "x"}, "parameters.expresion"),
    ],
)
def test_arguments_that_will_not_do(arguments, field):
    with pytest.raises(Unprocessable) as refused:
        gradoscope.experiment("graph", **arguments)
    assert refused.value.errors[0]["field"] == field


def test_a_parameter_may_be_called_progress():
    assert checked_call({"progress": 0.5}, {"t_min": 1}, 0) == ({"progress": 0.5, "t_min": 1}, 0)


def test_unknown_names():
    with pytest.raises(NotFound, match="Did you mean `graph`"):
        gradoscope.experiment("grap")
    with pytest.raises(NotFound, match="There are: graph, gradients"):
        gradoscope.experiment("graph").plot("grpah")


# From a server


def test_the_clients_give_what_the_server_gives(server):
    heard = []
    with Client(server.url) as client:
        listed = client.experiments()
        found = client.experiment("graph", SQUARE, seed=7)
        streamed = client.experiment("graph", SQUARE, seed=8, progress=heard.append)
        with pytest.raises(Unprocessable, match="Did you mean `expression`"):
            client.experiment("graph", expresion="x")
        with pytest.raises(Unprocessable, match="Did you mean `expression`"):
            client.experiment("graph", expresion="x", progress=heard.append)
    assert "graph" in [one.id for one in listed]
    direct = server.http.post("/api/v1/experiments/graph", json={"parameters": SQUARE, "seed": 7}).json()
    assert found.record.to_dict() == direct
    assert found.numbers == streamed.numbers
    assert [event.name for event in heard] == ["accepted", "done"]

    async def ask():
        async with AsyncClient(server.url) as client:
            listed = await client.experiments()
            plain = await client.experiment("graph", **SQUARE, seed=7)
            streamed = await client.experiment("graph", **SQUARE, seed=8, progress=heard.append)
            return listed, plain, streamed

    listed, plain, again = asyncio.run(ask())
    assert [one.id for one in listed]
    assert plain.record == found.record
    assert again.record == streamed.record
    assert [event.name for event in heard[2:]] == ["accepted", "done"]


# Figures and files, of every kind


def test_every_kind_of_figure_is_drawn(toy_result):
    assert len({figure.kind for figure in toy_result.figures}) == len(experiment_figures.DRAWN)
    for figure in toy_result.figures:
        assert experiment_figures.picture(figure, "png").startswith(b"\x89PNG")
        drawn = experiment_figures.picture(figure, "svg")
        assert b"<svg" in drawn
        assert experiment_figures.picture(figure, "svg") == drawn


@pytest.mark.parametrize("changed", [{"columns": [], "rows": [], "values": []}, {"values": [[None, None]] * 3}])
def test_a_figure_without_numbers_is_drawn_too(toy_result, changed):
    for figure in toy_result.figures:
        if figure.kind in ("heatmap", "contour", "matrix"):
            kept = {name: value for name, value in changed.items() if figure.kind != "matrix" or name == "values"}
            empty = figure.model_copy(update={"data": figure.data.model_copy(update=kept)})
            assert experiment_figures.picture(empty, "png").startswith(b"\x89PNG")


def test_the_data_of_every_kind_is_written(toy_result, tmp_path):
    found = gradoscope.Experiment(toy_result)
    folder = found.save(tmp_path / "toy")
    assert json.loads((folder / "result.json").read_text("utf-8")) == toy_result.to_dict()
    tables = {file.stem: file.read_text("utf-8").splitlines() for file in folder.glob("*.csv")}
    assert set(tables) == set(found.figures)
    assert tables["lines"] == ["series,x,y,low,high", "the line,1,0.0,,", "the line,2,3.0,,"]
    assert tables["bars"][1] == "a,,1.0"
    assert tables["histogram"] == ["from,to,the line", "0.0,1.0,3", "1.0,2.0,4"]
    assert tables["matrix"] == [",line,d", "a,1,-2.5", "b,,"]
    assert tables["heatmap"][:2] == [",0.0,1.0", "0.0,,1.0"]
    assert tables["contour"][1] == "the line,0,,0.5,1.5"
    assert tables["graph"][1:] == ["n0,x,,,,", "n1,+,,,n0,1"]
    assert tables["table"] == ["line,value", "a,1.0", "b,"]
    assert tables["grids"][:3] == ["grid,row,column,value", "left,0,0,", "left,0,1,2.0"]
    assert np.load(folder / "grids-total.npy").tolist() == [[1.0, 2.0]]
    heat = np.load(folder / "heatmap.npy")
    assert heat.shape == (3, 2)
    assert np.isnan(heat[0, 0])
    assert np.load(folder / "numbers-list.npy")[0] == 1


def test_names_that_a_server_sends_lead_nowhere_else(toy_result):
    for name in ("../x", "/etc/x", ".hidden", "a/b", "", "x" * 100):
        figures = [figure.model_copy(update={"id": name}) for figure in toy_result.figures[:1]]
        sent = toy_result.model_copy(update={"figures": figures, "numbers": {name: [1.0]}})
        assert [written for written, _ in files(sent)] == ["result.json"]
