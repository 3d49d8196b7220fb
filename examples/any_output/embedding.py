import gradoscope
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cosine_similarity

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 32)
)  # an embedding: (N, 32)

with Image.open("static/samples/espresso.jpg") as file:
    pixels = torch.tensor(np.array(file.convert("RGB").resize((64, 64)))).permute(2, 0, 1) / 255
with torch.no_grad():
    other = network((pixels[None] - 0.5) / 0.5)  # the embedding of the other picture, (1, 32), computed once


def similarity(answer):
    return cosine_similarity(answer, other)


explanation = gradoscope.explain(
    "static/samples/cat.jpg",
    model=network,
    input={"size": 64, "mean": 0.5, "std": 0.5},
    score=similarity,
    methods=["vanilla_gradient", "integrated_gradients", "occlusion"],
)
print(explanation.score, [f"{panel.method}: {panel.status}" for panel in explanation])
