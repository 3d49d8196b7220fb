"""Dependencies of the route handlers: settings, store, executor and the like."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from ...contract.problems import Forbidden, NotFound
from ...service.change_detector import ChangeDetector
from ...service.downloads import Downloads
from ...service.executor import Executor
from ...settings import Settings
from ...storage.stores import AnyStore
from .rendering import RenderPool


def _settings(request: Request) -> Settings:
    return request.app.state.settings  # type: ignore[no-any-return]


def _store(request: Request) -> AnyStore:
    return request.app.state.store  # type: ignore[no-any-return]


def _executor(request: Request) -> Executor:
    return request.app.state.executor  # type: ignore[no-any-return]


def _downloads(request: Request) -> Downloads:
    return request.app.state.downloads  # type: ignore[no-any-return]


def _change_detector(request: Request) -> ChangeDetector:
    return request.app.state.change_detector  # type: ignore[no-any-return]


def _render_pool(request: Request) -> RenderPool:
    return request.app.state.render_pool  # type: ignore[no-any-return]


def _owner(request: Request) -> str | None:
    """The name of the request's API key. None if keys are off; then everybody may see everything."""
    return request.state.owner if request.app.state.keys is not None else None


SettingsDep = Annotated[Settings, Depends(_settings)]
StoreDep = Annotated[AnyStore, Depends(_store)]
ExecutorDep = Annotated[Executor, Depends(_executor)]
DownloadsDep = Annotated[Downloads, Depends(_downloads)]
ChangeDetectorDep = Annotated[ChangeDetector, Depends(_change_detector)]
RenderPoolDep = Annotated[RenderPool, Depends(_render_pool)]
OwnerDep = Annotated[str | None, Depends(_owner)]
ExplanationId = Annotated[str, Path(description="Id of an explanation", max_length=200)]


def explanation_gone(id: str) -> NotFound:
    return NotFound(f"The explanation «{id[:40]}» expired or never existed.").coded("explanation_gone", id=id[:40])


def require_owner(store: AnyStore, id: str, owner: str | None, what: str) -> None:
    """Raise `Forbidden` if an explanation was made with another key, `NotFound` if it is gone.

    `what` is the refused action, for the message: «Only that key can {what}.»
    """
    if owner is None:
        return
    actual_owner = store.owner(id)
    if actual_owner is None:
        raise explanation_gone(id)
    if actual_owner != owner:
        raise Forbidden(f"The explanation «{id[:40]}» was made with another API key. Only that key can {what}.")
