"""Stretches: flux to the range a network or a screen works in, and exactly back.

A stretch is a frozen dataclass of constants with ``forward`` and ``inverse``. The constants
travel in a model's bundle; what depends on the image (its sky and noise) is measured once on the
whole image, never on a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import InputError
from pellucid.sky.background import Background
from pellucid.sky.blocks import blocks


class Stretch(Protocol):
    """Flux (band, y, x) to about [0, 1] and back."""

    @property
    def name(self) -> str: ...

    def forward(self, flux: NDArray[np.floating], sky: Background) -> NDArray[np.float32]: ...

    def inverse(self, value: NDArray[np.floating], sky: Background) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class GalaxyGANStretch:
    """The stretch of GalaxyGAN, y = asinh(10 x)/3 with x = (f − low)/(high − low).

    With ``clip``, as in the paper, flux outside [low, high] is lost; without it the map is
    invertible everywhere. The sky is not used: flux must be in nanomaggies.

    Parameters
    ----------
    low, high
        Nanomaggies.
    clip
        Cut to [low, high] first.

    References
    ----------
    Schawinski et al. 2017, MNRAS 467, L110, doi:10.1093/mnrasl/slx008; the limits stand in
    the authors' code.
    """

    low: float = -0.1
    high: float = 4.0
    clip: bool = True
    name: str = "galaxygan"

    def forward(
        self, flux: NDArray[np.floating], sky: Background | None = None
    ) -> NDArray[np.float32]:
        flux = np.asarray(flux, dtype=np.float32)
        if self.clip:
            flux = np.clip(flux, self.low, self.high)
        value = np.arcsinh(10.0 * (flux - self.low) / (self.high - self.low)) / 3.0
        return value.astype(np.float32, copy=False)

    def inverse(
        self, value: NDArray[np.floating], sky: Background | None = None
    ) -> NDArray[np.float32]:
        scaled = np.sinh(3 * np.asarray(value, dtype=np.float32)) / 10
        return (scaled * (self.high - self.low) + self.low).astype(np.float32)


@dataclass(frozen=True)
class NoiseStretch:
    """An unclipped asinh in units of the image's own noise.

    With u = (f − sky)/σ, y = (asinh(u/softening) − a)/(b − a), where a and b are the values at
    u = low and u = high. Any unit and any zero point give the same y, bright cores stay
    resolved, and nothing is clipped.

    Parameters
    ----------
    softening
        Where linear turns to logarithmic, in σ.
    low, high
        The u that map to y = 0 and y = 1, in σ.
    """

    softening: float = 5.0
    low: float = -10.0
    high: float = 2000.0
    name: str = "noise"

    def forward(self, flux: NDArray[np.floating], sky: Background) -> NDArray[np.float32]:
        bottom, span = self._range()
        if not sky.sigma > 0:
            raise InputError("the image has no noise to scale by: its sky is constant")

        def stretched(some: NDArray[np.floating]) -> NDArray[np.float64]:
            above = np.subtract(some, sky.sky[:, None, None], dtype=np.float64)
            above /= sky.sigma * self.softening
            return (np.arcsinh(above, out=above) - bottom) / span

        return _by_rows(stretched, flux)

    def inverse(self, value: NDArray[np.floating], sky: Background) -> NDArray[np.float32]:
        bottom, span = self._range()

        def flux(some: NDArray[np.floating]) -> NDArray[np.float64]:
            depth = np.multiply(some, span, dtype=np.float64)
            depth += bottom
            return np.sinh(depth, out=depth) * (sky.sigma * self.softening) + sky.sky[:, None, None]

        return _by_rows(flux, value)

    def _range(self) -> tuple[float, float]:
        bottom = float(np.arcsinh(self.low / self.softening))
        return bottom, float(np.arcsinh(self.high / self.softening)) - bottom


def _by_rows(
    function: Callable[[NDArray[np.floating]], NDArray[np.float64]], planes: NDArray[np.floating]
) -> NDArray[np.float32]:
    """A function of each pixel of planes (band, y, x), worked out in double precision.

    asinh, and the difference to a sky far above it, lose digits in single. Some rows at a time:
    doubles of a whole frame would be the largest thing in memory.
    """
    result = np.empty(np.shape(planes), dtype=np.float32)
    for rows in blocks(planes.shape[1]):
        result[:, rows] = function(planes[:, rows])
    return result


def to_network(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """From a stretch's [0, 1] to the range [−1, 1] of the networks."""
    return 2.0 * value - 1.0


def from_network(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """From the networks' range [−1, 1] to a stretch's [0, 1]."""
    return 0.5 * (value + 1.0)


STRETCHES: dict[str, type[GalaxyGANStretch] | type[NoiseStretch]] = {
    "galaxygan": GalaxyGANStretch,
    "noise": NoiseStretch,
}


def stretch_from_dict(constants: Mapping[str, Any]) -> GalaxyGANStretch | NoiseStretch:
    """The stretch of these constants, as a recipe or a bundle keeps them."""
    name = constants.get("name")
    if not isinstance(name, str) or name not in STRETCHES:
        raise InputError(f"no stretch is called {name!r}; there are {', '.join(STRETCHES)}")
    known = [field.name for field in fields(STRETCHES[name])]
    for key, value in constants.items():
        if key not in known:
            raise InputError(f"stretch {name!r}: no {key}; there are {', '.join(known)}")
        number = isinstance(value, int | float) and np.isfinite(value)
        if key not in ("name", "clip") and not number:
            raise InputError(f"stretch {name!r}: {key} is {value!r}, no finite number")
    stretch = STRETCHES[name](**constants)
    if not stretch.low < stretch.high or getattr(stretch, "softening", 1.0) <= 0:
        raise InputError(f"stretch {name!r}: high must be above low, and softening above 0")
    return stretch
