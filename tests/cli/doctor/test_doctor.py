"""The doctor, in environments that are broken in known ways."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import sys

import pytest
import torch
from gradoscope.cli import doctor
from gradoscope.cli import main as cli
from gradoscope.cli.doctor import computing, models, network, run_checks, setup, store, worst
from gradoscope.cli.doctor.finding import format_bytes
from gradoscope.settings import Settings
from gradoscope.storage.store import Store
from gradoscope.storage.stores import open_store
from typer.testing import CliRunner

from tests.support.cli import gradoscope
from tests.support.paths import ROOT
from tests.support.web_server import serving

SECRET = "not-to-be-seen-by-anybody"


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """An environment without faults, for each test."""
    for name in [name for name in os.environ if name.startswith("GRADOSCOPE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GRADOSCOPE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("GRADOSCOPE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("GRADOSCOPE_PORT", "0")
    monkeypatch.setenv("GRADOSCOPE_STORE_BYTES", "1000000")


def found(check, what=None, **settings):
    findings = list(check(Settings(**settings)))
    return [finding for finding in findings if what in (None, finding.what)]


def only(check, what=None, **settings):
    (finding,) = found(check, what, **settings)
    assert (finding.verdict == "ok") == (finding.remedy == "")
    return finding


def test_a_sound_environment_is_reported_for_people_and_programs(tmp_path):
    done = gradoscope("doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] in ("ok", "attention")
    whats = {finding["what"] for finding in report["findings"]}
    assert whats >= {"settings", "Gradoscope", "versions", "device", "acceleration", "memory", "models",
                     "default model", "downloads", "store", "disk", "port", "host names", "API keys"}  # fmt: skip
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "weights").exists()


def test_a_fault_gives_exit_code_1_and_says_what_to_do(monkeypatch, tmp_path):
    (tmp_path / "store").write_text("in the way")
    run = CliRunner().invoke(cli.app, ["doctor"], env={"COLUMNS": "200"})
    assert run.exit_code == 1
    assert "cannot be written" in run.stdout
    assert "→ Make the server's user its owner" in run.stdout


def test_unknown_and_invalid_settings_are_reported_without_their_values(monkeypatch):
    monkeypatch.setenv("GRADOSCOPE_STOER", SECRET)
    monkeypatch.setenv("GRADOSCOPE_CORS_ORIGINS", SECRET)
    monkeypatch.setenv("GRADOSCOPE_DEADLINE", SECRET)
    findings = list(run_checks())
    assert [finding.verdict for finding in findings] == ["wrong", "wrong", "wrong"]
    assert findings[0].remedy == "GRADOSCOPE_STORE is one"
    assert findings[1].detail.startswith("GRADOSCOPE_CORS_ORIGINS: ")
    assert SECRET not in repr(findings)


def test_settings_that_were_set_are_reported_without_passwords():
    detail = only(setup.overridden, weights_mirror=f"https://me:{SECRET}@mirror.example/w").detail
    assert "weights_mirror=https://…@mirror.example/w" in detail
    assert "store_bytes=1000000" in detail
    assert "deadline" not in detail


def test_a_dependency_that_is_missing_or_too_old_is_named(monkeypatch):
    assert {finding.verdict for finding in found(setup.versions)} == {"ok"}
    monkeypatch.setattr(setup.metadata, "requires", lambda _: ["torch>=99", "no-such-thing>=1", 'b; extra == "test"'])
    old, missing = [finding for finding in found(setup.versions) if finding.verdict == "wrong"]
    assert f"torch {torch.__version__.partition('+')[0]}" in old.detail
    assert "pip install 'torch>=99'" in old.remedy
    assert "no-such-thing is not installed" in missing.detail


@pytest.mark.parametrize("denied", ["store", "index"])
def test_a_store_that_may_not_be_read_is_reported(tmp_path, monkeypatch, denied):
    """Not as damaged, or as one that will be rebuilt."""
    Store(tmp_path / "store", max_bytes=10**6, max_age=3600).create("r", {})
    access = os.access
    monkeypatch.setattr(
        store.os, "access", lambda path, mode: denied not in os.path.basename(path) and access(path, mode)
    )
    finding = only(store.store, "store")
    assert finding.verdict == "wrong"
    assert "cannot be read" in finding.detail
    assert "server's user" in finding.remedy


def test_a_device_that_is_not_there_is_wrong():
    assert only(computing.device, device="cpu").verdict == "ok"
    absent = only(computing.device, device=f"cuda:{torch.cuda.device_count() + 7}")
    assert absent.verdict == "wrong"
    assert "GRADOSCOPE_DEVICE=auto" in absent.remedy
    assert only(computing.device, device="abacus").verdict == "wrong"


def test_a_gpu_that_lies_idle_is_reported(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(computing, "NVIDIA", ROOT / "README.md")
    assert only(computing.device).verdict == "attention"
    assert only(computing.device, device="cpu").verdict == "ok"


def test_more_threads_than_cores_are_reported():
    assert "GRADOSCOPE_THREADS=" in only(computing.device, device="cpu", threads=10_000).remedy


def test_backends_are_reported(monkeypatch):
    assert "OpenVINO" in only(computing.acceleration, device="cpu").detail
    assert only(computing.acceleration, device="cpu", acceleration="pytorch").detail == "pytorch: plain, folded"
    assert only(computing.acceleration, acceleration="none").detail == "none: plain"
    monkeypatch.setitem(sys.modules, "gradoscope.attribution.backends.runtime", None)
    assert "gradoscope[fast]" in only(computing.acceleration, device="cpu").remedy


def test_memory_that_does_not_suffice_is_reported(monkeypatch, tmp_path):
    assert only(computing.memory, "memory", model_bytes=2**50).verdict == "attention"
    (tmp_path / "memory.max").write_text(str(2**30))
    (tmp_path / "memory.current").write_text(str(2**28))
    (tmp_path / "memory.stat").write_text(f"file 7\ninactive_file {2**28}\n")
    monkeypatch.setattr(computing, "CGROUP", tmp_path)
    assert "1.0 GiB free in this container" in only(computing.memory, "memory").detail
    monkeypatch.setattr(computing.resource, "getrlimit", lambda _: (600, 600))
    assert only(computing.memory, "open files").verdict == "attention"


def test_faulty_cards_and_missing_weights_are_reported(tmp_path):
    card = 'architecture = "torchvision:resnet18"\nclasses = 7\nsource = { kind = "file", file = "no.pth" }\n'
    (tmp_path / "shapes.toml").write_text(f'title = "Shapes"\n{card}')
    (tmp_path / "broken.toml").write_text("title = 1")
    findings = found(models.models, "models", models=tmp_path)
    assert [finding.verdict for finding in findings] == ["ok", "wrong", "attention"]
    assert findings[1].detail.startswith("broken.toml: ")
    assert "no.pth" in findings[2].detail
    for default, said in (("shapes", "no.pth"), ("resnet152", "models pull resnet152"), ("nothing", "nothing")):
        finding = only(models.models, "default model", models=tmp_path, default_model=default)
        assert finding.verdict == "wrong"
        assert said in finding.detail
    assert found(models.models, "models", models=tmp_path / "nowhere")[1].verdict == "wrong"


def test_weights_that_are_not_what_they_should_be_are_reported(tmp_path):
    folder = tmp_path / "weights"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(b"something else")
    finding = only(models.models, "default model", default_model="resnet18", weights=folder)
    assert finding.verdict == "wrong"
    assert "not what it should be" in finding.detail


def test_downloads_need_a_folder(tmp_path):
    (tmp_path / "weights").write_text("in the way")
    assert only(models.weights_folder).verdict == "ok"
    assert only(models.weights_folder, downloads="cards").verdict == "wrong"
    assert only(models.weights_folder, downloads="cards", offline=True).verdict == "attention"


def test_what_the_store_holds_is_reported(tmp_path):
    kept = Store(tmp_path / "store", max_bytes=10**6, max_age=1e9)
    kept.create("one", {"status": "done"})
    kept.close()
    assert "1 explanations, 0 B" in only(store.store, "store").detail
    (index,) = (tmp_path / "store").glob("index*.sqlite3")
    damaged = index.read_bytes()[:100] + b"x" * 20_000
    for path in (tmp_path / "store").glob("index*"):
        path.unlink()
    index.write_bytes(damaged)
    assert only(store.store, "store").verdict == "attention"
    assert index.read_bytes() == damaged
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(index).execute("SELECT * FROM record")


def test_a_shared_store_is_reported(tmp_path):
    address = f"file://{tmp_path}/shared"
    assert {finding.what for finding in found(store.store, store=address)} == {"store", "disk"}
    assert "is made at the first start" in only(store.store, "store", store=address).detail
    open_store(Settings(store=address)).create("one", {"status": "done"})
    assert "shared, holds 1 explanations, 0 B" in only(store.store, "store", store=address).detail


def test_a_bucket_that_cannot_be_reached_is_wrong(monkeypatch):
    for name, value in {
        "ENDPOINT_URL": "http://127.0.0.1:1",
        "ACCESS_KEY_ID": "id",
        "SECRET_ACCESS_KEY": SECRET,
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    wrong = only(store.store, store="s3://bucket/prefix")
    assert wrong.verdict == "wrong"
    assert "127.0.0.1:1" in wrong.detail
    assert SECRET not in str(wrong)


def test_a_full_disk_is_reported(monkeypatch):
    usage = store.shutil.disk_usage(ROOT)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage._replace(free=2 * 2**30))
    assert only(store.store, "disk", store_bytes=2**50).remedy == f"Lower GRADOSCOPE_STORE_BYTES to {2**30}"
    assert only(store.store, "disk").verdict == "ok"
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage._replace(free=1))
    assert only(store.store, "disk").verdict == "wrong"


def test_a_port_that_is_taken_is_wrong(monkeypatch):
    monkeypatch.setattr(network, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(0)
        finding = only(network.port, port=taken.getsockname()[1])
        assert finding.verdict == "wrong"
        assert "taken by another program" in finding.detail
    assert only(network.port, host="203.0.113.1").verdict == "wrong"


def test_a_port_with_a_gradoscope_is_as_it_should_be(tmp_path):
    with serving(tmp_path / "store") as web_server:
        assert "a Gradoscope answers" in only(network.port, port=web_server.port).detail


def test_allowed_hosts_must_fit_the_address():
    assert only(network.host_names).verdict == "ok"
    assert "GRADOSCOPE_ALLOWED_HOSTS" in only(network.host_names, host="0.0.0.0").remedy
    assert only(network.host_names, host="0.0.0.0", allowed_hosts=["*"]).verdict == "attention"
    assert only(network.host_names, host="0.0.0.0", allowed_hosts=["lab.example"]).verdict == "ok"
    assert only(network.host_names, allowed_hosts=[]).verdict == "wrong"


def test_keys_are_counted_and_never_shown(tmp_path):
    assert only(network.keys).verdict == "ok"
    assert only(network.keys, host="0.0.0.0").verdict == "attention"
    file = tmp_path / "keys"
    file.write_text(f"me:{SECRET}\n")
    file.chmod(0o644)
    readable = only(network.keys, keys=file)
    assert readable.verdict == "attention"
    file.chmod(0o600)
    assert only(network.keys, keys=file).detail == f"1 in {file}"
    file.write_text(f"me{SECRET}\n")
    broken = only(network.keys, keys=file)
    assert broken.verdict == "wrong"
    assert SECRET not in repr((readable, broken))


def test_libraries_that_do_not_go_together_are_a_finding(monkeypatch):
    def imported(name, package):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(doctor, "import_module", imported)
    findings = [finding for finding in run_checks() if finding.verdict == "wrong"]
    assert {finding.what for finding in findings} >= {"device", "models", "store", "port"}
    assert "constraints.txt" in findings[0].remedy
    assert worst(findings) == "wrong"


def test_sizes_are_for_people():
    sizes = [10, 2048, 5 * 2**20, 3 * 2**30]
    assert [format_bytes(size) for size in sizes] == ["10 B", "2 KiB", "5 MiB", "3.0 GiB"]
