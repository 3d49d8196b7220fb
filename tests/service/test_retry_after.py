"""When a place will be free, by a clock that the test turns."""

from __future__ import annotations

import pytest
from gradoscope.service.retry_after import LONGEST, RetryAfter, WorkLeft

from tests.support.contract import accepted, panel_event, progress


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def job(total, done=0):
    left = WorkLeft()
    left.note(accepted(total))
    left.note(progress("p1", done, total))
    return left


def test_progress_counts_each_evaluation_once():
    work = job(100, 10)
    assert work.left == 90
    assert work.note(progress("p1", 25, 100)) == 15
    assert work.note(progress("p1", 20, 100)) == 0
    assert work.note(progress("p2", 5, 50)) == 5
    assert work.left == 70
    assert WorkLeft().left is None


def test_a_panel_that_was_stored_is_no_work_left():
    work = WorkLeft()
    work.note(accepted(150, p1=100))
    assert work.note(panel_event("p1")) == 0
    assert work.left == 50
    work.note(accepted(150))  # begun again
    assert work.left == 150


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
