"""
An image of your telescope
==========================

Not every image comes from a survey. Here one is built from arrays, as a camera's
pipeline has them: flux, variance, a WCS. It is written as FITS, asked about, restored
in a terminal with a PSF that is stated, and looked at on a page.
"""

import tempfile
from pathlib import Path

import numpy as np

import pellucid

work = Path(tempfile.mkdtemp())

# %%
# What the sky is
# ---------------
#
# A corner of the Hubble Extreme Deep Field, which scikit-image brings along as a
# picture (NASA and ESA), stands for the sky: what is brighter than its dark ground is
# taken as flux. The first row of a picture is its top, that of FITS the bottom.

from skimage.data import hubble_deep_field

picture = hubble_deep_field()[460:630, 685:855]
dark = np.median(picture, axis=(0, 1))
sharp = np.moveaxis(picture - dark, -1, 0)[:, ::-1].clip(0)

# %%
# What the telescope makes of it
# ------------------------------
#
# Seeing of 0.8″ in pixels of 0.2″, as a Moffat profile; a sky of 1,500 counts; the
# noise of all these counts, and of reading them out.

from scipy.signal import fftconvolve

rng = np.random.default_rng(2)
seeing = pellucid.moffat_psf(0.8, pixel_scale=0.2)
blurred = np.stack(
    [fftconvolve(plane, seeing.stamps[0], mode="same") for plane in sharp]
)
counts = rng.poisson(8 * blurred.clip(0) + 1500) + rng.normal(0, 5, blurred.shape)

import matplotlib.pyplot as plt

figure, panels = plt.subplots(1, 2, figsize=(7, 3.5), layout="constrained")
shown = {"sky": 8 * sharp[1], "seen": counts[1] - 1500}
for panel, (name, plane) in zip(panels, shown.items(), strict=True):
    panel.imshow(np.arcsinh(plane / 40), cmap="gray", vmin=-1, vmax=4, origin="lower")
    panel.set(title=name, xticks=[], yticks=[])

# %%
# An image of arrays
# ------------------
#
# Flux and variance have the shape (band, y, x). With a WCS its pixels have a size, and
# the result has coordinates.

from astropy.wcs import WCS

wcs = WCS(naxis=2)
wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
wcs.wcs.crval = [53.16, -27.79]
wcs.wcs.crpix = [85.5, 85.5]
wcs.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]

image = pellucid.SkyImage(
    counts - 1500,
    bands=("r", "v", "b"),
    unit="adu",
    variance=counts.clip(1) + 25,
    wcs=wcs,
)
pellucid.write_image(image, work / "field.fits")

# %%
# Ask what would be done
# ----------------------
#
# From here on it is as with any file, and a terminal is enough. Each command below is
# what you would type.

import shlex
import subprocess
import sys


def run(command):
    arguments = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(
        arguments, cwd=work, capture_output=True, text=True, check=True
    )
    print(f"$ {command}\n{done.stderr}{done.stdout}")


run("pellucid info field.fits")

# %%
# ``info`` tells what was read as what, how noisy it is, whether stars tell of the PSF,
# and which model would be taken. What it does not know, it says, with what would help.
# Here the observer knows: the night's seeing was 0.8″.

run("pellucid info field.fits --psf 0.8")

# %%
# Restore it, with a page
# -----------------------
#
# A FWHM stands for a Gaussian. Better than that is the profile itself, in a file: of a
# star, of a PSF model, of what you measured (:doc:`/psf`).

stamp = pellucid.SkyImage(seeing.stamps, pixel_scale=0.2)
pellucid.write_image(stamp, work / "psf.fits")
run(
    "pellucid restore field.fits --psf psf.fits --output restored.fits --page page.html"
)

# %%
# Look at it
# ----------
#
# ``page.html`` is one file, to open or to send. This is it: drag the slider, or press
# ``?`` for the keys. The planes to look at before the picture is believed are the
# uncertainty, the doubt and the residual (:doc:`/view`).

from html import escape


class Page:
    """Shown in a notebook, and on this site."""

    def _repr_html_(self):
        text = escape((work / "page.html").read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{text}" sandbox="allow-scripts" height="640"></iframe>'


Page()
