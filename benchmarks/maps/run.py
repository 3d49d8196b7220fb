"""One model through everything that is measured, and the record that comes of it."""

from __future__ import annotations

import datetime
import json
import platform
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from . import error, floor, memory, rounding
from .measure import Times, best_batch, in_turn, print_progress, warm_up
from .own_methods import METHODS, OURS, PATH_METHODS, Run, engine_of, ours, sampled, with_default_malloc
from .peers import BATCHES, DEFAULT_BATCH, DEFAULT_BATCH_LABEL, PEERS, main_peer
from .subjects import REAL, WORK, Subject

RESULTS = WORK / "results"
WARM = 10  # samples and steps of the runs that warm up
# packages whose versions the record has
SHOWN = ("torch", "torchvision", "timm", "captum", "saliency", "grad-cam", "torchcam", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Plan:
    """What to measure of a model."""

    count: int
    rounds: int
    engines: tuple[str, ...] = ("pytorch",)
    methods: tuple[str, ...] = METHODS
    equal_error: bool = False
    floor: bool = False
    memory: bool = True
    fine: int = error.FINE  # steps of the reference for an equal error
    check: int = 8  # samples and steps at which maps are compared with float64
    batches: tuple[int, ...] = BATCHES  # of the peers, to try
    defaults: bool = False  # the sampled peers at their default batch size too


@dataclass
class Timing:
    """The times of a method in one library (`side`: a peer, or Gradoscope with an engine), a number for each round."""

    method: str
    side: str
    evaluations: int
    seconds: list[float]
    error: float | None = None

    @property
    def times(self) -> Times:
        return Times(tuple(self.seconds))


@dataclass
class Record:
    """What was found out about one model: plain values, kept as JSON."""

    model: str
    weights: str
    picture: str
    target: int
    machine: dict[str, Any]
    count: int
    rounds: int
    engines: list[str]
    batch: int
    micro_batch: int
    equal: list[Timing] = field(default_factory=list)  # equal evaluations
    equal_error: list[Timing] = field(default_factory=list)
    goals: dict[str, float] = field(default_factory=dict)  # the error that all are brought to, by path method
    errors: dict[str, dict[str, float]] = field(default_factory=dict)  # at the peer's 50 steps, by method and side
    distances: list[rounding.Distance] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    floor: dict[str, float] = field(default_factory=dict)
    memory: dict[str, memory.Peak] = field(default_factory=dict)
    seconds: float = 0.0

    def save(self, folder: Path = RESULTS) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.model}.json").write_text(json.dumps(asdict(self), indent=1), "utf-8")

    @classmethod
    def read(cls, path: Path) -> Record:
        found = cls(**json.loads(path.read_text("utf-8")))
        found.equal = [Timing(**entry) for entry in found.equal]  # type: ignore[arg-type]
        found.equal_error = [Timing(**entry) for entry in found.equal_error]  # type: ignore[arg-type]
        found.distances = [rounding.Distance(**entry) for entry in found.distances]  # type: ignore[arg-type]
        found.memory = {side: memory.Peak(**entry) for side, entry in found.memory.items()}  # type: ignore[arg-type]
        return found


