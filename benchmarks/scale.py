"""What one picture takes of each process and of the store: the figures of docs/scaling.md. `make bench-scale`

A server of its own explains fresh photographs of 1600 × 1064, one after the other, by all six methods and by the three
with one gradient, once with a folder and once with an address as its store. CPU seconds of the web process, the worker
and the decoders are read before and after; what is in the store is counted at the end. With --beside, the Python of
another checkout's environment, that server takes turns with this one.

Then the parts of such an explanation are made and written in turns in the form in which they are stored, and as .npy
and PNG, as earlier versions did: CPU milliseconds, bytes, files.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import psutil
from gradoscope.contract.arrays import npy
from gradoscope.contract.packed_map import pack_map, unpack_map
from gradoscope.pipeline.model_input import png
from gradoscope.pipeline.stored_parts import as_png, webp
from gradoscope.storage.object_store import LocalObjectStore
from gradoscope.storage.shared_store import SharedStore
from gradoscope.storage.store import Store
from PIL import Image

from tests.support.paths import sample

from .latency import CHEAP
from .maps.report import write

SIZE = (1600, 1064)
PAGE = Path(__file__).resolve().parents[1] / "docs" / "scaling.md"
FORMS = 7  # rounds of writing the parts of an explanation
SETTLE = 8.0  # seconds until a server has found its backends
Figures = dict[str, list[float]]


def photograph() -> bytes:
    """A sample as a large JPEG, with pixels of its own."""
    picture = Image.open(io.BytesIO(sample("cat.jpg"))).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    picture.paste(tuple(os.urandom(3)), (800, 500, 816, 516))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


class Measured:
    """A server whose processes and store are looked at."""

    def __init__(self, python: str, folder: Path, shared: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.store = folder / "store"
        address = f"file://{self.store}" if shared else str(self.store)
        variables = {**os.environ, "GRADOSCOPE_STORE": address, "GRADOSCOPE_PORT": str(port)}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [python, "-m", "gradoscope", "serve"], env=variables, stdout=quiet, stderr=quiet
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300)
        while self._process.poll() is None:
            with suppress(httpx.TransportError):
                if self.http.get("/readyz").status_code == 200:
                    break
            time.sleep(0.1)

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of the web process, the worker and its decoders."""
        web = psutil.Process(self._process.pid)
        workers = [child for child in web.children() if "spawn_main" in " ".join(child.cmdline())]
        decoders = [child for worker in workers for child in worker.children()]
        return {
            "web process": seconds_of([web]),
            "worker": seconds_of(workers),
            "decoding": seconds_of(decoders),
        }

    def stored(self) -> tuple[int, int]:
        """Files of explanations in the store, and their bytes."""
        return stored_below(self.store)

    def explain(self, count: int, methods: tuple[str, ...]) -> None:
        for _ in range(count):
            files = {"image": ("photograph.jpg", photograph())}
            self.http.post("/api/v1/explanations", files=files, data={"method": list(methods)}).raise_for_status()

    def stop(self) -> None:
        self.http.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


def seconds_of(processes: list[psutil.Process]) -> float:
    return sum(process.cpu_times().user + process.cpu_times().system for process in processes)


def of_server(python: str, shared: bool, count: int, methods: tuple[str, ...], figures: Figures) -> None:
    """The figures of one picture, by one server."""
    with tempfile.TemporaryDirectory() as folder:
        server = Measured(python, Path(folder), shared)
        try:
            server.explain(1, methods)
            time.sleep(SETTLE)
            server.explain(1, methods)
            files, size = server.stored()
            before, began = server.cpu(), time.perf_counter()
            server.explain(count, methods)
            figures["seconds, with the client"].append((time.perf_counter() - began) / count)
            for process, seconds in server.cpu().items():
                figures[f"CPU seconds, {process}"].append((seconds - before[process]) / count)
            more, larger = server.stored()
            figures["files stored"].append((more - files) / count)
            figures["MB stored"].append((larger - size) / count / 1e6)
        finally:
            server.stop()


def forms(rounds: int, maps: list[np.ndarray]) -> list[str]:
    """The parts of an explanation in both forms, in turns."""
    picture = Image.open(io.BytesIO(photograph())).convert("RGB")
    acts: dict[str, tuple[Callable[[], bytes], Callable[[], bytes]]] = {
        "six maps": (lambda: b"".join(map(npy, maps)), lambda: b"".join(map(pack_map, maps))),
        f"picture of {SIZE[0]} × {SIZE[1]}": (lambda: png(picture), lambda: webp(picture)),
    }
    packed, small = [pack_map(values) for values in maps], webp(picture)
    back: dict[str, Callable[[], object]] = {
        "six maps": lambda: [npy(unpack_map(data)) for data in packed],
        f"picture of {SIZE[0]} × {SIZE[1]}": lambda: as_png(small),
    }
    lines = ["| part | as .npy or PNG | as it is stored | read as .npy or PNG |", "| --- | ---: | ---: | ---: |"]
    for part, sides in acts.items():
        spent: tuple[list[float], list[float], list[float]] = ([], [], [])
        for _ in range(rounds):
            for act, times in zip((*sides, back[part]), spent, strict=True):
                began = time.process_time()
                act()
                times.append(1000 * (time.process_time() - began))
        sizes = [len(act()) for act in sides]
        cells = [f"{median(times):.0f} ms ({min(times):.0f}–{max(times):.0f})" for times in spent]
        stored = f"{cells[1]}, {sizes[1] / 1e6:.2f} MB ({sizes[1] / sizes[0]:.0%})"
        lines.append(f"| {part} | {cells[0]}, {sizes[0] / 1e6:.2f} MB | {stored} | {cells[2]} |")
    return lines


