"""Which pictures are meant: files, folders and patterns, and the folder that each one's results go to."""

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
    """A picture, and the folder of its results."""

    path: Path
    folder: Path

    def read(self) -> bytes:
        """The picture's bytes. Raises `OSError`."""
        return self.path.read_bytes()


def is_one_file(paths: Sequence[Path]) -> bool:
    """Whether exactly one picture is named, by itself and not by a folder or a pattern."""
    return len(paths) == 1 and paths[0].is_file()


def find_image_files(paths: Sequence[Path], out: Path | None, recursive: bool) -> list[ImageFile]:
    """The pictures in their order. A folder stands for its pictures, with `recursive` for those in folders below too.

    The results of DIR/a/cat.jpg go to OUT/a/cat.jpg/; OUT is explanations/DIR for one folder. For several paths OUT is
    explanations, and DIR is part of the place. Hidden files, and what lies in OUT, are passed over.
    Raises `Unprocessable` where there is none, or where two would go to one place.
    """
    named = [found for path in paths for found in _matches(path)]
    alone = len(named) == 1 and named[0].is_dir()
    target = out or (Path("explanations") / _own_name(named[0]) if alone else Path("explanations"))
    entries: dict[Path, ImageFile] = {}
    for path in named:
        for picture in _pictures(path, target.resolve(), recursive):
            within = picture.relative_to(path)  # «.» where it was named itself
            entry = ImageFile(picture, target / within if alone else target / _own_name(path) / within)
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


def _own_name(path: Path) -> str:
    return os.path.basename(os.path.abspath(path))


def _matches(path: Path) -> list[Path]:
    """`path` itself, or what a pattern stands for that the shell has left as it is."""
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
    for folder, below, files in os.walk(path):
        below[:] = sorted(n for n in below if recursive and not n.startswith(".") and Path(folder, n).resolve() != out)
        for name in sorted(files):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Path(folder, name)
