"""An address where nothing is: a page for browsers, a problem for everybody else."""

from __future__ import annotations

import pytest
from gradoscope.web import texts

from tests.support.web_server import serving

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def web_server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("lost")) as web_server:
        yield web_server


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
def test_a_browser_gets_a_page_of_the_product(web_server, language):
    with web_server.client() as client:
        answer = client.get("/nope/<b>", headers={"accept": BROWSER, "accept-language": language})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "Accept" in answer.headers["vary"]
    assert texts.texts(language)["lost.heading"] in answer.text
    assert "<b>" not in answer.text
    assert "&lt;b&gt;" in answer.text
    for path in ("/", "/methods", "/trust", "/docs"):
        assert f'href="{path}"' in answer.text


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/nope", "*/*"), ("/nope", "application/json"), ("/api/v1/nope", BROWSER), ("/static/nope.js", BROWSER)],
)
def test_others_get_a_problem(web_server, path, accept):
    with web_server.client() as client:
        answer = client.get(path, headers={"accept": accept})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Not found"
