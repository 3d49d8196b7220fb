"""The summary in Markdown and LaTeX: what is bold, and what is escaped."""

from __future__ import annotations

import re

import pytest
from gradoscope.attribution.metrics.scalars import Scalar
from gradoscope.evaluation.accuracy import Accuracy
from gradoscope.evaluation.summary_tables import clearly_best, escaped_latex, latex, markdown, tables
from gradoscope.evaluation.tables import GroupedRow

UP = Scalar("m.up", "Gain_of 50 % & more", "higher", "", lambda figures: None)
DOWN = Scalar("m.down", "Error", "lower", "", lambda figures: None)
NEITHER = Scalar("m.neither", "Area", "", "", lambda figures: None)
SCALARS = {scalar.id: scalar for scalar in (UP, DOWN, NEITHER)}
TITLES = {"a": "Method A", "b": "B | [b]", "c": "C"}


def row(scalar, method, mean, low=None, high=None, against="", model="my_model", prediction=""):
    return GroupedRow(model, method, against, "m", scalar.id, scalar.better, 7, 7, mean, low, high, mean, prediction)


def of_three(scalar, ab, ac, bc):
    """The rows of a number of three methods, with the intervals of their differences."""
    means = [
        row(scalar, method, mean, mean - 0.1, mean + 0.1) for method, mean in zip("abc", (0.5, 0.3, 0.2), strict=True)
    ]
    differences = (("a", "b", ab), ("a", "c", ac), ("b", "c", bc))
    return means + [row(scalar, one, 0.0, *ends, against=other) for one, other, ends in differences]


@pytest.mark.parametrize(
    ("scalar", "ab", "ac", "bc", "best"),
    [
        (UP, (0.1, 0.3), (0.2, 0.4), (-0.1, 0.3), "a"),
        (UP, (-0.01, 0.3), (0.2, 0.4), (-0.1, 0.3), None),  # a is not certainly better than b
        (UP, (0.0, 0.3), (0.2, 0.4), (-0.1, 0.3), None),  # an interval that ends at 0 holds it
        (UP, (-0.3, -0.1), (-0.1, 0.1), (0.2, 0.4), "b"),
        (DOWN, (0.1, 0.3), (0.2, 0.4), (0.1, 0.3), "c"),
        (DOWN, (0.1, 0.3), (0.2, 0.4), (-0.1, 0.3), None),
        (UP, (None, None), (0.2, 0.4), (0.1, 0.3), None),  # one picture: no interval
        (NEITHER, (0.1, 0.3), (0.2, 0.4), (0.1, 0.3), None),
    ],
)
def test_bold_is_what_is_better_than_every_other(scalar, ab, ac, bc, best):
    assert clearly_best(of_three(scalar, ab, ac, bc), scalar.better) == best


def test_a_single_method_is_not_the_best():
    assert clearly_best([row(UP, "a", 0.5, 0.4, 0.6)], "higher") is None


def test_markdown():
    lines = [*of_three(UP, (0.1, 0.3), (0.2, 0.4), (0.1, 0.2)), row(NEITHER, "b", -0.25)]
    text = markdown(tables(lines, SCALARS, TITLES, []))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows == [
        r"| Number | Method A | B \| \[b\] | C |",
        "| --- | ---: | ---: | ---: |",
        r"| Gain\_of 50 % & more ↑ | **0.500** (0.400 to 0.600) | 0.300 (0.200 to 0.400) | 0.200 (0.100 to 0.300) |",
        "| Area |  | −0.250 |  |",
    ]
    assert text.startswith(r"my\_model: means over 7 pictures, with 95 % intervals. Bold: ")


