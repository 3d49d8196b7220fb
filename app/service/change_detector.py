"""Finds out whether cards or weights have changed on disk since they were last read."""

from __future__ import annotations

from pathlib import Path

from ..settings import Settings


class ChangeDetector:
    """Compares modification times in the folders of cards and weights. Cheap enough for every `GET /models`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last = self._signature()

    def changed(self) -> bool:
        """Whether something changed since the last call."""
        before, self._last = self._last, self._signature()
        return before != self._last

    def _signature(self) -> dict[str, int]:
        weights = self._settings.weights
        folders = [
            *self._settings.card_folders,
            weights / "checkpoints",
            *weights.glob("hub/*/*"),
            *weights.glob("hub/*/*/*"),
        ]
        paths = [path for folder in folders for path in (folder, *_entries(folder))]
        return {str(path): modified for path in paths if (modified := _modified(path)) is not None}


def _entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix != ".part"]  # of a running download
    except OSError:
        return []


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
