"""Writes the file of a run as it happens, within a bound of bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .record import FORMAT

MIN_BYTES = 64 * 1024
NEWEST = 4  # one part in so many of the steps is never thinned out


class RunWriter:
    """Appends a line for each recorded step; each is whole on disk (as far as the system goes) before the next.

    When the file would be larger than `max_bytes`, every second of its older steps goes, but neither the first nor
    the newest quarter, nor lines that were marked to stay. So after any number of steps the older part is the
    sparser, and each line is rewritten only a few times. The rewritten file replaces the old one in one step, so a
    process that is killed leaves one or the other.
    """

    def __init__(self, file: Path, head: Mapping[str, Any], max_bytes: int) -> None:
        """Raises `FileExistsError` where another kind of file is there, `OSError` where none can be written."""
        refuse_other_file(file)
        self._file, self._max_bytes = file, max(MIN_BYTES, max_bytes)
        self._head = [_line(head)]
        self._steps: list[tuple[bytes, bool]] = []  # each with whether it stays
        self._bytes = len(self._head[0])
        self._out = open(file, "wb")  # noqa: SIM115 - closed by `close`
        self._out.write(self._head[0])
        self._out.flush()

    def add_activation(self, name: str, units: int) -> None:
        line = _line({"activation": {"name": name, "units": units}})
        self._head.append(line)
        self._append(line)

    def add_step(self, values: Mapping[str, Any], stays: bool = False) -> None:
        line = _line(values)
        self._steps.append((line, stays))
        self._append(line)
        if self._bytes > self._max_bytes:
            self._thin_out()

    def close(self) -> None:
        self._out.close()

    def _append(self, line: bytes) -> None:
        self._out.write(line)
        self._out.flush()
        self._bytes += len(line)

    def _thin_out(self) -> None:
        """Drop every second older step until a quarter of the bytes is free again."""
        while self._bytes > self._max_bytes * 3 // 4:
            older = len(self._steps) - len(self._steps) // NEWEST
            kept = [one for place, one in enumerate(self._steps) if place >= older or place % 2 == 0 or one[1]]
            if len(kept) == len(self._steps):
                break
            self._steps = kept
            self._bytes = sum(map(len, self._head)) + sum(len(line) for line, _ in kept)
        beside = self._file.with_name(self._file.name + ".part")
        out = open(beside, "wb")  # noqa: SIM115 - it becomes the file that is appended to
        try:
            out.write(b"".join((*self._head, *(line for line, _ in self._steps))))
            self._out.close()  # before it is replaced: Windows replaces no open file
            out.close()
            os.replace(beside, self._file)
        finally:
            out.close()
        self._out = open(self._file, "ab")  # noqa: SIM115


def refuse_other_file(file: Path) -> None:
    """Raise `FileExistsError` where a file that is no run would be lost; a run of the same name is replaced."""
    if not file.exists():
        return
    with file.open("rb") as there:
        start = there.read(64)
    if start and not start.startswith(b'{"format": "' + FORMAT.encode()):
        raise FileExistsError(f"{file} is there and is no file of a run. Give another name.")


def _line(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(", ", ": ")) + "\n").encode()
