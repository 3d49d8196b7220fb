"""The store's own clock. It goes on while the machine runs, whatever is done to the wall clock meanwhile.

Ages are counted on it: a wall clock that jumps ahead for a minute forgets nothing, one that jumps back keeps nothing
for longer. While the machine is off only the wall clock knows how long; where it then says less than before, the time
that the machine was off does not count.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

SANE = 20 * 365 * 86400.0  # seconds between the two clocks beyond which the index must be damaged
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS clock (boot TEXT NOT NULL, uptime REAL NOT NULL, wall REAL NOT NULL, now REAL NOT NULL)"
)


def now(index: sqlite3.Connection) -> float:
    """Seconds on the store's clock; it began as the wall clock's."""
    row = index.execute("SELECT boot, uptime, wall, now FROM clock").fetchone()
    if row is None or not abs(row[3] - _wall()) < SANE:
        return _wall()
    boot, uptime, wall, then = row
    since = _uptime() - uptime if boot and boot == _boot() else _wall() - wall
    return float(then + max(0.0, since))


def tick(index: sqlite3.Connection) -> float:
    """The same, and written down."""
    seconds = now(index)
    index.execute("DELETE FROM clock")
    index.execute("INSERT INTO clock VALUES (?, ?, ?, ?)", (_boot(), _uptime(), _wall(), seconds))
    return seconds


def _boot() -> str:
    """Which run of the machine this is; empty where the system does not tell: then the wall clock has to do."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _wall() -> float:
    return time.time()


def _uptime() -> float:
    """Seconds of this run of the machine, asleep or not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else 0.0
