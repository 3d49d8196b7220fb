"""Which requests run after the worker has died."""

from __future__ import annotations

from gradoscope.service.crash_retry import CrashRetry


def retry_of(*requests):
    retry = CrashRetry()
    for request in requests:
        retry.add(request)
    return retry


def test_all_run_side_by_side():
    retry = retry_of(1, 2)
    assert retry.next() == [1, 2]
    retry.add(3)
    assert retry.next() == [3]
    assert retry.next() == []
    assert retry.running == {1, 2, 3}


def test_after_a_death_those_that_ran_run_alone_and_the_others_wait():
    retry = retry_of(1, 2)
    retry.next()
    retry.add(3)  # not sent yet: it is no suspect
    assert retry.worker_died() == []
    assert retry.running == set()
    assert retry.next() == [1]
    assert retry.next() == []
    retry.remove(1)
    assert retry.next() == [2]
    retry.remove(2)
    retry.add(4)
    assert retry.next() == [3, 4]


def test_a_request_that_was_alone_at_two_deaths_has_failed():
    retry = retry_of(1, 2, 3)
    retry.next()
    assert retry.worker_died() == []
    assert retry.next() == [1]
    assert retry.worker_died() == []
    assert retry.next() == [1]
    assert retry.worker_died() == [1]
    assert retry.next() == [2]
    retry.remove(2)
    assert retry.next() == [3]
    assert retry.worker_died() == []


def test_one_that_was_alone_from_the_start_has_one_more_try():
    retry = retry_of(7)
    retry.next()
    assert retry.worker_died() == []
    assert retry.next() == [7]
    assert retry.worker_died() == [7]
    assert retry.next() == []


def test_a_death_while_nothing_ran_counts_for_no_request():
    retry = retry_of(1)
    assert retry.worker_died() == []
    assert retry.worker_died() == []
    assert retry.next() == [1]


def test_one_that_leaves_is_not_waited_for():
    retry = retry_of(1, 2, 3)
    retry.next()
    retry.worker_died()
    assert retry.next() == [1]
    retry.remove(2)  # a suspect in the line
    retry.remove(1)  # the one that runs
    assert retry.next() == [3]
    retry.remove(3)
    retry.remove(99)
    retry.add(4)
    assert retry.next() == [4]


def test_a_second_death_beside_others_is_not_counted_as_alone():
    retry = retry_of(1)
    retry.next()
    retry.worker_died()
    retry.next()
    retry.remove(1)
    retry.add(2)
    retry.add(3)
    assert retry.next() == [2, 3]
    for _ in range(3):
        assert retry.worker_died() == []
        assert retry.next() == [2]
        retry.remove(2)
        assert retry.next() == [3]
        retry.add(2)
        retry.remove(3)
        retry.add(3)
        assert retry.next() == [2, 3]
