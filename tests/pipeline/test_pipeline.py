"""The pipeline from job to events, within the test's process, with quick stand-ins for the models and few steps."""

from __future__ import annotations

import os

import pytest
from gradoscope.attribution.classifier import Classifier
from gradoscope.contract.jobs import Explain, Labels, Predict
from gradoscope.contract.packed_map import unpack_map
from gradoscope.contract.problems import NotFound, OutOfMemory, UnsupportedPicture
from gradoscope.images.decoder_pool import DecoderPool
from gradoscope.pipeline import model_input
from gradoscope.pipeline.pipeline import explain, run
from gradoscope.zoo.weights import WeightsMissing

from tests.support.nets import relative
from tests.support.paths import sample


@pytest.fixture(scope="module")
def context(open_context, tmp_path_factory):
    return open_context(store=tmp_path_factory.mktemp("store"), micro_batch=2)


def job(id, **fields):
    options = {"smooth_grad": {"samples": 6}, "integrated_gradients": {"steps": 6}}
    return Explain(
        id, sample("cat.jpg"), methods=("smooth_grad", "integrated_gradients", "grad_cam"), options=options, **fields
    )


def test_maps_sharpen_side_by_side_and_the_cheap_one_comes_first(context):
    events = [event for event in explain(job("a" * 32), context) if event is not None]
    assert [event.name for event in events[:2]] == ["accepted", "prediction"]
    panels = [event.data["panel"]["method"] for event in events if event.name == "panel"]
    assert panels[0] == "grad_cam"
    names = [event.name for event in events]
    assert names.index("panel") < names.index("partial")  # within its first turn, before the others have theirs
    first_partials = [event.data["panel"] for event in events if event.name == "partial"][:2]
    assert first_partials == ["p1", "p2"]
    assert [panel["method"] for panel in events[-1].data["panels"]] == [
        "smooth_grad",
        "integrated_gradients",
        "grad_cam",
    ]


def test_a_run_that_is_closed_keeps_what_was_finished(context):
    run = explain(job("b" * 32, targets=(3,)), context)
    for event in run:
        if event is not None and event.name == "panel":
            break
    run.close()
    record = context.store.load("b" * 32)
    assert record["status"] == "cancelled"
    assert [panel["method"] for panel in record["panels"]] == ["grad_cam"]
    missing = record["missing"]
    assert [(panel["method"], panel["target"]["index"]) for panel in missing] == [
        ("smooth_grad", 3),
        ("integrated_gradients", 3),
    ]
    assert missing[1]["parameters"]["steps"] > 0
    again = [event for event in explain(job("c" * 32, targets=(3,)), context) if event is not None][-1].data
    assert again["status"] == "done"
    assert "missing" not in again
    assert [panel["from_store"] for panel in again["panels"]] == [False, False, True]


@pytest.mark.parametrize(
    ("last", "status"), [("accepted", "cancelled"), ("prediction", "cancelled"), ("panel", "done")]
)
def test_the_status_of_the_record_after_a_client_has_left(context, last, status):
    """After any event it is cancelled; after the last panel it is done."""
    id = last.ljust(32, "0")
    run = explain(Explain(id, sample("cat.jpg"), methods=("grad_cam",), targets=(4,)), context)
    assert any(event is not None and event.name == last for event in run)
    run.close()
    assert context.store.load(id)["status"] == status


def test_labels_need_no_model_in_memory(context):
    (event,) = run(Labels("efficientnet_lite2"), context)
    assert event.data["labels"][967] == "espresso"
    assert context.zoo.describe("efficientnet_lite2").layers is None


LITES = tuple(f"efficientnet_lite{i}" for i in (0, 1, 2))
CHEAP = ("vanilla_gradient", "grad_cam")


@pytest.fixture
def tight(open_context, tmp_path):
    """Opens a context with a memory limit for models, in MiB. By default all three fit."""

    def tight(mib=7.0):
        return open_context(store=tmp_path / "store", model_bytes=int(mib * 2**20), weights=tmp_path / "weights")

    return tight


def events_of(job, context):
    """The events of a run, without each None, where another run may take its turn."""
    return [event for event in run(job, context) if event is not None]


def test_more_models_than_fit_into_memory_go_one_after_the_other(tight):
    """They take 1.8, 2.1 and 2.4 MiB: two of them fit."""
    context = tight(4.5)
    record = events_of(Explain("d" * 32, sample("cat.jpg"), LITES, CHEAP), context)[-1].data
    assert [(panel["model"], panel["method"], panel["status"]) for panel in record["panels"]] == [
        (model, method, "done") for model in LITES for method in CHEAP
    ]
    assert context.zoo.loaded == LITES[1:]
    predicted = events_of(Predict(sample("cat.jpg"), LITES), context)[-1].data["predictions"]
    for prediction, seen in zip(predicted, record["inputs"], strict=True):
        assert prediction["classes"] == seen["predictions"]


