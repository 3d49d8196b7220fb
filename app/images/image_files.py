"""Finds pictures by files, folders and patterns, and chooses the folder for each one's results."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..contract.problems import Unprocessable

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif"))


@dataclass(frozen=True)
class ImageFile:
    """A picture file, and the folder for its results."""

    path: Path
    folder: Path

    def read(self) -> bytes:
        """The picture's bytes. Raises `OSError`."""
        return self.path.read_bytes()


def is_one_file(paths: Sequence[Path]) -> bool:
    """Whether exactly one picture is named, not through a folder or a pattern."""
    return len(paths) == 1 and paths[0].is_file()


def find_image_files(paths: Sequence[Path], out: Path | None, recursive: bool) -> list[ImageFile]:
    """The pictures in order. A folder stands for its pictures, with `recursive` also for those in subfolders.

    The results of DIR/a/cat.jpg go to OUT/a/cat.jpg/; by default OUT is explanations/DIR for one folder. For several
    paths OUT is explanations, and the results go to OUT/DIR/a/cat.jpg/. Hidden files and files in OUT are skipped.
    Raises `Unprocessable` if there is no picture, or if two pictures would share a result folder.
    """
    matches = [found for path in paths for found in _matches(path)]
    single_folder = len(matches) == 1 and matches[0].is_dir()
    target = out or (Path("explanations") / _base_name(matches[0]) if single_folder else Path("explanations"))
    entries: dict[Path, ImageFile] = {}
    for path in matches:
        for picture in _pictures(path, target.resolve(), recursive):
            relative = picture.relative_to(path)  # «.» if the picture itself was named
            entry = ImageFile(picture, target / relative if single_folder else target / _base_name(path) / relative)
            other = entries.setdefault(entry.folder, entry)
            if other.path.resolve() != picture.resolve():
                raise Unprocessable(
                    f"{other.path} and {picture} would both go to {entry.folder}. Explain them in two runs, each with "
                    "an --out of its own."
                )
    if not entries:
        hint = "" if recursive else " With --recursive, folders below are looked through too."
        raise Unprocessable(f"There is no picture in {', '.join(map(str, paths))}.{hint}")
    return list(entries.values())


def _base_name(path: Path) -> str:
    return os.path.basename(os.path.abspath(path))


def _matches(path: Path) -> list[Path]:
    """`path` itself, or the matches of a pattern that the shell has not expanded."""
    if path.exists():
        return [path]
    found = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
    if not found:
        raise Unprocessable(f"There is no file {path}.")
    return found


def _pictures(path: Path, out: Path, recursive: bool) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, subfolders, files in os.walk(path):
        subfolders[:] = sorted(
            n for n in subfolders if recursive and not n.startswith(".") and Path(folder, n).resolve() != out
        )
        for name in sorted(files):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Path(folder, name)
