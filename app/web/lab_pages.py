"""Experiments of the lab as the HTML pages show them: their controls, and the files of their folders."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from ..lab.experiment import Experiment
from ..lab.registry import FOLDER, experiments
from ..pipeline.presentation import FALLBACK
from ..pipeline.texts import texts
from .formulas import in_parts

SLIDER_STEPS = 100  # about so many places has the slider of a number that is no whole one
LOG_RATIO = 1000  # a slider whose ends are further apart than this is logarithmic

Schema = Mapping[str, Any]
# A letter with an index, as texts write it: W_k, ∂s_T
HYPHENED = re.compile(r"[^\W_]+(?:-[^\W_]+)+[,.?!:;]?")
INDEXED = re.compile(r"(?<![A-Za-z0-9_])([A-Za-z])_([A-Za-z0-9])(?![A-Za-z0-9_])")
DERIVATIVE = re.compile(r"([‖|]?∂\w+/∂\w+[‖|]?|φ′\(\w\))", re.ASCII)


@dataclass(frozen=True)
class Control:
    """How one parameter is set. `kind`: number, switch, choice, text, numbers (a list), point (a pair), grid, values.

    `low` and `high` bound a number, or say how many numbers a list has. The `other` of a choice is the control of a
    number that may stand in the place of the choices. A grid has `low` to `high` rows, `columns` from and to; `cell`
    holds each number of a grid or a list to its bounds. A grid that `follows` other parameters has a size that they
    determine (NAME, or NAME=VALUE where only that one value matters).
    """

    name: str
    kind: str
    initial: Any
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False
    whole: bool = False
    step: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()
    length: int | None = None
    optional: bool = False  # may be None: switched off
    other: Control | None = field(default=None)
    columns: tuple[int, int | None] | None = None
    cell: Control | None = field(default=None)
    follows: tuple[str, ...] = ()

    @property
    def slides(self) -> bool:
        """Whether it has a slider beside its number."""
        return self.kind == "number" and self.low is not None and self.high is not None


@dataclass(frozen=True)
class LabPage:
    """One experiment on its page."""

    experiment: Experiment[Any]

    @property
    def id(self) -> str:
        return self.experiment.id

    @property
    def papers(self) -> list[dict[str, str]]:
        return [asdict(paper) for paper in self.experiment.papers]

    @property
    def controls(self) -> list[Control]:
        return controls(self.experiment.parameters.model_json_schema())

    @property
    def tries(self) -> list[str]:
        return [each.id for each in self.experiment.tries]

    @property
    def figures(self) -> list[str]:
        """The ids of its figures, in the order of their words."""
        start = f"lab.{self.id}.figure."
        return [key.removeprefix(start) for key in texts(FALLBACK) if key.startswith(start)]

    @property
    def script(self) -> str | None:
        """The same in plain PyTorch."""
        return _read(FOLDER / self.id / "script.py")

    @property
    def has_card(self) -> bool:
        return (FOLDER / self.id / "templates" / "card.svg").is_file()

    @property
    def has_formula(self) -> bool:
        return (FOLDER / self.id / "templates" / "formula.html").is_file()

    def block(self) -> Markup:
        """A script element with what the page's script needs to know of it."""
        about = {
            "id": self.id,
            "controls": [asdict(control) for control in self.controls],
            "tries": [{"id": each.id, "parameters": dict(each.parameters)} for each in self.experiment.tries],
        }
        data = json.dumps(about, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        return Markup(f'<script type="application/json" id="experiment">{data}</script>')


def lab_pages() -> list[LabPage]:
    """All experiments that have words, in their order."""
    return [LabPage(one) for id, one in experiments().items() if f"lab.{id}.question" in texts(FALLBACK)]


def subscripts(text: str) -> Markup:
    """A text as HTML in which the k of W_k stands below the line, and a derivative is not broken into two lines."""
    whole = DERIVATIVE.sub(r'<span class="whole">\1</span>', str(escape(text)))
    return Markup(INDEXED.sub(r"\1<sub>\2</sub>", whole))


def whole_words(text: str) -> Markup:
    """A heading as HTML in which no line ends at the hyphen of a word."""
    return Markup(HYPHENED.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


def lab_template(id: str, name: str) -> str | None:
    """The text of a template of an experiment; a formula in its parts, so that it can be broken on a phone."""
    return _read(FOLDER / id / "templates" / name) if id in experiments() else None


@cache
def _read(file: Path) -> str | None:
    if not file.is_file():
        return None
    text = file.read_text("utf-8")
    return in_parts(text) if file.name == "formula.html" else text


def controls(schema: Schema) -> list[Control]:
    """The controls of parameters, from their JSON Schema."""
    known = schema.get("$defs", {})
    return [_control(name, one, known) for name, one in schema.get("properties", {}).items()]


def _control(name: str, declared: Schema, known: Schema) -> Control:
    schema = _resolved(declared, known)
    ways = [way for way in schema.get("anyOf", [schema]) if way.get("type") != "null"]
    optional = len(ways) < len(schema.get("anyOf", [schema]))
    initial = schema.get("default")
    if len(ways) == 1:
        return _one_way(name, {**ways[0], **_extras(schema)}, initial, optional)
    words = [choice for way in ways for choice in _choices(way)]
    others = [way for way in ways if not _choices(way)]
    other = _one_way(name, {**others[0], **_extras(schema)}, initial, False) if others else None
    return Control(name, "choice", initial, choices=tuple(words), optional=optional, other=other)


def _resolved(schema: Schema, known: Schema) -> dict[str, Any]:
    """A schema with its references followed."""
    if "$ref" in schema:
        schema = {**known[schema["$ref"].rpartition("/")[2]], **{k: v for k, v in schema.items() if k != "$ref"}}
    found = dict(schema)
    for name in ("anyOf", "prefixItems"):
        if name in found:
            found[name] = [_resolved(each, known) for each in found[name]]
    if isinstance(found.get("items"), dict):
        found["items"] = _resolved(found["items"], known)
    return found


def _extras(schema: Schema) -> dict[str, Any]:
    return {name: schema[name] for name in ("scale", "step") if name in schema}


def _choices(schema: Schema) -> list[Any]:
    return schema.get("enum") or ([schema["const"]] if "const" in schema else [])


def _one_way(name: str, schema: Schema, initial: Any, optional: bool) -> Control:
    kind = schema.get("type")
    if _choices(schema):
        return Control(name, "choice", initial, choices=tuple(_choices(schema)), optional=optional)
    if kind in ("integer", "number"):
        return _number(name, schema, initial, optional)
    if kind == "boolean":
        return Control(name, "switch", initial)
    if kind == "array":
        inner = schema.get("items") if isinstance(schema.get("items"), dict) else {}
        if (inner or {}).get("type") == "array":
            return _grid(name, schema, inner or {}, initial)
        pair = len(schema.get("prefixItems", ())) == 2 or schema.get("minItems") == schema.get("maxItems") == 2
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        cell = _one_way(name, inner, None, False) if inner and not pair else None
        return Control(name, "point" if pair else "numbers", initial, least, most, optional=optional, cell=cell)
    if kind == "object":
        return Control(name, "values", initial)
    return Control(name, "text", initial, length=schema.get("maxLength"), optional=optional)


def _grid(name: str, schema: Schema, row: Schema, initial: Any) -> Control:
    columns = (row.get("minItems", 0), row.get("maxItems"))
    follows = tuple(schema.get("follows", ()))
    cell = _one_way(name, row["items"], None, False) if isinstance(row.get("items"), dict) else None
    low, high = schema.get("minItems", 0), schema.get("maxItems")
    return Control(name, "grid", initial, low, high, columns=columns, cell=cell, follows=follows)


def _number(name: str, schema: Schema, initial: Any, optional: bool) -> Control:
    open_low, open_high = "exclusiveMinimum" in schema, "exclusiveMaximum" in schema
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    whole = schema["type"] == "integer"
    bounded = low is not None and high is not None
    log = schema.get("scale") == "log" or (not whole and bounded and open_low and low == 0)
    log = log or (bounded and low > 0 and high / low >= LOG_RATIO)
    step = schema.get("step") or (1 if whole else _round_step((high - low) / SLIDER_STEPS) if bounded else None)
    return Control(name, "number", initial, low, high, open_low, open_high, whole, step, log, optional=optional)


def _round_step(step: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is no larger."""
    power = 10.0 ** math.floor(math.log10(step))
    return float(f"{max(each for each in (1, 2, 5) if each * power <= step * 1.0001) * power:.12g}")
