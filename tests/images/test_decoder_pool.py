"""The decoding processes: their limits, their deaths, and that nothing is left of them."""

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
from gradoscope.images import decoder_pool as outside
from gradoscope.images.decode import decode
from gradoscope.images.decoder_pool import DecoderPool, DecoderProcess
from gradoscope.settings import Settings
from PIL import Image

from tests.support.bad_pictures import many_scans
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
    given = decoders.decode(sample(name))
    assert np.array_equal(np.asarray(given), np.asarray(decode(sample(name), 10**8)))
    assert (given.mode, given.info) == ("RGB", {})


@pytest.mark.parametrize("size", [(1, 1), (1, 65500), (65500, 1), (1023, 1025), (4000, 300)])
def test_every_row_arrives(decoders, size):
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(values).save(out, "BMP" if max(size) < 60000 else "PNG")
    assert np.array_equal(np.asarray(decoders.decode(out.getvalue())), values)


def test_refusals_come_through(decoders):
    for data, kind in ((b"GIF89a", Unprocessable), (b"no picture", UnsupportedPicture), (b"", Unprocessable)):
        with pytest.raises(kind) as here:
            decode(data, 10**8)
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
def test_one_that_needs_too_much_memory_is_refused_and_the_next_is_right():
    decoders = DecoderPool(Settings(decode_bytes=2**28))
    with pytest.raises(TooDemanding, match="memory") as caught:
        decoders.decode(png(5000, 4500))
    assert (caught.value.status, caught.value.errors[0]["field"]) == (422, "image")
    assert decoders.decode(png(3, 2)).size == (3, 2)


def test_one_that_takes_too_long_is_refused_and_the_next_is_right():
    decoders = DecoderPool(Settings(decode_seconds=0.5))
    with pytest.raises(TooDemanding, match=r"longer than 0\.5 s") as caught:
        decoders.decode(many_scans())
    assert caught.value.status == 422
    assert decoders.decode(png(3, 2)).size == (3, 2)


@linux
def test_a_death_in_the_middle_is_that_pictures_refusal():
    decoder = DecoderProcess(Settings())
    killer = threading.Timer(0.3, os.kill, (decoder.process.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(TooDemanding, match="ended the process"):
        decoder.decode(many_scans())
    assert not decoder.alive
    killer.join()


@linux
def test_a_death_while_idle_is_nobodys(decoders):
    decoders.decode(png(3, 2))
    for decoder in list(decoders._idle):
        os.kill(decoder.process.pid, signal.SIGKILL)
        decoder.process.wait()
    assert decoders.decode(png(3, 2)).size == (3, 2)


@linux
@pytest.mark.parametrize("busy", [False, True])
def test_a_decoder_ends_with_a_killed_parent(busy, tmp_path):
    (tmp_path / "slow.jpg").write_bytes(many_scans())
    program = f"""
from pathlib import Path
from gradoscope.images.decoder_pool import DecoderProcess
from gradoscope.settings import Settings
decoder = DecoderProcess(Settings(decode_seconds=100))
print(decoder.process.pid, flush=True)
{"decoder.decode(Path('slow.jpg').read_bytes())" if busy else "input()"}
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
def test_nothing_is_left_when_its_owner_is_gone():
    decoders = DecoderPool(Settings())
    decoders.decode(png(3, 2))
    pids = [decoder.process.pid for decoder in decoders._idle]
    del decoders
    assert all(map(gone, pids))


def test_one_that_cannot_start_is_told(monkeypatch):
    monkeypatch.setattr(outside.sys, "executable", "/bin/false")
    with pytest.raises(Unavailable, match="does not start"):
        DecoderPool(Settings()).decode(b"")
