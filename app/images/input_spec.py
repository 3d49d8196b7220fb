"""What a network takes: size, channels, normalisation, and how a picture of another aspect is brought to that size."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..contract.jobs import Fit

Side = Annotated[int, Field(ge=8, le=2048)]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Input(BaseModel):
    """What the network takes: `size` is (height, width), of RGB or, with `channels = 1`, of grey.

    `mean` and `std` are of pixels in [0, 1], a value for each channel. `fit` says how a picture of another aspect is
    brought to that size; `crop_fraction` is what the crop leaves of the resized picture's side.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    size: tuple[Side, Side] = (224, 224)
    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[Annotated[float, Field(gt=0)], ...] = IMAGENET_STD
    interpolation: Interpolation = "bilinear"
    fit: Fit = "crop"
    crop_fraction: float = Field(0.875, gt=0, le=1)
    resize: int | None = Field(None, ge=8, le=4096)  # shorter side before the crop, where a library states it itself

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, values: Any) -> Any:
        """One number for `size`, `mean` or `std` stands for all of them; grey has defaults of its own."""
        if not isinstance(values, dict):
            return values
        channels = values.get("channels", 3)
        given = {"mean": (0.5,), "std": (0.5,), **values} if channels == 1 else dict(values)
        for name, count in (("size", 2), ("mean", channels), ("std", channels)):
            if isinstance(given.get(name), (int, float)) and count in (1, 2, 3):
                given[name] = (given[name],) * count
        return given

    @model_validator(mode="after")
    def _a_value_for_each_channel(self) -> Input:
        for name, given in (("mean", self.mean), ("std", self.std)):
            if len(given) != self.channels:
                raise ValueError(f"{name} has {len(given)} values, the input has {self.channels} channels")
        return self
