"""What handlers take from the application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from ...contract.problems import Forbidden, NotFound
from ...service.change_detector import ChangeDetector
from ...service.downloads import Downloads
from ...service.executor import Executor
from ...settings import Settings
from ...storage.stores import AnyStore


def _settings(request: Request) -> Settings:
    return request.app.state.settings  # type: ignore[no-any-return]


def _store(request: Request) -> AnyStore:
    return request.app.state.store  # type: ignore[no-any-return]


def _executor(request: Request) -> Executor:
    return request.app.state.executor  # type: ignore[no-any-return]


def _pulls(request: Request) -> Downloads:
    return request.app.state.pulls  # type: ignore[no-any-return]


def _freshness(request: Request) -> ChangeDetector:
    return request.app.state.freshness  # type: ignore[no-any-return]


def _owner(request: Request) -> str | None:
    """The name of the API key that asks; None where keys are off, and everything is everybody's."""
    return request.state.owner if request.app.state.keys else None


SettingsOf = Annotated[Settings, Depends(_settings)]
StoreOf = Annotated[AnyStore, Depends(_store)]
ExecutorOf = Annotated[Executor, Depends(_executor)]
PullsOf = Annotated[Downloads, Depends(_pulls)]
FreshnessOf = Annotated[ChangeDetector, Depends(_freshness)]
OwnerOf = Annotated[str | None, Depends(_owner)]
ExplanationId = Annotated[str, Path(description="Id of an explanation", max_length=200)]


def gone(id: str) -> NotFound:
    return NotFound(f"The explanation «{id[:40]}» expired or never existed.")


def require_owner(store: AnyStore, id: str, owner: str | None, what: str) -> None:
    """Raise `Forbidden` where an explanation was made with another key; `NotFound` where it is gone."""
    if owner is None:
        return
    whose = store.owner(id)
    if whose is None:
        raise gone(id)
    if whose != owner:
        raise Forbidden(f"The explanation «{id[:40]}» was made with another API key. Only that key can {what}.")
