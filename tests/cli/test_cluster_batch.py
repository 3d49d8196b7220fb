"""A folder spread over replicas, by a fake Ray Serve handle: what happens when replicas die or are full."""

from __future__ import annotations

import asyncio
import json

import pytest
from gradoscope.cli import cluster_batch as batch
from gradoscope.cli.cluster_batch import ClusterBatch
from gradoscope.contract.events import ErrorEvent, ResultEvent
from gradoscope.contract.jobs import Explain
from gradoscope.contract.problems import Unprocessable
from gradoscope.contract.records import FolderRecord
from gradoscope.images.image_files import ImageFile
from gradoscope.pipeline.resume import picture_mark
from gradoscope.service.cluster.batch_job import (
    BatchAnswer,
    BatchDoneEvent,
    CheckBatch,
    PictureDoneEvent,
    PictureFailedEvent,
)
from gradoscope.settings import Settings
from ray.exceptions import ActorDiedError
from ray.serve.exceptions import BackPressureError

from tests.support.contract import explanation

ABOUT = ({"methods": ["f"]}, {}, {})


class Tally:
    def __init__(self):
        self.settled = {}

    def add_explained(self, entry, record):
        self.settled[entry.path.name] = "done"

    def add_skipped(self, entry):
        self.settled[entry.path.name] = "kept"

    def add_failed(self, entry, problem):
        self.settled[entry.path.name] = problem.detail


class Handle:
    """Replicas that die of pictures named killer, and refuse the first `full` chunks for lack of room."""

    def __init__(self, full=0, refusal=None):
        self.full, self.refusal, self.chunks = full, refusal, []

    def options(self, **options):
        return self

    def broadcast(self, method, known):
        return self

    async def results_async(self, **options):
        return [{}, RuntimeError()]

    async def remote(self, job, *arguments):
        if isinstance(job, CheckBatch):
            yield "event", self.refusal or ResultEvent(result=BatchAnswer(about=ABOUT, chunk_size=3))
            return
        if self.full:
            self.full -= 1
            raise BackPressureError(1, 1)
        self.chunks.append([path.rpartition("/")[2] for path, _ in job.pictures])
        for place, (path, _) in enumerate(job.pictures):
            await asyncio.sleep(0)
            if "killer" in path:
                raise ActorDiedError()
            if "bad" in path:
                yield (
                    "event",
                    PictureFailedEvent(index=place, problem=Unprocessable("no picture").body()),
                )
            else:
                record = FolderRecord(**dict(explanation()), source=path, mark="")
                yield "event", PictureDoneEvent(index=place, record=record, files=[("explanation.json", b"{}")])
        yield "event", BatchDoneEvent()


def spread(handle, tmp_path, names):
    entries = []
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
        entries.append(ImageFile(tmp_path / name, tmp_path / "out" / name))
    tally = Tally()
    asyncio.run(ClusterBatch(Explain("", b""), handle, Settings(), tally).explain(entries))
    return tally.settled


def test_chunks_are_computed_and_written(tmp_path):
    handle = Handle()
    assert spread(handle, tmp_path, ["a", "b", "bad", "c"]) == {
        "a": "done",
        "b": "done",
        "bad": "no picture",
        "c": "done",
    }
    assert sorted(handle.chunks) == [["a", "b", "bad"], ["c"]]
    assert (tmp_path / "out" / "c" / "explanation.json").is_file()


def test_pictures_with_a_result_are_not_sent(tmp_path):
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "explanation.json").write_text(
        json.dumps({"mark": picture_mark(b"a", ABOUT), "status": "done"})
    )
    handle = Handle()
    assert spread(handle, tmp_path, ["a", "b"]) == {"a": "kept", "b": "done"}
    assert handle.chunks == [["b"]]


def test_only_the_picture_that_kills_is_lost(tmp_path):
    handle = Handle()
    settled = spread(handle, tmp_path, ["a", "killer", "b"])
    assert settled.pop("killer").startswith("The worker died twice")
    assert settled == {"a": "done", "b": "done"}
    assert handle.chunks == [["a", "killer", "b"], ["killer"], ["killer"], ["b"]]


def test_a_chunk_that_no_replica_has_room_for_is_sent_again(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "PAUSE_SECONDS", 0)
    handle = Handle(full=2)
    assert spread(handle, tmp_path, ["a"]) == {"a": "done"}


def test_a_wrong_question_is_refused(tmp_path):
    handle = Handle(refusal=ErrorEvent(problem=Unprocessable("no such method").body()))
    with pytest.raises(Unprocessable, match="no such method"):
        spread(handle, tmp_path, ["a"])


def test_a_picture_that_cannot_be_read_and_a_folder_that_cannot_be_written(tmp_path):
    handle, tally = Handle(), Tally()
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "file").write_text("")
    entries = [ImageFile(tmp_path / "gone", tmp_path / "x"), ImageFile(tmp_path / "a", tmp_path / "file" / "a")]
    asyncio.run(ClusterBatch(Explain("", b""), handle, Settings(), tally).explain(entries))
    assert "No such file" in tally.settled["gone"]
    assert "cannot be written" in tally.settled["a"]
