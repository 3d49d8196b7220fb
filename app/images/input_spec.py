"""The input that a network expects: size, channels, normalisation, and how pictures of other aspect ratios are
fitted to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ..contract.jobs import Fit

Side = Annotated[int, Field(ge=8, le=2048)]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
MAX_STATISTIC = 10.0  # a mean or std beyond it cannot be of pixel values in [0, 1]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Input(BaseModel):
    """The input that a network expects: `size` is (height, width) in pixels; `channels` is 3 for RGB, 1 for grey.

    `mean` and `std` are for pixel values in [0, 1], one value per channel. `fit` says how a picture with another aspect
    ratio is fitted to that size. For `crop`, the shorter side is first resized to the input's side / `crop_fraction`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    size: tuple[Side, Side] = (224, 224)
    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[Annotated[float, Field(gt=0)], ...] = IMAGENET_STD
    interpolation: Interpolation = "bilinear"
    fit: Fit = "crop"
    crop_fraction: float = Field(0.875, gt=0, le=1)
    # the shorter side before the crop, if the model's library states it; else it follows from `crop_fraction`
    resize: int | None = Field(None, ge=8, le=4096)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, values: Any) -> Any:
        """A single number for `size`, `mean` or `std` is repeated for each side or channel; grey has other defaults."""
        if not isinstance(values, dict):
            return values
        channels = values.get("channels", 3)
        given = {"mean": (0.5,), "std": (0.5,), **values} if channels == 1 else dict(values)
        for name, count in (("size", 2), ("mean", channels), ("std", channels)):
            if isinstance(given.get(name), (int, float)) and count in (1, 2, 3):
                given[name] = (given[name],) * count
        return given

    @field_validator("mean", "std")
    @classmethod
    def _of_pixels(cls, given: tuple[float, ...], about: ValidationInfo) -> tuple[float, ...]:
        """The usual mistake: values for pixels in 0 … 255."""
        if any(abs(value) > MAX_STATISTIC for value in given):
            raise ValueError(
                f"{about.field_name} is of pixel values in [0, 1], and {max(given, key=abs):g} is far outside. Divide "
                "mean and std for 0 … 255 by 255"
            )
        return given

    @model_validator(mode="after")
    def _a_value_for_each_channel(self) -> Input:
        for name, given in (("mean", self.mean), ("std", self.std)):
            if len(given) != self.channels:
                raise ValueError(f"{name} has {len(given)} values, the input has {self.channels} channels")
        return self
