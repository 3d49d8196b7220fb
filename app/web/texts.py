"""Texts of the pages, static/texts/<language>/*.json: flat keys → text with {names}; and the choice of language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response
from markupsafe import Markup, escape

from ..pipeline.presentation import FALLBACK
from ..pipeline.texts import PLACEHOLDER, parts, texts, workbench_keys

# Code in query, cookie and folder name → tag for the attribute `lang`, and the language's own name.
LANGUAGES: Mapping[str, tuple[str, str]] = MappingProxyType({"en": ("en", "English"), "zh": ("zh-Hans", "中文")})
COOKIE = "gradoscope-language"
COOKIE_SECONDS = 365 * 86400
VARY = "Accept-Language, Cookie"


def translator(language: str) -> Callable[..., Markup]:
    """The function t(key, **values) of a language: the text as HTML with its {names} filled in. Text and values are
    escaped, except `Markup` values.

    t raises `KeyError` for an unknown key or a missing value: a raw key is never shown.
    """
    known = texts(language)

    def t(key: str, /, **values: object) -> Markup:
        return Markup(PLACEHOLDER.sub(lambda name: escape(values[name[1]]), str(escape(known[key]))))

    return t


def script_texts(language: str, *prefixes: str, also: Collection[str] = ()) -> Markup:
    """The texts whose keys begin with one of `prefixes` or are in `also`, as a JSON block for the page's scripts."""
    chosen = {key: text for key, text in texts(language).items() if key.startswith(prefixes) or key in also}
    data = json.dumps(chosen, ensure_ascii=False).replace("<", "\\u003c")  # nothing in it can end the element
    return Markup(f'<script type="application/json" id="texts">{data}</script>')


def files_for_scripts() -> dict[str, bytes]:
    """The parts of the texts that scripts fetch, plug-ins' included, by their paths below /static."""
    return {
        f"texts/{language}/{part}.json": json.dumps(dict(words), ensure_ascii=False).encode()
        for language in LANGUAGES
        for part, words in parts(language).items()
    }


def choose_language(query: str | None, cookie: str | None, header: str | None) -> str:
    """A visitor's language: from the URL's query, else the cookie, else the browser's preference, else English."""
    for code in (query, cookie):
        if code is not None and code in LANGUAGES:
            return code
    return preferred_language(header or "") or FALLBACK


def preferred_language(header: str) -> str | None:
    """The available language with the highest weight in an Accept-Language header; the first of equals.

    Only the primary subtag counts: zh-CN, zh-Hans and zh-Hant-TW all mean zh, because a reader of any Chinese is better
    served by it than by English. q=0 excludes a language; malformed entries are ignored.
    """
    weights: dict[str, float] = {}
    for part in header.split(","):
        tag, _, parameter = part.partition(";")
        code = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if code in LANGUAGES and weight is not None:
            weights[code] = max(weight, weights.get(code, 0))
    best = max(weights, key=lambda code: weights[code], default=None)
    return best if best is not None and weights[best] > 0 else None


def _weight(parameter: str) -> float | None:
    """The weight in `;q=0.8`; None if it is malformed."""
    if not parameter.strip():
        return 1.0
    found = re.fullmatch(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", parameter, re.IGNORECASE)
    return float(found[1]) if found else None


def language_of(request: Request) -> str:
    return choose_language(
        request.query_params.get("lang"), request.cookies.get(COOKIE), request.headers.get("accept-language")
    )


def context(request: Request) -> dict[str, Any]:
    """Variables for templates in the visitor's language; for `Jinja2Templates(context_processors=…)`."""
    language = language_of(request)
    return {
        "language": language,
        "language_tag": LANGUAGES[language][0],
        "languages": LANGUAGES,
        "t": translator(language),
        "has_text": texts(language).__contains__,
        "script_texts": lambda *prefixes: script_texts(language, *prefixes),
        "workbench_texts": lambda *prefixes: script_texts(language, *prefixes, also=workbench_keys()),
    }


def set_language_headers(request: Request, response: Response) -> None:
    """Set the Vary header, and store the language of the URL's query in a cookie."""
    response.headers["vary"] = VARY
    code = request.query_params.get("lang")
    if code is not None and code in LANGUAGES:
        response.set_cookie(COOKIE, code, max_age=COOKIE_SECONDS, samesite="lax")
