"""Logging to standard error: lines for people, or JSON with an object a line.

Logs hold nothing about pictures (no content, no file names), no API keys and no query strings.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from ..contract import request_id
from ..settings import LogFormat

FIELDS = ("method", "path", "status", "seconds", "bytes", "client")  # of an access log line, passed as `extra`
INFO_LOGGERS = ("gradoscope", "uvicorn")  # loggers whose INFO lines are written; of others only warnings


def configure(kind: LogFormat, process: str = "web") -> None:
    """Make all loggers of this process, uvicorn's and warnings too, write to standard error in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process) if kind == "json" else TextLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("WARNING")
    for name in INFO_LOGGERS:
        logging.getLogger(name).setLevel("INFO")
    logging.captureWarnings(True)


class TextLines(logging.Formatter):
    """`INFO:     message [request id]`, as in uvicorn's logs; worker processes prefix their name."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._prefix = "" if process == "web" else f"{process}: "

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        id = request_id.current()
        return f"{record.levelname + ':':<9} {self._prefix}{record.message}{f' [{id}]' if id else ''}"


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": self._process,
            "message": record.getMessage(),
        }
        if id := request_id.current():
            line["request_id"] = id
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
