"""The sweep over timm's architectures: what its page says, and those that were once wrong."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import timm
from gradoscope.attribution.methods.base import methods

from benchmarks import sweep
from benchmarks.sweep import Row

# Networks that the inspection once failed on: the last convolution is a branch beside tokens, or there is a 3-D one.
ONCE_WRONG = (
    "tiny_vit_5m_224", "twins_pcpvt_small", "nest_tiny", "hiera_tiny_224", "xcit_nano_12_p16_224", "coat_lite_tiny",
    "mvitv2_tiny", "mambaout_femto", "lambda_resnet26t",
)  # fmt: skip
BRANCHES = ("local_mp", "crpe", "cpe", "attn", "mlp", ".blocks.")  # what stands beside a skip connection


@pytest.mark.slow
def test_architectures_that_were_once_wrong() -> None:
    """`make sweep` takes all that timm has, and a while."""
    for row in sweep.sweep_all(list(ONCE_WRONG), 2):
        assert not row.crash, row
        assert not row.left_out, row
        assert row.methods.keys() == methods().keys(), row
        for outcome in row.methods.values():
            assert outcome == "done" or outcome.startswith(("refused: ", "422: ")), row
        assert row.methods["vanilla_gradient"] == row.methods["occlusion"] == "done"
        assert not any(branch in row.layer for branch in BRANCHES), row


@pytest.mark.slow
def test_a_sample_of_all_architectures() -> None:
    """None crashes, and no map fails: each is made, or refused in words."""
    names = sweep.spread_out(timm.list_models())[:60]
    rows = list(sweep.sweep_all(names, 2))
    assert sum(bool(row.methods) for row in rows) >= 40, "the others take long to build"
    for row in rows:
        assert not row.crash, row
        for outcome in row.methods.values():
            assert outcome == "done" or outcome.startswith(("refused: ", "422: ")), row


def test_sample_is_spread_evenly() -> None:
    names = [str(number) for number in range(10)]
    spread = sweep.spread_out(names)
    assert sorted(spread) == names
    for count in (2, 3, 5, 8):  # gaps between neighbours, the ends included, differ by no more than two to one and one
        taken = sorted(int(name) for name in spread[:count])
        gaps = [b - a for a, b in zip([-1, *taken], [*taken, 10], strict=True)]
        assert max(gaps) <= 2 * (10 // count) + 1


def test_page_counts_and_names_what_failed() -> None:
    rows = [
        Row("a", 64, {"one": "done", "two": "refused: No rule for: 3 × silu (SiLU), 1 × mul (Gate). More."}, "l"),
        Row("b", 96, {"one": "failed: It broke off.", "two": "refused: No rule for: 9 × gelu, 2 × g. M"}, notes=["x"]),
        Row("c", left_out="takes more than 2 s to build"),
        Row("d", crash="the process ended with -9"),
    ]  # fmt: skip
    page = sweep.page(rows, 1371)
    assert "4 of timm's 1371 architectures" in page
    assert "2 were asked for 2 maps each. Crashes: 1. Failures: 1." in page
    assert "| one | 1 of 2 | 1 × It broke off. |" in page
    assert "| two | 0 of 2 | 2 × No rule for: … |" in page
    assert "- b, one: failed: It broke off.\n- d: the process ended with -9" in page
    assert "- 1 × takes more than 2 s to build: c" in page
    assert "| b | 96 | – | x | one, two |" in page


def test_process_that_dies_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By a stand-in that answers, dies, computes or waits, as it is asked."""
    script = tmp_path / "stand_in.py"
    script.write_text(
        "import json, sys, time\n"
        "for line in sys.stdin:\n"
        "    if 'dies' in line: sys.exit(3)\n"
        "    while 'computes' in line: pass\n"
        "    if 'waits' in line: time.sleep(1.5)\n"
        "    print(json.dumps({'name': line.strip(), 'side': 64}), flush=True)\n"
    )
    monkeypatch.setattr(sweep, "COMMAND", ("-u", str(script)))
    monkeypatch.setattr(sweep, "SECONDS", 1.0)
    monkeypatch.setattr(sweep, "LOOK_SECONDS", 0.1)
    names = ["one", "dies", "two", "computes", "waits"]  # only processor time counts
    found = list(sweep.sweep_all(names, 1))
    assert [row.name for row in found] == names
    assert [row.side for row in found] == [64, 0, 64, 0, 64]
    assert (found[1].crash, found[3].left_out) == ("the process ended with 3", "takes more than 1 s")


def test_an_interrupted_sweep_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    assert sweep.read_rows(None, ["a"]) == sweep.read_rows(file, ["a"]) == []
    file.write_text("".join(f"{json.dumps(asdict(Row(name, 64)))}\n" for name in "ab"))
    assert sweep.read_rows(file, ["a", "b", "c"]) == [Row("a", 64), Row("b", 64)]
    with pytest.raises(SystemExit, match="other architectures"):
        sweep.read_rows(file, ["a", "c"])
