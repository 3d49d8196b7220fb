"""Formulas of the lab, sent in parts that a narrow screen can set one below the other."""

from __future__ import annotations

import re

import pytest
from gradoscope.lab.registry import FOLDER
from gradoscope.web.formulas import in_parts
from gradoscope.web.lab_pages import lab_template, subscripts

FORMULAS = sorted(FOLDER.glob("*/templates/formula.html"))


def test_a_line_is_divided_at_its_wide_spaces_and_nowhere_else() -> None:
    inner = '<mfrac><mrow><mi>a</mi><mspace width="1em"/></mrow><mi>b</mi></mfrac>'
    row = f'{inner}<mspace width="0.2em"/><mo>∑</mo><mspace width="1em"/><mi>c</mi>'
    line = f'<math display="block"><mrow>{row}</mrow></math>'
    made = in_parts(f'<div class="formula">\n{line}\n</div>')
    parts = re.findall(r'<math display="block"><mrow>(.*?)</mrow></math>', made)
    assert [re.sub("<[^>]+>", "", part) for part in parts] == ["ab∑", "c"]
    assert made.count('<div class="equation">') == 1
    assert made.count('<mspace width="1em"></mspace>') == 1  # the one inside of the fraction


@pytest.mark.parametrize("file", FORMULAS, ids=lambda file: file.parent.parent.name)
def test_nothing_of_a_formula_is_lost(file) -> None:
    letters = re.compile(r"<[^>]+>|\s")
    before, after = file.read_text("utf-8"), str(lab_template(file.parent.parent.name, "formula.html"))
    assert letters.sub("", after) == letters.sub("", before)
    assert after.count("<math") == after.count("</math>") >= before.count("<math")
    assert after.count('class="equation"') == before.count("<math")
    assert "/>" not in after  # HTML would leave such an element open


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("‖∂L_t/∂s_k‖ <", '<span class="whole">‖∂L<sub>t</sub>/∂s<sub>k</sub>‖</span> &lt;'),
        ("factor φ′(z), so", 'factor <span class="whole">φ′(z)</span>, so'),
        ("即损失对∂L/∂Y的", '即损失对<span class="whole">∂L/∂Y</span>的'),
        ("1/2 of W_k", "1/2 of W<sub>k</sub>"),
    ],
)
def test_a_derivative_in_a_sentence_is_not_broken(text: str, html: str) -> None:
    assert str(subscripts(text)) == html
