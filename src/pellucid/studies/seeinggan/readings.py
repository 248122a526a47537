"""What the paper's Table 1 may have been computed with: its metrics in other readings.

Its PSNR hardly differs from galaxy to galaxy, its SSIM is near 0, and its CW-SSIM rises while both
fall. Here three readings of each metric are put beside each other, on the same restorations and on
copies of them to which white noise was added: a good metric must not gain by that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from pellucid.evaluation.scores import Scored, inner
from pellucid.evaluation.tables import BREAK, markdown_table
from pellucid.metrics.cw_ssim import cw_ssim, cw_ssim_printed
from pellucid.metrics.psnr import psnr
from pellucid.metrics.ssim import ssim
from pellucid.sky import robust_background
from pellucid.studies.seeinggan.paper import TABLE_1

Bytes = NDArray[np.uint8]
#: The first so many wavelets of the index on a line of pixels.
LINE_WIDTHS = 30
#: Its constant K.
LINE_K = 0.01
PEAK = 255.0


def eight_bits(flux: NDArray[np.floating], low: float, high: float) -> Bytes:
    """Grey levels 0 to 255 between two limits, as a picture file holds them."""
    levels = np.clip((flux - low) / (high - low), 0.0, 1.0)
    return np.round(PEAK * np.nan_to_num(levels)).astype(np.uint8)


def overflowing_psnr(truth: Bytes, restored: Bytes) -> float:
    """PSNR of 8-bit images in their own arithmetic, in dB.

    Differences and their squares are kept modulo 256, as arrays of bytes do where nobody converts
    them. Two images whose grey levels have nothing to do with each other so have a mean square of
    105.5 and 27.90 dB, whatever is in them; the PSNR of the same two is some 8 dB.
    """
    difference = truth - restored
    return float(20.0 * np.log10(PEAK / np.sqrt(np.mean(difference * difference))))


def line_cw_ssim(truth: Bytes, restored: Bytes) -> float:
    """An index that goes by the name of CW-SSIM, of real wavelets along the rows of an image.

    The image is read as one line of pixels. Of its coefficients in Mexican hats of widths 1 to 30
    pixels, 2 Σ|cₓ||cᵧ| + K over Σ|cₓ|² + Σ|cᵧ|² + K, times the coherence of their signs; sums are
    over the widths, the mean over the pixels. The first factor is the paper's equation 5.

    References
    ----------
    https://github.com/jterrace/pyssim, ``SSIM.cw_ssim_value``
    """
    x, y = (_line_wavelets(image) for image in (truth, restored))
    product = x * y
    first = (2.0 * np.abs(product).sum(0) + LINE_K) / ((x**2 + y**2).sum(0) + LINE_K)
    second = (2.0 * np.abs(product.sum(0)) + LINE_K) / (2.0 * np.abs(product).sum(0) + LINE_K)
    return float(np.mean(first * second))


def _line_wavelets(image: Bytes) -> NDArray[np.float64]:
    """Coefficients of an image's pixels, one row after the other: shape (width, pixel)."""
    from scipy.signal import oaconvolve

    line = image.ravel().astype(np.float64)
    coefficients = []
    for width in range(1, LINE_WIDTHS + 1):
        points = min(10 * width, line.size)
        place = (np.arange(points) - (points - 1) / 2.0) / width
        hat = (1.0 - place**2) * np.exp(-0.5 * place**2) * 2.0 / np.sqrt(3.0 * width) / np.pi**0.25
        coefficients.append(oaconvolve(line, hat, mode="same"))
    return np.array(coefficients)


def _float(index: Callable[..., NDArray[np.floating]]) -> Callable[[Bytes, Bytes], float]:
    return lambda truth, restored: float(index(truth[None] * 1.0, restored[None] * 1.0)[0])


