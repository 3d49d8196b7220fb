"""The zoo over REST: models of one's own, downloads, fits and sizes, several models in one request."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch

from tests.support.nets import Tiny
from tests.support.paths import sample
from tests.support.server import NO_ACCELERATION, Server
from tests.support.streams import stream
from tests.support.weight_host import COMMIT, Host, weight_host

API = "/api/v1"
CARD = """
title = "Tiny {name}"
architecture = "tiny_net:build"
labels = ["ring", "cross", "star"]
{more}
[source]
{source}
[input]
size = [32, 48]
"""
BUILD = """
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        return self.head(self.second(self.first(x).relu()).relu().mean((2, 3)))

def build(num_classes):
    return Tiny(num_classes)
"""
FILE = 'kind = "file"\nfile = "{name}.pth"'


def put(folder: Path, name: str, seed: int = 0, more: str = "", source: str = FILE) -> None:
    """Writes code, weights and card of a tiny model; `more` is further TOML of the card."""
    (folder / "tiny_net.py").write_text(BUILD)
    torch.save(Tiny(seed=seed).state_dict(), folder / f"{name}.pth")
    (folder / f"{name}.toml").write_text(CARD.format(name=name, more=more, source=source.format(name=name)))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with weight_host() as host:
        yield host


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    put(folder, "tiny")
    (folder / "broken.toml").write_text('title = "No architecture"')
    return folder


@pytest.fixture(scope="module")
def zoo(host: Host, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with that folder of models, which may download from the host."""
    place = tmp_path_factory.mktemp("zoo")
    running = Server(
        place / "store",
        GRADOSCOPE_MODELS=str(folder),
        GRADOSCOPE_WEIGHTS=str(place / "weights"),
        GRADOSCOPE_WEIGHTS_MIRROR=host.url,
        GRADOSCOPE_DOWNLOADS="any",
        TORCH_HOME=str(place),
        HF_HOME=str(place),
        GRADOSCOPE_DEFAULT_MODEL="tiny",  # nothing larger is loaded at the start
        **NO_ACCELERATION,
    )
    yield running
    running.stop()


def listed(zoo: Server, id: str) -> dict:
    models = zoo.http.get(f"{API}/models").json()["models"]
    return next((model for model in models if model["id"] == id), {})


def explain(zoo: Server, **fields: object) -> httpx.Response:
    return zoo.http.post(f"{API}/explanations", files={"image": sample("cat.jpg")}, data=fields)


def test_catalogue(zoo: Server) -> None:
    catalogue = zoo.http.get(f"{API}/models").json()
    assert catalogue["downloads"] == "any"
    assert len(catalogue["models"]) >= 25
    assert [fault["card"] for fault in catalogue["faults"]] == ["broken.toml"]
    assert "architecture: is missing" in catalogue["faults"][0]["detail"]
    vgg = listed(zoo, "vgg16")
    assert (vgg["availability"], vgg["accuracy"], vgg["classes"]) == ("downloadable", 71.592, 1000)
    assert vgg["weights"] == {
        "file": "vgg16-397923af.pth",
        "bytes": pytest.approx(553e6, rel=0.01),
        "sha256": "397923af",
    }
    assert vgg["paper"]["url"] == "https://arxiv.org/abs/1409.1556"


def test_model_of_ones_own(zoo: Server) -> None:
    assert listed(zoo, "tiny")["availability"] == "ready"
    record = explain(zoo, model="tiny").json()
    assert {panel["status"] for panel in record["panels"]} == {"done"}
    assert {panel["target"]["label"] for panel in record["panels"]} <= {"ring", "cross", "star"}
    assert [panel["shape"] for panel in record["panels"][:3]] == [[3, 32, 48], [3, 32, 48], [1, 32, 48]]
    assert [layer["name"] for layer in listed(zoo, "tiny")["layers"]] == ["first", "second"]
    chosen = explain(zoo, model="tiny", method="grad_cam", options='{"grad_cam": {"layer": "first"}}').json()
    assert chosen["panels"][0]["diagnostics"]["layer"] == "first"
    classes = zoo.http.get(f"{API}/models/tiny/classes", params={"query": "cro"}).json()["classes"]
    assert classes == [{"index": 1, "label": "cross"}]


