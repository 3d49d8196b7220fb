"""Explanations and panels for Python: the typed record, with maps as arrays."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
from PIL import Image

from ..contract.arrays import Reduction, reduce_channels
from ..contract.metrics import MeasurementBody
from ..contract.predictions import ClassBody, PredictedClass
from ..contract.problems import BadAnswer, NotFound, Problem, problem_from_body
from ..contract.records import Explanation as Record
from ..contract.records import ImageBody, InputBody, PanelBody
from ..contract.uploaded_map import is_uploaded
from ..contract.wire import JsonObject
from ..images.map_grid import NO_CLASS, MapCell
from ..pipeline import archive as export
from ..pipeline import resume

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Parts(Protocol):
    """The source of an explanation's parts by name: image, input:MODEL, panel:ID, and map:PANEL:METRIC:NAME for maps
    that a metric has made."""

    url: str | None

    def read(self, name: str) -> bytes | None: ...

    def titles(self) -> Mapping[str, str]:
        """The methods' titles by id."""
        ...


class InMemoryParts:
    """Parts that are in memory."""

    def __init__(self, parts: Mapping[str, bytes], titles: Mapping[str, str], url: str | None = None) -> None:
        self._parts, self._titles, self.url = parts, titles, url

    def read(self, name: str) -> bytes | None:
        return self._parts.get(name)

    def titles(self) -> Mapping[str, str]:
        return self._titles


class Panel:
    """One map: the attribution of a method for a picture, a model and a class.

    `values` are fetched at first use. `status` is `done`, `refused` or `failed`; only a panel that is done has a map,
    for others `problem` says why not.
    """

    def __init__(self, record: PanelBody, explanation: Explanation) -> None:
        self.record, self.explanation = record, explanation

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def status(self) -> str:
        return self.record.status

    @property
    def model(self) -> str:
        return self.record.model

    @property
    def method(self) -> str:
        return self.record.method

    @property
    def title(self) -> str:
        """The method's title; of an uploaded map its own."""
        return self.record.title(self.explanation.parts.titles())

    @property
    def uploaded(self) -> bool:
        """Whether the map was made elsewhere, and uploaded."""
        return is_uploaded(self.method)

    @property
    def target(self) -> ClassBody | None:
        return self.record.target

    @property
    def against(self) -> ClassBody | None:
        return self.record.against

    @property
    def parameters(self) -> JsonObject:
        return self.record.parameters

    @property
    def diagnostics(self) -> JsonObject:
        """Further results: `gradient_evaluations`, `completeness`, `layer` and others, depending on the method."""
        return self.record.diagnostics

    @property
    def notes(self) -> list[str]:
        """What a reader of the map should know, such as why it is zero everywhere."""
        return [note.detail for note in self.record.notes]

    @property
    def completeness_error(self) -> float | None:
        """The relative error of completeness, the map's sum against its expected value; None if it is not defined."""
        return (self.diagnostics.get("completeness") or {}).get("relative_error")

    @property
    def seconds(self) -> float:
        return self.record.seconds

    @property
    def cell(self) -> MapCell:
        """What figures and notebook pages tell of it."""
        target, against = self.target, self.against
        return MapCell(
            self.id, self.model, self.method, self.title, target.index if target else None,
            target.label if target else NO_CLASS, against.label if against else None, self.status,
            self.problem.detail if self.problem else None, self.seconds, self.diagnostics,
        )  # fmt: skip

    @property
    def from_store(self) -> bool:
        return self.record.from_store

    @property
    def problem(self) -> Problem | None:
        """Why there is no map."""
        return problem_from_body(self.record.problem) if self.record.problem else None

    @cached_property
    def values(self) -> np.ndarray:
        """The map, (C, H, W) in float32, with sign: C is the picture's channels, or 1 for CAMs and occlusion.

        Raises the panel's problem if it has no map, `NotFound` if it is gone, `BadAnswer` if the response is wrong.
        """
        if self.problem is not None:
            raise self.problem
        try:
            values = np.load(io.BytesIO(self.explanation.part(f"panel:{self.id}")), allow_pickle=False)
        except ValueError as error:
            raise BadAnswer(f"{self.method}: what has come is no .npy file: {error}.") from error
        if values.dtype != np.float32 or list(values.shape) != self.record.shape:
            raise BadAnswer(
                f"{self.method}: an array {values.shape} of {values.dtype} has come, the record says "
                f"{tuple(self.record.shape or ())} of float32."
            )
        return np.asarray(values)

    @property
    def metrics(self) -> dict[str, MeasurementBody]:
        """The measured metrics of the map by id: `figures`, and the `findings` in words."""
        return self.record.metrics

    def metric_map(self, metric: str, name: str) -> np.ndarray:
        """A map that a metric has made, (C, H, W); the metric's record lists the names in `maps`.

        Raises `NotFound` if there is none.
        """
        return export.array(self.explanation.part(f"map:{self.id}:{metric}:{name}"))

    def reduce(self, how: Reduction = "abs") -> np.ndarray:
        """The map reduced over channels, (H, W): `sum` with sign, `abs` Σ|·|, `max` max|·|, `positive`, `negative`."""
        return reduce_channels(self.values, how)

    def picture(self) -> Image.Image:
        """Exactly the pixels that the model saw."""
        return self.explanation.seen(self.model)

    def figure(self, **reading: Any) -> Figure:
        """The map as a matplotlib figure with a colour bar; for the arguments see `figures.Appearance`."""
        from . import figures

        return figures.of_panel(self, figures.Appearance(**reading))

    def _repr_png_(self) -> bytes | None:
        from . import html

        return html.panel_png(self) if self.status == "done" else None

    def __repr__(self) -> str:
        subject = f"{self.model}, {self.target.label if self.target else 'no class'}"
        shape = "×".join(map(str, self.record.shape or ()))
        return f"<Panel {self.id} {self.method}: {subject}; {shape or self.status}>"


