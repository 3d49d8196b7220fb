"""Progress of commands: bars at a terminal, lines elsewhere."""

from __future__ import annotations

import io

import pytest
from gradoscope.attribution.methods.base import Progress
from gradoscope.evaluation.progress import EvaluationProgress
from gradoscope.pipeline.progress import BYTES, LINE_SECONDS, PanelBars, ProgressBars
from rich.console import Console


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """Bars that are written into a string."""

    def __init__(self, terminal: bool) -> None:
        self.clock = Clock()
        self.file = io.StringIO()
        console = Console(file=self.file, force_terminal=terminal, width=120, color_system=None)
        self.bars = ProgressBars(console, self.clock)

    @property
    def lines(self) -> list[str]:
        return self.file.getvalue().splitlines()


def test_a_line_now_and_then_where_there_is_no_terminal():
    shown = Shown(terminal=False)
    with shown.bars as bars:
        task = bars.add("", 5, "pictures")
        for done in range(1, 6):
            shown.clock.now += LINE_SECONDS / 2
            bars.update(task, done, what=f"{done}.jpg")
        bars.update(task, 5)
    assert [line.split(", ")[0] for line in shown.lines] == [
        "2.jpg: 2/5 pictures",
        "4.jpg: 4/5 pictures",
        "5.jpg: 5/5 pictures",
    ]
    assert shown.lines[0] == "2.jpg: 2/5 pictures, 0:00:10 so far, 0:00:15 left"
    assert shown.lines[-1] == "5.jpg: 5/5 pictures, 0:00:25"


def test_a_bar_with_the_time_left_at_a_terminal():
    shown = Shown(terminal=True)
    with shown.bars as bars:
        task = bars.add("photos", 10, "pictures")
        for done in range(1, 6):
            shown.clock.now += 2
            bars.update(task, done)
    last = [line for line in shown.lines if "photos" in line][-1]
    assert "5/10 pictures 0:00:10 · left 0:00:10" in last
    assert not any("so far" in line for line in shown.lines)


def test_bytes_are_shown_in_units():
    shown = Shown(terminal=False)
    with shown.bars as bars:
        task = bars.add("resnet50", None, BYTES)
        shown.clock.now += LINE_SECONDS
        bars.update(task, 1_000_000, None)
        bars.update(task, 2_000_000, 102_000_000)
        bars.update(task, 102_000_000, 102_000_000)
    assert shown.lines == ["resnet50: 1.0 MB/?, 0:00:10 so far", "resnet50: 102.0 MB/102.0 MB, 0:00:10"]


def test_maps_and_metrics_of_an_explanation():
    shown = Shown(terminal=False)
    with shown.bars as bars:
        panels = PanelBars(bars)
        panels.accept([("p1", "grad_cam", 1), ("p2", "smooth_grad", 50)])
        panels.finish("p1")  # it was in the store: there was no progress event
        panels.advance("p2", None, 20, 50)
        panels.advance("p2", None, 50, 50)
        panels.advance("p2", "deletion", 7, 7)
        panels.finish("p2")
    assert [line.partition(",")[0] for line in shown.lines] == [
        "grad_cam: 1/1 evaluations",
        "smooth_grad: 50/50 evaluations",
        "smooth_grad: deletion: 7/7 evaluations",
    ]


def test_the_bar_of_the_evaluate_command_advances_by_weights():
    def computing(steps: int, breaks: bool = False):
        for done in range(1, steps + 1):
            yield Progress(done, steps)
        if breaks:
            raise ZeroDivisionError
        return "map"

    shown = Shown(terminal=False)
    with shown.bars as bars:
        progress = EvaluationProgress(bars)
        progress.start_stage("maps and metrics", 40)
        progress.show_item("1/4 cat.jpg")
        shown.clock.now += LINE_SECONDS
        assert progress.run(computing(5), 10) == "map"
        progress.skip(10)
        with pytest.raises(ZeroDivisionError):
            progress.run(computing(2, breaks=True), 10)
        assert bars._progress.tasks[0].completed == 10
        assert bars._progress.tasks[0].total == 20
        progress.end()
    assert shown.lines[0].startswith("maps and metrics: 1/4 cat.jpg, 0:00:10 so far")
    assert shown.lines[-1] == "maps and metrics: 1/4 cat.jpg, 0:00:10"
