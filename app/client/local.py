"""`gradoscope.explain`: explain a picture in this process, without a server. The model may be an `nn.Module`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from . import checks
from . import forks as forks  # from the first import on: it notes forks
from .arguments import Arguments, PlainArguments, as_tuple, picture_bytes
from .events import Listener
from .pictures import Picture
from .progress import listener_for
from .results import Explanation

if TYPE_CHECKING:
    from torch import nn

    from ..attribution.activation import Activation
    from ..attribution.outputs import Output
    from ..attribution.scalar_output import ScoreFunction
    from ..contract.arrays import ScoreKind
    from ..zoo.in_memory import InputLike

    Model = str | nn.Module


def explain(
    image: Picture | None = None,
    *,
    model: Model | Sequence[Model] | Mapping[str, Model] | None = None,
    input: InputLike | None = None,
    labels: Sequence[str] | Mapping[int, str] | None = None,
    output: Output | None = None,
    activation: Activation | None = None,
    score: ScoreKind | ScoreFunction = "logit",
    progress: bool | Listener = False,
    **arguments: Unpack[PlainArguments],
) -> Explanation:
    """Explain a picture in this process, like `Client.explain` on a server; the first call loads PyTorch.

    `model` is an id, a torch `nn.Module` of your own, several of them, or a mapping from names to them. A module is not
    changed; it is explained in eval mode and float32, on its device. `input` describes its input: `size`, `mean` and
    `std` of pixels in [0, 1], `channels`, `fit`, …, as a mapping or a `gradoscope.Input`. It may also be a function
    from a Pillow RGB image to a tensor (C, H, W) in [0, 1], alone or as `transform` in the mapping. Without `input` the
    network gets the picture at its original size, not normalised, and a warning says so. `labels` names the classes:
    a list, or a mapping by index. A single logit has two classes, the negative and the positive one.
    `output` says which of several outputs the logits are: its name, its place, or a function that takes the network's
    answer and returns them. `activation` says that the network ends in a "softmax" or in "sigmoid"s already.

    `score` is the number that is explained: one of a class, or a function that takes what the network answers for N
    pictures, in whatever form, and returns (N,). So detectors, segmentation, regression and embeddings are explained:
    docs/any-output.md. Then there are no classes, and nothing is predicted; the record has the function's name.

    Other arguments: `sample` instead of `image`, `methods`, `target`, `against`, `options`, `seed`, `fit`, `size`,
    `metrics`, see `arguments.SharedArguments`. `progress=True` shows progress bars; a function is called with
    each event. Nothing is stored on disk. Raises `gradoscope.Problem`.
    """
    from .in_process import InProcess, ModelSet

    function = score if callable(score) else None
    call = Arguments.checked({**arguments, **({"score": score} if function is None else {})})
    picture = picture_bytes(image, call.sample)
    requested: Mapping[Any, Model] | Sequence[Model] = model if isinstance(model, Mapping) else as_tuple(model)
    outputs = checks.output(output), checks.activation(activation), function
    models = ModelSet.of(requested, input, checks.labels(labels), *outputs)
    models.check_score(call)
    with listener_for(progress) as listener:
        return InProcess.for_device(models.device).explain(picture, call, models, listener)
