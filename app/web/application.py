"""The web application: routes, middleware, start and stop. Nothing happens at import time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.templating import Jinja2Templates
from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from ..contract.problem_body import ProblemBody
from ..contract.problems import BY_STATUS, FieldFault, Problem, Unprocessable
from ..contract.version import VERSION
from ..service.change_detector import ChangeDetector
from ..service.downloads import Downloads
from ..service.executor import Executor
from ..service.local_executor import LocalExecutor
from ..settings import Settings, shipped
from ..storage.stores import AnyStore, open_store
from . import texts
from .lab_pages import subscripts, whole_words
from .middleware.access_log import AccessLogMiddleware
from .middleware.api_key import ApiKeyMiddleware
from .middleware.body_limit import BodyLimitMiddleware
from .middleware.cors import CORSHeadersMiddleware
from .middleware.head import HeadMiddleware
from .middleware.host_origin import HostOriginMiddleware
from .middleware.keys import Keys
from .middleware.problems import StopOnProblem, problem_response
from .middleware.proxy_headers import ProxyHeadersMiddleware
from .middleware.quota import QuotaMiddleware
from .middleware.security_headers import SecurityHeadersMiddleware
from .middleware.sessions import Sessions
from .plugin_pages import asset_folders, template_loader
from .routes import (
    catalogue,
    experiments,
    explanations,
    flows,
    health,
    maps,
    pages,
    predictions,
    results,
    runs,
    session,
    weights,
)
from .routes import metrics as measuring
from .routes.rendering import RenderPool
from .routes.submit import ClientLeft
from .static_files import StaticFiles, StaticTree

log = logging.getLogger(__name__)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ARRAY_TYPE = "application/octet-stream"
REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused: the problem says why and what to do", "model": ProblemBody},
    "5XX": {"description": "Not possible now: the problem says why and when to try again", "model": ProblemBody},
}


def create_app(settings: Settings | None = None, executor: Callable[[Settings], Executor] = LocalExecutor) -> FastAPI:
    """The application with its own executor and store, which start and stop with it."""
    settings = settings or Settings()
    app = FastAPI(
        title="Gradoscope",
        version=VERSION,
        summary="Why an image classifier says what it says, by six attribution methods side by side",
        docs_url=None,
        openapi_url=None,
        redoc_url=None,
        lifespan=_lifespan(settings, executor),
        responses=REFUSALS,
        form_limits={"max_files": 2, "max_fields": 256, "max_part_size": 256 * 1024},
    )
    app.state.keys = Keys(settings.keys) if settings.keys else None
    app.state.sessions = Sessions(app.state.keys) if app.state.keys is not None else None
    _add_routes(app)
    _add_middleware(app, settings)
    _handle_errors(app)
    return app


def _lifespan(
    settings: Settings, executor: Callable[[Settings], Executor]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """What starts before the first request, and stops after the last."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.settings = settings
        app.state.store = open_store(settings)
        app.state.executor = executor(settings)
        app.state.downloads = Downloads(settings)
        app.state.change_detector = ChangeDetector(settings)
        app.state.templates = _templates(app.state.static_tree)
        await asyncio.to_thread(app.state.static_tree.current)  # reads all files once
        app.state.render_pool = RenderPool()
        await app.state.executor.start()
        cleaning = asyncio.create_task(_clean_up(app.state.store))
        try:
            yield
        finally:
            cleaning.cancel()
            with suppress(asyncio.CancelledError):
                await cleaning
            app.state.downloads.close()
            app.state.render_pool.close()
            await app.state.executor.stop()
            app.state.store.close()

    return lifespan


