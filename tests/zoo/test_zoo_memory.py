"""The zoo's memory: what is loaded stays under a cap of bytes, and what is held stays loaded."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from gradoscope.attribution.backends.backend import Backend
from gradoscope.attribution.backends.selection import BackendSelector
from gradoscope.attribution.classifier import Classifier
from gradoscope.attribution.gradients import take_gradients
from gradoscope.attribution.score import Score
from gradoscope.contract.problems import OutOfMemory
from gradoscope.pipeline.problems import as_problem
from gradoscope.zoo import memory
from gradoscope.zoo.zoo import Zoo
from torch import Tensor

from tests.support.wide_models import MIB, make_zoo


def test_least_recently_used_goes_first(four_models: Path) -> None:
    zoo = make_zoo(four_models, mib=6)
    for name in "ab":
        zoo.load(name)
    zoo.load("a")
    zoo.load("c")
    assert zoo.loaded == ("a", "c")
    zoo.load("b")
    assert zoo.loaded == ("c", "b")
    assert zoo.describe("a").layers  # what was found out is kept


def test_the_cap_is_in_bytes(four_models: Path) -> None:
    for mib, most in ((2.8, 1), (6, 2), (9, 3), (12, 4)):
        zoo = make_zoo(four_models, mib)
        for name in "abcd":
            zoo.load(name)
            assert len(zoo.loaded) <= most
        assert len(zoo.loaded) == most


def test_larger_than_the_cap(four_models: Path) -> None:
    zoo = make_zoo(four_models, mib=2)
    with pytest.raises(OutOfMemory, match=r"a takes 3 MiB .* and 2 are allowed .*GRADOSCOPE_MODEL_BYTES"):
        zoo.load("a")
    with pytest.raises(OutOfMemory):
        zoo.request_room(["a"], object())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: tried 9 bytes."),
    ],
)
@pytest.mark.parametrize("where", ["torch.nn.Linear.forward", "gradoscope.zoo.checkpoint._check_first_bytes"])
def test_running_out_of_memory_is_no_fault_of_card_or_file(
    error: Exception, where: str, four_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a 507, and the model can be loaded when there is memory again."""

    def fail(*arguments: object) -> None:
        raise error

    models = make_zoo(four_models)
    with monkeypatch.context() as patched:
        patched.setattr(where, fail)
        with pytest.raises(type(error)) as raised:
            models.load("a")
    assert as_problem(raised.value).status == 507
    assert models.loaded == ()
    models.load("a")


def test_what_is_held_stays(four_models: Path) -> None:
    zoo = make_zoo(four_models, mib=6)
    with zoo.hold(["a", "b"]):
        first = zoo.load("a")
        zoo.load("b")
        asker = object()
        assert not zoo.request_room(["c"], asker)  # a held model is never unloaded: the asker has to wait
        assert zoo.request_room(["a"], object())
        assert zoo.load("a") is first
    assert zoo.request_room(["c"], asker)
    zoo.load("c")
    assert zoo.loaded == ("a", "c")
    with pytest.raises(KeyError), zoo.hold(["a"]):
        raise KeyError
    assert zoo.request_room(["b"], object())  # let go after an exception too


def test_a_request_that_waits_is_not_overtaken_forever(four_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(memory.time, "monotonic", lambda: now[0])
    zoo = make_zoo(four_models, mib=6)
    first, later = object(), object()
    with zoo.hold(["a", "b"]):
        assert not zoo.request_room(["c"], first)
        assert zoo.request_room(["a"], later)
        now[0] = memory.MAX_OVERTAKE_SECONDS + 1
        assert not zoo.request_room(["a"], later)  # now `first` has its turn next
    assert zoo.request_room(["c"], first)
    assert zoo.request_room(["a"], later)
    with zoo.hold(["a", "b"]):
        assert not zoo.request_room(["c"], first)
        now[0] *= 3
        zoo.withdraw_request(first)
        assert zoo.request_room(["b"], later)


def test_models_are_grouped_so_that_each_group_fits(four_models: Path) -> None:
    zoo = make_zoo(four_models, mib=6)
    assert zoo.groups("abcd") == [["a", "b"], ["c", "d"]]
    for name in "abcd":
        zoo.load(name)
    assert zoo.groups("abc") == [["a", "b"], ["c"]]
    assert make_zoo(four_models, mib=20).groups("abcd") == [list("abcd")]
    assert zoo.groups(()) == []


class Quick(Backend):
    """Stands for a compiled backend: it is quick because it knows its answers."""

    name, sizes = "compiled", (4,)

    def __init__(self, classifier: Classifier, batch: int) -> None:
        self.classifier, self.known = classifier, {}

    def gradients(self, pictures: Tensor, score: Score) -> Tensor:
        key = pictures.numpy().tobytes()
        if key not in self.known:
            self.known[key] = take_gradients(self.classifier, pictures, score)
        return self.known[key]


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradoscope.attribution.backends.selection.CompiledBackend", Quick)
    monkeypatch.setattr("gradoscope.attribution.backends.selection.available", lambda classifier: True)


def prepare(zoo: Zoo, name: str) -> BackendSelector:
    backend = zoo.load(name).backend
    backend.prepare()
    return backend


@pytest.mark.usefixtures("compiler")
def test_compiled_backends_count_and_are_dropped_first(four_models: Path) -> None:
    zoo = make_zoo(four_models, mib=12)
    plain_bytes = zoo.load("a") and zoo.bytes
    quick = prepare(zoo, "a")
    assert quick.bytes > 8 * MIB
    assert zoo.bytes == plain_bytes + quick.bytes
    zoo.load("b")
    assert zoo.loaded == ("a", "b")
    assert (quick.bytes, quick.backend.name) == (0, "plain")
    assert zoo.bytes == 2 * plain_bytes
    assert prepare(zoo, "b").bytes < MIB, "beside two models there is no room for a compiled one"
    assert zoo.bytes <= zoo.settings.model_bytes


@pytest.mark.usefixtures("compiler")
def test_a_backend_is_dropped_with_its_model(four_models: Path) -> None:
    zoo = make_zoo(four_models, mib=12)
    quick = prepare(zoo, "a")
    assert quick.bytes > 8 * MIB
    (four_models / "a.pth").touch()  # another model, as far as the zoo can tell
    assert zoo.load("a").backend is not quick
    assert quick.bytes == 0
    assert zoo.bytes < 3 * MIB


def test_views_have_backends_of_their_own(four_models: Path) -> None:
    zoo = make_zoo(four_models, acceleration="pytorch")
    model, view = zoo.load("a"), zoo.load("a", (24, 32))
    assert model.backend is not view.backend
    before = zoo.bytes
    view.backend.prepare()
    assert zoo.bytes == before + view.backend.bytes > before


def test_no_trial_of_a_backend_begins_unasked(four_models: Path) -> None:
    zoo = make_zoo(four_models)
    assert not zoo.advance_backends()
    zoo.load("a")
    assert not zoo.advance_backends()
