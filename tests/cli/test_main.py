"""The console command: as a shell runs it, and what it says in this process."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import timm
import torch
from gradoscope import __version__
from gradoscope.cli import models as cli_models
from gradoscope.cli.explain import parse_options
from gradoscope.cli.main import _listen
from gradoscope.cli.options import quality_of
from gradoscope.contract.problems import Unprocessable
from gradoscope.settings import Settings
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file

from tests.support.cli import gradoscope
from tests.support.paths import SAMPLES
from tests.support.weight_host import COMMIT, weight_host


def process(*arguments, **environment):
    """As a shell runs it; where that does not matter, `gradoscope` is quicker."""
    return subprocess.run(
        [sys.executable, "-m", "gradoscope", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


def size(path):
    with Image.open(path) as picture:
        return picture.size


def test_explain_writes_pictures_arrays_and_the_record(quick_model, tmp_path):
    done = process(
        "explain", SAMPLES / "cat.jpg", "--method", "vanilla_gradient", "--method", "smooth_grad", "--target", 285,
        "-o", "smooth_grad.samples=5", "--out", tmp_path / "out", **quick_model,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 of 2 maps" in done.stdout
    record = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert [panel["parameters"] for panel in record["panels"]][1]["samples"] == 5
    for panel in record["panels"]:
        name = f"panels/{panel['id']}-efficientnet_lite0-{panel['method']}-285"
        assert np.load(tmp_path / "out" / f"{name}.npy").shape == (3, 224, 224)
        assert size(tmp_path / "out" / f"{name}.png") == (224, 224)
    assert size(tmp_path / "out" / "contact_sheet.png")[0] > 3 * 224


def test_a_record_names_its_files_and_a_class_goes_by_its_label(quick_model, tmp_path):
    asked = ("--method", "grad_cam", "--target", "Egyptian cat", "--against", "tiger cat", "--out", tmp_path / "out")
    done = gradoscope("explain", SAMPLES / "cat.jpg", *asked, **quick_model)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "explanation.json").read_text()
    record = json.loads(text)
    (panel,) = record["panels"]
    assert (panel["target"]["index"], panel["against"]["index"]) == (285, 282)
    assert np.load(tmp_path / "out" / panel["urls"]["npy"]).shape == (1, 224, 224)
    assert size(tmp_path / "out" / panel["urls"]["png"]) == (224, 224)
    assert size(tmp_path / "out" / record["inputs"][0]["url"]) == (224, 224)
    assert "/api/v1" not in text
    unknown = gradoscope(
        "explain", SAMPLES / "cat.jpg", "--target", "expresso", "--out", tmp_path / "none", **quick_model
    )
    assert unknown.returncode == 2
    said = " ".join(unknown.stderr.split())
    assert "target: efficientnet_lite0 has no class «expresso». Near it: 967 (espresso)" in said
    assert "server" not in said


def test_models_keep_their_ids_whole_in_a_narrow_terminal(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(cli_models, "console", Console(file=out, width=80, force_terminal=True, color_system=None))
    cli_models.models(MagicMock(invoked_subcommand=None))
    lines = out.getvalue().splitlines()
    assert any(line.startswith("efficientnet_lite0 *") for line in lines)
    assert any(line.startswith("mobilenet_v3_large ") for line in lines)
    assert max(map(len, lines[:20])) <= 80


def test_flow_says_where_the_gradient_vanishes():
    done = gradoscope("flow", SAMPLES / "cat.jpg", "--target", 285)
    assert done.returncode == 0, done.stderr
    assert "efficientnet_lite0: logit of Egyptian cat (285)" in done.stdout
    assert "The gradient arrives at the picture" in done.stdout
    assert "1000 " in done.stdout.splitlines()[-1]


def test_a_refusal_is_one_sentence_and_exit_code_2(quick_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    done = gradoscope("explain", bad, **quick_model)
    assert done.returncode == 2
    assert "not a picture of an allowed format" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [bad]


def test_messages_are_printed_whole(tmp_path):
    """Brackets in a name are no markup."""
    for name in ("cat[/b].jpg", "cat[red].jpg"):
        done = gradoscope("explain", tmp_path / name)
        assert done.returncode == 2
        assert name in done.stderr.replace("\n", "")


def test_a_picture_that_cannot_be_read_is_reported(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "cat.jpg").write_bytes(b"x")
    monkeypatch.setattr(Path, "read_bytes", denied)
    done = gradoscope("explain", tmp_path / "cat.jpg")
    assert done.returncode == 2
    assert "cat.jpg cannot be read: Permission denied" in done.stderr.replace("\n", "")


def test_a_name_that_the_terminal_cannot_write_is_reported(quick_model, tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb") as file:
        file.write(b"no picture")
    done = process("explain", tmp_path, cwd=tmp_path, PYTHONIOENCODING="ascii", **quick_model)
    assert done.returncode == 1
    assert "\\udcff.jpg: " in done.stdout
    assert "Traceback" not in done.stderr


def test_models_and_methods_are_listed():
    models = gradoscope("models")
    assert "efficientnet_lite0 *" in " ".join(models.stdout.split()).replace("lite0*", "lite0 *")
    assert "resnet50" in models.stdout
    for listed in (gradoscope("models", COLUMNS="80").stdout, process("models", COLUMNS="40").stdout):  # into a pipe
        assert "efficientnet_lite0 *" in listed
        assert "…" not in listed
        lines = [line.split()[0] for line in listed.splitlines() if line.strip()]
        assert {"efficientnet_lite0", "inception_v3", "mobilenet_v3_large"} <= set(lines)
    methods = gradoscope("methods")
    assert methods.stdout.index("vanilla_gradient") < methods.stdout.index("blur_integrated_gradients")
    assert "-o smooth_grad.samples=50  [1 … 2000]" in methods.stdout
    assert gradoscope("--version").stdout.strip() == __version__


@pytest.fixture
def host():
    with weight_host() as host:
        yield host


def test_models_and_methods_as_json_are_what_the_server_answers(quick_model_server):
    listed = json.loads(gradoscope("methods", "--json").stdout)
    assert listed == quick_model_server.http.get("/api/v1/methods").json()
    models = json.loads(gradoscope("models", "--json").stdout)
    answered = quick_model_server.http.get("/api/v1/models").json()
    assert models.keys() == answered.keys()
    assert models["default"] == "efficientnet_lite0"
    known = {model["id"]: model for model in models["models"]}
    assert known["resnet50"]["classes"] == 1000
    assert known["resnet50"].keys() == answered["models"][0].keys()
    refused = gradoscope("models", "--json", "pull", "resnet50")
    assert refused.returncode == 2
    assert "pull does not take it" in refused.stderr


def test_models_are_pulled_and_refused_by_name(tmp_path, host):
    data = b"these are not SqueezeNet's weights" * 1000
    host.files["/models/squeezenet1_1-b8a52dc0.pth"] = data
    places = {"GRADOSCOPE_WEIGHTS": str(tmp_path), "GRADOSCOPE_WEIGHTS_MIRROR": host.url, "TORCH_HOME": str(tmp_path)}
    wrong = gradoscope("models", "pull", "squeezenet1_1", "alexnet", **places)
    assert wrong.returncode == 2
    assert "Wrong weights: squeezenet1_1: what came for squeezenet1_1-b8a52dc0.pth is not that file" in wrong.stdout
    assert "answers 404 for /models/alexnet-owt-7be5be79.pth: there is no such file" in wrong.stderr.replace("\n", " ")
    offline = gradoscope("models", "pull", "resnet18", GRADOSCOPE_OFFLINE="1", **places)
    assert "put resnet18-f37072fd.pth from https://download.pytorch.org" in offline.stderr.replace("\n", " ")
    assert gradoscope("models", "pull", "resnet19", **places).returncode == 2
    assert gradoscope("models", "pull", **places).returncode == 2
    here = gradoscope("models", "pull", "efficientnet_lite0", **places)
    assert here.returncode == 0
    assert "efficientnet-lite0-57934424.pth" in here.stdout


def test_a_model_without_a_card_is_pulled_and_explains(tmp_path, host):
    """timm's own id: pinned at the hub's commit, checked by the hub's hash; the weights are seeded random ones."""
    torch.manual_seed(0)
    save_file(timm.create_model("mobilenetv3_small_050").state_dict(), tmp_path / "model.safetensors")
    repository = "timm/mobilenetv3_small_050.lamb_in1k"
    host.files[f"/{repository}/resolve/main/model.safetensors"] = (tmp_path / "model.safetensors").read_bytes()
    places = {
        "GRADOSCOPE_WEIGHTS": str(tmp_path / "w"),
        "GRADOSCOPE_WEIGHTS_MIRROR": host.url,
        "HF_HOME": str(tmp_path),
        "GRADOSCOPE_ACCELERATION": "none",
    }
    done = gradoscope(
        "explain", SAMPLES / "cat.jpg", "--model", "timm:mobilenetv3_small_050.lamb_in1k", "--method", "grad_cam",
        "--fit", "pad", "--size", "160x128", "--out", tmp_path / "out", **places,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "w" / "hub" / repository / COMMIT / "model.safetensors").is_file()
    record = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert record["panels"][0]["status"] == "done"
    assert (record["inputs"][0]["size"], record["inputs"][0]["fit"]) == ([160, 128], "pad")
    again = gradoscope("models", "pull", "timm:mobilenetv3_small_050.lamb_in1k", GRADOSCOPE_OFFLINE="1", **places)
    assert again.returncode == 0
    assert len(host.asked) == 1
    for wrong in (("--fit", "stretch"), ("--size", "0"), ("--size", "4000")):
        assert gradoscope("explain", SAMPLES / "cat.jpg", *wrong, **places).returncode == 2


