"""Finds pictures by files, folders and patterns, and chooses the folder for each one's results."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..contract.problems import Unprocessable

HEIC = (".heic", ".heif")  # read where pillow-heif is installed
READ = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif")
SUFFIXES = frozenset((*READ, *HEIC) if find_spec("pillow_heif") else READ)
MAX_KINDS = 5  # kinds of files that are listed


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
    out_folder = results_folder(paths, out)
    entries: dict[Path, ImageFile] = {}
    for path in matches:
        for picture in _pictures(path, out_folder.resolve(), recursive):
            relative = picture.relative_to(path)  # «.» if the picture itself was named
            folder = out_folder if single_folder else out_folder / _base_name(path)
            entry = ImageFile(picture, folder / relative)
            other = entries.setdefault(entry.folder, entry)
            if other.path.resolve() != picture.resolve():
                raise Unprocessable(
                    f"{other.path} and {picture} would both go to {entry.folder}. Explain them in two runs, each with "
                    "an --out of its own."
                )
    if not entries:
        hint = left_out(paths, out, recursive)
        raise Unprocessable(f"There is no picture in {', '.join(map(str, paths))}.{hint and f' {hint}'}")
    return list(entries.values())


def results_folder(paths: Sequence[Path], out: Path | None) -> Path:
    """OUT of `find_image_files`: the folder that holds the folders for the results of all pictures."""
    matches = [found for path in paths for found in _matches(path)]
    single_folder = len(matches) == 1 and matches[0].is_dir()
    return out or (Path("explanations") / _base_name(matches[0]) if single_folder else Path("explanations"))


def left_out(paths: Sequence[Path], out: Path | None, recursive: bool) -> str:
    """What a run over folders passes over, in a sentence: files that are no pictures by their suffix, folders below.
    Empty if there is nothing. Hidden files and the folder for results do not count."""
    kinds: Counter[str] = Counter()
    folders = 0
    for top in (found for path in paths for found in _matches(path) if found.is_dir()):
        for _, subfolders, files in _walk(top, (out or Path("explanations")).resolve()):
            names = (name for name in files if not name.startswith("."))
            kinds.update(suffix for name in names if (suffix := Path(name).suffix.lower()) not in SUFFIXES)
            if not recursive:
                folders += len(subfolders)
                subfolders.clear()
    said = []
    if kinds:
        most = [f"{count} {suffix or 'without a suffix'}" for suffix, count in kinds.most_common(MAX_KINDS)]
        more = ", …" if len(kinds) > MAX_KINDS else ""
        said.append(f"files that are no pictures by their names ({', '.join(most)}{more})")
    if folders:
        said.append(f"folders below ({folders}; --recursive takes them too)")
    heic = " HEIC is read where pillow-heif is installed." if any(suffix in kinds for suffix in HEIC) else ""
    return f"Passed over: {' and '.join(said)}.{heic}" if said else ""


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
    for folder, subfolders, files in _walk(path, out):
        if not recursive:
            subfolders.clear()
        for name in sorted(files):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Path(folder, name)


def _walk(path: Path, out: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk` in order, without hidden folders and `out`."""
    for folder, subfolders, files in os.walk(path):
        subfolders[:] = sorted(n for n in subfolders if not n.startswith(".") and Path(folder, n).resolve() != out)
        yield folder, subfolders, files
