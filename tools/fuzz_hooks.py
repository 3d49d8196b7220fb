"""For schemathesis: of what fits the schema, every second explanation is one that can be made, and quickly.

Else nearly all would be refused for what no schema says (a picture that is none, options that are no JSON), and what
follows an explanation would never be reached.
"""

from __future__ import annotations

import schemathesis


@schemathesis.hook
def map_case(context, case):  # type: ignore[no-untyped-def]
    wanted = case.operation.label == "POST /api/v1/explanations" and case.meta and case.meta.generation.mode.is_positive
    if wanted and isinstance(case.body, dict) and len(repr(case.body)) % 2:
        case.body = {"sample": "cat", "method": ["grad_cam"], "target": [len(repr(case.body)) % 1000]}
    return case


@schemathesis.hook
def filter_case(context, case):  # type: ignore[no-untyped-def]
    """Leaves out what breaks the schema while a field is empty: that counts as not given, so it may be all that is
    wrong with it."""
    negative = case.meta is not None and case.meta.generation.mode.is_negative
    return not (negative and isinstance(case.body, dict) and any(map(_has_empty, case.body.values())))


def _has_empty(value: object) -> bool:
    return value == "" or (isinstance(value, list) and "" in value)
