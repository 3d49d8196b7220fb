"""The tables in LaTeX are compiled, where LaTeX is installed, and the text of the page is read back."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from gradoscope.attribution.methods.base import methods
from gradoscope.evaluation.accuracy import Accuracy
from gradoscope.evaluation.scalars import declared
from gradoscope.evaluation.summary_tables import latex, tables

from tests.evaluation.test_summary_tables import row

SPECIAL = "net_50%&#$ {a} ~b ^c \\d <e> |f| [g] 'h' `i` \"j\" k--l m,,n"
DRAWN = str.maketrans({"_": " ", "~": "˜", "^": "ˆ"})  # how the default font draws them: _ is a line
PREAMBLE = r"\documentclass{article}\pagestyle{empty}\usepackage{booktabs,graphicx}"
CJK = r"\usepackage{fontspec}\setmainfont{Noto Serif CJK SC}"


def needs(*commands: str) -> pytest.MarkDecorator:
    missing = [command for command in commands if shutil.which(command) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed: no table is compiled")


def pages(engine: str, text: str, folder, *, preamble: str = "") -> str:
    """The text on the pages of a document with the tables; fails where the engine warns of a line that is too wide."""
    (folder / "paper.tex").write_text(
        f"{PREAMBLE}{preamble}\n\\begin{{document}}\n\\input{{summary}}\n\\end{{document}}\n", "utf-8"
    )
    (folder / "summary.tex").write_text(text, "utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / "paper.log").read_text("utf-8", errors="replace")
    assert done.returncode == 0, log[-3000:]
    assert not re.search(r"Overfull|Missing character|too large", log), log[-3000:]
    read = subprocess.run(["pdftotext", "-layout", "paper.pdf", "-"], cwd=folder, capture_output=True, check=True)
    return read.stdout.decode()


def everything(model: str) -> str:
    """All numbers of all methods, and accuracies."""
    scalars = {scalar.id: scalar for group in declared().values() for scalar in group}
    titles = {id: method.title for id, method in methods().items()}
    lines = [row(scalar, method, -0.5, -0.6, -0.4, model=model) for scalar in scalars.values() for method in titles]
    return latex(tables(lines, scalars, titles, [Accuracy(model, 10, 4, 6, 0.4, 0.2, 0.6)]))


@needs("pdflatex", "pdftotext")
def test_compiled_by_pdflatex(tmp_path):
    read = pages("pdflatex", everything(SPECIAL), tmp_path)
    assert SPECIAL.translate(DRAWN) in " ".join(read.split())
    for method in methods().values():
        assert method.title in read, method.title
    assert read.count(" of 16.") == 16
    assert "−0.600 to −0.400" in read


@needs("xelatex", "pdftotext")
def test_chinese_names_compiled_by_xelatex(tmp_path):
    if "Noto Serif CJK SC" not in subprocess.run(["fc-list"], capture_output=True, check=True).stdout.decode():
        pytest.skip("the font Noto Serif CJK SC is not installed: no Chinese table is compiled")
    read = pages("xelatex", everything("模型_一 50%"), tmp_path, preamble=CJK)
    assert "模型_一 50%" in read
