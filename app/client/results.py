"""What an explanation is to Python: its record, typed, with its maps as arrays."""

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
from ..contract.wire import JsonObject
from ..images.map_grid import NO_CLASS, MapCell
from ..pipeline import archive as export
from ..pipeline import resume

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Parts(Protocol):
    """Where the bytes of an explanation come from, by their names: image, input:MODEL, panel:ID, and those of maps that
    a metric has made, map:PANEL:METRIC:NAME."""

    url: str | None

    def read(self, name: str) -> bytes | None: ...

    def titles(self) -> Mapping[str, str]:
        """The methods' titles by id."""
        ...


class InMemoryParts:
    """Parts that are in memory already."""

    def __init__(self, parts: Mapping[str, bytes], titles: Mapping[str, str], url: str | None = None) -> None:
        self._parts, self._titles, self.url = parts, titles, url

    def read(self, name: str) -> bytes | None:
        return self._parts.get(name)

    def titles(self) -> Mapping[str, str]:
        return self._titles


class Panel:
    """One map: what a method says of a picture on a model for a class.

    `values` are fetched when they are first asked for. `status` is `done`, `refused` or `failed`; only one that is done
    has a map, of the others `problem` says why.
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
        """The method's name for people."""
        return self.explanation.parts.titles().get(self.method, self.method)

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
        """What is told beside the map: `gradient_evaluations`, `completeness`, `layer` and others, by method."""
        return self.record.diagnostics

    @property
    def completeness_error(self) -> float | None:
        """How far the map's sum is from what it should be, as a share; None of methods without such a promise."""
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
        """The map, (C, H, W) in float32, with sign: C is the picture's, or 1 of CAMs and occlusion.

        Raises the panel's problem where it has no map, `NotFound` where it is gone, `BadAnswer` where another came.
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
        """What was measured of the map, by the metrics' ids: `figures`, and the `findings` in plain words."""
        return self.record.metrics

    def metric_map(self, metric: str, name: str) -> np.ndarray:
        """A map that a metric has made on the way, (C, H, W); its record lists their names in `maps`.

        Raises `NotFound` where there is none.
        """
        return export.array(self.explanation.part(f"map:{self.id}:{metric}:{name}"))

    def reduce(self, how: Reduction = "abs") -> np.ndarray:
        """The map without its channels, (H, W): `sum` with sign, `abs` Σ|·|, `max` max|·|, `positive`, `negative`."""
        return reduce_channels(self.values, how)

    def picture(self) -> Image.Image:
        """Exactly the pixels that the model saw."""
        return self.explanation.seen(self.model)

    def figure(self, **reading: Any) -> Figure:
        """The map as a matplotlib figure with a bar that says which colour is which value; see `figures.Reading`."""
        from . import figures

        return figures.of_panel(self, figures.Appearance(**reading))

    def _repr_png_(self) -> bytes | None:
        from . import html

        return html.panel_png(self) if self.status == "done" else None

    def __repr__(self) -> str:
        of = f"{self.model}, {self.target.label if self.target else 'no class'}"
        shape = "×".join(map(str, self.record.shape or ()))
        return f"<Panel {self.id} {self.method}: {of}; {shape or self.status}>"


class Explanation(Sequence[Panel]):
    """An explanation, a sequence of its panels: `explanation["grad_cam"].values` is the map of a method.

    `record` is all that is told of it; a notebook shows it as pictures.
    """

    def __init__(self, record: Record, parts: Parts) -> None:
        self.record, self.parts = record, parts
        self.panels = tuple(Panel(panel, self) for panel in record.panels)

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def url(self) -> str | None:
        """Its page at the server; None where there was no server."""
        return None if self.parts.url is None else self.parts.url + self.record.url

    @property
    def status(self) -> str:
        """`done`, where all panels asked for are there; else `running`, `cancelled` or `failed`."""
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
        """What each model saw, and what it believes."""
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
        """A panel by its number, or by its method where there is one of it. Raises `KeyError`, `IndexError`."""
        return self.panel(method=which) if isinstance(which, str) else self.panels[which]

    def __len__(self) -> int:
        return len(self.panels)

    def __iter__(self) -> Iterator[Panel]:
        return iter(self.panels)

    def panel(self, method: str | None = None, model: str | None = None, target: int | None = None) -> Panel:
        """The one panel of a method, model and class index, as far as they are named. Raises `KeyError`."""
        wanted = {"method": method, "model": model, "target": target}
        found = [panel for panel in self.panels if _is(panel, method, model, target)]
        if len(found) == 1:
            return found[0]
        asked = ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None)
        listed = "; ".join(map(repr, found or self.panels))
        raise KeyError(f"{len(found) or 'no'} panels are of {asked or 'it'}; there are: {listed}")

    def part(self, name: str) -> bytes:
        """The bytes of a part by its name, as in `Parts`. Raises `NotFound` where they are gone."""
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
        """What the models saw and all maps, side by side, as a matplotlib figure; see `figures.Reading`."""
        from . import figures

        return figures.of_explanation(self, figures.Appearance(**reading))

    def save(self, folder: str | Path) -> Path:
        """Write everything into a folder: record, arrays, pictures, contact sheet. One that is there is replaced.

        Raises `OSError`, also where the folder holds something else.
        """
        path = Path(folder)
        record = Record.model_validate(self.record.model_dump())  # with the fields that the server left out, too
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
    """The names of all parts that an explanation has."""
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


def _is(panel: Panel, method: str | None, model: str | None, target: int | None) -> bool:
    return (
        method in (None, panel.method)
        and model in (None, panel.model)
        and (target is None or (panel.target is not None and panel.target.index == target))
    )
