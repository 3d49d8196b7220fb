"""Reads forms more strictly than Starlette: text is UTF-8, and an upload for which there is no room is a problem.

Starlette reads text that is not UTF-8 as Latin-1. It also reads URL-encoded forms as Latin-1, so a label that is sent
as raw UTF-8, without percent encoding, would arrive as other letters.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from ...contract.problems import NotStored, Unprocessable
from ..middleware.problems import StopOnProblem

log = logging.getLogger(__name__)
MULTIPART, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
NOT_ASCII = re.compile(rb"[\x80-\xff]")
NO_ROOM = (
    "The server cannot keep an upload of this size now: its folder for temporary files is full, or cannot be written. "
    "Send a picture below 1 MB, or try again later."
)


class FormRequest(Request):
    """A request whose form is read strictly. Raises `StopOnProblem`, or Starlette's `HTTPException` for a form that
    cannot be parsed."""

    async def _get_form(
        self, *, max_files: float = 1000, max_fields: float = 1000, max_part_size: int = 1024 * 1024
    ) -> FormData:
        if self._form is None:
            try:
                self._form = await self._parse(max_files, max_fields, max_part_size)
            except MultiPartException as error:
                raise HTTPException(400, error.message) from error
            except OSError as error:
                log.error("an upload cannot be kept while it arrives: %s", error)
                raise StopOnProblem(NotStored(NO_ROOM)) from error
        return self._form

    async def _parse(self, max_files: float, max_fields: float, max_part_size: int) -> FormData:
        limits: dict[str, Any] = {"max_fields": max_fields, "max_part_size": max_part_size}
        async with aclosing(self.stream()) as stream:
            if media_type(self) == MULTIPART:
                return await _MultiPartParser(self.headers, stream, max_files=max_files, **limits).parse()
            if media_type(self) == URLENCODED:
                return await _FormParser(self.headers, stream, **limits).parse()
        return FormData()


class FormRoute(APIRoute):
    """A route that reads its form as `FormRequest` does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(FormRequest(request.scope, request.receive))

        return handle


def media_type(request: Request) -> str:
    """The media type of the body, without its parameters; empty if none is named."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


class _MultiPartParser(MultiPartParser):
    def on_part_end(self) -> None:
        part = self._current_part
        if part.file is None:
            _check_utf8(bytes(part.data), part.field_name)
        super().on_part_end()


class _FormParser(FormParser):
    def on_field_end(self) -> None:
        name = unquote_to_bytes(bytes(self._field_name)).decode("utf-8", "replace")
        _check_utf8(unquote_to_bytes(bytes(self._field_value)), name)
        self._field_name, self._field_value = map(_quoted, (self._field_name, self._field_value))
        super().on_field_end()


def _check_utf8(data: bytes, field: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = Unprocessable(f"{field[:80]}: this is no UTF-8 text. Send text as UTF-8.", field=field[:80])
        raise StopOnProblem(problem) from error


def _quoted(raw: bytearray) -> bytearray:
    """Bytes that are no ASCII in percent encoding, as browsers send them."""
    return bytearray(NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], raw))
