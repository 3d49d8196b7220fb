import gradoscope
import torch
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)
)  # age and weight: (N, 2)


def age(answer):
    return answer[:, 0]


explanation = gradoscope.explain(
    "static/samples/cat.jpg",
    model=network,
    input={"size": 64, "mean": 0.5, "std": 0.5},
    score=age,
    methods=["vanilla_gradient", "integrated_gradients"],
    metrics="completeness",
)
print(explanation.score, f"completeness {explanation['integrated_gradients'].completeness_error:.1%}")
