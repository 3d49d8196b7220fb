"""Explanations in this process, without a server."""

from __future__ import annotations

import os
import secrets
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import nn

from ..attribution.activation import Activation
from ..attribution.outputs import Output
from ..attribution.scalar_output import ScalarOutput, ScoreFunction
from ..contract.events import DoneEvent, Event, MetricEvent, PanelEvent, PredictionEvent
from ..contract.jobs import Explain
from ..contract.parsing import parse_size
from ..contract.problems import ComputationFailed, Unprocessable
from ..contract.records import Explanation as Record
from ..contract.records import PanelUrls
from ..images.decoder_pool import DecoderPool
from ..images.input_spec import Input
from ..images.preprocess import preprocess, requested_input
from ..images.samples import read_sample
from ..pipeline.archive import part_reader
from ..pipeline.catalogue import titles
from ..pipeline.context import Context
from ..pipeline.fetch import fetch_all
from ..pipeline.lru_cache import LRUCache
from ..pipeline.model_input import png
from ..pipeline.pipeline import run
from ..pipeline.throughput import Throughput
from ..settings import operator_settings
from ..storage.store import Store
from ..storage.temporary import temporary_folder
from ..zoo.in_memory import InMemoryModel, InMemoryModels, InputLike, device_of, resolve_input
from .arguments import Arguments, as_tuple
from .events import Listener, client_event
from .forks import forked
from .results import Explanation, InMemoryParts, part_names

DECODERS = 1
NO_INPUT_WARNING = (
    "No input= was given, so {names} saw the picture in its own size, without normalisation. Name what it takes, e.g. "
    'input={{"size": 224, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}}; or give input={{}} where this '
    "is right."
)


TRANSFORM_WARNING = (
    "input= has a transform and neither mean nor std, so {names} saw its values in [0, 1] without normalisation. If "
    'the network was trained with one, name it: input={{"transform": …, "mean": (0.485, 0.456, 0.406), "std": (0.229, '
    '0.224, 0.225)}}; or give "mean": 0, "std": 1 where this is right.'
)


@dataclass(frozen=True)
class ModelSet:
    """The models of a call: the ids of all, and the networks that the caller has passed."""

    ids: tuple[str, ...]
    networks: dict[str, nn.Module]
    input: InputLike | None = None
    labels: tuple[str, ...] | None = None
    output: Output | None = None
    activation: Activation | None = None
    score: ScoreFunction | None = None

    @classmethod
    def of(
        cls,
        models: Mapping[Any, Any] | Sequence[Any],
        input: InputLike | None,
        labels: tuple[str, ...] | None,
        output: Output | None = None,
        activation: Activation | None = None,
        score: ScoreFunction | None = None,
    ) -> ModelSet:
        """Models by the names in a mapping, else by their ids and the names of their Python classes. Raises
        `Unprocessable`."""
        named: dict[str, str | nn.Module] = {}
        for name, model in models.items() if isinstance(models, Mapping) else ((None, model) for model in models):
            if not isinstance(model, (str, nn.Module)):
                made = f" Give an instance: {model.__name__}(…)." if isinstance(model, type) else ""
                raise Unprocessable(
                    f"model: {type(model).__name__} is neither a model's id nor an nn.Module.{made}", field="model"
                )
            if name is not None and not (isinstance(name, str) and name):
                raise Unprocessable(f"model: {str(name)[:80]!r} is no name. Names are strings.", field="model")
            if isinstance(model, str):
                named[model] = model
            else:
                named[name or _unused_name(type(model).__name__, named)] = model
        networks = {name: model for name, model in named.items() if isinstance(model, nn.Module)}
        of_networks = {"input": input, "labels": labels, "output": output, "activation": activation}
        for argument, given in of_networks.items():
            if given is not None and not networks:
                raise Unprocessable(f"{argument}= is of an nn.Module; a model's id has its own.", field=argument)
        return cls(tuple(named), networks, input, labels, output, activation, score)

    def check_score(self, arguments: Arguments) -> None:
        """Raise `Unprocessable` where an argument does not go with a score that a function makes."""
        if self.score is None:
            return
        if not self.networks or len(self.ids) > len(self.networks):
            raise Unprocessable(
                "score: a function makes the score of networks in memory: model=module. A model's id has logits: "
                'score="logit", "log_probability" or "probability".',
                field="score",
            )
        of_classes: dict[str, object] = {"labels": self.labels, "output": self.output, "activation": self.activation}
        of_classes |= {"target": arguments.target, "against": arguments.against}
        for name, given in of_classes.items():
            if given is not None and given != ():
                raise Unprocessable(
                    f"{name}: it is of classes, and score= is a function of all that the network answers. Leave "
                    f"{name}= out, and choose in the function.",
                    field=name,
                )

    @property
    def device(self) -> torch.device | None:
        """The device of the networks; None if the settings decide. Raises `Unprocessable`."""
        devices = {device for device in map(device_of, self.networks.values()) if device is not None}
        if len(devices) > 1:
            raise Unprocessable("model: the networks are on several devices. Explain them one by one.", field="model")
        return devices.pop() if devices else None


