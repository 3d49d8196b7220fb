"""The form that adds a row: class, model, and what it will cost; models that number their classes differently.

The server has three networks, tiny and with seeded random weights; one of them has classes of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import timm
import torch
from playwright.sync_api import Locator, expect
from safetensors.torch import save_file

from tests.support.browser import HEARD, LONG, OPEN_OVER_PAGE, Visit
from tests.support.server import NO_ACCELERATION, Server

expect.set_options(timeout=LONG)
CARD = """title = "%s"
architecture = "timm:%s"
labels = %s
source = { kind = "file", file = "%s.safetensors" }
input = { size = [64, 64] }
"""
IMAGENET = '"imagenet-1k"'
FEW = ["tiger cat", "espresso", "rowing boat"]


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cards")
    for id, title, architecture, labels in (
        ("tiny", "Tiny", "test_resnet", IMAGENET),
        ("other", "Other", "test_efficientnet", IMAGENET),
        ("few", "Few", "test_resnet", str(FEW).replace("'", '"')),
    ):
        torch.manual_seed(0)
        classes = len(FEW) if id == "few" else 1000
        save_file(timm.create_model(architecture, num_classes=classes).state_dict(), folder / f"{id}.safetensors")
        (folder / f"{id}.toml").write_text(CARD % (title, architecture, labels, id))
    server = Server(folder / "store", GRADOSCOPE_MODELS=str(folder), GRADOSCOPE_DEFAULT_MODEL="tiny", **NO_ACCELERATION)
    yield server.url
    server.stop()


class Form:
    """The form for another row."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        visit.page.get_by_role("button", name="Add a row").click()
        self.dialog = visit.page.get_by_role("dialog", name="Add a row")
        self.cost = self.dialog.get_by_role("status").last
        self.submit = self.dialog.get_by_role("button", name="Add", exact=True)

    def choose(self, kind: str, text: str) -> None:
        self.dialog.get_by_role("combobox", name=f"{kind} of the new row").fill(text)
        self.dialog.get_by_role("option", name=re.compile(f"^{text}")).first.click()


def heads(visit: Visit) -> Locator:
    return visit.page.locator("row-head .row-choose")


def test_a_row_is_chosen_by_class_and_model_and_says_what_it_adds(visit: Visit) -> None:
    visit.cat()
    top = visit.page.locator(".prediction-label").first.inner_text()
    form = Form(visit)
    expect(form.cost).to_have_text("Choose another model or another class: this row is there already.")
    expect(form.submit).to_be_disabled()
    form.choose("Model", "Other")
    expect(form.cost).to_have_text(
        re.compile(r"^Adds 1 row, 6 maps, (about|seconds)")
    )  # «seconds are known after …» before a measurement
    assert visit.axe_in_both_themes(OPEN_OVER_PAGE) == []
    form.submit.click()
    visit.finished(12)
    # Both rows are about the same class, though it is not the top class of «Other».
    expect(heads(visit)).to_have_text([re.compile(f"Tiny {re.escape(top)}"), re.compile(f"Other {re.escape(top)}")])
    assert len(visit.sent["target"]) == 1
    form = Form(visit)
    form.choose("Class", "espresso")
    expect(form.cost).to_have_text(re.compile(r"^Adds 2 rows, 12 maps, about "))
    visit.page.keyboard.press("Escape")
    # The header counts only the maps that are shown.
    tally = visit.page.locator("panel-grid .tally")
    expect(tally).to_have_text(re.compile(r"^12 maps in "))
    visit.page.get_by_role("button", name=re.compile("^Row of Other")).click()
    visit.page.get_by_role("menuitem", name="Hide the row").click()
    record = visit.page.request.get(f"{visit.root}/api/v1/explanations/{visit.explanation_id}").json()
    shown = sum(panel["seconds"] for panel in record["panels"] if panel["model"] == "tiny")
    expect(tally).to_have_text(f"6 maps in {shown:.2f} s")


def test_models_with_other_classes_are_matched_by_label(visit: Visit) -> None:
    visit.cat()
    form = Form(visit)
    form.choose("Model", "Few")
    expect(form.cost).to_have_text(re.compile(r"^Few has no class “.*”\. Choose another class"))
    expect(form.submit).to_be_disabled()
    form.choose("Class", "espresso")  # a class of Few; Tiny has it too, under another index
    expect(form.cost).to_have_text(re.compile(r"^Adds 3 rows, 18 maps"))  # espresso of both, and the top class of Few
    visit.page.keyboard.press("Escape")
    visit.page.get_by_role("combobox", name="Class to explain").fill("espresso")
    visit.options.first.click()
    visit.finished(6)
    form = Form(visit)
    form.choose("Model", "Few")
    expect(form.cost).to_have_text(re.compile("^Adds 1 row, 6 maps"))
    form.submit.click()
    visit.finished(12)
    assert visit.sent["target"] == ["espresso"]
    expect(heads(visit)).to_have_text([re.compile("Tiny espresso"), re.compile("Few espresso")])
    record = visit.page.request.get(f"{visit.root}/api/v1/explanations/{visit.explanation_id}").json()
    assert {panel["model"]: panel["target"]["index"] for panel in record["panels"]} == {"tiny": 967, "few": 1}
    visit.page.reload()
    visit.finished(12)
    expect(heads(visit)).to_have_text([re.compile("Tiny espresso"), re.compile("Few espresso")])


def test_a_method_that_was_added_is_brought_into_view(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1000, "height": 500})
    visit.page.add_init_script(HEARD)
    visit.cat()
    visit.add_method("Input × gradient")
    visit.page.wait_for_function("() => heard.includes('Input × gradient added')")
    visit.finished(7)
    expect(visit.page.locator("map-panel").nth(6)).to_be_in_viewport()
