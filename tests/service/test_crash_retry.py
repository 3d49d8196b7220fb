"""Who runs after the worker has died."""

from __future__ import annotations

from gradoscope.service.crash_retry import CrashRetry


def rolled(*numbers):
    roll = CrashRetry()
    for number in numbers:
        roll.add(number)
    return roll


def test_all_run_side_by_side():
    roll = rolled(1, 2)
    assert roll.next() == [1, 2]
    roll.add(3)
    assert roll.next() == [3]
    assert roll.next() == []
    assert roll.running == {1, 2, 3}


def test_after_a_death_those_that_ran_run_alone_and_the_others_wait():
    roll = rolled(1, 2)
    roll.next()
    roll.add(3)  # not sent yet: it had no part in it
    assert roll.worker_died() == []
    assert roll.running == set()
    assert roll.next() == [1]
    assert roll.next() == []
    roll.remove(1)
    assert roll.next() == [2]
    roll.remove(2)
    roll.add(4)
    assert roll.next() == [3, 4]


def test_only_one_that_is_alone_at_two_deaths_has_failed():
    roll = rolled(1, 2, 3)
    roll.next()
    assert roll.worker_died() == []
    assert roll.next() == [1]
    assert roll.worker_died() == []
    assert roll.next() == [1]
    assert roll.worker_died() == [1]
    assert roll.next() == [2]
    roll.remove(2)
    assert roll.next() == [3]
    assert roll.worker_died() == []


def test_one_that_was_alone_from_the_start_has_one_more_try():
    roll = rolled(7)
    roll.next()
    assert roll.worker_died() == []
    assert roll.next() == [7]
    assert roll.worker_died() == [7]
    assert roll.next() == []


def test_a_death_that_nobody_ran_at_is_nobodys():
    roll = rolled(1)
    assert roll.worker_died() == []
    assert roll.worker_died() == []
    assert roll.next() == [1]


def test_one_that_leaves_is_not_waited_for():
    roll = rolled(1, 2, 3)
    roll.next()
    roll.worker_died()
    assert roll.next() == [1]
    roll.remove(2)  # a suspect in the line
    roll.remove(1)  # the one that runs
    assert roll.next() == [3]
    roll.remove(3)
    roll.remove(99)
    roll.add(4)
    assert roll.next() == [4]


def test_a_second_death_beside_others_is_not_counted_as_alone():
    roll = rolled(1)
    roll.next()
    roll.worker_died()
    roll.next()
    roll.remove(1)
    roll.add(2)
    roll.add(3)
    assert roll.next() == [2, 3]
    for _ in range(3):
        assert roll.worker_died() == []
        assert roll.next() == [2]
        roll.remove(2)
        assert roll.next() == [3]
        roll.add(2)
        roll.remove(3)
        roll.add(3)
        assert roll.next() == [2, 3]
