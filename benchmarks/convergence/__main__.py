"""Error over gradients for schedules, rules and noise: `make convergence` writes docs/convergence.md and its curves.

Gradients along fine grids, and with noise, are computed once and kept (9 GB, two hours or three on two cores); the
rules are then judged on them. Points of a path are moved to the nearest point of its grid. Maps are compared on a
quarter of the pixels, drawn at random.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path

import numpy as np
from gradoscope.attribution.methods.blur_integrated_gradients import HALF_SIGMA
from gradoscope.attribution.methods.integrated_gradients import WARPS
from gradoscope.attribution.methods.schedules import (
    Cell,
    Sweep,
    Warp,
    doubling,
    gauss_legendre,
    geometric,
    hyperbolic,
    midpoint,
    power,
)
from matplotlib import rcParams
from matplotlib.figure import Figure

from benchmarks.convergence.qualities import qualities_table
from benchmarks.convergence.smoothing import other_designs, smoothing_table
from benchmarks.convergence.stored_noise import noise_table
from benchmarks.convergence.stored_paths import MAX_SIGMA, Error, StoredPath, collect, relative, stored_paths
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
MODELS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
PICTURES = ("cat", "espresso", "astronaut", "rocket", "grid")
BASELINES, OTHERS = ("white", "mean", "blurred"), ("cat", "astronaut", "rocket")  # beside black; one model only
COUNTS = (10, 15, 20, 30, 50, 70, 100, 150, 200)
SHOWN = (20, 50, 100, 200)
PILOT, FORWARD = 16, 1 / 3  # intervals between the scores of `pilot`, and what one forward pass costs in gradients
Rule = Callable[[StoredPath, int], Sweep]
Run = list[tuple[int, float, float, float]]  # after each doubling: gradients, the map's change, its error, completeness
HYPERBOLIC = hyperbolic(HALF_SIGMA / MAX_SIGMA)


def even(warp: Warp) -> Rule:
    return lambda path, steps: midpoint(steps, warp)


def gauss(warp: Warp) -> Rule:
    """Gauss's places and weights in u."""

    def rule(path: StoredPath, steps: int) -> Sweep:
        return [Cell(*(float(warp(np.float64(t))) for t in astuple(cell))) for cell in gauss_legendre(steps)]

    return rule


def follow(places: np.ndarray, mass: np.ndarray) -> Warp:
    """A warp that spends on each piece between `places` what `mass` says."""
    share = np.concatenate([[0], np.cumsum(mass / mass.sum())])
    return lambda u: np.interp(u, share, places)


def pilot(warp: Warp) -> Rule:
    """Half of the steps by the warp, half where forward passes saw the score change. What those passes cost is taken
    off the steps."""

    def rule(path: StoredPath, steps: int) -> Sweep:
        places = warp(np.arange(PILOT + 1) / PILOT)
        moved = np.sqrt(np.abs(np.diff(np.interp(places, path.places, path.scores)))) + 1e-12
        paid = max(1, steps - round((PILOT + 1) * FORWARD))
        return midpoint(paid, follow(places, 1 / PILOT + moved / moved.sum()))

    return rule


def two_phases(warp: Warp) -> Rule:
    """A third of the gradients by the warp; the others where these differ from each other, by the cubic root of it."""

    def rule(path: StoredPath, steps: int) -> Sweep:
        first = max(3, round(0.3 * steps))
        places = warp(np.arange(first) / (first - 1))
        index, length = path.nearest(places), np.diff(places)
        moved = np.array([path.gradient_change(*pair) for pair in pairwise(index)])
        wanted = np.cbrt(moved**2 / length) * length
        wanted = (0.3 / len(wanted) + 0.7 * wanted / wanted.sum()) * (steps - 1)
        pieces = np.ones(len(wanted), int)
        for _ in range(steps - first):
            pieces[np.argmax(wanted / pieces)] += 1
        inside = [a + (b - a) * np.arange(1, k + 1) / k for (a, b), k in zip(pairwise(places), pieces, strict=True)]
        t = np.concatenate([[0], *inside])
        edges = np.concatenate([[0], (t[1:] + t[:-1]) / 2, [1]])
        return [Cell(*cell) for cell in zip(t, edges[:-1], edges[1:], strict=True)]

    return rule


