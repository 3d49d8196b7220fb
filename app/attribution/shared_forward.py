"""One pass up through the network for several questions about the same pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from .backends.backend import Backend
from .classifier import Classifier
from .counters import counters
from .engine import Engine
from .gradients import Rule, finite
from .memory import out_of_memory
from .score import Score


class ForwardPass:
    """The way from pictures, (N, C, H, W), up to their `logits`, and the feature maps of the layers asked for.

    It holds what a backward pass needs, as long as it lives.
    """

    def __init__(self, classifier: Classifier, pictures: Tensor, layers: Iterable[str] = ()) -> None:
        self.classifier, self.pictures = classifier, pictures
        with torch.enable_grad(), _recorded(classifier, layers) as self.features:
            self.x = pictures.detach().contiguous(memory_format=torch.channels_last).clone().requires_grad_()
            self.logits: Tensor = classifier(self.x)

    def starts_at(self, pictures: Tensor) -> bool:
        """Whether these are its own pictures, not just as many others."""
        own = self.pictures
        return pictures.data_ptr() == own.data_ptr() and pictures.shape == own.shape and pictures.dtype == own.dtype


class SharedForward:
    """The pass of one picture, (C, H, W), that several questions about it share: gone after the last of them.

    Where memory does not suffice for a graph that stays, each has an engine of its own.
    """

    def __init__(
        self,
        classifier: Classifier,
        picture: Tensor,
        layers: Iterable[str],
        questions: int,
        backend: Backend | None = None,
    ) -> None:
        """`backend` computes what the shared pass does not serve."""
        self._classifier, self._pictures, self._layers = classifier, picture[None], tuple(layers)
        self._backend = backend
        self._left = questions
        self._graph: ForwardPass | None = None

    def engine(self, score: Score) -> Engine:
        try:
            self._graph = self._graph or ForwardPass(self._classifier, self._pictures, self._layers)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            return Engine(self._classifier, score, self._backend, micro_batch=1)
        return SharedEngine(self._graph, score, self._backend)

    def leave(self) -> None:
        """A question is done with, answered or not."""
        self._left -= 1
        if not self._left:
            self._graph = None


class SharedEngine(Engine):
    """An engine that goes back on a graph that is there, where it is asked about the graph's own pictures."""

    def __init__(self, graph: ForwardPass, score: Score, backend: Backend | None = None) -> None:
        super().__init__(graph.classifier, score, backend, micro_batch=len(graph.pictures))
        self._graph = graph

    def gradients(self, pictures: Tensor, rule: Rule | None = None) -> Tensor:
        graph = self._graph
        if not graph.starts_at(pictures) or not graph.logits.requires_grad:
            return super().gradients(pictures, rule)
        try:
            if rule is not None:
                rule(graph.logits)
            (gradient,) = torch.autograd.grad(self.score(graph.logits).sum(), graph.x, retain_graph=True)
        finally:
            if rule is not None:
                rule.lift()  # others go back on this graph without it
        counters.add(len(pictures))
        return finite(gradient.contiguous())

    def features(self, pictures: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        graph = self._graph
        features = graph.features.get(layer)
        if not graph.starts_at(pictures) or features is None or not features.requires_grad:
            return super().features(pictures, layer)
        score = self.score(graph.logits).sum()
        (gradient,) = torch.autograd.grad(score, features, retain_graph=True, allow_unused=True)
        if gradient is None:
            return super().features(pictures, layer)  # which says why
        counters.add(len(pictures))
        return features.detach().contiguous(), finite(gradient.contiguous())


@contextmanager
def _recorded(classifier: Classifier, layers: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Within: what each of the layers puts out, by its name; the pass goes on with a clone, as in `captured`."""
    found: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for name in dict.fromkeys(layers):

            def keep(module: object, inputs: object, output: Tensor, name: str = name) -> Tensor:
                found[name] = output
                return output.clone()

            hooks.callback(classifier.network.get_submodule(name).register_forward_hook(keep).remove)
        yield found
