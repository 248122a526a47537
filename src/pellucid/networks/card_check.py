"""Whether the card of a bundle from elsewhere says what a program can go by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from pellucid.data.channels import CHANNELS, network_inputs
from pellucid.stretch import stretch_from_dict

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Natural = Annotated[int, Field(ge=1, le=2**16)]
_Range = tuple[
    Annotated[float, Field(ge=0, allow_inf_nan=False)],
    Annotated[float, Field(ge=0, allow_inf_nan=False)],
]
#: A name, and a text, that a terminal and a page can show.
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
Text = Annotated[str, Field(max_length=100_000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Row = Annotated[list[_Number], Field(min_length=2)]
_Table = Annotated[list[_Row], Field(min_length=2)]


class _Calibration(BaseModel, extra="forbid", strict=True):
    """See `pellucid.restoration.calibration`."""

    spread: _Row
    light: _Row
    within_68: _Table
    within_95: _Table

    @model_validator(mode="after")
    def _shapes(self) -> _Calibration:
        for table in (self.within_68, self.within_95):
            if len(table) != len(self.spread) or {len(row) for row in table} != {len(self.light)}:
                raise ValueError("its tables have other shapes than their places")
        return self


class _Forms(BaseModel, extra="forbid", strict=True):
    """See `pellucid.restoration.unlike`."""

    mean: _Row
    scale: _Row
    directions: Annotated[list[_Row], Field(min_length=1)]
    middle: Annotated[list[_Number], Field(min_length=1)]
    width: Annotated[list[_Positive], Field(min_length=1)]
    quantiles: _Row

    @model_validator(mode="after")
    def _shapes(self) -> _Forms:
        numbers = {len(self.mean), len(self.scale), *map(len, self.directions)}
        if len(numbers) > 1 or len({len(self.directions), len(self.middle), len(self.width)}) > 1:
            raise ValueError("its numbers do not belong together")
        return self


class _Fields(BaseModel, extra="forbid"):
    """What `pellucid.networks.bundle.Card` has, with what each may be."""

    name: Word
    model: Word
    network: dict[str, Any]
    bands: Annotated[list[Word], Field(min_length=1, max_length=64)]
    single_band: bool
    pixel_scale: _Positive
    stretch: dict[str, Any]
    fwhm: _Range
    noise: _Range
    tile: _Natural
    multiple: _Natural
    ceiling: Annotated[float, Field(ge=-1, allow_inf_nan=False)] = 1.0
    reach: Annotated[int, Field(ge=0, le=2**16)] = 0
    scale_rule: Literal["fixed", "resampled", "any"] = "fixed"
    description: Text = ""
    forms: _Forms | dict[str, None] = Field(default_factory=dict)
    calibration: _Calibration | dict[str, None] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    format: int = 1

    @model_validator(mode="after")
    def _fit_together(self) -> _Fields:
        if self.tile % self.multiple:
            raise ValueError(f"tile {self.tile} is no multiple of {self.multiple}")
        stretch_from_dict(self.stretch)
        inputs = network_inputs(self.network)
        strange = [name for name in inputs if name not in CHANNELS]
        if strange or not inputs or inputs[0] != "image":
            raise ValueError(f"it has inputs that are not known: {', '.join(map(str, inputs))}")
        bands = self.network.get("bands", len(self.bands))
        if not isinstance(bands, int) or not 1 <= bands <= 64:
            raise ValueError(f"its network has {bands!r} bands")
        if not self.network.get("bandwise") and bands != len(self.bands):
            raise ValueError(f"its network has {bands} bands, it names {len(self.bands)}")
        return self


def fault_of_card(fields: Mapping[str, Any]) -> str | None:
    """What is wrong with a card's fields, in one line; None where nothing is."""
    from pellucid.errors import PellucidError

    try:
        _Fields.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"][:3]))
        text = first["msg"].removeprefix("Value error, ")
        return f"{place}: {text}" if place else text
    except (PellucidError, TypeError, ValueError) as error:
        return " ".join(str(error).split())[:200]
    return None
