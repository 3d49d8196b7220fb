"""Tables in Markdown, for the terminal and for docs/speed.md."""

from __future__ import annotations

import re
from pathlib import Path

from gradoscope.attribution.methods.base import find_method

from . import plot
from .measure import Ratio, Times, ratio, total
from .own_methods import METHODS, OURS, sampled
from .peers import DEFAULT_BATCH_LABEL, MAIN, main_peer
from .rounding import WORST
from .run import Record, Timing
from .subjects import ROOT

DOCS = ROOT / "docs"
PAGE = DOCS / "speed.md"
ANOTHER = "another map"  # of a peer: not the method on this model
HEAD = (
    "# Speed\n\nHow long the maps take, compared with other libraries, on one machine. `make bench` and "
    "`make bench-growth` measure this and write parts of this page. On other machines the times will differ; the "
    "ratios differ less.\n"
)


def model_tables(record: Record) -> str:
    """All tables of one model."""
    parts = [
        f"### {record.model}",
        f"{record.weights} weights, sample «{record.picture}», class {record.target}, {record.rounds} rounds; "
        f"{record.count} samples or steps; micro-batch {record.micro_batch}, the peers' best batch {record.batch}.",
        equal_table(record),
    ]
    if record.equal_error:
        parts.append(error_table(record))
    parts.append(distance_table(record))
    if record.memory:
        parts.append(memory_table(record))
    if record.floor:
        parts.append(floor_line(record))
    return "\n\n".join(parts)


def equal_table(record: Record) -> str:
    """Equal evaluations, method by method and in all: median, range and interquartile range of seconds; ratios."""
    engines = [f"{OURS} {kind}" for kind in record.engines]
    lines = [
        f"| method | evaluations | {' | '.join(engines)} | peer | its time | {' | '.join(f'× {e}' for e in engines)} |",
        "| --- | ---: |" + " ---: |" * len(engines) + " --- | ---: |" + " ---: |" * len(engines),
    ]
    for method in methods_of(record):
        mine = [pick(record.equal, method, engine) for engine in engines]
        for theirs in [t for t in record.equal if t.method == method and not t.side.startswith(OURS)]:
            ratios = [say_ratio(ratio(theirs.times, timing.times)) for timing in mine]
            lines.append(
                f"| {title(method)} | {theirs.evaluations} | {' | '.join(say(t.times) for t in mine)} "
                f"| {theirs.side} | {say(theirs.times)} | {' | '.join(ratios)} |"
            )
    sums, peers = totals(record)
    count, both, blank = evaluations(record), " + ".join(MAIN), " |" * len(engines)
    for name, times in ((both, peers), (f"{both}, default batches", default_total(record))):
        if times:
            ratios = [say_ratio(ratio(times, sums[engine])) for engine in engines]
            lines.append(
                f"| **{number_of(record)}** | {count} | {' | '.join(say(sums[e]) for e in engines)} "
                f"| {name} | {say(times)} | {' | '.join(ratios)} |"
            )
    if peers:
        rates = [f"{count / sums[engine].median:.1f}" for engine in engines]
        lines.append(f"| gradients per second | | {' | '.join(rates)} | {both} | {count / peers.median:.1f} |{blank}")
    return "\n".join(lines)


def error_table(record: Record) -> str:
    """Equal error of the path methods, and all six with the steps that it takes. `goals` holds the peer's error at 50
    steps, which Gradoscope and the peer are brought to; `errors` those of both at 50 steps."""
    engines = [f"{OURS} {kind}" for kind in record.engines]
    lines = [
        "Equal error: relative L2 distance to a reference with many steps. Each library uses the fewest steps that are "
        "as close as the peer is with 50.",
        "",
        f"| method | error at 50: ours, peer | steps: ours, peer | {' | '.join(engines)} | peer | its time "
        f"| {' | '.join(f'× {e}' for e in engines)} |",
        "| --- | ---: | ---: |" + " ---: |" * len(engines) + " --- | ---: |" + " ---: |" * len(engines),
    ]
    for method in record.goals:
        theirs = pick(record.equal_error, method, main_peer(method).library)
        mine = [find(record.equal_error, method, engine) for engine in engines]
        steps = str(mine[0].evaluations) if mine[0] else "not reached"
        shown = [say(timing.times) if timing else "–" for timing in mine]
        ratios = [say_ratio(ratio(theirs.times, timing.times)) if timing else "–" for timing in mine]
        lines.append(
            f"| {title(method)} | {record.errors[method][OURS]:.3f}, {record.goals[method]:.3f} "
            f"| {steps}, {theirs.evaluations} | {' | '.join(shown)} | {theirs.side} | {say(theirs.times)} "
            f"| {' | '.join(ratios)} |"
        )
    sums, peers = totals(record, equal_error=True)
    if peers:
        ratios = [say_ratio(ratio(peers, sums[engine])) if engine in sums else "–" for engine in engines]
        shown = [say(sums[engine]) if engine in sums else "–" for engine in engines]
        lines.append(
            f"| **{number_of(record)}** | | | {' | '.join(shown)} | {' + '.join(MAIN)} | {say(peers)} "
            f"| {' | '.join(ratios)} |"
        )
    return "\n".join(lines)


