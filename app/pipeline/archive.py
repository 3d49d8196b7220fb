"""An explanation as files, for ZIP downloads and the command line."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from ..contract.arrays import measurement_part, npy, reduce_channels, unpack
from ..contract.problems import NotFound
from ..contract.records import Explanation, PanelBody, PanelUrls
from ..images.contact_sheet import contact_sheet
from ..images.palettes import MAGNITUDE_PALETTE
from ..images.render import draw
from ..storage.stores import AnyStore
from .resume import RECORD
from .stored_parts import read_part

R = TypeVar("R", bound=Explanation)
PartReader = Callable[[str], bytes | None]  # reads a part of the explanation by its name in the store


def files(record: Explanation, read: PartReader, titles: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yields (path, bytes) of README, record, contact sheet, picture, model inputs, each map as PNG and .npy, and a
    table of metrics.

    Raises `NotFound` if a part is gone.
    """
    yield "README.md", readme(record).encode()
    yield RECORD, json.dumps(record.to_dict(), indent=2, ensure_ascii=False).encode()
    yield "contact_sheet.png", png(sheet(record, read, titles))
    for part, path in part_files(record).items():
        data = read(part) if part.startswith("map:") else _part(read, part)
        if data is not None:
            yield path, data
        if data is not None and part.startswith("panel:"):
            map = draw(reduce_channels(array(data), "abs"), MAGNITUDE_PALETTE, signed=False)
            yield f"{path.removesuffix('.npy')}.png", png(map)
    if any(panel.metrics for panel in record.panels):
        yield "metrics.csv", metrics_table(record).encode()


def part_files(record: Explanation) -> dict[str, str]:
    """The file of each part by the part's name: image, input:MODEL, panel:ID, map:PANEL:METRIC:NAME."""
    paths = {"image": "image.png"}
    for model_input in record.inputs:
        paths[f"input:{model_input.model}"] = f"inputs/{_file_name(model_input.model)}.png"
    for panel in record.panels:
        if panel.status == "done" and panel.target is not None:
            paths[f"panel:{panel.id}"] = f"{_panel_name(panel)}.npy"
        paths |= {part: name for name, part in _metric_maps(panel)}
    return paths


def zipped(entries: Iterator[tuple[str, bytes]]) -> Generator[bytes, None, None]:
    """A ZIP of the entries, entry by entry: at most one of them is in memory."""
    buffer = _StreamBuffer()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
            yield buffer.take()
    yield buffer.take()


class _StreamBuffer(io.RawIOBase):
    """A seekable file that keeps only the bytes that were not yet taken. `ZipFile` can still go back in them and write
    an entry's size and checksum into its header, where every reader finds them."""

    def __init__(self) -> None:
        self._kept, self._start, self._at = bytearray(), 0, 0

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = bytes(self._kept)
        self._start += len(taken)
        self._kept.clear()
        return taken

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        end = self._start + len(self._kept)
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: end}[whence]
        if not self._start <= self._at <= end:
            raise io.UnsupportedOperation("this part of the file was taken already")
        return self._at

    def write(self, data: Any) -> int:
        data = bytes(data)
        place = self._at - self._start
        self._kept[place : place + len(data)] = data
        self._at += len(data)
        return len(data)


def with_file_names(record: R) -> R:
    """A copy of a record that names the files that `files` yields, instead of addresses at a server."""
    local = record.model_copy(deep=True)
    local.url = ""
    for model_input in local.inputs:
        model_input.url = f"inputs/{_file_name(model_input.model)}.png"
    for panel in local.panels:
        if panel.status == "done" and panel.target is not None:
            name = _panel_name(panel)
            panel.urls = PanelUrls(npy=f"{name}.npy", png=f"{name}.png")
        for measured in panel.metrics.values():
            measured.maps = {map: _map_name(panel, measured.metric, map) for map in measured.maps}
    return local


def part_reader(store: AnyStore, explanation: str) -> PartReader:
    """Reads parts of a stored explanation, also a single map of a metric (`map:PANEL:METRIC:NAME`); the store keeps all
    maps of a metric together."""

    def read(name: str) -> bytes | None:
        if not name.startswith("map:"):
            return read_part(store, explanation, name)
        _, panel, metric, map = name.split(":", 3)
        packed = store.read(explanation, measurement_part(panel, metric))
        values = None if packed is None else unpack(packed, map)
        return None if values is None else npy(values)

    return read


def _panel_name(panel: PanelBody) -> str:
    """The path of a panel's files, without a suffix."""
    return _file_name(f"panels/{panel.id}-{panel.model}-{panel.method}-{panel.target.index if panel.target else ''}")


