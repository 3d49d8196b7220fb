"""Every setting once: name, default, help. Each is read from the environment as GRADOSCOPE_<NAME>."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The shipped folder `folder`: inside the package in a wheel, beside `app/` in a checkout."""
    inside = PACKAGE / folder
    return inside if inside.is_dir() else PACKAGE.parent / folder


Names = Annotated[list[str], NoDecode]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GRADOSCOPE_", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    allowed_hosts: Names = Field(
        ["localhost", "127.0.0.1", "::1"],
        description="Host names, separated by commas, under which the server answers; `*` allows all",
    )
    default_model: str = Field("efficientnet_lite0", description="Id of the model that is used when none is named")
    models: Path = Field(shipped("models"), description="Folder of model cards (*.toml)")
    store: Path = Field(
        Path("~/.cache/gradoscope"), description="Folder in which explanations are kept, with the pictures in them"
    )
    store_bytes: int = Field(2 * 2**30, ge=0, description="Size of the store; the oldest explanations go first")
    store_days: float = Field(7, gt=0, description="Age in days at which an explanation is forgotten")
    device: str = Field(
        "auto", description="`auto` (CUDA where there is one, else the CPU), `cpu`, `cuda`, `cuda:1`, …"
    )
    threads: int = Field(0, ge=0, description="CPU threads for PyTorch; 0 leaves the choice to PyTorch")
    micro_batch: int = Field(4, ge=1, le=256, description="Pictures per forward and backward pass")
    loaded_models: int = Field(3, ge=1, description="Models kept in memory; the least recently used goes first")
    max_requests: int = Field(32, ge=1, description="Requests in flight; one more is answered 429")
    max_panels: int = Field(64, ge=1, description="Panels (models × targets × methods) in one request")
    max_upload: int = Field(32 * 2**20, ge=1024, description="Bytes in one request's body")
    max_pixels: int = Field(24_000_000, ge=1, description="Pixels in one picture")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("store", "models")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()
