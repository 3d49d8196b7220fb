"""Builds networks with untrained weights, by name: from torchvision, timm, or a function that a card names."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from ...attribution.memory import out_of_memory
from ..cards import Card, CardError
from ..library_imports import timm_library, torchvision_models

Build = Callable[[], nn.Module]


def builders(card: Card, classes: int) -> list[tuple[str, Build]]:
    """Functions that can build a card's architecture, each with its full name.

    An architecture is `torchvision:NAME`, `timm:NAME`, `package.module:function` (importable, or a .py file beside the
    card), or a bare `NAME`. If both libraries know a bare name, there are two functions. Raises `CardError` if there is
    none.
    """
    library, colon, name = card.architecture.partition(":")
    if library == "torchvision" and colon:
        return [(card.architecture, lambda: build_torchvision(card, name, classes))]
    if library == "timm" and colon:
        return [(card.architecture, lambda: build_timm(card, name, classes))]
    if colon:
        return [(card.architecture, lambda: build_by_function(card, library, name, classes))]
    found: list[tuple[str, Build]] = []
    if knows_torchvision(library):
        found.append((f"torchvision:{library}", lambda: build_torchvision(card, library, classes)))
    if knows_timm(library):
        found.append((f"timm:{library}", lambda: build_timm(card, library, classes)))
    if not found:
        timm = timm_library()
        raise CardError(
            f"{card.file}: architecture: neither torchvision nor timm knows «{library}»."
            f"{_similar(library, timm.list_models())} A network of your own is «package.module:function», the function "
            "that builds it."
        )
    return found


def knows_torchvision(name: str) -> bool:
    models = torchvision_models()
    return name in models.list_models(module=models)


def knows_timm(name: str) -> bool:
    timm = timm_library()
    return bool(timm.is_model(name.partition(".")[0]))


def build_torchvision(card: Card, name: str, classes: int) -> nn.Module:
    models = torchvision_models()
    if not knows_torchvision(name):
        raise unknown_to_torchvision(card, name)
    # these two initialise their weights slowly, and warn about it, unless told not to
    skip_init = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with as_card_error(card, f"torchvision.models.{name}"):
        network: nn.Module = models.get_model(
            name, weights=None, num_classes=classes, **{**skip_init, **card.arguments}
        )
    return grey_stem(network) if _channels(card) == 1 else network


def build_timm(card: Card, name: str, classes: int) -> nn.Module:
    timm = timm_library()
    if not knows_timm(name):
        raise CardError(f"{card.file}: architecture: timm knows no «{name}».{_similar(name, timm.list_models())}")
    with as_card_error(card, f"timm.create_model({name!r})"):
        network: nn.Module = timm.create_model(
            name, pretrained=False, **{"num_classes": classes, "in_chans": _channels(card), **card.arguments}
        )
    return network


def build_by_function(card: Card, module: str, function: str, classes: int) -> nn.Module:
    """The network that `function` of `module` returns; it gets `num_classes` if it has such a parameter."""
    with importable(card.folder), as_card_error(card, f"{module}:{function}"):
        build = _attribute(card, module, function, "architecture")
        arguments = dict(card.arguments)
        if "num_classes" in inspect.signature(build).parameters:
            arguments.setdefault("num_classes", classes)
        network = build(**arguments)
    if not isinstance(network, nn.Module):
        raise CardError(f"{card.file}: {card.architecture} returned a {type(network).__name__}, not an nn.Module.")
    return network


def imported(card: Card, module: str, function: str, field: str) -> Callable[..., Any]:
    """The function that a field of a card names; importable, or in a .py file beside the card. Raises `CardError`."""
    with importable(card.folder), as_card_error(card, f"{module}:{function}"):
        found: Callable[..., Any] = _attribute(card, module, function, field)
        return found


def _attribute(card: Card, module: str, function: str, field: str) -> Any:
    try:
        return getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        hint = "Install its package, or put its .py file beside the card."
        if module.endswith(".py"):
            hint = f"Write «{module.removesuffix('.py')}:{function}», without .py."
        raise CardError(f"{card.file}: {field}: there is no module «{error.name}». {hint}") from error
    except AttributeError as error:
        raise CardError(f"{card.file}: {field}: the module {module} has no «{function}».") from error


def unknown_to_torchvision(card: Card, name: str) -> CardError:
    models = torchvision_models()
    similar = _similar(name, models.list_models(module=models))
    return CardError(f"{card.file}: architecture: torchvision knows no classification model «{name}».{similar}")


def _similar(name: str, known: list[str]) -> str:
    similar = difflib.get_close_matches(name, known, 3)
    return f" Near: {', '.join(similar)}." if similar else ""


def grey_stem(network: nn.Module) -> nn.Module:
    """The network, changed so that its first convolution for three channels takes one (grey)."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            grey = nn.Conv2d(
                1,
                module.out_channels,
                module.kernel_size,  # type: ignore[arg-type]
                module.stride,  # type: ignore[arg-type]
                module.padding,  # type: ignore[arg-type]
                module.dilation,  # type: ignore[arg-type]
                bias=module.bias is not None,
            )
            parent, _, last = name.rpartition(".")
            setattr(network.get_submodule(parent), last, grey)
            return network
    return network


_imported: set[str] = set()  # names of modules that were imported from the folder of a card


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """A context in which the modules in `folder` can be imported.

    Each time they are loaded anew: the file may have changed, and other cards may have modules of the same name.
    """
    for name in _imported:
        sys.modules.pop(name, None)
    _imported.clear()
    importlib.invalidate_caches()
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin and Path(origin).is_relative_to(folder):
                _imported.add(name)


@contextmanager
def as_card_error(card: Card, what: str) -> Iterator[None]:
    """A context that turns exceptions into a `CardError`, because it was the card that named what failed.

    Out-of-memory errors pass unchanged.
    """
    try:
        yield
    except CardError:
        raise
    except (Exception, SystemExit) as error:
        if out_of_memory(error):
            raise
        raise CardError(f"{card.file}: {what} failed: {type(error).__name__}: {str(error)[:300]}") from error


def _channels(card: Card) -> int:
    return card.input.channels if card.input else 3
