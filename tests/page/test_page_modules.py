"""The page's pure modules, run in the browser that they are for."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, visiting
from tests.support.paths import ROOT

STATIC = ROOT / "static"


@pytest.fixture(scope="module")
def opened(browser: Browser, server_url: str) -> Iterator[Visit]:
    with visiting(browser, server_url) as visit:
        visit.open()
        yield visit


def npy(values: np.ndarray) -> str:
    out = io.BytesIO()
    np.save(out, values)
    return base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize("dtype", ["<f2", "<f4"])
@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 2, 2), (4, 4)])
def test_npy_is_read_as_numpy_writes_it(opened: Visit, dtype: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).normal(size=shape).astype(dtype)
    read = opened.page.evaluate(
        """async base64 => {
          const { parseNpy } = await import('/static/js/arrays/npy.js');
          const { shape, values } = parseNpy(Uint8Array.from(atob(base64), c => c.charCodeAt(0)).buffer, 4);
          return { shape, values: [...values] };
        }""",
        npy(values),
    )
    assert read["shape"] == list(shape)
    assert np.array_equal(np.array(read["values"], dtype=np.float32), values.astype(np.float32).ravel() * 4)


def test_half_precision_by_table(opened: Visit) -> None:
    """The table for browsers without Float16Array, over every finite half."""
    bits = np.arange(65536, dtype=np.uint16)
    expected = bits.view(np.float16).astype(np.float32)
    finite = np.isfinite(expected)
    got = opened.page.evaluate(
        """async bits => {
          const { halves } = await import('/static/js/arrays/float16.js');
          return [...halves(Uint16Array.from(bits))];
        }""",
        bits[finite].tolist(),
    )
    assert np.array_equal(np.array(got, dtype=np.float32), expected[finite])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_event_stream_in_pieces(opened: Visit, end: str, size: int) -> None:
    lines = [
        ": ping",
        "",
        "event: accepted",
        'data: {"a":',
        "data: 1}",
        "",
        "id: 4",
        "data:no space",
        "",
        "event: lost",
        "",
        "data: ü",
        "",
        "",
    ]
    events = opened.page.evaluate(
        """async ([text, size]) => {
          const { readEvents } = await import('/static/js/api/event-stream.js');
          const bytes = new TextEncoder().encode(text);
          const body = new ReadableStream({ start(controller) {
            for (let i = 0; i < bytes.length; i += size) controller.enqueue(bytes.slice(i, i + size));
            controller.close();
          } });
          const events = [];
          for await (const event of readEvents(body)) events.push(event);
          return events;
        }""",
        [end.join(lines) + ("x" if end == "\r" else ""), size],
    )
    assert events == [
        {"event": "accepted", "data": '{"a":\n1}'},
        {"event": "message", "data": "no space"},
        {"event": "message", "data": "ü"},
    ]


READ = """async ([shape, values, reduction, percentile, palette]) => {
  const { reduce } = await import('/static/js/rendering/reduction.js');
  const { scaleOf, paint } = await import('/static/js/rendering/colour.js');
  const { loadPalettes } = await import('/static/js/rendering/palettes.js');
  const { kind, colours } = (await loadPalettes())[palette];
  const map = reduce({ shape, values: Float32Array.from(values) }, reduction);
  const scale = scaleOf(map, percentile, { kind });
  const pixels = new Uint32Array(map.values.length);
  paint(map, scale, colours, pixels);
  const entries = [...pixels].map(pixel => [colours.indexOf(pixel), colours.lastIndexOf(pixel)]);
  return { reduced: [...map.values], scale, entries };
}"""


@pytest.mark.parametrize(
    ("reduction", "palette", "entry"),
    [("abs", "inferno", 0), ("max", "gray", 0), ("sum", "blue_orange", 128), ("sum", "viridis", 128)],
)
@pytest.mark.parametrize("constant", [0.0, -2.5])
def test_a_constant_map_takes_the_colour_of_zero(
    opened: Visit, reduction: str, palette: str, entry: int, constant: float
) -> None:
    read = opened.page.evaluate(READ, [[3, 2, 2], [constant] * 12, reduction, 99, palette])
    assert all(first <= entry <= last for first, last in read["entries"]), read


def test_reductions_and_clip_are_numpys(opened: Visit) -> None:
    values = np.random.default_rng(2).normal(size=(3, 9, 11)).astype(np.float32)
    expected = {"sum": values.sum(0), "abs": np.abs(values).sum(0), "max": np.abs(values).max(0)}
    for reduction, over in expected.items():
        for percentile in (80, 97.5, 99, 100):
            read = opened.page.evaluate(READ, [[3, 9, 11], values.ravel().tolist(), reduction, percentile, "gray"])
            assert np.allclose(read["reduced"], over.ravel(), rtol=1e-5, atol=1e-6)
            limit = np.percentile(np.abs(over), percentile)
            assert read["scale"]["high"] == pytest.approx(limit, rel=1e-5)
            assert read["scale"]["low"] == pytest.approx(-limit if reduction == "sum" else 0, rel=1e-5)
            low = read["scale"]["low"]
            place = np.clip((over.ravel() - low) / (limit - low) * 255, 0, 255)
            assert np.abs(place - [first for first, _ in read["entries"]]).max() <= 0.51


def test_a_sparse_map_is_not_clipped_to_nothing(opened: Visit) -> None:
    values = np.zeros((1, 20, 20))
    values[0, 3, 3] = 5
    read = opened.page.evaluate(READ, [[1, 20, 20], values.ravel().tolist(), "abs", 99, "gray"])
    assert read["scale"]["high"] == 5
    assert read["entries"][63] == [255, 255]


def test_palettes_are_whole_and_the_diverging_one_is_even() -> None:
    palettes = json.loads((STATIC / "palettes.json").read_text("utf-8"))
    colours = {
        name: np.frombuffer(bytes.fromhex(record["colours"]), np.uint8).reshape(256, 3)
        for name, record in palettes.items()
    }
    assert set(colours) == {"inferno", "viridis", "gray", "blue_orange"}
    diverging = colours["blue_orange"]
    for middle in (diverging[127], diverging[128]):
        assert len(set(middle.tolist())) == 1, "the middle is neutral"
    lab = oklab(diverging)
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    steps = np.convolve(np.delete(steps, 127), np.ones(8) / 8, "valid")  # over 8 entries: single ones round to 8 bits
    assert steps.max() / steps.min() < 1.2
    assert np.abs(lab[:128, 0] - lab[:127:-1, 0]).max() < 0.01, "both arms are equally light"


def oklab(rgb: np.ndarray) -> np.ndarray:
    srgb = rgb / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lms = (
        linear
        @ np.array(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ]
        ).T
    )
    return (
        np.cbrt(lms)
        @ np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        ).T
    )


def test_numbers_are_short_and_exact(opened: Visit) -> None:
    cases = {
        0: "0",
        50: "50",
        0.5: "0.500",
        9.0047: "9.00",
        -12.3456: "−12.3",
        1234.5: "1230",
        999.96: "1000",
        0.00012345: "1.23×10⁻⁴",
        -1e9: "−1.00×10⁹",
    }
    got = opened.page.evaluate(
        """async values => {
          const { number } = await import('/static/js/shared/format.js');
          return values.map(value => number(value));
        }""",
        list(cases),
    )
    assert got == list(cases.values())


def test_what_took_next_to_nothing_is_not_told_as_zero(opened: Visit) -> None:
    got = opened.page.evaluate(
        """async values => {
          const { factsOf } = await import('/static/js/shared/panel-facts.js');
          return values.map(seconds => factsOf({ seconds, diagnostics: {}, notes: [] }).map(fact => fact.text));
        }""",
        [0.0012, 0.0049, 0.0051, 0.42],
    )
    assert got == [["< 0.01 s"], ["< 0.01 s"], ["0.01 s"], ["0.42 s"]]


def test_a_picture_beyond_the_limits_is_scaled_down_before_it_is_sent(opened: Visit) -> None:
    """Others go as they are: what is small enough, and what this browser cannot read."""
    result = opened.page.evaluate(
        """async () => {
          const { fitUpload, originalSize, shrinkage } = await import('/static/js/picture/fit-upload.js');
          const canvas = new OffscreenCanvas(1200, 900);
          const pen = canvas.getContext('2d');
          const noise = pen.createImageData(1200, 900);
          for (let i = 0; i < noise.data.length; i += 65536) crypto.getRandomValues(noise.data.subarray(i, i + 65536));
          for (let i = 3; i < noise.data.length; i += 4) noise.data[i] = 255;
          pen.putImageData(noise, 0, 0);
          const file = new File([await canvas.convertToBlob({ type: 'image/png' })], 'a.png', { type: 'image/png' });
          const foreign = new File([new Uint8Array(file.size)], 'b.heic');
          const { dataset } = document.getElementById('file');
          const { maxPixels, maxBytes } = dataset;
          const kept = await fitUpload(file) === file;
          dataset.maxPixels = 300000;
          const small = await fitUpload(file);
          const image = await createImageBitmap(small);
          const unread = await fitUpload(foreign) === foreign;
          dataset.maxPixels = maxPixels;
          dataset.maxBytes = file.size - 1;
          const packed = await fitUpload(file);
          const whole = await createImageBitmap(packed);
          dataset.maxBytes = maxBytes;
          return {
            maxPixels, maxBytes, kept, unread, bytes: file.size, type: small.type, name: small.name,
            size: [image.width, image.height], from: originalSize(small), none: originalSize(file) ?? null,
            packed: packed.size < file.size && [whole.width, whole.height], shrinkage: shrinkage(400, 100, 10000),
          };
        }"""
    )
    assert result["bytes"] > 2**20
    assert (result["maxPixels"], result["maxBytes"]) == ("24000000", str(32 * 2**20))
    assert result["kept"]
    assert result["unread"]
    width, height = result["size"]
    assert 0.9 * 300_000 < width * height <= 300_000
    assert abs(width / height - 4 / 3) < 0.01
    assert (result["type"], result["name"], result["from"]) == ("image/jpeg", "a.png", {"width": 1200, "height": 900})
    assert result["none"] is None
    assert result["packed"] == [1200, 900]
    assert result["shrinkage"] == 0.5


def test_a_licence_is_shown_with_the_word_licence(opened: Visit) -> None:
    texts = opened.page.evaluate(
        """async () => {
          const { licenceText } = await import('/static/js/models/licence.js');
          return ['MIT', 'not stated', ''].map(licenceText);
        }"""
    )
    assert texts == ["Licence: MIT", "Licence: not stated", "Licence: not stated"]
