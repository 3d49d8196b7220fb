"""When a place will be free, by a clock that the test turns."""

from __future__ import annotations

import pytest
from gradoscope.contract.jobs import Event
from gradoscope.service.retry_after import LONGEST, RetryAfter, WorkLeft


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def job(total, done=0):
    progress = WorkLeft()
    progress.note(Event("accepted", {"gradient_evaluations": total}))
    progress.note(Event("progress", {"panel": "p1", "done": done, "total": total}))
    return progress


def test_progress_counts_each_evaluation_once():
    progress = job(100, 10)
    assert progress.left == 90
    assert progress.note(Event("progress", {"panel": "p1", "done": 25, "total": 100})) == 15
    assert progress.note(Event("progress", {"panel": "p1", "done": 20, "total": 100})) == 0
    assert progress.note(Event("progress", {"panel": "p2", "done": 5, "total": 50})) == 5
    assert progress.left == 70
    assert WorkLeft().left is None


def test_a_panel_that_was_stored_is_no_work_left():
    progress = WorkLeft()
    progress.note(Event("accepted", {"gradient_evaluations": 150, "panels": [{"id": "p1", "cost": 100}]}))
    assert progress.note(Event("panel", {"panel": {"id": "p1"}})) == 0
    assert progress.left == 50
    progress.note(Event("accepted", {"gradient_evaluations": 150}))  # begun again
    assert progress.left == 150


def paced(clock, per_second, seconds=10):
    forecast = RetryAfter(clock)
    forecast.worked(0)
    for _ in range(10 * seconds):
        clock.now += 0.1
        forecast.worked(per_second // 10)
    return forecast


def test_the_first_to_end_gives_its_place(clock):
    forecast = paced(clock, 50)
    assert forecast.wait([(job(1000), clock.now)]) == 20
    assert forecast.wait([(job(1000), clock.now), (job(200, 100), clock.now)]) == 4  # 100 left, at half the pace


def test_what_was_lately_counts_more(clock):
    forecast = paced(clock, 100)
    before = forecast.wait([(job(1000), clock.now)])
    for _ in range(600):
        clock.now += 0.1
        forecast.worked(1)
    assert before == 10
    assert forecast.wait([(job(1000), clock.now)]) > 50


def test_rest_is_not_work(clock):
    forecast = paced(clock, 50)
    forecast.rested()
    clock.now += 3600
    forecast.worked(0)
    assert forecast.wait([(job(1000), clock.now)]) == 20


def test_where_nothing_is_known_a_jobs_usual_time_is_taken(clock):
    forecast = RetryAfter(clock)
    assert forecast.wait([(WorkLeft(), clock.now)]) == 5
    assert forecast.wait([(WorkLeft(), clock.now - 3.5)]) == 2
    for _ in range(50):
        forecast.ended(30)
    assert forecast.wait([(WorkLeft(), clock.now)]) == 30
    assert forecast.wait([]) == 30
    assert forecast.wait([(job(10**9), clock.now)]) == 30  # no pace yet either


def test_it_is_bounded(clock):
    forecast = paced(clock, 10)
    assert forecast.wait([(job(10**9), clock.now)]) == LONGEST
    assert forecast.wait([(job(10, 10), clock.now)]) == 1
