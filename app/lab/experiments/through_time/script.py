"""A recurrent network on the adding problem: what each step of time adds to the gradient of its weights."""

import json

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
T, H, B = 50, 32, 16
recurrent = torch.linalg.qr(torch.randn(H, H))[0] * 0.9  # orthogonal, times the spectral radius
W = torch.cat([recurrent, torch.randn(H, 2) / 2**0.5, torch.zeros(H, 1)], 1)  # for the state, the inputs, the bias
readout = torch.randn(H) / H**0.5
numbers, (first, second) = torch.rand(T, B), (torch.rand(2, B) * T // 2).long()
marks = torch.zeros(T, B).scatter_(0, torch.stack([first, T // 2 + second]), 1.0)

copies = [W.clone().requires_grad_() for _ in range(T)]  # one for each step
states = [torch.zeros(B, H, requires_grad=True)]
for copy, u, m in zip(copies, numbers, marks, strict=True):
    states.append(torch.tanh(torch.cat([states[-1], torch.stack([u, m, torch.ones(B)], 1)], 1) @ copy.T))
loss = ((states[-1] @ readout - (numbers * marks).sum(0)) ** 2).mean()
parts = torch.stack(torch.autograd.grad(loss, copies, retain_graph=True))  # their sum is W's gradient

units = states[-1][0]  # at the end, of the first sequence
jacobians = [torch.stack([torch.autograd.grad(h, s, retain_graph=True)[0][0] for h in units]) for s in states[:-1]]
norms = parts.flatten(1).norm(dim=1)
shares = {"far_share_sum": norms[: T // 2].sum() / norms.sum()}
shares["far_share_mean"] = (norms / T)[: T // 2].sum() / (norms / T).sum()
shares["cosine_sum_mean"] = torch.cosine_similarity(parts.sum(0).flatten(), parts.mean(0).flatten(), dim=0)
found = {name: share.item() for name, share in shares.items()}
spectral = [torch.linalg.matrix_norm(jacobian, ord=2).item() for jacobian in jacobians]
print(json.dumps({"parts": norms.tolist(), "jacobian_norms": spectral, **found}))
