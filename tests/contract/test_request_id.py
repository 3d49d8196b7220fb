"""One id from the request to its answer, its problems and its log lines."""

from __future__ import annotations

import asyncio

import pytest
from gradoscope.contract import request_id
from gradoscope.contract.problems import NotFound


@pytest.mark.parametrize("given", ["a", "A-1_b.c", "0" * 64])
def test_a_sane_id_is_kept(given):
    assert request_id.valid_or_new(given) == given


@pytest.mark.parametrize("given", [None, "", "0" * 65, "a b", "a\nb", "ä", '"', "a\n"])
def test_any_other_is_replaced_by_a_new_one(given):
    one, two = request_id.valid_or_new(given), request_id.valid_or_new(given)
    assert one != two
    assert request_id.ALLOWED_ID.fullmatch(one)


def test_it_is_known_in_threads_and_problems_within_and_nowhere_outside():
    async def inside():
        return await asyncio.to_thread(request_id.current)

    assert request_id.current() == ""
    with request_id.as_current("abc"):
        assert asyncio.run(inside()) == "abc"
        assert NotFound("no").to_dict()["request_id"] == "abc"
    assert "request_id" not in NotFound("no").to_dict()
