"""Whether this process was forked from one that had imported the client."""

from __future__ import annotations

import os

_forked = False


def forked() -> bool:
    """Whether this process is a forked child, so that the threads of its parent are not in it."""
    return _forked


def _note() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
