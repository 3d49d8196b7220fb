"""(x + y)·z at (−2, 5, −4): the backward pass by hand, and by autograd."""

import json

import torch

x, y, z = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (-2.0, 5.0, -4.0))
sum_ = x + y
result = sum_ * z

# by hand: each step multiplies what arrives by its own derivative, and what arrives twice is added
to_result = 1.0
to_sum, to_z = to_result * z.item(), to_result * sum_.item()
to_x, to_y = to_sum * 1.0, to_sum * 1.0

result.backward()
assert [to_x, to_y, to_z] == [x.grad.item(), y.grad.item(), z.grad.item()]
gradients = {"x": to_x, "y": to_y, "z": to_z}
print(json.dumps({"value": result.item(), "gradients": gradients, "operations": 2}))
