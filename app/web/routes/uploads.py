"""The picture of a request: an uploaded file, a sample, or the picture of an earlier explanation."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Collection
from typing import Annotated, Any

from fastapi import Depends, File, Form, Request, UploadFile
from pydantic import BeforeValidator

from ...contract.jobs import Fit
from ...contract.problems import Unprocessable
from ...images.samples import read_sample
from ...storage.stores import AnyStore
from .dependencies import explanation_gone, require_owner
from .forms import MULTIPART, URLENCODED, has_body, media_type

Picture = Annotated[UploadFile | None, File(description="The picture: JPEG, PNG, WebP, GIF, BMP or AVIF")]
SampleName = Annotated[str | None, Form(description="A sample's id, instead of `image`", max_length=200)]
SourceExplanation = Annotated[
    str | None, Form(alias="from", description="An explanation's id, whose picture is used again", max_length=200)
]
FitName = Annotated[
    Fit | None,
    Form(description="How a picture with another aspect ratio is fitted to the input size; default: the model's"),
]
SizeText = Annotated[
    str | None,
    Form(
        max_length=40,
        description="Input size, where the model allows another: a side in pixels, or HEIGHTxWIDTH",
    ),
]


def without_empty(values: object) -> object:
    """A repeatable field without its empty values: forms send those for fields that nobody filled in."""
    return [value for value in values if value != ""] or None if isinstance(values, list) else values


Repeatable = BeforeValidator(without_empty)
ModelNames = Annotated[
    list[str] | None, Repeatable, Form(description="Repeatable; the default model where none is named")
]


def only_fields(*known: str, repeatable: Collection[str] = ()) -> Any:
    """A dependency that refuses what would otherwise be ignored: unknown form fields, a second picture, a second value
    of a field that is not `repeatable`, fields in the address, and bodies that are no forms.

    Without it a misspelt field `methods`, or fields as JSON, would mean the default six.
    """

    async def check(request: Request) -> None:
        _check_kind(request)
        form = await request.form()
        if len(form.getlist("image")) > 1:
            raise Unprocessable("Send exactly one picture: several files are given as `image`.", field="image")
        for name in form:
            if name not in known:
                similar = difflib.get_close_matches(name, known, 1)
                hint = f"Did you mean `{similar[0]}`?" if similar else f"There are: {', '.join(known)}."
                raise Unprocessable(f"There is no field `{name[:80]}`. {hint}", field=name[:80])
            if name not in repeatable and len({value for value in form.getlist(name) if value != ""}) > 1:
                raise Unprocessable(f"{name} is given more than once, with different values. Send one.", field=name)
        for name in request.query_params:
            if name in known:
                raise Unprocessable(
                    f"{name} stands in the address, where it is not read. Send it as a field of the form; with curl: "
                    f"-F {name}=…",
                    field=name,
                )

    return Depends(check)


def _check_kind(request: Request) -> None:
    """Raise `Unprocessable` if there is a body that is no form."""
    kind = media_type(request)
    if has_body(request) and kind not in (MULTIPART, URLENCODED):
        raise Unprocessable(
            f"The body is {kind[:80] or 'of no kind that is named'}, and only forms are read. Send {MULTIPART}; with "
            "curl: -F name=value, and a picture as -F image=@cat.jpg.",
            field="body",
        )


async def read_picture(
    store: AnyStore, owner: str | None, image: UploadFile | None, sample: str | None, source_explanation: str | None
) -> bytes:
    """The bytes of the request's picture. Raises `Unprocessable` if there is none, or more than one."""
    given = [name for name, value in (("image", image), ("sample", sample), ("from", source_explanation)) if value]
    if len(given) != 1:
        reason = f"{' and '.join(given)} are" if given else "none is"
        raise Unprocessable(
            "Send exactly one picture, as the file `image`, the name of a `sample`, or `from` an explanation; "
            f"{reason} given.",
            field="image",
        )
    if image:
        return await image.read()  # whatever its name: it is not used
    if sample:
        return await asyncio.to_thread(read_sample, sample)
    assert source_explanation is not None
    await asyncio.to_thread(  # `what` ends the message «Only that key can …»
        require_owner, store, source_explanation, owner, what="use its picture again; send the picture itself"
    )
    data = await asyncio.to_thread(store.read, source_explanation, "source")
    if data is None:
        raise explanation_gone(source_explanation)
    return data
