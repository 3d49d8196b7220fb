"""Expressions as people type them: read into a list of operations, and never run as code."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MAX_CHARACTERS = 200
BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
ONE = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu")
TWO = ("max", "min")
ALLOWED = f"Allowed are names, numbers, + - * / **, brackets, and {', '.join((*ONE, *TWO))}"


@dataclass(frozen=True)
class Operation:
    """A step of a computation. `kind` is `name`, `number`, a sign or a function; `inputs` are earlier steps."""

    kind: str
    text: str  # what is computed, as a person would write it
    inputs: tuple[int, ...] = ()
    number: float = 0.0


@dataclass
class Parsed:
    """The steps of an expression, each after its inputs; the last is the result. A name is one step, however often
    it is used."""

    steps: list[Operation] = field(default_factory=list)
    place_of_name: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.place_of_name)

    @property
    def operations(self) -> int:
        """How many steps compute something."""
        return sum(bool(step.inputs) for step in self.steps)

    @property
    def edges(self) -> int:
        """How often a step is used, numbers left out: nothing is sent back to them."""
        return sum(self.steps[place].kind != "number" for step in self.steps for place in step.inputs)


def parse(text: str) -> Parsed:
    """The steps of an expression. Raises `ValueError`, which says what is not allowed, and where."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{len(text)} characters; the limit is {MAX_CHARACTERS}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
        place = f", at character {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        raise ValueError(f"this is no formula ({reason}{place}). {ALLOWED}") from error
    parsed = Parsed()
    _order_names(tree, parsed)
    last = _read(tree.body, text.strip(), parsed)
    if last != len(parsed.steps) - 1:  # a name alone: it is the result
        parsed.steps = parsed.steps[: last + 1]
    return parsed


def _order_names(tree: ast.Expression, parsed: Parsed) -> None:
    """The names come first, in the order of the text."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    for node in sorted(names, key=lambda node: (node.lineno, node.col_offset)):
        if node.id not in parsed.place_of_name:
            parsed.place_of_name[node.id] = len(parsed.steps)
            parsed.steps.append(Operation("name", node.id))


def _read(node: ast.expr, text: str, parsed: Parsed) -> int:
    """The place of the step that computes a node of the tree."""
    match node:
        case ast.Name(id=name):
            return parsed.place_of_name[name]
        case ast.Constant(value=bool() | None):
            pass
        case ast.Constant(value=int() | float() as value):
            return _add(parsed, "number", node, text, number=_number(value))
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _read(inner, text, parsed)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _add(parsed, "negative", node, text, (_read(inner, text, parsed),))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            inputs = _read(left, text, parsed), _read(right, text, parsed)
            return _add(parsed, BINARY[type(sign)], node, text, inputs)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in (*ONE, *TWO):
            wanted = 1 if name in ONE else 2
            if len(arguments) != wanted:
                raise ValueError(f"{name} takes {wanted}, and has {len(arguments)}. {ALLOWED}")
            return _add(parsed, name, node, text, tuple(_read(one, text, parsed) for one in arguments))
    hint = " A power is written **" if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor) else ""
    raise ValueError(f"«{_source(node, text)}» is not allowed here.{hint and hint + '.'} {ALLOWED}")


def _add(parsed: Parsed, kind: str, node: ast.expr, text: str, inputs: Sequence[int] = (), number: float = 0.0) -> int:
    parsed.steps.append(Operation(kind, _source(node, text), tuple(inputs), number))
    return len(parsed.steps) - 1


def _source(node: ast.expr, text: str) -> str:
    """A part of the expression as it was typed, without line breaks."""
    return re.sub(r"\s+", " ", ast.get_source_segment(text, node) or "")[:MAX_CHARACTERS]


def _number(value: float) -> float:
    """A number of the text. Raises `ValueError` where it is too large."""
    if abs(value) > 1e6:
        raise ValueError("numbers are at most 1,000,000")
    return float(value)
