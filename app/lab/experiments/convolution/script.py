"""A 2 × 2 kernel over a 3 × 3 input, ones from above: the backward pass by windows, and by the turned kernel."""

import json

import torch
from torch.nn.functional import conv2d

x = torch.tensor([[1, 2, 0], [0, 1, 3], [2, 1, 1]], dtype=torch.float64)
w = torch.tensor([[1, 2], [3, 4]], dtype=torch.float64)
b = torch.zeros(1, dtype=torch.float64)
g = torch.ones(2, 2, dtype=torch.float64)  # ∂L/∂Y

y, dx, dw, db = torch.zeros_like(g), torch.zeros_like(x), torch.zeros_like(w), 0.0
for i in range(2):
    for j in range(2):
        window = x[i : i + 2, j : j + 2]
        y[i, j] = (window * w).sum() + b[0]
        dx[i : i + 2, j : j + 2] += g[i, j] * w  # a value that is read by more windows gets the sum
        dw += g[i, j] * window
        db += g[i, j].item()

turned = conv2d(g[None, None], w.flip(0, 1)[None, None], padding=1)[0, 0]  # zeros around, kernel turned
assert torch.allclose(turned, dx)

leaves = [one.requires_grad_() for one in (x, w, b)]
loss = (g * conv2d(x[None, None], w[None, None], b)[0, 0]).sum()
for ours, autograd in zip((dx, dw, torch.tensor([db])), torch.autograd.grad(loss, leaves), strict=True):
    assert torch.allclose(ours.double(), autograd)
gradients = {"input_gradient": dx.tolist(), "kernel_gradient": dw.tolist(), "bias_gradient": db}
print(json.dumps({"output": y.tolist()} | gradients))
