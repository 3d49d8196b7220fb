"""`gradoscope.explain`: explain a picture in this process, without a server. The model may be an `nn.Module`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from . import checks
from . import forks as forks  # from the first import on: it notes forks
from .arguments import Arguments, SharedArguments, as_tuple, picture_bytes
from .events import Listener
from .pictures import Picture
from .progress import listener_for
from .results import Explanation

if TYPE_CHECKING:
    from torch import nn

    from ..attribution.outputs import Output
    from ..zoo.in_memory import InputLike

    Model = str | nn.Module


def explain(
    image: Picture | None = None,
    *,
    model: Model | Sequence[Model] | Mapping[str, Model] | None = None,
    input: InputLike | None = None,
    labels: Sequence[str] | Mapping[int, str] | None = None,
    output: Output | None = None,
    progress: bool | Listener = False,
    **arguments: Unpack[SharedArguments],
) -> Explanation:
    """Explain a picture in this process, like `Client.explain` on a server; the first call loads PyTorch.

    `model` is an id, a torch `nn.Module` of your own, several of them, or a mapping from names to them. A module is not
    changed; it is explained in eval mode and float32, on its device. `input` describes its input: `size`, `mean` and
    `std` of pixels in [0, 1], `channels`, `fit`, …, as a mapping or a `gradoscope.Input`. It may also be a function
    from a Pillow RGB image to a tensor (C, H, W) in [0, 1], alone or as `transform` in the mapping. Without `input` the
    network gets the picture at its original size, not normalised, and a warning says so. `labels` names the classes:
    a list, or a mapping by index. Two labels for a single logit are those of the negative and of the positive class.
    `output` says which of several outputs the logits are: its name, its place, or a function that takes the network's
    answer and returns them.

    Other arguments: `sample` instead of `image`, `methods`, `target`, `against`, `score`, `options`, `seed`, `fit`,
    `size`, `metrics`, see `arguments.SharedArguments`. `progress=True` shows progress bars; a function is called with
    each event. Nothing is stored on disk. Raises `gradoscope.Problem`.
    """
    from .in_process import InProcess, ModelSet

    call = Arguments.checked(arguments)
    picture = picture_bytes(image, call.sample)
    requested: Mapping[Any, Model] | Sequence[Model] = model if isinstance(model, Mapping) else as_tuple(model)
    models = ModelSet.of(requested, input, checks.labels(labels), checks.output(output))
    with listener_for(progress) as listener:
        return InProcess.for_device(models.device).explain(picture, call, models, listener)
