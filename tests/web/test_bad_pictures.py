"""Hostile and damaged pictures, sent to a real server: each has a clear answer, and the next good one is read."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from tests.support.bad_pictures import (
    EITHER,
    FINE,
    REFUSED,
    UNSUPPORTED,
    chunk,
    corners,
    polyglot,
    saved,
    slow,
    small_png,
)
from tests.support.mutations import mutated
from tests.support.paths import sample

SECONDS = 2
MUTATIONS = 1000


def status(pid: int, field: str) -> str:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(field)]
    return line.split()[1]


def children(pid: int) -> list[int]:
    """The processes that a process, by any of its threads, has started."""
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def kill_decoders(server, at_least=0.0):
    """Kills those that have used so many seconds of processor time."""
    for decoder in children(server.worker_pid()):
        with suppress(psutil.NoSuchProcess):
            if sum(psutil.Process(decoder).cpu_times()[:2]) >= at_least:
                os.kill(decoder, signal.SIGKILL)


def predict(server, data, name="picture.png", kind="image/png"):
    """The answer, which must come in time. One late answer is excused: the picture is then sent once more."""
    for _ in range(2):
        began = time.monotonic()
        response = server.http.post("/api/v1/predictions", files={"image": (name, data, kind)})
        if time.monotonic() - began < SECONDS:
            return response
    raise AssertionError(f"{name} was answered late, twice")


def check_refused(response, *allowed):
    """Checks that it is a problem with one of these statuses."""
    assert response.status_code in allowed, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert len(problem["detail"]) > 20
    assert problem["errors"][0]["field"] == "image"


@pytest.fixture(scope="module")
def server(quick_model_server):
    return quick_model_server


@pytest.fixture(scope="module")
def cat_prediction(server):
    return predict(server, sample("cat.jpg")).json()


@pytest.fixture(autouse=True)
def server_is_unhurt(server, cat_prediction):
    """After each test the worker is still the same process, and a good picture is answered as before."""
    worker = server.worker_pid()
    yield
    assert server.worker_pid() == worker
    again = predict(server, sample("cat.jpg"))
    assert again.json()["predictions"][0]["classes"][0] == pytest.approx(cat_prediction["predictions"][0]["classes"][0])


@pytest.mark.parametrize("name", REFUSED)
def test_damaged_pictures_and_those_over_a_limit_are_422(server, name):
    check_refused(predict(server, REFUSED[name](), name), 422)


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_formats_are_415(server, name):
    """A HEIC file is read where pillow-heif is installed; this one is cut off."""
    readable = name.startswith("HEIC") and find_spec("pillow_heif") is not None
    check_refused(predict(server, UNSUPPORTED[name](), name), 422 if readable else 415)


@pytest.mark.parametrize("name", EITHER)
def test_extremes_are_answered_or_refused(server, name):
    response = predict(server, EITHER[name](), name)
    if response.status_code == 200:
        assert response.json()["predictions"][0]["classes"]
    else:
        check_refused(response, 422)


@pytest.mark.parametrize("name", FINE)
def test_unusual_pictures_are_decoded_correctly(server, name):
    make, expect = FINE[name]
    record = explained(server, make())
    expected, tolerance = expect()
    assert record["image"] == {"width": expected.width, "height": expected.height}
    expected.thumbnail((2048, 2048), Image.Resampling.LANCZOS)
    seen = np.asarray(fetched(server, record["id"], "image.png"), dtype=int)
    assert np.abs(seen - np.asarray(expected, dtype=int)).max() <= tolerance


def explained(server, data):
    response = server.http.post("/api/v1/explanations", files={"image": data}, data={"method": "grad_cam"})
    assert response.status_code == 200, response.text
    return response.json()


def fetched(server, id, part):
    return Image.open(io.BytesIO(server.http.get(f"/api/v1/explanations/{id}/{part}").content), formats=["PNG"])


def test_the_format_is_read_from_the_bytes(server):
    """And not from the content type or the name."""
    for name, kind in (("a.svg", "image/svg+xml"), ("a.exe", "application/x-msdownload"), ("a", "text/html")):
        assert predict(server, sample("cat.jpg"), name, kind).status_code == 200
    check_refused(predict(server, b"<svg/>", "a.png", "image/png"), 415)


SECRET = "taken-at-home"


def pictures_with_metadata() -> dict[str, bytes]:
    """Pictures that carry more than pixels."""
    exif = Image.Exif()
    exif[0x010E] = SECRET
    icc = SECRET.encode() * 20
    more = {"exif": exif, "icc_profile": icc}
    texts = [chunk(b"tEXt", b"Comment\0" + SECRET.encode()), chunk(b"iTXt", b"XML\0\0\0\0\0" + SECRET.encode())]
    return {
        "PNG": small_png(*texts, chunk(b"eXIf", exif.tobytes()[6:])) + SECRET.encode(),
        "PNG with a profile": saved(corners(), **more),
        "JPEG": saved(corners(), "JPEG", comment=SECRET.encode(), **more),
        "WebP": saved(corners(), "WEBP", xmp=SECRET.encode(), **more),
        "GIF": saved(corners(), "GIF", comment=SECRET.encode()) + SECRET.encode(),
        "GIF and JavaScript": polyglot().replace(b"alert(1)", SECRET.encode()),
    }


@pytest.mark.parametrize("name", pictures_with_metadata())
def test_nothing_is_served_as_it_was_sent(server, name):
    """Every picture that comes back is a PNG that the server encoded, without metadata."""
    sent = pictures_with_metadata()[name]
    assert SECRET.encode() in sent
    record = explained(server, sent)
    where = f"/api/v1/explanations/{record['id']}"
    model = record["inputs"][0]["model"]
    archive = server.http.get(f"{where}.zip").content
    parts = [server.http.get(f"{where}{end}").content for end in ("/image.png", f"/inputs/{model}.png", ".png")]
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        names = files.namelist()
        assert all(file.endswith((".png", ".npy", ".json", ".md")) for file in names)
        parts += [files.read(file) for file in names]
        pngs = [files.read(file) for file in names if file.endswith(".png")]
    for part in [archive, *parts]:
        assert SECRET.encode() not in part
        assert sent not in part
    for part in [*parts[:3], *pngs]:
        picture = Image.open(io.BytesIO(part), formats=["PNG"])
        picture.load()
        assert (picture.info, dict(picture.getexif())) == ({}, {})


def test_a_decoder_that_is_killed_refuses_its_picture_alone(server):
    deaths = "gradoscope_decoder_deaths_total"

    def counted():
        lines = server.http.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(deaths))

    before = counted()
    answered = threading.Event()

    def kill_again_and_again():
        # A decoder that has computed for a second is past its start, so at work on the picture. When it dies, the
        # picture is tried once more.
        while not answered.wait(0.1):
            kill_decoders(server, at_least=1)

    killer = threading.Thread(target=kill_again_and_again)
    killer.start()
    response = server.http.post("/api/v1/predictions", files={"image": slow()})
    answered.set()
    killer.join()
    check_refused(response, 422)
    assert response.json()["title"] == "Picture too demanding"
    assert counted() == before + 1


def test_others_take_their_turns_while_a_picture_is_decoded(server):
    """A slow picture delays nobody: another decoder process takes the next one."""
    stranger = httpx.Client(base_url=server.url, timeout=60, transport=httpx.HTTPTransport(local_address="127.0.0.2"))
    waiting = threading.Thread(
        target=server.http.post, args=("/api/v1/predictions",), kwargs={"files": {"image": slow(5_000_000)}}
    )
    waiting.start()
    time.sleep(0.3)
    with stranger:
        assert stranger.post("/api/v1/predictions", files={"image": sample("grid.jpg")}).status_code == 200
    assert waiting.is_alive()
    while waiting.is_alive():
        kill_decoders(server)
        waiting.join(0.3)


@pytest.mark.slow
def test_mutations(server):
    """Pictures damaged at random, with a seed: each is answered or refused. The worker survives and does not grow."""
    worker = server.worker_pid()
    before = int(status(worker, "VmRSS"))
    answered = 0
    for name, data in mutated(MUTATIONS, seed=6):
        response = predict(server, data, name)
        if response.status_code == 200:
            answered += 1
        else:
            assert response.status_code in (415, 422), f"{name}: {response.text}"
            assert response.json()["detail"], name
    assert MUTATIONS / 10 < answered < MUTATIONS
    assert server.worker_pid() == worker
    assert int(status(worker, "VmRSS")) - before < 300 * 1024
    assert sum(int(status(decoder, "VmRSS")) for decoder in children(worker)) < 300 * 1024
