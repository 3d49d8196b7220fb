"""All 256 masks of eight units before a softmax: their arithmetic mean, their geometric mean, and weight scaling."""

import json

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
n, classes, p = 8, 4, 0.5
h = torch.randn(n, requires_grad=True)  # outputs of the units that are dropped
weight, bias = torch.randn(n, classes) * (2 / n) ** 0.5, torch.randn(classes)

masks = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * n)
chance = torch.where(masks > 0, torch.tensor(1 - p), torch.tensor(p)).prod(1)
outputs = torch.softmax(h * masks / (1 - p) @ weight + bias, 1)  # of each thinned network
scaled = torch.softmax(h @ weight + bias, 0)  # of the whole network
arithmetic = chance @ outputs
geometric = (chance @ outputs.log()).exp()
geometric = geometric / geometric.sum()  # normalised

mask = (torch.rand(n) >= p).double()
dropped = h * mask / (1 - p)
loss = -torch.log_softmax(dropped @ weight + bias, 0)[0]
arriving, gradient = torch.autograd.grad(loss, (dropped, h))
found = {
    "masks": len(masks),
    "geometric_gap": (geometric - scaled).abs().max().item(),
    "arithmetic_gap": (arithmetic - scaled).abs().max().item(),
    "mask": mask.int().tolist(),
    "backward_mask": (mask / (1 - p)).tolist(),
    "gradient": gradient.tolist(),
    "backward_gap": (gradient - arriving * mask / (1 - p)).abs().max().item(),
}
print(json.dumps(found))
