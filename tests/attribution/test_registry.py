"""What registers itself, and what other distributions bring."""

from __future__ import annotations

import logging
import sys
from importlib import metadata
from pathlib import Path

import pytest
from gradoscope.attribution import plugins as discovery
from gradoscope.attribution.errors import UnknownName
from gradoscope.attribution.methods.base import methods
from gradoscope.attribution.metrics.base import metrics
from gradoscope.attribution.plugins import DEFAULT_ORDER, Plugin, plugins
from gradoscope.attribution.registry import Registry


class Thing:
    def __init__(self, id="thing", rank=0):
        self.id, self.rank = id, rank


class Other(Thing):
    def __init__(self):
        super().__init__("other", -1)


class Nameless(Thing):
    def __init__(self):
        super().__init__("No name")


def registry_of(*found: Plugin, declared=()):
    return Registry(lambda: found, "thing", order=lambda thing: thing.rank, also=", or all", declared=declared)


@pytest.fixture
def registry():
    registry = registry_of()
    registry.register(Thing)
    registry.register(Other)
    return registry


def test_in_order_and_found_by_id(registry):
    assert list(registry.all()) == ["other", "thing"]
    assert registry.find("thing").rank == 0
    registry.drop("other")
    assert list(registry.all()) == ["thing"]


def test_an_id_is_taken_once(registry):
    with pytest.raises(ValueError, match="two things call themselves thing"):
        registry.register(Thing)


def test_an_id_is_a_name(registry):
    with pytest.raises(ValueError, match="'No name' is no id"):
        registry.register(Nameless)


def test_missing_declarations_are_refused():
    with pytest.raises(TypeError, match="Thing declares no title, no year"):
        registry_of(declared=("__init__", "title", "year")).register(Thing)


def test_unknown_id_is_refused_with_the_known_ones(registry):
    with pytest.raises(UnknownName, match=r"There is no thing «x»\. There are: other, thing, or all\.") as refused:
        registry.find("x")
    assert refused.value.kind == "thing"


def test_order_of_methods_and_of_metrics():
    years = [method.year for method in methods().values()]
    assert years == sorted(years)
    assert list(metrics()) == sorted(metrics())


# Plug-ins of other distributions

MODULE = """
class Brought:
    id = {id!r}
    rank = 1
"""


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """Writes a module, and says where it is, as an entry point does."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(module: str, source: str, id: str = "brought", attribute: str = "Brought") -> Plugin:
        (tmp_path / f"{module}.py").write_text(source)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return Plugin(id, module, f"{module} 1.0", tmp_path / f"{module}.py", attribute)

    return write


def test_plugin_of_another_distribution_is_registered(brought):
    registry = registry_of(brought("brought_well", MODULE.format(id="brought")))
    registry.register(Thing)
    assert list(registry.all()) == ["thing", "brought"]
    assert registry.faults() == ()


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("brought_broken", "import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("brought_ending", "raise SystemExit(3)", "SystemExit: 3"),
        ("brought_without", "", "AttributeError: module 'brought_without' has no attribute 'Brought'"),
        ("brought_otherwise", MODULE.format(id="else"), "ValueError: brought_otherwise registers no thing «brought»"),
        ("brought_twice", MODULE.format(id="thing"), "ValueError: two things call themselves thing: "),
    ],
)
def test_plugin_that_cannot_be_loaded_is_reported_and_left_out(brought, caplog, name, source, reason):
    good = brought("brought_good", MODULE.format(id="good"), "good")
    registry = registry_of(brought(name, source), good)
    registry.register(Thing)
    with caplog.at_level(logging.ERROR):
        assert list(registry.all()) == ["thing", "good"]
    (fault,) = registry.faults()
    assert fault.reason.startswith(reason)
    assert f"the thing «brought» of {name} 1.0 is left out: {fault.reason}" in caplog.text
    assert type(registry.find("thing")) is Thing


def test_fault_of_a_built_in_plugin_is_raised(brought):
    plugin = brought("brought_own", "import no_such_module")
    registry = registry_of(Plugin(plugin.id, plugin.module, discovery.BUILT_IN, plugin.file, plugin.attribute))
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError):
            registry.all()


def test_place_and_declarations_of_a_plugin_are_known_without_importing_it(tmp_path, monkeypatch):
    folder = tmp_path / "nested_toy" / "inner"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    source = "class Toy:\n    id, other = 'toy', len('x')\n    year: int = 2024\n    computed = len('x')\n"
    (folder / "__init__.py").write_text(source)
    entries = [
        metadata.EntryPoint("toy", "nested_toy.inner:Toy", "gradoscope.methods"),
        metadata.EntryPoint("lost", "no_such_package.inner", "gradoscope.methods"),
    ]
    monkeypatch.setattr(discovery, "entry_points", lambda group: entries if group == "gradoscope.methods" else [])
    monkeypatch.syspath_prepend(tmp_path)
    found = {plugin.id: plugin for plugin in plugins.__wrapped__("methods")}
    assert found["toy"].folder == folder
    assert found["toy"].attribute == "Toy"
    assert found["toy"].declared() == {"id": "toy", "year": 2024}
    assert (found["lost"].file, found["lost"].folder, found["lost"].declared()) == (None, None, {})
    assert "nested_toy" not in sys.modules
    assert [plugin.origin for plugin in plugins.__wrapped__("metrics")] == [discovery.BUILT_IN] * len(metrics())


def test_a_source_that_is_no_python_declares_nothing(tmp_path):
    file = tmp_path / "toy.py"
    file.write_text("class Toy(:")
    assert Plugin("toy", "toy", "toy 1.0", file).declared() == {}
    assert Plugin("toy", "toy", "toy 1.0", Path("/no/such/file.py")).declared() == {}


@pytest.mark.parametrize(("kind", "all_of"), [("methods", methods), ("metrics", metrics)])
def test_declarations_read_from_the_source_are_those_of_the_class(kind, all_of):
    for plugin in plugins(kind):
        declared, made = plugin.declared(), all_of()[plugin.id]
        assert declared["title"] == made.title
        assert declared.get("default", False) == made.default
        assert declared.get("order", DEFAULT_ORDER if kind == "metrics" else 0) == made.order
        assert declared.get("year") == getattr(made, "year", None)
