import gradoscope
import torch
from torch import nn


class Detector(nn.Module):
    """A box and a score at each of 8 × 8 places, as detectors of one stage have them."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=4, padding=2), nn.ReLU(), nn.Conv2d(16, 16, 3, stride=2, padding=1), nn.ReLU()
        )
        self.head = nn.Conv2d(16, 5, 1)

    def forward(self, pictures):
        found = self.head(self.features(pictures)).flatten(2).transpose(1, 2)
        centre = 8 * torch.cartesian_prod(torch.arange(8), torch.arange(8)).flip(1) + 4
        half = 8 * found[..., 2:4].exp()
        middle = centre + found[..., :2]
        return {"boxes": torch.cat((middle - half, middle + half), 2), "scores": found[..., 4].sigmoid()}


def overlap(boxes, box):
    """Intersection over union of boxes (…, 4) with one, as x0, y0, x1, y1."""
    low, high = torch.maximum(boxes[..., :2], box[:2]), torch.minimum(boxes[..., 2:], box[2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / ((boxes[..., 2:] - boxes[..., :2]).prod(-1) + (box[2:] - box[:2]).prod() - shared)


torch.manual_seed(1)
network = Detector()
box = torch.tensor([18.0, 10.0, 36.0, 28.0])  # the box that is asked about, in pixels of the input


def score_of_box(answer):
    best = overlap(answer["boxes"], box).argmax(1, keepdim=True)  # which detection it is; a choice has no gradient
    return answer["scores"].gather(1, best)[:, 0]


explanation = gradoscope.explain(
    "static/samples/cat.jpg",
    model=network,
    input={"size": 64, "mean": 0.5, "std": 0.5},
    score=score_of_box,
    methods=["vanilla_gradient", "grad_cam", "smooth_grad"],
    options={"smooth_grad": {"samples": 10}},
)
print(explanation.score, [f"{panel.method}: {panel.status}" for panel in explanation])
