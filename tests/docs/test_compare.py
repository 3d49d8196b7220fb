"""docs/compare.md: what it says of Gradoscope is there, and every library has a version and a date."""

from __future__ import annotations

import re

import pytest
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.metrics.base import metrics

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "compare.md").read_text("utf-8")
REGISTRIES = {"methods": methods, "metrics": metrics}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def table(name: str) -> tuple[list[str], list[list[str]]]:
    """The heads and rows of the table between the comments of that name."""
    (part,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", PAGE, flags=re.S)
    head, _, *rows = part.strip().splitlines()
    return cells(head), [cells(row) for row in rows]


@pytest.mark.parametrize("name", REGISTRIES)
def test_what_gradoscope_is_said_to_have_is_registered(name):
    head, rows = table(name)
    place = head.index("Gradoscope")
    said = [cell for row in rows if (cell := row[place])]
    assert len(said) > 10
    for cell in said:
        assert re.fullmatch(r"`\w+`", cell), cell
        assert cell.strip("`") in REGISTRIES[name]()
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("name", REGISTRIES)
def test_rows_are_whole_and_say_yes_by_a_name(name):
    head, rows = table(name)
    for row in rows:
        assert len(row) == len(head), row
        assert any(row[1:]), row
        for cell in row[1:]:
            assert re.fullmatch(r"(`\w+`(, )?)*(…)?", cell), cell


def test_every_library_has_its_version_and_the_date():
    versions = dict(
        re.findall(r"^\| \[([^\]]+)\]\(https://pypi\.org/project/[^)]+\) \| (\d[\d.]+) \|", PAGE, flags=re.M)
    )
    for name in REGISTRIES:
        assert set(table(name)[0][2:]) <= set(versions)
    assert len(versions) == 7
    assert all(f"/{version}/)" in PAGE for version in versions.values())
    assert re.search(r"from PyPI on 20\d\d-\d\d-\d\d", PAGE)
