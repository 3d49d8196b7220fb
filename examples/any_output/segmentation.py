import gradoscope
import torch
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 5, 1)
)  # logits of 5 classes at each pixel: (N, 5, H, W)

mask = torch.zeros(64, 64)
mask[16:48, 20:44] = 1  # the pixels whose label is asked about


def cat_in_mask(answer):
    return (answer[:, 3] * mask).sum((1, 2))


explanation = gradoscope.explain(
    "static/samples/cat.jpg",
    model=network,
    input={"size": 64, "mean": 0.5, "std": 0.5},
    score=cat_in_mask,
    methods=["vanilla_gradient", "grad_cam", "integrated_gradients"],
)
print(explanation.score, [f"{panel.method}: {panel.status}" for panel in explanation])
