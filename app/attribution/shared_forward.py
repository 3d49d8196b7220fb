"""A forward pass that several methods share for the same pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from .backends.backend import Backend
from .classifier import Classifier
from .counters import counters
from .engine import Engine
from .gradients import Rule, finite, retry_adapted
from .memory import out_of_memory
from .score import Score
from .torch_state import clean_state


class ForwardPass:
    """A forward pass of pictures, (N, C, H, W), with its `logits` and the feature maps of the given layers.

    It keeps the autograd graph for backward passes as long as it exists.
    """

    def __init__(self, classifier: Classifier, pictures: Tensor, layers: Iterable[str] = ()) -> None:
        self.classifier, self.pictures = classifier, pictures
        self.features: dict[str, Tensor] = {}
        # features and gradients that were taken, by score, layer and numbers of calls
        self.taken: dict[tuple[Score, str, tuple[int, ...]], list[tuple[Tensor, Tensor]]] = {}
        if classifier.calling.one_by_one and len(pictures) > 1:
            layers = ()  # a layer runs once for each picture, and a recording has one run only
        names = tuple(layers)
        with clean_state():
            retry_adapted(classifier, lambda: self._run(names))

    def _run(self, layers: Iterable[str]) -> None:
        with _recorded(self.classifier, layers) as self.features:
            self.x = self.classifier.to_memory_format(self.pictures.detach()).clone().requires_grad_()
            self.logits: Tensor = self.classifier(self.x)
        self.calling = self.classifier.calling

    def is_for(self, pictures: Tensor) -> bool:
        """Whether `pictures` is the very tensor of this pass."""
        mine = self.pictures
        return pictures.data_ptr() == mine.data_ptr() and pictures.shape == mine.shape and pictures.dtype == mine.dtype


class SharedForward:
    """The forward pass of one picture, (C, H, W), shared by several users; it is freed after the last of them.

    If there is not enough memory to keep the graph, each user gets an engine of its own.
    """

    def __init__(
        self,
        classifier: Classifier,
        picture: Tensor,
        layers: Iterable[str],
        users: int,
        backend: Backend | None = None,
    ) -> None:
        """`backend` computes what the shared pass does not serve."""
        self._classifier, self._pictures, self._layers = classifier, picture[None], tuple(layers)
        self._backend = backend
        self._users_left = users
        self._graph: ForwardPass | None = None

    def engine(self, score: Score) -> Engine:
        try:
            self._graph = self._graph or ForwardPass(self._classifier, self._pictures, self._layers)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            return Engine(self._classifier, score, self._backend, micro_batch=1)
        return SharedEngine(self._graph, score, self._backend)

    def release(self) -> None:
        """A user is finished, successful or not."""
        self._users_left -= 1
        if not self._users_left:
            self._graph = None


class SharedEngine(Engine):
    """An engine that uses the graph of a finished forward pass for that pass's pictures."""

    def __init__(self, graph: ForwardPass, score: Score, backend: Backend | None = None) -> None:
        super().__init__(graph.classifier, score, backend, micro_batch=len(graph.pictures))
        self._graph = graph

    def gradients(self, pictures: Tensor, rule: Rule | None = None) -> Tensor:
        graph = self._graph
        own_pass = rule is not None and rule.recording() is not None
        if own_pass or not graph.is_for(pictures) or not graph.logits.requires_grad:
            return super().gradients(pictures, rule)
        self._used["plain"] = None
        try:
            with clean_state():
                if rule is not None:
                    rule(graph.logits)
                (gradient,) = self._differentiate(graph.x)
        finally:
            if rule is not None:
                rule.remove()  # other users of this graph do not apply it
        if gradient is None:
            return super().gradients(pictures, rule)
        counters.add(len(pictures))
        return finite(gradient.contiguous())

    def _differentiate(self, *at: Tensor) -> Sequence[Tensor | None]:
        """∂S/∂at on the shared graph, in one backward pass; None where it does not depend on that, or a pass of its own
        is needed."""
        nothing = [None] * len(at)
        is_stale = self._graph.calling != self.classifier.calling  # it has been found out since that this graph fails
        if is_stale or self.classifier.calling.by_backward or not self._graph.logits.requires_grad:
            return nothing
        try:
            total = self.score(self._graph.logits).sum()
            return torch.autograd.grad(total, at, retain_graph=True, allow_unused=True)
        except RuntimeError as error:
            if not self.classifier.adapt(error):
                raise
            return nothing

    def features_of_calls(self, pictures: Tensor, layer: str, calls: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """As an `Engine`'s; taken once for a score, and kept with the pass for all that ask for it again."""
        graph, key = self._graph, (self.score, layer, tuple(calls))
        if not graph.is_for(pictures):
            return super().features_of_calls(pictures, layer, calls)
        if key not in graph.taken and key[2] == (-1,) and layer in graph.features:
            self._take_all()
        if key not in graph.taken:  # which raises the reason, if there is one
            graph.taken[key] = super().features_of_calls(pictures, layer, calls)
        self._used["plain"] = None
        return graph.taken[key]

    def on_graph(self, pictures: Tensor, layer: str, calls: Sequence[int]) -> tuple[Tensor, Tensor] | None:
        """S, summed over the pictures, and a layer's feature map, both on the shared graph; None where the pass does
        not hold that, or a pass of its own is needed."""
        graph = self._graph
        features = graph.features.get(layer)
        is_stale = graph.calling != self.classifier.calling
        if features is None or tuple(calls) != (-1,) or is_stale or not graph.is_for(pictures):
            return None
        return (self.score(graph.logits).sum(), features) if features.requires_grad else None

    def _take_all(self) -> None:
        """Keep features and gradients of every recorded layer, by one backward pass as far as the earliest."""
        graph = self._graph
        recorded = {name: features for name, features in graph.features.items() if features.requires_grad}
        with clean_state():
            gradients = self._differentiate(*recorded.values()) if recorded else []
        if any(gradient is not None for gradient in gradients):
            counters.add(len(graph.pictures))
        for (name, features), gradient in zip(recorded.items(), gradients, strict=True):
            if gradient is not None:
                both = features.detach().contiguous(), finite(gradient.contiguous())
                graph.taken[self.score, name, (-1,)] = [both]


@contextmanager
def _recorded(classifier: Classifier, layers: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """A context that records the outputs of the layers by name. The pass continues with clones, as in `captured`."""
    found: dict[str, Tensor] = {}
    with ExitStack() as hooks:
        for name in dict.fromkeys(layers):

            def keep(module: object, inputs: object, output: Tensor, name: str = name) -> Tensor:
                found[name] = output
                return output.clone()

            hooks.callback(classifier.network.get_submodule(name).register_forward_hook(keep).remove)
        yield found
