"""schemathesis over the whole OpenAPI document, against a real server with API keys on. `make fuzz`

All of its default checks apply. One is relaxed: `positive_data_acceptance` allows two more statuses for three forms,
because no schema can say all that they require (schemathesis.toml).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.server import Server

KEY = "a-key-for-the-one-who-fuzzes"
LIGHT = {  # one thread, no trials of faster backends, no request that costs more than a Grad-CAM
    "OMP_NUM_THREADS": "1",
    "GRADOSCOPE_ACCELERATION": "none",
    "GRADOSCOPE_MAX_WORK": "300000",
}


def fuzz(folder: Path, *options: str) -> tuple[int, str]:
    """Runs schemathesis with these options; its exit status and output."""
    keys = folder / "keys"
    keys.write_text(f"fuzz:{KEY}\n")
    server = Server(folder / "store", **LIGHT, GRADOSCOPE_KEYS=str(keys))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tools" / "schemathesis.toml"), "run"),
        *(f"{server.url}/openapi.json", "--checks", "all"),
        # the first estimate of a model measures it: more than the usual 10 s with one thread beside other work
        *("--request-timeout", "60", "--max-response-time", "60"),
        *("--no-color", "--suppress-health-check", "all", *options),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tools.fuzz_hooks", "PYTHONPATH": str(ROOT), "FUZZ_KEY": KEY}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert server.http.get("/readyz").status_code == 200
        assert "gradoscope_worker_deaths_total 0.0" in server.http.get("/metrics", headers={"x-api-key": KEY}).text
    finally:
        status = server.stop()
    log = server.log.read_text()
    assert status == 0, log
    assert "Traceback" not in log, log
    return done.returncode, done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None, help="another one each time, if none is given")
    arguments = parser.parse_args()
    seed = [] if arguments.seed is None else ["--seed", str(arguments.seed)]
    with tempfile.TemporaryDirectory() as folder:
        status, output = fuzz(Path(folder), "--max-time", str(arguments.seconds), *seed)
    print(output)
    return status


if __name__ == "__main__":
    sys.exit(main())
