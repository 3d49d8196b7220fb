"""Steps of recurrent networks: s_t = f(W, s_{t-1}, x_t), with all of a cell's weights in one matrix W.

W has a row for each unit of each gate and H + 3 columns: for the H units of h, for the two inputs, for the bias. The
state s is h; for an LSTM it is h beside its cell c. Both may have leading dimensions: W of shape (N, GH, H + 3) runs
N networks at once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import Cell

GATES: dict[Cell, int] = {"tanh": 1, "relu": 1, "linear": 1, "lstm": 4, "gru": 3}
INPUTS = 3
"""A number, its mark, and a constant 1 for the bias."""


def state_size(cell: Cell, hidden: int) -> int:
    """Numbers that go from one step to the next."""
    return 2 * hidden if cell == "lstm" else hidden


def weights(cell: Cell, hidden: int, radius: float, generator: torch.Generator) -> Tensor:
    """Weights in float64: recurrent ones orthogonal × radius, input ones normal / √2, biases 0.

    The forget gate of an LSTM starts with bias 1, so that it begins by remembering.
    """
    gates = GATES[cell]
    blocks = [
        torch.linalg.qr(torch.randn(hidden, hidden, generator=generator, dtype=torch.float64))[0] for _ in range(gates)
    ]
    inputs = torch.randn(gates * hidden, 2, generator=generator, dtype=torch.float64) / 2**0.5
    bias = torch.zeros(gates * hidden, 1, dtype=torch.float64)
    if cell == "lstm":
        bias[hidden : 2 * hidden] = 1
    return torch.cat([torch.cat(blocks) * radius, inputs, bias], 1)


def from_state(weight: Tensor) -> Tensor:
    """The part of W that takes the state h, turned for `advance`: (…, H, GH)."""
    return weight[..., :-INPUTS].mT


def from_input(weight: Tensor, x: Tensor) -> Tensor:
    """What the inputs bring to each gate: (…, B, 3) → (…, B, GH)."""
    return x @ weight[..., -INPUTS:].mT


def advance(cell: Cell, taking: Tensor, state: Tensor, brought: Tensor) -> Tensor:
    """The next state, of the shape of `state` (…, B, S), with `taking` and `brought` of `from_state`, `from_input`.

    Gates are in the order of torch.nn.LSTM and torch.nn.GRU.
    """
    hidden = taking.shape[-2]
    h = state[..., :hidden]
    recurrent = h @ taking
    if cell == "gru":
        reset, update = (recurrent + brought)[..., : 2 * hidden].sigmoid().chunk(2, -1)
        new = (brought[..., 2 * hidden :] + reset * recurrent[..., 2 * hidden :]).tanh()
        return new + update * (h - new)
    total = recurrent + brought
    if cell == "lstm":
        take, forget, new, give = total.chunk(4, -1)
        c = forget.sigmoid() * state[..., hidden:] + take.sigmoid() * new.tanh()
        return torch.cat([give.sigmoid() * c.tanh(), c], -1)
    if cell == "linear":
        return total
    return total.tanh() if cell == "tanh" else total.relu()
