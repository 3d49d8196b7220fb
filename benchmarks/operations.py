"""What each operation of a compiled gradient takes, beside the same layer's forward pass. `make bench-operations`

For each network two graphs are compiled with the product's settings: the gradient, and the forward pass alone. Both
run in turns (A B A B …) on the same pictures, and OpenVINO counts the time of each operation. The floor of a gradient
is twice the forward pass. Prints, for each network: milliseconds for a picture, how many times the floor, the time by
kind of operation, and the convolutions whose input gradient takes more than 1.3 times their forward twin. With --write
the tables go to docs/speed.md.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import timm
import torch
import torchvision.models as tv
from gradoscope.attribution.backends.compiled import SETTINGS, gradient_of, streams
from gradoscope.attribution.backends.folding import fold_batch_norm
from gradoscope.attribution.backends.graph import graph_of, name_of
from gradoscope.attribution.backends.runtime import ov
from gradoscope.attribution.backends.simplification import BACKWARD, simplified
from gradoscope.attribution.backends.tape import Tape, record
from gradoscope.attribution.classifier import Classifier
from torch import Tensor, nn

from tests.support.nets import lite0, wrap

from .maps.report import write

FORWARD = "aten.convolution.default"
REAL = "efficientnet_lite0"
BATCHES = {"resnet50": 1, "vgg16": 1, "densenet121": 1}  # as `selection` has it where a pass takes long; else 2
NETWORKS = (REAL, "mobilenet_v3_large", "resnet50", "densenet121", "vgg16", "vit_tiny_patch16_224")
SLOW = 1.3  # times its forward twin
LEAST = 0.005  # share of the gradient's time, below which an operation is not listed
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@dataclass(frozen=True)
class Graph:
    """A compiled graph, its tape, and inputs for each stream."""

    tape: Tape
    compiled: Any
    requests: list[Any]
    inputs: list[list[np.ndarray]]

    def run(self) -> float:
        """Seconds of a pass on all streams."""
        began = time.perf_counter()
        for request, given in zip(self.requests, self.inputs, strict=True):
            request.start_async(given, share_inputs=True)
        for request in self.requests:
            request.wait()
        return time.perf_counter() - began

    def counted(self) -> Iterator[tuple[str, str, float]]:
        """Of the first stream's last pass: name of the node, kind and milliseconds of each operation."""
        for operation in self.requests[0].get_profiling_info():
            if operation.status.name == "EXECUTED":
                kind = f"{operation.node_type} ({operation.exec_type})"
                yield operation.node_name, kind, operation.real_time.total_seconds() * 1e3


def network_of(name: str) -> Classifier:
    if name == REAL:
        return lite0()
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name) if name.startswith("vit") else tv.get_model(name, weights=None)
    return wrap(network.eval(), 224, 1000, mean=MEAN, std=STD)


def compiled(classifier: Classifier, batch: int, gradient: bool) -> Graph:
    classes, shape = len(classifier.labels), (batch, classifier.channels, *classifier.size)
    shapes = (shape, (batch, classes), (batch, 1)) if gradient else (shape,)
    with torch.no_grad():
        tape = record(classifier, shapes, gradient_of if gradient else lambda network, x: (network(x),))
    model, weights = graph_of(tape)
    graph = ov.Core().compile_model(model, "CPU", {**SETTINGS, **streams(), "PERF_COUNT": True})
    count, random = int(streams()["NUM_STREAMS"]), np.random.default_rng(0)
    pictures = [random.random(shape, np.float32) for _ in range(count)]
    rest = [np.full(other, 1 / classes, np.float32) for other in shapes[1:]]
    requests = [graph.create_infer_request() for _ in range(count)]
    return Graph(simplified(tape), graph, requests, [[x, *rest, *weights] for x in pictures])


def layers_of(tape: Tape, names: Mapping[int, str], operation: str) -> dict[str, list[str]]:
    """By layer, the names of the nodes that run `operation` with its weights."""
    found = defaultdict(list)
    for step in tape.operations:
        weight = step.args[2 if operation == BACKWARD else 1] if step.name == operation else None
        value = step.results[0]
        if isinstance(weight, Tensor) and value is not None:
            layer = names.get(weight.data_ptr(), "the first one")  # its kernel was scaled: it is another tensor
            found[layer].append(name_of(step, value))
    return found


