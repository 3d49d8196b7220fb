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

from tests.support.wide_models import MIB, zoo


def test_least_recently_used_goes_first(four: Path) -> None:
    here = zoo(four, 6)
    for name in "ab":
        here.load(name)
    here.load("a")
    here.load("c")
    assert here.loaded == ("a", "c")
    here.load("b")
    assert here.loaded == ("c", "b")
    assert here.describe("a").layers  # what was found out is kept


def test_cap_is_of_bytes(four: Path) -> None:
    for mib, most in ((2.8, 1), (6, 2), (9, 3), (12, 4)):
        here = zoo(four, mib)
        for name in "abcd":
            here.load(name)
            assert len(here.loaded) <= most
        assert len(here.loaded) == most


def test_larger_than_the_cap(four: Path) -> None:
    here = zoo(four, 2)
    with pytest.raises(OutOfMemory, match=r"a takes 3 MiB .* and 2 are allowed .*GRADOSCOPE_MODEL_BYTES"):
        here.load("a")
    with pytest.raises(OutOfMemory):
        here.request_room(["a"], object())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: tried 9 bytes."),
    ],
)
@pytest.mark.parametrize("where", ["torch.nn.Linear.forward", "gradoscope.zoo.checkpoint._check_first_bytes"])
def test_memory_that_runs_out_is_nobodys_fault(
    error: Exception, where: str, four: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the card's nor the file's: it is 507, and the model can be had when there is memory again."""

    def fail(*arguments: object) -> None:
        raise error

    models = zoo(four)
    with monkeypatch.context() as patched:
        patched.setattr(where, fail)
        with pytest.raises(type(error)) as raised:
            models.load("a")
    assert as_problem(raised.value).status == 507
    assert models.loaded == ()
    models.load("a")


def test_what_is_held_stays(four: Path) -> None:
    here = zoo(four, 6)
    with here.hold(["a", "b"]):
        first = here.load("a")
        here.load("b")
        asker = object()
        assert not here.request_room(["c"], asker)  # nor ever forced: who asks waits
        assert here.request_room(["a"], object())
        assert here.load("a") is first
    assert here.request_room(["c"], asker)
    here.load("c")
    assert here.loaded == ("a", "c")
    with pytest.raises(KeyError), here.hold(["a"]):
        raise KeyError
    assert here.request_room(["b"], object())  # let go after an exception too


def test_who_waits_long_is_not_overtaken_for_ever(four: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(memory.time, "monotonic", lambda: now[0])
    here = zoo(four, 6)
    first, later = object(), object()
    with here.hold(["a", "b"]):
        assert not here.request_room(["c"], first)
        assert here.request_room(["a"], later)
        now[0] = memory.MAX_OVERTAKE_SECONDS + 1
        assert not here.request_room(["a"], later)  # now `first` has its turn next
    assert here.request_room(["c"], first)
    assert here.request_room(["a"], later)
    with here.hold(["a", "b"]):
        assert not here.request_room(["c"], first)
        now[0] *= 3
        here.withdraw_request(first)
        assert here.request_room(["b"], later)


def test_groups(four: Path) -> None:
    here = zoo(four, 6)
    assert here.groups("abcd") == [["a", "b"], ["c", "d"]]
    for name in "abcd":
        here.load(name)
    assert here.groups("abc") == [["a", "b"], ["c"]]
    assert zoo(four, 20).groups("abcd") == [list("abcd")]
    assert here.groups(()) == []


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


def prepare(here: Zoo, name: str) -> BackendSelector:
    backend = here.load(name).backend
    backend.prepare()
    return backend


@pytest.mark.usefixtures("compiler")
def test_what_makes_models_quicker_is_counted_and_goes_first(four: Path) -> None:
    here = zoo(four, 12)
    bare = here.load("a") and here.bytes
    quick = prepare(here, "a")
    assert quick.bytes > 8 * MIB
    assert here.bytes == bare + quick.bytes
    here.load("b")
    assert here.loaded == ("a", "b")
    assert (quick.bytes, quick.backend.name) == (0, "plain")
    assert here.bytes == 2 * bare
    assert prepare(here, "b").bytes < MIB, "beside two models there is no room for a compiled one"
    assert here.bytes <= here.settings.model_bytes


@pytest.mark.usefixtures("compiler")
def test_a_backend_goes_with_its_model(four: Path) -> None:
    here = zoo(four, 12)
    quick = prepare(here, "a")
    assert quick.bytes > 8 * MIB
    (four / "a.pth").touch()  # another model, as far as the zoo can tell
    assert here.load("a").backend is not quick
    assert quick.bytes == 0
    assert here.bytes < 3 * MIB


def test_views_have_backends_of_their_own(four: Path) -> None:
    here = zoo(four, acceleration="pytorch")
    model, view = here.load("a"), here.load("a", (24, 32))
    assert model.backend is not view.backend
    before = here.bytes
    view.backend.prepare()
    assert here.bytes == before + view.backend.bytes > before


def test_trials_go_on_in_idle_moments(four: Path) -> None:
    """Nothing is begun unasked."""
    here = zoo(four)
    assert not here.advance_backends()
    here.load("a")
    assert not here.advance_backends()
