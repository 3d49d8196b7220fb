"""Downloads from a host on loopback: slow, broken in the middle, wrong, not there."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from gradoscope.settings import Settings
from gradoscope.zoo import download
from gradoscope.zoo.download import DownloadFailed, DownloadProgress, download_weights, mirrored
from gradoscope.zoo.weights import Hub, WeightFile, Weights, WeightsMissing, WrongWeights

from tests.support.weight_host import COMMIT, Host, weight_host

DATA = random.Random(0).randbytes(1_000_000)
HASH = hashlib.sha256(DATA).hexdigest()
NAME = f"net-{HASH[:8]}.pth"
FILE = WeightFile(f"checkpoints/{NAME}", f"https://download.pytorch.org/models/{NAME}", HASH[:8])
HUB = WeightFile("hub/timm/net.tag/model.safetensors", hub=Hub("timm/net.tag"))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with weight_host() as host:
        host.files = {f"/models/{NAME}": DATA, "/timm/net.tag/resolve/main/model.safetensors": DATA}
        yield host


def settings(folder: Path, host: Host | None = None, **more: object) -> Settings:
    return Settings(weights=folder, weights_mirror=host.url if host else "", **more)  # type: ignore[arg-type]


def place(folder: Path) -> Path:
    return folder / "checkpoints" / NAME


def test_a_whole_download(tmp_path: Path, host: Host) -> None:
    progress = list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert place(tmp_path).read_bytes() == DATA
    assert (progress[0].done, progress[-1].done) == (0, len(DATA))
    assert {step.total for step in progress} == {len(DATA)}
    assert [step.done for step in progress] == sorted(step.done for step in progress)
    assert list(download_weights(FILE, "net", settings(tmp_path, host))) == []  # it is there
    assert len(host.asked) == 1
    assert [path.name for path in place(tmp_path).parent.iterdir()] == [NAME]


def test_broken_in_the_middle_goes_on_by_itself(tmp_path: Path, host: Host) -> None:
    host.breaks = [300_000, 0, 200_000]
    progress = list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert place(tmp_path).read_bytes() == DATA
    ranges = [wanted for _, wanted in host.asked]
    assert ranges == [None, "bytes=300000-", "bytes=300000-", "bytes=500000-"]
    assert host.sent == len(DATA)  # nothing twice
    assert progress[-1].done == len(DATA)


def test_broken_for_good_keeps_what_came(tmp_path: Path, host: Host) -> None:
    host.breaks = [400_000, 0, 0, 0, 0]
    with pytest.raises(DownloadFailed, match=r"broke off after 0.4 MiB. What came is kept: try again to go on"):
        list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert not place(tmp_path).exists()
    with pytest.raises(WeightsMissing):
        Weights(settings(tmp_path)).require(FILE, "net")  # no half file is ever found
    host.breaks, host.asked = [], []
    list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert host.asked == [(f"/models/{NAME}", "bytes=400000-")]
    assert place(tmp_path).read_bytes() == DATA


def test_host_that_knows_no_ranges_sends_it_all_again(tmp_path: Path, host: Host) -> None:
    host.ranges, host.breaks = False, [300_000]
    list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert place(tmp_path).read_bytes() == DATA


def test_closing_ends_it_and_the_next_goes_on(tmp_path: Path, host: Host) -> None:
    host.pause = 0.02
    steps = download_weights(FILE, "net", settings(tmp_path, host))
    while next(steps).done < 200_000:
        pass
    steps.close()
    part = place(tmp_path).with_name(f"{NAME}.part")
    assert 200_000 <= part.stat().st_size < len(DATA)
    host.pause, before = 0.0, part.stat().st_size
    list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert host.asked[-1] == (f"/models/{NAME}", f"bytes={before}-")
    assert place(tmp_path).read_bytes() == DATA


def test_silent_host_is_left(tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx2  # as download.py: the successor of httpx

    monkeypatch.setattr(download, "TIMEOUT", httpx2.Timeout(5, read=0.05))
    host.silence = 0.3
    with pytest.raises(DownloadFailed, match=r"went silent after 0.0 MiB"):
        list(download_weights(FILE, "net", settings(tmp_path, host)))


@pytest.mark.parametrize("first", [b"", DATA[:1000], bytes(1000), DATA + b"more", bytes(2_000_000)])
def test_wrong_hash_is_refused_by_name_and_removed(tmp_path: Path, host: Host, first: bytes) -> None:
    """Also where the wrong bytes are those that an earlier try left."""
    host.files[f"/models/{NAME}"] = DATA[:-1] + b"!" if not first or DATA.startswith(first) else DATA
    part = place(tmp_path).with_name(f"{NAME}.part")
    part.parent.mkdir()
    part.write_bytes(first)
    with pytest.raises(WrongWeights, match=rf"net: what came for {NAME} is not that file.*expected {HASH[:8]}"):
        list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert not part.exists()
    assert not place(tmp_path).exists()
    host.files[f"/models/{NAME}"] = DATA
    list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert place(tmp_path).read_bytes() == DATA


def test_not_there(tmp_path: Path, host: Host) -> None:
    host.files.clear()
    with pytest.raises(DownloadFailed, match=rf"answers 404 for /models/{NAME}: there is no such file"):
        list(download_weights(FILE, "net", settings(tmp_path, host)))
    with pytest.raises(DownloadFailed, match=r"answers 404 for /timm/net.tag/resolve/main/model.safetensors"):
        list(download_weights(HUB, "timm:net.tag", settings(tmp_path, host)))


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with weight_host() as gone:
        pass
    for file in (FILE, HUB):
        with pytest.raises(DownloadFailed, match=r"127.0.0.1:\d+ (cannot be reached|does not answer)"):
            list(download_weights(file, "net", settings(tmp_path, gone)))


def test_offline_says_which_file_to_put_where(tmp_path: Path, host: Host) -> None:
    with pytest.raises(DownloadFailed) as caught:
        list(download_weights(FILE, "net", settings(tmp_path, host, offline=True)))
    assert (
        f"GRADOSCOPE_OFFLINE): put {NAME} from https://download.pytorch.org/models/{NAME} into {tmp_path}/checkpoints/"
        in str(caught.value)
    )
    assert not host.asked
    place(tmp_path).parent.mkdir()
    place(tmp_path).write_bytes(DATA)
    weights = Weights(settings(tmp_path, offline=True))
    assert weights.verified(FILE, weights.require(FILE, "net"), "net") == HASH


def test_one_process_at_a_time(tmp_path: Path, host: Host) -> None:
    part = place(tmp_path).with_name(f"{NAME}.part")
    part.parent.mkdir()
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DownloadFailed, match="another process is downloading"):
            list(download_weights(FILE, "net", settings(tmp_path, host)))
    list(download_weights(FILE, "net", settings(tmp_path, host)))


def test_the_other_process_finishes_between_opening_and_locking(
    tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was opened is the finished file by then: it must not be written to."""
    part, lock, host.ranges = place(tmp_path).with_name(f"{NAME}.part"), fcntl.flock, False
    finished: list[int] = []

    def finish_first(file: IO[bytes], operation: int) -> None:
        if not finished:
            part.write_bytes(DATA)
            part.rename(place(tmp_path))
            finished.append(place(tmp_path).stat().st_ino)
        lock(file, operation)

    written: list[int] = []
    fetch = download._fetch

    def noted(client: Any, url: str, out: IO[bytes], *rest: Any) -> Iterator[DownloadProgress]:
        written.append(os.fstat(out.fileno()).st_ino)
        return fetch(client, url, out, *rest)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    monkeypatch.setattr(download, "_fetch", noted)
    list(download_weights(FILE, "net", settings(tmp_path, host)))
    assert finished
    assert finished[0] not in written
    assert place(tmp_path).read_bytes() == DATA


