"""The store's own clock. While the machine runs it advances evenly, even if someone sets the wall clock.

Ages are measured on it: if the wall clock jumps ahead, nothing is deleted too early; if it jumps back, nothing is
kept for longer. For the time that the machine was off only the wall clock can be used; if it then shows an earlier
time than before, that time counts as zero. Its last reading is saved in the store's SQLite index.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

MAX_DIFFERENCE = 20 * 365 * 86400.0  # seconds: if the two clocks differ by more, the index must be damaged
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS clock (boot TEXT NOT NULL, uptime REAL NOT NULL, wall REAL NOT NULL, now REAL NOT NULL)"
)


def now(index: sqlite3.Connection) -> float:
    """Seconds on the store's clock, which started as the wall clock's time."""
    row = index.execute("SELECT boot, uptime, wall, now FROM clock").fetchone()
    if row is None or not abs(row[3] - _wall()) < MAX_DIFFERENCE:
        return _wall()
    boot, uptime, wall, saved = row
    elapsed = _uptime() - uptime if boot and boot == _boot() else _wall() - wall
    return float(saved + max(0.0, elapsed))


def now_and_save(index: sqlite3.Connection) -> float:
    """Like `now`, and saves the time in the index."""
    seconds = now(index)
    index.execute("DELETE FROM clock")
    index.execute("INSERT INTO clock VALUES (?, ?, ?, ?)", (_boot(), _uptime(), _wall(), seconds))
    return seconds


def _boot() -> str:
    """The id of the machine's boot; empty if the system does not tell: then the wall clock is used."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _wall() -> float:
    return time.time()


def _uptime() -> float:
    """Seconds since boot, including sleep."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else 0.0
