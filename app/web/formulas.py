"""Formulas of the lab as a narrow screen needs them: a line of MathML cannot be broken, so it is sent in its parts."""

from __future__ import annotations

from copy import deepcopy
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

BETWEEN_PARTS = "1em"
"""The width of the space that stands between two parts of a line; a narrower one belongs to a part."""


def in_parts(markup: str) -> str:
    """The same formulas, each line an element `equation` that holds a `math` for each part.

    A line is `<math><mrow>…</mrow></math>`; an `mspace` of `BETWEEN_PARTS` right below its row divides two parts.
    """
    root = ElementTree.fromstring(f"<root>{markup}</root>")
    for parent in list(root.iter()):
        for place, child in enumerate(list(parent)):
            if child.tag == "math":
                parent[place] = _equation(child)
    return "".join(ElementTree.tostring(one, encoding="unicode", short_empty_elements=False) for one in root)


def _equation(line: Element) -> Element:
    equation = Element("div", {"class": "equation"})
    equation.tail = line.tail
    for row in _rows(line):
        part = Element("math", line.attrib)
        part.append(row)
        equation.append(part)
    return equation


def _rows(line: Element) -> list[Element]:
    """The row of a line, cut at the wide spaces."""
    (row,) = line
    rows = [Element(row.tag, row.attrib)]
    for each in row:
        if each.tag == "mspace" and each.get("width") == BETWEEN_PARTS:
            rows.append(Element(row.tag, row.attrib))
        else:
            rows[-1].append(deepcopy(each))
    return rows
