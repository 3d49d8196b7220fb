"""`gradoscope.load`: explanations that were written to disk, as they were when they were made."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ..attribution.plugins import plugins
from ..contract.problems import BadAnswer, NotFound
from ..contract.records import Explanation as Record
from ..pipeline.archive import part_files
from ..pipeline.folder_index import INDEX
from ..pipeline.resume import RECORD
from .folder_run import FolderRun
from .results import Explanation

ReadFile = Callable[[str], bytes | None]  # reads a file by its path in the folder or ZIP; None if it is not there


class SavedParts:
    """The parts of an explanation in files. They are read when they are asked for."""

    url: str | None = None

    def __init__(self, record: Record, read_file: ReadFile) -> None:
        self._files, self._read_file = part_files(record), read_file

    def read(self, name: str) -> bytes | None:
        path = self._files.get(name)
        return None if path is None else self._read_file(path)

    def titles(self) -> Mapping[str, str]:
        """From the methods' source files: to read maps, PyTorch is not needed."""
        return {plugin.id: plugin.declared().get("title", plugin.id) for plugin in plugins("methods")}


def load(path: str | Path) -> Explanation | FolderRun:
    """The explanation in a folder or a ZIP, with its maps as arrays. Needs neither a server nor PyTorch.

    It is what `gradoscope explain` writes for a picture, `Explanation.save`, or the page's ZIP, packed or not. Of a
    folder with the index of a run over many pictures it is a `FolderRun`. Raises `NotFound` if there is none,
    `BadAnswer` if its record cannot be read.
    """
    path = Path(path).expanduser()
    if path.is_dir() and (path / INDEX).is_file() and not (path / RECORD).exists():
        return FolderRun(path, load_one)
    return load_one(path)


def load_one(path: Path) -> Explanation:
    """The explanation in a folder or a ZIP; see `load`."""
    if path.is_dir():
        return _load(path, lambda name: _read(path, name))
    if not path.exists():
        raise NotFound(f"There is no {path}. Name a folder or a ZIP with an explanation.")
    try:
        packed = io.BytesIO(path.read_bytes())
        with zipfile.ZipFile(packed) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise BadAnswer(f"{path} is neither a folder nor a whole ZIP: {error}. Download or save it again.") from error

    def read_packed(name: str) -> bytes | None:
        if name not in names:
            return None
        try:
            with zipfile.ZipFile(packed) as archive:
                return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:  # damaged, or encrypted
            raise BadAnswer(f"{path}: {name} cannot be read: {error}. Download or save it again.") from error

    return _load(path, read_packed)


def load_all(folder: str | Path) -> Iterator[tuple[str, Explanation]]:
    """Yields (path in the folder, explanation) for all explanations in a folder and the folders in it, by name: what
    `gradoscope explain` writes for several pictures.

    Raises `NotFound` if there is none, `BadAnswer` if a record cannot be read.
    """
    folder = Path(folder).expanduser()
    found = sorted(file.parent for file in folder.rglob(RECORD))
    if not found:
        raise NotFound(f"There is no explanation in {folder}: no folder in it has an {RECORD}.")
    for one in found:
        yield one.relative_to(folder).as_posix(), load_one(one)


def _load(path: Path, read_file: ReadFile) -> Explanation:
    data = read_file(RECORD)
    if data is None:
        several = (
            " For a folder of explanations take load_all." if path.is_dir() and any(path.glob(f"*/{RECORD}")) else ""
        )
        raise NotFound(f"There is no explanation in {path}: it has no {RECORD}.{several}")
    try:
        record = Record.model_validate(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"{path}: its {RECORD} is damaged, or no record of an explanation: {error}") from error
    return Explanation(record, SavedParts(record, read_file))


def _read(folder: Path, name: str) -> bytes | None:
    file = folder / name
    # A record may come from somebody else: what it names outside its folder is not read.
    if not file.resolve().is_relative_to(folder.resolve()):
        return None
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
