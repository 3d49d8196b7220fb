"""Means and intervals of an evaluation: of grids by picture, and of maps that hold nothing."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from gradoscope.evaluation.bootstrap import clustered_interval
from gradoscope.evaluation.run import EvaluationResults
from gradoscope.evaluation.tables import GroupedRow, csv_of, rows, summary

TARGET = {"index": 1, "label": "one", "probability": 0.9, "logit": 4.0}


def cell(picture, shares, place):
    hit = shares is not None and all(s < shares[place] for k, s in enumerate(shares) if k != place)
    localisation = 0.0 if shares is None else shares[place]
    return {
        "picture": picture,
        "target": TARGET,
        "shares": shares,
        "localisation": localisation,
        "hit": hit,
        "thumb": None,
    }


def grid(number, method, values):
    """A grid with the localisation of each picture; None of a map without a positive value."""
    cells = []
    for place, (picture, value) in enumerate(values.items()):
        shares = None if value is None else [value if k == place else (1 - value) / 3 for k in range(4)]
        cells.append(cell(picture, shares, place))
    return {"picture": f"grid {number}", "grid": number, "model": "m", "method": method, "status": "done",
            "problem": None, "cells": cells}  # fmt: skip


def lines_of(grids):
    found, scalars = rows(EvaluationResults(grids=grids))
    return found, {(line.method, line.against, line.number): line for line in summary(found, scalars, 0)}


def test_more_grids_of_the_same_pictures_make_no_narrower_interval():
    values = {"a": 0.2, "b": 0.5, "c": 0.3, "d": 0.4}
    few, many = ([grid(k, "one", values) for k in range(count)] for count in (2, 200))
    lines = [lines_of(grids)[1]["one", "", "grid_pointing.localisation"] for grids in (few, many)]
    for line, count in zip(lines, (8, 800), strict=True):
        assert (line.n, line.values) == (4, count)
        assert line.mean == pytest.approx(0.35)
    assert (lines[0].low, lines[0].high) == pytest.approx((lines[1].low, lines[1].high))
    assert lines[0].low == pytest.approx(0.25, abs=0.03)
    assert lines[0].high == pytest.approx(0.45, abs=0.03)


def test_the_interval_is_over_the_cells_pictures():
    grids = [
        grid(0, "one", {"a": 0.2, "b": 0.5, "c": 0.3, "d": 0.4}),
        grid(1, "one", {"a": 0.4, "b": 0.6, "c": 0.3, "e": 0.9}),
    ]
    line = lines_of(grids)[1]["one", "", "grid_pointing.localisation"]
    clusters = [[0.2, 0.4], [0.5, 0.6], [0.3, 0.3], [0.4], [0.9]]
    assert (line.low, line.high) == pytest.approx(clustered_interval(clusters, seed=0))
    assert line.mean == pytest.approx(np.mean([value for cluster in clusters for value in cluster]))
    assert line.median == pytest.approx(np.median([np.mean(cluster) for cluster in clusters]))


def test_a_map_with_nothing_positive_misses():
    """One of four maps is right and three hold nothing: a quarter, not 0.9."""
    grids = [grid(0, "one", {"a": 0.9, "b": None, "c": None, "d": None})]
    found, lines = lines_of(grids)
    assert lines["one", "", "grid_pointing.localisation"].mean == pytest.approx(0.9 / 4)
    assert lines["one", "", "grid_pointing.hits"].mean == pytest.approx(1 / 4)
    assert lines["one", "", "grid_pointing.coverage"].mean == pytest.approx(1 / 4)
    assert len(found) == 3 * 4


def test_differences_are_cell_by_cell():
    grids = [
        grid(0, "one", {"a": 0.2, "b": 0.5, "c": 0.3, "d": 0.4}),
        grid(0, "two", {"a": 0.1, "b": 0.5, "c": 0.1, "d": None}),
    ]
    line = lines_of(grids)[1]["one", "two", "grid_pointing.localisation"]
    clusters = [[0.1], [0.0], [0.2], [0.4]]
    assert line.mean == pytest.approx(0.175)
    assert (line.low, line.high) == pytest.approx(clustered_interval(clusters, seed=0))


def test_the_table_says_how_many_values_there_are():
    grids = [grid(k, "one", {"a": 0.2, "b": 0.5, "c": 0.3, "d": 0.4}) for k in range(3)]
    table = list(csv.DictReader(io.StringIO(csv_of(GroupedRow, lines_of(grids)[1].values()))))
    assert {(row["n"], row["values"]) for row in table} == {("4", "12")}
