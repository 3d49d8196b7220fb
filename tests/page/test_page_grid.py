"""The page's grid: rows and columns, parameters before they are computed with, one question for several pictures.

The server has two networks, tiny and with seeded random weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import timm
import torch
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect
from safetensors.torch import save_file

from tests.support.browser import CAT, EXPLANATIONS, LONG, Visit, visiting
from tests.support.server import NO_ACCELERATION, Server

expect.set_options(timeout=LONG)

CARD = """title = "%s"
architecture = "timm:%s"
labels = "imagenet-1k"
source = { kind = "file", file = "%s.safetensors" }
input = { size = [64, 64] }
"""
ESTIMATES = "**/api/v1/estimates"
SAMPLES = CAT.parent


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cards")
    for id, title, architecture in (("tiny", "Tiny", "test_resnet"), ("other", "Other", "test_efficientnet")):
        torch.manual_seed(0)
        save_file(timm.create_model(architecture).state_dict(), folder / f"{id}.safetensors")
        (folder / f"{id}.toml").write_text(CARD % (title, architecture, id))
    server = Server(folder / "store", GRADOSCOPE_MODELS=str(folder), GRADOSCOPE_DEFAULT_MODEL="tiny", **NO_ACCELERATION)
    yield server.url
    server.stop()


def add_class(visit: Visit, name: str) -> None:
    visit.page.get_by_role("button", name="Add a row").click()
    visit.page.get_by_role("combobox", name="Class of the new row").fill(name)
    visit.options.first.click()
    visit.page.get_by_role("button", name="Add", exact=True).click()


def add_model(visit: Visit, title: str, *, own: bool = False) -> None:
    """`own`: the new row is about this model's own top class, else about the class of the other rows."""
    visit.page.get_by_role("button", name="Add a row").click()
    visit.page.get_by_role("combobox", name="Model of the new row").fill(title)
    visit.page.get_by_role("option", name=re.compile(f"^{title},")).click()
    if own:
        visit.page.get_by_role("checkbox", name="Each model's own top class").check()
    visit.page.get_by_role("button", name="Add", exact=True).click()


def menu(visit: Visit, button: str, item: str) -> None:
    visit.page.get_by_role("button", name=button).click()
    visit.page.get_by_role("menuitem", name=item).click()


def maps(visit: Visit, count: int) -> list[int]:
    """Checksums of all maps, once there are that many."""
    expect(visit.page.locator("map-panel")).to_have_count(count)
    visit.finished(count)
    return [shown["sum"] for shown in visit.pixels()]


def arrays(visit: Visit) -> list[Request]:
    return [request for request in visit.requests if ".npy" in request.url]


def rows(page: Page) -> list[str]:
    return [text.replace("\n", " ") for text in page.locator("tbody th .row-label").all_inner_texts()]


def columns(page: Page) -> list[str]:
    return [text.split(" 20")[0] for text in page.locator(".head-words").all_inner_texts()]


# Rows and columns


def test_a_class_and_a_model_become_rows_of_a_table(visit: Visit) -> None:
    visit.cat()
    one = maps(visit, 6)
    first = visit.page.url
    add_class(visit, "espresso")
    two = maps(visit, 12)
    assert two[:6] == one
    assert len(set(two)) == 12
    assert visit.sent["target"] == ["top", "967"]
    assert "from" in visit.sent
    assert len(arrays(visit)) == 12, "the first row's arrays were here already"
    assert visit.page.url != first
    table = visit.page.get_by_role("table")
    assert table.get_by_role("columnheader").count() == 6
    expect(table.get_by_role("rowheader").nth(1)).to_contain_text(re.compile(r"Tiny\s*espresso\s*[<.]"))
    expect(visit.page.locator("panel-grid .question")).to_have_text("2 rows, 6 methods")
    expect(visit.page.get_by_role("combobox", name="Class to explain")).to_have_value("espresso")
    add_model(visit, "Other")
    four = maps(visit, 24)
    assert four[:12] == two
    assert visit.sent["model"] == ["tiny", "other"]
    assert len(arrays(visit)) == 24
    posts = len(visit.asked)
    visit.page.reload()
    assert maps(visit, 24) == four
    visit.page.evaluate("() => history.replaceState(null, '')")
    visit.page.reload()  # as somebody who was sent the address
    assert maps(visit, 24) == four
    assert len(visit.asked) == posts
    menu(visit, "Row of Other, espresso", "Remove Other")
    assert maps(visit, 12) == two
    assert visit.sent["model"] == ["tiny"]
    menu(visit, "Row of Tiny, espresso", "Remove espresso")
    assert maps(visit, 6) == one
    visit.page.go_back()
    assert maps(visit, 12) == two, "back undoes the removal"


