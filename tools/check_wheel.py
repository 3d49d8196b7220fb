"""`make check-wheel`: installs the wheel in a new environment, and runs its server outside the checkout."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

from tests.support.wheel import build, install

DEADLINE = 120


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wheel") as name:
        folder = Path(name)
        wheel = build(folder)
        print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.1f} MiB")
        bin = install(wheel, folder / "environment")
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        where = subprocess.run(
            [bin / "python", "-c", "import gradoscope; print(gradoscope.__file__)"],
            cwd=elsewhere, check=True, text=True, capture_output=True,
        ).stdout.strip()  # fmt: skip
        assert where.startswith(name), where
        serve(bin, elsewhere)


def serve(bin: Path, folder: Path) -> None:
    """Six maps of a sample, the page, and an end by SIGTERM."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    log = folder / "log"
    began = time.monotonic()
    with log.open("wb") as out:
        server = subprocess.Popen(
            [bin / "gradoscope", "serve"],
            cwd=folder, stdout=out, stderr=out,
            env={**kept, "GRADOSCOPE_PORT": "0", "GRADOSCOPE_STORE": str(folder / "store")},
        )  # fmt: skip
    try:
        address = wait(server, lambda: re.search(r"open (http://\S+)", log.read_text()))
        url = address[1]
        wait(server, lambda: answer(f"{url}/readyz"))
        print(f"able to compute after {time.monotonic() - began:.1f} s")
        page = answer(url)
        assert page is not None
        assert b"<script" in page
        form = urllib.request.Request(f"{url}/api/v1/explanations", data=b"sample=cat")
        with urllib.request.urlopen(form, timeout=DEADLINE) as reply:
            record = json.load(reply)
        done = [panel["method"] for panel in record["panels"] if panel["status"] == "done"]
        print(f"{record['inputs'][0]['predictions'][0]['label']}: {len(done)} maps in {record['seconds']} s")
        assert len(done) == 6, record
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    except BaseException:
        print(log.read_text())
        raise
    finally:
        server.kill()
        server.wait()


def wait(server: subprocess.Popen[bytes], condition):  # type: ignore[no-untyped-def]
    for _ in range(DEADLINE * 5):
        assert server.poll() is None, "the server has ended"
        if result := condition():
            return result
        time.sleep(0.2)
    raise AssertionError("the server did not get ready in time")


def answer(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE) as reply:
            body: bytes = reply.read()
            return body
    except HTTPError:
        return None


if __name__ == "__main__":
    main()
