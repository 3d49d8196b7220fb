"""A map as the store keeps it: every bit of it, in fewer bytes than an .npy.

The four bytes of the values lie in four planes, one byte of every value after the other: sign and exponent of
neighbours are alike, while the lower bits of a gradient are noise. The sign goes behind the mantissa, so that the
exponent is a byte of its own. A plane that deflate does not shorten is kept as it is.

    GRADMAP1 {"shape": [3, 224, 224], "planes": [150528, …]}\n plane plane plane plane

A plane of fewer bytes than there are values is deflated. Float32 alone is packed; what earlier versions have stored is
an .npy, and is read as one.
"""

from __future__ import annotations

import io
import json
import zlib
from math import prod

import numpy as np

from .arrays import npy

MAGIC = b"GRADMAP1 "
NPY = b"\x93NUMPY"
BITS = 32
MOST_VALUES = 8  # for each packed byte: a Huffman code has one bit at least
WORTH = 0.97  # of a plane's bytes: deflate must leave fewer than this


def pack_map(values: np.ndarray) -> bytes:
    """`values` for the store; an .npy where they are not float32."""
    if values.dtype != np.float32:
        return npy(values)
    bits = np.ascontiguousarray(values).ravel().view(np.uint32)
    turned = ((bits << 1) | (bits >> (BITS - 1))).astype("<u4")
    planes = [_deflated(plane.tobytes()) for plane in turned.view(np.uint8).reshape(-1, 4).T]
    header = json.dumps({"shape": list(values.shape), "planes": [len(plane) for plane in planes]}).encode()
    return b"".join((MAGIC, header, b"\n", *planes))


def unpack_map(data: bytes) -> np.ndarray:
    """What `pack_map` was given, bit by bit. Raises `ValueError` if the bytes are no map."""
    if not data.startswith(MAGIC):
        return _from_npy(data)
    header, _, rest = data[len(MAGIC) :].partition(b"\n")
    try:
        about = json.loads(header)
        shape, lengths = [int(side) for side in about["shape"]], [int(length) for length in about["planes"]]
        count = prod(shape)
        if (
            len(lengths) != 4
            or sum(lengths) != len(rest)
            or min(*lengths, *shape, 0) < 0
            or count > MOST_VALUES * len(rest)
        ):
            raise ValueError("the planes are not as long as its header says")
        turned = np.empty((count, 4), np.uint8)
        at = 0
        for number, length in enumerate(lengths):
            turned[:, number] = np.frombuffer(_inflated(rest[at : at + length], count), np.uint8)
            at += length
    except (KeyError, TypeError, RecursionError, zlib.error) as error:
        raise ValueError(f"no map: {error}") from error
    bits = turned.view("<u4").ravel().astype(np.uint32)
    return ((bits >> 1) | (bits << (BITS - 1))).view(np.float32).reshape(shape)


def map_as_npy(data: bytes) -> bytes:
    """A stored map as an .npy, whichever version has stored it. Raises `ValueError` if it is no map."""
    return data if data.startswith(NPY) else npy(unpack_map(data))


def _from_npy(data: bytes) -> np.ndarray:
    try:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))
    except EOFError as error:
        raise ValueError("no map: there is nothing") from error


def _deflated(plane: bytes) -> bytes:
    """A plane by Huffman codes alone: looking for repetitions takes four times as long, and gains nothing."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_HUFFMAN_ONLY)
    packed = packer.compress(plane) + packer.flush()
    return packed if len(packed) < WORTH * len(plane) else plane


def _inflated(packed: bytes, count: int) -> bytes:
    if len(packed) == count:
        return packed
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    plane = unpacker.decompress(packed, count) if count else b""
    if len(plane) != count or unpacker.unconsumed_tail:
        raise ValueError("a plane has another length")
    return plane
