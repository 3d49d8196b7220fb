"""The backend that compiles a classifier's gradient with OpenVINO, on the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..classifier import Classifier
from ..score import Score
from .backend import Backend
from .tape import Unsupported, record

STREAMS = 2
# Memory of a compiled graph, as a multiple of the weights' size, at most: packed for forward and for backward, and what
# a copy with another layout was made for. Large weights of linear layers are read in place, so vgg16 takes less than 1.
MEMORY_FACTOR = 3
SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",  # the default is bfloat16 if the processor has it
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,
}


def streams() -> dict[str, int]:
    """A few streams that share PyTorch's number of threads."""
    threads = torch.get_num_threads()
    return {"NUM_STREAMS": min(STREAMS, threads), "INFERENCE_NUM_THREADS": threads}


class CompiledBackend(Backend):
    """Computes gradients with a compiled graph, `batch` pictures on each of a few streams with their own threads.

    Missing pictures of a batch are zeros. Threads of one stream wait for each other at every layer; on two cores two
    streams of two pictures are 3 to 10 % quicker than one stream of four or five.

    One graph serves every score of the classifier. With y the logits and p their softmax it computes J^T (c − s p) for
    a vector c and a number s for each picture: c = e_t explains a logit, c = e_t − e_a a difference of two, and s = 1
    the log-probability; the gradient of a probability is p_t times that.
    Raises `Unsupported`, or what OpenVINO raises, if the graph cannot be made.
    """

    name: str = "compiled"
    sizes: tuple[int, ...]  # the micro-batch, the only one that it offers

    def __init__(self, classifier: Classifier, batch: int) -> None:
        from .graph import graph_of
        from .runtime import ov

        classes = len(classifier.labels)
        shape = (batch, classifier.channels, *classifier.size)
        tape = record(classifier, (shape, (batch, classes), (batch, 1)), gradient_of)
        if tape.outputs[1].shape != (batch, classes):
            raise Unsupported("logits of another shape")
        graph, weights = graph_of(tape)
        compiled = ov.Core().compile_model(graph, "CPU", {**SETTINGS, **streams()})
        self._requests = [compiled.create_infer_request() for _ in range(streams()["NUM_STREAMS"])]
        for request in self._requests:
            for number, values in enumerate(weights, start=len(tape.inputs)):
                request.set_input_tensor(number, ov.Tensor(values, shared_memory=True))
        self._shape, self._classes = shape, classes
        self.sizes = (batch * len(self._requests),)

    def gradients(self, pictures: Tensor, score: Score) -> Tensor:
        """∂S/∂x for each of (N, C, H, W)."""
        direction, share, factor = direction_of(score, self._classes)
        batch, per_call = self._shape[0], self.sizes[0]
        cotangents = np.tile(direction, (batch, 1))
        shares = np.full((batch, 1), share, np.float32)
        found = torch.empty(len(pictures), *self._shape[1:], dtype=torch.float32)
        for start in range(0, len(pictures), per_call):
            parts = torch.split(pictures[start : start + per_call], batch)
            # OpenVINO reads the inputs in place: they must stay alive until all requests are done
            inputs = [self._padded(part) for part in parts]
            with _waiting_for_all(self._requests[: len(parts)]) as started:
                for request, x in zip(started, inputs, strict=True):
                    request.start_async({0: x, 1: cotangents, 2: shares}, share_inputs=True)
            slices = torch.split(found[start : start + per_call], batch)
            for request, part in zip(self._requests, slices, strict=False):
                gradient, logits = (
                    torch.from_numpy(request.get_output_tensor(index).data[: len(part)]) for index in (0, 1)
                )
                torch.mul(gradient, factor(logits).view(-1, 1, 1, 1), out=part) if factor else part.copy_(gradient)
        return found

    def _padded(self, part: Tensor) -> np.ndarray:
        """`part` as a contiguous array, filled up with zeros to a whole batch."""
        if len(part) == self._shape[0]:
            return np.ascontiguousarray(part.numpy())
        x = np.zeros(self._shape, np.float32)
        x[: len(part)] = part.numpy()
        return x


@contextmanager
def _waiting_for_all(requests: list[Any]) -> Iterator[list[Any]]:
    """A context that waits for all requests at its end, also after an error, because they still use their buffers."""
    try:
        yield requests
    finally:
        with ExitStack() as waiting:
            for request in requests:
                waiting.callback(request.wait)


def available(classifier: Classifier) -> bool:
    """Whether OpenVINO is installed and can run this classifier."""
    plain = classifier.device.type == "cpu" and classifier.dtype == torch.float32
    return plain and importlib.util.find_spec("openvino") is not None


def direction_of(score: Score, classes: int) -> tuple[np.ndarray, float, Callable[[Tensor], Tensor] | None]:
    """(c, s, f): the score's gradient is f(y) · J^T (c − s softmax(y)); None for f means 1."""
    direction = np.zeros(classes, np.float32)
    direction[score.target] = 1
    if score.against is not None:
        direction[score.against] -= 1
    if score.kind == "logit":
        return direction, 0, None
    if score.multilabel:
        slope = torch.sigmoid if score.kind == "probability" else torch.ones_like
        return direction, 0, lambda y: (slope(y) * torch.sigmoid(-y))[:, score.target]
    if score.kind == "log_probability":
        return direction, 1, None
    return direction, 1, lambda y: y.softmax(-1)[:, score.target]


def gradient_of(network: nn.Module, x: Any, cotangents: Any, shares: Any) -> tuple[Tensor, Tensor]:
    """J^T (c − s p) for pictures x, vectors c and numbers s; and the logits."""
    with torch.enable_grad():
        logits = network(x.requires_grad_())
        upstream = cotangents - shares * logits.detach().softmax(-1)
        (gradient,) = torch.autograd.grad(logits, x, upstream)
    return gradient, logits.detach()
