"""Fields of the sky as two telescopes see them, and the tiny study of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from pellucid.cli import main
from pellucid.data.observed import ObservedPair
from pellucid.optics import convolve
from pellucid.sky import gaussian_psf

HSC, HST = 0.168, 0.03
#: Standard deviations of both point spread functions, arcsec.
SEEING, SHARPNESS = 0.28, 0.047
HSC_ZERO_POINT, HST_ZERO_POINT = 27.0, 25.937
BANDS = "GRIZY"
FIGURES = {f"figure-{number}.png" for number in (4, 5, 6, 7, 8)} | {"methods.png"}

#: Without a simulation and without figure 6's networks, on the paper's losses but VGG-19's.
TINY = """\
name: tiny
galaxies: {faintest: 21.3, size: 32}
stages:
  - data: real
    recipe:
      name: tiny
      model: seeinggan
      network: {width: 2, critic_width: 2, residual: true}
      stretch: {name: noise, softening: 10, low: -40, high: 10000}
      size: 32
      batch: 2
      steps: 6
      critic_steps: 1
      pixel_weight: 100
      scale_rule: any
      checkpoint_every: 2
      validate_every: 6
      validation_images: 1
      seed: 1
layers: []
iterations: [5, 10]
"""


@dataclass(frozen=True)
class Light:
    """A Gaussian on the sky, places in arcsec north and east of the field's middle."""

    north: float
    east: float
    magnitude: float
    axes: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0


def spiral(north: float, east: float, magnitude: float, angle: float) -> list[Light]:
    """A disc, its bulge and a knot beside them."""
    turn = np.array([np.cos(angle), np.sin(angle)])
    knot = np.array([north, east]) + 0.45 * turn
    return [
        Light(north, east, magnitude + 0.3, (0.42, 0.24), angle),
        Light(north, east, magnitude + 2.0, (0.08, 0.08)),
        Light(knot[0], knot[1], magnitude + 2.3, (0.04, 0.04)),
    ]


def moved(lights: Sequence[Light], north: float) -> list[Light]:
    return [replace(light, north=light.north + north) for light in lights]


STAR = Light(4.2, -3.8, 20.5)
QUASAR = Light(0.1, 0.0, 19.0)
TWO = [*spiral(4.0, 4.0, 21.0, 0.4), *spiral(-3.9, -4.1, 21.6, 2.0)]
#: A field and its neighbour 8 arcsec to the north, in both of which is the first of its galaxies.
SOUTH = [QUASAR, *TWO, *spiral(12.0, -3.0, 21.2, 1.0)]
NORTH = moved(SOUTH, -8.0)

#: Right ascension and declination, light, zero point of HST. Of two parts qso01, qso09 and gal_1
#: are in the one that is learned from, and qso05 is tested on: and so is qso06, which shares sky
#: with it, though its own name is in the other part.
FIELDS = {
    "qso01": (150.1, 2.1, [QUASAR, *TWO], HST_ZERO_POINT),
    "qso02": (150.2, 2.2, [QUASAR, STAR, *TWO], HST_ZERO_POINT),
    "qso05": (150.3, 2.3, SOUTH, HST_ZERO_POINT),
    "qso06": (150.3, 2.3 + 8.0 / 3600.0, NORTH, HST_ZERO_POINT),
    "qso09": (150.4, 2.4, [QUASAR, *spiral(3.8, -4.2, 20.8, 1.2)], HST_ZERO_POINT),
    "gal_1": (150.5, 2.5, [QUASAR, *TWO], HST_ZERO_POINT),
    "gal_2": (150.6, 2.6, [*TWO], -1.0),
}


def render(
    lights: Sequence[Light], width: int, height: int, scale: float, blur: float, zero_point: float
) -> NDArray[np.float64]:
    """Counts in pixels of ``scale`` arcsec, north up, east left, behind a Gaussian."""
    north, right = np.mgrid[:height, :width] * scale
    north -= 0.5 * (height - 1) * scale
    east = 0.5 * (width - 1) * scale - right
    flux = np.zeros((height, width))
    for light in lights:
        turn = np.array(
            [
                [np.cos(light.angle), np.sin(light.angle)],
                [-np.sin(light.angle), np.cos(light.angle)],
            ]
        )
        spread = turn.T @ np.diag(np.square(light.axes)) @ turn + blur**2 * np.eye(2)
        inverse = np.linalg.inv(spread)
        y, x = north - light.north, east - light.east
        power = inverse[0, 0] * y * y + 2 * inverse[0, 1] * x * y + inverse[1, 1] * x * x
        total = 10 ** (0.4 * (zero_point - light.magnitude))
        peak = total * scale**2 / (2 * np.pi * np.sqrt(np.linalg.det(spread)))
        flux += peak * np.exp(-0.5 * power)
    return flux


