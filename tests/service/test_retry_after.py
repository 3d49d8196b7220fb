"""When there will be room for another request, by a clock that the test sets."""

from __future__ import annotations

import pytest
from gradoscope.service.retry_after import MAX_WAIT, RetryAfter, WorkLeft

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
    left.update(accepted(total))
    left.update(progress("p1", done, total))
    return left


def test_progress_counts_each_evaluation_once():
    work = job(100, 10)
    assert work.remaining == 90
    assert work.update(progress("p1", 25, 100)) == 15
    assert work.update(progress("p1", 20, 100)) == 0
    assert work.update(progress("p2", 5, 50)) == 5
    assert work.remaining == 70
    assert WorkLeft().remaining is None


def test_a_panel_that_was_stored_is_no_work_left():
    work = WorkLeft()
    work.update(accepted(150, p1=100))
    assert work.update(panel_event("p1")) == 0
    assert work.remaining == 50
    work.update(accepted(150))  # begun again
    assert work.remaining == 150


def paced(clock, per_second, seconds=10):
    forecast = RetryAfter(clock)
    forecast.add_evaluations(0)
    for _ in range(10 * seconds):
        clock.now += 0.1
        forecast.add_evaluations(per_second // 10)
    return forecast


def test_the_first_job_to_end_makes_room(clock):
    forecast = paced(clock, 50)
    assert forecast.estimate([(job(1000), clock.now)]) == 20
    assert forecast.estimate([(job(1000), clock.now), (job(200, 100), clock.now)]) == 4  # 100 left, at half the speed


def test_recent_throughput_counts_more(clock):
    forecast = paced(clock, 100)
    before = forecast.estimate([(job(1000), clock.now)])
    for _ in range(600):
        clock.now += 0.1
        forecast.add_evaluations(1)
    assert before == 10
    assert forecast.estimate([(job(1000), clock.now)]) > 50


def test_idle_time_is_not_counted(clock):
    forecast = paced(clock, 50)
    forecast.pause()
    clock.now += 3600
    forecast.add_evaluations(0)
    assert forecast.estimate([(job(1000), clock.now)]) == 20


def test_where_nothing_is_known_a_jobs_usual_time_is_taken(clock):
    forecast = RetryAfter(clock)
    assert forecast.estimate([(WorkLeft(), clock.now)]) == 5
    assert forecast.estimate([(WorkLeft(), clock.now - 3.5)]) == 2
    for _ in range(50):
        forecast.add_job_seconds(30)
    assert forecast.estimate([(WorkLeft(), clock.now)]) == 30
    assert forecast.estimate([]) == 30
    assert forecast.estimate([(job(10**9), clock.now)]) == 30  # no throughput yet either


def test_it_is_bounded(clock):
    forecast = paced(clock, 10)
    assert forecast.estimate([(job(10**9), clock.now)]) == MAX_WAIT
    assert forecast.estimate([(job(10, 10), clock.now)]) == 1
