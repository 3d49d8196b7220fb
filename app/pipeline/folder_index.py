"""The index of a run over a folder: index.csv with a row for each map, and maps.npz with all of them in one file."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from ..contract.problems import BadAnswer, Problem
from ..contract.records import Explanation, PanelBody
from ..images.image_files import ImageFile
from .resume import RECORD

INDEX = "index.csv"
MAPS = "maps.npz"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of the files in maps.npz: the same maps give the same bytes


@dataclass(frozen=True)
class IndexRow:
    """One map of a run over a folder, or why there is none. Paths are relative to the folder of the index.

    `picture` is the folder with the picture's results, `source` the picture's file. `status` is that of the panel, or
    of a picture without a record: `failed`, or `missing` if its results are gone. `detail` says why there is no map.
    """

    picture: str
    source: str
    model: str = ""
    method: str = ""
    target: int | None = None
    label: str = ""
    probability: float | None = None
    status: str = "failed"
    npy: str = ""
    png: str = ""
    detail: str = ""

    @property
    def key(self) -> str:
        """The name of the map in maps.npz."""
        return self.npy.removesuffix(".npy")


def write_index(root: Path, entries: Iterable[ImageFile], failed: Mapping[Path, Problem]) -> None:
    """Write the index of these pictures into `root`, from the records in their folders; `failed` has the pictures that
    could not be explained in this run, by their folders. One record is in memory at a time. Raises `Problem`."""
    with _replacing(root / INDEX) as file:
        text = open(file.fileno(), "w", encoding="utf-8", errors="surrogateescape", newline="", closefd=False)  # noqa: SIM115
        with text:
            table = csv.writer(text, lineterminator="\n")
            table.writerow(field.name for field in fields(IndexRow))
            for entry in entries:
                for row in _rows(root, entry, failed.get(entry.folder)):
                    table.writerow("" if value is None else value for value in astuple(row))


def write_maps(root: Path) -> None:
    """Write maps.npz with the maps that the index in `root` names, one after the other. Its comment is the hash of the
    index. Raises `Problem`."""
    with _replacing(root / MAPS) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _hash(root)
        for row in read_index(root):
            if row.npy:
                info = zipfile.ZipInfo(row.npy, EPOCH)
                info.file_size = (root / row.npy).stat().st_size
                with (root / row.npy).open("rb") as source, archive.open(info, "w") as target:
                    shutil.copyfileobj(source, target)


def read_index(root: Path) -> Iterator[IndexRow]:
    """The rows of the index in `root`. Raises `BadAnswer` if it is damaged, `OSError` if it cannot be read."""
    with (root / INDEX).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        table = csv.DictReader(file, strict=True)
        names = [field.name for field in fields(IndexRow)]
        try:
            for row in table:
                found = {name: row[name] for name in names}
                target, probability = found.pop("target"), found.pop("probability")
                yield IndexRow(
                    **found,
                    target=int(target) if target else None,
                    probability=float(probability) if probability else None,
                )
        except (csv.Error, KeyError, ValueError, TypeError) as error:
            raise BadAnswer(f"{root / INDEX} is damaged in line {table.line_num}, or no index of a run.") from error


def maps_of_index(root: Path) -> zipfile.ZipFile | None:
    """The maps.npz beside the index in `root`, open; None if there is none, or it was written for another index."""
    try:
        archive = zipfile.ZipFile(root / MAPS)
    except FileNotFoundError:
        return None
    except (OSError, zipfile.BadZipFile) as error:
        raise BadAnswer(f"{root / MAPS} cannot be read: {error}. Write it again, by --npz.") from error
    if archive.comment == _hash(root):
        return archive
    archive.close()
    return None


def _hash(root: Path) -> bytes:
    with (root / INDEX).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().encode()


def _rows(root: Path, entry: ImageFile, problem: Problem | None) -> Iterator[IndexRow]:
    picture, source = entry.folder.relative_to(root).as_posix(), str(entry.path)
    if problem is not None:
        yield IndexRow(picture, source, detail=problem.detail)
        return
    try:
        record = Explanation.model_validate(json.loads((entry.folder / RECORD).read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        yield IndexRow(picture, source, status="missing", detail=f"Its {RECORD} cannot be read: {error}"[:200])
        return
    for panel in record.panels:
        target = panel.target
        yield IndexRow(
            picture,
            source,
            panel.model,
            panel.method,
            target.index if target else None,
            target.label if target else "",
            _probability(record, panel),
            panel.status,
            f"{picture}/{panel.urls.npy}" if panel.urls.npy else "",
            f"{picture}/{panel.urls.png}" if panel.urls.png else "",
            panel.problem.detail if panel.problem else "",
        )


def _probability(record: Explanation, panel: PanelBody) -> float | None:
    """The probability of a panel's class; None if it is not among those that the record has."""
    for seen in record.inputs:
        if seen.model == panel.model and panel.target is not None:
            for predicted in (*seen.predictions, *seen.targets):
                if predicted.index == panel.target.index:
                    return predicted.probability
    return None


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that replaces the one at `path` once it is whole. Raises `Problem` if it cannot be written."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error.strerror or error}.") from error
