"""Four deep ReLU networks at their start: size of the outputs and of the gradient, layer by layer."""

import json

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
depth, width, networks, samples, classes = 20, 128, 4, 64, 10
weights = [torch.randn(networks, width, width) * (2 / width) ** 0.5 for _ in range(depth)]  # He
h = torch.randn(networks, samples, width, requires_grad=True)
readout = torch.randn(networks, width, classes) / width**0.5
targets = torch.randint(classes, (networks, samples))

outputs = []
for weight in weights:
    h = torch.relu(h @ weight.mT)
    outputs.append(h)
loss = torch.nn.functional.cross_entropy((h @ readout).flatten(0, 1), targets.flatten(), reduction="sum")
gradients = torch.autograd.grad(loss, outputs)

forward = [(h**2).mean().item() for h in outputs]
backward = [(g**2).sum(2).mean(1).sqrt().mean().item() for g in gradients]  # over the samples, over the networks
dead = [(h == 0).all(1).double().mean().item() for h in outputs]
ratio = backward[0] / backward[-1]
print(json.dumps({"forward_variance": forward, "backward_norm": backward, "saturated": dead, "gradient_ratio": ratio}))
