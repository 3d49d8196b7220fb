"""Figures and what a notebook shows: both show values, and never take a name from outside for HTML or a formula."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import numpy as np
import pytest
from gradoscope import Explanation
from gradoscope.client import figures
from gradoscope.client.results import InMemoryParts
from gradoscope.contract.arrays import npy
from gradoscope.contract.problems import NotFound, Refused, Unprocessable
from gradoscope.contract.records import Explanation as Record
from gradoscope.images.palettes import palettes
from gradoscope.images.render import scale_of
from PIL import Image

from tests.support.nets import png

EVIL = '<script>alert("1")</script> $x_$'


def picture(side=8):
    return png(Image.new("RGB", (side, side), (200, 100, 50)))


def panel(id, method, values, **more):
    return {
        "id": id, "status": "done", "model": EVIL, "method": method, "target": {"index": 1, "label": EVIL},
        "against": None, "parameters": {}, "shape": list(values.shape), "statistics": None, "diagnostics": {},
        "seconds": 0.1, "from_store": False, "urls": {"npy": None, "png": None}, "problem": None, **more,
    }  # fmt: skip


@pytest.fixture
def made():
    """Four panels, of which one is refused and one is zero everywhere, with evil names wherever one may be."""
    signed = np.linspace(-1, 2, 3 * 64, dtype=np.float32).reshape(3, 8, 8)
    zero = np.zeros((1, 8, 8), np.float32)
    best = {"index": 1, "label": EVIL, "probability": 0.5, "logit": 1.0}
    seen = {"model": EVIL, "size": [8, 8], "fit": "crop", "crop": [0, 0, 8, 8], "url": "", "predictions": [best]}
    complete = {"completeness": {"expected": 1.0, "attributed": 1.05, "relative_error": 0.05}}
    record = {
        "id": "x" * 32, "url": f"/e/{EVIL}", "status": "done", "seed": 0, "score": EVIL, "seconds": 1.0, "versions": {},
        "image": {"width": 8, "height": 8}, "inputs": [seen],
        "panels": [
            panel("p1", "signed", signed, diagnostics=complete),
            panel("p2", "zero", zero, against={"index": 0, "label": EVIL}),
            panel("p3", "refused", zero, status="refused", shape=None, problem=Refused(EVIL).to_dict()),
            panel("p4", "gone", signed, target={"index": 2, "label": "two"}),
        ],
    }  # fmt: skip
    parts = {"image": picture(), f"input:{EVIL}": picture(), "panel:p1": npy(signed), "panel:p2": npy(zero)}
    return Explanation(Record.model_validate(record), InMemoryParts(parts, {"signed": EVIL}, "http://there"))


class Reader(HTMLParser):
    """The tags, and what the pictures are."""

    def __init__(self):
        super().__init__()
        self.tags, self.pictures = set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "img":
            self.pictures.append(dict(attributes)["src"])


def without(made, *ids):
    kept = made.record.model_copy(update={"panels": [p for p in made.record.panels if p.id not in ids]})
    return Explanation(kept, made.parts)


def test_a_notebook_shows_pictures_and_no_stranger_html(made):
    shown = without(made, "p4")._repr_html_()
    reader = Reader()
    reader.feed(shown)
    assert reader.tags == {"div", "figure", "figcaption", "img", "b", "br", "a"}
    assert len(reader.pictures) == 3  # what the model saw, and two maps
    assert all(source.startswith("data:image/png;base64,") for source in reader.pictures)
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "completeness +5.0%" in shown
    assert "&quot;1&quot;" in shown


def test_a_panel_shows_its_map(made):
    with Image.open(io.BytesIO(made["signed"]._repr_png_())) as image:
        assert image.size == (176, 176)
    assert made["refused"]._repr_png_() is None
    assert "p3 refused" in repr(made["refused"])
    assert "8×8" in repr(made["zero"])
    assert "3 of 4 maps" in repr(made)


def test_panels_are_found(made):
    assert len(made) == 4
    assert made[0] is made["signed"] is made.panel(method="signed", model=EVIL, target=1)
    assert made.panel(target=2).id == "p4"
    assert [p.id for p in made[1:3]] == ["p2", "p3"]
    with pytest.raises(KeyError, match="no panels are of method other; there are: <Panel p1"):
        made["other"]
    with pytest.raises(KeyError, match="3 panels are of target 1"):
        made.panel(target=1)
    with pytest.raises(IndexError):
        made[4]


def test_values_are_reduced(made):
    values = made["signed"].values
    np.testing.assert_allclose(made["signed"].reduce("sum"), values.sum(0))
    np.testing.assert_allclose(made["signed"].reduce(), np.abs(values).sum(0))
    np.testing.assert_allclose(made["signed"].reduce("max"), np.abs(values).max(0))
    assert made["signed"].values is values
    with pytest.raises(Refused):
        _ = made["refused"].values
    with pytest.raises(NotFound, match="panel p4"):
        _ = made["gone"].values


@pytest.mark.parametrize(("reduce", "palette"), [("abs", "inferno"), ("sum", "blue_orange"), ("max", "viridis")])
def test_a_figure_has_a_bar_with_numbers(made, reduce, palette):
    figure = made["signed"].figure(reduce=reduce, palette=None if reduce != "max" else palette, percentile=90)
    axes, bar = figure.axes
    scale = scale_of(made["signed"].reduce(reduce), palette, percentile=90, signed=reduce == "sum")
    low, high = bar.get_ylim()
    assert (low, high) == pytest.approx((scale.low, scale.high))
    assert (low == -high) == (reduce == "sum")
    labels = [float(label.get_text()) for label in bar.get_yticklabels()]
    assert labels == pytest.approx(np.linspace(low, high, 5), rel=0.06)
    shown = axes.get_images()[0].get_array()
    assert {tuple(pixel) for pixel in shown.reshape(-1, 3)} <= {tuple(colour) for colour in palettes()[palette]}
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_figure_of_all_maps(made):
    figure = without(made, "p4").figure(reduce="sum")
    figure._repr_png_()  # draws its text too: what is between dollar signs is no formula
    assert len(figure.axes) == 4 + 2  # input, three panels, two bars
    assert [label.get_text() for label in figure.axes[-1].get_yticklabels()] == ["0"]
    with pytest.raises(Unprocessable, match="no «jet»"):
        made.figure(palette="jet")


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    import importlib
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    with pytest.raises(ImportError, match=r"gradoscope\[notebook\]"):
        importlib.reload(figures)
