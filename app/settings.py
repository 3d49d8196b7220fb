"""All settings, with defaults and descriptions. Each is read from the environment variable GRADOSCOPE_<NAME>.

An empty variable counts as not set, and spaces around a value do not count. An unknown
variable, or one with an invalid value, is refused, and the message names it.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "GRADOSCOPE_"
PACKAGE = Path(__file__).resolve().parent
# URL schemes for a shared store, each with the package that fsspec needs for it. Only storage that writes atomically,
# and whose readers see a write at once.
STORE_SCHEMES = {"file": "", "s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}


def shipped(folder: str) -> Path:
    """The path of a folder that comes with Gradoscope: in a wheel inside the package, in a checkout beside `app/`."""
    inside = PACKAGE / folder
    return inside if inside.is_dir() else PACKAGE.parent / folder


# `_split` reads it, by commas; NoDecode keeps pydantic from reading it as JSON
CommaSeparated = Annotated[list[str], NoDecode]
LogFormat = Literal["text", "json"]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    allowed_hosts: CommaSeparated = Field(
        ["localhost", "127.0.0.1", "::1"],
        description="Host names, separated by commas, under which the server answers; `*` allows all",
    )
    keys: Path | None = Field(
        None,
        description="File of API keys, one `name:key` per line; read again when it changes. None: no key is needed",
    )
    cors_origins: CommaSeparated = Field(
        [],
        description="Origins, separated by commas, whose pages may use the server, e.g. `https://lab.example`",
    )
    trusted_proxies: CommaSeparated = Field(
        [],
        description="Addresses or networks, separated by commas, of reverse proxies whose `X-Forwarded-For` counts",
    )
    header_seconds: float = Field(10, gt=0, description="Seconds within which a request's head must arrive")
    body_seconds: float = Field(60, gt=0, description="Seconds within which a request's body must arrive")
    max_connections: int = Field(
        512, ge=8, description="Open connections; one more replaces the connection that has been silent longest"
    )
    client_requests: int = Field(
        16, ge=1, description="POST and DELETE requests in flight for one client (its key, or otherwise its address)"
    )
    client_rate: float = Field(0, ge=0, description="POST and DELETE requests per minute of one client; 0: no limit")
    log_format: LogFormat = Field("text", description="Format of log lines: `text` for people, `json` for programs")
    default_model: str = Field(
        "efficientnet_lite0", description="Id of the model that is used when a request names none"
    )
    models: Path | None = Field(
        None,
        description="Folder of your own model cards (*.toml), in addition to the shipped ones; read again when it "
        "changes",
    )
    weights: Path = Field(Path("~/.cache/gradoscope/weights"), description="Folder for downloaded weights")
    weights_mirror: str = Field(
        "", description="Address that replaces the hosts of the weights, e.g. `https://mirror.example/weights`"
    )
    downloads: Literal["none", "cards", "any"] = Field(
        "none",
        description="What clients may download: nothing, the weights of the cards, or any model of timm and "
        "torchvision by id",
    )
    download_bytes: int = Field(8 * 2**30, ge=2**20, description="Maximum bytes of one file of weights")
    offline: bool = Field(False, description="Never download anything, not even for the command line")
    store: Path | str = Field(
        Path("~/.cache/gradoscope"),
        description="Folder in which explanations and their pictures are kept; or an address that many servers "
        "share, `file:///mnt/shared/gradoscope` or `s3://bucket/prefix`",
    )
    store_bytes: int = Field(
        2 * 2**30, ge=0, description="Maximum bytes in the store; the oldest explanations are deleted first"
    )
    store_days: float = Field(7, gt=0, description="Days after which an explanation is deleted")
    device: str = Field("auto", description="`auto` (CUDA if available, otherwise the CPU), `cpu`, `cuda`, `cuda:1`, …")
    threads: int = Field(0, ge=0, description="CPU threads for PyTorch; 0: PyTorch chooses")
    micro_batch: int = Field(
        0,
        ge=0,
        le=256,
        description="Pictures per forward and backward pass; 0: the number that was measured as fastest",
    )
    batch_bytes: int = Field(
        2**30, ge=2**20, description="Memory in bytes for a micro-batch; one that needs more is made smaller"
    )
    acceleration: Literal["auto", "pytorch", "none"] = Field(
        "auto",
        description="Faster backends for the same gradients, each checked before it is used: `auto` tries all that are "
        "installed, `pytorch` only PyTorch's, `none` runs every network unchanged",
    )
    model_bytes: int = Field(
        2 * 2**30, ge=2**20, description="Memory for loaded models in bytes; the least recently used is removed first"
    )
    picture_bytes: int = Field(
        64 * 2**20, ge=0, description="Memory in bytes for a cache of recent pictures: decoded, resized, logits"
    )
    max_requests: int = Field(32, ge=1, description="Requests in flight; one more is answered 429")
    max_panels: int = Field(64, ge=1, description="Panels (models × targets × methods) in one request")
    max_work: int = Field(
        10**9,
        ge=1,
        description="Work in one request: gradient evaluations times the pixels of the model's input, over all panels",
    )
    deadline: float = Field(
        600, gt=0, description="Seconds that a request may take; then it is stopped and answered 504"
    )
    grace_seconds: float = Field(
        10, ge=0, description="Seconds that running requests still have when the server is stopped"
    )
    max_upload: int = Field(32 * 2**20, ge=1024, description="Bytes in one request's body")
    max_pixels: int = Field(24_000_000, ge=1, description="Pixels in one picture; a JPEG with more is decoded smaller")
    decode_bytes: int = Field(
        2**30,
        ge=2**27,
        description="Memory in bytes that decoding a picture may take, in its own process",
    )
    decode_seconds: float = Field(10, gt=0, description="Seconds that decoding a picture may take")

    cluster_replicas_min: int = Field(1, ge=1, description="Minimum number of replicas on a Ray cluster")
    cluster_replicas_max: int = Field(
        4,
        ge=1,
        description="Maximum number of replicas; GRADOSCOPE_MAX_REQUESTS applies to each",
    )
    cluster_cpus: float = Field(1, ge=0, description="CPU cores that Ray reserves for each replica")
    cluster_gpus: float = Field(
        0, ge=0, description="GPUs that Ray reserves for each replica; with 0.5 two replicas share one"
    )

    @model_validator(mode="before")
    @classmethod
    def _strip(cls, given: Any) -> Any:
        """Spaces around a value do not count, and what is nothing but spaces is not set."""
        if not isinstance(given, dict):
            return given
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
        # an empty `keys` is refused as a file that cannot be read: not set, it would let everybody in
        return {name: value for name, value in stripped.items() if value != "" or name == "keys"}

    @field_validator("allowed_hosts", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise ValueError(f"«{origin}» is no origin: write scheme and host, e.g. https://lab.example")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: list[str]) -> list[str]:
        for network in value:
            ipaddress.ip_network(network, strict=False)  # raises if it is invalid
        return value

    @field_validator("device")
    @classmethod
    def _check_device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|[a-z]+(:\d+)?", value):
            raise ValueError("is the name of no device: write auto, cpu, cuda or cuda:1")
        return value

    @field_validator("models", "weights", "keys")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value and _expanded(value)

    @field_validator("store")
    @classmethod
    def _check_store(cls, value: Path | str) -> Path | str:
        if isinstance(value, Path) or "://" not in value:
            return _expanded(Path(value))
        scheme, _, rest = value.partition("://")
        if scheme not in STORE_SCHEMES:
            raise ValueError(f"«{scheme}» is none of {', '.join(STORE_SCHEMES)}")
        if scheme == "file" and not rest.startswith("/"):
            raise ValueError("must go on with an absolute path: file:///mnt/shared/gradoscope")
        if "@" in rest.partition("/")[0]:
            raise ValueError("credentials do not belong into an address: they come from the environment")
        if (package := STORE_SCHEMES[scheme]) and find_spec(package) is None:
            raise ValueError(f"{scheme}:// needs the package {package}: pip install {package}")
        return value.rstrip("/")

    @field_validator("weights_mirror")
    @classmethod
    def _check_mirror(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @property
    def card_folders(self) -> tuple[Path, ...]:
        """The folders of model cards: the shipped ones, and the operator's."""
        return (shipped("models"), *([self.models] if self.models else []))


