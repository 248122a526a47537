"""The PSF that `pellucid psf` finds in images, against one that is known for each.

    python benchmarks/bench_psf.py IMAGE PSF [--band r] [--hdu HSC_I] [--pixel-scale 0.396] [--json]
    python benchmarks/bench_psf.py --own FILE… [--json]

IMAGE is a FITS image with stars and PSF what its survey says of it: a stamp, a PSFEx model, SDSS's
psField (read where the stars are, on average). What is printed is the FWHM of both, in pixels of
the image, and by how much the first is off. With ``--own`` each file holds its PSF, and each of
its bands is measured; a summary ends the list. With ``--any-band`` the plane of the PSF whose FWHM
is nearest counts, for files that do not say which is which.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import pellucid
from pellucid.errors import InputError
from pellucid.sky import SkyImage
from pellucid.sky.psf import stamp_fwhm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--own", action="store_true", help="the files hold their PSFs")
    parser.add_argument("--band", help="name of the image's band")
    parser.add_argument("--hdu")
    parser.add_argument("--pixel-scale", type=float)
    parser.add_argument("--any-band", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if not chosen.own and len(chosen.files) != 2:
        parser.error("give IMAGE and PSF, or --own and files that hold their PSFs")
    found = []
    for path in chosen.files if chosen.own else chosen.files[:1]:
        known = path if chosen.own else chosen.files[1]
        bands = [chosen.band] if chosen.band else None
        image = pellucid.read_image(
            path, hdu=chosen.hdu, bands=bands, pixel_scale=chosen.pixel_scale
        )
        for k in range(len(image.bands)):
            values = compared(image.of_bands([k]), known, chosen.any_band)
            values = {"file": path.name, "band": image.bands[k], **values}
            found.append(values)
            print(json.dumps(values) if chosen.json else told(values))
    if chosen.own:
        print(json.dumps(summary(found)))


def compared(image: SkyImage, path: Path, any_band: bool) -> dict[str, Any]:
    """The FWHM of the stars of one band beside that of a known PSF, in the image's pixels."""
    started = time.perf_counter()
    try:
        found = pellucid.psf_from_stars(image)
    except InputError as error:
        return {"refused": str(error)}
    seconds = time.perf_counter() - started
    known = pellucid.read_psf(path, image.pixel_scale if any_band else image)
    own = stamp_fwhm(found.stamps[0])
    widths = np.array([stamp_fwhm(stamp) for stamp in known.stamps])
    given = float(widths[np.abs(np.log(own / widths)).argmin()])
    return {
        "fwhm_pixels": round(own, 3),
        "known_pixels": round(given, 3),
        "off": round(own / given - 1.0, 4),
        "stars": len(found.stars[0]),
        "seconds": round(seconds, 2),
        "notes": [*found.notes, *known.notes],
    }


def told(values: dict[str, Any]) -> str:
    """What was found, in a line."""
    name = f"{values['file']} {values['band']}"
    if "refused" in values:
        return f"{name}: refused: {values['refused']}"
    return (
        f"{name}: {values['fwhm_pixels']:.3f} pixels from {values['stars']} stars, known "
        f"{values['known_pixels']:.3f}: {values['off']:+.1%}, in {values['seconds']:.1f} s"
    )


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """How many bands were measured, and how far off they are."""
    off = np.array([values["off"] for values in found if "off" in values])
    low, middle, high = np.percentile(off, (5, 50, 95)) if off.size else (np.nan,) * 3
    return {
        "bands": len(found),
        "measured": int(off.size),
        "within_5_percent": round(float(np.mean(np.abs(off) <= 0.05)), 3) if off.size else None,
        "off_5_50_95": [round(float(value), 4) for value in (low, middle, high)],
    }


if __name__ == "__main__":
    main()
