"""Formulas of experiments on a page: what stands one after the other in a line may be broken between."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

MATH = re.compile(r"<math\b.*?</math>", re.DOTALL)
MARKS = {",", ";"}


def in_lines(template: str) -> str:
    """A template with each of its formulas as a line of the parts that a comma or a semicolon and a space part.

    MathML has no line breaks, so a narrow page would cut a long formula off; parts of their own can stand one under
    the other. What Jinja fills in stays as it is.
    """
    return MATH.sub(lambda found: f'<div class="formula-line">{"".join(_parts(found[0]))}</div>', template)


def _parts(formula: str) -> list[str]:
    """One `<math>` as several."""
    whole = ElementTree.fromstring(formula)
    row = whole[0] if len(whole) == 1 and whole[0].tag == "mrow" else whole
    parts: list[list[Element]] = [[]]
    for child in row:
        last = parts[-1][-1] if parts[-1] else None
        if child.tag == "mspace" and last is not None and last.tag == "mo" and last.text in MARKS:
            parts.append([])
        else:
            parts[-1].append(child)
    return [_math(part, whole.attrib) for part in parts if part]


def _math(children: list[Element], attributes: dict[str, str]) -> str:
    made = Element("math", attributes)
    ElementTree.SubElement(made, "mrow").extend(children)
    return ElementTree.tostring(made, encoding="unicode", short_empty_elements=False)
