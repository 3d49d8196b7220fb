"""A user's own model, added by its card only: trained here, saved, served; its maps lie where the shape was drawn."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.support.cli import gradoscope
from tests.support.own_models import FAULTS, NETS, RESNET, tiny, write_card, write_faulty
from tests.support.paths import ROOT
from tests.support.server import Server

pytestmark = pytest.mark.slow  # it trains a network
SHAPES = ROOT / "examples" / "shapes"
SIX = (
    "vanilla_gradient",
    "guided_backprop",
    "grad_cam",
    "smooth_grad",
    "integrated_gradients",
    "blur_integrated_gradients",
)
FEW = json.dumps({name: {"steps": 4} for name in SIX[4:]} | {"smooth_grad": {"samples": 4}})
FRESH = 60  # pictures that training and validation have not seen


# --- The example: train, save, add by card, explain -------------------------------------------------------------------


@pytest.fixture(scope="session")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_shapes", SHAPES / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python examples/shapes/train.py` leaves, its time limit of three minutes included."""
    out = tmp_path_factory.mktemp("trained")
    patient = {"OMP_WAIT_POLICY": "PASSIVE"}  # idle threads sleep: else a busy neighbour makes it ten times slower
    done = subprocess.run(
        [sys.executable, SHAPES / "train.py", "--out", out],
        capture_output=True, text=True, check=False, env={**os.environ, **patient},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return out


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the user's own models; the server looks into it while the tests fill it."""
    return tmp_path_factory.mktemp("own") / "models"


@pytest.fixture(scope="session")
def own_server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder.mkdir()
    running = Server(tmp_path_factory.mktemp("own-server") / "store", GRADOSCOPE_MODELS=str(folder))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shapes(own_server: Server, folder: Path, trained: Path) -> Path:
    """The example's two models, put into the folder of a running server."""
    for name in ("shapes.safetensors", "shapes.pth", "labels.txt"):
        shutil.copy(trained / name, folder)
    for card in ("shapes.toml", "shapes_pth.toml"):
        shutil.copy(SHAPES / card, folder)
    return folder


def listed(server: Server) -> dict[str, Any]:
    """Models by id; the server looks at its folder at most once a second or so."""
    return {model["id"]: model for model in server.http.get("/api/v1/models").json()["models"]}


def wait_for(server: Server, model: str) -> dict[str, Any]:
    server._wait(lambda: model in listed(server), f"model {model}")
    return listed(server)[model]


def as_png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def explain(server: Server, picture: Image.Image, **fields: Any) -> dict[str, Any]:
    response = server.http.post("/api/v1/explanations", files={"image": as_png(picture)}, data=fields)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def values_of(server: Server, panel: dict[str, Any]) -> np.ndarray:
    response = server.http.get(panel["urls"]["npy"])
    assert response.status_code == 200, response.text
    values: np.ndarray = np.load(io.BytesIO(response.content))
    return values


def test_the_example_learns(trained: Path) -> None:
    outcome = json.loads((trained / "training.json").read_text())
    print(outcome)
    assert outcome["validation"] >= 0.95


def test_the_checkpoint_is_one_as_training_leaves_it(trained: Path) -> None:
    checkpoint = torch.load(trained / "shapes.pth", weights_only=True)
    assert set(checkpoint) == {"epoch", "state_dict", "optimizer"}
    assert all(name.startswith("module.") for name in checkpoint["state_dict"])


def test_the_example_makes_the_same_again(script: ModuleType) -> None:
    (first, labels), (again, _) = script.make_set(28, 5), script.make_set(28, 5)
    assert torch.equal(first, again)
    assert not torch.equal(first, script.make_set(28, 6)[0])
    assert labels.bincount().tolist() == [4] * 7


def test_both_cards_are_listed_as_ready(own_server: Server, shapes: Path) -> None:
    for id in ("shapes", "shapes_pth"):
        model = wait_for(own_server, id)
        assert (model["availability"], model["classes"], model["input_size"]) == ("ready", 7, [64, 64])


def test_labels_are_those_of_the_file(own_server: Server, shapes: Path, script: ModuleType) -> None:
    for id in ("shapes", "shapes_pth"):
        wait_for(own_server, id)
        classes = own_server.http.get(f"/api/v1/models/{id}/classes").json()["classes"]
        assert classes == [{"index": index, "label": label} for index, label in enumerate(script.LABELS)]
    found = own_server.http.get("/api/v1/models/shapes/classes", params={"query": "chev"}).json()["classes"]
    assert found == [{"index": 6, "label": "chevron"}]


def test_six_maps_with_the_right_label_alike_from_both_files(
    own_server: Server, shapes: Path, script: ModuleType
) -> None:
    label = script.LABELS.index("ring")
    picture = script.make_picture(np.random.default_rng(11), label, 3)
    both = {}
    for id in ("shapes", "shapes_pth"):
        wait_for(own_server, id)
        record = explain(own_server, picture, model=id)
        assert [(panel["method"], panel["status"]) for panel in record["panels"]] == [(name, "done") for name in SIX]
        assert {panel["target"]["label"] for panel in record["panels"]} == {"ring"}
        assert record["inputs"][0]["predictions"][0]["label"] == "ring"
        both[id] = [values_of(own_server, panel) for panel in record["panels"]]
    for plain, checkpoint in zip(*both.values(), strict=True):
        assert plain.shape[1:] == (64, 64)
        assert plain.std() > 0
        np.testing.assert_allclose(plain, checkpoint, rtol=1e-4, atol=1e-5 * np.abs(plain).max())


def test_grad_cam_lies_where_the_shape_was_drawn(own_server: Server, shapes: Path, script: ModuleType) -> None:
    wait_for(own_server, "shapes")
    rng = np.random.default_rng(20_240_607)
    hits = right = 0
    for number in range(FRESH):
        label, quadrant = number % len(script.LABELS), int(rng.integers(4))
        record = explain(own_server, script.make_picture(rng, label, quadrant), model="shapes", method="grad_cam")
        (panel,) = record["panels"]
        right += panel["target"]["index"] == label
        hits += int(np.argmax(shares(values_of(own_server, panel)[0]))) == quadrant
    print(f"of {FRESH} fresh pictures: class right {right}, quadrant right {hits}")
    assert hits >= 48
    assert right >= 54


def shares(values: np.ndarray) -> np.ndarray:
    """The share of each quadrant in a map, in the order of the script's QUADRANTS."""
    height, width = values.shape
    sums = values.reshape(2, height // 2, 2, width // 2).sum((1, 3)).flatten()
    return np.asarray(sums / max(float(sums.sum()), 1e-12))


def test_what_the_network_sees_in_training_is_what_it_sees_here(
    own_server: Server, shapes: Path, script: ModuleType
) -> None:
    wait_for(own_server, "shapes")
    picture = script.make_picture(np.random.default_rng(3), 2, 1)
    record = explain(own_server, picture, model="shapes", method="vanilla_gradient")
    shown = own_server.http.get(record["inputs"][0]["url"])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.content))), script.seen(picture))


