"""`make check-gpu`; with switches: .venv/bin/python -m tools.check_gpu --help

Exit status: 0, 1 where a bound fails or a section ends in an error, 3 where something was left out for lack of time.
Without a GPU it only says so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from gradoscope.attribution.memory import release_freed_memory

from . import agreement, maps, passes, precision
from .card import Card, CudaCard, StandIn
from .report import Report, Section
from .subjects import Check

Run = Callable[[Check, Section], None]
# The most telling first, so that a run that is cut off has said the most; with the seconds that each may take.
PLAN: dict[str, tuple[str, tuple[str, ...], float, Run]] = {
    "maps": ("Six maps of a picture", maps.SIX, 110, maps.six_maps),
    "batch": ("Six maps of each of 32 pictures, EfficientNet-Lite0", maps.BATCH, 80, maps.batch),
    "precision": ("TF32 off and on", precision.COLUMNS, 70, precision.precision),
    "graphs": ("CUDA graphs and torch.compile", passes.GRAPHS, 60, passes.graphs),
    "memory": ("Memory that runs out", passes.OUT_OF_MEMORY, 30, passes.out_of_memory),
    "methods": ("Every method against the CPU", agreement.COLUMNS, 180, agreement.agreement),
}
TOTAL = 540.0  # seconds


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device")
        return 0
    card: Card = CudaCard() if options.device == "cuda" else StandIn()
    versions = {"torch": str(torch.__version__), "cuda": str(torch.version.cuda), "python": sys.version.split()[0]}
    report = Report(card.name, versions)
    print(f"{card.name}, {', '.join(f'{name} {version}' for name, version in versions.items())}", flush=True)
    began = time.monotonic()
    for id in options.sections:
        title, columns, budget, run = PLAN[id]
        left = max(0.0, options.seconds - (time.monotonic() - began))
        section = Section(title, columns, min(budget, left))
        report.sections.append(section)
        run_section(run, Check(card, options.quick), section)
        if options.json:
            report.write(options.json)
    print(f"\nverdict: {report.verdict}", flush=True)
    return report.exit_status


def run_section(run: Run, check: Check, section: Section) -> None:
    """Run a section; its error does not end the others."""
    section.begin()
    peak = 0.0
    try:
        check.card.reset_peak()
        if section.has_time_for("all of it"):
            run(check, section)
        check.card.synchronize()
        peak = check.card.peak()
    except Exception as error:
        section.error = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:300]}"
    finally:
        section.end(peak)
        release_freed_memory()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="check_gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a stand-in, for a test")
    parser.add_argument("--quick", action="store_true", help="small networks, few samples, one round: for a test")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too, section by section")
    parser.add_argument("--seconds", type=float, default=TOTAL, help="for all sections together")
    parser.add_argument("--sections", nargs="+", choices=tuple(PLAN), default=tuple(PLAN), metavar="ID",
                        help=f"of {', '.join(PLAN)}")  # fmt: skip
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
