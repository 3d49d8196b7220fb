"""Hostile, damaged and unusual pictures, made by code. The tables map a name to the function that makes the file, one
table for each kind of answer that the server must give. See test_bad_pictures.py."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, features

Make = Callable[[], bytes]
MEGABYTE = 2**20
COMMENT = int.from_bytes(b"/*", "little")
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def corners(width: int = 40, height: int = 24) -> Image.Image:
    """Each corner in a colour of its own: no orientation looks like another."""
    values = np.full((height, width, 3), 250, np.uint8)
    half, middle = height // 2, width // 2
    values[:half, :middle], values[:half, middle:], values[half:, :middle] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return Image.fromarray(values)


def noise(side: int = 128) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *before: bytes, depth: int = 8, colour: int = 2, data: bytes | None = None) -> bytes:
    """A PNG whose header has these values, with the chunks `before` ahead of its pixels; all black without `data`."""
    if data is None:
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        data = zlib.compress(bytes((1 + (width * depth * channels + 7) // 8) * height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return SIGNATURE + b"".join(
        [chunk(b"IHDR", header), *before, chunk(b"IDAT", data), chunk(b"IEND", b"")],
    )


def small_png(*before: bytes) -> bytes:
    return png(8, 8, *before)


@cache
def zeros(megabytes: int) -> bytes:
    return zlib.compress(bytes(megabytes * MEGABYTE))


def wrong_checksum() -> bytes:
    whole = bytearray(saved(corners()))
    whole[whole.index(b"IDAT") + 20] ^= 1
    return bytes(whole)


def webp_of(width: int, height: int) -> bytes:
    """A small WebP whose header claims this size."""
    whole = bytearray(saved(corners(), "WEBP", lossless=True))
    place = whole.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", whole, place)
    struct.pack_into("<I", whole, place, (bits & ~0xFFFFFFF) | (width - 1) | (height - 1) << 14)
    return bytes(whole)


def many_scans(side: int = 2000, extra: int = 20_000) -> bytes:
    """A progressive JPEG that repeats its last scan `extra` times: each would cost a pass over all its blocks."""
    whole = saved(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * extra + whole[-2:]


def slow(runs: int = 6_000_000) -> bytes:
    """A run-length encoded BMP whose runs are one pixel long. Pillow decodes them one by one, which takes seconds."""
    side = int(runs**0.5) + 1
    pixels = b"\x01\x00" * runs + b"\x00\x01"
    offset = 14 + 40 + 4 * 256
    header = struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(pixels), 0, 0, 256, 0)
    return header + info + bytes(4 * 256) + pixels


def gif_frames(count: int) -> bytes:
    whole = saved(corners().quantize(8), "GIF")
    first = whole.index(b"\x2c", 13 + 3 * 8)  # its one frame, after the colours
    return whole[:first] + whole[first:-1] * count + whole[-1:]


def apng_frames(count: int) -> bytes:
    pixels = zlib.compress(bytes(8 * 25))
    frames = []
    for i in range(count):
        frames.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", max(0, 2 * i - 1), 8, 8, 0, 0, 1, 10, 0, 0)))
        if i:
            frames.append(chunk(b"fdAT", struct.pack(">I", 2 * i) + pixels))
    return png(8, 8, chunk(b"acTL", struct.pack(">II", count, 0)), *frames[:1], data=pixels).replace(
        chunk(b"IEND", b""), b"".join(frames[1:]) + chunk(b"IEND", b"")
    )


REFUSED: dict[str, Make] = {  # 422: damaged, empty, or over a limit
    "JPEG of 20,000 scans": lambda: many_scans(),
    "half a JPEG": lambda: (whole := saved(noise(), "JPEG"))[: len(whole) // 2],
    "20 bytes of JPEG": lambda: saved(noise(), "JPEG")[:20],
    "no bytes": lambda: b"",
    "1 kB of zeros": lambda: bytes(1000),
    "PNG of 0×0": lambda: png(0, 0),
    "PNG of 0×8": lambda: png(0, 8),
    "PNG of 2³¹−1": lambda: png(2**31 - 1, 2**31 - 1, data=b""),
    "PNG of 2³²−1": lambda: png(2**32 - 1, 2**32 - 1, data=b""),
    "PNG of 20000000×1": lambda: png(20_000_000, 1, depth=1, colour=0),
    "PNG of 30000×30000": lambda: png(30000, 30000, data=zeros(1)),
    "PNG of 9400×9400, 1 bit": lambda: png(9400, 9400, depth=1, colour=0),
    "WebP of 9400×9400": lambda: webp_of(9400, 9400),
    "GIF of 65535×65535": lambda: b"GIF89a\xff\xff\xff\xff\0\0\0",
    "GIF of 65535×65535, with a frame": lambda: b"GIF89a\xff\xff\xff\xff" + saved(corners(), "GIF")[10:],
    "GIF with a frame of 65535×65535": lambda: saved(corners(), "GIF").replace(b"\x28\0\x18\0", b"\xff" * 4),
    "BMP of 30000×30000": lambda: saved(corners(), "BMP").replace(struct.pack("<II", 40, 24), b"\x30\x75\0\0" * 2),
    "zTXt bomb": lambda: small_png(chunk(b"zTXt", b"a\0\0" + zeros(64))),
    "iTXt bomb": lambda: small_png(chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(64))),
    "iCCP bomb": lambda: small_png(chunk(b"iCCP", b"a\0\0" + zeros(64))),
    "70 × 1 MB zTXt": lambda: small_png(*[chunk(b"zTXt", b"a%d\0\0" % i + zeros(1)) for i in range(70)]),
    "wrong CRC": wrong_checksum,
    "PNG without pixels": lambda: png(8, 8, data=b""),
    "PNG with too few pixels": lambda: png(800, 800, data=zlib.compress(bytes(100))),
    "half a PNG": lambda: (whole := saved(noise()))[: len(whole) // 2],
    "half a WebP": lambda: (whole := saved(noise(), "WEBP"))[: len(whole) // 2],
    "half a GIF": lambda: (whole := saved(noise(), "GIF"))[: len(whole) // 2],
    "half a BMP": lambda: (whole := saved(noise(), "BMP"))[: len(whole) // 2],
}

HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(200)
UNSUPPORTED: dict[str, Make] = {  # 415: not a picture format that is accepted
    "SVG with a script": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "HTML named .png": lambda: b"<!doctype html><script>alert(1)</script>",
    "PDF": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(100),
    "EPS": lambda: saved(corners(), "EPS"),
    "ZIP": lambda: zipped(),
    "HEIC": lambda: HEIC,
    "HEIC that says mif1": lambda: HEIC.replace(b"ftypheic", b"ftypmif1"),
    "ICO": lambda: saved(corners(), "ICO"),
    "JPEG 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100),
    "JPEG 2000, its stream alone": lambda: b"\xff\x4f\xff\x51" + bytes(100),
    "TIFF": lambda: saved(corners(), "TIFF"),
    "PPM": lambda: saved(corners(), "PPM"),
    "PSD": lambda: b"8BPS\0\1" + bytes(100),
    "random bytes": lambda: random.Random(0).randbytes(5000),
    "text": lambda: b"I am no picture.",
    "a WAVE file": lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(100),
}


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("cat.png", saved(corners()))
    return out.getvalue()


def over_white(picture: Image.Image) -> Image.Image:
    """By the formula, not by Pillow: alpha × colour + (1 − alpha) × white."""
    values = np.asarray(picture.convert("RGBA")).astype(float)
    alpha = values[..., 3:] / 255
    return Image.fromarray(np.round(values[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))


def translucent() -> Image.Image:
    picture = corners().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def palette() -> bytes:
    """Three colours, the first transparent, the second half transparent."""
    return saved(_palette(), transparency=bytes([0, 128, 255]))


def _palette() -> Image.Image:
    picture = Image.new("P", (30, 10))
    picture.putpalette([9, 9, 9, 200, 100, 0, 0, 100, 200])
    for i in range(3):
        picture.paste(i, (10 * i, 0, 10 * i + 10, 10))
    return picture


def palette_over_white() -> Image.Image:
    values = np.zeros((10, 30, 3), np.uint8)
    values[:, :10], values[:, 20:] = 255, (0, 100, 200)
    values[:, 10:20] = [round(c * 128 / 255 + 255 * 127 / 255) for c in (200, 100, 0)]
    return Image.fromarray(values)


def deep(channels: int) -> tuple[bytes, Image.Image]:
    """A PNG with 16 bits per channel, grey or only red, and how it must look."""
    ramp = np.linspace(0, 65535, 64).astype(">u2")
    values = np.zeros((8, 64, channels), ">u2")
    values[..., 0] = ramp
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in values))
    shown = np.zeros((8, 64, 3), np.uint8)
    shown[..., : 3 if channels == 1 else 1] = np.round(ramp / 257)[:, None]
    return png(64, 8, depth=16, colour=0 if channels == 1 else 2, data=data), Image.fromarray(shown)


def oriented(number: int, kind: str = "JPEG") -> bytes:
    """`corners` stored with an EXIF orientation, as by a camera that was turned: upright they look as ever."""
    stored = corners()
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(number)
    if turn is not None:
        stored = stored.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = number
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    return saved(stored, kind, exif=exif, **options)


def with_segment(marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment in front."""
    whole = saved(corners(), "JPEG", quality=95, subsampling=0)
    return whole[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + whole[2:]


def mpo() -> bytes:
    return saved(corners(), "MPO", save_all=True, append_images=[noise()], quality=95, subsampling=0)


def polyglot() -> bytes:
    """A GIF that is JavaScript too: its width begins a comment."""
    return saved(corners(COMMENT, 8), "GIF") + b"*/=1;alert(1);//"


def exact(picture: Image.Image) -> tuple[Image.Image, int]:
    return picture, 0


# 200: the function that makes the file, and one that gives (how it must look, by how much a value may be off)
FINE: dict[str, tuple[Make, Callable[[], tuple[Image.Image, int]]]] = {
    "1×1": (lambda: saved(corners().crop((0, 0, 1, 1))), lambda: exact(corners().crop((0, 0, 1, 1)))),
    "RGBA over white": (lambda: saved(translucent()), lambda: (over_white(translucent()), 1)),
    "LA over white": (
        lambda: saved(translucent().convert("LA")),
        lambda: (over_white(translucent().convert("LA")), 1),
    ),
    "WebP with alpha": (
        lambda: saved(translucent(), "WEBP", lossless=True, exact=True),
        lambda: (over_white(translucent()), 1),
    ),
    "palette with transparency": (palette, lambda: (palette_over_white(), 1)),
    "16 bits of grey": (lambda: deep(1)[0], lambda: exact(deep(1)[1])),
    "16 bits a channel": (lambda: deep(3)[0], lambda: (deep(3)[1], 1)),
    "1 bit": (lambda: saved(corners().convert("1")), lambda: exact(corners().convert("1").convert("RGB"))),
    "CMYK JPEG": (lambda: saved(corners().convert("CMYK"), "JPEG", quality=95), lambda: (corners(), 8)),
    "grey JPEG": (
        lambda: saved(corners().convert("L"), "JPEG", quality=95),
        lambda: (corners().convert("L").convert("RGB"), 8),
    ),
    "progressive JPEG": (
        lambda: saved(corners(), "JPEG", quality=95, subsampling=0, progressive=True),
        lambda: (corners(), 8),
    ),
    "JPEG of several pictures": (mpo, lambda: (corners(), 8)),
    "JPEG of several pictures, their list damaged": (
        lambda: mpo().replace(b"MPF\0", b"MPF\0\xff\xff\xff"),
        lambda: (corners(), 8),
    ),
    "garbage EXIF": (lambda: with_segment(0xE1, b"Exif\0\0II*\0" + b"\xff\x99" * 40), lambda: (corners(), 8)),
    "broken ICC in a JPEG": (lambda: with_segment(0xE2, b"ICC_PROFILE\0\1\1garbage"), lambda: (corners(), 8)),
    "broken ICC in a PNG": (lambda: saved(corners(), icc_profile=b"garbage"), lambda: exact(corners())),
    "an animated GIF": (
        lambda: saved(corners(), "GIF", save_all=True, append_images=[noise(24)]),
        lambda: exact(corners()),
    ),
    "20,000 frames of GIF": (lambda: gif_frames(20_000), lambda: exact(corners())),
    "2,000 frames of APNG": (lambda: apng_frames(2_000), lambda: exact(Image.new("RGB", (8, 8)))),
    "GIF and JavaScript": (polyglot, lambda: exact(corners(COMMENT, 8))),
    "BMP": (lambda: saved(corners(), "BMP"), lambda: exact(corners())),
    **(
        {"AVIF": (lambda: saved(corners(), "AVIF", quality=95, subsampling="4:4:4"), lambda: (corners(), 8))}
        if features.check("avif")
        else {}
    ),
    **{
        f"{kind}, orientation {number}": (
            lambda number=number, kind=kind: oriented(number, kind),
            lambda kind=kind: (corners(), 8 if kind == "JPEG" else 0),
        )
        for kind, numbers in {"JPEG": range(1, 9), "PNG": (6,), "WEBP": (5,)}.items()
        for number in numbers
    },
}

EITHER: dict[str, Make] = {  # 200, or 422 with a reason
    "JPEG without its last two bytes": lambda: saved(noise(), "JPEG")[:-2],
    "65500×1": lambda: saved(Image.new("RGB", (65500, 1), "teal")),
    "1×65500": lambda: saved(Image.new("RGB", (1, 65500), "teal")),
    "65500×1 as JPEG": lambda: saved(Image.new("RGB", (65500, 1), "teal"), "JPEG"),
    "100,000 tEXt chunks": lambda: small_png(chunk(b"tEXt", b"a\0b") * 100_000),
    "24 million pixels": lambda: saved(Image.new("RGB", (6000, 4000), "teal"), "JPEG"),
    "a comment of 10 MB in a GIF": lambda: saved(corners(), "GIF").replace(
        b"\x2c\0\0\0\0", b"\x21\xfe" + (b"\xff" + b"a" * 255) * 40_000 + b"\0\x2c\0\0\0\0", 1
    ),
}
