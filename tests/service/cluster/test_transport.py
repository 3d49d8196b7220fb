"""A line within a process."""

from __future__ import annotations

import threading

from gradoscope.service.cluster.transport import Transport


def test_messages_come_in_order_and_answers_go_where_they_are_to():
    heard = []
    line = Transport(heard.append)
    assert not line.poll()
    assert not line.poll(0.001)
    line.post("run", 1)
    line.post("stop")
    assert line.poll()
    assert [line.recv(), line.recv()] == [("run", 1), ("stop",)]
    line.send(("ready", {}))
    assert heard == [("ready", {})]


def test_one_that_waits_is_woken():
    line = Transport(lambda message: None)
    timer = threading.Timer(0.01, line.post, ("stop",))
    timer.start()
    assert line.poll(None)
    timer.join()
