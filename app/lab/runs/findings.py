"""What a run says: claims that hold or do not, each with its numbers and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...contract.experiments import ExperimentFinding
from .record import Run

FAR = 1000.0  # times that the gradient of a layer may be smaller or larger than the last layer's
GROWN = 100.0  # times that the whole gradient may be larger than its median
USUAL = 1e-3  # of a layer's weights is what one update usually changes
LARGE, SMALL = 0.1, 1e-6  # updates beyond these are found fault with
SHARE = 0.9  # of the steps since then show it, where something is said to last
LEAST = 3  # recorded steps that it lasts at least, where the run has so many
QUIET = 0.25  # of the run's steps, the last of which a unit did not fire: it is said never to fire any more
FEW = 0.05  # share of a layer's units that may be silent
MIN_ESTIMATES = 8  # of the noise scale, to say anything of it


@dataclass(frozen=True)
class Since:
    """From which row of the run on something lasts."""

    row: int
    step: int


def since(run: Run, mask: np.ndarray) -> Since | None:
    """The first recorded step from which on `mask` is true to the end, a tenth of the steps aside."""
    if not mask.any() or not mask[-1]:
        return None
    left = np.cumsum(mask[::-1])[::-1] / np.arange(len(mask), 0, -1)  # the share from each row on
    rows = np.flatnonzero(mask & (left >= SHARE))
    row = int(rows[0])
    return Since(row, int(run.steps[row])) if len(mask) - row >= min(LEAST, len(mask)) else None


def findings(run: Run) -> list[ExperimentFinding]:
    return [
        _finite(run),
        *_zero(run),
        *_depth(run, "vanishing"),
        *_depth(run, "exploding"),
        *_growth(run),
        *_updates(run),
        *_dead(run),
        _noise(run),
    ]


def _finite(run: Run) -> ExperimentFinding:
    broken = np.isinf(run.gradient)
    if not broken.any():
        return ExperimentFinding(
            id="finite", verdict="holds", numbers={"layers": len(run.names), "steps": len(run.steps)}
        )
    row = int(broken.any(1).argmax())
    which = np.flatnonzero(broken[row])
    lasting = since(run, broken.any(1))
    numbers: dict[str, float | int | str | None] = {
        "layer": named(run, which),
        "count": len(which),
        "step": int(run.steps[row]),
        "steps": int(broken.any(1).sum()),
        "all": len(run.steps),
    }
    return ExperimentFinding(id="finite", verdict="fails" if lasting else "depends", numbers=numbers)


def _zero(run: Run) -> Iterator[ExperimentFinding]:
    """Layers that nothing reaches any more: a gradient of exactly 0."""
    lasting = {
        layer: at for layer in range(len(run.names)) if (at := since(run, run.gradient[:, layer] == 0)) is not None
    }
    if lasting:
        start = max(at.row for at in lasting.values())
        yield ExperimentFinding(id="zero", verdict="fails", numbers={
            "layers": named(run, np.array(sorted(lasting))), "count": len(lasting), "of": len(run.names),
            "step": int(run.steps[start]),
        })  # fmt: skip


def compared(run: Run) -> tuple[np.ndarray, int] | None:
    """(S, L) the norm of each layer's gradient over that of the last layer, and the last's number; None where there is
    nothing to compare.

    A gradient of exactly 0 has no size to compare; `_zero` tells of it. With weights of the usual sizes a pass back
    keeps norms about as they are, whatever the widths of the layers. Those of normalisations have few parameters, and
    are smaller in any network, so they are left out.
    """
    sizes = np.where(np.isfinite(run.gradient) & (run.gradient > 0), run.gradient, np.nan)
    plain = np.array(["Norm" not in layer.kind for layer in run.head.layers])
    sizes[:, ~plain] = np.nan
    there = np.flatnonzero((sizes > 0).any(0))
    if len(there) < 2:
        return None
    last = int(there[-1])
    base = sizes[:, [last]]
    ratio: np.ndarray = np.divide(sizes, base, out=np.full_like(sizes, np.nan), where=base > 0)
    return ratio, last


def _depth(run: Run, id: str) -> Iterator[ExperimentFinding]:
    """How much smaller (`vanishing`) or larger (`exploding`) gradients are than the last layer's."""
    found = compared(run)
    if found is None:
        return
    ratio, last = found
    times = _inverse(ratio) if id == "vanishing" else ratio
    far = times >= FAR
    lasting = {layer: at for layer in range(len(run.names)) if (at := since(run, far[:, layer])) is not None}
    if lasting:
        start = max(at.row for at in lasting.values())
        typical = {layer: _median(times[start:, layer]) for layer in lasting}
        most = max(typical, key=lambda layer: typical[layer])
        first = min(at.step for at in lasting.values())
        spread = first < int(run.steps[start])
        yield ExperimentFinding(id=f"{id}_spread" if spread else id, verdict="fails", numbers={
            "layers": named(run, np.array(sorted(lasting))), "count": len(lasting), "of": len(run.names),
            "last": run.names[last], "times": typical[most], "most": run.names[most], "step": int(run.steps[start]),
            "first": first,
        })  # fmt: skip
        return
    if far.any():
        row, layer = np.unravel_index(np.argmax(np.where(far, times, 0)), times.shape)
        yield ExperimentFinding(id=id, verdict="depends", numbers={
            "steps": int(far.any(1).sum()), "all": len(run.steps), "most": run.names[int(layer)],
            "last": run.names[last], "times": float(times[row, layer]), "step": int(run.steps[row]),
        })  # fmt: skip
        return
    late = slice(len(run.steps) // 2, None)
    typical_of = np.array([_median(times[late, layer]) for layer in range(len(run.names))])
    typical_of[last] = np.nan
    if not np.isfinite(typical_of).any():
        return
    most = int(np.nanargmax(typical_of))
    yield ExperimentFinding(id=id, verdict="holds", numbers={
        "times": float(typical_of[most]), "most": run.names[most], "last": run.names[last],
        "step": int(run.steps[late][0]),
    })  # fmt: skip


def _inverse(ratio: np.ndarray) -> np.ndarray:
    """How many times smaller."""
    times: np.ndarray = np.divide(1.0, ratio, out=np.full_like(ratio, np.nan), where=ratio > 0)
    return times


def _growth(run: Run) -> Iterator[ExperimentFinding]:
    """How far the norm of the whole gradient rises over its median."""
    total = total_norm(run)
    if np.isfinite(total).sum() < LEAST:
        return
    median = _median(total)
    peak = int(np.nanargmax(np.where(np.isfinite(total), total, np.nan)))
    if not median > 0:
        return
    times = float(total[peak] / median)
    numbers: dict[str, float | int | str | None] = {
        "peak": float(total[peak]), "median": median, "times": times, "step": int(run.steps[peak]),
        "large": int((total > GROWN * median).sum()), "last": _number(total[-1]),
    }  # fmt: skip
    rising = times > GROWN and peak >= len(total) - max(1, len(total) // 10)
    verdict = "holds" if times <= GROWN else "fails" if rising else "depends"
    yield ExperimentFinding(id="growth", verdict=verdict, numbers=numbers)


def total_norm(run: Run) -> np.ndarray:
    """(S,) the norm of the whole gradient; not finite where one layer's is not."""
    size: np.ndarray = np.sqrt(np.nansum(run.gradient**2, 1))
    return size


def _updates(run: Run) -> Iterator[ExperimentFinding]:
    usable = np.isfinite(run.update)
    if not usable.any():
        return
    for id, mask in (("large_updates", run.update > LARGE), ("small_updates", run.update < SMALL)):
        lasting = {
            layer: at for layer in range(len(run.names)) if (at := since(run, mask[:, layer] & usable[:, layer]))
        }
        if not lasting:
            continue
        start = max(at.row for at in lasting.values())
        typical = {layer: _median(run.update[start:, layer]) for layer in lasting}
        most = (max if id == "large_updates" else min)(typical, key=lambda layer: typical[layer])
        yield ExperimentFinding(id=id, verdict="fails", numbers={
            "layers": named(run, np.array(sorted(lasting))), "count": len(lasting), "of": len(run.names),
            "most": run.names[most], "update": typical[most], "step": int(run.steps[start]), "usual": USUAL,
        })  # fmt: skip
        return
    late = slice(len(run.steps) // 2, None)
    typical_of = np.array([_median(run.update[late, layer]) for layer in range(len(run.names))])
    if not np.isfinite(typical_of).any():
        return
    low, high = int(np.nanargmin(typical_of)), int(np.nanargmax(typical_of))
    inside = typical_of[low] >= USUAL / 100 and typical_of[high] <= USUAL * 30
    yield ExperimentFinding(id="updates", verdict="holds" if inside else "depends", numbers={
        "median": float(np.nanmedian(typical_of)), "low": float(typical_of[low]), "high": float(typical_of[high]),
        "lowest": run.names[low], "highest": run.names[high], "usual": USUAL, "step": int(run.steps[late][0]),
    })  # fmt: skip


@dataclass(frozen=True)
class Silent:
    """Units of an activation that never fire any more."""

    name: str
    units: int
    count: int
    last: int
    """the recorded step at which the last of them fired; −1 where none ever did"""


def silent_units(run: Run) -> list[Silent]:
    """By activation: the units that were zero in every recorded batch of the last quarter of the run, at least."""
    limit = run.steps[-1] - max(QUIET * (run.steps[-1] - run.steps[0]), 1)
    found = []
    for one, entries in zip(run.activations, run.silent, strict=True):
        gone = [(last, count) for last, count in entries if last < limit]
        last = max((last for last, _ in gone), default=-1)
        found.append(Silent(one.name, one.units, sum(count for _, count in gone), last))
    return found


def _dead(run: Run) -> Iterator[ExperimentFinding]:
    if not run.activations:
        compiled = "compiled" in run.head.notes
        if run.uncounted:
            yield _uncounted(run, "dead_other")
        else:
            yield ExperimentFinding(id="dead_compiled" if compiled else "dead_unknown", verdict="depends")
        return
    if run.uncounted:
        yield _uncounted(run, "dead_beside")
    if len(run.steps) < LEAST:
        return
    silent = silent_units(run)
    worst = max(silent, key=lambda one: one.count / one.units)
    numbers: dict[str, float | int | str | None] = {
        "percent": round(100 * worst.count / worst.units, 1), "layer": worst.name, "count": worst.count,
        "units": worst.units, "step": worst.last, "all": sum(one.count for one in silent),
        "of": sum(one.units for one in silent), "layers": len(silent), "recorded": len(run.steps),
    }  # fmt: skip
    share = worst.count / worst.units
    if share <= FEW:
        yield ExperimentFinding(id="dead", verdict="holds" if not worst.count else "depends", numbers=numbers)
    else:
        yield ExperimentFinding(id="dead" if worst.last >= 0 else "dead_always", verdict="fails", numbers=numbers)


def _uncounted(run: Run, id: str) -> ExperimentFinding:
    """Which activations were not looked at."""
    kinds = ", ".join(f"{kind} ({count})" for kind, count in run.uncounted.items())
    return ExperimentFinding(id=id, verdict="depends", numbers={"kinds": kinds, "relus": len(run.activations)})


@dataclass(frozen=True)
class Noise:
    """The gradient noise scale tr Σ / |G|², from estimates of both over the second half of the run."""

    scale: float | None
    """in samples; None where |G|² is not told apart from 0"""
    trace: float
    square: float
    error: float
    """the standard error of `square`"""
    estimates: int
    least: float
    """a lower bound of the scale: with |G|² at its mean + 2 standard errors"""


def noise_of(run: Run, rows: slice | None = None) -> Noise | None:
    """None where there are too few estimates."""
    known = run.noise[rows if rows is not None else slice(len(run.steps) // 2, None)]
    known = known[np.isfinite(known).all(1)]
    if len(known) < MIN_ESTIMATES:
        return None
    trace, square = (float(value) for value in known.mean(0))
    error = float(known[:, 1].std(ddof=1) / np.sqrt(len(known)))
    told = square > 2 * error and trace > 0
    return Noise(
        trace / square if told else None,
        trace,
        square,
        error,
        len(known),
        max(0.0, trace) / max(square + 2 * error, 1e-300),
    )


def _noise(run: Run) -> ExperimentFinding:
    noise = noise_of(run)
    samples = _median(run.samples)
    if noise is None or not samples > 0:
        count = int(np.isfinite(run.noise[len(run.steps) // 2 :]).all(1).sum())
        return ExperimentFinding(id="noise_unknown", verdict="depends", numbers={"estimates": count})
    numbers: dict[str, float | int | str | None] = {
        "batch": samples, "estimates": noise.estimates, "scale": noise.scale, "least": noise.least,
        "square": noise.square, "error": noise.error, "trace": noise.trace,
    }  # fmt: skip
    if noise.scale is None:
        return ExperimentFinding(id="noise_untold", verdict="depends", numbers=numbers)
    id = "noise_micro" if run.noise_from == "micro_batches" else "noise_successive"
    return ExperimentFinding(id=id, verdict="holds" if samples < noise.scale else "fails", numbers=numbers)


def named(run: Run, which: np.ndarray) -> str:
    """Layers in few words: their names, or the first and the last of many."""
    names = [run.names[place] for place in which]
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]}"


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
