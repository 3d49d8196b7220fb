"""Parts of 10 and of 100 samples: the mean of their mean gradients is not the mean over all 110."""

import json

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
sizes = [10, 100]
rule = torch.randn(8, 4)
weights = [torch.randn(8, 16) / 8**0.5, torch.randn(16, 4) / 16**0.5]
for weight in weights:
    weight.requires_grad_()
biases = [torch.zeros(16, requires_grad=True), torch.zeros(4, requires_grad=True)]
x, noise = torch.randn(110, 8), torch.randn(110, 4)
classes = (x @ rule + noise).argmax(1)

outputs = torch.tanh(x @ weights[0] + biases[0]) @ weights[1] + biases[1]
losses = torch.nn.functional.cross_entropy(outputs, classes, reduction="none")
gradients = []
means = torch.stack([part.mean() for part in torch.split(losses, sizes)])
for loss in (losses.mean(), means.mean()):
    found = torch.autograd.grad(loss, [*weights, *biases], retain_graph=True)
    gradients.append(torch.cat([one.flatten() for one in found]))
whole, accumulated = gradients
cosine = torch.cosine_similarity(whole, accumulated, dim=0).item()
difference = ((accumulated - whole).norm() / whole.norm()).item()
shares = [1 / (len(sizes) * size) for size in sizes]
print(json.dumps({"weights": shares, "difference": difference, "cosine": cosine}))