def measure(subject: Subject, plan: Plan, picture: str = "cat") -> Record:
    """Everything that the plan asks for, Gradoscope and the peers in turn in this process."""
    began = time.monotonic()
    print_progress(f"{subject.name} on {subject.device}")
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32, for all libraries
    batch = best_batch(subject, plan.batches)
    record = Record(
        subject.name,
        "ImageNet" if subject.name == REAL else "seeded random",
        picture,
        subject.target,
        machine(subject.device),
        plan.count,
        plan.rounds,
        list(plan.engines),
        batch,
        engine_of(subject).micro_batch,
    )
    record.distances = rounding.distances(subject, list(plan.engines), list(plan.methods), min(plan.check, plan.count))
    record.faults = rounding.faults(record.distances)
    runs = contestants(subject, plan, batch)
    warm_up(list(runs.values()), min(plan.count, WARM))
    found = in_turn({key: at(run, plan.count) for key, run in runs.items()}, plan.rounds, subject.device)
    apart = by_default(subject, plan)
    found |= in_turn({key: at(run, plan.count) for key, run in apart.items()}, plan.rounds, subject.device)
    for (method, side), times in found.items():
        evaluations = plan.count if sampled(method) else 1
        record.equal.append(Timing(method, side, evaluations, list(times.seconds)))
    if plan.equal_error:
        measure_equal_error(subject, plan, batch, record)
    if plan.floor:
        record.floor = floor.forward_times(subject)
    if plan.memory:
        for side in (*plan.engines, memory.PEERS, *([memory.DEFAULTS] if plan.defaults else [])):
            name = side if side.startswith(memory.PEERS) else side_name(side)
            record.memory[name] = memory.peak_of(subject.name, side, batch, plan.count)
    record.seconds = round(time.monotonic() - began, 1)
    print_progress(f"  {record.seconds:.0f} s")
    return record


def contestants(subject: Subject, plan: Plan, batch: int) -> dict[tuple[str, str], Run]:
    """Each library's run of each method, ours first, by (method, side)."""
    found: dict[tuple[str, str], Run] = {}
    for method in plan.methods:
        for kind in plan.engines:
            found[method, side_name(kind)] = ours(subject, method, kind)
        for peer in PEERS:
            if peer.method == method and peer.installed:
                found[method, peer.library] = with_default_malloc(peer.make(subject, batch))
    return found


def by_default(subject: Subject, plan: Plan) -> dict[tuple[str, str], Run]:
    """The sampled peers at their default batch size. Apart from the others: captum's takes gigabytes, and what runs
    right after it pays for that."""
    found = [main_peer(method) for method in plan.methods if plan.defaults and sampled(method)]
    return {
        (peer.method, peer.library + DEFAULT_BATCH_LABEL): with_default_malloc(
            peer.make(subject, DEFAULT_BATCH[peer.library])
        )
        for peer in found
    }


def measure_equal_error(subject: Subject, plan: Plan, batch: int, record: Record) -> None:
    """The steps that each library needs for the error of the peer's 50, and the times at those."""
    for method in [m for m in PATH_METHODS if m in plan.methods]:
        peer = main_peer(method)
        runs = {side_name(kind): ours(subject, method, kind) for kind in plan.engines}
        reference = error.reference(subject, method, plan.fine)
        theirs = with_default_malloc(peer.make(subject, batch))
        start = error.PEER_STEPS
        goal = rounding.distance(theirs(start), reference)
        # one engine stands for all of ours: their maps differ by rounding only
        own_need = error.needed(runs[side_name(plan.engines[0])], reference, goal)
        needs = {**dict.fromkeys(runs, own_need), peer.library: error.needed(theirs, reference, goal)}
        runs[peer.library] = theirs
        own_error = rounding.distance(ours(subject, method, plan.engines[0])(start), reference)
        record.goals[method], record.errors[method] = goal, {OURS: own_error, peer.library: goal}
        print_progress(
            f"  {method}: error {goal:.3f} with { ({side: need.steps for side, need in needs.items()}) } steps"
        )
        reached = {side: need for side, need in needs.items() if need.steps is not None}
        all_times = in_turn(
            {side: at(runs[side], need.steps or 0) for side, need in reached.items()}, plan.rounds, subject.device
        )
        for side, times in all_times.items():
            need = reached[side]
            record.equal_error.append(Timing(method, side, need.steps or 0, list(times.seconds), need.error))


def at(run: Run, count: int) -> Any:
    return lambda: run(count)


def side_name(kind: str) -> str:
    return f"{OURS} {kind}"


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were measured on, and with."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: found for name in SHOWN if (found := plain_version(name))},
    }


def processor() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def plain_version(package: str) -> str:
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return ""
