"""Formulas of experiments are broken between their parts, and say the same."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from gradoscope.lab.registry import FOLDER, experiments
from gradoscope.web.formulas import in_lines

FILES = {id: FOLDER / id / "templates" / "formula.html" for id in experiments()}


@pytest.mark.parametrize("id", FILES)
def test_each_formula_keeps_its_symbols(id: str) -> None:
    before = FILES[id].read_text("utf-8")
    after = in_lines(before)
    assert after.count('class="formula-line"') == before.count("<math")
    assert after.count("<math") >= before.count("<math")

    def symbols(text: str) -> str:
        return re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", text))

    assert symbols(after) == symbols(before)
    for formula in re.findall(r"<math.*?</math>", after, re.DOTALL):
        ElementTree.fromstring(formula)


def test_it_is_broken_after_a_mark_and_a_space_and_only_at_the_outermost_row() -> None:
    space = '<mspace width="1em"/>'
    inner = f"<mrow><mi>b</mi><mo>,</mo>{space}<mi>c</mi></mrow>"
    whole = f'<math display="block"><mrow><mi>a</mi><mo>;</mo>{space}{inner}<mo>=</mo>{space}<mi>d</mi></mrow></math>'
    made = in_lines(f"<p>{whole}</p>")
    assert made.count("<math") == 2
    assert "<mi>a</mi><mo>;</mo></mrow></math>" in made
    assert made.startswith('<p><div class="formula-line"><math display="block">')
