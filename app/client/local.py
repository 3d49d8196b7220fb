"""`gradoscope.explain`: the same call without a server, in this process, also of a network that is in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from .arguments import Arguments, SharedArguments, picture_of, several
from .events import Listener
from .pictures import Picture
from .progress import listening
from .results import Explanation

if TYPE_CHECKING:
    from torch import nn

    from ..zoo.in_memory import InputLike

    Model = str | nn.Module


def explain(
    image: Picture | None = None,
    *,
    model: Model | Sequence[Model] | Mapping[str, Model] | None = None,
    input: InputLike | None = None,
    labels: Sequence[str] | None = None,
    progress: bool | Listener = False,
    **asked: Unpack[SharedArguments],
) -> Explanation:
    """Explain a picture here, as `Client.explain` has it done by a server; the first call loads PyTorch.

    `model` is an id, a torch `nn.Module` of your own, several of them, or a mapping of names to them. A module is left
    exactly as it was; it is explained in eval mode and float32, where it is. `input` says what it takes: `size`, `mean`
    and `std` of pixels in [0, 1], `channels`, `fit`, …, as a mapping or a `gradoscope.Input`; or a function of a Pillow
    image, RGB, that gives a tensor (C, H, W) in [0, 1], alone or as `transform` in the mapping. What is not named is
    not done: without it the network sees the picture in its own size, without normalisation, and a warning says so.
    `labels` name its classes. Also `sample`, instead of `image`; `methods`, `target`, `against`, `score`, `options`,
    `seed`, `fit`, `size`, `metrics`, as `question.AskedAlike` says. `progress=True` shows bars; a function is called
    with each event. Nothing is kept on disk. Raises `gradoscope.Problem`.
    """
    from .in_process import InProcess, ModelSet

    question = Arguments(**asked)
    picture = picture_of(image, question.sample)
    named: Mapping[Any, Model] | Sequence[Model] = model if isinstance(model, Mapping) else several(model)
    lot = ModelSet.of(named, input, None if labels is None else tuple(labels))
    with listening(progress) as listener:
        return InProcess.at(lot.device).explain(picture, question, lot, listener)
