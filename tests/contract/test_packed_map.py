"""A packed map is the same to the bit, whatever its values; what is no map is refused."""

from __future__ import annotations

import numpy as np
import pytest
from gradoscope.contract.arrays import npy
from gradoscope.contract.packed_map import MAGIC, map_as_npy, pack_map, unpack_map

RANDOM = np.random.default_rng(0)
ODD = np.array([0.0, -0.0, 1e-45, -1e-38, 3.4e38, -np.inf, np.inf, np.nan, 1.0, -1.0], np.float32)
MAPS = {
    "noise": RANDOM.standard_normal((3, 224, 224)).astype(np.float32),
    "a wide range": (RANDOM.standard_normal((3, 40, 30)) * 10.0 ** RANDOM.integers(-30, 30, (3, 40, 30))).astype("f4"),
    "random bits": RANDOM.integers(0, 2**32, 5000, dtype=np.uint32).view(np.float32).reshape(1, 50, 100),
    "zeros": np.zeros((1, 224, 224), np.float32),
    "odd values": ODD.reshape(1, 2, 5),
    "one value": np.full((1, 1, 1), -2.5, np.float32),
    "no value": np.zeros((0, 4, 4), np.float32),
    "transposed": RANDOM.standard_normal((8, 9, 3)).astype(np.float32).transpose(2, 0, 1),
    "two dimensions": RANDOM.standard_normal((16, 7)).astype(np.float32),
}


@pytest.mark.parametrize("name", MAPS)
def test_every_bit_comes_back(name):
    values = MAPS[name]
    back = unpack_map(pack_map(values))
    assert (back.dtype, back.shape) == (np.float32, values.shape)
    assert back.tobytes() == np.ascontiguousarray(values).tobytes()
    assert back.flags.writeable
    assert map_as_npy(pack_map(values)) == npy(values)


def test_gradients_take_fewer_bytes():
    """Noise of one size: its exponents have two and a half bits, its mantissas and signs 24."""
    values = MAPS["noise"]
    assert 24 / 32 < len(pack_map(values)) / values.nbytes < 27 / 32
    assert len(pack_map(MAPS["random bits"])) <= MAPS["random bits"].nbytes + 120
    assert len(pack_map(MAPS["zeros"])) < MAPS["zeros"].nbytes / 7


def test_an_npy_is_read_as_it_is():
    values = MAPS["a wide range"]
    assert np.array_equal(unpack_map(npy(values)), values)
    assert map_as_npy(npy(values)) == npy(values)
    double = values.astype(np.float64)
    assert pack_map(double) == npy(double)


PACKED = pack_map(MAPS["noise"][:, :8, :8])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"something else",
        MAGIC,
        MAGIC + b"{}\n",
        MAGIC + b"[]\n",
        MAGIC + b'{"shape": [-1, 4], "planes": [0, 0, 0, 0]}\n',
        MAGIC + b'{"shape": [2], "planes": [1, 1, 1]}\nabc',
        MAGIC + b'{"shape": [9], "planes": [1, 1, 1, 1]}\nabcd',
        MAGIC + b'{"shape": [99999999999], "planes": [1, 1, 1, 1]}\nabcd',
        PACKED[:-1],
        PACKED + b"x",
        PACKED[: len(PACKED) // 2],
    ],
)
def test_what_is_no_map_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 (NumPy's words, json's, or ours)
        unpack_map(data)


def test_a_plane_that_unpacks_to_more_is_refused():
    """The header decides how many values there are: no plane is inflated further."""
    zeros = pack_map(np.zeros((1, 100, 100), np.float32))
    header, planes = zeros.split(b"\n", 1)
    small = header.replace(b"[1, 100, 100]", b"[1, 100, 99]")
    assert small != header
    with pytest.raises(ValueError, match="another length"):
        unpack_map(small + b"\n" + planes)
