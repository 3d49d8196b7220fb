"""Whether cards or weights have changed on disk since they were last read."""

from __future__ import annotations

from pathlib import Path

from ..settings import Settings


class ChangeDetector:
    """A signature of the folders that a catalogue depends on; cheap enough to be taken at every request for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen = self._signature()

    def changed(self) -> bool:
        """Whether something changed since this was last asked."""
        before, self._seen = self._seen, self._signature()
        return before != self._seen

    def _signature(self) -> dict[str, int]:
        weights = self._settings.weights
        folders = [
            *self._settings.card_folders,
            weights / "checkpoints",
            *weights.glob("hub/*/*"),
            *weights.glob("hub/*/*/*"),
        ]
        paths = [path for folder in folders for path in (folder, *_entries(folder))]
        return {str(path): when for path in paths if (when := _modified(path)) is not None}


def _entries(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix != ".part"]
    except OSError:
        return []


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
