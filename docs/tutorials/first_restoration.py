"""
A first restoration
===================

A galaxy of SDSS is blurred and made noisy, so that the truth is known. Then it is read,
restored, looked at, doubted, and compared with Richardson–Lucy.
"""

import tempfile
from pathlib import Path

import numpy as np

import pellucid
from pellucid.demo import find_galaxies

# sphinx_gallery_thumbnail_number = 2
work = Path(tempfile.mkdtemp())

# %%
# An image to restore
# -------------------
#
# The galaxies of ``pellucid demo`` are pictures of Galaxy Zoo, brought back to linear
# flux. One of them is seen through a Gaussian of 1.8″ more, with twice the noise, and
# written as FITS. From here on it is as with a file of yours.

truth = find_galaxies()["106587"]
night = pellucid.Degradation(fwhm=1.8, noise=2.0)
pair = night(truth, np.random.default_rng(1))
pellucid.write_image(pair.blurred, work / "galaxy.fits")

# %%
# Read it
# -------
#
# Flux has the shape (band, y, x), in the file's unit. Of this image nothing says what a
# star looks like; in a file of yours the header, an extension or the stars may
# (:doc:`/psf`).

image = pellucid.read_image(work / "galaxy.fits")
print(image.bands, image.shape, image.unit)
print(f'{image.pixel_scale}" a pixel, psf: {image.psf}')

# %%
# Restore it
# ----------
#
# A restorer is told what to undo: here the blur that was added, in arcsec. ``psf=``
# says what a star looks like instead, and leaves it to the restorer how sharp the
# result can be.

restorer = pellucid.load_restorer("pellucid")
result = restorer(image, blur=1.8)
for fact in result.provenance["change"].split("; "):
    print(fact)

# %%
# Look at it
# ----------
#
# ``plot`` gives a matplotlib figure, for a paper. In a notebook ``result`` alone is a
# page to compare on; ``pellucid.write_view`` writes it to a file (:doc:`/view`).

result.plot(image, truth, band="r")

# %%
# Doubt it
# --------
#
# Blurred again, a restoration should be the image, to within its noise: χ² tells how
# far it is, and doubt marks where it is not, and where noise would hide the detail.
# That says that the result is possible, not that it is true.

for fact in result.provenance["trust"].split("; "):
    print(fact)
print("chi2 of each band:", *result.provenance["chi2"])

# %%
# The uncertainty says how far off each pixel may be. Here the truth is known, so it can
# be asked. Its own noise no restorer can know; the pixels to ask are those that stand
# well out of it, ten times a corner of the sky.

noise = np.std(truth.flux[:, :12, :12], axis=(1, 2), keepdims=True)
bright = truth.flux > 10 * noise
off = np.abs(result.image.flux - truth.flux)[bright]
for share, half in (("68 %", result.uncertainty), ("95 %", result.range_95)):
    held = np.mean(off <= half[bright])
    print(f"{share} of {off.size} pixels should be in their range; {held:.0%} are")

# %%
# Such a range is true of many galaxies together (:doc:`/reliability`). In one of them
# it may be too narrow all over: where the blur took the arms, a model draws a disk as
# smooth as disks are on the whole, and is surer of it than it should be.
# :doc:`/believe` has the numbers for discs and cores.

# %%
# Compare it
# ----------
#
# Richardson–Lucy knows no galaxies, so it invents none; it pays in noise. The same
# call, another name:

import matplotlib.pyplot as plt

from pellucid.display import to_rgb
from pellucid.evaluation.scores import score_pair

restorers = {
    "pellucid": restorer,
    "Richardson–Lucy": pellucid.load_restorer(method="richardson-lucy"),
}
scored = score_pair("106587", pair, restorers)
shown = {"blurred": pair.blurred}
for name, made in scored.restored.items():
    shown[f"{name}\n{scored.metrics[name]['psnr']:.1f} dB"] = made.image
shown["truth"] = truth
figure, panels = plt.subplots(1, len(shown), figsize=(9, 2.9), layout="constrained")
for panel, (title, sky) in zip(panels, shown.items(), strict=True):
    panel.imshow(to_rgb(sky))
    panel.set(title=title, xticks=[], yticks=[])

# %%
# One galaxy and one draw of the noise prove nothing; :doc:`/results/pellucid/README`
# has many. What counts for a single image is what both agree on, and what its residual
# allows: :doc:`/believe`.
#
# Write it
# --------
#
# The file holds the result with the unit, the coordinates and the cards of the input,
# and its uncertainty, its range, its doubt and its χ² beside it.

pellucid.write_image(result, work / "restored.fits")

from astropy.io import fits

with fits.open(work / "restored.fits") as file:
    print(*(f"{hdu.name} {hdu.shape}" for hdu in file), sep="\n")