def _metric_maps(panel: PanelBody) -> Iterator[tuple[str, str]]:
    """The maps that metrics have made: the path of the file, and the name of the part."""
    for metric, measured in panel.metrics.items():
        for name in measured.maps:
            yield _map_name(panel, metric, name), f"map:{panel.id}:{metric}:{name}"


def _map_name(panel: PanelBody, metric: str, name: str) -> str:
    return _file_name(f"metrics/{panel.id}-{metric}-{name}.npy")


def metrics_table(record: Explanation) -> str:
    """The metrics of all panels as CSV, one line for each scalar; curves and the like are only in the record."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(("panel", "model", "method", "target", "label", "metric", "status", "figure", "value"))
    for panel in record.panels:
        target = (panel.target.index, panel.target.label) if panel.target else ("", "")
        for id, measured in panel.metrics.items():
            about = panel.id, panel.model, panel.method, *target, id, measured.status
            numbers = dict(scalars(measured.figures)) or {"": ""}
            lines.writerows((*about, name, value) for name, value in numbers.items())
    return out.getvalue()


def scalars(figures: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The scalars in a metric's figures, each with its path, such as `map.area` or `stages.3.ssim`."""
    if isinstance(figures, dict):
        for key, value in figures.items():
            yield from scalars(value, f"{name}.{key}" if name else key)
    elif isinstance(figures, list):
        for number, value in enumerate(figures):
            if isinstance(value, dict):
                yield from scalars(value, f"{name}.{number}")
    elif figures is not None:
        yield name, figures


README_TEMPLATE = """# Explanation {id}
Made by Gradoscope {version} with {models}; score: {score}, seed: {seed}.

- `explanation.json`: the record: predictions, targets, parameters, statistics, diagnostics, versions
- `contact_sheet.png`: all maps with captions and scales
- `image.png`: the picture · `inputs/MODEL.png`: exactly the pixels that a model saw
- `panels/PANEL-MODEL-METHOD-CLASS.npy`: the raw map, float32, (channels, height, width), signed; beside it a PNG
  (sum of |·| over the channels, clipped at the 99th percentile)
- `metrics.csv`, where metrics were asked for: a line for each number; their curves are in the record
{maps}
Values are the score's change for a pixel value in [0, 1] (gradients), or shares of it (integrated methods).

```python
import json
import pathlib

import numpy as np

record = json.load(open("explanation.json"))
for panel in record["panels"]:
    if panel["status"] == "done":
        (path,) = pathlib.Path("panels").glob(f"{{panel['id']}}-*.npy")
        values = np.load(path)
        print(panel["model"], panel["method"], panel["target"]["label"], values.shape, values.sum())
```
"""


README_METRIC_MAPS = "- `metrics/PANEL-METRIC-NAME.npy`: a map that a metric has made\n"


def readme(record: Explanation) -> str:
    """The README: what the files are, and how to load them in Python. A ZIP of the server holds no maps of metrics."""
    in_folder = not record.url  # see `with_file_names`
    models = ", ".join(dict.fromkeys(panel.model for panel in record.panels))
    return README_TEMPLATE.format(
        id=record.id,
        version=record.versions["gradoscope"],
        models=models,
        score=record.score,
        seed=record.seed,
        maps=README_METRIC_MAPS
        if in_folder and any(name for panel in record.panels for name in _metric_maps(panel))
        else "",
    )


def sheet(record: Explanation, read: PartReader, titles: dict[str, str]) -> Image.Image:
    """The contact sheet."""

    def values(panel: str) -> np.ndarray | None:
        data = read(f"panel:{panel}")
        return None if data is None else array(data)

    return contact_sheet(record, titles, values, lambda model: picture(_part(read, f"input:{model}")))


def array(data: bytes) -> np.ndarray:
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))


def picture(data: bytes) -> Image.Image:
    """Decode a PNG that Gradoscope has made."""
    return Image.open(io.BytesIO(data), formats=["PNG"])


def thumbnail(image: Image.Image, side: int | None) -> Image.Image:
    """The picture, scaled down where its longer side has more than `side` pixels: each pixel is the mean of those that
    it stands for."""
    longer = max(image.size)
    if side is None or longer <= side:
        return image
    width, height = (max(1, round(length * side / longer)) for length in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _part(read: PartReader, name: str) -> bytes:
    data = read(name)
    if data is None:
        raise NotFound(
            f"This explanation has no {name.replace(':', ' ')} any more: its file is gone. Compute it again."
        )
    return data


def _file_name(name: str) -> str:
    """A file name without colons, which a model's id may have."""
    return name.replace(":", "_")
