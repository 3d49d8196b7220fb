"""Playing the grid pointing game with the pictures of a folder: each method on each grid, for each cell's class."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from ..contract.problems import Unprocessable
from ..images.image_files import ImageFile
from ..images.preprocess import PreprocessedImage
from ..pipeline.cost import weight
from ..pipeline.plan import PlannedPanel, examine
from ..pipeline.problems import as_problem
from ..pipeline.records import finished
from ..pipeline.resume import mark
from ..zoo.loader import LoadedModel
from . import thumbnails as thumbs
from .grids import CELLS, SIDE, arrangements, compose, localisation
from .records import CellRecord, GameRecord, GridRecord, Target, not_made
from .run import Evaluation, EvaluationResults, MeasuredPicture

DEFAULT = 20
SHOWN = 3  # grids whose maps are kept for the report
THUMB = 160


@dataclass(frozen=True)
class Grid:
    """Four pictures as one, (C, H, W) as the model takes it, with the class of each cell."""

    number: int
    names: tuple[str, ...]
    hashes: tuple[str, ...]
    classes: list[Target]
    picture: Image.Image
    pixels: Tensor


class PointingGame:
    """The game of one evaluation. `count` is how many grids for each model, `confidence` the probability of its top
    class that a picture has at least."""

    def __init__(self, evaluation: Evaluation, findings: EvaluationResults, count: int, confidence: float) -> None:
        self.evaluation, self.findings, self.count, self.confidence = evaluation, findings, count, confidence
        self.course = evaluation.course

    def play(self, entries: Sequence[ImageFile], names: dict[ImageFile, str]) -> None:
        """What comes of it goes into the findings."""
        for model in self.evaluation.models:
            game: GameRecord = {"model": model, "status": "done", "problem": None, "grids": [], "pictures": 0}
            try:
                self._play(model, game, [(entry, names[entry]) for entry in entries])
            except Exception as error:
                game = {**game, **not_made(as_problem(error))}
            self.findings.games.append(game)

    def _play(self, model: str, game: GameRecord, entries: list[tuple[ImageFile, str]]) -> None:
        fitting = self._fitting(model)
        game["pictures"] = len({name for found in fitting.values() for name in found})
        drawn = arrangements(fitting, self.count, self.evaluation.question.seed)
        if not drawn:
            raise Unprocessable(
                f"No grids for {model}: {game['pictures']} pictures of {len(fitting)} classes have a top class with a "
                f"probability of {self.confidence:g} or more, and {CELLS} classes are needed. Give more pictures, or a "
                "lower --confidence."
            )
        loaded, scaled = self._load(model)
        height, width = loaded.size
        game |= {"input": [height, width], "cell": [height // SIDE, width // SIDE], "scaled": scaled}
        panels = self._panels(model, loaded)
        weights = {panel.id: CELLS * weight(panel.map_cost(loaded.size)) for panel in panels}
        self.course.begin(f"grids for {model}", sum(weights.values()) * len(drawn))
        wanted = {name for arrangement in drawn for name in arrangement}
        chosen = [(entry, name) for entry, name in entries if name in wanted]
        shots = {shot.name: shot for shot in self._shots(chosen, model)}
        for number, arrangement in enumerate(drawn, start=1):
            self.course.at(f"{number}/{len(drawn)}")
            grid = self._grid(number, arrangement, [shots[name] for name in arrangement], model, loaded)
            thumb = thumbs.of_picture(grid.picture, THUMB) if number <= SHOWN else None
            labels = [one["label"] for one in grid.classes]
            game["grids"].append({"grid": number, "pictures": list(arrangement), "labels": labels, "thumb": thumb})
            for panel in panels:
                self.findings.grids.append(self._point(grid, panel, loaded, weights[panel.id]))

    def _fitting(self, model: str) -> dict[int, list[str]]:
        """Names of the pictures that the model is sure of, by top class."""
        found: dict[int, list[str]] = {}
        for look in self.findings.looks:
            if look["model"] == model and not look["problem"]:
                best = look["classes"][0]
                if best["probability"] >= self.confidence:
                    found.setdefault(best["index"], []).append(look["picture"])
        return found

    def _load(self, model: str) -> tuple[LoadedModel, bool]:
        """The model for pictures of twice its side; where its size is fixed, as it is: grids are scaled down then."""
        height, width = self.evaluation.inputs[model].size
        try:
            return self.evaluation.load(model, (SIDE * height, SIDE * width)), False
        except Unprocessable:
            return self.evaluation.load(model), True

    def _panels(self, model: str, loaded: LoadedModel) -> list[PlannedPanel]:
        """The model's panels that can be made of such pictures. Those that cannot were told of before, or are now."""
        own = self.evaluation.of(model)
        examine(own, self.evaluation.question, loaded)
        return [panel for panel in own if not panel.refusal]

    def _shots(self, chosen: list[tuple[ImageFile, str]], model: str) -> list[MeasuredPicture]:
        found = self.evaluation.shots([entry for entry, _ in chosen], dict(chosen), (model,))
        return [shot for shot in found if isinstance(shot, MeasuredPicture)]

    def _grid(
        self, number: int, names: tuple[str, ...], shots: list[MeasuredPicture], model: str, loaded: LoadedModel
    ) -> Grid:
        picture = compose([shot.seen[model].picture for shot in shots])
        height, width = loaded.size
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        pixels = torch.from_numpy(PreprocessedImage(picture, (0, 0, width, height)).pixels)
        classes = [self.evaluation.look(shot, model)["classes"][0] for shot in shots]
        hashes = tuple(shot.hash for shot in shots)
        return Grid(number, names, hashes, classes, picture, self.evaluation.engine(loaded, 0).place(pixels))

    def _point(self, grid: Grid, panel: PlannedPanel, loaded: LoadedModel, weight: int) -> GridRecord:
        """A method's maps of a grid, one for the class of each cell: where each lies."""
        record: GridRecord = {
            "picture": f"grid {grid.number}", "grid": grid.number, "model": panel.model, "method": panel.method.id,
            "status": "done", "problem": None, "cells": [],
        }  # fmt: skip
        settled = panel.method.id, panel.parameters.model_dump(), [one["index"] for one in grid.classes]
        about = self.evaluation.about(panel.model), loaded.size, self.evaluation.question.seed
        shown = grid.number <= SHOWN
        own = mark("grid", grid.hashes, settled, about, shown)
        kept = self.evaluation.parts.read(own)
        if kept is not None:
            self.course.skip(weight)
            return cast(GridRecord, {**record, **kept})
        began = time.monotonic()
        try:
            cells = [self._cell(grid, place, panel, loaded, weight / CELLS, shown) for place in range(CELLS)]
        except Exception as error:
            return {**record, **not_made(as_problem(error))}
        kept = {"cells": cells, "seconds": round(time.monotonic() - began, 3)}
        self.evaluation.parts.write(own, kept)
        return cast(GridRecord, {**record, **kept})

    def _cell(
        self, grid: Grid, place: int, panel: PlannedPanel, loaded: LoadedModel, weight: float, shown: bool
    ) -> CellRecord:
        target = grid.classes[place]
        engine = self.evaluation.engine(loaded, target["index"])
        seed = self.evaluation.question.seed
        steps = panel.method.attribute(engine, grid.pixels, panel.parameters, seed)
        values, _ = finished(self.course.follow(steps, weight), 0.0)
        shares = localisation(torch.from_numpy(values))
        return {
            "picture": grid.names[place],
            "target": target,
            "shares": shares,
            "localisation": None if shares is None else shares[place],
            "hit": None if shares is None else shares[place] == max(shares),
            "thumb": thumbs.of_map(values, THUMB) if shown else None,
        }
