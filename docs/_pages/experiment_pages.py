"""The part of the lab's page that comes from the experiments' declarations."""

from __future__ import annotations

import json
from typing import Any

from gradoscope.lab.arguments import as_json
from gradoscope.lab.experiment import Experiment
from gradoscope.lab.registry import experiments
from gradoscope.lab.wording import schema, words
from tables import bounds_of, table, type_of


def experiment_reference() -> str:
    """A section for each experiment."""
    return "\n".join(map(_section, experiments().values()))


def _section(one: Experiment[Any]) -> str:
    known = words(one)
    claims = [text for key, text in known.items() if key.startswith("claim.")]
    numbers = [(f"`{key.partition('.')[2]}`", text) for key, text in known.items() if key.startswith("number.")]
    parts = [
        f"### {known['question']}",
        f"`{one.id}` · about {one.cost(one.parameters()):.2g} s with the defaults",
        known["summary"],
        "\n".join(f"- [{paper.title}]({paper.url})" for paper in one.papers),
        _parameters(one),
        table(("number", "what it is"), numbers),
        "\n".join(["What is put to the test:", "", *(f"- {claim}" for claim in claims)]),
        "\n".join(
            ["What to try:", "", *(f"- {known[f'try.{tried.id}']}: {_command(one, tried)}" for tried in one.tries)]
        ),
        f"```python\n{(one.folder / 'script.py').read_text('utf-8')}```",
    ]
    return "\n\n".join(parts) + "\n"


def _parameters(one: Experiment[Any]) -> str:
    defaults = as_json(one.parameters())
    rows = [
        (
            f"`{name}`",
            bounds_of(field) or type_of(field),
            f"`{json.dumps(defaults[name], ensure_ascii=False)}`",
            field.get("description", ""),
        )
        for name, field in schema(one)["properties"].items()
    ]
    return table(("parameter", "values", "default", "meaning"), rows)


def _command(one: Experiment[Any], tried: Any) -> str:
    given = " ".join(f"-o '{name}={_text(value)}'" for name, value in tried.parameters.items())
    return f"`gradoscope lab {one.id} {given}`"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
