"""What a worse night would have made of a galaxy: more blur, more noise."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from pellucid.errors import InputError, UsageError
from pellucid.optics.blur import identity_kernel, known_psf
from pellucid.optics.convolution import convolve
from pellucid.sky.background import galaxygan_noise, robust_background
from pellucid.sky.image import SkyImage, in_sdss_nanomaggies
from pellucid.sky.inpaint import filled
from pellucid.sky.pair import Pair
from pellucid.sky.psf import PSF, gaussian_psf

#: White noise is added even where the blurred image is noisier already (the authors' floor).
VARIANCE_FLOOR = 1e-8

#: Where a PSF comes from that was blurred with its image.
DEGRADED = "degraded"

NoiseEstimate = Literal["auto", "galaxygan", "robust"]


@dataclass(frozen=True)
class Degradation:
    """GalaxyGAN's degradation: blur on top of the native seeing, then noise at k times the sky's.

    With s the noise of the image and s₂ that of the blurred image, white noise of variance
    max((k s)² − s₂², 10⁻⁸ u²) is added: first the noise that blurring removed comes back, then it
    is raised to k s. u is one nanomaggy of SDSS, or s/0.01 for any other image.

    Parameters
    ----------
    fwhm
        Of the added Gaussian blur, arcsec.
    noise
        k, in units of the image's own noise; 0 adds none.
    truncate
        Half-width of the kernel in standard deviations. The authors' kernel ends at 2, which
        makes its effective FWHM 4 to 6 % smaller.
    shared_noise
        Add one and the same noise field to all bands, as the authors did.
    noise_estimate
        How s is measured: the authors' rule for nanomaggies of SDSS's depth, clipping for
        anything, or whichever fits the image.

    References
    ----------
    Schawinski et al. 2017, MNRAS 467, L110, doi:10.1093/mnrasl/slx008.
    """

    fwhm: float = 1.8
    noise: float = 2.0
    truncate: float = 5.0
    shared_noise: bool = False
    noise_estimate: NoiseEstimate = "auto"

    def __post_init__(self) -> None:
        if not 0 <= self.fwhm < np.inf:
            raise InputError(f"a blur of {self.fwhm} arcsec; it must be 0 or more")
        if not 0 <= self.noise < np.inf:
            raise InputError(f"a noise of {self.noise} σ; it must be 0 or more")
        if not 0 < self.truncate < np.inf:
            raise InputError(f"a kernel cut at {self.truncate} σ; it must be positive")

    def __call__(self, image: SkyImage, rng: np.random.Generator) -> Pair:
        """Degrade ``image``; pixels that are masked or not finite stay and spread no further.

        The variance becomes that of the result, h² ⊛ variance + that of the added noise, with the
        kernel h; that neighbours are correlated now it cannot say. A PSF that is known is blurred
        as the image is.

        Returns
        -------
        Pair
            The degraded image beside the ``image`` itself, and the kernel that was applied.
        """
        if image.pixel_scale is None:
            raise InputError("the image has no pixel scale; --pixel-scale states it")
        bad = image.holes
        sharp = filled(image.flux, bad)
        flux, blur, psf = sharp, identity_kernel(image.pixel_scale), image.psf
        sigma = 0.0
        if self.fwhm > 0:
            blur = gaussian_psf(self.fwhm, image.pixel_scale, self.truncate)
            psf = _blurred(known_psf(image), blur)
            flux = convolve(sharp, blur.for_bands(len(sharp)), "nearest")
        if self.noise > 0:
            sigma = self._added_noise(image, *(_without(bad, each) for each in (sharp, flux)))
            bands, height, width = image.shape
            field = rng.standard_normal(
                (1 if self.shared_noise else bands, height, width), dtype=np.float32
            )
            flux = flux + np.float32(sigma) * field
        if bad.any():
            flux = np.where(bad, image.flux, flux)
        variance = None
        if image.variance is not None:
            variance = _degraded(image.variance, bad, blur.for_bands(len(sharp)), sigma)
        blurred = image.with_flux(flux, variance=variance, psf=psf)
        return Pair(blurred, image, blur)

    def _added_noise(self, image: SkyImage, sharp: np.ndarray, blurred: np.ndarray) -> float:
        """Standard deviation of the noise to add to the image that was blurred, in its unit."""
        sdss = in_sdss_nanomaggies(image)
        if self.noise_estimate == "galaxygan" or (self.noise_estimate == "auto" and sdss):
            before, after = galaxygan_noise(sharp), galaxygan_noise(blurred)
        else:
            before, after = (robust_background(flux).sigma for flux in (sharp, blurred))
        floor = VARIANCE_FLOOR if sdss else VARIANCE_FLOOR * (before / 0.01) ** 2
        return float(np.sqrt(max((self.noise * before) ** 2 - after**2, floor)))


def _blurred(psf: PSF | None, blur: PSF) -> PSF | None:
    if psf is None:
        return None
    sides = [side // 2 for side in blur.stamps.shape[1:]]
    wide = np.pad(psf.stamps, [(0, 0), *((side, side) for side in sides)])
    stamps = convolve(wide, blur.for_bands(len(wide)), "zero")
    return replace(psf, stamps=stamps, origin=DEGRADED, notes=())


def _degraded(
    variance: np.ndarray, bad: np.ndarray, stamps: np.ndarray, sigma: float
) -> np.ndarray:
    """The variance behind a kernel and under noise of this deviation; as it is where it is bad."""
    given = np.where(bad, np.nan, variance)
    unit = float(np.nanmedian(given)) or 1.0  # of flux of 1e-25 it is no float32
    whole = filled((given / unit).astype(np.float32))
    made = unit * convolve(whole, np.square(stamps), "nearest").astype(np.float64)
    return np.where(bad, variance, made + sigma**2)


def _without(bad: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """What was put in place of bad pixels says nothing of the noise."""
    return np.where(bad, np.float32(np.nan), flux) if bad.any() else flux


def parse_degradation(text: str) -> Degradation:
    """A degradation from words such as ``"fwhm=1.8 noise=2 shared-noise"``.

    Raises
    ------
    UsageError
        When a word is no field of `Degradation` or its value has the wrong type or range.
    """
    from pydantic import TypeAdapter, ValidationError

    known = [field.name.replace("_", "-") for field in fields(Degradation)]
    settings: dict[str, str] = {}
    for word in text.replace(",", " ").split():
        name, equals, value = word.partition("=")
        if name.replace("_", "-") not in known:
            raise UsageError(f"degradation {text!r}: {name!r} is none of {', '.join(known)}")
        settings[name.replace("-", "_")] = value if equals else "true"
    try:
        return TypeAdapter(Degradation).validate_python(settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"degradation {text!r}: {first['loc'][0]}: {first['msg']}") from None
    except InputError as error:
        raise UsageError(f"degradation {text!r}: {error}") from None


def object_rng(seed: int, identifier: str) -> np.random.Generator:
    """A random generator that depends on the seed and the object alone, never on their order."""
    return np.random.default_rng([seed, *identifier.encode()])
