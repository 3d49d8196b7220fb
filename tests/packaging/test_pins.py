"""constraints.txt pins what is installed, within what pyproject.toml allows; the container takes it."""

from __future__ import annotations

from packaging.requirements import Requirement

from tests.support.paths import ROOT
from tools.pins import direct, normalised_name

PINNED = {
    normalised_name(line): line
    for line in map(
        Requirement, filter(lambda line: line[:1] not in ("", "#"), (ROOT / "constraints.txt").read_text().splitlines())
    )
}


def test_each_direct_dependency_is_pinned_to_one_version_that_is_allowed():
    for wanted in direct():
        (pin,) = PINNED[normalised_name(wanted)].specifier
        assert pin.operator == "=="
        assert wanted.specifier.contains(pin.version), wanted


def test_what_takes_pictures_and_requests_from_strangers_is_pinned():
    assert {"pillow", "starlette", "h11", "python-multipart", "pydantic-core"} <= PINNED.keys()


def test_the_container_takes_the_pins():
    assert "-c constraints.txt" in (ROOT / "Dockerfile").read_text()
