"""The sign with EDE's gradient at three quarters of a training, and what a balanced layer's signs carry at first."""

import json

import torch

t_min, t_max, progress = 0.1, 10.0, 0.75
t = t_min * (t_max / t_min) ** progress
k = max(1 / t, 1.0)


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return upstream * k * t * (1 - torch.tanh(t * x) ** 2)


x = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
Sign.apply(x).sum().backward()

torch.manual_seed(0)
torch.randn(10, 48, 16)  # the first layer of ten networks; the next are their middle layers
w = torch.randn(10, 48, 48) / 48**0.5
w = (w - w.mean(-1, keepdim=True)) / w.std(-1, keepdim=True, correction=0)  # Libra
scale = 2 ** torch.round(torch.log2(w.abs().mean(-1, keepdim=True)))
signs = Sign.apply(w)
p = (signs > 0).float().mean(-1)
entropy = -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)) / torch.log(torch.tensor(2.0))
error = (w - scale * signs).square().sum(-1) / w.square().sum(-1)
found = {"derivative": {"0": x.grad[0].item(), "1": x.grad[1].item()}, "t": t, "k": k}
print(json.dumps({**found, "start_entropy": entropy.mean().item(), "start_quantisation_error": error.mean().item()}))
