"""Words of the pages, static/texts/<language>/*.json: flat keys → text with {names}; and who gets which language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response
from markupsafe import Markup, escape

from ..contract.texts import FALLBACK, NAME, texts, workbench_keys

# Code in the query, the cookie and the folder's name: the tag for `lang`, and what the language calls itself.
LANGUAGES: Mapping[str, tuple[str, str]] = MappingProxyType({"en": ("en", "English"), "zh": ("zh-Hans", "中文")})
COOKIE = "gradoscope-language"
COOKIE_SECONDS = 365 * 86400
VARY = "Accept-Language, Cookie"


def translator(language: str) -> Callable[..., Markup]:
    """t(key, **values) of a language: the text as HTML, its {names} filled in; both escaped, but for `Markup` values.

    Raises `KeyError` for a key or a name without a text: a raw key is never shown.
    """
    known = texts(language)

    def t(key: str, /, **values: object) -> Markup:
        return Markup(NAME.sub(lambda name: escape(values[name[1]]), str(escape(known[key]))))

    return t


def script_texts(language: str, *prefixes: str, also: Collection[str] = ()) -> Markup:
    """The texts whose keys begin with one of `prefixes` or are in `also`, as a JSON block for the page's scripts."""
    chosen = {key: text for key, text in texts(language).items() if key.startswith(prefixes) or key in also}
    data = json.dumps(chosen, ensure_ascii=False).replace("<", "\\u003c")  # nothing in it can end the element
    return Markup(f'<script type="application/json" id="texts">{data}</script>')


def choose(query: str | None, cookie: str | None, header: str | None) -> str:
    """A visitor's language: as the address asks, else as remembered, else as the browser prefers, else English."""
    for asked in (query, cookie):
        if asked is not None and asked in LANGUAGES:
            return asked
    return preferred(header or "") or FALLBACK


def preferred(header: str) -> str | None:
    """The language of ours that an Accept-Language header weighs most; the first of equals.

    A range matches by its primary subtag: zh-CN, zh-Hans and zh-Hant-TW are zh, for whoever reads Chinese at all is
    better served so than with English. q=0 excludes; a malformed range counts for nothing.
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
    """The weight that `;q=0.8` gives; None where it is none."""
    if not parameter.strip():
        return 1.0
    found = re.fullmatch(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", parameter, re.IGNORECASE)
    return float(found[1]) if found else None


def language_of(request: Request) -> str:
    return choose(request.query_params.get("lang"), request.cookies.get(COOKIE), request.headers.get("accept-language"))


def context(request: Request) -> dict[str, Any]:
    """What templates get to speak a visitor's language; for `Jinja2Templates(context_processors=…)`."""
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


def remember(request: Request, response: Response) -> None:
    """Says on what the language hangs, and keeps the one that the address asks for."""
    response.headers["vary"] = VARY
    asked = request.query_params.get("lang")
    if asked is not None and asked in LANGUAGES:
        response.set_cookie(COOKIE, asked, max_age=COOKIE_SECONDS, samesite="lax")
