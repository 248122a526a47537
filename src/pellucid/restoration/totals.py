"""Light: a restoration moves it and makes none, unless its network learned another band's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.sky import Background

#: Light that is more or less than the image's by this factor is not of its band or unit; it is told
#: from pixels above so many standard deviations, of which a few tell nothing.
OTHER, BRIGHT, FEW = 2.0, 5.0, 30


def keep_totals(flux: NDArray[np.float32], restored: NDArray[np.float32]) -> None:
    """Seeing moves light but makes none: each band of ``restored`` is given its total again."""
    before, after = (each.mean(axis=(1, 2), dtype=np.float64) for each in (flux, restored))
    restored += (before - after)[:, None, None].astype(np.float32)


def with_light_kept(
    flux: NDArray[np.float32], restored: NDArray[np.float32], sky: Background
) -> list[str]:
    """`keep_totals`, but where the light is another band's; what is to be said of that.

    Then the difference would be spread over the sky.
    """
    said = of_another_band(*bright_light(flux, restored, sky))
    if not said:
        keep_totals(flux, restored)
    return said


def bright_light(
    flux: NDArray[np.float32], restored: NDArray[np.float32], sky: Background
) -> tuple[int, float, float]:
    """How many pixels of an image are bright, their light, and that of the restoration there."""
    level = sky.sky[:, None, None]
    bright = flux > level + np.float32(BRIGHT * sky.sigma)
    before, after = (((each - level)[bright]).sum(dtype=np.float64) for each in (flux, restored))
    return int(np.count_nonzero(bright)), float(before), float(after)


def of_another_band(count: float, before: float, after: float) -> list[str]:
    """What is to be said where the light of so many bright pixels became another band's."""
    share = after / before if count >= FEW else 1.0
    if 1.0 / OTHER < share < OTHER:
        return []
    return [
        f"it has {share:.2g} times the light of the image: the model draws the flux of the band, "
        "or in the unit, that it learned from"
    ]