def test_card_dropped_into_the_folder_needs_no_restart(zoo: Server, folder: Path) -> None:
    assert not listed(zoo, "late")
    put(folder, "late", seed=3)
    assert listed(zoo, "late")["availability"] == "ready"
    first = explain(zoo, model="late", method="vanilla_gradient").json()
    assert first["panels"][0]["status"] == "done"
    put(folder, "late", seed=4)  # trained on: the same card, other weights
    again = explain(zoo, model="late", method="vanilla_gradient").json()
    assert not again["panels"][0]["from_store"]
    assert again["inputs"][0]["predictions"] != first["inputs"][0]["predictions"]
    (folder / "late.toml").unlink()
    assert not listed(zoo, "late")
    assert explain(zoo, model="late").status_code == 404


@pytest.mark.parametrize(
    ("model", "status", "detail"),
    [
        ("no_such_model", 404, "There is no model «no_such_model»"),
        ("broken", 503, "broken.toml: architecture: is missing"),
        ("resnet50", 409, "Run «gradoscope models pull resnet50», or put resnet50-11ad3fa6.pth from https://"),
        ("timm:no_such_net", 404, "There is no model"),
        ("timm:resnet18", 409, "«gradoscope models pull timm:resnet18»"),
        ("torchvision:resnet34", 409, "resnet34-b627a593.pth"),
        ("torchvision:resnet34.IMAGENET22K", 404, "has no «IMAGENET22K»"),
    ],
)
def test_models_that_cannot_be_loaded(zoo: Server, model: str, status: int, detail: str) -> None:
    answer = explain(zoo, model=model)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == "model"


def test_a_missing_model_beside_one_that_is_there(zoo: Server) -> None:
    record = explain(zoo, model=["resnet50", "tiny"], method="grad_cam").json()
    assert [panel["status"] for panel in record["panels"]] == ["refused", "done"]
    assert record["panels"][0]["problem"]["title"] == "Weights not here"
    assert record["status"] == "done"
    sheet = zoo.http.get(f"{API}/explanations/{record['id']}.png")
    assert sheet.status_code == 200
    assert zoo.http.get(f"{API}/explanations/{record['id']}.zip").status_code == 200


# --- downloads


