"""A frozen network on pixels in [0, 1]: its own normalisation is its first step, so gradients are per pixel value."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .activation import Activation, undone
from .outputs import Logits, Output, logits_in
from .scalar_output import ScalarOutput
from .torch_state import clean_state, has_default_device, without_cudnn

RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)


@dataclass(frozen=True)
class Calling:
    """How a network must be called to answer rightly; `behaviour.observe` finds it out.

    `memory_format` is that of pictures and weights: channels last, which is quicker, or contiguous for networks that
    use `view` on feature maps. `one_by_one`: each picture in a pass of its own, because others would change its answer.
    `binary`: one logit y for two classes, whose logits are then (−y, y). `by_backward`: its gradients must be taken by
    `backward()`, because re-entrant checkpointing fails with `torch.autograd.grad`. `without_cudnn`: cuDNN has no
    backward pass for its recurrent layers.
    """

    memory_format: torch.memory_format = torch.channels_last
    one_by_one: bool = False
    binary: bool = False
    by_backward: bool = False
    without_cudnn: bool = False


USUAL = Calling()


class Classifier(nn.Module):
    """(N, C, H, W) in [0, 1] → logits (N, classes); eval mode, no parameter takes a gradient.

    C is 3 (RGB) or 1 (grey): as many as `mean` has values. `id` and `fingerprint` say which weights these are, `size`
    is the (height, width) of its pictures. The probabilities are a softmax over the logits; where each class stands for
    itself (`multilabel`, and always where there is one class only) they are sigmoids. Of a network that ends in an
    `activation` already, a softmax or sigmoids, the logits are computed from its probabilities. With a `ScalarOutput`
    there is one column, the score, and no class; `scalar` is its name then. `probe`, (C, H, W), is a picture to probe
    the network with, where only a real one shows what it does.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        size: tuple[int, int],
        labels: Sequence[str],
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        multilabel: bool = False,
        output: Output | None = None,
        activation: Activation | None = None,
        probe: Tensor | None = None,
        calling: Calling = USUAL,
        id: str = "",
        fingerprint: str = "",
    ) -> None:
        super().__init__()
        self.id, self.fingerprint = id, fingerprint
        self.size, self.labels = size, tuple(labels)
        self.multilabel = multilabel or len(self.labels) == 1 or activation == "sigmoid"
        self.output, self.activation, self.probe, self.calling = output, activation, probe, calling
        self.network = network
        with clean_state():
            for name, values in (("mean", mean), ("std", std)):
                # explicitly: the caller may have another default
                tensor = torch.tensor(values, dtype=torch.float32, device="cpu").view(1, -1, 1, 1)
                self.register_buffer(name, tensor, persistent=False)
            _freeze(self)

    def forward(self, pictures: Tensor, rows: int | None = None) -> Tensor:
        """`rows` is how many rows the logits have, where a hook turns one picture's feature maps into several."""
        if self.calling.one_by_one and len(pictures) > 1:
            return torch.cat([self.forward(picture) for picture in torch.split(pictures, 1)])
        logits = self.answer(pictures, rows).values
        if self.activation is not None:
            logits = undone(logits, self.activation)
        return torch.cat((-logits, logits), 1) if self.calling.binary else logits

    def answer(self, pictures: Tensor, rows: int | None = None) -> Logits:
        """The logits as the network answers, all pictures in one pass. Raises `NoLogits`."""
        with (
            self.device if has_default_device() else nullcontext(),
            without_cudnn() if self.calling.without_cudnn else nullcontext(),
        ):
            return logits_in(self.network((pictures - self.mean) / self.std), rows or len(pictures), self.output)

    def to_memory_format(self, pictures: Tensor) -> Tensor:
        """`pictures` in the memory format that the network takes."""
        return pictures.contiguous(memory_format=self.calling.memory_format)

    def adapt(self, error: Exception) -> bool:
        """Call the network in another way from now on, if that avoids an error of a pass; False if none does."""
        if "use_reentrant" in str(error) and not self.calling.by_backward:
            self.calling = replace(self.calling, by_backward=True)
            return True
        if "RNN backward can only be called in training mode" in str(error) and not self.calling.without_cudnn:
            self.calling = replace(self.calling, without_cudnn=True)
            return True
        return "view size is not compatible" in str(error) and self.use_contiguous()

    def use_channels_last(self) -> Classifier:
        """The weights of convolutions over height and width in channels-last order; all others stay as they are.

        `network.to(memory_format=torch.channels_last)` fails where there is a convolution over three dimensions.
        """
        for tensor in (*self.network.parameters(), *self.network.buffers()):
            if tensor.dim() == 4:
                tensor.data = tensor.data.to(memory_format=torch.channels_last)
        return self

    def use_contiguous(self) -> bool:
        """Take contiguous weights and pictures from now on; False where it does so already."""
        if self.calling.memory_format == torch.contiguous_format:
            return False
        self.network.to(memory_format=torch.contiguous_format)
        self.calling = replace(self.calling, memory_format=torch.contiguous_format)
        return True

    @property
    def device(self) -> torch.device:
        return self.mean.device

    @property
    def dtype(self) -> torch.dtype:
        return self.mean.dtype

    @property
    def scalar(self) -> str | None:
        """The name of the score that stands in place of logits; None where there are classes."""
        return self.output.name if isinstance(self.output, ScalarOutput) else None

    @property
    def channels(self) -> int:
        """3 for RGB, 1 for grey."""
        return self.mean.shape[1]

    def name_classes(self, labels: Sequence[str]) -> None:
        """Give the classes other labels."""
        self.labels = tuple(labels)
        self.multilabel = self.multilabel or len(self.labels) == 1

    def use_two_classes(self) -> None:
        """One logit y is from now on that of the second of two classes: (−y, y), whose probabilities are sigmoids."""
        self.calling = replace(self.calling, binary=True)
        self.multilabel = True

    def label(self, index: int) -> str:
        return self.labels[index] if index < len(self.labels) else f"class {index}"

    def probabilities(self, logits: Tensor) -> Tensor:
        """(N, classes) → (N, classes)"""
        return logits.sigmoid() if self.multilabel else logits.softmax(-1)

    def at(self, size: tuple[int, int]) -> Classifier:
        """The same network for pictures of another (height, width); the weights are shared."""
        return self if size == self.size else self.view(size)

    def view(self, size: tuple[int, int] | None = None) -> Classifier:
        """The same network again, with shared weights; for pictures of another size where one is given."""
        return Classifier(
            self.network,
            size=size or self.size,
            labels=self.labels,
            mean=self.mean.flatten().tolist(),
            std=self.std.flatten().tolist(),
            multilabel=self.multilabel,
            output=self.output,
            activation=self.activation,
            probe=self.probe,
            calling=self.calling,
            id=self.id,
            fingerprint=self.fingerprint,
        ).to(device=self.device, dtype=self.dtype)

    def grey_pictures(self, count: int = 1) -> Tensor:
        """`count` grey pictures to probe the network with, (count, C, H, W); the `probe` where there is one."""
        if self.probe is not None:
            return self._probes(count)
        return torch.full((count, self.channels, *self.size), 0.5, device=self.device, dtype=self.dtype)

    def noise_pictures(self, count: int) -> Tensor:
        """`count` pictures of fractal noise, always the same, for trials: (count, C, H, W).

        Noise in octaves, each half as strong as the coarser one before it, as in photographs: on smooth pictures far
        more activations lie at a kink, where two correct backends may give different gradients. Where there is a
        `probe`, it and the same with less and less contrast.
        """
        if self.probe is not None:
            contrast = torch.linspace(1, 0.9, count, device=self.device, dtype=self.dtype).view(-1, 1, 1, 1)
            return 0.5 + contrast * (self._probes(count) - 0.5)
        draw = torch.Generator().manual_seed(0)
        clouds = torch.zeros((count, self.channels, *self.size), dtype=torch.float32)
        for octave in range(2, max(3, max(self.size).bit_length())):
            grid = torch.randn((count, self.channels, 2**octave, 2**octave), generator=draw, dtype=torch.float32)
            clouds += 0.5 ** (octave - 2) * interpolate(grid, self.size, mode="bilinear", align_corners=False)
        return (0.5 + 0.2 * clouds).clamp(0, 1).to(device=self.device, dtype=self.dtype)

    def _probes(self, count: int) -> Tensor:
        """The `probe` at the network's size, `count` times."""
        assert self.probe is not None
        picture = self.probe.to(device=self.device, dtype=self.dtype)[None]
        if tuple(picture.shape[-2:]) != tuple(self.size):
            picture = interpolate(picture, self.size, mode="bilinear", align_corners=False)
        return picture.repeat(count, 1, 1, 1)


def _freeze(classifier: Classifier) -> None:
    """Eval mode, and no parameter takes a gradient."""
    for module in classifier.modules():
        for name, tensor in module._parameters.items():
            if tensor is not None and tensor.is_inference():  # made in inference mode: autograd refuses it
                module._parameters[name] = nn.Parameter(tensor.clone(), requires_grad=False)
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.is_inference():
                module._buffers[name] = buffer.clone()
    classifier.eval()
    classifier.requires_grad_(False)
    for module in classifier.modules():
        if isinstance(module, nn.RNNBase) and type(module) in RECURRENT:
            # cuDNN has a backward pass in training mode only; without dropout both modes are the same function. What a
            # subclass does in training mode is not known: see `Calling.without_cudnn`.
            module.dropout = 0.0
            module.train()