def test_folder_that_cannot_be_written(tmp_path: Path, host: Host) -> None:
    (tmp_path / "checkpoints").write_text("a file where a folder should be")
    with pytest.raises(DownloadFailed, match="cannot be written"):
        list(download_weights(FILE, "net", settings(tmp_path, host)))


def test_hub_file_is_pinned_at_the_commit_that_was_first_seen(tmp_path: Path, host: Host) -> None:
    config = settings(tmp_path, host)
    list(download_weights(HUB, "timm:net.tag", config))
    weights = Weights(config)
    path = weights.require(HUB, "timm:net.tag")
    assert path == tmp_path / f"hub/timm/net.tag/{COMMIT}/model.safetensors"
    assert weights.with_pinned_revision(HUB).sha256 == HASH
    assert host.asked == [(f"/timm/net.tag/resolve/{COMMIT}/model.safetensors", None)]
    path.unlink()
    host.files["/timm/net.tag/resolve/main/model.safetensors"] = b"another commit's weights"
    with pytest.raises(WrongWeights):
        list(download_weights(HUB, "timm:net.tag", config))


def test_hub_that_names_no_commit_is_not_believed(tmp_path: Path, host: Host) -> None:
    host.hub = False
    with pytest.raises(DownloadFailed, match=r"which commit and hash the weights have. Write a card with `revision`"):
        list(download_weights(HUB, "timm:net.tag", settings(tmp_path, host)))
    pinned = HUB.pinned(COMMIT, HASH, size=None)  # as a card with revision and sha256 says
    list(download_weights(pinned, "x", settings(tmp_path, host)))
    with pytest.raises(DownloadFailed, match="Write its sha256 into the card"):
        list(download_weights(HUB.pinned("f" * 40, "", size=None), "x", settings(tmp_path, host)))


def test_a_damaged_pin_file_is_ignored(tmp_path: Path) -> None:
    """The pin file of a model on the hub notes the commit and hash that were first downloaded."""
    weights = Weights(settings(tmp_path))
    pin = weights.pin_path(HUB)
    pin.parent.mkdir(parents=True)
    for text in ("{", json.dumps({"revision": COMMIT})):
        pin.write_text(text)
        assert weights.with_pinned_revision(HUB) == HUB
        assert weights.find(HUB) is None


def test_mirror_keeps_the_path(tmp_path: Path) -> None:
    config = Settings(weights=tmp_path, weights_mirror="https://mirror.example/weights/")
    assert mirrored(FILE.url, config) == f"https://mirror.example/weights/models/{NAME}"
    assert mirrored(FILE.url, settings(tmp_path)) == FILE.url
    with pytest.raises(ValueError, match="must begin with http"):
        Settings(weights_mirror="mirror.example")


@pytest.mark.parametrize("length", [True, False])
def test_a_file_over_the_limit_is_refused(tmp_path: Path, host: Host, monkeypatch, length: bool) -> None:
    """With a Content-Length, and without one; nothing is left of it."""
    host.files = {f"/models/{NAME}": bytes(3 * 2**20)}
    if not length:
        monkeypatch.setattr(download, "_total", lambda response, done: None)
    with pytest.raises(DownloadFailed, match="GRADOSCOPE_DOWNLOAD_BYTES"):
        list(download_weights(FILE, "net", settings(tmp_path, host, download_bytes=2**20)))
    assert not place(tmp_path).exists()
    assert all(path.stat().st_size == 0 for path in place(tmp_path).parent.iterdir())
