"""Table 1 of Schawinski et al. 2017 (MNRAS 467, L110, doi:10.1093/mnrasl/slx008), in dB."""

from __future__ import annotations

FWHM = (1.4, 1.8, 2.2, 2.5)
NOISE = (1.0, 1.2, 2.0, 5.0, 10.0)

#: PSNR by restorer; one row a noise level, one column a FWHM (the text's 2.0" is the table's 2.2").
PSNR: dict[str, tuple[tuple[float, ...], ...]] = {
    "gan": (
        (39.6, 39.8, 39.2, 38.9),
        (40.0, 39.5, 39.5, 38.9),
        (38.9, 39.4, 39.2, 38.8),
        (37.8, 38.1, 38.1, 37.8),
        (35.4, 37.3, 37.3, 36.9),
    ),
    "blind-paper": (
        (36.2, 35.7, 35.0, 34.5),
        (35.1, 34.7, 34.0, 33.6),
        (31.6, 31.4, 31.1, 30.9),
        (24.9, 24.8, 24.8, 25.4),
        (20.0, 20.0, 20.0, 20.6),
    ),
    "richardson-lucy-paper": (
        (34.7, 34.8, 34.9, 35.0),
        (33.3, 33.5, 33.6, 33.7),
        (29.5, 29.7, 29.9, 30.0),
        (23.0, 23.1, 23.3, 23.5),
        (18.8, 18.8, 18.9, 19.0),
    ),
}

#: Table 1d: PSNR of the GAN by the number of training images.
LEARNING_CURVE = {5: 34.6, 10: 36.0, 100: 37.7, 2000: 37.9}


def published(restorer: str, fwhm: float, noise: float, images: int | None = None) -> float | None:
    """The paper's PSNR of a cell, or of a network trained on so many images; None without."""
    if images is not None:
        return LEARNING_CURVE.get(images)
    if restorer not in PSNR or fwhm not in FWHM or noise not in NOISE:
        return None
    return PSNR[restorer][NOISE.index(noise)][FWHM.index(fwhm)]