def distance_table(record: Record) -> str:
    lines = [
        "Are the maps correct? Relative L2 distance from the same map in float64, computed with the peers' gradients:",
        "",
        "| method | library | from | distance | |",
        "| --- | --- | --- | ---: | --- |",
    ]
    for d in record.distances:
        verdict = ("fine" if d.allowed else "**out of bounds**") if d.bounded else ANOTHER if d.value > WORST else ""
        lines.append(f"| {title(d.method)} | {d.side} | {d.against} | {d.value:.1e} | {verdict} |")
    return "\n".join([*lines, *(f"\n**{fault}**" for fault in record.faults)])


def memory_table(record: Record) -> str:
    lines = ["| library | MiB with the model loaded | MiB at the peak | more |", "| --- | ---: | ---: | ---: |"]
    for side, peak in record.memory.items():
        lines.append(f"| {side} | {peak.loaded:.0f} | {peak.peak:.0f} | {peak.more:.0f} |")
    return "\n".join(lines)


def floor_line(record: Record) -> str:
    """The floor and how far above it each library is."""
    name = min(record.floor, key=lambda runtime: record.floor[runtime])
    sums, peers = totals(record)
    floor = 2 * record.floor[name] * evaluations(record)
    forwards = ", ".join(f"{runtime} {seconds * 1e3:.2f} ms" for runtime, seconds in record.floor.items())
    sides = {**sums, **({"the peers": peers} if peers else {})}
    above = ", ".join(f"{side} {times.median / floor:.2f} ×" for side, times in sides.items())
    return (
        f"Floor: forward pass of a picture: {forwards}; twice the faster one, {evaluations(record)} times: "
        f"{floor:.2f} s. Compared with it: {above}."
    )


