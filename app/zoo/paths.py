"""Paths in messages: short for the operator, and without the machine's folders for a server's clients."""

from __future__ import annotations

import os
from pathlib import Path

from ..settings import Settings

_names: dict[str, str] = {}  # of folders, in a process of a server


def hide_paths(settings: Settings) -> None:
    """From now on messages of this process name the settings of folders instead of the folders: a server's clients read
    them, and need not know where things are on its disk."""
    _names.update(paths_by_name(settings))


def paths_by_name(settings: Settings) -> dict[str, str]:
    """The folders that settings name, each with the name of the variable."""
    folders = {"GRADOSCOPE_WEIGHTS": settings.weights, "GRADOSCOPE_MODELS": settings.models}
    if isinstance(settings.store, Path):
        folders["GRADOSCOPE_STORE"] = settings.store
    return {str(folder.absolute()): name for name, folder in folders.items() if folder is not None}


def short_path(path: Path) -> str:
    """A path as text, with ~ for the home folder. In a server's processes, with the name of its setting for a folder
    that one names, and otherwise its last part alone."""
    if _names:
        return _without_folders(path)
    home = str(Path.home())
    text = str(path)
    return f"~{text[len(home) :]}" if home != "/" and text.startswith(f"{home}{os.sep}") else text


def _without_folders(path: Path) -> str:
    text = str(path.absolute())
    for folder, name in sorted(_names.items(), key=lambda item: -len(item[0])):
        if text == folder or text.startswith(f"{folder}{os.sep}"):
            return f"{name}{text[len(folder) :]}"
    return path.name
