"""Settings: an empty variable is not set; a faulty one is named in one sentence, and nothing starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradoscope import settings as module
from gradoscope.settings import BadSettings, Settings, read_settings

from tests.support.cli import gradoscope


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in [name for name in module.os.environ if name.startswith("GRADOSCOPE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", ["STORE", "MODELS", "ALLOWED_HOSTS", "PORT", "DEVICE"])
def test_an_empty_variable_is_the_default(monkeypatch, name):
    monkeypatch.setenv(f"GRADOSCOPE_{name}", "")
    assert read_settings() == Settings()
    assert read_settings().store == Path("~/.cache/gradoscope").expanduser()


def test_an_empty_name_of_a_file_of_keys_lets_nobody_in(monkeypatch):
    """Somebody forgot to fill it in: that must not open the server to everybody."""
    monkeypatch.setenv("GRADOSCOPE_KEYS", "")
    with pytest.raises(BadSettings, match="GRADOSCOPE_KEYS is empty"):
        read_settings()
    assert read_settings(keys=Path("keys")).keys == Path("keys")


@pytest.mark.parametrize("name", ["STORE", "MODELS", "ALLOWED_HOSTS", "PORT", "DEVICE"])
def test_nothing_but_spaces_is_the_default(monkeypatch, name):
    default = Settings()
    monkeypatch.setenv(f"GRADOSCOPE_{name}", " \t")
    assert read_settings() == default


def test_spaces_around_a_value_do_not_count(monkeypatch):
    for name, value in {"STORE": " /tmp/store ", "DEVICE": " cpu", "PORT": " 80 ", "DOWNLOADS": "cards\n"}.items():
        monkeypatch.setenv(f"GRADOSCOPE_{name}", value)
    settings = read_settings()
    assert (settings.store, settings.device, settings.port, settings.downloads) == (
        Path("/tmp/store"), "cpu", 80, "cards",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["GRADOSCOPE_KEYS", "gradoscope_keys"])
def test_a_blank_name_of_a_file_of_keys_lets_nobody_in(monkeypatch, name):
    for value in ("", " "):
        monkeypatch.setenv(name, value)
        with pytest.raises(BadSettings, match="GRADOSCOPE_KEYS is empty"):
            read_settings()
        monkeypatch.delenv(name)
    assert Settings(keys=" ").keys is not None  # given in another way, as in a cluster's configuration


def test_an_option_that_is_empty_is_not_given(monkeypatch):
    """`--host "$HOST"` without HOST: an empty host would be every address of the machine."""
    assert read_settings(host="", downloads=" ") == Settings()
    monkeypatch.setenv("GRADOSCOPE_HOST", "127.0.0.2")
    assert read_settings(host="").host == "127.0.0.2"


@pytest.mark.parametrize("name", ["STORE", "MODELS", "WEIGHTS", "KEYS"])
def test_the_home_folder_of_an_unknown_user_is_reported(monkeypatch, name):
    monkeypatch.setenv(f"GRADOSCOPE_{name}", "~nobody-of-that-name/x")
    with pytest.raises(BadSettings, match=f"GRADOSCOPE_{name}: begins with the home folder"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("GRADOSCOPE_STOER", "/tmp", "GRADOSCOPE_STORE is one"),
        ("GRADOSCOPE_QQQQQQ", "1", "docs/settings.md"),
        ("GRADOSCOPE_PORT", "70000", "less than or equal to 65535"),
        ("GRADOSCOPE_DEADLINE", "soon", "valid number"),
        ("GRADOSCOPE_DEVICE", "a b", "cuda:1"),
        ("GRADOSCOPE_DOWNLOADS", "all", "'none', 'cards' or 'any'"),
    ],
)
def test_a_faulty_variable_is_named_and_nothing_starts(name, value, message):
    for command in (("serve",), ("models",), ("explain", "cat.jpg")):
        done = gradoscope(*command, **{name: value})
        assert done.returncode == 2
        assert f"{name} " in done.stderr.replace(":", " ")
        assert message in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
        assert "open http" not in done.stdout + done.stderr


def test_a_device_that_is_not_there_starts_nothing():
    done = gradoscope("serve", GRADOSCOPE_DEVICE="cuda:77", GRADOSCOPE_PORT="0")
    assert done.returncode == 2
    assert "GRADOSCOPE_DEVICE=cuda:77" in done.stderr
    assert "open http" not in done.stdout + done.stderr
