"""Many pictures with one question: what comes of each is what comes of it alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
import pytest
import torch
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.methods.vanilla_gradient import VanillaGradient
from gradoscope.cli.explain_run import write_picture
from gradoscope.contract.jobs import Explain
from gradoscope.contract.packed_map import unpack_map
from gradoscope.contract.problems import Unprocessable
from gradoscope.images.image_files import ImageFile
from gradoscope.pipeline.batch import Batch, ExplainedPicture, FailedPicture, SkippedPicture, ahead
from gradoscope.pipeline.pipeline import explain
from gradoscope.pipeline.resume import ResultFolder, write_folder
from gradoscope.zoo import zoo
from PIL import Image

from tests.support.cli import gradoscope
from tests.support.nets import LITE0, relative
from tests.support.paths import SAMPLES

PICTURES = 9  # of the run that is interrupted twice
CHEAP = ("vanilla_gradient", "guided_backprop", "grad_cam")
FEW = {"smooth_grad": {"samples": 3}, "integrated_gradients": {"steps": 3}, "blur_integrated_gradients": {"steps": 3}}


@pytest.fixture(scope="module")
def context(open_context, tmp_path_factory):
    return open_context(store=tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def real_context(open_context, tmp_path_factory):
    """With the shipped model itself, and its faster backends."""
    return open_context(models=None, store=tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Six pictures of several sizes and classes."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(("cat", "espresso", "rocket", "cat", "espresso", "rocket")):
        with Image.open(SAMPLES / f"{name}.jpg") as picture:
            width, height = picture.size
            picture.crop((7 * number, 5 * number, width - 11 * number, height)).save(folder / f"{number}.png")
    return folder


def entries(folder, out=None):
    return [ImageFile(path, (out or folder / "out") / path.name) for path in sorted(folder.glob("*.*"))]


def never(entry, mark):
    return False


def question(**fields):
    return Explain("", b"", **fields)


def one_by_itself(entry, asked, context):
    """The record and the maps of one picture by itself."""
    job = Explain(os.urandom(16).hex(), entry.path.read_bytes(), asked.models, asked.methods, asked.targets,
                  asked.against, asked.score, asked.options, asked.seed)  # fmt: skip
    record = [event for event in explain(job, context) if event is not None][-1].data
    read = context.store.read
    return record, {p["id"]: unpack_map(read(job.id, f"panel:{p['id']}")) for p in record["panels"]}


@pytest.mark.parametrize(
    ("opened", "asked"),
    [
        ("real_context", question(methods=CHEAP)),
        ("context", question(methods=CHEAP)),
        (
            "context",
            question(
                models=(LITE0, "efficientnet_lite1"), methods=("grad_cam",), targets=(None, 0), score="probability"
            ),
        ),
        ("context", question(methods=("vanilla_gradient",), targets=(282,), against=285)),
        ("context", question(options=FEW, seed=3)),
    ],
    ids=["three of the real one", "three", "models_and_targets", "against", "six"],
)  # fmt: skip
def test_what_comes_of_a_picture_is_what_comes_of_it_alone(opened, asked, pictures, request):
    """To the bounds of two right float32 engines: rounding flips ReLU6 kinks."""
    context = request.getfixturevalue(opened)
    listed, errors = entries(pictures), []
    shots = list(Batch(asked, context, never).explain(listed))
    assert [shot.entry for shot in shots] == listed
    for shot in shots:
        record, maps = one_by_itself(shot.entry, asked, context)
        differ = ("id", "url", "seconds", "mark", "source", "inputs", "panels")
        for name in set(record) - set(differ):
            assert shot.record.to_dict()[name] == record[name], name
        for actual, expected in zip(shot.record.to_dict()["inputs"], record["inputs"], strict=True):
            assert [c["index"] for c in actual["predictions"]] == [c["index"] for c in expected["predictions"]]
            assert (actual["crop"], actual["size"], len(actual["targets"])) == (
                expected["crop"], expected["size"], len(expected["targets"]),
            )  # fmt: skip
        for actual, expected in zip(shot.record.to_dict()["panels"], record["panels"], strict=True):
            for name in ("id", "status", "model", "method", "target", "against", "parameters", "shape"):
                assert actual[name] == expected[name], name
            assert actual["diagnostics"].keys() == expected["diagnostics"].keys()
            errors.append(relative(torch.from_numpy(shot.maps[actual["id"]]), torch.from_numpy(maps[actual["id"]])))
    assert len({shot.record.to_dict()["panels"][0]["target"]["index"] for shot in shots}) > 1 or asked.targets
    assert median(errors) <= 1e-2
    assert max(errors) <= 1e-1


BY_THE_BATCH = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)
        self.second, self.head = nn.Conv2d(4, 6, 3), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.second(self.norm(self.first(x)).relu()).relu().mean((2, 3)))

def build():
    return Net()
"""


