"""The guide to one's own models explains every message about a faulty model, and names every field of a card."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gradoscope.cli.main import app as console_command
from gradoscope.zoo import cards
from typer.testing import CliRunner

from tests.support.own_models import FAULTS, RESNET, write_card, write_faulty
from tests.support.paths import ROOT

GUIDE = (ROOT / "docs" / "your-own-model.md").read_text("utf-8")
SHAPES = ROOT / "examples" / "shapes"


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faulty")
    write_faulty(folder)
    return folder


@pytest.mark.slow  # twenty models
@pytest.mark.filterwarnings("ignore:'torch.load' received a zip file:UserWarning")
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_with_exit_code_1(faulty: Path, tmp_path: Path, name: str) -> None:
    change, message = FAULTS[name]
    given = {"architecture": RESNET, "labels": "classes = 7", "file": "intact.safetensors"} | change
    for file in faulty.iterdir():
        (tmp_path / file.name).symlink_to(file)
    card = write_card(tmp_path / f"{name}.toml", given.pop("file"), **given)
    done = CliRunner().invoke(console_command, ["models", "check", str(card)])
    assert done.exit_code == 1, done.output
    assert message in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("kind", ["Card", "Input", "File", "Timm", "Torchvision", "Embedded", "Paper"])
def test_the_guide_names_every_field_of_a_card(kind: str) -> None:
    section = re.search(rf"^### .*`{kind}`\n(.*?)(?=^##|\Z)", GUIDE, flags=re.M | re.S)
    assert section, kind
    rows = set(re.findall(r"^\| `(\w+)` \|", section[1], flags=re.M))
    internal = {"id", "folder"}  # set by whoever reads the card, not written in it
    assert rows == set(getattr(cards, kind).model_fields) - internal


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_the_guide_explains_every_message(name: str) -> None:
    assert FAULTS[name][1] in GUIDE


def test_the_guide_shows_the_card_that_ships() -> None:
    shown = re.findall(r"```toml\n(.*?)```", GUIDE, flags=re.S)
    lines = [line for line in (SHAPES / "shapes.toml").read_text().splitlines() if line and not line.startswith("#")]
    assert [line.partition("  #")[0].rstrip() for line in lines] == [
        line for line in shown[0].splitlines() if line.strip()
    ]


def test_the_guides_cards_can_be_read(tmp_path: Path) -> None:
    for number, text in enumerate(re.findall(r"```toml\n(.*?)```", GUIDE, flags=re.S)):
        path = tmp_path / f"card{number}.toml"
        path.write_text(text)
        assert cards.read_card(path).id == f"card{number}"
