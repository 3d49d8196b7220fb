"""--cluster takes an address, and needs none."""

from __future__ import annotations

import sys

import pytest
from gradoscope.cli.cluster import add_default_address, require_ray
from gradoscope.contract.problems import Unprocessable


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("serve --cluster", "serve --cluster auto"),
        ("serve --cluster --port 1", "serve --cluster auto --port 1"),
        ("serve --cluster head:6379 --port 1", "serve --cluster head:6379 --port 1"),
        ("serve --cluster [::1]:6379", "serve --cluster [::1]:6379"),
        ("serve --cluster=head:6379", "serve --cluster=head:6379"),
        ("explain --cluster pictures", "explain --cluster auto pictures"),
        ("explain pictures --cluster 10.0.0.1:6379", "explain pictures --cluster 10.0.0.1:6379"),
        ("explain pictures", "explain pictures"),
    ],
)
def test_the_address_may_be_left_out(given, taken):
    assert add_default_address(given.split()) == taken.split()


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Unprocessable, match=r"pip install 'gradoscope\[cluster\]'"):
        require_ray()