def oracle(path: StoredPath, steps: int) -> Sweep:
    """Steps as dense as the cubic root of how fast all stored gradients change: no rule can know that beforehand."""
    if path.oracle_warp is None:
        bins = np.concatenate([[0], np.geomspace(1e-3, 1, 40)])
        middle = (path.places[1:] + path.places[:-1]) / 2
        moved = np.array([path.gradient_change(i, i + 1) ** 2 for i in range(len(middle))])
        rate = np.histogram(middle, bins, weights=moved)[0] / np.diff(bins)
        path.oracle_warp = follow(bins, np.cbrt(rate) * np.diff(bins) + 1e-9)
    return midpoint(steps, path.oracle_warp)


RULES: dict[str, dict[str, Rule]] = {  # by kind of path
    "fade": {  # from the baseline straight to the picture
        "geometric (default)": even(WARPS["geometric"]),
        "Gauss-Legendre": lambda path, steps: gauss_legendre(steps),
        "midpoint": even(WARPS["midpoint"]),
        "α = u²": even(power(2)),
        "α = u³": even(power(3)),
        "α ∝ u/(1.6 − u)": even(hyperbolic(0.6)),
        "geometric, Gauss": gauss(WARPS["geometric"]),
        "geometric + pilot of 17 scores": pilot(WARPS["geometric"]),
        "geometric, two phases": two_phases(WARPS["geometric"]),
        "(ideal density)": oracle,
    },
    "blur": {
        "hyperbolic (default)": even(HYPERBOLIC),
        "quadratic": even(power(2)),
        "linear": even(power(1)),
        "cubic": even(power(3)),
        "geometric": even(geometric(21)),
        "hyperbolic, Gauss": gauss(HYPERBOLIC),
        "quadratic, Gauss": gauss(power(2)),
        "hyperbolic + pilot of 17 scores": pilot(HYPERBOLIC),
        "hyperbolic, two phases": two_phases(HYPERBOLIC),
        "(ideal density)": oracle,
    },
}
Results = dict[str, dict[int, list[Error]]]


def judge(paths: list[StoredPath], rules: dict[str, Rule], counts: tuple[int, ...]) -> Results:
    return {
        name: {steps: [path.error(*path.map_by(rule(path, steps))) for path in paths] for steps in counts}
        for name, rule in rules.items()
    }