def test_download_with_its_progress(zoo: Server, host: Host, folder: Path, tmp_path: Path) -> None:
    """A model of timm's by id: the hub's commit is pinned, the file checked; then it explains."""
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    save_file(timm.create_model("mobilenetv3_small_050").state_dict(), tmp_path / "w.safetensors")
    data = (tmp_path / "w.safetensors").read_bytes()
    id, repository = "timm:mobilenetv3_small_050.lamb_in1k", "timm/mobilenetv3_small_050.lamb_in1k"
    host.files[f"/{repository}/resolve/main/model.safetensors"] = data
    host.pause, host.asked = 0.01, []
    events = []
    with zoo.http.stream("POST", f"{API}/models/{id}/weights", headers={"accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [line.removeprefix("event: ") for line in answer.iter_lines() if line.startswith("event: ")]
    host.pause = 0.0
    assert events[-1] == "done"
    assert set(events[:-1]) == {"progress"}
    assert len(events) > 2
    assert host.asked == [(f"/{repository}/resolve/{COMMIT}/model.safetensors", None)]
    model = listed(zoo, id)
    assert (model["availability"], model["licence"]) == ("ready", "apache-2.0")
    assert model["weights"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert explain(zoo, model=id, method="grad_cam").json()["panels"][0]["status"] == "done"
    again = zoo.http.post(f"{API}/models/{id}/weights")
    assert again.json()["availability"] == "ready"
    assert len(host.asked) == 1


def test_several_clients_share_a_download_and_leaving_ends_it(zoo: Server, host: Host) -> None:
    path = "/models/squeezenet1_1-b8a52dc0.pth"
    host.files[path] = bytes(3_000_000)
    host.pause, host.asked, host.sent = 0.05, [], 0
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.post(f"{zoo.url}{API}/models/squeezenet1_1/weights", timeout=60))

    with zoo.http.stream(
        "POST", f"{API}/models/squeezenet1_1/weights", headers={"accept": "text/event-stream"}
    ) as first:
        lines = first.iter_lines()
        next(lines)
        other = threading.Thread(target=ask)
        other.start()
        time.sleep(0.5)
        assert [asked for asked, _ in host.asked] == [path]  # one download for both
    host.pause = 0.0
    other.join()  # the first client has left; the other goes on, and the file is wrong
    assert answers[0].status_code == 502
    assert "its SHA-256 begins with" in answers[0].json()["detail"]
    assert len(host.asked) == 1
    host.pause, host.sent = 0.05, 0
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{zoo.url}{API}/models/squeezenet1_1/weights", timeout=0.8)
    time.sleep(1.0)
    sent = host.sent
    time.sleep(0.5)
    assert host.sent - sent <= 2 * host.piece  # the download has stopped: nobody waits for it
    assert host.sent < 3_000_000
    host.pause = 0.0
    assert zoo.http.post(f"{API}/models/squeezenet1_1/weights").status_code == 502  # at once, from where it ended
    assert host.asked[-1][1] is not None
    assert listed(zoo, "squeezenet1_1")["availability"] == "downloadable"


def test_download_that_is_not_there(zoo: Server) -> None:
    answer = zoo.http.post(f"{API}/models/alexnet/weights")
    assert answer.status_code == 502
    assert "answers 404 for /models/alexnet-owt-7be5be79.pth" in answer.json()["detail"]
    assert zoo.http.post(f"{API}/models/no_such/weights").status_code == 404
    events = zoo.http.post(f"{API}/models/alexnet/weights", headers={"accept": "text/event-stream"}).text
    assert "event: error" in events
    assert "answers 404" in events
    assert zoo.http.post(f"{API}/models/efficientnet_lite0/weights").json()["availability"] == "ready"


def test_download_is_refused_to_other_sites(zoo: Server) -> None:
    answer = zoo.http.post(f"{API}/models/alexnet/weights", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


def test_downloads_are_for_the_operator_to_allow(quick_model_server: Server) -> None:
    """The default of the setting allows none."""
    with httpx.Client(base_url=quick_model_server.url, timeout=60) as http:
        assert http.get(f"{API}/models").json()["downloads"] == "none"
        refused = http.post(f"{API}/models/alexnet/weights")
        assert refused.status_code == 403
        assert "«gradoscope models pull alexnet»" in refused.json()["detail"]
        assert http.post(f"{API}/models/timm:resnet18.a1_in1k/weights").status_code == 403
        assert (
            http.post(f"{API}/explanations", data={"sample": "cat", "model": "timm:resnet18.a1_in1k"}).status_code
            == 403
        )
        assert http.get(f"{API}/models/torchvision:resnet34/classes").status_code == 403


# --- fits and sizes


@pytest.mark.parametrize(
    ("fields", "size", "fit"),
    [({}, [32, 48], "crop"), ({"fit": "pad"}, [32, 48], "pad"), ({"size": "64", "fit": "squash"}, [64, 64], "squash"),
     ({"size": "40x32"}, [40, 32], "crop")],
)  # fmt: skip
def test_fit_and_size(zoo: Server, fields: dict, size: list[int], fit: str) -> None:
    record = explain(zoo, model="tiny", method="vanilla_gradient", **fields).json()
    assert (record["inputs"][0]["size"], record["inputs"][0]["fit"]) == (size, fit)
    assert record["panels"][0]["shape"] == [3, *size]
    predicted = zoo.http.post(f"{API}/predictions", data={"sample": "cat", "model": "tiny", **fields}).json()
    assert len(predicted["predictions"][0]["classes"]) == 3


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"fit": "stretch"}, "fit"), ({"size": "31"}, "size"), ({"size": "4x"}, "size"), ({"size": "1025"}, "size"),
     ({"size": "320x"}, "size"), ({"size": "64x2000"}, "size"), ({"size": ""}, "size")],
)  # fmt: skip
def test_invalid_fits_and_sizes(zoo: Server, fields: dict, field: str) -> None:
    answer = explain(zoo, model="tiny", **fields)
    if fields == {"size": ""}:
        assert answer.status_code in (200, 422)  # an empty form field may count as absent
        return
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_the_stream_reports_a_model_that_cannot_be_loaded(zoo: Server) -> None:
    with stream(zoo.http, None, sample="cat", model=["alexnet", "tiny"], method="grad_cam") as events:
        received = list(events)
    panels = [data["panel"] for name, data in received if name == "panel"]
    assert [panel["status"] for panel in panels] == ["refused", "done"]
    assert received[-1][0] == "done"
