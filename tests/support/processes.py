"""The processes below another one, and their end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def gone(processes):
    """Whether they end: those that only wait for a line to close need a moment."""
    for _ in range(100):
        if not [process for process in processes if os.path.exists(f"/proc/{process}")]:
            return True
        time.sleep(0.1)
    return False


def check_ends_at_once(server):
    """A server whose time of grace is long ends by Ctrl-C, and leaves no process."""
    children = descendants(server.process.pid)
    server.http.close()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 0  # far below its grace
    assert gone(children)
    assert "Finished server process" in server.log.read_text()


def descendants(process):
    found = []
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        found += [int(child), *descendants(int(child))]
    return found