def table(results: Results, counts: tuple[int, ...]) -> str:
    """Median / worst of each error."""

    def cell(errors: list[Error], field: str) -> str:
        values = [getattr(error, field) for error in errors]
        worst = min(values) if field == "rank" else max(values)
        return f"{np.median(values):.3f} / {worst:.3f}"

    columns = [(field, steps) for field in ("raw", "summed") for steps in counts]
    columns += [("completeness", steps) for steps in (50, 100)] + [("rank", 50)]
    names = {"raw": "map", "summed": "summed", "completeness": "completeness", "rank": "rank correlation"}
    rows = [["", *(f"{names[field]}, {steps}" for field, steps in columns)], ["---"] * (len(columns) + 1)]
    rows += [[name, *(cell(by[steps], field) for field, steps in columns)] for name, by in results.items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def sweeping(paths: list[StoredPath], warp: Warp, steps: int = 241) -> list[Run]:
    runs = []
    for path in paths:
        mean, total, done, rows = np.zeros(1), 0.0, 0, []
        for sweep in doubling(steps, warp):
            values, summed = path.map_by(sweep)
            before, done = mean, done + len(sweep)
            mean = mean + (values - mean) * (len(sweep) / done)
            total += (summed - total) * (len(sweep) / done)
            if done > len(sweep):
                change = float(np.linalg.norm(mean - before) / np.linalg.norm(mean))
                rows.append((done, change, relative(mean, path.reference[0]), abs(total / path.expected - 1)))
        runs.append(rows)
    return runs


def tolerance_table(runs: list[Run]) -> str:
    lines = ["| tolerance | gradients: median, least – most | error: median / worst | converged |", "| --- " * 4 + "|"]
    for tolerance in (0.3, 0.2, 0.1, 0.05):
        ends = [next((row for row in rows if max(row[1], row[3]) <= tolerance), rows[-1]) for rows in runs]
        used, _, errors, _ = (np.array(column) for column in zip(*ends, strict=True))
        converged = sum(max(row[1], row[3]) <= tolerance for row in ends)
        lines.append(
            f"| {tolerance} | {np.median(used):.0f}, {used.min()} – {used.max()} "
            f"| {np.median(errors):.3f} / {errors.max():.3f} | {converged} of {len(ends)} |"
        )
    ratios = [row[2] / row[1] for rows in runs for row in rows]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    lines.append(f"\nThe error was {spread} times the change (median {np.median(ratios):.2f}).")
    return "\n".join(lines)


def plot(results: Results, title: str, file: Path) -> None:
    rcParams.update({"svg.hashsalt": "gradoscope", "font.size": 9})
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, by in results.items():
        medians = [np.median([error.raw for error in by[steps]]) for steps in by]
        bold = "default" in name
        axes.loglog(list(by), medians, "o-", ms=3, lw=2 if bold else 1, color="black" if bold else None, label=name)
    axes.set(title=title, xlabel="gradients", ylabel="relative L2 error of the map, median over the paths")
    axes.set_xticks(COUNTS, [str(steps) for steps in COUNTS], minor=False)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    figure.savefig(file, metadata={"Date": None})


def gather(folder: Path, points: int) -> None:
    wanted = [(model, picture, kind, "black") for model in MODELS for picture in PICTURES for kind in ("fade", "blur")]
    wanted += [(MODELS[0], picture, "fade", baseline) for picture in OTHERS for baseline in BASELINES]
    for model, picture, kind, baseline in wanted:
        file = folder / f"{model}-{picture}-{kind if baseline == 'black' else baseline}.npz"
        if not file.exists():
            print(file.stem, flush=True)
            collect(model, picture, kind, file, points, baseline)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "gradoscope-convergence")
    parser.add_argument("--points", type=int, default=1024, help="of the fine grids")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    gather(options.folder, options.points)
    page = (DOCS / "convergence.md").read_text("utf-8")
    titles = {"fade": "Integrated gradients, black baseline", "blur": "Blur integrated gradients, σ up to 50 pixels"}
    for kind, title in titles.items():
        paths = list(stored_paths(options.folder, kind))
        results = judge(paths, RULES[kind], COUNTS)
        plot(results, title, DOCS / f"convergence-{kind}.svg")
        page = put(page, kind, table(results, SHOWN[:3]))
        warp = WARPS["geometric"] if kind == "fade" else HYPERBOLIC
        page = put(page, f"{kind}-tolerance", tolerance_table(sweeping(paths, warp)))
    others = [path for baseline in BASELINES for path in stored_paths(options.folder, baseline)]
    some = {name: RULES["fade"][name] for name in ("geometric (default)", "Gauss-Legendre", "midpoint", "α = u²")}
    page = put(page, "baselines", table(judge(others, some, SHOWN[:3]), SHOWN[:3]))
    page = put(page, "noise", noise_table(options.folder, MODELS, PICTURES))
    page = put(page, "smoothing", smoothing_table(options.folder))
    page = put(page, "designs", other_designs())
    page = put(page, "qualities", qualities_table(options.folder))
    (DOCS / "convergence.md").write_text(page, "utf-8")


def put(page: str, name: str, text: str) -> str:
    """`page` with `text` between the HTML comments of `name`."""
    before, rest = page.split(f"<!-- {name} -->\n", 1)
    return f"{before}<!-- {name} -->\n{text}\n<!-- end -->{rest.split('<!-- end -->', 1)[1]}"


if __name__ == "__main__":
    main()
