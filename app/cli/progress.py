"""The progress of a run over many pictures, and its summary."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console

from ..contract.problems import Problem
from ..contract.records import Explanation
from ..images.image_files import ImageFile
from ..pipeline.progress import ProgressBars


class FolderProgress:
    """A progress bar while the block lasts, and counts."""

    def __init__(self, total: int, console: Console) -> None:
        self.failed: list[tuple[ImageFile, Problem]] = []
        self._total, self._console = total, console
        self._done = self._skipped = 0
        self._refusals: dict[str, None] = {}
        self._notes: Counter[str] = Counter()
        self._bars = ProgressBars(console)
        self._task = self._bars.add("", total, "pictures")

    def __enter__(self) -> FolderProgress:
        self._bars.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._bars.__exit__(*raised)

    def add_explained(self, entry: ImageFile, record: Explanation) -> None:
        """A picture was explained, and is written."""
        self._done += 1
        self._refusals |= dict.fromkeys(refusals(record))
        self._notes.update(notes(record))
        self._advance(entry)

    def add_skipped(self, entry: ImageFile) -> None:
        """Its results were there already."""
        self._skipped += 1
        self._advance(entry)

    def add_failed(self, entry: ImageFile, problem: Problem) -> None:
        """It could not be explained."""
        self.failed.append((entry, problem))
        self._advance(entry)

    @property
    def problems(self) -> dict[Path, Problem]:
        """Why pictures could not be explained, by the folders for their results."""
        return {entry.folder: problem for entry, problem in self.failed}

    def print_summary(self) -> None:
        """Print what became of the pictures, in a few lines."""
        for line in self._refusals:
            self._console.print(line, highlight=False, markup=False)
        for line, count in self._notes.items():
            self._console.print(f"{line} ({count} of {self._done} pictures)", highlight=False, markup=False)
        self._console.print(f"{self._done} explained, {self._skipped} were there already.", highlight=False)
        if self.failed:
            self._console.print(
                f"{len(self.failed)} of {self._total} pictures could not be explained:", highlight=False
            )
            for entry, problem in self.failed:
                self._console.print(f"{entry.path}: {problem.detail}", highlight=False, markup=False, soft_wrap=True)

    def _advance(self, entry: ImageFile) -> None:
        done = self._done + self._skipped + len(self.failed)
        self._bars.update(self._task, done, what=entry.path.name[-28:])


def refusals(record: Explanation) -> list[str]:
    """What is told of panels that were not made, a line each."""
    return [f"{panel.method} {panel.status}: {panel.problem.detail}" for panel in record.panels if panel.problem]


def notes(record: Explanation) -> list[str]:
    """What a reader of the maps should know, a line each."""
    return [f"{panel.method}, {panel.model}: {note.detail}" for panel in record.panels for note in panel.notes]
