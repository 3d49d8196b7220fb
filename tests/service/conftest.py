"""Fixtures for tests of executors."""

from __future__ import annotations

import multiprocessing
from types import SimpleNamespace

import pytest
from gradoscope.service import worker_process


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes are forked from one that has imported what the stand-ins need: a start takes milliseconds.

    They are processes as ever, with a pipe to each. Started afresh (`spawn`), as they really are, each would import
    the same modules again; `test_a_death_leaves_no_thread_and_no_open_line` and all tests with a server do that.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.deaf_worker", "tests.support.fake_worker"])
    monkeypatch.setattr(worker_process, "multiprocessing", SimpleNamespace(get_context=lambda method: context))
