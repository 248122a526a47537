"""What the tests of the GalaxyGAN study share: a sample, and a preset that takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits

SCALE = 0.396
#: One cell on two folds: three jobs, one of them a network.
TINY = """\
name: tiny
fwhm: [1.8]
noise: [2]
folds: 2
gan_folds: 1
learning_curve: null
tuning_objects: 2
recipe:
  name: tiny
  network: {width: 2, levels: 3, norm: batch}
  stretch: {name: galaxygan, clip: false}
  size: 32
  batch: 2
  steps: 40
  average_decay: 0.5
  checkpoint_every: 2
  validate_every: 40
  validation_images: 1
  seed: 1
"""


@pytest.fixture(scope="session")
def galaxies(deep_field, tmp_path_factory) -> Path:
    """26 galaxies as the paper's authors laid them out, with a catalogue; folds 0 and 1 have two
    each, so that eight are left to train on."""
    folder = tmp_path_factory.mktemp("sample") / "galaxies"
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "BUNIT": "nanomaggy"})
    header.update({"CDELT1": -SCALE / 3600, "CDELT2": SCALE / 3600})
    rows = ["id,z"]
    for k in range(26):
        name = str(587722981736120347 + k)
        (folder / name).mkdir(parents=True)
        cut = deep_field.cutout(60 * (k % 13), 37 * k, 48, 48)
        for band, plane in zip("gri", cut.flux, strict=True):
            fits.PrimaryHDU(plane, header).writeto(folder / name / f"{name}-{band}.fits")
        rows.append(f"{name},0.015")
    (folder / "catalogue.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """The tiny preset's file."""
    path = tmp_path_factory.mktemp("preset") / "tiny.yaml"
    path.write_text(TINY)
    return path