def test_rows_of_one_class_share_their_question(visit: Visit) -> None:
    data = {"sample": "cat", "model": ["tiny", "other"], "target": "967", "method": "vanilla_gradient"}
    made = httpx.post(f"{visit.root}/api/v1/explanations", data=data, timeout=300)
    visit.page.goto(f"{visit.root}/e/{made.json()['id']}")
    expect(visit.page.locator("panel-grid .question")).to_have_text("Why espresso")
    expect(visit.page.locator("panel-grid .context")).to_have_text("2 rows, 1 method · logit")


def test_model_and_predictions_at_the_side_are_those_of_the_chosen_row(visit: Visit) -> None:
    visit.cat()
    add_model(visit, "Other", own=True)
    maps(visit, 12)
    picker = visit.page.get_by_role("combobox", name="Model", exact=True)
    expect(picker).to_have_value("Other")
    top_label = visit.page.locator(".prediction-label").first.inner_text()
    heads = visit.page.locator(".row-choose")
    expect(heads.nth(1)).to_contain_text(top_label)
    heads.first.click()
    expect(heads.first).to_have_attribute("aria-pressed", "true")
    expect(picker).to_have_value("Tiny")
    expect(heads.first).to_contain_text(visit.page.locator(".prediction-label").first.inner_text())
    visit.page.locator(".prediction").nth(1).click()
    maps(visit, 12)
    assert len(visit.sent["target"]) == 1, "the class was replaced, no row was added"
    menu(visit, "Row of Tiny", "Move down")
    expect(visit.page.locator(".row-model").nth(1)).to_have_text("Tiny")


def test_hiding_and_moving_sends_no_request_and_survives_a_reload(visit: Visit) -> None:
    visit.cat()
    add_class(visit, "espresso")
    before = maps(visit, 12)
    count = len(visit.requests)
    cat, espresso = rows(visit.page)
    menu(visit, "Column of Grad-CAM", "Move left")
    assert columns(visit.page)[1:3] == ["Grad-CAM", "Guided backprop"]
    expect(visit.page.get_by_role("button", name="Column of Grad-CAM")).to_be_focused()
    menu(visit, f"Row of Tiny, {cat}", "Move down")
    assert rows(visit.page) == [espresso, cat]
    menu(visit, "Column of SmoothGrad", "Hide the method")
    menu(visit, f"Row of Tiny, {cat}", "Hide the row")
    left = maps(visit, 5)
    assert left == [before[place] for place in (6, 8, 7, 10, 11)]
    assert len(visit.requests) == count
    expect(visit.page.get_by_role("button", name="2 hidden")).to_be_visible()
    visit.page.reload()
    assert maps(visit, 5) == left
    assert len(arrays(visit)) == 12 + 5, "what is hidden is not fetched"
    # A method that is added now is not computed for the hidden row.
    visit.add_method("Input × gradient")
    more = maps(visit, 6)
    assert more[:5] == left
    assert "smooth_grad" not in visit.sent["method"]
    assert visit.sent["target"] == ["967"]
    menu(visit, "2 hidden", "Show SmoothGrad")
    assert before[9] in maps(visit, 7)
    menu(visit, "1 hidden", f"Show Tiny, {cat}")
    assert set(before) < set(maps(visit, 14))
    record = visit.page.request.get(f"{visit.root}/api/v1/explanations/{visit.explanation_id}").json()
    assert [panel["method"] for panel in record["panels"] if not panel["from_store"]] == ["input_x_gradient"]


def test_a_method_is_removed_by_keyboard(visit: Visit) -> None:
    visit.cat()
    one = maps(visit, 6)
    visit.page.get_by_role("button", name="Details of SmoothGrad").press("Enter")
    visit.page.get_by_role("button", name="Remove SmoothGrad").press("Enter")
    assert maps(visit, 5) == one[:3] + one[4:]
    assert "smooth_grad" not in visit.sent["method"]
    assert len(arrays(visit)) == 6
    add_class(visit, "espresso")
    maps(visit, 10)
    button = visit.page.get_by_role("button", name="Column of Grad-CAM")
    button.press("Enter")
    expect(visit.page.get_by_role("menuitem").first).to_be_focused()
    visit.page.keyboard.press("End")
    about = visit.page.get_by_role("menuitem", name="About the method")
    expect(about).to_be_focused()
    expect(about).to_have_attribute("href", "/methods#grad_cam")
    visit.page.keyboard.press("Escape")
    expect(button).to_be_focused()


