"""Four models that are nothing but large."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.wide_models import put


@pytest.fixture(scope="module")
def four_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("four_models")
    for name in "abcd":
        put(folder, name)
    return folder
