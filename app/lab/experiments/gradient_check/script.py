"""The derivative of sin at 1 by central differences: the error over the size of the step."""

import json

import torch

x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
(exact,) = torch.autograd.grad(torch.sin(x), x)
steps = sorted({10 ** (-power / 4) for power in range(4, 65)} | {1e-4}, reverse=True)
errors = {}
with torch.no_grad():
    for h in steps:
        central = (torch.sin(x + h) - torch.sin(x - h)) / (2 * h)
        errors[repr(h)] = abs(central - exact).item()  # the gradient is below 1: an absolute error
best = min(steps, key=lambda h: errors[repr(h)])
print(json.dumps({"errors": errors, "best_step": best, "best_error": errors[repr(best)], "error": errors["0.0001"]}))
