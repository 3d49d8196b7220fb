"""The results of a run over a folder, as `gradoscope explain DIR` writes them: its index, explanations and maps."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import numpy as np

from ..contract.problems import BadAnswer, NotFound
from ..pipeline.folder_index import INDEX, MAPS, IndexRow, maps_of_index, read_index
from .results import Explanation


class FolderRun(Mapping[str, Explanation]):
    """The explanations of a run by picture, in the order of its index; each is read when it is asked for.

    `rows` has the index: a row for each map, with its class, probability and status. Maps come from the files of the
    explanations, or from maps.npz if these are gone.
    """

    def __init__(self, folder: Path, load: Callable[[Path], Explanation]) -> None:
        self.folder, self._load = folder, load

    @cached_property
    def rows(self) -> tuple[IndexRow, ...]:
        """The rows of index.csv. Raises `BadAnswer` if it is damaged."""
        return tuple(read_index(self.folder))

    @cached_property
    def _pictures(self) -> dict[str, None]:
        return dict.fromkeys(row.picture for row in self.rows)

    def __getitem__(self, picture: str) -> Explanation:
        if picture not in self._pictures:
            raise KeyError(picture)
        return self._load(self._inside(picture))

    def __iter__(self) -> Iterator[str]:
        return iter(self._pictures)

    def __len__(self) -> int:
        return len(self._pictures)

    def maps(self) -> Iterator[tuple[IndexRow, np.ndarray]]:
        """Yields (row, map) for all maps that were made, one after the other: (channels, height, width) in float32.

        Raises `NotFound` if a map is neither in its file nor in maps.npz, `BadAnswer` if it is damaged.
        """
        with ExitStack() as opened:
            packed: zipfile.ZipFile | None = None
            for row in self.rows:
                if not row.npy:
                    continue
                file = self._inside(row.npy)
                if file.exists():
                    yield row, _array(file.read_bytes(), row.npy)
                    continue
                if packed is None and (packed := maps_of_index(self.folder)) is not None:
                    opened.enter_context(packed)
                yield row, _array(_unpacked(packed, row.npy, self.folder), row.npy)

    def _inside(self, name: str) -> Path:
        """A path in the folder. An index may come from somebody else: what it names outside is not read."""
        path = self.folder / name
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise BadAnswer(f"{self.folder / INDEX} names {name}, which is outside its folder.")
        return path


def _unpacked(packed: zipfile.ZipFile | None, name: str, folder: Path) -> bytes:
    if packed is None or name not in packed.NameToInfo:
        raise NotFound(f"There is no map {name} in {folder}: its file is gone. Run it again.")
    try:
        return packed.read(name)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:  # damaged, or encrypted
        raise BadAnswer(f"{folder / MAPS}: {name} cannot be read: {error}. Write it again, by --npz.") from error


def _array(data: bytes, name: str) -> np.ndarray:
    try:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise BadAnswer(f"{name} is damaged: {error}") from error