def _expanded(path: Path) -> Path:
    """A path without its ~. Raises `ValueError`."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("begins with the home folder of a user who is not known here") from error


@dataclass(frozen=True)
class SettingFault:
    """What is wrong with a variable of the environment, and what to do."""

    detail: str
    remedy: str


class BadSettings(ValueError):
    """A variable of the environment, or an option that stands for one, is faulty; the message names it."""


def settings_or_faults(**given: Any) -> tuple[Settings | None, list[SettingFault]]:
    """The settings, and what is wrong with the environment; None if there are no valid settings. `given` values come
    before the environment's."""
    faults = [_unknown(name) for name in sorted(os.environ) if name.upper().startswith(PREFIX) and not _is_known(name)]
    given = {name: value for name, value in given.items() if not (isinstance(value, str) and not value.strip())}
    named = [value for name, value in os.environ.items() if name.upper() == f"{PREFIX}KEYS"]
    if any(not value.strip() for value in named) and given.get("keys") is None:  # everybody would be let in
        faults.append(
            SettingFault(f"{PREFIX}KEYS is empty", "Name a file of API keys, or unset it if none are asked for")
        )
    try:
        return Settings(**given), faults
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            field = str(fault["loc"][0]) if fault["loc"] else ""
            name = PREFIX + field.upper() if field else "settings"
            meaning = (Settings.model_fields[field].description or "") if field in Settings.model_fields else ""
            faults.append(SettingFault(f"{name}: {_without_value(fault['msg'])}", meaning))
        return None, faults


def read_settings(**given: Any) -> Settings:
    """The settings; `given` values come before the environment's. Raises `BadSettings`."""
    settings, faults = settings_or_faults(**given)
    if settings is None or faults:
        raise BadSettings(" ".join(f"{fault.detail}. {fault.remedy}." for fault in faults))
    return settings


def _is_known(variable: str) -> bool:
    return variable[len(PREFIX) :].lower() in Settings.model_fields


def _unknown(variable: str) -> SettingFault:
    similar = difflib.get_close_matches(variable[len(PREFIX) :].lower(), Settings.model_fields, 1)
    return SettingFault(
        f"{variable} is no setting",
        f"{PREFIX}{similar[0].upper()} is one" if similar else "docs/settings.md lists them",
    )


def _without_value(message: str) -> str:
    """An error message without the value, which may be a misplaced secret."""
    return re.sub(r"«.*»", "«…»", message).removeprefix("Value error, ")


def operator_settings(**given: Any) -> Settings:
    """The settings for the command line: the operator may use any model, and download it unless `offline` is set.
    `given` values come before the environment's. Raises `BadSettings`."""
    return read_settings(**given).model_copy(update={"downloads": "any"})
