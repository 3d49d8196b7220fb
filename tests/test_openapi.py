"""The whole OpenAPI document against the server, by schemathesis: what it says is so, and nothing hurts.

All its checks but one: `positive_data_acceptance` wants each request that fits the document to be taken, but a document
cannot say which explanations there are, which bytes are a picture, or that exactly one of three fields is to be given.
"""

from __future__ import annotations

import os

import pytest
import schemathesis
from gradoscope.main import create_app
from gradoscope.settings import Settings
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS

EXAMPLES = int(os.environ.get("FUZZ", "12"))  # of each operation; `make fuzz` takes more
OPERATIONS = [(verb, path) for path, verbs in create_app(Settings()).openapi()["paths"].items() for verb in verbs]


@pytest.fixture(scope="module")
def api(server):
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.mark.parametrize(("verb", "path"), OPERATIONS, ids=[f"{verb} {path}" for verb, path in OPERATIONS])
def test_the_document_is_kept(verb, path, api):
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=api[path][verb.upper()].as_strategy())
    def check(case):
        case.call_and_validate(timeout=120, excluded_checks=[CHECKS.get_one("positive_data_acceptance")])

    check()