class InProcess:
    """Computes calls in this process, one at a time. Loaded models and a decoding process stay between calls.

    The settings are read from the environment at the first call. The process's memory allocator is left as it is
    (`keep_freed_memory` is only for Gradoscope's own processes).
    """

    def __init__(self, device: torch.device | None) -> None:
        settings = operator_settings()
        if forked():
            # OpenMP's threads and OpenVINO's are not there any more in a forked child: whoever asks them waits for ever
            torch.set_num_threads(1)
            kind = "none" if settings.acceleration == "none" else "pytorch"
            settings = settings.model_copy(update={"acceleration": kind})
        self.settings = settings if device is None else settings.model_copy(update={"device": str(device)})
        self.zoo = InMemoryModels(self.settings)
        self._recent = LRUCache(self.settings.picture_bytes)
        self._decoders = DecoderPool(self.settings, DECODERS)
        self._throughput = Throughput()
        self._lock = threading.RLock()

    @staticmethod
    def for_device(device: torch.device | None) -> InProcess:
        """The instance of this process for a device; None is the device of the settings.

        A forked child gets one of its own: threads, decoding processes and locks of the parent are of no use to it.
        """
        return _instance(device, os.getpid())

    def explain(self, picture: bytes | None, arguments: Arguments, models: ModelSet, listener: Listener) -> Explanation:
        """Run a call. Raises `Problem`."""
        with self._lock, temporary_folder() as folder:
            store = Store(folder, self.settings.store_bytes, self.settings.store_days * 86400)
            context = Context(self.settings, self.zoo, store, self._recent, self._decoders, self._throughput)
            try:
                return self._explain(picture, arguments, models, listener, context)
            finally:
                store.close()

    def _explain(
        self, picture: bytes | None, arguments: Arguments, models: ModelSet, listener: Listener, context: Context
    ) -> Explanation:
        data = picture if picture is not None else read_sample(arguments.sample or "")
        in_memory: list[InMemoryModel] = []
        if models.networks:
            image = self._decoders.decode(data)
            input_spec, preprocessed = resolve_input(models.input, image)
            if preprocessed is not image:
                if len(models.ids) > len(models.networks):
                    raise Unprocessable(
                        "input: models that are named by their ids do not see what a transform makes. Ask for them in "
                        "a call of their own.",
                        field="input",
                    )
                data = png(preprocessed)
            in_memory = _in_memory(models, input_spec, preprocessed, arguments)
            if said := _input_warning(models.input):
                # reported for the line that called `explain`
                warnings.warn(said.format(names=" and ".join(models.networks)), stacklevel=4)
        job = job_of(arguments, data, models)
        with self.zoo.using(in_memory):
            fetch_all(self.zoo, [id for id in models.ids if id not in models.networks], self.settings)
            explanation = run_and_listen(job, context, listener)
        for seen in explanation.record.inputs:
            for note in seen.notes:
                warnings.warn(f"{seen.model}: {note.detail}", stacklevel=4)
        return explanation