#: Heading, digits, and what is computed of two pictures.
READINGS: Mapping[str, tuple[int, Callable[[Bytes, Bytes], float]]] = {
    "PSNR": (2, lambda x, y: psnr(x[None] * 1.0, y[None] * 1.0, PEAK)),
    "PSNR that overflows": (2, overflowing_psnr),
    "SSIM": (3, lambda x, y: ssim(x[None] * 1.0, y[None] * 1.0, PEAK)),
    "CW-SSIM": (3, _float(cw_ssim)),
    "CW-SSIM as printed": (3, _float(cw_ssim_printed)),
    "CW-SSIM along the rows": (3, line_cw_ssim),
}


def _zscale(flux: NDArray[np.floating]) -> tuple[float, float]:
    from astropy.visualization import ZScaleInterval

    return ZScaleInterval().get_limits(flux)


def _percentiles(flux: NDArray[np.floating]) -> tuple[float, float]:
    low, high = np.nanpercentile(flux, (0.5, 99.5))
    return float(low), float(high)


def _range(flux: NDArray[np.floating]) -> tuple[float, float]:
    return float(np.nanmin(flux)), float(np.nanmax(flux))


#: How a picture was made of HST's image; its limits are taken for what it is compared with, too.
LIMITS: Mapping[str, Callable[[NDArray[np.floating]], tuple[float, float]]] = {
    "from the lowest to the highest pixel": _range,
    "from 0.5 to 99.5 per cent of the pixels": _percentiles,
    "in the zscale stretch": _zscale,
}

#: Pictures to metric to each galaxy's number.
Table = dict[str, dict[str, list[float]]]


def readings(
    galaxies: Iterable[Scored], margin: int, names: Mapping[str, str], seed: int = 0
) -> dict[str, Table]:
    """Each metric in each reading: limits to who to heading to one number a galaxy.

    Parameters
    ----------
    galaxies
        Restored; of several bands the first counts.
    margin
        Pixels on each side that are not compared.
    names
        Restorers, and what they are called in a table.
    seed
        Of the noise that is added: white, with the standard deviation of HST's sky.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Table] = {limits: {} for limits in LIMITS}
    for galaxy in galaxies:
        truth = inner(galaxy.pair.sharp, margin).flux[0].astype(np.float64)
        images = {}
        for who, called in names.items():
            flux = inner(galaxy.restored[who].image, margin).flux[0].astype(np.float64)
            sigma = robust_background(truth[None]).sigma
            images[called] = flux
            images[f"{called}, noise added"] = flux + rng.normal(0.0, sigma, flux.shape)
        for limits, table in found.items():
            low, high = LIMITS[limits](truth)
            original = eight_bits(truth, low, high)
            for called, flux in images.items():
                numbers = table.setdefault(called, {heading: [] for heading in READINGS})
                picture = eight_bits(flux, low, high)
                for heading, (_, index) in READINGS.items():
                    numbers[heading].append(index(original, picture))
    return found


def readings_page(found: Mapping[str, Table]) -> str:
    """Tables of `readings`, the paper's numbers in the column that each is nearest to."""
    paper = {"PSNR that overflows": "psnr", "SSIM": "ssim", "CW-SSIM along the rows": "cw_ssim"}
    printed = [
        [
            f"paper: {'Subaru' if who == 'subaru' else 'SeeingGAN'}",
            *(
                _cell(TABLE_1[paper[heading]][who], 3) if heading in paper else ""
                for heading in READINGS
            ),
        ]
        for who in ("subaru", "seeinggan")
    ]
    parts = []
    for limits, table in found.items():
        count = len(next(iter(next(iter(table.values())).values())))
        lines = [
            [
                called,
                *(
                    _cell((float(np.mean(row)), min(row), max(row)), READINGS[heading][0])
                    for heading, row in numbers.items()
                ),
            ]
            for called, numbers in table.items()
        ]
        title = f"## Pictures of 256 grey levels {limits}, {count} galaxies"
        parts.append(f"{title}\n\n{markdown_table(['', *READINGS], [*lines, *printed])}\n")
    return "\n".join(parts)


def _cell(three: Iterable[float], digits: int) -> str:
    mean, low, high = three
    return f"{mean:.{digits}f}{BREAK}({low:.{digits}f} to {high:.{digits}f})"
