"""The black-box acceptance of the contract, where it lies beside the checkout."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import SHARED


@pytest.mark.slow
def test_acceptance(server_url):
    script = SHARED / "tools" / "accept.py"
    if not script.is_file():
        pytest.skip("../shared/tools/accept.py is missing: the acceptance test did not run")
    done = subprocess.run(
        [sys.executable, str(script), "--url", server_url], capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert "skip" not in done.stdout
