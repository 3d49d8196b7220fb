"""The summary as tables for a text: Markdown, and LaTeX with booktabs. Numbers are rows, methods are columns.

The best mean of a number is bold only if it is better than that of every other method by more than chance: the
intervals of all its differences on the same pictures exclude 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ..attribution.metrics.scalars import Scalar
from .accuracy import Accuracy
from .scalars import figure
from .tables import GroupedRow

PREAMBLE = r"""% The preamble needs: \usepackage{booktabs,graphicx}
% A mean above its interval; redefine it for another look, as \newcommand{\meaninterval}[2]{#1 (#2)}
\providecommand{\meaninterval}[2]{\begin{tabular}[t]{@{}r@{}}#1\\[-2pt]{\scriptsize(#2)}\end{tabular}}
"""
OTHER_SCRIPTS = (
    "% Some names here are in scripts that pdfLaTeX does not set: take XeLaTeX or LuaLaTeX, with fontspec and a font\n"
    "% that has them, such as \\setmainfont{Noto Serif CJK SC}.\n"
)
# Tables wider than the text are made as narrow as it is; the others stay as they are.
NARROWED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
SET_BY_PDFLATEX = "–—‘’“”…•"  # beyond Latin letters with accents
COLUMNS, ROWS = 4, 20  # of a table on a page; one with more goes into several
ARROWS = {"higher": "↑", "lower": "↓", "": ""}
PREDICTIONS = {"": "", "right": ", pictures that it gets right", "wrong": ", pictures that it gets wrong"}
# Characters that LaTeX reads as commands; [ too, which after the end of a row would be taken for its argument.
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "−": "$-$", "×": r"$\times$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "[": "{[}", "]": "{]}",
    "'": r"\textquotesingle{}", "`": r"\textasciigrave{}", '"': r'\texttt{"}',
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What stands in a table: a mean with its interval, or text; None is an empty cell."""

    mean: float
    low: float | None
    high: float | None
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its caption, its column heads, and its rows, each with a text and a cell for each further column."""

    caption: str
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | str | None]]]


def tables(
    lines: Iterable[GroupedRow], scalars: Mapping[str, Scalar], titles: Mapping[str, str], found: Iterable[Accuracy]
) -> list[Table]:
    """The summary's tables: one of accuracies, if there are some; one for each model, and again for the pictures that
    it gets right and wrong. `titles` are those of the methods."""
    groups: dict[tuple[str, str], list[GroupedRow]] = {}
    for line in lines:
        groups.setdefault((line.model, line.prediction), []).append(line)
    made = [_of_model(model, prediction, group, scalars, titles) for (model, prediction), group in groups.items()]
    return [*_accuracy(found), *made]


def _accuracy(found: Iterable[Accuracy]) -> list[Table]:
    rows = [(one.model, (Cell(one.accuracy, one.low, one.high), str(one.right), str(one.pictures))) for one in found]
    caption = "Accuracy: how often the named class is the model's top class, with 95 % intervals (Wilson)."
    return [Table(caption, ("Model", "Accuracy", "Right", "Pictures"), rows)] if rows else []


def _of_model(
    model: str, prediction: str, lines: Sequence[GroupedRow], scalars: Mapping[str, Scalar], titles: Mapping[str, str]
) -> Table:
    methods = list(dict.fromkeys(line.method for line in lines if not line.against))
    rows: list[tuple[str, list[Cell | str | None]]] = []
    for id, scalar in scalars.items():
        of_number = [line for line in lines if line.number == id]
        by_method = {line.method: line for line in of_number if not line.against}
        if by_method:
            bold = clearly_best(of_number, scalar.better)
            cells: list[Cell | str | None] = []
            for method in methods:
                line = by_method.get(method)
                cells.append(Cell(line.mean, line.low, line.high, line.method == bold) if line else None)
            rows.append((f"{scalar.title} {ARROWS[scalar.better]}".strip(), cells))
    counts = sorted({line.n for line in lines if not line.against})
    pictures = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    caption = (
        f"{model}{PREDICTIONS[prediction]}: means over {pictures} picture{'s' if counts != [1] else ''}, with 95 % "
        "intervals. Bold: better than every other method, in differences whose intervals exclude 0."
    )
    return Table(caption, ("Number", *(titles.get(method, method) for method in methods)), rows)


def clearly_best(lines: Iterable[GroupedRow], better: str) -> str | None:
    """The method whose differences to every other method have intervals that exclude 0, on the better side; None if
    there is none. `lines` are those of one number of one model."""
    if not better:
        return None
    wins: dict[str, set[str]] = {}
    methods: set[str] = set()
    for line in lines:
        if not line.against:
            methods.add(line.method)
        elif line.low is not None and line.high is not None and (line.low > 0 or line.high < 0):
            first_wins = (line.low > 0) == (better == "higher")
            winner, loser = (line.method, line.against) if first_wins else (line.against, line.method)
            wins.setdefault(winner, set()).add(loser)
    return next((method for method in methods if len(methods) > 1 and wins.get(method) == methods - {method}), None)


def markdown(made: Iterable[Table]) -> str:
    """The tables in Markdown, as GitHub has them."""
    parts = []
    for table in made:
        rows = [tuple(map(_escaped_markdown, table.head)), ("---", *("---:" for _ in table.head[1:]))]
        rows += [(_escaped_markdown(name), *(_markdown_cell(cell) for cell in cells)) for name, cells in table.rows]
        lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        parts.append(f"{_escaped_markdown(table.caption)}\n\n{lines}\n")
    return "\n".join(parts)


def _markdown_cell(cell: Cell | str | None) -> str:
    mean, interval = _mean(cell, _escaped_markdown, "**{}**"), _interval(cell, _escaped_markdown)
    return f"{mean} ({interval})" if interval else mean


def latex(made: Iterable[Table]) -> str:
    """The tables in LaTeX, each a floating `table` that is no wider than the text.

    The preamble needs booktabs and graphicx. An interval stands under its mean. Names in scripts that pdfLaTeX cannot
    set are kept; a comment says so.
    """
    parts = [_floating(part) for table in made for part in _parts(table)]
    other = any(character > "\u017f" and character not in SET_BY_PDFLATEX for part in parts for character in part)
    return "\n".join([PREAMBLE + OTHER_SCRIPTS * other, *parts])


def _parts(table: Table) -> Iterator[Table]:
    """The table in parts that a page has room for, about equal; their captions say which part each is."""
    across, down = _shares(len(table.head) - 1, COLUMNS), _shares(len(table.rows), ROWS)
    count = len(across) * len(down)
    for number, (rows, columns) in enumerate(product(down, across), 1):
        caption = table.caption if count == 1 else f"{table.caption} Part {number} of {count}."
        lines = [(name, cells[columns]) for name, cells in table.rows[rows]]
        yield Table(caption, (table.head[0], *table.head[1:][columns]), lines)


def _shares(length: int, most: int) -> list[slice]:
    """So many things in as few groups of at most `most` as possible."""
    size = -(-length // -(-length // most))
    return [slice(start, start + size) for start in range(0, length, size)]


def _floating(table: Table) -> str:
    rows = [_latex_row(name, *map(_latex_cell, cells)) for name, cells in table.rows]
    return "\n".join(
        (
            r"\begin{table}", r"\centering", rf"\caption{{{escaped_latex(table.caption)}}}", r"\medskip", NARROWED,
            rf"\begin{{tabular}}{{p{{4.2cm}}{'r' * (len(table.head) - 1)}}}", r"\toprule",
            " & ".join(map(escaped_latex, table.head)) + r" \\", r"\midrule", *rows, r"\bottomrule",
            r"\end{tabular}}", r"\end{table}", "",
        )
    )  # fmt: skip


def _latex_row(name: str, *cells: str) -> str:
    return " & ".join((rf"\raggedright {escaped_latex(name)}", *cells)) + r" \\[2pt]"


def _latex_cell(cell: Cell | str | None) -> str:
    mean, interval = _mean(cell, escaped_latex, r"\textbf{{{}}}"), _interval(cell, escaped_latex)
    return rf"\meaninterval{{{mean}}}{{{interval}}}" if interval else mean


def _mean(cell: Cell | str | None, escaped: Callable[[str], str], bold: str) -> str:
    """What a cell says without its interval."""
    if not isinstance(cell, Cell):
        return escaped(cell or "")
    mean = escaped(figure(cell.mean))
    return bold.format(mean) if cell.bold else mean


def _interval(cell: Cell | str | None, escaped: Callable[[str], str]) -> str:
    if not isinstance(cell, Cell) or cell.low is None or cell.high is None:
        return ""
    return escaped(f"{figure(cell.low)} to {figure(cell.high)}")


def _escaped_markdown(text: str) -> str:
    """Text that Markdown shows as it is, also in a cell of a table."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!])", r"\\\1", _one_line(text))


def escaped_latex(text: str) -> str:
    """Text that LaTeX sets as it is, also two hyphens or commas, which it would make into one character."""
    escaped = "".join(LATEX.get(character, character) for character in _one_line(text))
    joined = re.sub(r" (\\%|\$\\(?:up|down)arrow\$)", r"~\1", escaped)  # on the line of what they belong to
    return re.sub(r"([-,])(?=\1)", r"\1{}", joined)


def _one_line(text: str) -> str:
    return " ".join(text.split())
