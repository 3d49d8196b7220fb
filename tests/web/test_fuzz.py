"""What the OpenAPI document says is so: all of schemathesis' default checks, with the same requests each time."""

from __future__ import annotations

import pytest

from tools.fuzz import fuzz


@pytest.mark.slow
def test_the_interface_keeps_what_its_document_says(tmp_path):
    status, said = fuzz(tmp_path, "--generation-deterministic", "--max-examples", "5")
    assert status == 0, said
    assert "No issues found" in said or " passed" in said, said
