"""The docs site: it builds without a warning, holds a page for each method and setting, and fetches nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from gradoscope.attribution.methods.base import methods
from gradoscope.settings import Settings

from tests.support.paths import ROOT

pytestmark = pytest.mark.slow  # builds the whole site
FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
HARMLESS = {"canonical", "prev", "next"}  # links of a head that no browser fetches


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "_pages" / "build.py", folder],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]  # a warning fails it too
    return folder


class Links(HTMLParser):
    """What a browser would fetch for a page."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        if tag in FETCHED and said.get(FETCHED[tag]) and said.get("rel") not in HARMLESS:
            self.found.append(said[FETCHED[tag]])


def test_each_method_has_a_page_with_its_picture_and_parameters(site):
    for id, method in methods().items():
        page = (site / "methods" / f"{id}.html").read_text("utf-8")
        assert method.paper.url in page
        assert (f"_images/{id}.webp" in page) is not method.transformers_only
        assert ("No picture: the weights that are installed are a CNN" in page) is method.transformers_only
        for name in method.Parameters.model_fields:
            assert f">{name}</span>" in page
    shown: dict[bytes, set[str]] = {}
    for id in (id for id, method in methods().items() if not method.transformers_only):
        shown.setdefault((site / "_images" / f"{id}.webp").read_bytes(), set()).add(id)
    # Each shows a map of its own, but for four that are the same function where average pooling and one linear layer
    # follow the feature map: the gradient is the same everywhere in a channel.
    assert [same for same in shown.values() if len(same) > 1] == [{"grad_cam", "hires_cam", "xgrad_cam", "shapley_cam"}]


def test_settings_rest_and_command_line_are_complete(site):
    settings = (site / "settings.html").read_text("utf-8")
    for name in Settings.model_fields:
        assert f"GRADOSCOPE_{name.upper()}" in settings
    rest = (site / "rest.html").read_text("utf-8")
    for call in ("POST /api/v1/explanations", "GET /readyz", "DELETE /api/v1/explanations/{id}"):
        assert f"{call}<" in rest
    commands = (site / "command-line.html").read_text("utf-8")
    for command in ("serve", "explain", "methods", "models pull", "models check"):
        assert f"gradoscope {command}<" in commands


def test_nothing_is_fetched_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        for link in Links(page.read_text("utf-8")).found:
            assert not re.match(r"(https?:)?//", link), f"{page.name}: {link}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text("utf-8")), style.name
