"""What our own metrics say of the six methods on the shipped pictures: `make trust-study` writes docs/trust.md.

Everything measured is kept in .trust-study, a file for each map, and is not measured again; without it the study takes
about twenty minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean
from typing import Any

from gradoscope.attribution.methods.base import find_method
from gradoscope.attribution.metrics.controls import SIGNIFICANT
from matplotlib import rcParams
from matplotlib.figure import Figure

from benchmarks.trust_study.measured import METHODS, PICTURES, Record, everything
from benchmarks.trust_study.weights import weights
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
KEPT = ROOT / ".trust-study"
TEXT = Path(__file__).with_name("page.md")  # what is said around the tables
Records = dict[tuple[str, str], Record]
Cell = Callable[[Record], str]


def titles() -> dict[str, str]:
    return {id: find_method(id).title for id in METHODS}


def table(records: Records, cell: Cell, methods: Iterable[str] = METHODS) -> str:
    """A row for each method, a column for each picture."""
    head = f"| | {' | '.join(PICTURES)} |\n| --- |{' --- |' * len(PICTURES)}\n"
    rows = (f"| {titles()[m]} | {' | '.join(cell(records[m, p]) for p in PICTURES)} |\n" for m in methods)
    return head + "".join(rows)


def two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def three(value: float) -> str:
    return f"{value:.3f}"


def curve_cell(curve: str) -> Cell:
    """For a curve, such as `deletion_blurred`: its area, bold where it is better than every random order, with ✓ where
    it beats each displaced map."""
    better = (lambda a, b: a < b) if curve.startswith("deletion") else (lambda a, b: a > b)

    def cell(record: Record) -> str:
        found = record[curve]
        area = found["map"]["area"]
        chance, elsewhere = (
            all(better(area, one["area"]) for one in found[control]) for control in ("random", "displaced")
        )
        return f"**{three(area)}**" * chance + three(area) * (not chance) + " ✓" * elsewhere

    return cell


def control_rows(records: Records, curve: str) -> str:
    """The controls that do not depend on the method; their lowest and highest area where several were drawn."""
    rows = ""
    for name, said in (("random", "random orders"), ("gaussian", "Gaussian at the centre")):
        cells = []
        for picture in PICTURES:
            found = records[METHODS[0], picture][curve][name]
            areas = [one["area"] for one in found] if isinstance(found, list) else [found["area"]]
            cells.append(" to ".join(dict.fromkeys((three(min(areas)), three(max(areas))))))
        rows += f"| *{said}* | {' | '.join(cells)} |\n"
    return rows


def stage(record: Record, count: int) -> dict[str, Any]:
    """The last stage with at most so many random layers."""
    return [found for found in record["randomisation"]["stages"] if found["count"] <= count][-1]


def randomised(records: Records, name: str) -> str:
    """Means over the pictures at some of the stages."""
    counts = [found["count"] for found in records[METHODS[0], PICTURES[0]]["randomisation"]["stages"]]
    shown = [counts[k] for k in (0, 2, 4, 6, len(counts) - 1)]
    out = f"| random layers, of {counts[-1]} | {' | '.join(map(str, shown))} |\n| --- |{' --- |' * len(shown)}\n"
    for method in METHODS:
        cells = []
        for count in shown:
            known = _known(records, method, count, name)
            cells.append(f"{two(mean(known))} ({two(min(known))} to {two(max(known))})")
        out += f"| {titles()[method]} | {' | '.join(cells)} |\n"
    return out


def signed(records: Records) -> str:
    """Means over the pictures of the rank correlation with signs, at every stage."""
    counts = [found["count"] for found in records[METHODS[0], PICTURES[0]]["randomisation"]["stages"]]
    out = f"| random layers, of {counts[-1]} | {' | '.join(map(str, counts))} |\n| --- |{' --- |' * len(counts)}\n"
    for method in METHODS:
        means = [mean(_known(records, method, count, "signed_rank_correlation")) for count in counts]
        out += f"| {titles()[method]} | {' | '.join(map(two, means))} |\n"
    return out


def drawn_weights(model: str) -> str:
    """What depends on how random weights are drawn. `rounding` compares occlusion in float32 and in float64."""
    found = weights(model, KEPT)
    methods = list(next(iter(found.values()))["ranks"])
    heads = ("activations", "logits", "occlusion", *(find_method(method).title for method in methods))
    out = f"| | {' | '.join(heads)} |\n| --- |{' --- |' * len(heads)}\n"
    for name, figures in found.items():
        spreads = (f"{figures[key]:.2g}".replace("e-0", "e−") for key in ("activations", "logits"))
        ranks = (two(figures["ranks"][method]) for method in methods)
        out += f"| {name} | {' | '.join((*spreads, two(figures['rounding']), *ranks))} |\n"
    return out


def _known(records: Records, method: str, count: int, name: str) -> list[float]:
    values = (stage(records[method, picture], count)[name] for picture in PICTURES)
    return [value for value in values if value is not None]


def draw(records: Records, file: Path) -> None:
    """Likeness over the random layers, the mean of the pictures."""
    rcParams["svg.hashsalt"] = "gradoscope"  # the same file for the same numbers
    figure = Figure((10, 3.6), layout="constrained")
    shown = {"rank_correlation": "rank correlation", "signed_rank_correlation": "with signs", "ssim": "SSIM"}
    for ax, (name, said) in zip(figure.subplots(1, 3, sharex=True), shown.items(), strict=True):
        for method in METHODS:
            stages = [records[method, picture]["randomisation"]["stages"] for picture in PICTURES]
            counts = [found["count"] for found in stages[0]]
            values = [mean(v for one in stages if (v := one[k][name]) is not None) for k in range(len(counts))]
            ax.plot(counts, values, marker="o", markersize=3, linewidth=1.4, label=titles()[method])
        ax.set(xlabel="layers drawn at random, from the top", title=said, ylim=(-0.2, 1.02))
        ax.grid(alpha=0.3)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
    figure.savefig(file, metadata={"Date": None})


def page(records: Records, model: str) -> str:
    def unexplained(record: Record) -> str:
        """Bold where it is less than by a constant map; with a mark where it is less than elsewhere, p ≤ 0.05."""
        found = record["infidelity"]
        share, better = found["unexplained"], found["unexplained"] < found["constant"]["unexplained"]
        return "**" * better + two(share) + "**" * better + " ✓" * (found["displaced_p"] <= SIGNIFICANT)

    def foretold_by(control: str, title: str) -> str:
        found = (records[METHODS[0], picture]["infidelity"][control]["unexplained"] for picture in PICTURES)
        return f"| *{title}* | {' | '.join(map(two, found))} |\n"

    def trial(id: str) -> Cell:
        def cell(record: Record) -> str:
            found = [one for one in record["stability"]["trials"] if one["id"] == id]
            return two(found[0]["rank_correlation"]) if found else "–"

        return cell

    def checked(record: Record) -> str:
        return f"{record['gradient_check']['relative_error']:.0e}".replace("e-0", "e−").replace("e+0", "e+")

    integrated = [method for method in METHODS if records[method, PICTURES[0]]["completeness"]]
    pixelwise = [method for method in METHODS if records[method, PICTURES[0]]["gradient_check"]]
    areas = "".join(
        f"\n**{curve.replace('_', ', replaced by ')}**\n\n"
        f"{table(records, curve_cell(curve))}{control_rows(records, curve)}"
        for curve in ("deletion_blurred", "deletion_black", "insertion_blurred", "insertion_black")
    )
    return TEXT.read_text("utf-8").format(
        predictions=", ".join(
            f"{p}: {records[METHODS[0], p]['label']} {records[METHODS[0], p]['probability']:.2f}" for p in PICTURES
        ),
        ranks=randomised(records, "rank_correlation"),
        ssims=randomised(records, "ssim"),
        signed=signed(records),
        weights=drawn_weights(model),
        areas=areas,
        drawn=table(records, lambda r: two(r["class_sensitivity"]["classes"][-1]["rank_correlation"])),
        nearest=table(records, lambda r: two(r["class_sensitivity"]["classes"][0]["rank_correlation"])),
        shift=table(records, trial("shift")),
        jpeg=table(records, trial("jpeg")),
        unexplained=table(records, unexplained)
        + foretold_by("constant", "a map that is the same everywhere")
        + foretold_by("gaussian", "Gaussian at the centre"),
        correlations=table(records, lambda r: two(r["infidelity"]["correlation"])),
        sensitivity=table(records, lambda r: two(r["max_sensitivity"]["max_sensitivity"])),
        checks=table(records, checked, pixelwise),
        sums=table(records, lambda r: two(100 * r["completeness"]["relative_error"]), integrated),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="efficientnet_lite0")
    arguments = options.parse_args()
    records = {(method, picture): record for method, picture, record in everything(arguments.model, KEPT)}
    draw(records, DOCS / "trust-randomisation.svg")
    (DOCS / "trust.md").write_text(page(records, arguments.model), "utf-8")


if __name__ == "__main__":
    main()