def _in_memory(models: ModelSet, input_spec: Input, image: Image.Image, arguments: Arguments) -> list[InMemoryModel]:
    """The networks of a call; those with a score of their own are probed with the picture itself."""
    output, probe = models.output, None
    if models.score is not None:
        output = ScalarOutput.of(models.score)
        requested = requested_input(input_spec, arguments.fit, parse_size(arguments.sides))
        probe = torch.from_numpy(preprocess(image, requested).pixels)
    return [
        InMemoryModel(id, network, input_spec, models.labels, output, models.activation, probe)
        for id, network in models.networks.items()
    ]


_instances: dict[tuple[torch.device | None, int], InProcess] = {}
_making = threading.Lock()  # or two threads that call for the first time get one each, and load the models twice


def _renew_lock() -> None:
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)  # another thread of the parent may hold it


def _instance(device: torch.device | None, process: int) -> InProcess:
    with _making:
        if (device, process) not in _instances:
            _instances[device, process] = InProcess(device)
        return _instances[device, process]


def _input_warning(given: InputLike | None) -> str | None:
    """What the caller should know of the input that was named, or not."""
    if given is None:
        return NO_INPUT_WARNING
    named: Mapping[str, Any] = given if isinstance(given, Mapping) else {"transform": given} if callable(given) else {}
    return TRANSFORM_WARNING if named.get("transform") and not {"mean", "std"} & set(named) else None


def run_and_listen(job: Explain, context: Context, listener: Listener) -> Explanation:
    """Run a job and pass its events to the listener. Returns the explanation."""

    def make_explanation(record: Record) -> Explanation:
        read = part_reader(context.store, job.id)
        parts = {name: read(name) for name in part_names(record)}
        return Explanation(
            record, InMemoryParts({name: data for name, data in parts.items() if data is not None}, titles())
        )

    explanation: Explanation | None = None
    running = run(job, context)
    try:
        for event in running:
            _drop_addresses(event)
            typed_event = None if event is None else client_event(event, make_explanation)
            if typed_event is not None:
                explanation = getattr(typed_event, "explanation", explanation)
                listener(typed_event)
    finally:
        running.close()
    if explanation is None:
        raise ComputationFailed("The computation ended without a result.")
    return explanation


def _drop_addresses(event: Event | None) -> None:
    """Take the addresses at a server out of an event: there is none."""
    if isinstance(event, PredictionEvent):
        event.input.url = ""
    elif isinstance(event, PanelEvent):
        event.panel.urls = PanelUrls(npy=None, png=None)
    elif isinstance(event, MetricEvent):
        event.metric.maps = dict.fromkeys(event.metric.maps, "")
    elif isinstance(event, DoneEvent):
        event.record.url = ""


def job_of(arguments: Arguments, picture: bytes, models: ModelSet) -> Explain:
    return Explain(
        id=secrets.token_hex(16),
        picture=picture,
        models=models.ids,
        methods=arguments.method_ids,
        targets=arguments.classes,
        against=arguments.class_against,
        score=arguments.score,
        options=arguments.parameters,
        quality=arguments.quality,
        seed=arguments.seed,
        fit=arguments.fit,
        size=parse_size(arguments.sides),
        metrics=as_tuple(arguments.metrics),
        score_name="" if models.score is None else ScalarOutput.of(models.score).name,
    )


def _unused_name(name: str, names: Mapping[str, Any]) -> str:
    """A name that is not taken yet."""
    number = 1
    while (numbered := name if number == 1 else f"{name}-{number}") in names:
        number += 1
    return numbered
