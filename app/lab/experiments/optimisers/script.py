"""Gradient descent and Adam on a narrow bowl, each at the best of 23 rates."""

import json

import torch

rules = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
rates: dict[str, float] = {}
losses: dict[str, list[float]] = {}
for name, rule in rules.items():
    for rate in [10 ** (power / 4) for power in range(-16, 7)]:
        w = torch.tensor([-4.0, 1.5], dtype=torch.float64, requires_grad=True)
        optimiser = rule([w], lr=rate)
        heights = []
        for step in range(201):
            loss = (w[0] ** 2 + 100 * w[1] ** 2) / 2
            heights.append(loss.item())
            if step < 200:
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
        if name not in losses or heights[-1] < losses[name][-1]:  # not where it is inf or nan
            rates[name], losses[name] = rate, heights
print(json.dumps({"rates": rates, "losses": losses}))
