"""`make bench`, `make bench-growth`; with switches: .venv/bin/python -m benchmarks.maps --help"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict

from gradoscope.service.threads import share_cores

share_cores()  # before PyTorch is imported, as the worker does

from . import growth, memory, report  # noqa: E402
from .measure import print_progress  # noqa: E402
from .own_methods import ENGINES, METHODS  # noqa: E402
from .peers import BATCHES  # noqa: E402
from .run import RESULTS, Plan, Record, measure  # noqa: E402
from .subjects import MODELS, REAL, Effort, load  # noqa: E402

# REAL has its trained weights, the others random ones
QUICK, QUICK_MODELS = Effort(count=8, rounds=3), (REAL, "mobilenet_v3_large", "resnet50")
DEFAULT_BATCHES = (REAL,)  # models that the peers explain at their default batch size too: it is slow, takes gigabytes


def main(arguments: list[str] | None = None) -> int:
    given = arguments if arguments is not None else sys.argv[1:]
    if given[:1] == ["peak"]:  # a child of memory.peak_of
        model, side, batch, count = given[1:]
        print(json.dumps(asdict(memory.own_peak(model, side, int(batch), int(count)))))
        return 0
    options = parse(given)
    if options.what == "growth":
        model = options.models[0] if options.models else REAL
        # one engine: by default the compiled one
        growth.main(model, options.parts, options.rounds or 2, options.engine[-1], options.write)
        return 0
    return run(options)


def run(options: argparse.Namespace) -> int:
    """Measure model by model. Returns 1 if a map is further from float64 than allowed (see `rounding`)."""
    began = time.monotonic()
    records = []
    for name in options.models or (QUICK_MODELS if options.quick else MODELS):
        usual = QUICK if options.quick else MODELS.get(name, Effort(count=16, rounds=3))
        plan = Plan(
            count=options.count or usual.count,
            rounds=options.rounds or usual.rounds,
            engines=options.engine,
            methods=options.methods,
            equal_error=name in options.equal_error and not options.quick,
            floor=name in options.floor and not options.quick,
            memory=not options.quick,
            defaults=name in DEFAULT_BATCHES and not options.quick,
            check=4 if options.quick else 8,  # steps of the maps that are compared with float64
            batches=(4, 8) if options.quick else BATCHES,
        )
        record = measure(load(name, options.picture), plan, options.picture)
        record.save(RESULTS / ("quick" if options.quick else ""))
        print(f"{report.model_tables(record)}\n", flush=True)
        records.append(record)
    print(f"{report.machine_line(records)}\n\n{report.summary(records)}")
    print_progress(f"{time.monotonic() - began:.0f} s in all")
    if options.write:
        write_page()
    faults = [f"{record.model}: {fault}" for record in records for fault in record.faults]
    print(*faults, sep="\n", file=sys.stderr)
    return 1 if faults else 0


def write_page() -> None:
    """docs/speed.md from the newest record of each model."""
    kept = {path.stem: Record.read(path) for path in RESULTS.glob("*.json")}
    records = [kept[name] for name in MODELS if name in kept]
    report.DOCS.joinpath("speed-models.svg").write_text(report.overview(records), "utf-8")
    report.write("bench", report.page_part(records))


def parse(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="Gradoscope and other libraries (the peers) in turn; tables on standard output."
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("run", "growth"),
        default="run",
        help="growth: time and memory over steps, pictures and size",
    )
    parser.add_argument("--models", type=names, default=(), help=f"of {', '.join(MODELS)}, or others of torchvision")
    parser.add_argument("--methods", type=names, default=METHODS, help="ids, separated by commas")
    parser.add_argument("--rounds", type=int, help="how often each library is measured")
    parser.add_argument("--count", type=int, help="samples and steps")
    parser.add_argument("--engine", default="both", help=f"{', '.join(ENGINES)}, or both")
    parser.add_argument("--picture", default="cat", help="a sample's id")
    parser.add_argument(
        "--quick", action="store_true", help="few steps, three models; no equal error, floor and memory"
    )
    parser.add_argument("--equal-error", type=names, default=(REAL,), help="models; a reference takes 2000 gradients")
    parser.add_argument(
        "--floor",
        type=names,
        default=(REAL,),
        help="models to compare with twice the forward pass of an inference runtime, the least that a gradient takes",
    )
    parser.add_argument("--parts", type=names, default=growth.PARTS, help=f"of growth: {', '.join(growth.PARTS)}")
    parser.add_argument("--write", action="store_true", help="write docs/speed.md and its plots")
    options = parser.parse_args(given)
    options.engine = tuple(ENGINES) if options.engine == "both" else names(options.engine)
    unknown = [engine for engine in options.engine if engine not in ENGINES]
    if unknown or not options.engine:
        parser.error(f"there is no engine «{', '.join(unknown)}» here; there are: {', '.join(ENGINES)}")
    return options


def names(given: str) -> tuple[str, ...]:
    return tuple(name for name in given.split(",") if name)


if __name__ == "__main__":
    sys.exit(main())
