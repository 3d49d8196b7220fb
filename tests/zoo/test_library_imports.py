"""Workers and commands import torchvision and timm without PyTorch's compiler; who needs the compiler gets it."""

from __future__ import annotations

from pathlib import Path

from tests.support.warm_python import WarmPython

WITHOUT = """
import sys
from gradoscope.zoo import library_imports

library_imports.import_without_compiler()
models, timm = library_imports.torchvision_models(), library_imports.timm_library()
import torch

assert not any(name.startswith("torch._dynamo") for name in sys.modules), "imported with the libraries"
network = timm.create_model("test_resnet", num_classes=3).eval()
assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
assert models.get_model("squeezenet1_1", num_classes=3).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
assert not any(name.startswith("torch._dynamo") for name in sys.modules), "imported by a network"

assert sys.modules["torchvision.ops.roi_align"].is_compile_supported("cpu") in (True, False)
assert type(sys.modules["torch._dynamo.utils"]) is type(sys), "the compiler itself, once it is used"
assert torch.compiler.disable(lambda: 3)() == 3
"""
PLAIN = """
import sys
from gradoscope.zoo import library_imports

library_imports.timm_library()
assert type(sys.modules["torch._dynamo.utils"]) is type(sys)
"""


def run(code: str, warm_python: WarmPython, tmp_path: Path) -> None:
    ended = warm_python.run_code(code, tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_the_compiler_comes_when_it_is_used(warm_python: WarmPython, tmp_path: Path) -> None:
    run(WITHOUT, warm_python, tmp_path)


def test_a_program_that_uses_the_library_imports_the_compiler_too(warm_python: WarmPython, tmp_path: Path) -> None:
    run(PLAIN, warm_python, tmp_path)
