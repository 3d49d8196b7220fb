"""Log lines as text for people, and as JSON for log collectors."""

from __future__ import annotations

import json
import logging
import warnings

import pytest
from gradoscope.contract import request_id
from gradoscope.service import logs

log = logging.getLogger("gradoscope.somewhere")


@pytest.fixture
def written(capsys):
    """What is written to standard error; logging is as it was afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.INFO_LOGGERS}
    yield lambda: capsys.readouterr().err.splitlines()
    root.handlers[:] = before
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)
    logging.captureWarnings(False)


def lines(written):
    return [json.loads(line) for line in written()]


def test_text_says_level_and_process(written):
    logs.configure("text")
    logging.getLogger("uvicorn.error").info("it begins")
    logs.configure("text", "worker")
    with request_id.as_current("abc"):
        log.warning("a %s thing", "odd")
    assert written() == ["INFO:     it begins", "WARNING:  worker: a odd thing [abc]"]


def test_json_is_one_object_per_line_whatever_is_logged(written):
    logs.configure("json", "worker")
    log.info("first\nsecond «%s»", 'quoted "text"')
    with request_id.as_current("abc"):
        try:
            raise ValueError("what was wrong")
        except ValueError:
            log.exception("broke off")
    one, two = lines(written)
    assert set(one) == {"time", "level", "logger", "process", "message"}
    assert one["message"] == 'first\nsecond «quoted "text"»'
    assert (one["level"], one["logger"], one["process"]) == ("info", "gradoscope.somewhere", "worker")
    assert one["time"].endswith("Z")
    assert two["request_id"] == "abc"
    assert "what was wrong" in two["exception"]


def test_warnings_go_the_same_way_and_other_libraries_are_quiet(written):
    logs.configure("json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", stacklevel=1)
    logging.getLogger("httpx2").info("GET https://somewhere/?token=secret")
    (line,) = lines(written)
    assert line["logger"] == "py.warnings"
    assert "old" in line["message"]