@pytest.mark.parametrize("card", ["shapes", "shapes_pth"])
def test_check_finds_both_cards_good(trained: Path, shapes: Path, card: str) -> None:
    picture = trained / "pictures" / "ring-top-left.png"
    done = gradoscope("models", "check", shapes / f"{card}.toml", "--image", picture)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 classes" in done.stdout
    assert "the picture: ring" in done.stdout
    for method in SIX:
        assert re.search(rf"^ok +{method} ", done.stdout, flags=re.M)


# --- Small networks of every kind: they run, whatever their shape and however they were saved -------------------------


@dataclass(frozen=True)
class Small:
    """A model to be saved under `wrap`, and what its card says."""

    classes: int = 3
    channels: int = 3
    size: tuple[int, int] = (32, 32)
    wrap: str = "plain"
    source: str = ""
    top: str = ""


SMALL = {
    "grey_28": Small(10, channels=1, size=(28, 28), top="arguments = { channels = 1 }"),
    "one_class": Small(1),
    "many_classes": Small(100_000),
    "odd_size": Small(size=(50, 70)),
    "many_labels_at_once": Small(5, top='outputs = "sigmoid"'),
    "prefix_model": Small(wrap="model."),
    "prefix_compiled": Small(wrap="_orig_mod."),
    "prefix_both": Small(wrap="_orig_mod.module."),
    "ema": Small(wrap="ema", source='key = "model_ema"'),
    "averaged_model": Small(wrap="averaged"),
    "lightning": Small(wrap="lightning"),
}


