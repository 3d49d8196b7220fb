"""What handlers take from the application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from ..errors import NotFound
from ..service.executor import Executor
from ..service.freshness import Freshness
from ..service.pulls import Pulls
from ..service.store import Store
from ..settings import Settings


def _settings(request: Request) -> Settings:
    return request.app.state.settings  # type: ignore[no-any-return]


def _store(request: Request) -> Store:
    return request.app.state.store  # type: ignore[no-any-return]


def _executor(request: Request) -> Executor:
    return request.app.state.executor  # type: ignore[no-any-return]


def _pulls(request: Request) -> Pulls:
    return request.app.state.pulls  # type: ignore[no-any-return]


def _freshness(request: Request) -> Freshness:
    return request.app.state.freshness  # type: ignore[no-any-return]


SettingsOf = Annotated[Settings, Depends(_settings)]
StoreOf = Annotated[Store, Depends(_store)]
ExecutorOf = Annotated[Executor, Depends(_executor)]
PullsOf = Annotated[Pulls, Depends(_pulls)]
FreshnessOf = Annotated[Freshness, Depends(_freshness)]
ExplanationId = Annotated[str, Path(description="Id of an explanation", max_length=200)]


def gone(id: str) -> NotFound:
    return NotFound(f"The explanation «{id[:40]}» expired or never existed.")
