"""What tests of the attribution library share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from gradoscope.attribution.methods import xrai

_found: dict[tuple[bytes, tuple[int, ...], int], np.ndarray] = {}
_segments_of = xrai.segments_of


def segments_once(picture: np.ndarray, dilation: int) -> np.ndarray:
    """XRAI's segments of a picture, found once in this process: many tests show the same picture to many networks.

    They are `segments_of`'s own, which test_xrai holds to PAIR saliency's, and read-only.
    """
    key = picture.tobytes(), picture.shape, dilation
    if key not in _found:
        _found[key] = _segments_of(picture, dilation)
        _found[key].flags.writeable = False
    return _found[key]


@pytest.fixture(scope="session", autouse=True)
def xrai_finds_segments_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xrai, "segments_of", segments_once)
        yield