def checkpoint_of(network: nn.Module, wrap: str) -> dict[str, Any]:
    tensors = dict(network.state_dict())
    if wrap == "plain":
        return tensors
    if wrap == "ema":
        return {"model": {name: torch.zeros_like(value) for name, value in tensors.items()}, "model_ema": tensors}
    if wrap == "averaged":
        return dict(torch.optim.swa_utils.AveragedModel(network).state_dict())
    if wrap == "lightning":
        inside = {f"net.{name}": value for name, value in tensors.items()}
        return {"state_dict": inside, "pytorch-lightning_version": "2.5", "hyper_parameters": {"lr": 0.1}}
    return {f"{wrap}{name}": value for name, value in tensors.items()}


def add_small(folder: Path, name: str) -> Path:
    case = SMALL[name]
    (folder / "own_nets.py").write_text(NETS)
    torch.save(checkpoint_of(tiny(case.classes, case.channels), case.wrap), folder / f"{name}.pt")
    values = str([0.5] * case.channels)
    return write_card(
        folder / f"{name}.toml", f"{name}.pt", architecture="own_nets:tiny", labels=f"classes = {case.classes}",
        mean=values, std=values, size=str(list(case.size)), channels=str(case.channels), source=case.source,
        top=case.top,
    )  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_small_networks_of_every_kind(own_server: Server, folder: Path, name: str) -> None:
    case = SMALL[name]
    add_small(folder, name)
    assert wait_for(own_server, name)["classes"] == case.classes
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 80, 3), dtype=np.uint8))
    record = explain(own_server, picture, model=name, options=FEW)
    assert [(panel["method"], panel["status"]) for panel in record["panels"]] == [(method, "done") for method in SIX]
    for panel in record["panels"]:
        channels = 1 if panel["method"] == "grad_cam" else case.channels
        assert panel["shape"] == [channels, *case.size]
    best = record["inputs"][0]["predictions"][0]
    shown = own_server.http.get(record["inputs"][0]["url"])
    logits = tiny(case.classes, case.channels).eval()(pixels(shown.content))[0].detach()
    assert best["index"] == int(logits.argmax())
    assert best["logit"] == pytest.approx(float(logits.max()), abs=1e-4)
    sigmoid = case.classes == 1 or "sigmoid" in case.top
    probabilities = logits.sigmoid() if sigmoid else logits.softmax(0)
    assert best["probability"] == pytest.approx(float(probabilities.max()), abs=1e-4)


def pixels(png: bytes) -> Tensor:
    """What the network was given of the picture that the server says it saw."""
    values = np.asarray(Image.open(io.BytesIO(png)), dtype=np.float32) / 255
    if values.ndim == 2:
        values = values[..., None]
    return torch.from_numpy((values - 0.5) / 0.5).permute(2, 0, 1)[None]


# --- What goes wrong, over REST ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faulty")
    write_faulty(folder)
    return folder


@pytest.mark.parametrize("name", ["architecture", "whole", "missing", "mean"])
def test_over_rest_a_fault_is_a_problem_and_others_go_on(
    own_server: Server, folder: Path, faulty: Path, name: str
) -> None:
    change, message = FAULTS[name]
    given = {"architecture": RESNET, "labels": "classes = 7", "file": "intact.safetensors"} | change
    file = faulty / given.pop("file")
    model = f"faulty_{name}"
    write_card(folder / f"{model}.toml", str(file), **given)
    add_small(folder, "odd_size")
    wait_for(own_server, "odd_size")
    picture = {"image": as_png(Image.new("RGB", (64, 64), "teal"))}

    def answered() -> bool:
        """The server looks into its folder when the list is asked for; until then it does not know the model."""
        own_server.http.get("/api/v1/models")
        response = own_server.http.post("/api/v1/explanations", files=picture, data={"model": model})
        return response.status_code != 404 and response

    response = own_server._wait(answered, "answer about the faulty model")
    assert response.status_code in (409, 503), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert message in response.json()["detail"]
    both = {"model": ["odd_size", model], "method": "vanilla_gradient"}
    if name != "mean":  # a card that cannot be read is no model: the whole request is refused
        record = own_server.http.post("/api/v1/explanations", files=picture, data=both).json()
        done, other = record["panels"]
        assert done["status"] == "done"
        assert other["status"] == ("refused" if name == "missing" else "failed")
        assert message in other["problem"]["detail"]
