"""The pages' texts: every language has the same, all of them are used; and which language a visitor gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.metrics.base import metrics
from gradoscope.pipeline.presentation import KINDS, presentations
from gradoscope.pipeline.texts import parts
from gradoscope.web import texts
from gradoscope.web.texts import (
    LANGUAGES,
    choose_language,
    preferred_language,
    script_texts,
    translator,
    workbench_keys,
)
from jinja2 import nodes
from markupsafe import Markup

from tests.support.paths import ROOT

ENGLISH = texts.texts("en")
NAMES = re.compile(r"\{(\w+)\}")


# The files


def test_every_folder_is_a_language() -> None:
    assert {folder.name for folder in (ROOT / "static" / "texts").iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_languages_have_the_same_texts(language: str) -> None:
    translated = texts.texts(language)
    assert translated.keys() == ENGLISH.keys()
    assert all(isinstance(text, str) and text.strip() for text in translated.values())
    names = {key: set(NAMES.findall(text)) for key, text in translated.items()}
    assert names == {key: set(NAMES.findall(text)) for key, text in ENGLISH.items()}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_languages_have_the_same_files(language: str) -> None:
    def keys(code: str) -> dict[str, list[str]]:
        shared = {file.name: file for file in (ROOT / "static" / "texts" / code).glob("*.json")}
        plugins = {f"{kind}/{id}": one for kind in KINDS for id, one in presentations(kind).items()}
        files = shared | {place: one.folder / "texts" / f"{code}.json" for place, one in plugins.items() if one.folder}
        return {name: list(json.loads(file.read_text("utf-8"))) for name, file in files.items()}

    assert keys(language) == keys("en"), "the order too, so that two languages can be read beside each other"


def test_a_key_in_two_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "texts" / "xx"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text('{"page.title": "A"}')
    (folder / "b.json").write_text('{"page.other": "B"}')
    monkeypatch.setattr("gradoscope.pipeline.texts.shipped", lambda name: tmp_path)
    monkeypatch.setattr("gradoscope.pipeline.texts.presentations", lambda kind: {})
    monkeypatch.setattr("gradoscope.pipeline.texts.experiments", dict)
    monkeypatch.setattr("gradoscope.pipeline.texts.parts", parts.__wrapped__)
    assert dict(texts.texts.__wrapped__("xx")) == {"page.title": "A", "page.other": "B"}
    (folder / "b.json").write_text('{"page.title": "B"}')
    with pytest.raises(ValueError, match=r"page\.title"):
        texts.texts.__wrapped__("xx")
    (folder / "b.json").write_text('{"page.b": "B", "page.b": "C"}')
    with pytest.raises(ValueError, match=r"page\.b"):
        texts.texts.__wrapped__("xx")


def test_english_texts_are_those_that_the_methods_declare() -> None:
    for id, method in methods().items():
        assert ENGLISH[f"catalogue.summary.{id}"] == method.summary
        for name, field in method.Parameters.model_json_schema()["properties"].items():
            assert ENGLISH[f"learn.parameter.{id}.{name}"] == field["description"]
            assert ENGLISH[f"catalogue.parameter.{name}"] == field["title"]
            assert all(f"catalogue.choice.{value}" in ENGLISH for value in field.get("enum", ()))


def test_english_texts_are_those_that_the_metrics_declare() -> None:
    for id, metric in metrics().items():
        assert ENGLISH[f"trust.metric.{id}"] == metric.title
        assert ENGLISH[f"trust.summary.{id}"] == metric.summary
        for name, field in metric.Parameters.model_json_schema()["properties"].items():
            assert ENGLISH[f"trust.setting.{name}"] == field["title"]
            assert ENGLISH[f"trust.setting.{id}.{name}"] == field["description"]
            assert all(f"catalogue.choice.{value}" in ENGLISH for value in field.get("enum", ()))


# Every text is used, and every text used is there


def _pattern(node: nodes.Node) -> str:
    """The keys that an expression of a template may mean, as a regular expression."""
    if isinstance(node, nodes.Const):
        return re.escape(str(node.value))
    if isinstance(node, nodes.Concat):
        return "".join(map(_pattern, node.nodes))
    if isinstance(node, nodes.CondExpr):
        assert node.expr2 is not None
        return f"(?:{_pattern(node.expr1)}|{_pattern(node.expr2)})"
    return r"[\w.]+"


def _template_patterns() -> Iterator[str]:
    environment = jinja2.Environment()
    for file in sorted(
        [*(ROOT / "templates").rglob("*.html"), *PLUGINS.glob("*/*/templates/*.html"), *LAB.glob("*/templates/*.html")]
    ):
        tree = environment.parse(file.read_text("utf-8"))
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in ("t", "has_text"):
                yield _pattern(call.args[0])
            elif isinstance(call.node, nodes.Getattr) and call.node.attr == "words":  # either of two keys
                yield from map(_pattern, call.args[:2])


SCRIPTS = ROOT / "static" / "js"
PLUGINS = ROOT / "app" / "attribution"
LAB = ROOT / "app" / "lab" / "experiments"
FIGURES = {kind: sorted((PLUGINS / kind).glob("*/static/*.js")) for kind in ("methods", "metrics")}
KEY = re.compile(r"[a-z]\w*(?:\.\w+)+")


def _argument(source: str, start: int) -> str:
    """From `start` to where the first argument of a call ends."""
    depth = 0
    for place in range(start, len(source)):
        depth += {"(": 1, "{": 1, "[": 1, ")": -1, "}": -1, "]": -1}.get(source[place], 0)
        if depth < 0 or (depth == 0 and source[place] == ","):
            return source[start:place]
    raise AssertionError(source[start : start + 80])


def _asked_by(file: Path) -> Iterator[str]:
    """What a script asks of the texts, as regular expressions: literals, and templates with anything for ${…}."""
    source = file.read_text("utf-8")
    for call in re.finditer(r"\b(?:t|pieces)\(", source):
        argument = _argument(source, call.end())
        yield from (re.escape(key) for key in re.findall(r'"([^"]*)"', argument) if KEY.fullmatch(key))
        for template in re.findall(r"`([^`]*)`", argument):
            yield r"\w+".join(map(re.escape, re.split(r"\$\{[^}]*\}", template)))


def _named_in(file: Path) -> set[str]:
    """Keys that are string literals in a script, such as those of a menu, and those of `textOr`, which are optional."""
    source = file.read_text("utf-8")
    optional = (
        re.sub(r"\\\$\\\{[^}]*\}", r"\\w+", re.escape(key)) for key in re.findall(r"\btextOr\(`([^`]*)`", source)
    )
    literals = (re.escape(text) for text in re.findall(r'"([^"\n]*)"', source) if text in ENGLISH)
    return {*optional, *literals}


def _reached_from(*entries: Path) -> set[Path]:
    """The scripts that a page loads: what its entries import, and what those do."""
    reached: set[Path] = set()
    waiting = list(entries)
    while waiting:
        file = waiting.pop()
        if file not in reached:
            reached.add(file)
            found = re.findall(r"""(?:from|import\()\s*["'](\.[^"']+)["']""", file.read_text("utf-8"))
            waiting += [(_served(file) / name).resolve() for name in found]
    return reached


def _served(script: Path) -> Path:
    """The folder of a script, as its address has it: what plug-ins bring is at static/plugins/KIND/ID/."""
    if not script.is_relative_to(PLUGINS):
        return script.parent
    kind, id, *_ = script.relative_to(PLUGINS).parts
    return ROOT / "static" / "plugins" / kind / id


def _script_patterns() -> Iterator[str]:
    for file in sorted([*SCRIPTS.rglob("*.js"), *FIGURES["methods"], *FIGURES["metrics"]]):
        yield from _asked_by(file)
        yield from _named_in(file)


SENTENCES = r"trust\.finding\.\w+"  # of app/pipeline/findings.py: tests/pipeline/test_findings.py compares the two
ONLY_OF_PLUGINS = {r"learn\.parameter\.\w+\.\w+\.title", r"trust\.setting\.\w+\.\w+\.title"}  # no shipped one has these
CALLS = r"api\.(?:call|tag)\.\w+"  # of app/web/openapi.py: tests/web/test_openapi.py compares the two
PATTERNS = sorted({*_template_patterns(), *_script_patterns(), SENTENCES, CALLS})


def test_every_text_is_used() -> None:
    unused = [key for key in ENGLISH if not any(re.fullmatch(pattern, key) for pattern in PATTERNS)]
    assert unused == []


def test_every_text_used_is_there() -> None:
    needed = [pattern for pattern in PATTERNS if pattern not in ONLY_OF_PLUGINS]
    missing = [pattern for pattern in needed if not any(re.fullmatch(pattern, key) for key in ENGLISH)]
    assert missing == []


def _block_of(template: str) -> set[str]:
    """The keys that a page hands to its scripts."""
    page = (ROOT / "templates" / template).read_text("utf-8")
    kind, arguments = re.findall(r"(script|workbench)_texts\((.*?)\)", page)[0]
    prefixes = tuple(re.findall(r"'([\w.]+)'", arguments))
    return {key for key in ENGLISH if key.startswith(prefixes) or (kind == "workbench" and key in workbench_keys())}


@pytest.mark.parametrize(
    ("template", "entry", "figures"),
    [
        ("methods.html", "methods/main.js", FIGURES["methods"]),
        ("trust.html", "metrics/guide.js", []),
        ("lab.html", "lab/list.js", []),
        ("experiment.html", "lab/main.js", []),
        ("run.html", "lab/run.js", []),
        ("index.html", "page/main.js", FIGURES["metrics"]),
    ],
)
def test_scripts_get_the_texts_they_ask_for(template: str, entry: str, figures: list[Path]) -> None:
    block = _block_of(template)
    reached = _reached_from(SCRIPTS / entry, *figures)
    asked = {pattern for file in reached for pattern in _asked_by(file)}
    assert asked
    for name in {name for file in reached for name in re.findall(r'\baddTexts\("(\w+)"', file.read_text("utf-8"))}:
        block |= _keys_in(name)
    assert {pattern for pattern in asked if not any(re.fullmatch(pattern, key) for key in block)} == set()


def _keys_in(name: str) -> set[str]:
    """The keys of a part of the texts that a script fetches when it is wanted."""
    return set(parts("en")[name])


def test_web_workers_load_no_texts() -> None:
    assert SCRIPTS / "shared" / "texts.js" not in _reached_from(SCRIPTS / "arrays" / "worker.js")


def test_english_titles_are_those_that_the_methods_declare() -> None:
    assert {id: ENGLISH[f"method.{id}"] for id in methods()} == {id: method.title for id, method in methods().items()}


# Filling in


def test_values_are_escaped_but_for_markup() -> None:
    t = translator("en")
    text = t("learn.seen", sample="<b>", label=Markup('<span lang="en">cat</span>'), probability=1, logit="&")
    assert "&lt;b&gt;" in text
    assert '<span lang="en">cat</span>' in text
    assert "&amp;" in text


def test_what_is_missing_is_never_shown() -> None:
    t = translator("en")
    with pytest.raises(KeyError):
        t("learn.no_such_text")
    with pytest.raises(KeyError):
        t("learn.seen", sample="cat")


def test_a_text_cannot_close_the_script_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "texts", lambda language: {"a.x": "</script><script>alert(1)", "b.y": "no"})
    block = script_texts("en", "a.")
    assert block.count("<") == 2
    assert json.loads(block.partition(">")[2].rpartition("<")[0]) == {"a.x": "</script><script>alert(1)"}


# Which language


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh", "zh"),
        ("zh-Hans", "zh"),
        ("ZH-hans-CN", "zh"),
        ("zh-TW", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de-DE,de;q=0.9,zh;q=0.5,en;q=0.3", "zh"),
        ("en;q=0.4, zh ; q=0.7", "zh"),
        ("en;q=0.5,zh;q=0.5", "en"),
        ("zh;q=0.5,en;q=0.5", "zh"),
        ("zh;q=0", None),
        ("zh;q=0,en", "en"),
        ("zh;q=2,en;q=0.1", "en"),
        ("zh;q=x", None),
        ("zh;level=1", None),
        ("fr,de", None),
        ("*", None),
        (",;q=,;;", None),
        ("zhx", None),
    ],
)
def test_accept_language(header: str, expected: str | None) -> None:
    assert preferred_language(header) == expected


@pytest.mark.parametrize(
    ("query", "cookie", "header", "expected"),
    [
        ("zh", "en", "en", "zh"),
        (None, "zh", "en", "zh"),
        ("xx", "zh", "en", "zh"),
        ("", "../en", "zh", "zh"),
        (None, None, None, "en"),
        (None, None, "fr", "en"),
    ],
)
def test_the_address_decides_before_the_cookie_and_the_browser(
    query: str | None, cookie: str | None, header: str | None, expected: str
) -> None:
    assert choose_language(query, cookie, header) == expected