# Parameters


def dialog(visit: Visit, method: str) -> Locator:
    visit.page.get_by_role("button", name=f"Details of {method}").click()
    visit.page.get_by_role("button", name="Parameters").click()
    return visit.page.get_by_role("dialog", name=f"Parameters of {method}")


def test_parameters_show_their_cost_are_checked_and_are_used(visit: Visit) -> None:
    visit.cat()
    before = maps(visit, 6)
    form = dialog(visit, "SmoothGrad")
    samples, cost = form.get_by_role("spinbutton", name="Samples"), form.get_by_role("status")
    expect(samples).to_be_focused()
    expect(form).to_contain_text("1 to 2000 · default 50")
    expect(cost).to_have_text(re.compile(r"^50 gradient evaluations · about \d\.\d\d s$"))
    samples.fill("2001")
    expect(form.get_by_role("alert")).to_have_text("It must be 1 to 2000.")
    expect(cost).to_contain_text("when every value is within its bounds")
    form.get_by_role("button", name="Compute").click()
    expect(samples).to_be_focused()
    samples.fill("2.5")
    expect(form.get_by_role("alert")).to_have_text("It must be a whole number.")
    form.get_by_role("button", name="Restore the default of Samples").click()
    expect(samples).to_have_value("50")
    samples.fill("7")
    form.get_by_role("combobox", name="Variant").select_option("squared")
    expect(cost).to_contain_text("7 gradient evaluations")
    form.get_by_role("button", name="Restore all defaults").click()
    expect(samples).to_have_value("50")
    expect(form.get_by_role("combobox", name="Variant")).to_have_value("mean")
    samples.fill("7")
    samples.press("Enter")
    expect(form).to_have_count(0)
    after = maps(visit, 6)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True] * 3 + [False] + [True] * 2
    assert json.loads(visit.sent["options"][0]) == {"smooth_grad": {"samples": 7}}
    assert len(arrays(visit)) == 7
    visit.page.reload()
    assert maps(visit, 6) == after
    form = dialog(visit, "SmoothGrad")
    expect(form.get_by_role("spinbutton", name="Samples")).to_have_value("7")
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("button", name="Details of SmoothGrad")).to_be_focused()


def test_the_server_has_the_last_word_on_a_parameter(visit: Visit) -> None:
    def refuse(route: Route) -> None:
        field = "options.smooth_grad.noise"
        body: dict[str, Any] = {"title": "Unprocessable", "status": 422, "detail": "no"}
        body["errors"] = [{"field": field, "detail": f"{field}: Input should be less than 1."}]
        route.fulfill(status=422, content_type="application/problem+json", body=json.dumps(body))

    visit.cat()
    visit.page.route(ESTIMATES, refuse)
    form = dialog(visit, "SmoothGrad")
    expect(form.get_by_role("alert")).to_have_text("Input should be less than 1.")
    expect(form.get_by_role("spinbutton", name="Noise")).to_have_attribute("aria-invalid", "true")


def test_a_layer_and_a_switch_are_fields_too(visit: Visit) -> None:
    visit.cat()
    form = dialog(visit, "Grad-CAM")
    expect(form.get_by_role("checkbox", name="ReLU")).to_be_checked()
    form.get_by_role("combobox", name="Layer").fill("layer2")
    visit.page.get_by_role("option", name=re.compile("^layer2 ")).click()
    form.get_by_role("checkbox", name="ReLU").uncheck()
    form.get_by_role("button", name="Compute").click()
    expect(visit.page.locator("map-panel").nth(2).locator(".facts")).to_contain_text("layer layer2")
    maps(visit, 6)
    assert json.loads(visit.sent["options"][0]) == {"grad_cam": {"layer": "layer2", "relu": False}}


def test_the_seed_is_sent(visit: Visit) -> None:
    visit.cat()
    before = maps(visit, 6)
    seed = visit.page.get_by_role("spinbutton", name="Seed")
    seed.fill("-3")
    seed.press("Enter")
    expect(seed).to_have_value("0")
    seed.fill("7")
    seed.press("Enter")
    expect(visit.page.locator("panel-grid .tally")).to_contain_text("6 maps in")
    after = maps(visit, 6)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True] * 3 + [False] + [True] * 2
    assert visit.sent["seed"] == ["7"]


# Several pictures


