"""How parameters of an experiment become controls of its page."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import pytest
from gradoscope.lab.experiment import Parameters
from gradoscope.lab.registry import FOLDER, experiments
from gradoscope.pipeline.texts import parts
from gradoscope.web import texts
from gradoscope.web.lab_pages import Control, controls, lab_pages
from pydantic import Field

Way = Literal["a", "b"]


class Every(Parameters):
    steps: int = Field(5, ge=1, le=20)
    radius: float = Field(0.9, ge=0, le=2)
    rate: float = Field(0.01, gt=0, le=1)
    decay: float = Field(1e-4, ge=1e-6, le=1)
    way: Way = Field("a")
    mixed: bool = Field(False)
    formula: str = Field("x", max_length=200)
    sizes: list[int] = Field([10, 100])
    start: tuple[float, float] = Field((0.0, 1.0))
    values: dict[str, float] = Field({"x": 1.0})
    grid: list[list[float]] = Field([[1.0]])
    clip: Annotated[float, Field(ge=0, le=9)] | None = Field(None)
    size: Annotated[float, Field(gt=0, le=1)] | Literal["default", "best"] = Field("default")
    free: int = Field(3)


@pytest.fixture(scope="module")
def made() -> dict[str, Control]:
    return {control.name: control for control in controls(Every.model_json_schema())}


def test_each_parameter_has_its_control(made: dict[str, Control]) -> None:
    assert {name: control.kind for name, control in made.items()} == {
        "steps": "number",
        "radius": "number",
        "rate": "number",
        "decay": "number",
        "way": "choice",
        "mixed": "switch",
        "formula": "text",
        "sizes": "numbers",
        "start": "point",
        "values": "values",
        "grid": "grid",
        "clip": "number",
        "size": "choice",
        "free": "number",
    }


def test_numbers_have_their_bounds_and_a_round_step(made: dict[str, Control]) -> None:
    steps, radius = made["steps"], made["radius"]
    assert (steps.low, steps.high, steps.step, steps.whole, steps.slides) == (1, 20, 1, True, True)
    assert (radius.low, radius.high, radius.step, radius.log) == (0, 2, 0.02, False)
    assert not made["free"].slides


def test_what_spans_decades_slides_in_decades(made: dict[str, Control]) -> None:
    assert made["rate"].log
    assert made["rate"].open_low
    assert made["decay"].log


def test_a_parameter_may_be_off_or_a_word(made: dict[str, Control]) -> None:
    assert made["clip"].optional
    assert made["clip"].initial is None
    assert made["clip"].high == 9
    size = made["size"]
    assert size.choices == ("default", "best")
    assert size.other is not None
    assert (size.other.kind, size.other.log) == ("number", True)


def test_every_experiment_has_its_words_as_a_part_of_its_own() -> None:
    for language in texts.LANGUAGES:
        for id in experiments():
            words = parts(language)[f"lab_{id}"]
            assert all(key.startswith(f"lab.{id}.") for key in words)
            assert words[f"lab.{id}.question"]


def test_every_control_choice_and_try_has_words() -> None:
    known = texts.texts("en")
    for page in lab_pages():
        for control in page.controls:
            assert f"lab.{page.id}.parameter.{control.name}" in known, control
            assert f"lab.{page.id}.help.{control.name}" in known, control
            for choice in control.choices:
                assert f"lab.{page.id}.choice.{control.name}.{choice}" in known, control
        for each in page.tries:
            assert f"lab.{page.id}.try.{each}" in known


def test_every_experiment_has_formula_card_and_script() -> None:
    for page in lab_pages():
        assert page.has_formula, page.id
        assert page.has_card, f"{page.id}: python -m tools.make_lab_cards {page.id}"
        assert page.script, page.id
        assert page.figures, page.id
        assert (FOLDER / page.id / "templates" / "card.svg").read_text("utf-8").startswith('<svg class="plot"')


def test_the_block_for_the_script_is_json_that_cannot_end_its_element() -> None:
    for page in lab_pages():
        block = str(page.block())
        assert block.count("<") == 2
        about = json.loads(block.partition(">")[2].rpartition("<")[0])
        assert about["id"] == page.id
        assert [each["id"] for each in about["tries"]] == page.tries