def test_latex():
    lines = [*of_three(UP, (0.1, 0.3), (0.2, 0.4), (0.1, 0.2)), row(NEITHER, "b", -0.25)]
    text = latex(tables(lines, SCALARS, TITLES, []))
    assert text.startswith("% The preamble needs: \\usepackage{booktabs,graphicx}\n")
    assert r"\providecommand{\meaninterval}[2]" in text
    body = text[text.index("\\toprule") : text.index("\\bottomrule")].splitlines()
    assert body == [
        r"\toprule",
        r"Number & Method A & B \textbar{} {[}b{]} & C \\",
        r"\midrule",
        r"\raggedright Gain\_of 50~\% \& more~$\uparrow$ & \meaninterval{\textbf{0.500}}{0.400 to 0.600} & "
        r"\meaninterval{0.300}{0.200 to 0.400} & \meaninterval{0.200}{0.100 to 0.300} \\[2pt]",
        r"\raggedright Area &  & $-$0.250 &  \\[2pt]",
    ]
    assert r"\begin{tabular}{p{4.2cm}rrr}" in text
    floating = text[text.index(r"\begin{table}") :]
    assert floating.count("\\begin{") == floating.count("\\end{") == 2
    assert floating.count("{") == floating.count("}")


def test_what_latex_would_read_as_a_command_is_escaped():
    given = "a\\b{c}&%$#_~^<>|[d]\nx'`\"--e,,f-g"
    escaped = escaped_latex(given)
    assert "\n" not in escaped
    bare = re.sub(r"\\text[a-z]+\{\"?\}|\\[{}&%$#_]|\{\[\}|\{\]\}", "", escaped)
    assert bare == "abcd x-{}-e,{},f-g"


@pytest.mark.parametrize("character", [*map(chr, range(33, 127)), "−", "×", "↑", "↓", "é", "模"])
def test_every_printed_character_of_ascii_is_itself_or_a_command(character):
    """None that LaTeX gives a meaning is left bare, and none is left out or stands for another."""
    escaped = escaped_latex(character)
    if character in "\\{}$&#%_^~<>|[]'`\"−×↑↓":
        assert re.fullmatch(r"\\[a-z]+\{\"?\}|\\[{}&%$#_]|\{[\[\]]\}|\$(-|\\[a-z]+)\$", escaped), escaped
    else:
        assert escaped == character
    assert len({escaped_latex(chr(code)) for code in range(33, 127)}) == 94


def test_many_methods_and_numbers_are_in_several_tables():
    titles = {f"m{k}": f"Method {k}" for k in range(9)}
    scalars = {f"n{k}": Scalar(f"n{k}", f"Number {k}.", "", "", lambda figures: None) for k in range(21)}
    text = latex(
        tables(
            [row(s, m, k, k - 1, k + 1) for k, s in enumerate(scalars.values()) for m in titles], scalars, titles, []
        )
    )
    heads = [line for line in text.splitlines() if line.startswith("Number & ")]
    assert [line.count("&") for line in heads] == [3, 3, 3] * 2
    assert [title for line in heads for title in re.findall(r"Method \d+", line)] == list(titles.values()) * 2
    assert [f"Part {part} of 6." in text for part in range(8)] == [False, *[True] * 6, False]
    names = re.findall(r"^\\raggedright (Number \d+)\. & \\mean", text, flags=re.M)
    assert names == [f"Number {k}" for k in [*range(11)] * 3 + [*range(11, 21)] * 3]


def test_names_that_pdflatex_cannot_set_are_said():
    for name, said in (("my_model", False), ("modèle", False), ("模型", True), ("модель", True)):
        text = latex(tables([row(UP, "a", 0.5, model=name)], SCALARS, TITLES, []))
        assert ("XeLaTeX or LuaLaTeX" in text) == said, name


def test_a_model_has_a_table_for_each_part_and_accuracies_come_first():
    lines = [row(UP, "a", 0.5, prediction=prediction) for prediction in ("", "right", "wrong")]
    lines.append(row(UP, "a", 0.5, model="other"))
    accuracy = Accuracy("my_model", 10, 4, 6, 0.4, 0.2, 0.6)
    made = tables(lines, SCALARS, TITLES, [accuracy])
    starts = [
        "Accuracy:",
        "my_model: ",
        "my_model, pictures that it gets right:",
        "my_model, pictures that it gets wrong:",
        "other:",
    ]
    assert len(made) == len(starts)
    assert all(table.caption.startswith(start) for table, start in zip(made, starts, strict=True))
    assert "| my\\_model | 0.400 (0.200 to 0.600) | 4 | 10 |" in markdown(made)
