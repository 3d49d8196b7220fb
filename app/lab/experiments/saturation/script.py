"""One sigmoid unit that should answer 0 and starts at z = 4, with the squared error."""

import json

import torch

both = torch.tensor([2.0, 2.0], dtype=torch.float64, requires_grad=True)  # weight and bias; the input is 1
optimiser = torch.optim.SGD([both], lr=0.15)
errors, gradients = [], []
for step in range(301):
    a = torch.sigmoid(both[0] * 1 + both[1])
    errors.append(a.item())  # |a − 0|
    if step < 300:
        (gradient,) = torch.autograd.grad(a**2 / 2, both)
        gradients.append(gradient[0].item())
        both.grad = gradient
        optimiser.step()
print(json.dumps({"errors": errors, "gradients": gradients, "first_gradient": gradients[0]}))
