"""The version of this release: pyproject.toml reads it here, and `gradoscope.__version__` is it."""

from __future__ import annotations

VERSION = "0.1.0"