def summary(records: list[Record]) -> str:
    """One line for each model and each of our engines."""
    lines = [
        "| model | evaluations | engine | ours | peers | ratio | at equal error | times the floor | MiB: ours, peers |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for record in records:
        sums, peers = totals(record)
        error_sums, error_peers = totals(record, equal_error=True)
        for engine, mine in sums.items():
            at_error = error_sums.get(engine) if record.equal_error else None
            floor = 2 * min(record.floor.values()) * evaluations(record) if record.floor else None
            memory = record.memory
            cells = [
                record.model,
                str(evaluations(record)),
                engine.removeprefix(f"{OURS} "),
                say(mine),
                say(peers) if peers else "–",
                say_ratio(ratio(peers, mine)) if peers else "–",
                say_ratio(ratio(error_peers, at_error)) if at_error and error_peers else "–",
                f"{mine.median / floor:.2f} ×" if floor else "–",
                f"{memory[engine].more:.0f}, {memory['peers'].more:.0f}" if memory else "–",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def overview(records: list[Record]) -> str:
    """The plot: milliseconds for a gradient, by model and library."""
    rows: dict[str, dict[str, plot.Dot]] = {}
    for record in records:
        sums, peers = totals(record)
        sides = {**sums, **({" + ".join(MAIN): peers} if peers else {})}
        per = 1e3 / evaluations(record)
        rows[record.model] = {
            side: plot.Dot(*(seconds * per for seconds in (times.median, *times.ends))) for side, times in sides.items()
        }
        if record.floor:
            floor = 2e3 * min(record.floor.values())
            rows[record.model]["floor"] = plot.Dot(floor, floor, floor)
    return plot.dots("Milliseconds a gradient, six maps, median and range", "ms", rows)


def totals(record: Record, equal_error: bool = False) -> tuple[dict[str, Times], Times | None]:
    """The sum over the methods, round by round: of each engine, and of captum + PAIR saliency. An engine that does not
    reach an error is left out; there is no sum of the peers where one has not been measured."""
    sums = {}
    for engine in (f"{OURS} {kind}" for kind in record.engines):
        times = _sum([_found(record, m, engine, equal_error) for m in methods_of(record)])
        if times:
            sums[engine] = times
    return sums, _sum([_found(record, m, main_peer(m).library, equal_error) for m in methods_of(record)])


def default_total(record: Record) -> Times | None:
    """The sum of captum + PAIR saliency with their default batch sizes."""
    found = []
    for method in methods_of(record):
        library = main_peer(method).library
        found.append(find(record.equal, method, library + DEFAULT_BATCH_LABEL if sampled(method) else library))
    return _sum(found)


def _found(record: Record, method: str, side: str, equal_error: bool) -> Timing | None:
    return find(record.equal_error if equal_error and method in record.goals else record.equal, method, side)


def _sum(timings: list[Timing | None]) -> Times | None:
    there = [timing.times for timing in timings if timing]
    return total(there) if there and len(there) == len(timings) else None


def evaluations(record: Record) -> int:
    """Gradients of all methods together."""
    return sum({timing.method: timing.evaluations for timing in record.equal}.values())


def methods_of(record: Record) -> list[str]:
    measured = {timing.method for timing in record.equal}
    return [method for method in METHODS if method in measured]


def number_of(record: Record) -> str:
    count = len(methods_of(record))
    return "all six" if count == len(METHODS) else f"these {count}"


def find(timings: list[Timing], method: str, side: str) -> Timing | None:
    return next((t for t in timings if (t.method, t.side) == (method, side)), None)


def pick(timings: list[Timing], method: str, side: str) -> Timing:
    found = find(timings, method, side)
    if found is None:
        raise LookupError(f"{side} has no time for {method}")
    return found


def say(times: Times) -> str:
    """Median, range and interquartile range in seconds, or in milliseconds where it is short."""
    factor, unit = (1e3, "ms") if times.median < 1 else (1, "s")
    low, high = (edge * factor for edge in times.ends)
    first, third = times.quartiles
    median = times.median * factor
    digits = 0 if median >= 100 else 1 if median >= 10 else 2
    return f"{median:.{digits}f} {unit} ({low:.{digits}f}–{high:.{digits}f}, IQR {(third - first) * factor:.{digits}f})"


def say_ratio(found: Ratio) -> str:
    return f"**{found.medians:.2f}** ({found.low:.2f}–{found.high:.2f})"


def title(method: str) -> str:
    return find_method(method).title


def machine_line(records: list[Record]) -> str:
    """What it was measured on; said once, or for each model where they differ."""
    said = {}
    for record in records:
        about = record.machine
        versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
        line = (
            f"{about['date']}, {about['processor']}, {about['threads']} threads, Python {about['python']}, {versions}."
        )
        said.setdefault(line, []).append(record.model)
    if len(said) == 1:
        return next(iter(said))
    return "\n".join(f"- {', '.join(models)}: {line}" for line, models in said.items())


def page_part(records: list[Record]) -> str:
    """The benchmark's part of docs/speed.md."""
    return "\n\n".join(
        [
            "## Compared with other libraries",
            "Gradoscope and the others run in turn in one process (A B A B …), after a warm-up, with the same "
            "weights and picture; the model is in eval mode, no parameter requires a gradient, float32. captum "
            "computes five maps and PAIR saliency the sixth, each with the fastest of the batch sizes tried; "
            "pytorch-grad-cam and torch-cam compute Grad-CAM too. «Its default batch» is all samples at once for "
            "captum and one after the other for PAIR; it is measured after the others. A time is the median "
            "(minimum–maximum, interquartile range) over the rounds. A ratio is the peer's median divided by ours "
            "(smallest–largest ratio of single rounds). captum's guided backprop is correct only if every activation "
            "is an `nn.ReLU`; otherwise it is the plain gradient, at the same cost. Memory is the peak of one "
            "process for each library, beyond the loaded model.",
            machine_line(records),
            summary(records),
            "![Milliseconds per gradient, by model and library](speed-models.svg)",
            *map(model_tables, records),
        ]
    )


def write(part: str, text: str, page: Path = PAGE) -> None:
    """Put `text` between the marks of `part`, and leave the rest of the page as it is."""
    before = page.read_text("utf-8") if page.exists() else HEAD
    start, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    block = f"{start}\n{text}\n{end}"
    marked = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.S)
    after = marked.sub(lambda _: block, before) if marked.search(before) else f"{before.rstrip()}\n\n{block}\n"
    page.write_text(after, "utf-8")
