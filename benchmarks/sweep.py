"""timm's architectures × methods: `make sweep` writes docs/timm-sweep.md.

Every architecture that timm builds in two seconds, with seeded random weights and a small picture; every method on it
with two steps or samples, through the pipeline, as in a request. Each must be done, or refused in words. A pool of
processes does it: one that takes too long, takes too much memory or dies is replaced, and its architecture counted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import resource
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from torch import nn

OUT = Path(__file__).resolve().parent.parent / "docs" / "timm-sweep.md"
BUILD_SECONDS = 2.0  # what takes longer to build is left out, by name
COMMAND = ("-m", "benchmarks.sweep", "--work")
SECONDS = 90.0  # of processor time for an architecture, after which its process is ended
LOOK_SECONDS = 5.0  # between two looks at the time that was used
BYTES = 10 * 2**30  # address space that an architecture may take beyond what PyTorch has, for all methods in one call
SMALL_SIDES = (64, 112)  # sizes to try for a network that is built for one size only
SIDES = (64, 96, 128, 160, 192, 224, 256, 288, 384)  # of the picture: the first that the network takes


@dataclass
class Row:
    """What came of an architecture: its input, what came of each method, or why nothing did."""

    name: str
    side: int = 0
    methods: dict[str, str] = field(default_factory=dict)  # `done`, or why it was refused or has failed
    layer: str = ""
    notes: list[str] = field(default_factory=list)
    left_out: str = ""
    crash: str = ""
    seconds: float = 0.0


def sweep(name: str) -> Row:
    """Build an architecture and explain a picture by every method, in this process."""
    import timm
    import torch
    from gradoscope import explain
    from gradoscope.attribution.methods.base import methods
    from gradoscope.cli.check_card import cheap_parameters
    from gradoscope.contract.problems import Problem

    began, computed = time.monotonic(), time.process_time()
    torch.manual_seed(0)
    try:
        network = timm.create_model(name, num_classes=10).eval()
    except Exception as error:
        return Row(name, left_out=f"does not build: {type(error).__name__}")
    if time.process_time() - computed > BUILD_SECONDS:  # of this process alone, on a busy machine too
        return Row(name, left_out=f"takes more than {BUILD_SECONDS:g} s to build")
    fitting = with_smallest_picture(network, name)
    if fitting is None:
        return Row(name, left_out="takes no picture up to 384 pixels as a classifier")
    network, side = fitting
    row = Row(name, side)
    known = methods()
    options = {id: cheap_parameters(method, 2, side).model_dump() for id, method in known.items()}
    try:
        made = explain(
            picture(side), model=network, input={"size": side}, methods=list(known), options=options, target=1
        )
    except Problem as problem:  # no method at all
        row.methods = dict.fromkeys(known, f"{problem.status}: {problem.detail}")
        return row
    for panel in made:
        row.methods[panel.method] = "done" if panel.status == "done" else f"{panel.status}: {panel.problem.detail}"
        row.layer = panel.diagnostics.get("layer", row.layer)
    row.notes = [note.code for seen in made.record.inputs for note in seen.notes]
    row.seconds = round(time.monotonic() - began, 1)
    return row


def with_smallest_picture(network: nn.Module, name: str) -> tuple[nn.Module, int] | None:
    """A network for the smallest square picture that it takes, and the picture's side; None where it takes none.

    One that takes a single size is built anew for a smaller one where timm can: what is looked for does not depend on
    the number of tokens, and takes a tenth of the time.
    """
    import timm

    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    own = config.input_size[-1] if config is not None and config.input_size else 224
    if config is None or not config.fixed_input_size:
        return next(((network, side) for side in sorted({*SIDES, own}) if takes(network, side)), None)
    for side in (side for side in SMALL_SIDES if side < own):
        try:
            smaller = timm.create_model(name, num_classes=10, img_size=side).eval()
        except Exception:  # it has one size, or none that a window or a patch fits into
            continue
        if takes(smaller, side):
            return smaller, side
    return (network, own) if takes(network, own) else None


def takes(network: nn.Module, side: int) -> bool:
    """Whether a network gives ten logits for a square picture of that side."""
    import torch

    try:
        with torch.no_grad():
            answer = network(torch.rand(1, 3, side, side))
    except Exception:
        return False
    return isinstance(answer, torch.Tensor) and answer.shape == (1, 10)


def picture(side: int) -> object:
    import numpy as np
    from PIL import Image

    small = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


def work() -> None:
    """A process of the pool: reads names from its input, writes rows as JSON, one a line."""
    warnings.simplefilter("ignore")
    import timm  # noqa: F401
    import torch

    torch.set_num_threads(1)
    used = int(re.search(r"VmSize:\s*(\d+)", Path("/proc/self/status").read_text())[1]) * 1024  # type: ignore[index]
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))
    out, sys.stdout = sys.stdout, sys.stderr  # what timm prints is no row
    for line in sys.stdin:
        try:
            row = sweep(line.strip())
        except BaseException as error:  # a crash is a result too
            row = Row(line.strip(), crash=f"{type(error).__name__}: {str(error)[:200]}")
        print(json.dumps(asdict(row)), file=out, flush=True)


class Process:
    """One process of the pool. It is started when it is needed, and again after it was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def sweep(self, name: str) -> Row:
        if self._process is None:
            self._process = subprocess.Popen(
                ["nice", sys.executable, *COMMAND],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        used_before = processor_seconds(process.pid)
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        with ThreadPoolExecutor(1) as reader:
            answer = reader.submit(process.stdout.readline)
            while not wait([answer], LOOK_SECONDS).done:
                if processor_seconds(process.pid) - used_before > SECONDS:
                    self.end()
                    return Row(name, left_out=f"takes more than {SECONDS:g} s")
            line = answer.result()
        if line:
            return Row(**json.loads(line))
        status = process.wait()
        self.end()
        return Row(name, crash=f"the process ended with {status}")

    def end(self) -> None:
        if self._process is not None:
            with self._process as process:  # closes its pipes, and waits
                process.kill()
            self._process = None


def processor_seconds(pid: int) -> float:
    """What a process has used until now, 0 where it is gone: on a busy machine too, the same for the same work."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def sweep_all(names: Sequence[str], processes: int) -> Iterator[Row]:
    """A row for each architecture, in order, by so many processes at a time."""
    pool = [Process() for _ in range(processes)]
    free = list(pool)

    def one(name: str) -> Row:
        process = free.pop()
        try:
            return process.sweep(name)
        finally:
            free.append(process)

    try:
        with ThreadPoolExecutor(processes) as threads:
            yield from threads.map(one, names)
    finally:
        for process in pool:
            process.end()


def reason_of(outcome: str) -> str:
    """A refusal without what is special to one architecture: names and numbers."""
    first = re.sub(r"«[^»]*»", "«…»", outcome.partition(": ")[2].split(". ")[0])
    return re.sub(r"(\d+ × \w+( \([\w ]+\))?(, )?)+", "…", first)[:140]


def page(rows: Sequence[Row], total: int) -> str:
    """The page: sums by method, reasons of refusals, what was left out, and every architecture.

    `total` is the number of architectures that timm has.
    """
    rows = sorted(rows, key=lambda row: row.name)
    swept = [row for row in rows if row.methods]
    methods = list(dict.fromkeys(method for row in swept for method in row.methods))
    done = {method: sum(row.methods.get(method) == "done" for row in swept) for method in methods}
    failed = [(row.name, m, o) for row in swept for m, o in row.methods.items() if o.startswith(("failed", "5"))]
    crashed = [row for row in rows if row.crash]
    lines = [
        "# timm's architectures × methods",
        f"`make sweep` has written this page on {datetime.date.today()}. {len(rows)} of timm's {total} architectures, "
        f"spread evenly over their names, with random weights, each with the smallest picture "
        f"that it takes: {len(swept)} were asked for {len(methods)} maps each. "
        f"Crashes: {len(crashed)}. Failures: {len(failed)}.",
        "",
        "| method | done | refused, by reason |",
        "| --- | --- | --- |",
    ]
    for method in methods:
        refused = Counter(reason_of(row.methods[method]) for row in swept if row.methods.get(method, "done") != "done")
        reasons = "; ".join(f"{count} × {reason}" for reason, count in refused.most_common(6)) or "–"
        lines.append(f"| {method} | {done[method]} of {len(swept)} | {reasons.replace('|', '∣')} |")
    lines += ["", "## What failed", *(f"- {name}, {method}: {outcome}" for name, method, outcome in failed)]
    lines += [f"- {row.name}: {row.crash}" for row in crashed]
    lines += [] if failed or crashed else ["Nothing."]
    left_out: dict[str, list[str]] = {}
    for row in rows:
        if row.left_out:
            left_out.setdefault(row.left_out, []).append(row.name)
    lines += [
        "",
        "## Left out",
        *(f"- {len(names)} × {reason}: {', '.join(names)}" for reason, names in left_out.items()),
    ]
    lines += [
        "",
        "## Every architecture",
        "| architecture | side | Grad-CAM's layer | notes | refused |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in swept:
        refused_here = ", ".join(method for method in methods if row.methods.get(method) != "done")
        lines.append(f"| {row.name} | {row.side} | {row.layer or '–'} | {', '.join(row.notes)} | {refused_here} |")
    return "\n".join(lines) + "\n"


def spread_out(names: Sequence[str]) -> list[str]:
    """The names in an order in which the first N of them, for any N, are spread evenly over the list."""
    golden = (5**0.5 - 1) / 2
    return [names[k] for k in sorted(range(len(names)), key=lambda k: k * golden % 1)]


def read_rows(file: Path | None, names: Sequence[str]) -> list[Row]:
    """The rows that an interrupted sweep over the same names has left, in order; none without a file.

    Raises:
        SystemExit: where the file is of other names.
    """
    if file is None or not file.exists():
        return []
    rows = [Row(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    if [row.name for row in rows] != list(names[: len(rows)]):
        sys.exit(f"{file} is of other architectures: name another file, or delete it")
    return rows


def main() -> None:
    import timm

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", action="store_true", help="be a process of the pool")
    parser.add_argument("--names", nargs="*", help="architectures, or patterns as timm's list_models takes them")
    parser.add_argument("--sample", type=int, help="so many of them, spread evenly")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rows", type=Path, help="keep what was found in this file, and go on from it")
    parser.add_argument("--write", action="store_true", help=f"write {OUT.name}")
    arguments = parser.parse_args()
    if arguments.work:
        return work()
    names = spread_out(timm.list_models(arguments.names or ""))[: arguments.sample]
    total = len(timm.list_models())
    rows = read_rows(arguments.rows, names)
    for row in sweep_all(names[len(rows) :], arguments.processes):
        rows.append(row)
        if arguments.rows is not None:
            with arguments.rows.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(asdict(row))}\n")
        refused = [method for method, outcome in row.methods.items() if outcome != "done"]
        said = row.crash or row.left_out or f"{row.side} px, {row.seconds} s, {row.layer or 'no layer'}"
        print(
            f"{len(rows)}/{len(names)} {row.name}: {said}{'; refused: ' + ', '.join(refused) if refused else ''}",
            flush=True,
        )
        for method, outcome in row.methods.items():
            if outcome.startswith(("failed", "5")):
                print(f"  FAILED {method}: {outcome}", flush=True)
    if arguments.write:
        OUT.write_text(page(rows, total), "utf-8")
    else:
        print(page(rows, total))
    wrong = any(row.crash or any(o.startswith(("failed", "5")) for o in row.methods.values()) for row in rows)
    return sys.exit(int(wrong))


if __name__ == "__main__":
    main()