class Explanation(Sequence[Panel]):
    """An explanation, a sequence of its panels: `explanation["grad_cam"].values` is the map of a method.

    `record` holds all other data. Notebooks show an explanation as pictures.
    """

    def __init__(self, record: Record, parts: Parts) -> None:
        self.record, self.parts = record, parts
        self.panels = tuple(Panel(panel, self) for panel in record.panels)

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def url(self) -> str | None:
        """The URL of its page on the server; None without a server."""
        return None if self.parts.url is None else self.parts.url + self.record.url

    @property
    def status(self) -> str:
        """`done` if all panels are finished; else `running`, `cancelled` or `failed`."""
        return self.record.status

    @property
    def problem(self) -> Problem | None:
        """Why it has failed."""
        return problem_from_body(self.record.problem) if self.record.problem else None

    @property
    def score(self) -> str:
        return self.record.score

    @property
    def seed(self) -> int:
        return self.record.seed

    @property
    def seconds(self) -> float:
        return self.record.seconds

    @property
    def size(self) -> ImageBody:
        """Width and height of the picture."""
        return self.record.image

    @property
    def inputs(self) -> list[InputBody]:
        """Each model's input and predictions."""
        return self.record.inputs

    @property
    def predictions(self) -> dict[str, list[PredictedClass]]:
        """The likeliest classes by model, best first."""
        return {seen.model: seen.predictions for seen in self.inputs}

    @overload
    def __getitem__(self, which: int | str) -> Panel: ...

    @overload
    def __getitem__(self, which: slice) -> tuple[Panel, ...]: ...

    def __getitem__(self, which: int | str | slice) -> Panel | tuple[Panel, ...]:
        """A panel by its number, or by its method if only one panel has it. Raises `KeyError`, `IndexError`."""
        return self.panel(method=which) if isinstance(which, str) else self.panels[which]

    def __len__(self) -> int:
        return len(self.panels)

    def __iter__(self) -> Iterator[Panel]:
        return iter(self.panels)

    def panel(self, method: str | None = None, model: str | None = None, target: int | None = None) -> Panel:
        """The only panel with the given method, model and class index. Raises `KeyError`."""
        given = {"method": method, "model": model, "target": target}
        found = [panel for panel in self.panels if _matches(panel, method, model, target)]
        if len(found) == 1:
            return found[0]
        criteria = ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)
        listed = "; ".join(map(repr, found or self.panels))
        raise KeyError(f"{len(found) or 'no'} panels are of {criteria or 'it'}; there are: {listed}")

    def part(self, name: str) -> bytes:
        """The bytes of a part, by its name as in `Parts`. Raises `NotFound` if it is gone."""
        data = self.parts.read(name)
        if data is None:
            raise NotFound(f"This explanation has no {name.replace(':', ' ')} any more. Explain the picture again.")
        return data

    def image(self) -> Image.Image:
        """The picture: upright, at most 2048 pixels on its longer side."""
        return export.picture(self.part("image"))

    def seen(self, model: str) -> Image.Image:
        """Exactly the pixels that a model saw."""
        return export.picture(self.part(f"input:{model}"))

    def figure(self, **reading: Any) -> Figure:
        """The models' inputs and all maps side by side, as a matplotlib figure; see `figures.Appearance`."""
        from . import figures

        return figures.of_explanation(self, figures.Appearance(**reading))

    def save(self, folder: str | Path) -> Path:
        """Write record, arrays, pictures and contact sheet into a folder. An explanation in it is replaced.

        Raises `OSError`, also if the folder holds other files.
        """
        path = Path(folder)
        record = Record.model_validate(self.record.model_dump())  # with the fields that the server left out, too
        if self.parts.url is None:
            record = export.with_file_names(record)
        resume.write_folder(path, export.files(record, self.parts.read, dict(self.parts.titles())))
        return path

    def _repr_html_(self) -> str:
        from . import html

        return html.explanation_html(self)

    def __repr__(self) -> str:
        done = sum(panel.status == "done" for panel in self.panels)
        models = ", ".join(dict.fromkeys(panel.model for panel in self.panels))
        return f"<Explanation {self.id[:8]}: {done} of {len(self.panels)} maps of {models}; {self.status}>"


def part_names(record: Record) -> list[str]:
    """The names of all parts of an explanation."""
    return [
        "image",
        *(f"input:{seen.model}" for seen in record.inputs),
        *(f"panel:{panel.id}" for panel in record.panels if panel.status == "done"),
        *(
            f"map:{panel.id}:{metric}:{name}"
            for panel in record.panels
            for metric, measured in panel.metrics.items()
            for name in measured.maps
        ),
    ]


def _matches(panel: Panel, method: str | None, model: str | None, target: int | None) -> bool:
    return (
        method in (None, panel.method)
        and model in (None, panel.model)
        and (target is None or (panel.target is not None and panel.target.index == target))
    )
