"""What the benchmark of the lab asks, and what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradoscope.lab.arguments import as_json, checked_parameters
from gradoscope.lab.registry import experiments
from gradoscope.lab.wording import described

from benchmarks import lab


@pytest.mark.parametrize("id", experiments())
def test_a_changed_parameter_is_another_one_each_turn_and_a_right_one(id: str) -> None:
    experiment = experiments()[id]
    defaults = as_json(experiment.parameters())
    asked = [lab.changed_parameter(described(experiment).parameters, turn) for turn in range(1, 11)]
    for parameters in asked:
        checked_parameters(experiment, parameters)
        assert sum(parameters[name] != defaults[name] for name in defaults) == 1
    assert len({repr(parameters) for parameters in asked}) == len(asked)


def test_what_is_over_its_bound_is_named() -> None:
    timings = lab.Timings("graph", first=[0.2, 0.4, 0.5], whole=[1.0, 2.0, 30.0], changed=[0.04, 0.05, 0.06])
    assert list(timings.over()) == ["graph: first figure 400 ms (200 ms–500 ms), bound 300 ms"]
    assert not list(lab.Timings("plasticity", first=[0.1], whole=[59.0]).over())


def test_the_table_stands_between_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "lab.md"
    page.write_text("# The lab\n" + "old\n".join(lab.MARKS) + "after\n", "utf-8")
    monkeypatch.setattr(lab, "PAGE", page)
    text = lab.table([lab.Timings("graph", [0.01], [0.02], [])])
    lab.write(text)
    assert page.read_text("utf-8") == "# The lab\n" + text.join(lab.MARKS) + "after\n"
    page.write_text("# The lab\n", "utf-8")
    with pytest.raises(ValueError, match="no place"):
        lab.write(text)
