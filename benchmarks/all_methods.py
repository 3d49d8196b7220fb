"""Every method on one picture, with its cost told before, while somebody else is served. `make bench-all-methods`

A server of its own with the default model (EfficientNet-Lite0), warm: its quickest backend is found. First the cost of
all methods, as `POST /estimates` tells it; then one request for all of them; meanwhile another client, with an address
of its own, asks for Grad-CAM of other pictures, one after another, and its waits are printed. Asserts only that every
map is done or refused in words.
"""

from __future__ import annotations

import io
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.support.paths import sample
from tests.support.server import Server

API = "/api/v1"
WARM_UPS = 60  # at most


def noise_picture(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (224, 224, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


class Stranger(threading.Thread):
    """Another client: Grad-CAM of one new picture after another until `stop`; `waits` in seconds."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.client = httpx.Client(base_url=url, timeout=600, transport=httpx.HTTPTransport(local_address="127.0.0.2"))
        self.waits: list[float] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(1):
            begun = time.monotonic()
            files = {"image": ("p.png", noise_picture(len(self.waits)), "image/png")}
            answer = self.client.post(f"{API}/explanations", files=files, data={"method": "grad_cam"})
            if answer.status_code == 200:
                self.waits.append(time.monotonic() - begun)


def warm_up(server: Server) -> None:
    """Ask for small maps until the last eight were computed by one backend: the server has found its quickest."""
    data = {"method": "smooth_grad", "options": '{"smooth_grad": {"samples": 16}}'}
    used: list[str] = []
    while len(used) < WARM_UPS and (len(used) < 8 or len(set(used[-8:])) > 1):
        files = {"image": ("p.png", noise_picture(1000 + len(used)), "image/png")}
        answer = server.http.post(f"{API}/explanations", files=files, data=data, timeout=600).raise_for_status()
        used.append(answer.json()["panels"][0]["diagnostics"]["engine"]["backend"])
        time.sleep(1)


def measure(server: Server) -> None:
    warm_up(server)
    methods = [method["id"] for method in server.http.get(f"{API}/methods").json()["methods"]]
    stranger = Stranger(server.url)
    answer = server.http.post(f"{API}/estimates", data={"method": methods}, timeout=600)
    answer.raise_for_status()
    before = {each["method"]: each for each in answer.json()["estimates"]}
    stranger.start()
    begun = time.monotonic()
    files = {"image": ("cat.jpg", sample("cat.jpg"), "image/jpeg")}
    answer = server.http.post(f"{API}/explanations", files=files, data={"method": methods}, timeout=3600)
    whole = time.monotonic() - begun
    stranger.stop.set()
    stranger.join()
    answer.raise_for_status()
    print_table(answer.json()["panels"], before)
    told = sum(each["seconds"] or 0 for each in before.values())
    print(f"\n{len(methods)} methods: about {told:.0f} s told before, {whole:.0f} s beside the other client")
    waits = stranger.waits or [float("nan")]
    print(
        f"Its {len(stranger.waits)} Grad-CAMs meanwhile: {median(waits):.2f} s (median), {max(waits):.2f} s (longest)"
    )


def print_table(panels: list[dict[str, Any]], before: dict[str, dict[str, Any]]) -> None:
    print("| method | evaluations | seconds told | seconds | |\n| --- | ---: | ---: | ---: | --- |")
    for panel in panels:
        told = before[panel["method"]]
        assert panel["status"] == "done" or panel["problem"]["detail"], panel
        taken = "" if panel.get("seconds") is None else f"{panel['seconds']:.2f}"
        seconds = "" if told["seconds"] is None else f"{told['seconds']:.2f}"
        reason = "" if panel["status"] == "done" else panel["problem"]["detail"]
        print(f"| {panel['method']} | {told['gradient_evaluations']} | {seconds} | {taken} | {reason} |")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "store")
        try:
            measure(server)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
