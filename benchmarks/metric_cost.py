"""Does a metric cost what the estimate says? `make bench-trust`

On a server of its own, for each method × metric: the estimate, then the measurement, with another picture in each
round. In the first round nothing was measured before: estimates rest on trials. Prints seconds estimated and measured,
and their ratio in each round. The exit status is 1 if passes differ at all, or the seconds of a method's metrics
together by more than a fifth.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from tests.support.server import Server

API = "/api/v1"
METHODS = (
    *("vanilla_gradient", "guided_backprop", "grad_cam"),
    *("smooth_grad", "integrated_gradients", "blur_integrated_gradients"),
)
SAMPLES = ("cat", "espresso", "rocket", "astronaut", "grid")
Costs = dict[str, dict[str, Any]]


def estimated(server: Server, method: str, model: str) -> Costs:
    """The estimate of each metric."""
    answer = server.http.post(f"{API}/estimates", data={"model": model, "method": method, "metrics": "all"})
    return {entry["metric"]: entry for entry in answer.raise_for_status().json()["estimates"][0]["metrics"]}


def measured(server: Server, method: str, model: str, sample: str) -> Costs:
    """What each metric that could be measured took."""
    fields = {"model": model, "method": method, "sample": sample, "metrics": "all"}
    panel = server.http.post(f"{API}/explanations", data=fields).raise_for_status().json()["panels"][0]
    return {id: {**found["cost"], **found} for id, found in panel["metrics"].items() if found["status"] == "done"}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="efficientnet_lite0")
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    seconds: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store")
        try:
            for round in range(arguments.rounds):
                for method in METHODS:
                    before = estimated(server, method, arguments.model)
                    for metric, found in measured(
                        server, method, arguments.model, SAMPLES[round % len(SAMPLES)]
                    ).items():
                        if any(found[name] != before[metric][name] for name in ("forwards", "gradients")):
                            wrong.append(f"{method}, {metric}: other passes than estimated")
                        seconds[method, metric].append((before[metric]["seconds"], found["seconds"]))
        finally:
            server.stop()
    print(f"{'method':26} {'metric':18} {'before':>7} {'after':>7}   estimated / measured, by round")
    for (method, metric), pairs in seconds.items():
        ratios = " ".join(f"{before / max(after, 1e-3):.2f}" for before, after in pairs)
        print(f"{method:26} {metric:18} {pairs[0][0]:7.3f} {pairs[0][1]:7.3f}   {ratios}")
    for method in METHODS:
        rounds = zip(*(pairs for (by, _), pairs in seconds.items() if by == method), strict=True)
        ratios = [sum(before for before, _ in pairs) / sum(after for _, after in pairs) for pairs in rounds]
        print(f"{method:26} all together: {' '.join(f'{ratio:.2f}' for ratio in ratios)}")
        if not 0.8 <= median(ratios) <= 1.25:
            wrong.append(f"{method}: {median(ratios):.2f} of what it took was estimated")
    print("\n".join(wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