def test_a_network_that_looks_at_the_whole_batch_gets_each_picture_alone(open_context, pictures, tmp_path):
    (tmp_path / "by_the_batch.py").write_text(BY_THE_BATCH)
    scope = {}
    exec(BY_THE_BATCH, scope)
    torch.manual_seed(0)
    torch.save(scope["build"]().state_dict(), tmp_path / "net.pth")
    (tmp_path / "net.toml").write_text(
        'title = "Net"\narchitecture = "by_the_batch:build"\nclasses = 3\n[source]\nkind = "file"\n'
        'file = "net.pth"\n[input]\nsize = [32, 32]\n'
    )
    context = open_context(store=tmp_path / "store", models=tmp_path, micro_batch=4)
    asked = question(models=("net",), methods=("vanilla_gradient", "grad_cam"), targets=(1,))
    for shot in Batch(asked, context, never).explain(entries(pictures)[:3]):
        record, maps = one_by_itself(shot.entry, asked, context)
        (seen,) = shot.record.to_dict()["inputs"]
        assert [note["code"] for note in seen["notes"]] == ["batch_dependent"]
        assert seen["predictions"] == record["inputs"][0]["predictions"]
        for id, values in maps.items():
            np.testing.assert_array_equal(shot.maps[id], values)


def test_pictures_share_a_pass(pictures, open_context, tmp_path, monkeypatch):
    """What they are, and all their maps of one pass, come from one way up."""
    context, passes = open_context(store=tmp_path, micro_batch=4, acceleration="none"), []

    def counted(self, x):
        passes.append(len(x))
        return forward(self, x)

    forward = Classifier.forward
    monkeypatch.setattr(Classifier, "forward", counted)
    batch = Batch(question(methods=CHEAP), context, never)
    assert all(isinstance(shot, ExplainedPicture) for shot in batch.explain(entries(pictures)))
    probing, shared = passes[:-2], passes[-2:]  # a network that is new is probed by one picture at a time
    assert shared == [4, 2]
    assert len(probing) <= 3
    assert set(probing) <= {1}


def test_a_picture_whose_class_cannot_be_explained_goes_along(pictures, context):
    """`against` is the top class of some pictures only: they are faults, and the others are right."""
    shots = Batch(question(methods=("grad_cam",)), context, never).explain(entries(pictures))
    top = [shot.record.to_dict()["inputs"][0]["predictions"][0]["index"] for shot in shots]
    asked = question(methods=("vanilla_gradient",), against=top[0])
    results = list(Batch(asked, context, never).explain(entries(pictures)))
    assert [type(result) for result in results].count(FailedPicture) == top.count(top[0]) < 6
    for shot in (result for result in results if isinstance(result, ExplainedPicture)):
        record, maps = one_by_itself(shot.entry, asked, context)
        assert shot.record.to_dict()["panels"][0]["target"] == record["panels"][0]["target"]
        assert relative(torch.from_numpy(shot.maps["p1"]), torch.from_numpy(maps["p1"])) <= 1e-1


