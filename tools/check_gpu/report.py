"""What a section found: rows of a table, bounds, what was left out; as Markdown while it runs, and as JSON."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Section:
    """A part of the check with its budget of seconds; what is added to it is printed at once."""

    title: str
    columns: tuple[str, ...]
    budget: float
    rows: list[tuple[str, ...]] = field(default_factory=list)
    bounds: list[tuple[str, bool]] = field(default_factory=list)  # what must hold, and whether it does
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    error: str | None = None
    seconds: float = 0.0
    peak_mib: float = 0.0

    def __post_init__(self) -> None:
        self._began = time.monotonic()

    def begin(self) -> None:
        """Print the head, and start the clock."""
        self._began = time.monotonic()
        print(f"\n## {self.title}\n\n| {' | '.join(self.columns)} |\n|{' --- |' * len(self.columns)}", flush=True)

    def end(self, peak_mib: float) -> None:
        """Print what stands below the table."""
        self.seconds, self.peak_mib = round(time.monotonic() - self._began, 1), round(peak_mib)
        print()
        for text, holds in self.bounds:
            print(f"- {'holds' if holds else '**FAILS**'}: {text}")
        for note in self.notes:
            print(f"- {note}")
        for what in self.left_out:
            print(f"- left out, for its {self.budget:.0f} s were over: {what}")
        if self.error:
            print(f"- **ERROR**: {self.error}")
        print(f"- took {self.seconds:.0f} s; {self.peak_mib:.0f} MiB at the peak", flush=True)

    def row(self, *cells: object) -> None:
        self.rows.append(tuple(map(str, cells)))
        print(f"| {' | '.join(self.rows[-1])} |", flush=True)

    def bound(self, text: str, holds: bool) -> None:
        self.bounds.append((text, holds))

    def has_time_for(self, what: str) -> bool:
        """Whether some of the budget is left; else `what` is noted as left out."""
        if time.monotonic() - self._began < self.budget:
            return True
        self.left_out.append(what)
        return False


@dataclass
class Report:
    """All sections of a run, and where it ran."""

    device: str
    versions: dict[str, str]
    sections: list[Section] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """The bounds that fail, and the sections that ended in an error."""
        broken = [text for section in self.sections for text, holds in section.bounds if not holds]
        return broken + [f"{section.title}: {section.error}" for section in self.sections if section.error]

    @property
    def left_out(self) -> list[str]:
        return [f"{section.title}: {what}" for section in self.sections for what in section.left_out]

    @property
    def exit_status(self) -> int:
        """1 where a bound fails or a section ends in an error, 3 where something was left out, else 0."""
        return 1 if self.failures else 3 if self.left_out else 0

    @property
    def verdict(self) -> str:
        count = sum(len(section.bounds) for section in self.sections)
        if self.failures:
            found = f"{len(self.failures)} failed: {'; '.join(self.failures)}"
        else:
            found = f"all {count} bounds hold"
        return found + (f"; left out: {'; '.join(self.left_out)}" if self.left_out else "")

    def write(self, path: Path) -> None:
        """All of it as JSON."""
        content: dict[str, Any] = {
            "device": self.device,
            "versions": self.versions,
            "verdict": self.verdict,
            "exit_status": self.exit_status,
            "sections": [asdict(section) for section in self.sections],
        }
        path.write_text(json.dumps(content, indent=2), "utf-8")
