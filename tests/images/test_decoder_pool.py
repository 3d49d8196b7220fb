"""The decoder processes: their limits, their deaths, and that nothing is left of them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from gradoscope.contract.problems import TooDemanding, Unavailable, Unprocessable, UnsupportedPicture
from gradoscope.images import decoder_pool
from gradoscope.images.decode import decode
from gradoscope.images.decoder_pool import DecoderPool, DecoderProcess
from gradoscope.settings import Settings
from PIL import Image

from tests.support.bad_pictures import slow
from tests.support.paths import sample

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and deaths as Linux has them")


def png(width: int, height: int, colour: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (width, height), colour).save(out, "PNG", compress_level=1)
    return out.getvalue()


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module")
def decoders():
    return DecoderPool(Settings())


@pytest.mark.parametrize("name", ["cat.jpg", "grid.jpg"])
def test_pixels_are_those_of_decoding_here(decoders, name):
    actual = decoders.decode(sample(name))
    assert np.array_equal(np.asarray(actual), np.asarray(decode(sample(name), max_pixels=10**8)))
    assert (actual.mode, actual.info) == ("RGB", {})


@pytest.mark.parametrize("size", [(1, 1), (1, 65500), (65500, 1), (1023, 1025), (4000, 300)])
def test_every_row_arrives(decoders, size):
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(values).save(out, "BMP" if max(size) < 60000 else "PNG")
    assert np.array_equal(np.asarray(decoders.decode(out.getvalue())), values)


def test_refusals_come_through(decoders):
    for data, kind in ((b"GIF89a", Unprocessable), (b"no picture", UnsupportedPicture), (b"", Unprocessable)):
        with pytest.raises(kind) as here:
            decode(data, max_pixels=10**8)
        with pytest.raises(kind) as there:
            decoders.decode(data)
        assert there.value.to_dict() == here.value.to_dict()


@linux
def test_a_decoder_is_small_and_knows_nothing_of_torch():
    decoder = DecoderProcess(Settings())
    pid = decoder.process.pid
    decoder.decode(sample("cat.jpg"))
    loaded = Path(f"/proc/{pid}/maps").read_text()
    assert "libtorch" not in loaded
    assert "numpy" not in loaded
    (resident,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    assert int(resident.split()[1]) < 60_000
    loads = "import sys, gradoscope.images.decoder_process; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "fastapi", "timm", "numpy", "pydantic"} & set(modules)
    decoder.close()
    assert gone(pid)


@linux
def test_a_picture_that_needs_too_much_memory_is_refused_and_the_next_is_right():
    decoders = DecoderPool(Settings(decode_bytes=2**28))
    with pytest.raises(TooDemanding, match="memory") as caught:
        decoders.decode(png(5000, 4500))
    assert (caught.value.status, caught.value.errors[0]["field"]) == (422, "image")
    assert decoders.decode(png(3, 2)).size == (3, 2)


def test_a_picture_that_takes_too_long_is_refused_and_the_next_is_right():
    decoders = DecoderPool(Settings(decode_seconds=0.5))
    with pytest.raises(TooDemanding, match=r"longer than 0\.5 s") as caught:
        decoders.decode(slow())
    assert caught.value.status == 422
    assert decoders.decode(png(3, 2)).size == (3, 2)


@linux
@pytest.mark.parametrize("deaths", [1, 2])
def test_a_picture_whose_decoder_is_killed_is_tried_once_more(deaths, monkeypatch):
    """Somebody else killed it, perhaps: the picture is blamed only if that happens again."""
    real, started = decoder_pool.DecoderProcess, []

    def killed_early(settings):
        decoder = real(settings)
        started.append(decoder)
        if len(started) <= deaths:
            decoder.process.send_signal(signal.SIGSTOP)  # it is at work when it is killed
            threading.Timer(0.1, os.kill, (decoder.process.pid, signal.SIGKILL)).start()
        return decoder

    monkeypatch.setattr(decoder_pool, "DecoderProcess", killed_early)
    decoders = DecoderPool(Settings())
    if deaths == 1:
        assert decoders.decode(png(3, 2)).size == (3, 2)
    else:
        with pytest.raises(TooDemanding, match="ended the process"):
            decoders.decode(png(3, 2))
    assert [decoder.alive for decoder in started] == ([False, True] if deaths == 1 else [False, False])


class Stub:
    """In place of decoding: notes what it is given, and waits until it may go on."""

    def __init__(self, demanding=()):
        self.gate, self.order, self.demanding = threading.Semaphore(0), [], demanding
        self.busy = self.most = 0

    def __call__(self, data):
        self.order.append(data.decode())
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.gate.acquire()
        self.busy -= 1
        if data.decode() in self.demanding:
            raise decoder_pool.too_demanding("takes too long")


def waits_for(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it does not come")


def test_clients_take_turns(monkeypatch):
    decoders, stub = DecoderPool(Settings(), max_processes=1), Stub()
    monkeypatch.setattr(decoders, "_decode", stub)
    futures = [decoders.submit(f"a{number}".encode(), "a") for number in range(4)]
    waits_for(lambda: stub.order)
    futures += [decoders.submit(f"{client}0".encode(), client) for client in "bc"]
    futures[3].cancel()
    for _ in range(6):
        stub.gate.release()
    for future in (*futures[:3], *futures[4:]):
        future.result(10)
    assert stub.order == ["a0", "a1", "b0", "c0", "a2"]


def test_what_was_too_demanding_is_remembered(monkeypatch):
    """By its hash; and its client has one process at a time from then on, while others have their turn at once."""
    decoders, stub = DecoderPool(Settings()), Stub({"bad"})
    monkeypatch.setattr(decoders, "_decode", stub)
    stub.gate.release()
    with pytest.raises(TooDemanding):
        decoders.submit(b"bad", "a").result(10)
    for client in ("a", "b"):
        with pytest.raises(TooDemanding, match="takes too long"):
            decoders.submit(b"bad", client).result(0)
    assert stub.order == ["bad"]
    mine = [decoders.submit(f"a{number}".encode(), "a") for number in range(3)]
    waits_for(lambda: stub.busy == 1)
    other = decoders.submit(b"b0", "b")
    waits_for(lambda: "b0" in stub.order)
    assert stub.order == ["bad", "a0", "b0"]
    for _ in range(4):
        stub.gate.release()
    for future in (*mine, other):
        future.result(10)
    assert sorted(stub.order) == ["a0", "a1", "a2", "b0", "bad"]


@linux
def test_a_death_while_idle_is_blamed_on_no_picture(decoders):
    decoders.decode(png(3, 2))
    for decoder in list(decoders._idle):
        os.kill(decoder.process.pid, signal.SIGKILL)
        decoder.process.wait()
    assert decoders.decode(png(3, 2)).size == (3, 2)


@linux
@pytest.mark.parametrize("busy", [False, True])
def test_a_decoder_ends_with_a_killed_parent(busy, tmp_path):
    (tmp_path / "slow.bmp").write_bytes(slow())
    program = f"""
from pathlib import Path
from gradoscope.images.decoder_pool import DecoderProcess
from gradoscope.settings import Settings
decoder = DecoderProcess(Settings(decode_seconds=100))
print(decoder.process.pid, flush=True)
{"decoder.decode(Path('slow.bmp').read_bytes())" if busy else "input()"}
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        time.sleep(0.2 * busy)
        parent.kill()
    assert gone(pid)


@linux
def test_decoders_end_when_their_pool_is_deleted():
    decoders = DecoderPool(Settings())
    decoders.decode(png(3, 2))
    pids = [decoder.process.pid for decoder in decoders._idle]
    del decoders
    assert all(map(gone, pids))


def test_a_decoder_that_cannot_start_is_reported(monkeypatch):
    monkeypatch.setattr(decoder_pool.sys, "executable", "/bin/false")
    with pytest.raises(Unavailable, match="does not start"):
        DecoderPool(Settings()).decode(b"")
