"""SoftPool on a window of 1, 2, 3, 4: its gradient by the formula, by autograd, and by the shortcut that is wrong."""

import json

import torch

a = torch.tensor([1, 2, 3, 4], dtype=torch.float64)  # the numbers of the window
g = 1.0  # ∂L/∂y


def softpool(a):
    return (torch.softmax(a, 0) * a).sum()


w, y = torch.softmax(a, 0), softpool(a)
formula = g * w * (1 + a - y)
shortcut = g * w  # leaves out that w depends on a

leaf = a.clone().requires_grad_()
(autograd,) = torch.autograd.grad(g * softpool(leaf), leaf)
assert torch.allclose(formula, autograd)

h = 1e-5
differences = torch.stack([(softpool(a + h * e) - softpool(a - h * e)) / (2 * h) for e in torch.eye(4, dtype=a.dtype)])
assert torch.allclose(formula, differences)
assert not torch.allclose(shortcut, differences)
grids = {"input_gradient": formula, "autograd_gradient": autograd, "shortcut_gradient": shortcut}
print(json.dumps({"output": [[y.item()]]} | {name: grid.reshape(2, 2).tolist() for name, grid in grids.items()}))