def write_field(
    path: Path,
    ra: float,
    dec: float,
    lights: Sequence[Light],
    hst_zero_point: float = HST_ZERO_POINT,
    without: tuple[str, ...] = (),
    stamps: int = 5,
) -> None:
    """A field as the archives' pairs are laid out; its noise is that of its name."""
    rng = np.random.default_rng(list(path.stem.encode()))
    primary = fits.PrimaryHDU()
    primary.header.update({"HSC_ZP": HSC_ZERO_POINT, "HST_ZP": hst_zero_point})
    hdus: list = [primary]
    seen = render(lights, 103, 102, HSC, SEEING, HSC_ZERO_POINT)
    for band in BANDS:
        noisy = seen + 0.012 * rng.standard_normal(seen.shape)
        hdus.append(compressed(noisy, sky_header(ra, dec, HSC, seen.shape), f"HSC_{band}"))
    hdus.append(fits.ImageHDU(np.full(5, 0.012**2, np.float32), name="HSC_VARMED"))
    stamp = render([Light(-HSC / 2, -HSC / 2, 0.0)], 40, 40, HSC, SEEING, 0.0)
    cube = np.repeat(stamp[None], stamps, axis=0)
    hdus.append(fits.ImageHDU(cube.astype(np.float32), name="HSC_PSF"))
    sharp = render(lights, 502, 502, HST, SHARPNESS, HST_ZERO_POINT)
    sharp += 0.003 * rng.standard_normal(sharp.shape)
    hdus.append(compressed(sharp, sky_header(ra, dec, HST, sharp.shape), "HST_F814W"))
    stamp = render([Light(0.0, 0.0, 0.0)], 51, 51, HST, SHARPNESS, 0.0)
    hdus.append(fits.ImageHDU(stamp.astype(np.float32), name="HST_PSF"))
    fits.HDUList([hdu for hdu in hdus if hdu.name not in without]).writeto(path, overwrite=True)


def fill(path: Path, name: str, value: float) -> None:
    """One value in all pixels of an extension."""
    with fits.open(path, mode="update") as file:
        hdu: Any = file[name]
        hdu.data[:] = value


def compressed(flux: NDArray[np.floating], header: fits.Header, name: str) -> fits.CompImageHDU:
    return fits.CompImageHDU(flux.astype(np.float32), header, name, compression_type="RICE_1")


def sky_header(ra: float, dec: float, scale: float, shape: tuple[int, ...]) -> fits.Header:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"})
    header.update({"CRVAL1": ra, "CRVAL2": dec, "CUNIT1": "deg", "CUNIT2": "deg"})
    header.update({"CRPIX1": 0.5 * (shape[1] + 1), "CRPIX2": 0.5 * (shape[0] + 1)})
    header.update({"CDELT1": -scale / 3600.0, "CDELT2": scale / 3600.0})
    return header


def observed_pair(name: str) -> ObservedPair:
    rng = np.random.default_rng(list(name.encode()))
    north, east = rng.uniform(-0.1, 0.1, 2)
    lights = spiral(north, east, rng.uniform(20.5, 21.5), rng.uniform(0, 3))
    planes = [
        render(lights, 32, 32, 0.09, blur, HSC_ZERO_POINT)[None]
        + noise * rng.standard_normal((1, 32, 32))
        for blur, noise in ((SHARPNESS, 0.02), (SEEING, 0.005))
    ]
    sharp, blurred = (plane.astype(np.float32) for plane in planes)
    psfs = gaussian_psf(2.355 * SHARPNESS, HST), gaussian_psf(2.355 * SEEING, HSC)
    return ObservedPair(name, sharp, blurred, 0.09, (0.02, 0.005), psfs=psfs)


def words(data: Path, output: Path, preset: str | Path, *more: str) -> list[str]:
    command = ["study", "seeinggan", "--data", data, "--output", output, "--preset", preset]
    return [*map(str, command), "--workers", "1", *more]


def fault(capsys: pytest.CaptureFixture[str], command: list[str], code: int) -> str:
    """The one line with which a command is refused."""
    capsys.readouterr()
    assert main(command) == code
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines[:-1] if line != "pellucid: preparing the pairs"] == []
    return lines[-1]


def write_euclid(path: Path, seed: int = 4, scale: float = 0.1) -> None:
    """Two galaxies as Euclid's VIS and NISP see them."""
    rng = np.random.default_rng(seed)
    side = 220
    y, x = np.indices((side, side), dtype=np.float32)
    sky = sum(
        200.0 * np.exp(-np.hypot(y - row, 1.7 * (x - column)) / 5.0)
        for row, column in ((70, 70), (150, 140))
    )
    sky = np.asarray(sky, dtype=np.float32)[None]
    hdus: list[Any] = [fits.PrimaryHDU()]
    for band, width in {"VIS": 0.16, "NIR_Y": 0.42, "NIR_J": 0.45, "NIR_H": 0.48}.items():
        psf = gaussian_psf(width, scale)
        seen = 3.0 * convolve(sky, psf.for_bands(1), "reflect")[0]
        seen = (seen + rng.normal(0.0, 1.0, seen.shape)).astype("f4")
        header = sky_header(52.9, -28.0, scale, seen.shape)
        hdus.append(fits.ImageHDU(seen, header, name=f"{band}_FLUX"))
        hdus.append(fits.ImageHDU(psf.stamps[0], name=f"{band}_PSF"))
        hdus.append(fits.ImageHDU(np.ones_like(seen), name=f"{band}_RMS"))
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(hdus).writeto(path)