def fused_names(graph: Graph) -> dict[str, str]:
    """By the name of a node on the tape, the operation of the compiled graph that does its work."""
    found = {}
    for node in graph.compiled.get_runtime_model().get_ops():
        info = node.get_rt_info()
        for original in (
            str(info["originalLayersNames"].astype(str)).split(",") if "originalLayersNames" in info else ()
        ):
            found[original] = node.get_friendly_name()
    return found


def measured(name: str, rounds: int) -> list[str]:
    """The lines of a network."""
    classifier = fold_batch_norm(network_of(name))
    weights = {tensor.data_ptr(): key.removesuffix(".weight") for key, tensor in classifier.network.named_parameters()}
    batch = BATCHES.get(name, 2)
    gradient, forward = compiled(classifier, batch, True), compiled(classifier, batch, False)
    seconds: tuple[list[float], list[float]] = ([], [])
    times: tuple[dict[tuple[str, str], list[float]], ...] = (defaultdict(list), defaultdict(list))
    for number in range(rounds + 1):
        for side, graph in enumerate((gradient, forward)):
            taken = graph.run()
            if number:  # the first pass warms up
                seconds[side].append(taken)
                for node, kind, milliseconds in graph.counted():
                    times[side][node, kind].append(milliseconds)
    count = batch * len(gradient.requests)
    both, once = (1e3 * median(values) / count for values in seconds)
    of_rounds = sorted(g / f / 2 for g, f in zip(*seconds, strict=True))
    lines = [
        f"**{name}**, {count} pictures in a pass: gradient {both:.2f} ms, forward pass {once:.2f} ms; "
        f"**{both / once / 2:.2f}** times the floor ({of_rounds[0]:.2f}–{of_rounds[-1]:.2f}).",
        "",
        *_kinds(*times),
    ]
    slow = list(_slow_layers(gradient, forward, times, weights))
    return [*lines, "", "Slower than 1.3 times their forward twin: " + ("; ".join(slow) if slow else "none") + ".", ""]


def _kinds(*times: Mapping[tuple[str, str], list[float]]) -> Iterator[str]:
    sums: tuple[dict[str, float], ...] = (defaultdict(float), defaultdict(float))
    for side, found in zip(sums, times, strict=True):
        for (_, kind), values in found.items():
            side[kind] += median(values)
    whole = sum(sums[0].values())
    yield "| operation | gradient, ms | share | forward pass, ms | ratio |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for kind, value in sorted(sums[0].items(), key=lambda item: -item[1]):
        if value > LEAST * whole:
            twin = sums[1].get(kind)
            ratio = f"{value / twin:.2f}" if twin else "–"
            yield f"| {kind} | {value:.2f} | {value / whole:.1%} | {f'{twin:.2f}' if twin else '–'} | {ratio} |"


def _slow_layers(gradient: Graph, forward: Graph, times: Any, weights: Mapping[int, str]) -> Iterator[str]:
    """Layers whose input gradient takes more than `SLOW` times the forward twin, and a share worth the name."""
    whole = sum(median(values) for values in times[0].values())
    medians = [{node: median(values) for (node, _), values in found.items()} for found in times]
    fused = [fused_names(gradient), fused_names(forward)]
    twins = layers_of(forward.tape, weights, FORWARD)
    for layer, nodes in layers_of(gradient.tape, weights, BACKWARD).items():
        back = sum(medians[0].get(fused[0].get(node, node), 0) for node in nodes)
        there = sum(medians[1].get(fused[1].get(node, node), 0) for node in twins.get(layer, ()))
        if there and back > SLOW * there and back - there > LEAST * whole:
            yield f"{layer} {back:.2f} ms instead of {there:.2f}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", nargs="+", default=NETWORKS)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--write", action="store_true", help="into docs/speed.md")
    arguments = options.parse_args()
    lines = [line for name in arguments.models for line in measured(name, arguments.rounds)]
    print("\n".join(lines))
    if arguments.write:
        write("operations", "\n".join(lines).rstrip())


if __name__ == "__main__":
    main()
