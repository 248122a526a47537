"""
Train a model of your own
=========================

Sharp images of the sky become pairs, pairs train a network, and the network is compared
with deconvolution on what it never saw. Here all of it takes seconds and a handful of
galaxies, so the result is of no use for science; the steps are those of a training that
is (:doc:`/training`).
"""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import pellucid

# sphinx_gallery_thumbnail_number = 2
work = Path(tempfile.mkdtemp())


def run(command):
    arguments = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(
        arguments, cwd=work, capture_output=True, text=True, check=True
    )
    print(f"$ {command}\n{done.stderr}{done.stdout}")


# %%
# A folder of sharp images
# ------------------------
#
# Whatever telescope is sharper than the one whose images are to be restored; or the
# same one, on its best nights. Here it is the Hubble Extreme Deep Field of
# scikit-image, cut into squares; its upper part is kept for the end.

from skimage.data import hubble_deep_field

picture = hubble_deep_field()[::-1]
dark = np.median(picture, axis=(0, 1))
field = pellucid.SkyImage(
    np.moveaxis(picture - dark, -1, 0),
    bands=("r", "v", "b"),
    unit="adu",
    pixel_scale=0.2,
)
side = 64
(work / "sharp").mkdir()
for y in range(0, 11 * side, side):
    for x in range(0, 15 * side, side):
        file = work / "sharp" / f"xdf-{y}-{x}.fits"
        pellucid.write_image(field.cutout(y, x, side, side), file)

# %%
# Pairs
# -----
#
# ``--degrade`` says what the telescope does to them: a Gaussian of 0.8″, and noise of
# four times the image's own. The blurred partner is made when it is asked for, so one
# store has as many draws of the noise as a training takes.

run('pellucid pairs --sharp sharp --degrade "fwhm=0.8 noise=4" --output pairs.h5')

# %%
# A recipe
# --------
#
# A small GalaxyGAN. It is told what Wiener's filter makes of the image, and adds to
# that what the filter missed.

(work / "recipe.yaml").write_text("""\
name: tutorial
description: too small to be of use
model: galaxygan
network: {width: 8, levels: 4, norm: batch, inputs: [image, wiener], residual: true}
stretch: {name: noise, high: 1000}
size: 48
batch: 4
steps: 60
pixel_weight: 3000
average_decay: 0.9
checkpoint_every: 60
validate_every: 20
validation_images: 6
seed: 1
""")

# %%
# Train
# -----
#
# One object in ten is held back, and the restorer that ships is scored on these as the
# training goes on.

run("pellucid train recipe.yaml --data pairs.h5 --output run")

# %%
# The log has it step by step.

import json

import matplotlib.pyplot as plt

log = [
    json.loads(line) for line in (work / "run" / "log.jsonl").read_text().splitlines()
]
scored = [line for line in log if "psnr" in line]
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
steps, psnr = zip(*((line["step"], line["psnr"]) for line in scored), strict=True)
axes.plot(steps, psnr, "o-", label="restored")
axes.axhline(scored[0]["psnr_blurred"], color="0.5", linestyle="--", label="blurred")
axes.set(xlabel="step", ylabel="PSNR of the held-back, dB")
axes.legend(loc="center right")

# %%
# Compare
# -------
#
# ``evaluate`` scores what was held back. Look at more than one column: a network that
# leads in PSNR, which is taken after a stretch that favours the faint, may lose in
# flux, in size or in linear light, and deconvolution asks for no training.

run("pellucid evaluate --data pairs.h5 --model run --method wiener")

# %%
# Use it
# ------
#
# The bundle is one file, and a name like any other: ``pellucid restore image.fits
# --model run/bundle.onnx --output restored.fits``, or from Python:

restorer = pellucid.load_restorer(work / "run" / "bundle.onnx")
sharp = field.cutout(774, 453, side, side)
pair = pellucid.Degradation(fwhm=0.8, noise=4)(sharp, np.random.default_rng(0))
result = restorer(pair.blurred, blur=pair.blur)
result.plot(pair.blurred, sharp, band="v")

# %%
# A training that is of use takes thousands of objects and hours to days:
# :doc:`/training` tells what to change first, and how pairs are made where two
# telescopes saw the same sky.