def _add_routes(app: FastAPI) -> None:
    for router in (
        pages,
        health,
        catalogue,
        weights,
        predictions,
        flows,
        results,
        measuring,
        maps,
        explanations,
        experiments,
        runs,
        session,
    ):
        app.include_router(router.router)
    app.state.static_tree = _static_tree()
    app.mount("/static", StaticFiles(app.state.static_tree))


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """From the innermost to the outermost: the last one added is the first to see a request."""
    # Arrays of floats hardly shrink, and would keep the processor from computing.
    app.add_middleware(
        GZipMiddleware, compresslevel=6, exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, ARRAY_TYPE)
    )
    app.add_middleware(HeadMiddleware)
    app.add_middleware(BodyLimitMiddleware, max_bytes=settings.max_upload, seconds=settings.body_seconds)
    app.add_middleware(QuotaMiddleware, in_flight=settings.client_requests, rate=settings.client_rate)
    if app.state.keys is not None:
        app.add_middleware(ApiKeyMiddleware, keys=app.state.keys, sessions=app.state.sessions)
    app.add_middleware(ProxyHeadersMiddleware, trusted=settings.trusted_proxies)
    app.add_middleware(HostOriginMiddleware, allowed_hosts=settings.allowed_hosts, origins=settings.cors_origins)
    if settings.cors_origins:
        app.add_middleware(CORSHeadersMiddleware, origins=settings.cors_origins)
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(AccessLogMiddleware)


def _static_tree() -> StaticTree:
    """What is under /static: our own files, those of methods and metrics, Swagger UI, the texts for scripts."""
    folders = {"": shipped("static"), "swagger": Path(fastapi_offline.__file__).parent / "static"}
    folders |= {f"plugins/{at}": folder for at, folder in asset_folders().items()}
    sheets = {f"css/{page}.css": [f"css/{name}.css" for name in names] for page, names in pages.sheets().items()}
    return StaticTree(folders, texts.files_for_scripts, sheets)


def _templates(tree: StaticTree) -> Jinja2Templates:
    def addresses(request: Request) -> dict[str, Any]:
        snapshot = tree.current()
        return {"static": snapshot.address, "modules": snapshot.modules}

    environment = Environment(loader=template_loader(), autoescape=True)
    templates = Jinja2Templates(env=environment, context_processors=[texts.context, addresses])
    templates.env.globals.update(version=VERSION)
    templates.env.filters["subscripts"] = subscripts
    templates.env.filters["whole_words"] = whole_words
    return templates


async def _clean_up(store: AnyStore) -> None:
    await asyncio.to_thread(store.check)
    while True:
        try:
            await asyncio.to_thread(store.clean_up)
        except Problem as problem:
            log.error("the store could not be cleaned up: %s", problem.detail)
        except Exception:
            log.exception("the store could not be cleaned up")
        await asyncio.sleep(store.clean_up_seconds)


def _handle_errors(app: FastAPI) -> None:
    """Answer every error in one form: application/problem+json."""

    @app.exception_handler(Problem)
    async def refuse(request: Request, problem: Problem) -> Response:
        return problem_response(problem)

    @app.exception_handler(ClientLeft)
    @app.exception_handler(ClientDisconnect)  # while its request was read
    async def left(request: Request, error: Exception) -> Response:
        return Response(status_code=499)  # nobody reads the response

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if isinstance(error, StopOnProblem):
            return problem_response(error.problem)
        if error.status_code == 404 and pages.asked_for_page(request):
            return await pages.lost(request)
        field = "body" if error.status_code == 400 else None  # the form cannot be parsed
        problem = BY_STATUS.get(error.status_code, Problem)(_detail(error, request), field=field)
        problem.status = error.status_code
        response = problem_response(problem)
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["allow"] = ", ".join(_allowed(request))
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, invalid: RequestValidationError) -> Response:
        errors = []
        for fault in invalid.errors():
            field = ".".join(
                str(part) for part in fault["loc"][1:]
            )  # the first part names the place: body, query, path
            reason = "this is text, not a file. Send the file itself; with curl: -F image=@cat.jpg"
            if "UploadFile" not in fault["msg"]:
                reason = fault["msg"]
            errors.append(FieldFault(field=field, detail=f"{field}: {reason}."))
        return problem_response(Unprocessable(" ".join(error["detail"] for error in errors), errors=errors))


def _allowed(request: Request) -> list[str]:
    """The HTTP methods of this path: several routes may share it, and Starlette knows only those of the first."""
    routes = request.app.routes
    found = {m for m in METHODS if any(r.matches({**request.scope, "method": m})[0] is Match.FULL for r in routes)}
    return [m for m in METHODS if m in found or (m == "HEAD" and "GET" in found)]


def _detail(error: HTTPException, request: Request) -> str:
    if error.status_code == 404:
        return f"There is nothing at {request.url.path[:200]}."
    return str(error.detail)
