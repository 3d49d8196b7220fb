"""Adam with an L2 penalty and AdamW, on a bowl and on a weight that the loss does not depend on."""

import json

import torch

rate, decay, steps = 0.05, 0.5, 300
curvatures = torch.tensor([1.0, 10.0, 0.0], dtype=torch.float64)  # the third weight is not used
minimum = torch.tensor([0.4, 1.5, 0.0], dtype=torch.float64)
paths = []
for rule in (torch.optim.Adam, torch.optim.AdamW):  # λw added to the gradient; w ← (1 − αλ)w before the step
    w = torch.tensor([-3.0, -2.0, 3.0], dtype=torch.float64, requires_grad=True)
    optimiser = rule([w], lr=rate, weight_decay=decay)
    points = [w.tolist()]
    for _ in range(steps):
        optimiser.zero_grad()
        torch.autograd.backward((curvatures * (w - minimum) ** 2).sum() / 2)
        optimiser.step()
        points.append(w.tolist())
    paths.append(torch.tensor(points, dtype=torch.float64))
l2, decoupled = paths
lowest = curvatures * minimum / (curvatures + decay)  # of loss and penalty together
found = {
    "trajectory": l2[:, :2].tolist(),
    "unused": l2[:, 2].tolist(),
    "factor": 1 - rate * decay,
    "difference_from_decoupled": (l2 - decoupled).abs().max().item(),
    "lowest": lowest[:2].tolist(),
    "distance": (l2[-1] - lowest)[:2].norm().item(),
    "distance_from_plain": (l2[-1] - minimum)[:2].norm().item(),
}
print(json.dumps(found))