def test_a_request_waits_for_room_and_does_not_take_it_from_another(tight):
    context = tight(2.4)
    long = Explain("e" * 32, sample("cat.jpg"), LITES[:1], ("smooth_grad",), options={"smooth_grad": {"samples": 24}})
    first, second = run(long, context), run(Explain("f" * 32, sample("cat.jpg"), LITES[1:2], CHEAP), context)
    while (event := next(first)) is None or event.name != "progress":
        pass
    for _ in range(20):
        assert next(second) is None  # it waits
    assert context.zoo.loaded == LITES[:1]
    rest = [event for event in first if event is not None]
    assert rest[-1].data["status"] == "done"
    assert [event for event in second if event is not None][-1].data["status"] == "done"
    assert context.zoo.loaded == LITES[1:2]


def test_a_request_that_leaves_lets_its_models_go(tight):
    context = tight(2.4)
    first = run(Explain("1" * 32, sample("cat.jpg"), LITES[:1], ("smooth_grad",)), context)
    while (event := next(first)) is None or event.name != "progress":
        pass
    waiting = run(Explain("2" * 32, sample("cat.jpg"), LITES[1:2], CHEAP), context)
    assert next(waiting) is None
    waiting.close()
    first.close()
    assert context.zoo.request_room(LITES[1:2], asker=object())


