"""Explanations in this process: what stays between calls, and one call from picture to result."""

from __future__ import annotations

import secrets
import tempfile
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..contract.arrays import measurement_part, npy, unpack
from ..contract.jobs import Explain
from ..contract.parsing import parse_size
from ..contract.problems import ComputationFailed, Unprocessable
from ..contract.records import Explanation as Record
from ..images.decoder_pool import DecoderPool
from ..images.samples import read_sample
from ..pipeline.catalogue import titles
from ..pipeline.context import Context
from ..pipeline.fetch import fetch_all
from ..pipeline.lru_cache import LRUCache
from ..pipeline.model_input import png
from ..pipeline.pipeline import run
from ..pipeline.throughput import Throughput
from ..settings import operator_settings
from ..storage.store import Store
from ..storage.stores import AnyStore
from ..zoo.in_memory import InMemoryModel, InMemoryModels, InputLike, device_of, settle_input
from .arguments import Arguments, several
from .events import Listener, typed
from .results import Explanation, InMemoryParts, part_names

DECODERS = 1
UNSAID = (
    "No input= was given, so {names} saw the picture in its own size, without normalisation. Name what it takes, e.g. "
    'input={{"size": 224, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}}; or give input={{}} where this '
    "is right."
)


@dataclass(frozen=True)
class ModelSet:
    """The models of a call: `ids` of all, and of those the networks that are the caller's own."""

    ids: tuple[str, ...]
    networks: dict[str, nn.Module]
    input: InputLike | None = None
    labels: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls, models: Mapping[Any, Any] | Sequence[Any], input: InputLike | None, labels: tuple[str, ...] | None
    ) -> ModelSet:
        """Models by the names that they are given, or else by ids and the names of their classes. Raises
        `Unprocessable`."""
        named: dict[str, str | nn.Module] = {}
        for name, model in models.items() if isinstance(models, Mapping) else ((None, model) for model in models):
            if not isinstance(model, (str, nn.Module)):
                raise Unprocessable(
                    f"model: {type(model).__name__} is neither a model's id nor an nn.Module.", field="model"
                )
            if isinstance(model, str):
                named[model] = model
            else:
                named[name or _unused(type(model).__name__, named)] = model
        networks = {name: model for name, model in named.items() if isinstance(model, nn.Module)}
        for argument, given in (("input", input), ("labels", labels)):
            if given is not None and not networks:
                raise Unprocessable(f"{argument}= is of an nn.Module; a model's id has its own.", field=argument)
        return cls(tuple(named), networks, input, labels)

    @property
    def device(self) -> torch.device | None:
        """Where the networks are; None where that is for the settings to say. Raises `Unprocessable`."""
        devices = {device for device in map(device_of, self.networks.values()) if device is not None}
        if len(devices) > 1:
            raise Unprocessable("model: the networks are on several devices. Explain them one by one.", field="model")
        return devices.pop() if devices else None


class InProcess:
    """What stays in this process between calls: models in memory, a process that decodes pictures. One call at a time.

    The settings are those of the environment at the first call, as at a shell. How the process allocates memory is left
    as it is (`keep_freed` is for processes of our own).
    """

    def __init__(self, device: torch.device | None) -> None:
        settings = operator_settings()
        self.settings = settings if device is None else settings.model_copy(update={"device": str(device)})
        self.zoo = InMemoryModels(self.settings)
        self._recent = LRUCache(self.settings.picture_bytes)
        self._decoders = DecoderPool(self.settings, DECODERS)
        self._pace = Throughput()
        self._lock = threading.RLock()

    @staticmethod
    @cache
    def at(device: torch.device | None) -> InProcess:
        """The one for a device; None is the one of the settings."""
        return InProcess(device)

    def explain(self, picture: bytes | None, question: Arguments, lot: ModelSet, listener: Listener) -> Explanation:
        """Run a call to its end. Raises `Problem`."""
        with self._lock, tempfile.TemporaryDirectory(prefix="gradoscope-") as folder:
            store = Store(Path(folder), self.settings.store_bytes, self.settings.store_days * 86400)
            context = Context(self.settings, self.zoo, store, self._recent, self._decoders, self._pace)
            try:
                return self._explain(picture, question, lot, listener, context)
            finally:
                store.close()

    def _explain(
        self, picture: bytes | None, question: Arguments, lot: ModelSet, listener: Listener, context: Context
    ) -> Explanation:
        data = picture if picture is not None else read_sample(question.sample or "")
        loans: list[InMemoryModel] = []
        if lot.networks:
            image = self._decoders.decode(data)
            own, shown = settle_input(lot.input, image)
            if shown is not image:
                if len(lot.ids) > len(lot.networks):
                    raise Unprocessable(
                        "input: models that are named by their ids do not see what a transform makes. Ask for them in "
                        "a call of their own.",
                        field="input",
                    )
                data = png(shown)
            loans = [InMemoryModel(id, network, own, lot.labels) for id, network in lot.networks.items()]
            if lot.input is None:
                # told of the line that called `explain`
                warnings.warn(UNSAID.format(names=" and ".join(lot.networks)), stacklevel=4)
        job = job_of(question, data, lot.ids)
        with self.zoo.lent(loans):
            fetch_all(self.zoo, [id for id in lot.ids if id not in lot.networks], self.settings)
            return follow(job, context, listener)


def follow(job: Explain, context: Context, listener: Listener) -> Explanation:
    """Run a job; its events go to the listener."""

    def whole(record: Record) -> Explanation:
        parts = {name: _read(context.store, job.id, name) for name in part_names(record)}
        return Explanation(
            record, InMemoryParts({name: data for name, data in parts.items() if data is not None}, titles())
        )

    explanation: Explanation | None = None
    running = run(job, context)
    try:
        for event in running:
            told = None if event is None else typed(event, whole)
            if told is not None:
                explanation = getattr(told, "explanation", explanation)
                listener(told)
    finally:
        running.close()
    if explanation is None:
        raise ComputationFailed("The computation ended without a result.")
    return explanation


def _read(store: AnyStore, explanation: str, name: str) -> bytes | None:
    """A part by its name to a client: a metric's maps are kept together."""
    if not name.startswith("map:"):
        return store.read(explanation, name)
    _, panel, metric, map = name.split(":", 3)
    kept = store.read(explanation, measurement_part(panel, metric))
    values = None if kept is None else unpack(kept, map)
    return None if values is None else npy(values)


def job_of(question: Arguments, picture: bytes, models: tuple[str, ...]) -> Explain:
    return Explain(
        id=secrets.token_hex(16),
        picture=picture,
        models=models,
        methods=question.named,
        targets=tuple(None if target == "top" else target for target in question.targets),
        against=question.against,
        score=question.score,
        options={method: dict(given) for method, given in (question.options or {}).items()},
        seed=question.seed,
        fit=question.fit,
        size=parse_size(question.sides),
        metrics=several(question.metrics),
    )


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """A name that no other network of the call has."""
    number = 1
    while (numbered := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return numbered
