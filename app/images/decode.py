"""Decodes bytes to an upright 8-bit RGB picture. The bytes are untrusted: limits are checked before decoding."""

from __future__ import annotations

import io
import re
import warnings
from functools import cache

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from ..contract.problems import Unprocessable, UnsupportedPicture

READERS = {  # imported here, because Pillow would import all of its readers at the first WebP
    "JPEG": JpegImagePlugin,
    "PNG": PngImagePlugin,
    "WEBP": WebPImagePlugin,
    "GIF": GifImagePlugin,
    "BMP": BmpImagePlugin,
    "AVIF": AvifImagePlugin,
}
FORMATS = [name for name, reader in READERS.items() if getattr(reader, "SUPPORTED", True)]
ALLOWED = ", ".join(FORMATS)
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
MAX_SIDE = 65_535  # JPEG's limit: resampling a longer side takes more memory than the pixels
MAX_SCANS = 100  # of a JPEG: each costs a pass over all pixels, however few bytes it has
SCAN_HEADER = re.compile(rb"\xff\xda\x00[\x06\x08\x0a\x0c][\x01-\x04]")
MAX_REDUCTION = 4  # a JPEG's sides are divided by so much at most while it is decoded
HEIC_BRANDS = tuple(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1".split())
OTHERS = {  # first bytes of what people send by mistake
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"<svg": "SVG",
    b"<?xml": "XML or SVG",
    b"<!doctype html": "HTML",
    b"<html": "HTML",
}
T = Image.Transpose
TRANSPOSES = {
    2: T.FLIP_LEFT_RIGHT,
    3: T.ROTATE_180,
    4: T.FLIP_TOP_BOTTOM,
    5: T.TRANSPOSE,
    6: T.ROTATE_270,
    7: T.TRANSVERSE,
    8: T.ROTATE_90,
}  # the transpose that sets a picture upright, by its EXIF orientation


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """The first frame of `data`, set upright by its EXIF orientation, alpha over white, as 8-bit RGB.

    A JPEG of more than `max_pixels` pixels is decoded at a half or a quarter of its sides, if that is small enough.
    Raises `UnsupportedPicture` (415) if the bytes are no allowed format, and `Unprocessable` (422) if they are empty,
    damaged or have more than `max_pixels` pixels; the size is checked before anything is decoded.
    """
    if not data.strip(b"\0"):
        raise Unprocessable(
            "The picture is empty: no bytes arrived, or only zeros. Send the whole file.", field="image"
        ).coded("picture_empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about damaged EXIF and the like; we check the size ourselves below
        picture = _open(data)
        _reduce(picture, max_pixels)
        _check_size(picture.size, max_pixels)
        if picture.format in ("JPEG", "MPO"):
            _check_scans(data)
        try:
            if picture.format == "PNG":
                _open(data).verify()  # checksums, which loading ignores
            picture.load()
            return _flatten(_upright(picture))
        except MemoryError:
            raise
        except Exception as error:
            raise Unprocessable(
                f"This {picture.format} cannot be decoded ({_reason(error)}). Save it anew and send it whole.",
                field="image",
            ).coded("picture_damaged", format=str(picture.format)) from error


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        if data.startswith(SIGNATURES[0]):  # not by Pillow's factory: of several pictures in one file, use the first
            return JpegImagePlugin.JpegImageFile(io.BytesIO(data))
        if _is_heic(data) and _can_read_heic():
            return Image.open(io.BytesIO(data), formats=["HEIF"])
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except MemoryError:
        raise
    except UnidentifiedImageError as error:
        if _has_known_signature(data):
            problem = Unprocessable("The picture's header is damaged or cut off. Save it anew.", field="image")
            raise problem.coded("picture_header") from error
        raise _unsupported(data) from error
    except Exception as error:
        raise Unprocessable(
            f"The picture's header is damaged or beyond the limits ({_reason(error)}). Save it anew.", field="image"
        ).coded("picture_header") from error


def _unsupported(data: bytes) -> UnsupportedPicture:
    """Why bytes of no allowed format are refused; formats that are often sent are named."""
    if _is_heic(data):
        return UnsupportedPicture(
            f"This is a HEIC picture, as many phones save them. Save it as one of: {ALLOWED}. Or install pillow-heif "
            "where Gradoscope runs (pip install 'gradoscope[heic]'): with it HEIC is read too.",
            field="image",
        ).coded("picture_heic", allowed=ALLOWED)
    start = data[:16].lstrip()
    name = next((name for first, name in OTHERS.items() if start.lower().startswith(first.lower())), None)
    if name is None:
        detail = f"These bytes are not a picture of an allowed format. Send one of: {ALLOWED}."
        return UnsupportedPicture(detail, field="image").coded("picture_unknown", allowed=ALLOWED)
    detail = f"This is a file of {name}, not a picture of an allowed format. Send one of: {ALLOWED}."
    return UnsupportedPicture(detail, field="image").coded("picture_other", format=name, allowed=ALLOWED)


def _brands(data: bytes) -> bytes:
    """The brands of a file in the ISO base media format, as HEIC and AVIF are; they differ only in these."""
    return data[8 : min(int.from_bytes(data[:4], "big"), 256)] if data[4:8] == b"ftyp" else b""


def _is_heic(data: bytes) -> bool:
    brands = _brands(data)
    return any(brand in brands for brand in HEIC_BRANDS) and b"avif" not in brands and b"avis" not in brands


@cache
def _can_read_heic() -> bool:
    """Whether pillow-heif is installed; if so, Pillow knows it from now on."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.options.DECODE_THREADS = 1  # each takes address space, which is limited
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def reduction(data: bytes, max_pixels: int) -> int:
    """By how much the sides of the picture in `data` are divided when it is decoded: 1, 2 or 4. Reads its header."""
    return _reduction(_open(data), max_pixels)


def _reduction(picture: ImageFile.ImageFile, max_pixels: int) -> int:
    width, height = picture.size
    reduction = 1
    while reduction <= MAX_REDUCTION and -(-width // reduction) * -(-height // reduction) > max_pixels:
        reduction *= 2
    fits = picture.format == "JPEG" and reduction <= MAX_REDUCTION and max(width, height) <= MAX_SIDE
    return reduction if fits else 1


def _reduce(picture: ImageFile.ImageFile, max_pixels: int) -> None:
    """Have a JPEG that is too large decoded smaller, which its format can do; others stay as they are."""
    if (reduction := _reduction(picture, max_pixels)) > 1:
        picture.draft(None, (picture.width // reduction, picture.height // reduction))


def _has_known_signature(data: bytes) -> bool:
    """Whether the first bytes belong to an allowed format."""
    return (
        data.startswith(SIGNATURES)
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or any(brand in _brands(data) for brand in (b"avif", b"avis"))
        or (_is_heic(data) and _can_read_heic())
    )


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise Unprocessable(f"The picture is {width}×{height} pixels: it has no pixels to explain.", field="image")
    if max(width, height) > MAX_SIDE:
        raise Unprocessable(
            f"The picture is {width}×{height} pixels; a side may have {MAX_SIDE:,}. Scale it down or cut it.",
            field="image",
        ).coded("picture_side", width=width, height=height, limit=MAX_SIDE)
    if width * height > max_pixels:
        raise Unprocessable(
            f"It has {width}×{height} = {width * height:,} pixels; the limit is {max_pixels:,}. Scale it down.",
            field="image",
        ).coded("picture_pixels", width=width, height=height, pixels=width * height, limit=max_pixels)


def _check_scans(data: bytes) -> None:
    scans = len(SCAN_HEADER.findall(data))
    if scans > MAX_SCANS:
        raise Unprocessable(
            f"This JPEG has {scans:,} scans; the limit is {MAX_SCANS}, a usual one has ten. Save it anew.",
            field="image",
        )


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0][:120]


def _upright(picture: Image.Image) -> Image.Image:
    try:
        transpose = TRANSPOSES.get(picture.getexif().get(0x0112, 1))
    except MemoryError:
        raise
    except Exception:
        return picture  # damaged EXIF says nothing about the orientation; the pixels are still valid
    return picture if transpose is None else picture.transpose(transpose)


def _flatten(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_deep_grey(picture)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _from_deep_grey(picture: Image.Image) -> Image.Image:
    """Convert 16-bit grey. Pillow's own conversion clips at 255, so the values are divided."""
    return picture.convert("I").point([(value + 128) // 257 for value in range(65536)], "L").convert("RGB")


ImageFile.LOAD_TRUNCATED_IMAGES = False  # a truncated picture is refused, not filled with grey
Image.MAX_IMAGE_PIXELS = None  # replaced by _check_size, which has one limit and one message
