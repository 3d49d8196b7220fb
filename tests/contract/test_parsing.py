"""Texts that stand for values: what is nested too deep, or cannot be written in any encoding, is refused."""

from __future__ import annotations

import pytest
from gradoscope.contract.parsing import MAX_NESTING, parse_json, value_fault


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_nesting_is_bounded() -> None:
    assert parse_json(nested(MAX_NESTING)) is not None
    for levels in (MAX_NESTING + 1, 520, 900, 5000, 100_000):
        with pytest.raises(ValueError, match="more than 32 levels"):
            parse_json(nested(levels))
        with pytest.raises(ValueError, match="more than 32 levels"):
            parse_json('{"a":' * levels + "1" + "}" * levels)


def test_width_is_not_depth() -> None:
    assert value_fault([[0]] * 10_000) is None
    assert parse_json('{"smooth_grad": {"samples": 3}}') == {"smooth_grad": {"samples": 3}}


def test_a_name_that_stands_twice_is_refused() -> None:
    for text in ('{"a": 1, "a": 2}', '[{"b": {"a": 1, "a": 1}}]'):
        with pytest.raises(ValueError, match="«a» twice"):
            parse_json(text)
    assert parse_json('[{"a": 1}, {"a": 2}]') == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("text", ['{"\\ud800": {}}', '["\\udfff"]', '{"a": {"b": "x\\ud83d"}}'])
def test_half_a_surrogate_pair_is_no_text(text: str) -> None:
    with pytest.raises(ValueError, match="no valid Unicode"):
        parse_json(text)
    assert parse_json('["\\ud83d\\ude00"]') == ["😀"]


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "{", "9" * 10_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)
