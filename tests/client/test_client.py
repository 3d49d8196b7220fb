"""The Python client against a real server, and against one that is made up."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys

import gradoscope
import httpx2
import numpy as np
import pytest
from gradoscope import AsyncClient, Client, Problem
from gradoscope.client.events import Accepted, Advanced, Done, Finished, Partial, Predicted
from gradoscope.contract.problems import BadAnswer, NotFound, NotReached, TooManyRequests, Unprocessable
from PIL import Image

from tests.support.paths import SAMPLES
from tests.web.test_leaving import in_flight_becomes

ONE_PASS = ["vanilla_gradient", "grad_cam"]
LONG = {"methods": "integrated_gradients", "options": {"integrated_gradients": {"steps": 1000}}}


@pytest.fixture
def client(server):
    with Client(server.url) as client:
        yield client


def test_importing_is_cheap():
    code = (
        "import sys, gradoscope; before = {'torch', 'pydantic', 'numpy'} & set(sys.modules);"
        "from gradoscope import AsyncClient, Client, Explanation, Panel, Problem, explain;"
        "print(before, 'torch' in sys.modules, 'matplotlib' in sys.modules, 'fastapi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set() False False False"
    assert set(gradoscope.__all__) < set(dir(gradoscope))
    with pytest.raises(AttributeError, match="no attribute 'Explainer'"):
        gradoscope.Explainer  # noqa: B018


def test_maps_are_those_of_the_server(client, server, tmp_path):
    made = client.explain(SAMPLES / "cat.jpg", methods=ONE_PASS, target=[285, "top"])
    record = server.http.get(f"/api/v1/explanations/{made.id}").json()
    assert made.record.model_dump(mode="json") == record
    assert [panel.method for panel in made] == [panel["method"] for panel in record["panels"]]
    for panel, entry in zip(made, record["panels"], strict=True):
        expected = np.load(io.BytesIO(server.http.get(entry["urls"]["npy"]).content))
        assert panel.values.dtype == np.float32
        np.testing.assert_array_equal(panel.values, expected)
    assert made.panel("grad_cam", target=285).target.label == "Egyptian cat"
    assert made.predictions["efficientnet_lite0"][0].label == "tiger cat"
    assert made.url == f"{server.url}/e/{made.id}"
    assert made.image().size == (made.size.width, made.size.height)
    folder = made.save(tmp_path / "cat")
    assert len(list((folder / "panels").glob("*.npy"))) == len(made)
    assert client.get(made.id).record == made.record
    client.forget(made)
    with pytest.raises(NotFound):
        client.get(made.id)
    with pytest.raises(NotFound):
        made.seen("efficientnet_lite0")


def test_every_kind_of_picture_is_taken(client):
    with Image.open(SAMPLES / "cat.jpg") as cat:
        cat = cat.convert("RGB").resize((80, 60))
    pixels = np.asarray(cat)
    logits = [
        client.predict(picture, top_k=1)[0].classes[0].logit
        for picture in (cat, pixels, pixels / np.float32(255), cat.convert("P"))
    ]
    assert logits[0] == logits[1] == logits[2] != logits[3]
    whole = client.predict((SAMPLES / "cat.jpg").read_bytes())
    assert whole == client.predict(str(SAMPLES / "cat.jpg")) == client.predict(sample="cat")


def test_gradient_flow(client, server):
    arguments = {"target": 285, "against": 967, "size": (96, 64)}
    found = client.gradient_flow(SAMPLES / "cat.jpg", **arguments)
    fields = arguments | {"size": "96x64", "sample": "cat"}
    assert found.model_dump(mode="json") == server.http.post("/api/v1/gradient-flows", data=fields).json()
    assert found.target.label == "Egyptian cat"

    async def ask():
        async with AsyncClient(server.url) as client:
            return await client.gradient_flow(sample="cat", **arguments)

    assert asyncio.run(ask()) == found
    with pytest.raises(Unprocessable, match="target"):
        client.gradient_flow(sample="cat", target=1000)


def test_the_catalogue(client):
    models = client.models()
    assert models.default in [model.id for model in models.models]
    assert next(method.id for method in client.methods() if method.default) == "vanilla_gradient"
    assert "cat" in [sample.id for sample in client.samples()]
    assert client.classes(models.default, "tabby")[0].index == 281
    estimates = client.estimate(methods=["smooth_grad"], options={"smooth_grad": {"samples": 7}}, size=(64, 96))
    assert estimates[0].gradient_evaluations == 7


def test_a_stream_tells_what_happens(client):
    heard = []
    question = {"methods": ["smooth_grad"], "options": {"smooth_grad": {"samples": 40}}, "seed": 9}
    made = client.explain(sample="grid", progress=heard.append, **question)
    assert [type(event) for event in heard[:2]] == [Accepted, Predicted]
    assert isinstance(heard[-1], Done)
    assert heard[-1].explanation is made
    assert heard[0].panels[0].cost == 40
    partial = next(event for event in heard if isinstance(event, Partial))
    assert partial.map.shape == (112, 112)
    assert 0 < partial.done < partial.total
    assert max(event.done for event in heard if isinstance(event, Advanced)) == 40
    last = next(event for event in heard if isinstance(event, Finished))
    np.testing.assert_allclose(last.map, made["smooth_grad"].values.sum(0), atol=1e-3 * np.abs(last.map).max())


def test_closing_a_stream_ends_the_work(client, server):
    with client.explain_stream(sample="cat", **LONG, target=401) as stream:
        assert any(isinstance(event, Advanced) for event in stream)
        with pytest.raises(NotReached):
            _ = stream.explanation
    assert in_flight_becomes(server, 0)
    assert list(stream) == []
    forgotten = client.explain_stream(sample="cat", **LONG, target=402)
    assert next(forgotten)
    del forgotten  # an iteration that was broken off
    assert in_flight_becomes(server, 0)


def test_a_refusal_says_all_that_the_server_says(client):
    with pytest.raises(Unprocessable) as refused:
        client.explain(sample="cat", methods="smooth_grad", options={"smooth_grad": {"samples": -1}})
    assert refused.value.errors[0]["field"] == "options.smooth_grad.samples"
    assert refused.value.status == 422
    assert refused.value.request_id
    with (
        pytest.raises(Problem, match="no method «grad_cam2»"),
        client.explain_stream(sample="cat", methods="grad_cam2"),
    ):
        pass
    with pytest.raises(Unprocessable, match="none is given"):
        client.explain()
    with pytest.raises(TypeError, match="method"):
        client.explain(sample="cat", method="grad_cam")


def test_the_asynchronous_client_is_the_same(server):
    async def ask():
        async with AsyncClient(server.url) as client:
            made = await client.explain(SAMPLES / "cat.jpg", methods=ONE_PASS)
            heard = []
            streamed = await client.explain(sample="cat", methods="grad_cam", progress=heard.append)
            assert isinstance(heard[-1], Done)
            np.testing.assert_array_equal(streamed["grad_cam"].values, made["grad_cam"].values)
            async with await client.explain_stream(sample="cat", **LONG, target=403) as stream:
                async for event in stream:
                    if isinstance(event, Advanced):
                        break
            assert await asyncio.to_thread(in_flight_becomes, server, 0)
            waiting = asyncio.create_task(client.explain(sample="cat", **LONG, target=404))
            assert await asyncio.to_thread(in_flight_becomes, server, 1)
            waiting.cancel()
            assert await asyncio.to_thread(in_flight_becomes, server, 0)
            with pytest.raises(NotFound):
                await client.explain(sample="dog")
            again = await client.get(made.id)
            assert (await client.models()).default
            assert (await client.samples())[0].id
            assert (await client.classes("efficientnet_lite0", "tabby"))[0].index == 281
            assert (await client.predict(sample="cat"))[0].classes[0].index == 282
            assert (await client.estimate())[0].gradient_evaluations == 1
            await client.forget(again)
            return made, again

    made, again = asyncio.run(ask())
    with Client(server.url) as client:
        other = client.explain(SAMPLES / "cat.jpg", methods=ONE_PASS)
        for one, two, three in zip(made, again, other, strict=True):
            np.testing.assert_array_equal(one.values, three.values)
            np.testing.assert_array_equal(two.values, three.values)
    assert again.seen("efficientnet_lite0").size == (224, 224)


def answering(*answers):
    """A transport that answers with these in turn, and the requests that it was asked."""
    requests = []

    def answer(request):
        requests.append(request)
        found = answers[min(len(requests), len(answers)) - 1]
        if isinstance(found, Exception):
            raise found
        status, body, headers = found
        return httpx2.Response(status, content=body, headers=headers)

    return httpx2.MockTransport(answer), requests


BUSY = (429, json.dumps(TooManyRequests("busy", retry_after=0).to_dict()), {"retry-after": "0"})
MODELS = (200, json.dumps({"default": "a", "downloads": "none", "models": [], "faults": []}), {})


@pytest.mark.parametrize("stopped", [BUSY, (503, "", {"retry-after": "0"})])
def test_a_request_is_made_again_only_where_the_caller_says_so(stopped):
    transport, requests = answering(stopped, stopped, MODELS)
    with Client("http://there", "secret", retries=2, transport=transport) as client:
        assert client.models().default == "a"
    assert [request.headers["authorization"] for request in requests] == ["Bearer secret"] * 3

    async def ask():
        transport, requests = answering(stopped, stopped, MODELS)
        async with AsyncClient("http://there", retries=1, transport=transport) as client:
            with pytest.raises(Problem) as refused:
                await client.models()
        assert len(requests) == 2
        assert refused.value.retry_after == 0
        assert refused.value.status == stopped[0]

    asyncio.run(ask())


def test_what_is_no_answer_of_ours_is_told():
    strange = [
        ((502, "<h1>nginx</h1>", {}), BadAnswer, "there answers 502 Bad Gateway.*nginx"),
        ((404, "", {}), NotFound, "without a word of Gradoscope's: nothing"),
        ((200, "<h1>Welcome</h1>", {}), BadAnswer, "Is it one"),
        ((200, '{"default": "a"}', {}), BadAnswer, "downloads: Field required"),
        (httpx2.ConnectError("refused"), NotReached, r"http://there cannot be reached \(refused\)"),
        (httpx2.ReadTimeout(""), NotReached, "did not answer in time"),
        ((503, "", {}), Problem, "answers 503"),
    ]
    for answer, kind, words in strange:
        transport, requests = answering(answer)
        with Client("http://there", retries=3, transport=transport) as client, pytest.raises(kind, match=words):
            client.models()
        assert len(requests) == 1


def test_a_stream_that_breaks_off_or_fails_is_told():
    accepted = 'event: accepted\ndata: {"id": "x", "panels": [], "gradient_evaluations": 0}\n\n'
    failed = f"event: error\ndata: {json.dumps(BadAnswer('it broke').to_dict() | {'request_id': 'r'})}\n\n"
    kind = {"content-type": "text/event-stream"}
    later = ": ping\n\nevent: news\ndata: {}\n\n"
    for text, words in ((accepted + later, "ended before"), (accepted + failed, "it broke")):
        transport, _ = answering((200, text, kind))
        with Client("http://there", transport=transport) as client, client.explain_stream(sample="cat") as stream:
            assert isinstance(next(stream), Accepted)
            with pytest.raises(Problem, match=words):
                next(stream)


def test_an_array_that_is_not_the_records_is_refused(server):
    with Client(server.url) as client:
        made = client.explain(sample="cat", methods="grad_cam")
    with pytest.raises(NotReached, match="is closed"):
        _ = made["grad_cam"].values
    record = made.record.model_dump_json()
    wrong = io.BytesIO()
    np.save(wrong, np.zeros((1, 4, 4), np.float32))
    for data, words in ((wrong.getvalue(), r"\(1, 4, 4\).*\(1, 224, 224\)"), (b"<h1>", "no .npy file")):
        transport, _ = answering((200, record, {}), (200, data, {}))
        with Client("http://there", transport=transport) as client:
            panel = client.get("x")["grad_cam"]
            with pytest.raises(BadAnswer, match=words):
                _ = panel.values


def test_pictures_that_are_none_are_refused():
    transport, requests = answering(MODELS)
    wrong = [
        (np.zeros((3, 8, 8), np.uint8), "must be"),
        (np.full((8, 8, 3), 2.0), "floats in"),
        (np.full((8, 8, 3), np.nan), "floats in"),
        (np.zeros((8, 8, 3), np.int64), "uint8"),
        ("/nowhere/cat.jpg", "cannot be read"),
        (17, "int is no picture"),
    ]
    with Client("http://there", transport=transport) as client:
        for picture, words in wrong:
            with pytest.raises(Unprocessable, match=words):
                client.predict(picture)
    assert requests == []


def test_text_that_cannot_be_sent_names_its_argument():
    transport, requests = answering(MODELS)
    half = "cat\ud800"
    with Client("http://there", transport=transport) as client:
        for field, given in (
            ("target", {"target": half}), ("against", {"against": half}), ("method", {"methods": half}),
            ("model", {"model": [half]}),
        ):  # fmt: skip
            with pytest.raises(Unprocessable, match=rf"^{field}: ") as refused:
                client.explain(sample="cat", **given)
            assert refused.value.errors[0]["field"] == field
        with pytest.raises(Unprocessable, match=r"^query: "):
            client.classes("x", half)
    assert requests == []


@pytest.mark.parametrize("key", ["a-key-of-a-file\n", " a-key-of-a-file\r\n"])
def test_a_key_is_sent_without_the_end_of_its_line(key):
    transport, requests = answering(MODELS)
    with Client("http://there", key, transport=transport) as client:
        client.models()
    assert requests[0].headers["authorization"] == "Bearer a-key-of-a-file"


@pytest.mark.parametrize("key", ["two words", "ключ", "a\nb"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_told(key):
    with pytest.raises(Unprocessable, match=r"^key: an API key is of printable") as refused:
        Client("http://there", key)
    assert key not in refused.value.detail
