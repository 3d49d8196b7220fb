"""Where the gradient of a recurrent network comes from: step by step, and how far each step's loss reaches back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import Cell
from .adding import Batch
from .cells import advance, from_input, from_state, state_size


@dataclass(frozen=True)
class Task:
    """What a gradient is asked of: a cell, sequences, where the answers count, and how far back a gradient goes."""

    cell: Cell
    batch: Batch
    every: bool
    truncation: int
    """Steps of one piece, counted from the end; no gradient goes from a piece to the one before it. 0: one piece."""

    def cut(self, step: int) -> bool:
        """Whether no gradient goes from this step (from 0) to the one before."""
        return bool(self.truncation) and (len(self.batch.x) - step) % self.truncation == 0


def states(task: Task, copies: Sequence[Tensor]) -> list[Tensor]:
    """The states after each step, (…, B, S), with `copies[k]` as the weights of step k. They are 0 before a start."""
    brought = [from_input(copy, row) for copy, row in zip(copies, task.batch.x, strict=True)]
    return _unrolled(task, [from_state(copy) for copy in copies], brought)


def tied_states(task: Task, weight: Tensor) -> list[Tensor]:
    """The same with one W (…, GH, H + 3) for all steps, whose inputs are multiplied at once."""
    x = task.batch.x.reshape(len(task.batch.x), *[1] * (weight.ndim - 2), -1, task.batch.x.shape[-1])
    return _unrolled(task, [from_state(weight)] * len(x), from_input(weight, x).unbind(0))


def _unrolled(task: Task, taking: Sequence[Tensor], brought: Sequence[Tensor]) -> list[Tensor]:
    *leading, hidden, _ = taking[0].shape
    samples = task.batch.x.shape[1]
    state = taking[0].new_zeros(*leading, samples, state_size(task.cell, hidden))
    mixed = bool((task.batch.lengths < len(taking)).any())
    found = []
    for step, (matrix, given) in enumerate(zip(taking, brought, strict=True)):
        if task.cut(step):
            state = state.detach()
        state = advance(task.cell, matrix, state, given)
        if mixed:
            state = state * task.batch.present[step]
        found.append(state)
    return found


def squared_errors(task: Task, after: Sequence[Tensor], readout: Tensor) -> Tensor:
    """(y_t − target_t)² at each step at which an answer counts, (steps, …, B).

    y_t = v·h_t + b; `readout` is (v, b), with dimensions before it that broadcast with (…, B).
    """
    hidden = readout.shape[-1] - 1
    asked, targets = (after, task.batch.targets) if task.every else (after[-1:], task.batch.targets[-1:])
    answers = (torch.stack(list(asked))[..., :hidden] * readout[..., :hidden]).sum(-1) + readout[..., hidden]
    targets = targets.reshape(len(targets), *[1] * (answers.ndim - 2), -1)
    return (answers - targets) ** 2 * (task.batch.present[-len(targets) :, :, 0].reshape(targets.shape))


@dataclass(frozen=True)
class Parts:
    """∂L/∂W_k for each step k, (T, GH, H + 3), with each sequence's loss whole and divided by its length."""

    summed: Tensor
    averaged: Tensor
    error: float
    """Largest difference of Σ_k ∂L/∂W_k from autograd's ∂L/∂W, relative to the largest entry of that."""


def parts(task: Task, weight: Tensor, readout: Tensor) -> Parts:
    """The parts of the gradient of the mean over the batch of each sequence's summed loss."""
    copies = [weight.clone().requires_grad_() for _ in task.batch.x]
    losses = squared_errors(task, states(task, copies), readout).sum(0)
    summed, averaged = (
        torch.stack(torch.autograd.grad((losses * scale).mean(), copies, retain_graph=True, materialize_grads=True))
        for scale in (torch.ones_like(losses), 1 / task.batch.lengths.to(losses.dtype))
    )
    tied = weight.clone().requires_grad_()
    loss = squared_errors(task, tied_states(task, tied), readout).sum(0).mean()
    (whole,) = torch.autograd.grad(loss, tied)
    error = (summed.sum(0) - whole).abs().max() / whole.abs().max().clamp(min=1e-300)
    return Parts(summed, averaged, float(error))


@dataclass(frozen=True)
class Reach:
    """How a change of the state of the first sequence goes on."""

    norms: Tensor
    """‖∂s_T/∂s_k‖, spectral, k = 0 … T − 1."""
    losses: Tensor
    """‖∂L_t/∂s_k‖, [t, k], t and k from 1; NaN where k > t."""


def reach(task: Task, weight: Tensor, readout: Tensor) -> Reach:
    """Products of the Jacobians of single steps, in float64."""
    weight, readout, length = weight.double(), readout.double(), len(task.batch.x)
    alone = Batch(task.batch.x[:, :1].double(), task.batch.targets[:, :1].double(), task.batch.lengths[:1])
    task = Task(task.cell, alone, True, 0)
    after = torch.stack(tied_states(task, weight))[:, 0]
    before = torch.cat([torch.zeros_like(after[:1]), after[:-1]])
    jacobians = _jacobians(task.cell, weight, before, from_input(weight, alone.x[:, 0]))
    leaf = after.clone().requires_grad_()
    errors = squared_errors(task, list(leaf[:, None]), readout)
    (at_once,) = torch.autograd.grad(errors.sum(), leaf)
    product = torch.eye(after.shape[1], dtype=torch.float64)
    products, rows = [], torch.full((length, length), torch.nan, dtype=torch.float64)
    back = torch.zeros_like(at_once)
    for step in reversed(range(length)):
        back[step] = at_once[step]
        rows[step:, step] = back[step:].norm(dim=1)
        back = back @ jacobians[step]
        product = product @ jacobians[step]
        products.append(product)
    norms = torch.linalg.matrix_norm(torch.stack(products[::-1]), ord=2)
    return Reach(norms, rows)


def _jacobians(cell: Cell, weight: Tensor, before: Tensor, brought: Tensor) -> Tensor:
    """∂s_t/∂s_{t−1} of every step, (T, S, S), by one backward pass: each of S copies of a step asks for one output."""
    length, size = before.shape
    leaf = before.expand(size, length, size).clone().requires_grad_()
    after = advance(cell, from_state(weight), leaf, brought)
    (rows,) = torch.autograd.grad(after.diagonal(dim1=0, dim2=2).sum(), leaf)
    return rows.transpose(0, 1)
