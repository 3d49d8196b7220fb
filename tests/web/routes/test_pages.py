"""The pages of the lab, as they come from the server: to be read without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from gradoscope.web import texts
from gradoscope.web.lab_pages import lab_pages, subscripts, whole_words

from tests.support.web_server import serving

IDS = [page.id for page in lab_pages()]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(tmp_path_factory.mktemp("pages") / "store") as web_server, web_server.client() as client:
        web_server.executor.has_catalogue = False  # so that the page of methods shows those that ship
        yield client


def read(client: httpx.Client, path: str, language: str) -> str:
    answer = client.get(path, params={"lang": language})
    assert answer.status_code == 200
    return unescape(answer.text)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
def test_the_lab_lists_its_questions(client: httpx.Client, language: str) -> None:
    html = read(client, "/lab", language)
    words = texts.texts(language)
    assert re.findall(r'<a href="/lab/(\w+)"', html) == ["run", *IDS]
    for id in IDS:
        assert unescape(whole_words(words[f"lab.{id}.question"])) in html
        assert words[f"lab.{id}.summary"] in html
    assert words["lab.page.thread"] in html
    assert html.count('<svg class="plot"') == len(IDS)


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
@pytest.mark.parametrize("id", IDS)
def test_an_experiment_can_be_read_without_a_script(client: httpx.Client, id: str, language: str) -> None:
    html = read(client, f"/lab/{id}", language)
    words = texts.texts(language)
    assert f"<h1>{words[f'lab.{id}.question']}</h1>" in html
    assert f"<title>{words[f'lab.{id}.question']}" in html
    assert f'<meta name="description" content="{words[f"lab.{id}.summary"]}">' in html
    assert "<math" in html
    assert "import torch" in html
    page = next(page for page in lab_pages() if page.id == id)
    assert all(paper["url"] in html for paper in page.papers)
    assert all(unescape(subscripts(words[f"lab.{id}.figure.{figure}"])) in html for figure in page.figures)


@pytest.mark.parametrize("id", IDS)
def test_a_page_has_the_words_of_its_own_experiment_alone(client: httpx.Client, id: str) -> None:
    html = client.get(f"/lab/{id}").text
    found = set(re.findall(r'"lab\.(\w+)\.', html.partition('id="texts">')[2]))
    assert found == {id, "page"}


@pytest.mark.parametrize("path", ["/", "/methods", "/trust", "/docs", "/lab"])
def test_pages_link_to_the_lab(client: httpx.Client, path: str) -> None:
    assert 'href="/lab"' in client.get(path).text


def test_an_experiment_that_is_not_there(client: httpx.Client) -> None:
    answer = client.get("/lab/none", params={"lang": "en"}, headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert "There is nothing at this address" in text_of(answer.text)
    assert client.get("/lab/none").json()["status"] == 404
