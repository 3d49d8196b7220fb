"""Models on the page: choosing one, downloading its weights, fitting the picture to its input, its layers.

The server has three networks of its own, tiny and with seeded random weights, and a slow host of weights on loopback.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from playwright.sync_api import Browser, Locator, Route, expect
from safetensors.torch import save, save_file

from tests.support.browser import FETCHES, LONG, Visit, module, visiting
from tests.support.server import NO_ACCELERATION, Server
from tests.support.weight_host import COMMIT, Host, weight_host

expect.set_options(timeout=LONG)

TINY = """title = "Tiny"
architecture = "timm:test_resnet"
labels = "imagenet-1k"
licence = "MIT"
accuracy = 12.34
paper = { title = "A paper on tiny networks", url = "https://example.org/tiny" }
source = { kind = "file", file = "tiny.safetensors" }
input = { size = [64, 64] }
"""
GREY = """title = "Grey"
architecture = "timm:test_vit"
arguments = { in_chans = 1, img_size = [48, 64], patch_size = [48, 64] }
classes = 10
source = { kind = "file", file = "grey.safetensors" }
input = { size = [48, 64], channels = 1, fit = "pad" }
"""
DISTANT = """title = "Distant"
architecture = "test_resnet.r160_in1k"
licence = "Apache-2.0"
source = { kind = "timm", revision = "%s", sha256 = "%s" }
input = { size = [64, 64] }
"""
# Of both the host sends zeros; the first is large, so that its download can be watched.
SLOW, WRONG = "/models/shufflenetv2_x1-5666bf0f80.pth", "/models/squeezenet1_1-b8a52dc0.pth"
MODELS = "**/api/v1/models"


def network(name: str, **arguments: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return timm.create_model(name, **arguments).state_dict()


def write_cards(folder: Path, host: Host) -> None:
    distant = save(network("test_resnet"))
    host.files["/timm/test_resnet.r160_in1k/resolve/main/model.safetensors"] = distant
    save_file(network("test_resnet"), folder / "tiny.safetensors")
    save_file(
        network("test_vit", in_chans=1, img_size=(48, 64), patch_size=(48, 64), num_classes=10),
        folder / "later.safetensors",
    )
    (folder / "tiny.toml").write_text(TINY)
    (folder / "grey.toml").write_text(GREY)
    (folder / "distant.toml").write_text(DISTANT % (COMMIT, hashlib.sha256(distant).hexdigest()))
    (folder / "broken.toml").write_text("title = 3\n")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with weight_host() as host:
        host.pause = 0.05
        host.files |= {SLOW: bytes(2**22), WRONG: bytes(2**17)}
        yield host


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, host: Host) -> Path:
    folder = tmp_path_factory.mktemp("cards")
    write_cards(folder, host)
    return folder


@pytest.fixture(scope="module")
def server_url(folder: Path, host: Host) -> Iterator[str]:
    server = Server(
        folder / "store",
        GRADOSCOPE_MODELS=str(folder),
        GRADOSCOPE_DEFAULT_MODEL="tiny",
        GRADOSCOPE_DOWNLOADS="cards",
        GRADOSCOPE_WEIGHTS=str(folder / "weights"),
        GRADOSCOPE_WEIGHTS_MIRROR=host.url,
        **NO_ACCELERATION,
    )
    yield server.url
    server.stop()


def picker(visit: Visit) -> Locator:
    return visit.page.get_by_role("combobox", name="Model", exact=True)


def choose(visit: Visit, title: str) -> Locator:
    """Chooses a model; returns the group that shows or offers its download."""
    picker(visit).fill(title)
    visit.page.get_by_role("option", name=re.compile(f"^{re.escape(title)},")).click()
    return visit.page.get_by_role("group", name=f"Weights of {title}")


def record(visit: Visit) -> Any:
    id = visit.explanation_id
    return visit.page.request.get(f"{visit.root}/api/v1/explanations/{id}").json()


def explained_model(visit: Visit) -> str:
    visit.finished()
    return str(record(visit)["inputs"][0]["model"])


# Choosing


def test_models_are_searched_by_keyboard(visit: Visit) -> None:
    visit.cat()
    field = picker(visit)
    expect(field).to_have_value("Tiny")
    about = visit.page.locator(".model-about")
    expect(about).to_contain_text("MIT")
    link = about.get_by_role("link", name="A paper on tiny networks")
    expect(link).to_have_attribute("href", "https://example.org/tiny")
    field.focus()
    field.press("ArrowDown")
    groups = visit.page.get_by_role("listbox", name="Model").get_by_role("group")
    expect(groups).to_have_count(3)
    assert [text.split("\n")[0] for text in groups.all_inner_texts()] == ["Ready", "Not here yet", "Missing"]
    expect(visit.page.get_by_role("option", name="Tiny, input 64, top-1 12.3 percent, ready")).to_have_attribute(
        "aria-selected", "true"
    )
    expect(
        visit.page.get_by_role("option", name="Grey, input 48 × 64, grey.safetensors is not on the server")
    ).to_have_count(1)
    assert visit.options.count() >= 31
    faults = visit.page.locator("model-picker .options-notes")
    expect(faults).to_contain_text("broken.toml: ")
    expect(visit.page.locator("model-picker [role=status]")).to_contain_text("broken.toml: ")
    assert visit.axe() == []
    visit.page.keyboard.type("resnet 50")
    expect(visit.options).to_have_count(2)
    field.press("ArrowUp")
    expect(visit.options.first).to_have_attribute("aria-selected", "false")
    visit.page.keyboard.press("ControlOrMeta+a")
    visit.page.keyboard.type("no such model")
    expect(visit.page.locator("model-picker .search-message")).to_have_text("No model matches “no such model”")
    field.press("Escape")
    field.blur()
    expect(field).to_have_value("Tiny")
    assert len(visit.asked) == 1
    link.focus()
    visit.page.evaluate(f"async () => (await {module('models/model-list.js')}).refreshModels()")
    visit.wait_for_frame()
    expect(link).to_be_focused()


def test_a_missing_model_is_explained_as_soon_as_its_file_is_there(visit: Visit, folder: Path) -> None:
    """A grey network that pads and takes the picture for one patch: Grad-CAM refuses it."""
    visit.cat()
    before = visit.pixels()
    choose(visit, "Grey")
    expect(visit.notice).to_contain_text("grey: the weight file grey.safetensors is not in GRADOSCOPE_MODELS")
    expect(picker(visit)).to_have_value("Tiny")
    assert visit.pixels() == before
    assert visit.axe() == []
    (folder / "later.safetensors").rename(folder / "grey.safetensors")
    picker(visit).blur()
    picker(visit).focus()
    choose(visit, "Grey")
    cam = visit.page.locator("map-panel").nth(2)
    expect(cam).to_contain_text("RefusedA class activation map needs a spatial feature map")
    expect(visit.page.get_by_role("button", name="Export", exact=True)).to_be_visible()
    visit.wait_until_idle()
    assert [place["width"] for place in visit.pixels()][-3:] == [64] * 3
    well = visit.page.locator("map-panel .map-well").last.bounding_box()
    assert well
    assert well["width"] / well["height"] == pytest.approx(64 / 48, rel=0.01)
    expect(visit.page.locator(".prediction").first).to_contain_text("class ")
    expect(visit.page.get_by_label("Input fit").locator("option:checked")).to_have_text("Pad (own)")
    expect(visit.page.get_by_label("Input size")).to_have_attribute("placeholder", "48x64")
    visit.page.locator("map-panel canvas.map").last.click()
    stage = visit.page.locator("dialog .map-well").bounding_box()
    assert stage
    assert stage["width"] / stage["height"] == pytest.approx(64 / 48, rel=0.01)


# Downloading


def test_weights_are_downloaded_and_the_picture_is_explained_with_them(visit: Visit) -> None:
    visit.cat()
    download = choose(visit, "Distant")
    expect(download).to_contain_text("Licence: Apache-2.0")
    assert len(visit.asked) == 1, "nothing is downloaded before the button is pressed"
    for _ in range(3):  # past the quality and a link of the model that is chosen
        visit.page.keyboard.press("Tab")
    expect(download.get_by_role("button", name="Download")).to_be_focused()
    visit.page.keyboard.press("Enter")
    expect(download.get_by_role("button", name="Cancel")).to_be_focused()
    expect(download.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile("^[1-9]"))
    expect(download).to_contain_text(re.compile(r"\d\.\d of 1\.8 MiB of model\.safetensors"))
    assert visit.axe() == []
    expect(visit.page.locator("panel-grid .context")).to_contain_text("Distant")
    expect(download).to_have_count(0)
    expect(picker(visit)).to_be_focused()
    expect(picker(visit)).to_have_value("Distant")
    assert explained_model(visit) == "distant"
    assert visit.sent["model"] == ["distant"]


def test_a_download_is_cancelled_and_resumed(visit: Visit, host: Host) -> None:
    visit.cat()
    download = choose(visit, "ShuffleNet v2 1.0×")
    download.get_by_role("button", name="Download 8.8 MiB").click()
    bar = download.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", re.compile("^[1-9]"))
    download.get_by_role("button", name="Cancel").click()
    expect(download).to_contain_text(re.compile(r"Stopped at \d\.\d of 4\.0 MiB\. The downloaded part is kept\."))
    visit.wait_until_idle()
    before = len(host.asked)
    download.get_by_role("button", name="Resume").click()
    while len(host.asked) == before:
        visit.page.wait_for_timeout(20)
    path, byte_range = host.asked[before]
    assert path == SLOW
    assert re.match(r"bytes=[1-9]\d+-$", byte_range or "")
    # If another model is chosen meanwhile, it stays chosen, and the download goes on where it is shown.
    choose(visit, "Distant" if "Distant" in ready(visit) else "Tiny")
    expect(download.get_by_role("button", name="Cancel")).to_be_visible()
    download.get_by_role("button", name="Cancel").click()
    download.get_by_role("button", name="Dismiss").click()
    expect(download).to_have_count(0)
    expect(picker(visit)).to_be_focused()


def ready(visit: Visit) -> list[str]:
    models = visit.page.request.get(f"{visit.root}/api/v1/models").json()["models"]
    return [model["title"] for model in models if model["availability"] == "ready"]


def test_a_download_that_fails_says_why(visit: Visit) -> None:
    visit.cat()
    download = choose(visit, "SqueezeNet 1.1")
    download.get_by_role("button", name="Download 4.7 MiB").click()
    expect(download).to_contain_text("Wrong weights")
    expect(download).to_contain_text("expected b8a52dc0. It was removed. Try again")
    expect(download.get_by_role("alert")).to_be_visible()
    assert visit.axe() == []
    download = choose(visit, "VGG-16")
    expect(visit.page.locator("weights-download")).to_have_count(1)
    download.get_by_role("button", name="Download 528 MiB").click()
    expect(download).to_contain_text("answers 404 for /models/vgg16-397923af.pth: there is no such file.")
    expect(download.get_by_role("button", name="Try again")).to_be_focused()


def test_where_downloads_are_not_allowed_the_command_is_shown(visit: Visit) -> None:
    def without(route: Route) -> None:
        answer = route.fetch(max_retries=FETCHES)
        route.fulfill(response=answer, json=answer.json() | {"downloads": "none"})

    visit.page.route(MODELS, without)
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.cat()
    offer = choose(visit, "ResNet-50")
    expect(offer).to_contain_text("gradoscope models pull resnet50")
    expect(offer.get_by_role("button", name="Download")).to_have_count(0)
    assert visit.axe() == []
    offer.get_by_role("button", name="Copy").click()
    expect(offer.get_by_role("button", name="Copied")).to_be_visible()
    assert visit.page.evaluate("() => navigator.clipboard.readText()") == "gradoscope models pull resnet50"


# The input


def frame_of(visit: Visit) -> np.ndarray:
    """The edges of the frame that shows what the model saw, in pixels of the picture."""
    image = visit.page.locator("img.original").bounding_box()
    frame = visit.page.locator(".crop").bounding_box()
    assert image
    assert frame
    zoom = image["width"] / 451
    assert image["height"] / zoom == pytest.approx(300, abs=1), "the picture keeps its aspect"
    left, top = (frame["x"] - image["x"]) / zoom, (frame["y"] - image["y"]) / zoom
    return np.array([left, top, left + frame["width"] / zoom, top + frame["height"] / zoom])


def test_fit_and_size_are_sent_and_restored_from_the_address(visit: Visit) -> None:
    visit.cat()
    fit, size = visit.page.get_by_label("Input fit"), visit.page.get_by_label("Input size")
    expect(fit.locator("option:checked")).to_have_text("Crop (own)")
    expect(size).to_have_attribute("placeholder", "64")
    fit.select_option("pad")
    expect(visit.page.locator(".caption")).to_have_text("451 × 300 · the model saw it padded to 64 × 64")
    visit.finished()
    assert visit.sent["fit"] == ["pad"]
    crop = record(visit)["inputs"][0]["crop"]
    assert crop[1] < 0, "the frame reaches beyond the picture"
    assert np.allclose(frame_of(visit), crop, atol=1.5)
    well = visit.page.locator(".picture-well").bounding_box()
    frame = visit.page.locator(".crop").bounding_box()
    assert well
    assert frame
    assert frame["y"] >= well["y"] - 0.5, "and the whole frame is in sight"
    fit.select_option("squash")
    expect(visit.page.locator(".caption")).to_have_text("451 × 300 · the model saw it squashed to 64 × 64")
    visit.finished()
    assert np.allclose(frame_of(visit), [0, 0, 451, 300], atol=1.5)
    size.fill("64 × 96")
    size.press("Enter")
    expect(visit.page.locator(".caption")).to_have_text("451 × 300 · the model saw it squashed to 96 × 64")
    visit.finished()
    assert visit.sent["size"] == ["64x96"]
    assert {place["width"] for place in visit.pixels()} == {96}
    visit.page.reload()
    visit.finished()
    expect(fit).to_have_value("squash")
    expect(size).to_have_value("64x96")
    visit.page.locator(".prediction").nth(1).click()
    visit.finished()
    sent = visit.sent
    assert (sent["fit"], sent["size"]) == (["squash"], ["64x96"])
    size.fill("")
    size.press("Enter")
    expect(visit.page.locator(".caption")).to_contain_text("64 × 64")
    fit.select_option("")
    expect(visit.page.locator(".caption")).to_contain_text("the model saw the frame")
    visit.finished()
    assert not {"fit", "size"} & visit.sent.keys()


def test_a_size_that_is_refused_stays_in_its_field(visit: Visit) -> None:
    visit.cat()
    size = visit.page.get_by_label("Input size")
    size.fill("4000")
    size.press("Enter")
    expect(visit.page.locator("section.ask .notice")).to_contain_text("A side is 32 … 1024 pixels.")
    expect(size).to_have_value("4000")
    expect(size).to_have_attribute("aria-invalid", "true")
    assert visit.axe() == []
    posts = len(visit.asked)
    size.fill("wide")
    size.press("Enter")
    expect(visit.page.locator("input-fields [role=alert]")).to_contain_text("A size is one side in pixels")
    assert len(visit.asked) == posts
    size.fill("96")
    size.press("Enter")
    expect(visit.notice).to_have_count(0)
    visit.finished()
    expect(size).not_to_have_attribute("aria-invalid", "true")


# Layers


def test_grad_cam_of_another_layer(visit: Visit) -> None:
    visit.cat()
    before = visit.pixels()
    visit.page.get_by_role("button", name="Details of Grad-CAM").click()
    layer = visit.page.get_by_role("combobox", name="Layer")
    expect(layer).to_have_value("layer4")
    layer.click()
    expect(visit.options.first).to_have_text(re.compile("^auto: layer4"))
    visit.page.keyboard.type("layer2")
    expect(visit.options.nth(1)).to_be_visible()
    assert visit.axe() == []
    layer.press("Escape")
    expect(visit.options).to_have_count(0)
    expect(layer).to_be_visible()  # only the list went
    layer.fill("layer2")
    visit.page.get_by_role("option", name=re.compile("^layer2 ")).click()
    expect(visit.page.locator("map-panel").nth(2).locator(".facts")).to_contain_text("layer layer2")
    visit.finished()
    assert json.loads(visit.sent["options"][0]) == {"grad_cam": {"layer": "layer2"}}
    after = visit.pixels()
    assert [old["sum"] == new["sum"] for old, new in zip(before, after, strict=True)] == [True] * 2 + [False] + [
        True
    ] * 3
    visit.page.reload()
    visit.finished()
    assert visit.pixels() == after
    visit.page.locator(".prediction").nth(1).click()
    visit.finished()
    assert json.loads(visit.sent["options"][0]) == {"grad_cam": {"layer": "layer2"}}
    visit.page.get_by_role("button", name="Details of Grad-CAM").click()
    layer.click()
    visit.options.first.click()
    expect(visit.page.locator("map-panel").nth(2).locator(".facts")).to_contain_text("layer layer4")
    assert "options" not in visit.sent


def test_any_method_of_the_list_can_be_added(visit: Visit) -> None:
    visit.cat()
    known = visit.page.request.get(f"{visit.root}/api/v1/methods").json()["methods"]
    absent = {method["title"]: method for method in known if not method["default"]}
    visit.page.get_by_role("button", name="Add a method").click()
    popup = visit.page.locator("add-method")
    expect(popup.get_by_role("option")).to_have_count(len(absent))
    # Under the headings of their families; what a map of each would take comes a moment later.
    groups = popup.get_by_role("group")
    for group in groups.all():
        texts = group.get_by_role("option").all_inner_texts()
        shown = {absent[title]["family"] for title in absent if any(text.startswith(f"{title} ") for text in texts)}
        assert len(shown) == 1
    expect(popup.get_by_role("option", name="Occlusion")).to_contain_text("about")
    search = visit.page.get_by_role("combobox", name="Add a method")
    search.fill("no such method")
    expect(popup).to_contain_text("No method for «no such method»")
    search.fill("guided cam")
    expect(popup.get_by_role("option")).to_have_count(1)
    search.press("Enter")
    expect(visit.page.get_by_role("button", name="Add a method")).to_be_focused()
    visit.finished(7)
    visit.page.get_by_role("button", name="Details of Guided Grad-CAM").click()
    expect(visit.page.get_by_role("combobox", name="Layer")).to_have_value("layer4")


# On a phone


def test_the_models_fit_a_phone(browser: Browser, server_url: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "color_scheme": "dark"}
    with visiting(browser, server_url, **phone) as visit:
        visit.cat()
        visit.page.get_by_role("button", name="Ask", exact=True).click()
        picker(visit).click()
        expect(visit.options.first).to_be_visible()
        box = visit.page.locator("model-picker .options").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["y"] >= 0
        assert visit.overflow() <= 0
        choose(visit, "ResNet-152")
        offer = visit.page.get_by_role("button", name="Download 230 MiB")
        expect(offer).to_be_in_viewport(ratio=1)
        assert visit.overflow() <= 0
        assert visit.axe() == []
