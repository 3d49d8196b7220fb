"""One catalogue of what several replicas tell."""

from __future__ import annotations

from gradoscope.service.cluster.catalogues import merge_catalogues


def model(id, layers=None, bytes=1, availability="ready"):
    return {"id": id, "layers": layers, "weights": {"bytes": bytes}, "availability": availability}


def test_layers_are_known_where_one_replica_knows_them():
    told = [{"models": [model("a", ["x"]), model("b")]}, {"models": [model("a"), model("b", ["y"])], "faults": []}]
    assert merge_catalogues(told) == {"models": [model("a", ["x"]), model("b", ["y"])], "faults": []}


def test_what_is_known_of_another_file_is_not_taken():
    for other in (model("a", ["x"], bytes=2), model("a", ["x"], availability="missing")):
        assert merge_catalogues([{"models": [other]}, {"models": [model("a")]}]) == {"models": [model("a")]}


def test_a_single_one_is_as_it_was_told():
    assert merge_catalogues([{"models": [model("a")]}]) == {"models": [model("a")]}
