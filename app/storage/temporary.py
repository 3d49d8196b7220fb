"""Temporary folders for the store of a command or of a call in process."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .runner import FOLDER, Runner, is_alive

PREFIX = "gradoscope-"
OWNER = "owner"  # only temporary folders have such a folder: one that somebody has made for a server is never deleted


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A context with a new folder, which is deleted at its end; so are folders of processes that were killed."""
    delete_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        owner = Runner(folder / OWNER)
        try:
            yield folder
        finally:
            owner.close()


def delete_abandoned() -> None:
    """Delete the temporary folders of this user whose process has ended without doing so."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # it is gone, or it cannot be read
            if folder.lstat().st_uid == os.getuid() and _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether the process of a temporary folder has ended. Raises `OSError` if no process is known."""
    names = [path.name for path in (folder / OWNER / FOLDER).iterdir()]
    if not names or not all(map(str.isalnum, names)):  # its process is just making it
        return False
    return not any(is_alive(folder / OWNER, name) for name in names)