def test_a_model_that_cannot_be_loaded_fails_only_its_own_panels(tight, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    context = tight()
    request = Explain("3" * 32, sample("cat.jpg"), ("resnet50", LITES[0]), CHEAP)
    events = events_of(request, context)
    record = events[-1].data
    assert [panel["status"] for panel in record["panels"]] == ["refused", "refused", "done", "done"]
    assert record["panels"][0]["problem"]["status"] == 409
    assert record["panels"][0]["target"] is None
    assert [seen["model"] for seen in record["inputs"]] == [LITES[0]]
    assert [panel["target"] for panel in events[0].data["panels"]] == [None, None, 282, 282]
    with pytest.raises(WeightsMissing):
        events_of(Explain("4" * 32, sample("cat.jpg"), ("resnet50",), CHEAP), context)
    with pytest.raises(NotFound):
        events_of(Explain("4" * 32, sample("cat.jpg"), (LITES[0], "resnet51"), CHEAP), context)
    with pytest.raises(OutOfMemory):
        events_of(Explain("5" * 32, sample("cat.jpg"), LITES[:1], CHEAP), tight(1))


@pytest.mark.parametrize(
    ("fit", "size", "crop"),
    [
        ("crop", None, (94.2, 18.7, 356.8, 281.3)),
        ("pad", None, (0, -75.5, 451, 375.5)),
        ("squash", None, (0, 0, 451, 300)),
        (None, (160, 320), (0, 37, 451, 263)),
    ],
)
def test_fit_and_size_of_a_request(tight, fit, size, crop):
    job = Explain("6" * 32, sample("cat.jpg"), methods=CHEAP, fit=fit, size=size)
    record = events_of(job, tight())[-1].data
    seen, height, width = record["inputs"][0], *(size or (224, 224))
    assert (seen["size"], seen["fit"]) == ([height, width], fit or "crop")
    if size is None:
        assert seen["crop"] == pytest.approx(crop, abs=1.5)
    assert [panel["shape"] for panel in record["panels"]] == [[3, height, width], [1, height, width]]


def test_a_stored_panel_is_used_only_for_the_same_fit_and_size(tight):
    context = tight()
    inputs = [(None, None), ("pad", None), ("squash", None), (None, (256, 256)), ("crop", None), (None, (224, 224))]
    kept = []
    for number, (fit, size) in enumerate(inputs):
        job = Explain(str(number) * 32, sample("cat.jpg"), methods=("grad_cam",), targets=(5,), fit=fit, size=size)
        kept.append(events_of(job, context)[-1].data["panels"][0]["from_store"])
    assert kept == [False, False, False, False, True, True]  # the last two name the defaults


def forbidden(*arguments):
    raise AssertionError("this was made before")


def test_what_was_made_of_a_picture_is_cached(tight, monkeypatch):
    """The same request again decodes nothing and runs no pass. Another class or model decodes nothing either."""
    context = tight()
    first = events_of(Explain("7" * 32, sample("cat.jpg"), LITES[:1], CHEAP), context)[-1].data
    monkeypatch.setattr(DecoderPool, "submit", forbidden)
    with monkeypatch.context() as patch:
        patch.setattr(model_input, "preprocess", forbidden)
        patch.setattr(Classifier, "forward", forbidden)
        again = events_of(Explain("8" * 32, sample("cat.jpg"), LITES[:1], CHEAP), context)[-1].data
        predicted = events_of(Predict(sample("cat.jpg"), LITES[:1], top_k=3), context)[-1].data
    assert [panel["from_store"] for panel in again["panels"]] == [True, True]
    assert again["inputs"][0]["predictions"] == first["inputs"][0]["predictions"]
    assert predicted["predictions"][0]["classes"] == first["inputs"][0]["predictions"][:3]
    with monkeypatch.context() as patch:
        patch.setattr(model_input, "preprocess", forbidden)
        other = events_of(Explain("9" * 32, sample("cat.jpg"), LITES[:1], CHEAP, (7,)), context)[-1].data
    assert [panel["target"]["index"] for panel in other["panels"]] == [7, 7]
    second = events_of(Explain("a" * 32, sample("cat.jpg"), LITES[1:2], CHEAP), context)[-1].data
    assert second["inputs"][0]["size"] == [240, 240]


def test_the_cache_tells_pictures_models_and_inputs_apart(open_context, tight, tmp_path):
    """A context with a cache answers as one without."""
    uncached = open_context(store=tmp_path / "other", picture_bytes=0)
    context = tight()
    jobs = [
        Predict(sample(name), models, fit=fit, size=size)
        for name in ("cat.jpg", "grid.jpg")
        for models in (LITES[:1], LITES[1:2])
        for fit, size in ((None, None), ("pad", None), (None, (160, 192)))
    ]
    actual = [events_of(job, context)[-1].data for job in (*jobs, *jobs)]
    expected = [events_of(job, uncached)[-1].data for job in jobs]
    assert actual == expected * 2
    assert len({str(answer) for answer in expected}) == len(expected)
    assert uncached.picture_cache.currsize == 0 < context.picture_cache.currsize <= context.picture_cache.maxsize


def test_what_one_api_key_has_sent_is_not_reused_for_another(tight, monkeypatch):
    """Neither the stored panels nor the cached picture. For the same owner, and without API keys, both are reused."""
    context = tight()
    submitted, submit = [], DecoderPool.submit

    def counted(decoders, data, client=""):
        submitted.append(data)
        return submit(decoders, data, client)

    monkeypatch.setattr(DecoderPool, "submit", counted)
    for number, (owner, reused) in enumerate([("ann", False), ("bob", False), ("ann", True), ("", False), ("", True)]):
        before = len(submitted)
        job = Explain(str(number) * 32, sample("cat.jpg"), LITES[:1], ("grad_cam",), owner=owner)
        record = events_of(job, context)[-1].data
        assert (record["panels"][0]["from_store"], len(submitted) == before) == (reused, reused)
        assert context.store.owner(record["id"]) == owner
    for owner, reused in (("ann", True), ("carl", False)):
        before = len(submitted)
        events_of(Predict(sample("cat.jpg"), LITES[:1], owner=owner), context)
        assert (len(submitted) == before) == reused


def test_a_file_that_is_no_picture_is_refused_every_time(tight):
    context = tight()
    for _ in range(2):
        with pytest.raises(UnsupportedPicture):
            events_of(Predict(b"no picture"), context)


def test_methods_that_need_one_pass_share_its_forward(open_context, tmp_path, monkeypatch):
    """Two targets and three methods take one forward pass, after that of the prediction; the maps are as each alone."""
    context = open_context(store=tmp_path, acceleration="none")
    methods, passes = ("vanilla_gradient", "guided_backprop", "grad_cam"), []
    forward = Classifier.forward

    def counted(self, x):
        passes.append(len(x))
        return forward(self, x)

    alone = {}
    for method in methods:
        for target in (282, 10):
            record, maps = explained(context, (method,), (target,))
            (alone[method, target],) = maps.values()
            context.store.forget(record["id"])
    context.picture_cache.clear()
    monkeypatch.setattr(Classifier, "forward", counted)
    record, maps = explained(context, methods, (282, 10))
    assert passes == [1, 1]
    for panel in record["panels"]:
        assert panel["status"] == "done"
        assert relative(maps[panel["id"]], alone[panel["method"], panel["target"]["index"]]) < 1e-5
    passes.clear()
    assert {panel["from_store"] for panel in explained(context, methods, (282, 10))[0]["panels"]} == {True}
    assert passes == []


def explained(context, methods, targets):
    job = Explain(os.urandom(16).hex(), sample("cat.jpg"), methods=methods, targets=targets)
    record = [event for event in explain(job, context) if event is not None][-1].data
    read = context.store.read
    return record, {p["id"]: unpack_map(read(job.id, f"panel:{p['id']}")) for p in record["panels"]}
