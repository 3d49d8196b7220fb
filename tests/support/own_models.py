"""Models of a user's own: tiny networks, cards for them, and everything that can be wrong with either."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet18

NETS = """
import torch
from torch import nn


def tiny(num_classes, channels=3, width=8):
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes),
    )
"""


def tiny(classes: int, channels: int = 3) -> nn.Module:
    """The network of NETS with seeded random weights."""
    scope: dict[str, Any] = {}
    exec(NETS, scope)
    torch.manual_seed(0)
    network: nn.Module = scope["tiny"](classes, channels)
    return network


def write_card(path: Path, file: str, *, architecture: str, labels: str, **rest: str) -> Path:
    given = {"mean": "[0.5, 0.5, 0.5]", "std": "[0.5, 0.5, 0.5]", "size": "[64, 64]", "channels": "3"} | rest
    path.write_text(
        f'title = "{path.stem}"\narchitecture = "{architecture}"\n{labels}\n{given.pop("top", "")}\n'
        f'[source]\nkind = "file"\nfile = "{file}"\n{given.pop("source", "")}\n[input]\n'
        + "\n".join(f"{name} = {value}" for name, value in given.items())
        + "\n"
    )
    return path


def write_faulty(folder: Path) -> None:
    """Files of weights: one that is intact, and faulty ones."""
    torch.manual_seed(0)
    network = resnet18(num_classes=7)
    tensors = dict(network.state_dict())
    save_file(tensors, folder / "intact.safetensors")
    save_file(tensors | {"fc.bias": torch.full((7,), torch.nan)}, folder / "nan.safetensors")
    torch.save(network, folder / "whole.pth")
    small = tiny(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and its files are still about
        torch.jit.save(torch.jit.trace(small.eval(), torch.zeros(1, 3, 32, 32)), folder / "script.pt")
    torch.save(small.state_dict(), folder / "small.pth")
    torch.save(tiny(7, channels=1).state_dict(), folder / "grey.pth")
    (folder / "empty.pth").touch()
    (folder / "own_nets.py").write_text(NETS)


# name of the fault: (what it changes in the card of the intact weights, a part of the message)
RESNET = "torchvision:resnet18"
FAULTS: dict[str, tuple[dict[str, str], str]] = {
    "architecture": (
        {"architecture": "torchvision:resnet34"},
        "intact.safetensors does not fit the architecture. torchvision:resnet34: 80 tensors are missing "
        "(layer1.2.conv1.weight, layer1.2.bn1.weight, layer1.2.bn1.bias, …)",
    ),
    "unknown": ({"architecture": "resnet81"}, "neither torchvision nor timm knows «resnet81»"),
    "labels": (
        {"labels": 'labels = ["a", "b", "c", "d", "e", "f"]'},
        "2 have another shape (fc.weight is (7, 512), the network has (6, 512), fc.bias is (7,), the network has (6,))",
    ),
    "count": ({"labels": 'labels = ["a", "b"]\nclasses = 7'}, "there are 2 labels for 7 classes."),
    "no_labels": ({"labels": ""}, "say `labels` (a list or a file) or `classes` (how many)."),
    "no_label_file": ({"labels": 'labels = "labels.txt"'}, "labels: labels.txt cannot be read"),
    "whole": (
        {"file": "whole.pth"},
        "whole.pth holds Python objects besides tensors (",
    ),
    "script": ({"file": "script.pt"}, "script.pt is a TorchScript file: save model.state_dict() instead."),
    "mean": ({"mean": "[0.5]"}, "mean has 1 values, the input has 3 channels"),
    "std": ({"std": "[0.5, 0.5]"}, "std has 2 values, the input has 3 channels"),
    "grey": (
        {"architecture": "own_nets:tiny", "file": "grey.pth", "top": "arguments = { channels = 1 }"},
        "It takes one of 1 channel: write `channels = 1` under [input].",
    ),
    "of_bytes": ({"mean": "[123.7, 116.3, 103.5]"}, "mean is of pixel values in [0, 1], and 123.7 is far outside."),
    "missing": ({"file": "elsewhere.pth"}, "the weight file elsewhere.pth is not in"),
    "suffix": ({"file": "model.onnx"}, "model.onnx is none of .safetensors, .pth, .pt, .bin, .ckpt, .pth.tar."),
    "nan": ({"file": "nan.safetensors"}, "nan.safetensors is broken: 1 tensors hold NaN or infinity (fc.bias)"),
    "empty": ({"file": "empty.pth"}, "empty.pth cannot be read as weights: it is empty."),
    "key": ({"source": 'key = "ema"'}, "there are no tensors under the key «ema»"),
    "module": ({"architecture": "nowhere:build"}, "there is no module «nowhere»"),
    "function": ({"architecture": "own_nets:build", "file": "small.pth"}, "the module own_nets has no «build»"),
    "hash": ({"source": f'sha256 = "{"0" * 64}"'}, "intact.safetensors is not what it should be"),
    "field": ({"top": 'licens = "MIT"'}, "licens: there is no such field; did you mean `licence`?"),
}
