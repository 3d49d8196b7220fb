"""The comparison, whole: wipe and blink, a map and the picture, one sentence, a link, a figure."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Route, expect

from tests.support.browser import LONG, PIXELS
from tests.support.keeping import Keeping

expect.set_options(timeout=LONG)
MODELS = ["efficientnet_lite0", "efficientnet_lite1"]  # which cut the picture differently


def shown(canvas: Locator) -> int:
    return int(canvas.evaluate(PIXELS)["sum"])


def clip_of(lens: Locator) -> str:
    return str(lens.evaluate("node => getComputedStyle(node).clipPath"))


def check_saved_figures(dialog: Locator, folder: Path) -> None:
    page = dialog.page
    with page.expect_download() as download:
        dialog.get_by_role("button", name="SVG").click()
    file = folder / "comparison.svg"
    download.value.save_as(file)
    text = file.read_text("utf-8")
    assert download.value.suggested_filename.endswith("-comparison.svg")
    assert text.count("<image") == 4 + 3  # the picture, A, B, A − B, and the scales of three
    assert "EfficientNet-Lite1" in text
    assert "rank correlation" in " ".join(text.split())
    with page.expect_download() as download:
        dialog.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename.endswith("-comparison.png")


def test_two_maps_in_one_place(keep: Keeping, tmp_path: Path) -> None:
    keep.cheap("#clip=95&overlay=60", model=MODELS)
    page = keep.page
    keep.finished(4)
    grid = [shown(canvas) for canvas in keep.maps.all()]
    page.get_by_role("button", name="Compare").first.click()
    dialog = page.get_by_role("dialog", name="Two maps")
    a, b = dialog.locator(".compared-a"), dialog.locator(".compared-b")
    # Of two rows, the same method in each.
    # Titles say method, class and model; palette, clip and overlay are the grid's.
    expect(a.locator("figcaption")).to_have_text("A: Vanilla gradient · tiger cat · EfficientNet-Lite0")
    expect(b.locator("figcaption")).to_have_text("B: Vanilla gradient · Egyptian cat · EfficientNet-Lite1")
    expect(dialog.locator(".compared-picture img.seen")).to_be_visible()
    expect(dialog.locator(".compare-says")).to_contain_text("rank correlation is ")
    keep.wait_until_idle()
    assert [shown(side.locator("canvas.map")) for side in (a, b)] == [grid[0], grid[2]]
    assert a.locator("canvas.map").evaluate("node => getComputedStyle(node).opacity") == "0.6"
    assert keep.axe_in_both_themes("dialog[open]") == []
    dialog.get_by_role("radio", name="Wipe").check()
    over = dialog.locator("overlaid-maps")
    expect(over).to_be_visible()
    expect(a).to_be_hidden()
    divider = dialog.get_by_role("slider", name="Border between A and B")
    divider.focus()
    page.keyboard.press("PageUp")
    expect(divider).to_have_attribute("aria-valuetext", "60 % A")
    assert clip_of(over.locator(".above")).endswith("60%)")
    assert keep.axe_in_both_themes("dialog[open]") == []
    # The other model cut the picture differently: its map lies where its pixels do.
    panels = page.request.get(f"{keep.root}/api/v1/explanations/{keep.id}").json()
    crops = {entry["model"]: entry["crop"] for entry in panels["inputs"]}
    other = [panel["id"] for panel in panels["panels"] if panel["model"] == MODELS[1]]
    dialog.get_by_label("Map B").select_option(other[1])
    keep.wait_until_idle()
    keep.wait_for_frame()
    boxes = [over.locator(f"{layer} canvas.map").bounding_box() for layer in ("map-lens:not(.above)", ".above")]
    assert boxes[0]
    assert boxes[1]
    (x0, _, x1, _), (u0, _, u1, _) = crops[MODELS[0]], crops[MODELS[1]]
    wide = boxes[0]["width"]
    assert abs(boxes[1]["width"] - wide * (u1 - u0) / (x1 - x0)) < 1
    assert abs(boxes[1]["x"] - boxes[0]["x"] - wide * (u0 - x0) / (x1 - x0)) < 1
    # The link opens the same.
    parts = urlsplit(page.url).fragment.split("&")
    assert "how=wipe" in parts
    assert "wipe=0.6" in parts
    dialog.get_by_role("button", name="Copy link").click()
    link = page.evaluate("() => navigator.clipboard.readText()")
    page.goto("about:blank")
    page.goto(link)
    expect(dialog).to_be_visible()
    expect(divider).to_have_attribute("aria-valuetext", "60 % A")
    expect(over.locator(".previous-mark.of-b")).to_contain_text("EfficientNet-Lite1")
    check_saved_figures(dialog, tmp_path)


def test_names_that_come_after_the_maps_take_the_place_of_ids(keep: Keeping) -> None:
    held: list[Route] = []
    keep.page.route("**/api/v1/models", lambda route: held.append(route))
    keep.id = keep.made()
    panels = [panel["id"] for panel in keep.record()["panels"]]
    keep.page.goto(f"{keep.root}/e/{keep.id}#compare={','.join(panels)}&how=wipe")
    mark = keep.page.locator("map-compare dialog[open] overlaid-maps .previous-mark.of-b")
    expect(mark).to_have_text("B: Grad-CAM · tiger cat · efficientnet_lite0")
    assert held
    for route in held:
        route.continue_()
    expect(mark).to_have_text("B: Grad-CAM · tiger cat · EfficientNet-Lite0")


def test_blink_and_the_picture(keep: Keeping) -> None:
    keep.cheap()
    page = keep.page
    page.get_by_role("button", name="Compare").first.click()
    dialog = page.locator("map-compare dialog[open]")
    dialog.get_by_role("radio", name="Blink").check()
    above = dialog.locator("overlaid-maps .above")
    marks = dialog.locator("overlaid-maps .previous-mark:visible")
    expect(above).to_be_hidden()
    expect(marks).to_have_text("A: Vanilla gradient · tiger cat · EfficientNet-Lite0")
    dialog.get_by_role("button", name="Show B").click()
    expect(above).to_be_visible()
    expect(marks).to_have_text("B: Grad-CAM · tiger cat · EfficientNet-Lite0")
    dialog.locator("overlaid-maps map-lens").first.click()
    expect(above).to_be_hidden()
    auto = dialog.get_by_role("button", name="Every second")
    auto.click()
    expect(above).to_be_visible()
    expect(above).to_be_hidden()
    auto.click()
    expect(auto).to_have_attribute("aria-pressed", "false")
    # A map and the picture. What all maps share, class and model, is not said in the list.
    expect(dialog.get_by_label("Map B").locator("option")).to_have_text(["Vanilla gradient", "Grad-CAM", "The picture"])
    dialog.get_by_label("Map B").select_option("picture")
    expect(dialog.locator("h2")).to_have_text("A map and the picture")
    dialog.get_by_role("radio", name="Wipe").check()
    expect(above.locator("img.seen")).to_be_visible()
    expect(above.locator("canvas.map")).to_be_hidden()
    expect(dialog.locator(".compare-says")).to_contain_text("picture")
    expect(dialog.locator(".agreement")).to_be_hidden()
    dialog.get_by_role("radio", name="Side by side").check()
    expect(dialog.locator(".compared:visible")).to_have_count(2)
    assert keep.axe_in_both_themes("dialog[open]") == []
    assert "picture" in urlsplit(page.url).fragment
