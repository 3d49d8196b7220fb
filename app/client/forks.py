"""Whether this process is a forked child."""

from __future__ import annotations

import os
import sys


def _forked_by_multiprocessing() -> bool:
    """Whether multiprocessing has forked this process: then its parent need not have imported the client."""
    context, process = (sys.modules.get(f"multiprocessing.{name}") for name in ("context", "process"))
    kind = getattr(context, "ForkProcess", None)
    return process is not None and kind is not None and isinstance(process.current_process(), kind)


_forked = _forked_by_multiprocessing()


def forked() -> bool:
    """Whether this process is a forked child, so that the threads of its parent are not in it."""
    return _forked


def _note() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
