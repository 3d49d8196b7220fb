"""Backprop on ten tasks of the slowly changing regression: twenty networks of five hidden units, an example a step."""

import json

import torch

torch.manual_seed(0)
S, BITS, FLIPPING, UNITS, HIDDEN, STEPS, RATE = 20, 20, 15, 100, 5, 1000, 0.01


def bits(*shape):
    return torch.randint(2, shape).float()


w, v = 2 * bits(S, UNITS, BITS + 1) - 1, 2 * bits(S, UNITS) - 1
thresholds = (BITS + 1) * 0.7 - (w < 0).sum(2)
flipping = bits(S, FLIPPING)

start = torch.Generator().manual_seed(1)
inner = torch.nn.functional.pad((2 * torch.rand(S, HIDDEN, BITS, generator=start) - 1) * (6 / 21) ** 0.5, (0, 1))
outer = torch.nn.functional.pad((2 * torch.rand(S, 1, HIDDEN, generator=start) - 1) * (3 / 5) ** 0.5, (0, 1))
errors = []
for task in range(10):
    if task:
        chosen = torch.randint(FLIPPING, (S, 1))
        flipping = flipping.scatter(1, chosen, 1 - flipping.gather(1, chosen))
    inputs = torch.cat([flipping.expand(STEPS, -1, -1), bits(STEPS, S, BITS - FLIPPING), torch.ones(STEPS, S, 1)], 2)
    targets = ((torch.einsum("tsd,sud->tsu", inputs, w) >= thresholds) * v).sum(2)
    squares = []
    for x, target in zip(inputs[..., None], targets[:, :, None, None], strict=True):
        h = torch.relu(inner @ x)
        h1 = torch.cat([h, torch.ones(S, 1, 1)], 1)
        error = outer @ h1 - target
        back = error * outer[:, :, :HIDDEN].mT * (h > 0)
        outer, inner = outer - RATE * error * h1.mT, inner - RATE * back @ x.mT
        squares.append(error**2)
    errors.append(torch.stack(squares).mean().item())
print(json.dumps({"first_errors": errors}))