def writes(rounds: int, maps: list[np.ndarray]) -> list[str]:
    """A whole explanation put into both stores, in both forms, in turns: bytes, objects, CPU and wall milliseconds."""
    source = photograph()
    picture = Image.open(io.BytesIO(source)).convert("RGB")
    shown = png(picture.resize((224, 224)))
    # by form: the maps, the picture
    made: dict[str, tuple[Callable[[np.ndarray], bytes], Callable[[Image.Image], bytes]]] = {
        ".npy and PNG": (npy, png),
        "as it is stored": (pack_map, webp),
    }
    lines = ["| an explanation written | MB | files | CPU | time |", "| --- | ---: | ---: | ---: | ---: |"]
    for store_kind in ("folder", "address"):
        spent: dict[str, tuple[list[float], list[float]]] = {form: ([], []) for form in made}
        size: dict[str, tuple[int, int]] = {}
        for _ in range(rounds):
            for form, (of_map, of_picture) in made.items():
                with tempfile.TemporaryDirectory() as name:
                    store = opened(store_kind, Path(name))
                    store.key()  # makes its secret
                    cpu, began = time.process_time(), time.perf_counter()
                    store.create("explanation", {"status": "running"})
                    parts = {"source": lambda: source, "input:m": lambda: shown, "image": partial(of_picture, picture)}
                    parts |= {f"panel:{number}": partial(of_map, values) for number, values in enumerate(maps)}
                    for part, make in parts.items():
                        store.put("explanation", part, store.key(part), make(), {})
                        store.update("explanation", {"status": "running"})
                    store.update("explanation", {"status": "done"})
                    spent[form][0].append(1000 * (time.process_time() - cpu))
                    spent[form][1].append(1000 * (time.perf_counter() - began))
                    size[form] = stored_below(Path(name))
                    store.close()
        for form, times in spent.items():
            cells = [f"{median(values):.0f} ms ({min(values):.0f}–{max(values):.0f})" for values in times]
            count, total = size[form]
            lines.append(f"| {store_kind}, {form} | {total / 1e6:.2f} | {count} | {cells[0]} | {cells[1]} |")
    return lines


def opened(kind: str, folder: Path) -> Store | SharedStore:
    if kind == "folder":
        return Store(folder, 10**9, 3600)
    return SharedStore(LocalObjectStore(folder), 10**9, 3600, 60)


def stored_below(folder: Path) -> tuple[int, int]:
    """Files of explanations in a store, and their bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in files if not path.name.startswith(("index", "secret", "clock")) and path.stat().st_size]
    return len(kept), sum(path.stat().st_size for path in kept)


def maps_of(python: str) -> list[np.ndarray]:
    """The six maps of a photograph, by a server."""
    with tempfile.TemporaryDirectory() as folder:
        server = Measured(python, Path(folder), shared=False)
        try:
            files = {"image": ("photograph.jpg", photograph())}
            record = server.http.post("/api/v1/explanations", files=files).raise_for_status().json()
            urls = [panel["urls"]["npy"] for panel in record["panels"]]
            return [np.load(io.BytesIO(server.http.get(url).content)) for url in urls]
        finally:
            server.stop()


def table(columns: dict[str, Figures]) -> list[str]:
    lines = [f"| for one picture | {' | '.join(columns)} |", "| --- |" + " ---: |" * len(columns)]
    for row in next(iter(columns.values())):
        cells = []
        for figures in columns.values():
            values = figures[row]
            digits = 1 if row == "files stored" else 2 if row.startswith(("MB", "seconds")) else 3
            cells.append(f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pictures", type=int, default=8, help="for each round and kind")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--beside", metavar="PYTHON", help="of another checkout, whose server is measured too")
    options.add_argument("--write", action="store_true", help="into docs/scaling.md")
    options.add_argument("--forms", action=argparse.BooleanOptionalAction, default=True)
    options.add_argument("--kinds", nargs="*", help="of the columns; all where left out")
    options.add_argument("--figures", type=Path, help="a file of JSON that this run adds its figures to")
    arguments = options.parse_args()
    kinds = {"six methods": ((), False), "six, store by address": ((), True), "three with one gradient": (CHEAP, False)}
    pythons = {"": sys.executable} | ({", beside": arguments.beside} if arguments.beside else {})
    columns: dict[str, Figures] = {f"{kind}{side}": defaultdict(list) for kind in kinds for side in pythons}
    if arguments.figures and arguments.figures.exists():
        for column, figures in json.loads(arguments.figures.read_text()).items():
            columns[column] = defaultdict(list, figures)
    for _ in range(arguments.rounds):
        for kind, (methods, shared) in kinds.items():
            if arguments.kinds is None or kind in arguments.kinds:
                for side, python in pythons.items():
                    of_server(python, shared, arguments.pictures, methods, columns[f"{kind}{side}"])
    if arguments.figures:
        arguments.figures.write_text(json.dumps(columns))
    measured = {column: figures for column, figures in columns.items() if figures}
    lines = table(measured) if measured else []
    if arguments.forms:
        maps = maps_of(sys.executable)
        lines += ["", *forms(FORMS, maps), "", *writes(FORMS, maps)]
    print("\n".join(lines))
    if arguments.write:
        write("scale", "\n".join(lines), PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
