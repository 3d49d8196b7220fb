"""Valid pictures of every format, and seeded ways to damage them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator

from gradoscope.images.decode import FORMATS

from tests.support.bad_pictures import apng_frames, corners, mpo, noise, oriented, saved, translucent

Mutation = Callable[[bytearray, random.Random], None]
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def valid_pictures() -> dict[str, bytes]:
    """Small valid pictures by name."""
    picture = corners(96, 64)
    picture.paste(noise(40), (20, 10))
    frames = [picture, picture.rotate(180)]
    made = {
        "JPEG": saved(picture, "JPEG"),
        "progressive JPEG": saved(picture, "JPEG", progressive=True),
        "CMYK JPEG": saved(picture.convert("CMYK"), "JPEG"),
        "turned JPEG": oriented(6),
        "JPEG of several": mpo(),
        "PNG": saved(picture),
        "palette PNG": saved(picture.quantize(16), transparency=3),
        "RGBA PNG": saved(translucent()),
        "16-bit PNG": saved(picture.convert("L").convert("I;16")),
        "APNG": apng_frames(3),
        "WebP": saved(picture, "WEBP"),
        "lossless WebP": saved(picture, "WEBP", lossless=True),
        "animated WebP": saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        "GIF": saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "BMP": saved(picture, "BMP"),
        "palette BMP": saved(picture.quantize(16), "BMP"),
    }
    if "AVIF" in FORMATS:
        made |= {"AVIF": saved(picture, "AVIF"), "AVIF with alpha": saved(translucent(), "AVIF")}
    return made


def flip(data: bytearray, random: random.Random) -> None:
    """Some bytes anywhere get other values."""
    for _ in range(random.choice((1, 3, 20))):
        data[random.randrange(len(data))] = random.randrange(256)


def cut(data: bytearray, random: random.Random) -> None:
    """The end is missing, or a piece of the middle."""
    start = random.randrange(1, len(data))
    del data[start : random.choice((len(data), start + random.randrange(1, 64)))]


def splice(data: bytearray, random: random.Random) -> None:
    """A piece is copied to another place, over what is there or inserted."""
    start, place = random.randrange(len(data)), random.randrange(len(data))
    piece = data[start : start + random.randrange(1, 512)]
    data[place : place + random.choice((0, len(piece)))] = piece


def header(data: bytearray, random: random.Random) -> None:
    """Some numbers of the header become extreme values, in either byte order."""
    for _ in range(random.choice((1, 2))):
        size, order = random.choice((1, 2, 4)), random.choice("<>")
        place = random.randrange(2, min(len(data), 120) - 4)
        value = random.choice(EXTREMES) & (256**size - 1)
        struct.pack_into(order + {1: "B", 2: "H", 4: "I"}[size], data, place, value)


def insert(data: bytearray, random: random.Random) -> None:
    """Garbage is inserted."""
    place = random.randrange(len(data))
    data[place:place] = random.choice((bytes(64), random.randbytes(64), b"\xff" * 64))


MUTATIONS: tuple[Mutation, ...] = (flip, cut, splice, header, insert)


def fix_checksums(data: bytearray) -> None:
    """Corrects a PNG's checksums, so that the damage is not found before the pixels are decoded."""
    place = 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[place + 4 : end]))
        place = end + 4


def mutated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yields `count` damaged pictures as (description, bytes): all formats and mutations in turn."""
    pictures = valid_pictures()
    draw = random.Random(seed)
    for number in range(count):
        name, whole = list(pictures.items())[number % len(pictures)]
        mutation = MUTATIONS[number // len(pictures) % len(MUTATIONS)]
        data = bytearray(whole)
        mutation(data, draw)
        if whole.startswith(b"\x89PNG") and draw.random() < 0.7:
            fix_checksums(data)
        yield f"{number}: {name}, {mutation.__name__}", bytes(data)