def files() -> list[dict[str, Any]]:
    names = [f"{name}.jpg" for name in ("rocket", "espresso", "grid")]
    return [{"name": name, "mimeType": "image/jpeg", "buffer": (SAMPLES / name).read_bytes()} for name in names]


def test_several_pictures_are_shown_in_a_strip(visit: Visit) -> None:
    visit.open()
    with visit.page.expect_file_chooser() as chooser:
        visit.page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(files())
    first = maps(visit, 6)
    address = visit.page.url
    strip = visit.page.get_by_role("radiogroup", name="Pictures")
    expect(strip.get_by_role("radio")).to_have_count(3)
    rocket, espresso = strip.get_by_role("radio", name="rocket.jpg"), strip.get_by_role("radio", name="espresso.jpg")
    expect(rocket).to_be_checked()
    expect(visit.page.locator(".strip-tally")).to_have_text("3 computed")
    assert len(visit.asked) == 3, "the others are computed too, each once"
    assert maps(visit, 6) == first
    assert visit.page.url == address
    rocket.press("ArrowRight")
    expect(espresso).to_be_checked()
    expect(espresso).to_be_focused()
    second = maps(visit, 6)
    assert not set(first) & set(second)
    espresso.press("ArrowLeft")
    assert maps(visit, 6) == first
    assert visit.page.url == address
    assert len(visit.asked) == 3
    # The question is the same for all pictures: it is kept for the next one.
    visit.page.locator(".prediction").nth(1).click()
    maps(visit, 6)
    target = visit.sent["target"]
    espresso.click()
    maps(visit, 6)
    assert visit.sent["target"] == target
    visit.page.get_by_role("button", name="Remove this picture").click()
    expect(strip.get_by_role("radio")).to_have_count(2)
    expect(strip.get_by_role("radio", name="grid.jpg")).to_be_checked()
    maps(visit, 6)
    visit.page.reload()
    maps(visit, 6)
    expect(strip.get_by_role("radio")).to_have_count(2)
    expect(strip.get_by_role("radio", name="grid.jpg")).to_be_checked()


def test_all_samples_at_once_and_a_bad_file_among_pictures(visit: Visit) -> None:
    visit.open()
    visit.page.get_by_role("button", name="All of them").click()
    maps(visit, 6)
    strip = visit.page.get_by_role("radiogroup", name="Pictures")
    expect(strip.get_by_role("radio")).to_have_count(5)
    visit.page.locator("picture-view").dispatch_event(
        "drop", {"dataTransfer": visit.transfer("broken.jpg", "image/jpeg", CAT.read_bytes()[:9000])}
    )
    expect(visit.notice).to_contain_text("broken.jpg was not accepted")
    expect(strip.get_by_role("radio")).to_have_count(5)
    expect(strip.get_by_role("radio").first).to_be_checked()


# Phones, and refusals


def test_a_phone_stacks_the_rows(browser: Browser, server_url: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "color_scheme": "dark"}
    with visiting(browser, server_url, **phone) as visit:
        visit.cat()
        add_class(visit, "espresso")
        maps(visit, 12)
        assert visit.overflow() <= 0
        boxes = [panel.bounding_box() for panel in visit.page.locator("map-panel").all()]
        assert len({round(box["x"]) for box in boxes if box}) == 2, "two columns"
        expect(visit.page.locator("row-head:visible")).to_have_count(2)
        visit.page.get_by_role("button", name="Details of SmoothGrad").first.click()
        visit.page.get_by_role("button", name="Hide the method").click()
        expect(visit.page.locator("map-panel")).to_have_count(10)
        form = dialog_of_first(visit)
        box = form.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360


def dialog_of_first(visit: Visit) -> Locator:
    visit.page.get_by_role("button", name="Details of Grad-CAM").first.click()
    visit.page.get_by_role("button", name="Parameters").click()
    return visit.page.get_by_role("dialog", name="Parameters of Grad-CAM")


def test_a_refused_row_leaves_the_grid_as_it_was(visit: Visit) -> None:
    visit.cat()
    before = maps(visit, 6)
    body = {"title": "Unprocessable", "status": 422, "detail": "Too many panels.", "errors": [{"field": "method"}]}
    answer = {"status": 422, "content_type": "application/problem+json", "body": json.dumps(body)}
    visit.page.route(EXPLANATIONS, lambda route: route.fulfill(**answer))  # type: ignore[arg-type]
    add_class(visit, "espresso")
    expect(visit.page.locator("section.ask .notice")).to_contain_text("Too many panels.")
    assert maps(visit, 6) == before
