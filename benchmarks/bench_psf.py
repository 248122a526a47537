"""The PSF that `pellucid psf` finds in images, against one that is known for each.

    python benchmarks/bench_psf.py IMAGE PSF [--band r] [--hdu HSC_I] [--pixel-scale 0.396] [--json]

IMAGE is a FITS image with stars and PSF what its survey says of it: a stamp, a PSFEx model, SDSS's
psField (read where the stars are, on average). What is printed is the FWHM of both, in pixels of
the image, and by how much the first is off; with ``--any-band`` the plane of the PSF whose FWHM is
nearest counts, for files that do not say which is which.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import pellucid
from pellucid.errors import InputError
from pellucid.sky.psf import stamp_fwhm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path)
    parser.add_argument("psf", type=Path)
    parser.add_argument("--band", help="name of the image's band")
    parser.add_argument("--hdu")
    parser.add_argument("--pixel-scale", type=float)
    parser.add_argument("--any-band", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    bands = [chosen.band] if chosen.band else None
    image = pellucid.read_image(
        chosen.image, hdu=chosen.hdu, bands=bands, pixel_scale=chosen.pixel_scale
    )
    started = time.perf_counter()
    try:
        found = pellucid.psf_from_stars(image)
    except InputError as error:
        print(json.dumps({"refused": str(error)}) if chosen.json else f"refused: {error}")
        return
    seconds = time.perf_counter() - started
    known = pellucid.read_psf(chosen.psf, image.pixel_scale if chosen.any_band else image)
    own = stamp_fwhm(found.stamps[0])
    widths = np.array([stamp_fwhm(stamp) for stamp in known.stamps])
    given = float(widths[np.abs(np.log(own / widths)).argmin()])
    values = {
        "fwhm_pixels": round(own, 3),
        "known_pixels": round(given, 3),
        "off": round(own / given - 1.0, 4),
        "stars": len(found.stars[0]),
        "seconds": round(seconds, 2),
        "notes": [*found.notes, *known.notes],
    }
    if chosen.json:
        print(json.dumps(values))
    else:
        print(
            f"{own:.3f} pixels from {values['stars']} stars, known {given:.3f}: "
            f"{values['off']:+.1%}, in {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
