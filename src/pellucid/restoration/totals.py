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
    share = _share(flux, restored, sky)
    if share is None or 1.0 / OTHER < share < OTHER:
        keep_totals(flux, restored)
        return []
    return [
        f"it has {share:.2g} times the light of the image: the model draws the flux of the band, "
        "or in the unit, that it learned from"
    ]


def _share(
    flux: NDArray[np.float32], restored: NDArray[np.float32], sky: Background
) -> float | None:
    """The light of a restoration over that of its image, where the image shows any."""
    level = sky.sky[:, None, None]
    bright = flux > level + np.float32(BRIGHT * sky.sigma)
    if np.count_nonzero(bright) < FEW:
        return None
    before, after = (((each - level)[bright]).sum(dtype=np.float64) for each in (flux, restored))
    return float(after / before)
