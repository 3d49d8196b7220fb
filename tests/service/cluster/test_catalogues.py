"""One catalogue of what several replicas tell."""

from __future__ import annotations

from gradoscope.service.cluster.catalogues import merge_catalogues

from tests.support.contract import catalogue
from tests.support.contract import model_row as model


def test_layers_are_known_where_one_replica_knows_them():
    catalogues = [catalogue(model("a", ["x"]), model("b")), catalogue(model("a"), model("b", ["y"]))]
    assert merge_catalogues(catalogues) == catalogue(model("a", ["x"]), model("b", ["y"]))


def test_what_is_known_of_another_file_is_not_taken():
    for other in (model("a", ["x"], bytes=2), model("a", ["x"], availability="missing")):
        assert merge_catalogues([catalogue(other), catalogue(model("a"))]) == catalogue(model("a"))


def test_a_single_one_is_as_it_was_told():
    assert merge_catalogues([catalogue(model("a"))]) == catalogue(model("a"))
