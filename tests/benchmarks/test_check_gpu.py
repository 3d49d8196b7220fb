"""`make check-gpu` on the CPU's stand-in: every section runs, and says what fails, what ended in an error, what is left
out. So nothing but CUDA itself is new when there is a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from gradoscope.attribution.engine import Engine
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.score import Score
from torch import Tensor

from tests.support.nets import Tiny, random_picture, wrap
from tools.check_gpu import __main__ as check_gpu
from tools.check_gpu.card import CudaCard, StandIn
from tools.check_gpu.report import Section

SMALL = ("--device", "cpu", "--quick")


def test_the_whole_check_on_the_stand_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "check.json"
    assert check_gpu.main([*SMALL, "--json", str(path)]) == 0, capsys.readouterr().out
    report, printed = json.loads(path.read_text("utf-8")), capsys.readouterr().out
    assert [section["title"] for section in report["sections"]] == [title for title, *_ in check_gpu.PLAN.values()]
    for section in report["sections"]:
        assert section["rows"]
        assert section["bounds"]
        assert section["peak_mib"] > 0
        assert {len(row) for row in section["rows"]} == {len(section["columns"])}, section["title"]
        for row in section["rows"]:
            assert f"| {' | '.join(row)} |" in printed
    every = next(section for section in report["sections"] if section["title"].startswith("Every method"))
    assert [row[1] for row in every["rows"]] == list(methods())
    bounds = sum(len(section["bounds"]) for section in report["sections"])
    assert printed.splitlines()[-1] == f"verdict: all {bounds} bounds hold"


def test_memory_runs_out_on_the_stand_in_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_gpu.main([*SMALL, "--sections", "memory"]) == 0
    printed = capsys.readouterr().out
    assert "4 < 16 pictures went at a time" in printed
    assert "the full micro-batch is found again: 16 of 16" in printed


def test_what_is_left_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "check.json"
    assert check_gpu.main([*SMALL, "--seconds", "0", "--json", str(path)]) == 3
    assert all(section["left_out"] for section in json.loads(path.read_text("utf-8"))["sections"])
    assert "left out: Six maps of a picture: all of it" in capsys.readouterr().out.splitlines()[-1]


def replaced(monkeypatch: pytest.MonkeyPatch, **sections: Any) -> None:
    plan = {id: (f"Section {id}", ("what",), 60.0, run) for id, run in sections.items()}
    monkeypatch.setattr(check_gpu, "PLAN", plan)


def test_an_error_in_a_section_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(check: object, section: Section) -> None:
        raise torch.OutOfMemoryError("no room\nwith more lines")

    replaced(monkeypatch, first=broken, second=lambda check, section: section.row("seen"))
    assert check_gpu.main([*SMALL]) == 1
    printed = capsys.readouterr().out
    assert "- **ERROR**: OutOfMemoryError: no room\n" in printed
    assert "| seen |" in printed
    assert printed.splitlines()[-1] == "verdict: 1 failed: Section first: OutOfMemoryError: no room"


def test_a_bound_that_fails_decides_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replaced(monkeypatch, first=lambda check, section: section.bound("2 ≤ 1", False))
    assert check_gpu.main([*SMALL]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "verdict: 1 failed: 2 ≤ 1"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_without_a_card_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_gpu.main([]) == 0
    assert capsys.readouterr().out == "no CUDA device\n"


class Watching(Tiny):
    """Notes in each pass whether TF32 is on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bool, str]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()))
        return super().forward(x)


def test_tf32_is_on_within_the_context_only() -> None:
    """The engine itself switches it off for each of its passes."""
    network, card = Watching(), StandIn()
    engine = Engine(wrap(network), Score(0))
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    engine.gradients(random_picture()[None])
    with card.reduced_precision():
        engine.gradients(random_picture()[None])
    engine.gradients(random_picture()[None])
    assert network.seen == [(False, "highest"), (True, "high"), (False, "highest")]
    assert (torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()) == before


def test_a_card_has_all_its_memory_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        total_memory = 2**30

    shares: list[float] = []
    for name, stand_in in {
        "current_device": lambda: 0,
        "get_device_name": lambda device: "card",
        "get_device_properties": lambda device: Properties,
        "memory_reserved": lambda device: 2**28,
        "set_per_process_memory_fraction": lambda share, device: shares.append(share),
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    with pytest.raises(RuntimeError, match="stop"), CudaCard().limited(2**28):
        raise RuntimeError("stop")
    assert shares == [0.5, 1.0]
