"""The seams of a large image that was restored piece by piece.

    python benchmarks/seams.py FIELD.fits RESTORED.fits [--psf FWHM] [--corners N] [--figure PNG]

Where four pieces meet the field is restored again, by a piece with the corner in its middle, and
compared with what stands in the file, in units of the noise: next to the seams and away from them.
FIELD is of one band, and RESTORED what `pellucid restore --model pellucid --psf FWHM` made of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pellucid import load_restorer
from pellucid.fits import open_field
from pellucid.restoration.field_sky import flattened, measured_sky
from pellucid.restoration.places import Place

#: Pixels about a corner that are compared, and those from a seam that count as next to it.
ABOUT, NEXT = 256, 8


def corners(shape: tuple[int, int], core: int, count: int) -> list[tuple[int, int]]:
    """Some of the places where four pieces meet, over all of the field."""
    rows, columns = ([k for k in range(core, side, core) if k + core <= side] for side in shape)
    every = [(y, x) for y in rows for x in columns]
    return [every[int(k)] for k in np.linspace(0, len(every) - 1, min(count, len(every)))]


def around(at: int, side: int, reach: int) -> slice:
    return slice(max(0, at - reach), min(side, at + reach))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("field", type=Path)
    parser.add_argument("restored", type=Path)
    parser.add_argument("--psf", type=float, default=2.4)
    parser.add_argument("--corners", type=int, default=8)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    shown: list[tuple[tuple[int, int], NDArray, NDArray]] = []
    near, far = [], []
    with open_field(options.field) as field, open_field(options.restored, hdu=0) as restored:
        sky = measured_sky(field)
        pieces = load_restorer("pellucid").pieces(field, sky, psf=options.psf)
        shape = field.frame.shape[1:]
        print("| corner | next to the seams | at most | elsewhere | at most |")
        print("|---|---:|---:|---:|---:|")
        for at in corners(shape, pieces.core, options.corners):
            core = tuple(around(k, side, ABOUT) for k, side in zip(at, shape, strict=True))
            reach = ABOUT + pieces.halo
            window = tuple(around(k, side, reach) for k, side in zip(at, shape, strict=True))
            place = Place((core[0], core[1]), (window[0], window[1]), shape)
            flat, level, sigma = flattened(field.window(*place.window), sky, *place.window)
            made = pieces.restore(flat, place).planes["flux"]
            inner = (slice(None), *place.inner())
            own, noise = sky.units[1], sigma[inner]
            again = made[inner] * noise + level[inner]
            stands = restored.window(*place.core).flux
            difference = ((stands - again) / (own * noise))[0]
            difference -= np.median(difference)  # all of the field's total was kept
            seams = np.zeros(difference.shape, bool)
            middle = [k - part.start for k, part in zip(at, core, strict=True)]
            seams[middle[0] - NEXT : middle[0] + NEXT] = True
            seams[:, middle[1] - NEXT : middle[1] + NEXT] = True
            near.append(difference[seams])
            far.append(difference[~seams])
            numbers = [f(np.abs(part)) for part in (near[-1], far[-1]) for f in (_rms, np.max)]
            print(f"| {at[0]}, {at[1]} |" + "".join(f" {number:.2g} |" for number in numbers))
            shown.append((at, stands[0], difference))
    every = [f(np.abs(np.concatenate(part))) for part in (near, far) for f in (_rms, np.max)]
    print("| all |" + "".join(f" {number:.2g} |" for number in every))
    if options.figure is not None:
        draw(shown[:4], options.figure)


def _rms(values: NDArray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def draw(shown: list[tuple[tuple[int, int], NDArray, NDArray]], path: Path) -> None:
    """What stands in the file where pieces meet, and the difference, ± 0.02 of the noise."""
    figure = Figure(figsize=(3.2 * len(shown), 6.6), layout="constrained")
    axes = np.atleast_2d(figure.subplots(2, len(shown), squeeze=False))
    for column, (at, flux, difference) in zip(axes.T, shown, strict=True):
        low, high = np.percentile(flux, (1, 99.5))
        column[0].imshow(np.arcsinh(8 * (flux - low) / (high - low)), origin="lower", cmap="gray")
        last = column[1].imshow(difference, origin="lower", cmap="RdBu_r", vmin=-0.02, vmax=0.02)
        column[0].set_title(f"row {at[0]}, column {at[1]}", fontsize=9)
        for axis in column:
            axis.set_xticks([])
            axis.set_yticks([])
    figure.colorbar(last, ax=axes[1], label="difference / noise", shrink=0.8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