def test_a_port_that_is_taken_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = process("serve", "--port", taken.getsockname()[1])
    assert done.returncode == 2
    assert "Take another --port" in done.stderr


def test_answers_go_out_at_once():
    """With Nagle's algorithm on, each further answer on a connection would wait for 40 ms."""

    async def connection() -> int:
        listener = _listen(Settings(port=0))
        connected = asyncio.get_running_loop().create_future()

        class Peer(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                accepted = transport.get_extra_info("socket")
                connected.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                transport.close()

        async with await asyncio.get_running_loop().create_server(Peer, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            undelayed = await connected
            writer.close()
            await writer.wait_closed()
            return undelayed

    assert asyncio.run(connection())


def test_quality_on_the_command_line():
    assert [quality_of(text) for text in (None, "quick", "good", "exact")] == [None, "quick", "good", "exact"]
    with pytest.raises(Unprocessable, match="quick, good, exact"):
        quality_of("best")


def test_options_on_the_command_line():
    assert parse_options(["a.b=3", "a.c=true", "grad_cam.layer=blocks.5", "x.y=0.5"]) == {
        "a": {"b": 3, "c": True},
        "grad_cam": {"layer": "blocks.5"},
        "x": {"y": 0.5},
    }
    for wrong in ("samples=3", "smooth_grad.samples", "="):
        with pytest.raises(Unprocessable, match=r"METHOD\.PARAMETER=VALUE"):
            parse_options([wrong])
