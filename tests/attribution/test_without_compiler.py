"""A gradient is recorded for the compiled backend without PyTorch's compiler, which is there where it is asked for."""

from __future__ import annotations

import subprocess
import sys

SETUP = """
import sys
import torch
from gradoscope.attribution.backends.tape import record
from gradoscope.attribution.without_compiler import leave_compiler_out, without_compiler
network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(2))
network(torch.zeros(1, 3, 8, 8))
"""
RECORD = """
def function(network, x, c):
    with torch.enable_grad():
        return torch.autograd.grad(network((x.requires_grad_() - 0.5) / 2), x, c)
tape = record(network, ((1, 3, 8, 8), (1, 2)), function)
"""


def run(code: str) -> str:
    """What a new process prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_recording_imports_no_compiler_and_finds_the_same() -> None:
    show = "print('torch._dynamo' in sys.modules, [operation.name for operation in tape.operations])"
    without = run(SETUP + "leave_compiler_out()\n" + RECORD + show)
    usual = run(SETUP + RECORD + show)
    assert without.startswith("False [")
    assert usual.partition(" ")[2] == without.partition(" ")[2]


def test_the_compiler_is_there_for_who_asks_for_it() -> None:
    """Within the context, after it, and for a function that was called within it."""
    asked = """
leave_compiler_out()
@torch._disable_dynamo
def untraced(x):
    return x + 1
with without_compiler():
    assert untraced(1) == 2
    import torch._dynamo
    stand_in = sys.modules["torch._dynamo"]
    print(type(stand_in).__name__, end=" ")
    print(torch._dynamo.config.__name__, end=" ")
    print(type(sys.modules["torch._dynamo"]).__name__, end=" ")
print(torch._dynamo is stand_in, untraced(1), untraced(2), torch._dynamo.config.verbose)
"""
    assert run(SETUP + asked) == "CompilerStandIn torch._dynamo.config module False 2 3 False"


def test_the_context_leaves_nothing_behind() -> None:
    left = """
leave_compiler_out()
try:
    with without_compiler():
        raise KeyError
except KeyError:
    print("torch._dynamo" in sys.modules)
"""
    assert run(SETUP + left) == "False"
