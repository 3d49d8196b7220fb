"""Quick stand-ins for the shipped models: their ids, classes and picture sizes, and a map in milliseconds.

A test of what page, service or pipeline do with maps, and not of the maps, computes with these. The network is five
small convolutions with seeded weights. Its head is fitted to the sample pictures: a cat is a tiger cat here too.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.support.nets import sample_pixels
from tests.support.server import WAITING_SIDE

WIDTH = 64
# sample picture: the classes that the stand-in predicts, the most likely first
ANSWERS = {"cat": (282, 285, 281), "espresso": (967, 504, 968), "rocket": (657, 744, 812), "astronaut": (834, 818)}
SIDES = (224, 240, 260)  # of EfficientNet-Lite0, Lite1 and Lite2
CARD = """title = "EfficientNet-Lite{number}"
architecture = "quick_network:build"
accuracy = 75.1
labels = "imagenet-1k"
arguments = {{ idle = {idle} }}
source = {{ kind = "file", file = "efficientnet_lite{number}.safetensors" }}
input = {{ size = [{side}, {side}], mean = 0.5, std = 0.5, interpolation = "bicubic" }}
"""
NETWORK = f"""import time

import torch
from torch import nn

PASS_SECONDS = 0  # how long a pass waits
WAITING_SECONDS = 0.1  # and how long at one special size of the input


class Network(nn.Module):
    def __init__(self, classes, idle):
        super().__init__()
        if idle:
            self.register_buffer("idle", torch.zeros(idle))  # only takes memory
        widths, layers = (3, 8, 16, 32, 32, {WIDTH}), []
        for place, (inner, outer) in enumerate(zip(widths, widths[1:])):
            side = 5 if place == 0 else 3
            stride = (4, 2, 2, 1, 1)[place]
            layers += [nn.Conv2d(inner, outer, side, stride, side // 2), nn.ReLU6()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear({WIDTH}, classes)

    def forward(self, x):
        time.sleep(WAITING_SECONDS if x.shape[-1] == {WAITING_SIDE} else PASS_SECONDS)
        return self.head(self.features(x).mean((2, 3)))


def build(num_classes, idle=0):
    return Network(num_classes, idle)
"""


def write_quick_model(folder: Path, seconds: float = 0, number: int = 0, idle: int = 0) -> None:
    """Card, code and weights into `folder`, for GRADOSCOPE_MODELS: there it takes the place of a shipped model,
    EfficientNet-Lite`number`.

    `seconds`: how long each pass waits, so that a job takes long but costs next to no processor time. With an input of
    WAITING_SIDE pixels a pass waits even if `seconds` is 0: one server can then be slow for one test and quick for the
    others. `idle`: how many float32 numbers the model holds beside its weights, for tests of memory.
    """
    scope: dict[str, type[torch.nn.Module]] = {"__name__": "quick_network"}
    exec(NETWORK, scope)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        network = scope["Network"](1000, idle).eval()
        noise = torch.randn(len(ANSWERS), 1000)
    fit_head(network, noise)
    save_file(network.state_dict(), folder / f"efficientnet_lite{number}.safetensors")
    (folder / "quick_network.py").write_text(NETWORK.replace("PASS_SECONDS = 0", f"PASS_SECONDS = {seconds}"))
    card = CARD.format(number=number, idle=idle, side=SIDES[number])
    (folder / f"efficientnet_lite{number}.toml").write_text(card)


@torch.no_grad()
def fit_head(network: torch.nn.Module, noise: torch.Tensor) -> None:
    """Fits the head so that each sample picture has high logits for its classes, and those of `noise` for all others.

    It has no bias: what a picture's classes score comes from its features, so that Grad-CAM has something to show.
    """
    pictures = torch.stack([sample_pixels(name) * 2 - 1 for name in ANSWERS])
    features = network.features(pictures).mean((2, 3)).double()
    wanted = noise.double()
    for row, classes in zip(wanted, ANSWERS.values(), strict=True):
        row[list(classes)] = torch.tensor([8.0, 7.6, 7.3][: len(classes)], dtype=torch.float64)
    network.head.weight.copy_((torch.linalg.pinv(features) @ wanted).T)
    network.head.bias.zero_()
