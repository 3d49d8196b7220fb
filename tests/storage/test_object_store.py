"""A shared store in a bucket, against an object store that listens on this machine."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from gradoscope.contract.problems import NotFound, NotStored, Unavailable
from gradoscope.storage.object_store import FsspecObjectStore
from gradoscope.storage.shared_store import SharedStore

from tests.support.object_store import BUCKET, object_store

pytestmark = [
    # these come from moto, botocore and aiohttp
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def endpoint():
    with object_store() as url:
        yield url


@pytest.fixture
def opened(endpoint, request):
    """Opens the store of this test, each time as another server would."""
    return lambda: SharedStore(
        FsspecObjectStore(f"s3://{BUCKET}/{request.node.name}"), max_bytes=10**7, max_age=3600, deadline=60
    )


@pytest.fixture
def requests(monkeypatch):
    """The names of the S3 requests that are made."""
    import s3fs

    made, real = [], s3fs.S3FileSystem._call_s3

    async def call(self, method, *rest, **named):
        made.append(method)
        return await real(self, method, *rest, **named)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
    return made


def left(store):
    """All paths in the object store."""
    return sorted(item.path for item in store._objects.list_below(""))


def test_one_server_keeps_and_another_one_serves(opened):
    one, two = opened(), opened()
    key = one.key("panel")
    assert two.key("panel") == key
    one.create("r", {"a": 1}, "ann")
    one.put("r", "panel:p1", key, b"values", {"n": 1})
    one.update("r", {"a": 2})
    assert (two.load("r"), two.owner("r"), two.read("r", "panel:p1")) == ({"a": 2}, "ann", b"values")
    two.create("s", {})
    assert two.attach("s", "panel:p1", key) == {"n": 1}
    assert two.forget("r")
    assert (one.load("r"), one.owner("r"), one.read("r", "panel:p1")) == (None, None, None)
    for change in (
        lambda: one.update("r", {}),
        lambda: one.attach("r", "panel:p2", key),
        lambda: one.put("r", "panel:p2", key, b"values", {}),
        lambda: one.create("r", {}),
    ):
        with pytest.raises(NotFound):
            change()
    assert one.read("s", "panel:p1") == b"values"
    assert two.forget("s")
    assert not two.forget("s")
    assert [path for path in left(one) if path.startswith("records/")] == []
    assert one.load("../*?[a]") is None


def test_clean_up_by_age_and_size_uses_the_clock_of_the_object_store(opened):
    store = opened()
    for number in range(3):
        store.create(f"r{number}", {})
        store.put(f"r{number}", "source", store.key(number), b"x" * 1000, {})
    assert store.clean_up() == 0
    assert store.usage()[0] == 3
    store.max_bytes = 2500
    assert store.clean_up() == 1
    store.max_age = -60
    assert store.clean_up() == 2
    assert store.usage() == (0, 0)


def test_how_many_requests_each_call_needs(opened, requests):
    """A panel of another record costs five: its pointer and bytes are read, it is copied, a pointer to the copy is
    written."""

    def cost(act):
        requests.clear()
        act()
        return sorted(requests)

    one, two = opened(), opened()
    key = one.key("panel")
    two.key("panel")
    get, put = "get_object", "put_object"
    assert cost(lambda: one.create("r", {})) == [get, put, put]
    assert cost(lambda: one.put("r", "panel:p1", key, b"values", {})) == [get, put, put]
    assert cost(lambda: one.update("r", {})) == [get, put]
    assert cost(lambda: two.attach("r", "panel:p2", "f" * 64)) == [get]
    two.create("s", {})
    attach_and_read = lambda: (two.attach("s", "panel:p1", key), two.read("s", "panel:p1"))  # noqa: E731
    assert cost(attach_and_read) == [get, get, get, put, put]
    two.create("t", {})
    assert cost(lambda: two.attach("t", "panel:p1", key)) == [get, get, put, put]  # it remembers where the panel is
    assert cost(lambda: two.load("r")) == [get, get]
    assert cost(lambda: two.read("r", "panel:p1")) == [get]


def test_many_use_and_forget_the_same_panel_at_once(opened):
    reader, faults = opened(), []
    reader.key("x")

    def use(name):
        store = opened()
        for turn in range(6):
            record, key = f"{name}{turn}", store.key("panel")
            store.create(record, {})
            early = threading.Thread(target=store.forget, args=(record,)) if turn % 2 else None
            if early:
                early.start()
            with suppress(NotFound):
                if store.attach(record, "panel", key) is None:
                    store.put(record, "panel", key, b"values", {})
                if not early and reader.read(record, "panel") != b"values":
                    faults.append(record)
            if early:
                early.join()
            else:
                store.forget(record)

    threads = [threading.Thread(target=use, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert [path for path in left(reader) if path.startswith("records/")] == []


def test_a_missing_bucket_and_an_unreachable_endpoint_are_reported(endpoint, monkeypatch, caplog):
    missing = SharedStore(FsspecObjectStore("s3://no-such-bucket/x"), max_bytes=1, max_age=1, deadline=1)
    with pytest.raises(NotStored):
        missing.create("r", {})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    unreachable = SharedStore(FsspecObjectStore(f"s3://{BUCKET}/x"), max_bytes=1, max_age=1, deadline=1)
    with pytest.raises(Unavailable) as raised:
        unreachable.load("r")
    assert raised.value.retry_after == 5
    assert "a-secret-key" not in caplog.text
    assert "an-access-key" not in caplog.text
