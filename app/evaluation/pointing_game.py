"""Runs the grid pointing game with the pictures of a folder: each method on each grid, for the class of each cell."""

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
from ..pipeline.cost import progress_weight
from ..pipeline.plan import PlannedPanel, check_panels
from ..pipeline.problems import as_problem
from ..pipeline.records import map_and_facts
from ..pipeline.resume import hash_of
from ..zoo.loader import LoadedModel
from . import thumbnails as thumbs
from .grids import CELLS, SIDE, compose, draw_grids, is_hit, localisation
from .records import CellRecord, GameRecord, GridRecord, Target, is_right, not_made
from .run import Evaluation, EvaluationResults, MeasuredPicture

DEFAULT_GRIDS = 20  # for each model
SHOWN = 3  # grids whose maps are shown in the report
THUMB = 160  # pixels of a thumbnail's longer side


@dataclass(frozen=True)
class Grid:
    """A grid of four pictures, also as the model's input (C, H, W), with the class of each cell."""

    number: int
    names: tuple[str, ...]
    hashes: tuple[str, ...]
    classes: list[Target]
    picture: Image.Image
    pixels: Tensor


class PointingGame:
    """The pointing game of an evaluation. `count` is the number of grids for each model; only pictures are used whose
    top class has at least the probability `confidence`."""

    def __init__(self, evaluation: Evaluation, results: EvaluationResults, count: int, confidence: float) -> None:
        self.evaluation, self.results, self.count, self.confidence = evaluation, results, count, confidence
        self.progress = evaluation.progress

    def play(self, entries: Sequence[ImageFile], names: dict[ImageFile, str]) -> None:
        """Play the game for all models. The records are added to the results."""
        for model in self.evaluation.models:
            game: GameRecord = {"model": model, "status": "done", "problem": None, "grids": [], "pictures": 0}
            try:
                self._play(model, game, [(entry, names[entry]) for entry in entries])
            except Exception as error:
                game = {**game, **not_made(as_problem(error))}
            self.results.games.append(game)

    def _play(self, model: str, game: GameRecord, entries: list[tuple[ImageFile, str]]) -> None:
        fitting = self._confident_pictures(model)
        game["pictures"] = len({name for found in fitting.values() for name in found})
        drawn = draw_grids(fitting, self.count, self.evaluation.request.seed)
        if not drawn:
            right = ", which is right," if self.evaluation.targets.of_folders else ""
            raise Unprocessable(
                f"No grids for {model}: {game['pictures']} pictures of {len(fitting)} classes have a top class{right} "
                f"with a probability of {self.confidence:g} or more, and {CELLS} classes are needed. Give more "
                "pictures, or a lower --confidence."
            )
        loaded, scaled = self._load(model)
        height, width = loaded.size
        game |= {"input": [height, width], "cell": [height // SIDE, width // SIDE], "scaled": scaled}
        panels = self._panels(model, loaded)
        progress_weights = {panel.id: CELLS * progress_weight(panel.map_cost(loaded.size)) for panel in panels}
        self.progress.start_stage(f"grids for {model}", sum(progress_weights.values()) * len(drawn))
        wanted = {name for arrangement in drawn for name in arrangement}
        chosen = [(entry, name) for entry, name in entries if name in wanted]
        pictures = {picture.name: picture for picture in self._read_pictures(chosen, model)}
        for number, arrangement in enumerate(drawn, start=1):
            self.progress.show_item(f"{number}/{len(drawn)}")
            grid = self._grid(number, arrangement, [pictures[name] for name in arrangement], model, loaded)
            thumb = thumbs.of_picture(grid.picture, THUMB) if number <= SHOWN else None
            labels = [one["label"] for one in grid.classes]
            game["grids"].append({"grid": number, "pictures": list(arrangement), "labels": labels, "thumb": thumb})
            for panel in panels:
                self.results.grids.append(self._play_grid(grid, panel, loaded, progress_weights[panel.id]))

    def _confident_pictures(self, model: str) -> dict[int, list[str]]:
        """The names of pictures with a confident top class, by class; if folders say the true classes, only of
        pictures that the model gets right."""
        found: dict[int, list[str]] = {}
        for prediction in self.results.predictions:
            if prediction["model"] == model and not prediction["problem"]:
                best = prediction["classes"][0]
                wrong = self.evaluation.targets.of_folders and not is_right(prediction)
                if best["probability"] >= self.confidence and not wrong:
                    found.setdefault(best["index"], []).append(prediction["picture"])
        return found

    def _load(self, model: str) -> tuple[LoadedModel, bool]:
        """The model for inputs of twice its size, and False. If its size is fixed, the model as it is, and True: then
        grids are scaled down."""
        height, width = self.evaluation.inputs[model].size
        try:
            return self.evaluation.load(model, (SIDE * height, SIDE * width)), False
        except Unprocessable:
            return self.evaluation.load(model), True

    def _panels(self, model: str, loaded: LoadedModel) -> list[PlannedPanel]:
        """The model's panels that are possible for inputs of this size."""
        panels = self.evaluation.panels_of(model)
        check_panels(panels, self.evaluation.request, loaded)
        return [panel for panel in panels if not panel.refusal]

    def _read_pictures(self, chosen: list[tuple[ImageFile, str]], model: str) -> list[MeasuredPicture]:
        found = self.evaluation.read_pictures([entry for entry, _ in chosen], dict(chosen), (model,))
        return [picture for picture in found if isinstance(picture, MeasuredPicture)]

    def _grid(
        self, number: int, names: tuple[str, ...], pictures: list[MeasuredPicture], model: str, loaded: LoadedModel
    ) -> Grid:
        composed = compose([picture.preprocessed[model].picture for picture in pictures])
        height, width = loaded.size
        if composed.size != (width, height):
            composed = composed.resize((width, height), Image.Resampling.LANCZOS)
        pixels = torch.from_numpy(PreprocessedImage(composed, (0, 0, width, height)).pixels)
        classes = [self.evaluation.predict(picture, model)["classes"][0] for picture in pictures]
        hashes = tuple(picture.hash for picture in pictures)
        return Grid(number, names, hashes, classes, composed, self.evaluation.engine(loaded, 0).to_device(pixels))

    def _play_grid(self, grid: Grid, panel: PlannedPanel, loaded: LoadedModel, weight: int) -> GridRecord:
        """Compute a method's maps of a grid, one for the class of each cell, and in which cells they lie."""
        record: GridRecord = {
            "picture": f"grid {grid.number}", "grid": grid.number, "model": panel.model, "method": panel.method.id,
            "status": "done", "problem": None, "cells": [],
        }  # fmt: skip
        method_facts = (
            panel.method.id,
            panel.parameters.model_dump(),
            [one["index"] for one in grid.classes],
        )
        model_facts = self.evaluation.model_facts(panel.model), loaded.size, self.evaluation.request.seed
        shown = grid.number <= SHOWN
        # 2: the version of what is cached
        key = hash_of("grid 2", grid.hashes, method_facts, model_facts, shown)
        cached = self.evaluation.cache.read(key)
        if cached is not None:
            self.progress.skip(weight)
            return cast(GridRecord, {**record, **cached})
        began = time.monotonic()
        try:
            cells = [self._cell(grid, cell, panel, loaded, weight / CELLS, shown) for cell in range(CELLS)]
        except Exception as error:
            return {**record, **not_made(as_problem(error))}
        cached = {"cells": cells, "seconds": round(time.monotonic() - began, 3)}
        self.evaluation.cache.write(key, cached)
        return cast(GridRecord, {**record, **cached})

    def _cell(
        self, grid: Grid, cell: int, panel: PlannedPanel, loaded: LoadedModel, weight: float, shown: bool
    ) -> CellRecord:
        target = grid.classes[cell]
        engine = self.evaluation.engine(loaded, target["index"])
        seed = self.evaluation.request.seed
        steps = panel.method.attribute(engine, grid.pixels, panel.parameters, seed)
        values, _ = map_and_facts(self.progress.run(steps, weight), seconds=0.0, engine=engine)
        shares = localisation(torch.from_numpy(values))
        return {
            "picture": grid.names[cell],
            "target": target,
            "shares": shares,
            "localisation": 0.0 if shares is None else shares[cell],
            "hit": shares is not None and is_hit(shares, cell),
            "thumb": thumbs.of_map(values, THUMB) if shown else None,
        }
