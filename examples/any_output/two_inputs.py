import gradoscope
import torch
from torch import nn


class Pair(nn.Module):
    """A network of two inputs: a picture and a row of numbers, such as a question or a patient's data."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4))
        self.head = nn.Linear(256 + 6, 3)

    def forward(self, pictures, numbers):
        return self.head(torch.cat((self.features(pictures).flatten(1), numbers), 1))


class Held(nn.Module):
    """The network with its second input held: what is left is a function of the picture."""

    def __init__(self, pair, numbers):
        super().__init__()
        self.pair = pair
        self.register_buffer("numbers", numbers)

    def forward(self, pictures):
        return self.pair(pictures, self.numbers.expand(len(pictures), -1))  # the same numbers for each picture


torch.manual_seed(0)
network = Held(Pair(), torch.randn(1, 6))


def yes_rather_than_no(answer):
    return answer[:, 1] - answer[:, 0]


explanation = gradoscope.explain(
    "static/samples/cat.jpg",
    model=network,
    input={"size": 64, "mean": 0.5, "std": 0.5},
    score=yes_rather_than_no,
    methods=["vanilla_gradient", "grad_cam", "guided_backprop"],
)
print(explanation.score, [f"{panel.method}: {panel.status}" for panel in explanation])
