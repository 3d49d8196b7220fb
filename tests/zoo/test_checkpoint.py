"""Checkpoints: no code in them is run, and their tensors are matched with the network's by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gradoscope.zoo.cards import CardError
from gradoscope.zoo.checkpoint import (
    BrokenCheckpoint,
    MismatchedWeights,
    match_state_dict,
    read_checkpoint,
    read_nested,
)
from safetensors.torch import save_file
from torch import Tensor

from tests.support.nets import Tiny

EXPECTED = Tiny(seed=0).state_dict()
GIVEN = Tiny(seed=1).state_dict()


def named(prefix: str, tensors: dict[str, Tensor] = GIVEN) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in tensors.items()}


@pytest.mark.parametrize(
    ("checkpoint", "key", "prefix"),
    [
        (GIVEN, "", ""),
        (named("module."), "", "module."),
        (named("model."), "", "model."),
        (named("module._orig_mod."), "", "module._orig_mod."),
        ({"state_dict": GIVEN, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}}, "state_dict", ""),
        ({"model_state_dict": named("module.")}, "model_state_dict", "module."),
        ({"state_dict": {**named("net."), "criterion.weight": torch.ones(2)}}, "state_dict", "net."),
        ({"model": {"state_dict": GIVEN}}, "model.state_dict", ""),
        ({"n_averaged": torch.tensor(3), **named("module.")}, "", "module."),
        ({"model_ema": GIVEN}, "model_ema", ""),
    ],
)
def test_the_part_that_fits_is_found(checkpoint: dict[str, Any], key: str, prefix: str) -> None:
    matched = match_state_dict(EXPECTED, checkpoint)
    assert (matched.key, matched.prefix) == (key, prefix)
    assert list(matched.tensors) == list(EXPECTED)
    assert all(torch.equal(matched.tensors[name], value) for name, value in GIVEN.items())


def test_of_several_state_dicts_the_plain_one_is_taken_and_another_can_be_named() -> None:
    average = Tiny(seed=2).state_dict()
    checkpoint = {"state_dict_ema": average, "state_dict": GIVEN}
    matched = match_state_dict(EXPECTED, checkpoint)
    assert (matched.key, matched.others) == ("state_dict", ("state_dict_ema",))
    named_one = match_state_dict(EXPECTED, checkpoint, key="state_dict_ema")
    assert torch.equal(named_one.tensors["head.bias"], average["head.bias"])
    with pytest.raises(
        MismatchedWeights, match="under the key «ema»; there are some under: state_dict_ema, state_dict"
    ):
        match_state_dict(EXPECTED, checkpoint, key="ema")


def test_prefix_can_be_named() -> None:
    both = {**named("student."), **named("teacher.", Tiny(seed=2).state_dict())}
    teacher = match_state_dict(EXPECTED, both, prefix="teacher.").tensors
    assert torch.equal(teacher["head.bias"], both["teacher.head.bias"])
    with pytest.raises(MismatchedWeights, match=r"no name begins with «pupil\.»; «(student|teacher)\.» would fit"):
        match_state_dict(EXPECTED, both, prefix="pupil.")
    with pytest.raises(MismatchedWeights, match="leave `prefix` out"):
        match_state_dict(EXPECTED, GIVEN, prefix="module.")
    four_classes = {**GIVEN, "head.weight": torch.ones(4, 8), "head.bias": torch.ones(4)}
    with pytest.raises(MismatchedWeights, match="the weights are of 4 classes, the card is of 3"):
        match_state_dict(EXPECTED, four_classes)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"head.weight": None}, r"1 tensors are missing \(head.weight\)"),
        ({"extra.weight": torch.ones(2)}, r"1 tensors are too many \(extra.weight\)"),
        ({"head.weight": torch.ones(4, 8)}, r"head.weight is \(4, 8\), the network has \(3, 8\)"),
    ],
)
def test_what_does_not_fit_is_reported(change: dict[str, Tensor | None], fault: str) -> None:
    given = {name: value for name, value in {**GIVEN, **change}.items() if value is not None}
    for checkpoint in (given, {"state_dict": named("module.", given)}):
        with pytest.raises(MismatchedWeights, match=fault):
            match_state_dict(EXPECTED, checkpoint)


def test_broken_weights_are_reported() -> None:
    with pytest.raises(BrokenCheckpoint, match=r"1 tensors hold NaN or infinity \(head.bias\)"):
        match_state_dict(EXPECTED, {**GIVEN, "head.bias": torch.tensor([1.0, float("nan"), 0.0])})


def test_a_checkpoint_without_tensors() -> None:
    with pytest.raises(MismatchedWeights, match="no tensors"):
        match_state_dict(EXPECTED, {"epoch": 3})


def test_counters_of_batches_may_be_missing() -> None:
    expected = torch.nn.BatchNorm2d(3).state_dict()
    given = {name: value + 1 for name, value in expected.items() if name != "num_batches_tracked"}
    assert torch.equal(match_state_dict(expected, given).tensors["weight"], given["weight"])


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth", "old.pth", "best.pth.tar"])
def test_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.safetensors":
        save_file(GIVEN, path)
    else:
        torch.save(GIVEN, path, _use_new_zipfile_serialization=name != "old.pth")
    found = read_checkpoint(path, "x.toml")
    assert all(torch.equal(found[key], value) for key, value in GIVEN.items())


class Payload:
    """What a malicious pickle does when it is read."""

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return print, ("the pickle ran",)


def test_pickles_are_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": Payload()}, tmp_path / "a.pth")
    torch.save(Tiny(), tmp_path / "whole.pth")
    for name in ("a.pth", "whole.pth"):
        with pytest.raises(
            CardError, match=r"besides tensors \(.*Save the tensors alone: torch.save\(model.state_dict\(\)"
        ):
            read_nested(tmp_path / name, "x.toml")
    assert "the pickle ran" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # TorchScript is on its way out
def test_other_files(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04 cut off")
    (tmp_path / "text.safetensors").write_text("no tensors")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "pointer.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    for name, fault in (
        ("script.pt", "is a TorchScript file: save model.state_dict"),
        ("cut.pth", "cannot be read as weights: it is damaged or not whole"),
        ("text.safetensors", "cannot be read as weights: it is damaged"),
        ("empty.pth", "it is empty"),
        ("pointer.safetensors", "git lfs pull"),
        ("list.pth", "holds a list, not tensors by name"),
        ("gone.pth", "is not there"),
    ):
        with pytest.raises(CardError, match=fault) as caught:
            read_nested(tmp_path / name, "x.toml")
        assert caught.value.detail.startswith(f"x.toml: {name}")