def test_models_that_do_not_fit_together_are_loaded_once_for_many_pictures(
    pictures, open_context, tmp_path, monkeypatch
):
    models = (LITE0, "efficientnet_lite1")
    tight = open_context(store=tmp_path, model_bytes=24 * 2**20 // 10, acceleration="none")
    batch = Batch(question(models=models, methods=("grad_cam",)), tight, never)
    built = []
    build = zoo.build_classifier
    monkeypatch.setattr(zoo, "build_classifier", lambda spec, *rest: built.append(spec.id) or build(spec, *rest))
    shots = list(batch.explain(entries(pictures)))
    assert [[panel["status"] for panel in shot.record.to_dict()["panels"]] for shot in shots] == [["done", "done"]] * 6
    assert len(built) <= 4  # each for the looking and for the maps, not for each picture


def test_what_fails_together_is_tried_alone(pictures, context, monkeypatch):
    """One picture's overflow, or a micro-batch too large for the memory, is not the others' fault."""

    def failing(self, engine, x, parameters):
        if len(x) > 1 or float(x.mean()) == darkest:
            raise ArithmeticError("too much")
        return maps(self, engine, x, parameters)

    batch = Batch(question(methods=("vanilla_gradient",)), context, never)
    shots = list(batch.explain(entries(pictures)))
    darkest = min(float(shot.model_inputs[LITE0].x[None].mean()) for shot in shots)
    maps = VanillaGradient.maps
    monkeypatch.setattr(VanillaGradient, "maps", failing)
    results = list(batch.explain(entries(pictures)))
    assert [type(result) for result in results].count(ExplainedPicture) == 5
    (fault,) = (result for result in results if isinstance(result, FailedPicture))
    assert "ArithmeticError: too much" in fault.problem.detail


def test_a_pass_that_fails_for_one_picture_is_its_own_fault(pictures, context, monkeypatch):
    def failing(self, x):
        if float(x.mean(dim=(1, 2, 3)).min()) <= darkest:
            raise ArithmeticError("too much")
        return forward(self, x)

    batch = Batch(question(methods=("grad_cam",)), context, never)
    darkest = min(float(shot.model_inputs[LITE0].x.mean()) for shot in batch.explain(entries(pictures))) + 1e-6
    forward = Classifier.forward
    monkeypatch.setattr(Classifier, "forward", failing)
    results = list(batch.explain(entries(pictures)))
    assert [type(result) for result in results].count(ExplainedPicture) == 5
    assert [r.problem.status for r in results if isinstance(r, FailedPicture)] == [503]


def test_faulty_pictures_do_not_stop_the_others(pictures, context, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "b.jpg").write_bytes((SAMPLES / "cat.jpg").read_bytes()[:9000])
    (tmp_path / "c.jpg").write_bytes((SAMPLES / "cat.jpg").read_bytes())
    listed = [*entries(tmp_path), ImageFile(tmp_path / "gone.jpg", tmp_path / "out")]
    outcome = list(Batch(question(methods=("grad_cam",)), context, never).explain(listed))
    problems = {
        result.entry.path.name: result.problem.detail for result in outcome if isinstance(result, FailedPicture)
    }
    assert set(problems) == {"a.jpg", "b.jpg", "gone.jpg"}
    assert "not a picture of an allowed format" in problems["a.jpg"]
    assert "No such file" in problems["gone.jpg"]
    assert [result.entry.path.name for result in outcome if isinstance(result, ExplainedPicture)] == ["c.jpg"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"methods": ("grad_kam",)}, "no method «grad_kam»"),
        ({"targets": (1000,)}, "class 1000 is outside"),
        ({"targets": (3,), "against": 3}, "class 3 is the target itself"),
        ({"options": {"smooth_grad": {"samples": 0}}}, r"smooth_grad\.samples"),
    ],
)
def test_a_wrong_question_is_refused_before_any_picture_is_read(fields, reason, context):
    with pytest.raises(Unprocessable, match=reason):
        Batch(question(**fields), context, never)


def test_what_is_there_is_kept_and_another_question_replaces_it(pictures, context, tmp_path):
    def results(**fields):
        batch = Batch(question(**fields), context, lambda entry, mark: ResultFolder(entry.folder).holds(mark))
        return Counter(type(write_picture(found)) for found in batch.explain(entries(pictures, tmp_path)))

    assert results(methods=("grad_cam",)) == {ExplainedPicture: 6}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert results(methods=("grad_cam",)) == {SkippedPicture: 6}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    (tmp_path / "0.png" / "explanation.json").write_text("{")
    assert results(methods=("grad_cam",)) == {ExplainedPicture: 1, SkippedPicture: 5}
    assert results(methods=("grad_cam",), targets=(1,)) == {ExplainedPicture: 6}
    panels = {path.name for path in (tmp_path / "0.png" / "panels").iterdir()}
    assert panels == {f"p1-{LITE0}-grad_cam-1.npy", f"p1-{LITE0}-grad_cam-1.png"}


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def breaking():
        yield "explanation.json", b"{}"
        assert not (tmp_path / "x").exists()
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_folder(tmp_path / "x", breaking())
    assert list(tmp_path.iterdir()) == []
    write_folder(tmp_path / "x", [("explanation.json", b"{}"), ("panels/a.npy", b"1")])
    write_folder(tmp_path / "x", [("explanation.json", b"[]")])
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["explanation.json"]
    assert ResultFolder(tmp_path / "x").mark is None


def test_what_is_no_explanation_is_left_alone(pictures, context, tmp_path):
    (tmp_path / "0.png").mkdir()
    (tmp_path / "0.png" / "mine.txt").write_text("mine")
    batch = Batch(question(methods=("grad_cam",)), context, never)
    (fault,) = (write_picture(found) for found in batch.explain(entries(pictures, tmp_path)[:1]))
    assert "cannot be written" in fault.problem.detail
    assert [path.name for path in tmp_path.rglob("*")] == ["0.png", "mine.txt"]


def test_a_few_items_ahead_and_no_more():
    begun, slow = [], threading.Event()

    def work(item):
        begun.append(item)
        if item == 0:
            slow.wait(5)
        return item

    with ThreadPoolExecutor(2) as pool:
        results = ahead(pool, work, range(100), 3)
        threading.Timer(0.05, slow.set).start()
        assert next(results) == 0
        time.sleep(0.05)
        assert max(begun) <= 3
        assert list(results) == list(range(1, 100))


def test_a_folder_from_the_shell(pictures, quick_model, tmp_path):
    folder = tmp_path / "in"
    (folder / "below").mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.png").write_bytes((pictures / f"{number}.png").read_bytes())
    (folder / "below" / "bad.jpg").write_bytes(b"no picture")
    command = ("explain", folder, "--recursive", "--method", "grad_cam", "--out", tmp_path / "out")
    done = gradoscope(*command, **quick_model)
    assert done.returncode == 1, done.stderr
    assert "3 explained, 0 were there already" in done.stdout
    assert "1 of 4 pictures could not be explained" in done.stdout
    assert "bad.jpg: These bytes are not a picture of an allowed format" in done.stdout
    record = json.loads((tmp_path / "out" / "1.png" / "explanation.json").read_text())
    assert record["panels"][0]["status"] == "done"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png", "index.csv"]
    (folder / "below" / "bad.jpg").unlink()
    again = gradoscope(*command, **quick_model)
    assert again.returncode == 0, again.stderr
    assert "0 explained, 3 were there already" in again.stdout


def test_a_run_that_was_interrupted_goes_on(slow_model, pictures, tmp_path):
    """Killed at first, then interrupted from the keyboard, then left in peace."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(PICTURES):
        (folder / f"{number:02}.png").write_bytes((pictures / f"{number % 6}.png").read_bytes())
    command = ["explain", folder, "--method", "smooth_grad", "-o", "smooth_grad.samples=60", "--out", out]

    def written():
        return {path: path.stat().st_mtime_ns for path in out.glob("[0-9]*/explanation.json")}

    def struck(blow):
        """The command's process, struck when it has written two more pictures; and what it has said."""
        wanted = len(written()) + 2
        process = subprocess.Popen(
            [sys.executable, "-m", "gradoscope", *map(str, command)],
            env=os.environ | slow_model, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
        )  # fmt: skip
        for _ in range(1200):
            if len(written()) >= wanted or process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(blow)
        said, _ = process.communicate(timeout=60)
        return process, said

    struck(signal.SIGKILL)
    first = written()
    assert 2 <= len(first) < PICTURES
    process, said = struck(signal.SIGINT)
    assert process.returncode == 130
    assert "The same command goes on" in said
    second = written()
    assert len(first) + 2 <= len(second) < PICTURES
    assert {path: second[path] for path in first} == first
    again = gradoscope(*command, **slow_model)
    assert again.returncode == 0, again.stderr
    assert f"{PICTURES - len(second)} explained, {len(second)} were there already" in again.stdout
    names = [f"{number:02}.png" for number in range(PICTURES)]
    assert sorted(path.name for path in out.iterdir()) == [*names, "index.csv"]  # and nothing half-written beside them
    assert {path: path.stat().st_mtime_ns for path in second} == second
