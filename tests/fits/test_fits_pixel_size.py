"""Pixels that are no squares, and cards that contradict each other in how large they are."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fits_files import noise, refused, save, sky_header

from pellucid.cli import main
from pellucid.fits import read_image

STEP = 0.4 / 3600


def pixels(tmp_path, **cards):
    path = tmp_path / "a.fits"
    return save(path, fits.PrimaryHDU(noise(24, 30), sky_header(**cards)), overwrite=True)


@pytest.mark.parametrize(
    "cards",
    [
        {"CDELT2": 1.1 * STEP},
        {"CDELT1": -STEP / 1.1},
        {"CD1_1": -STEP, "CD2_2": STEP, "CD1_2": 0.1 * STEP, "CD2_1": 0.0},
    ],
)
def test_a_note_tells_of_pixels_that_are_no_squares(tmp_path, cards):
    path = pixels(tmp_path, **cards)
    image = read_image(path)
    (note,) = image.notes
    matrix = WCS(fits.getheader(path)).pixel_scale_matrix
    assert image.pixel_scale == pytest.approx(3600 * np.sqrt(abs(np.linalg.det(matrix))))
    assert "no squares" in note
    for side in np.linalg.svd(matrix, compute_uv=False):
        assert f'{3600 * side:.4g}"' in note
    assert not read_image(pixels(tmp_path, CDELT2=1.005 * STEP)).notes


def test_pixels_twice_as_long_as_broad_are_refused_unless_a_size_is_stated(tmp_path, capsys):
    path = pixels(tmp_path, CDELT2=2 * STEP)
    refused(path, match=r'0\.8" × 0\.4".*reproject')
    image = read_image(path, pixel_scale=0.4)
    assert image.pixel_scale == 0.4
    assert len(image.notes) == 2
    assert main(["info", str(path)]) == 3
    assert "no squares" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cards", "size"),
    [
        ({"SECPIX1": 1.0, "SECPIX2": 1.0}, 1.0),
        ({"SECPIX1": -1.0, "SECPIX2": 1.1}, 1.1**0.5),
        ({"PIXSCAL1": 1.1, "PIXSCAL2": 1.0}, 1.1**0.5),
        ({"XPIXSZ": 2.9, "YPIXSZ": 2.9, "FOCALLEN": 250.0}, 2.3927),
        ({"XPIXSZ": 2.9, "YPIXSZ": 3.19, "FOCALLEN": 250.0}, 2.3927 * 1.1**0.5),
    ],
)
def test_cards_of_both_sides_count(tmp_path, cards, size):
    path = save(tmp_path / "a.fits", fits.PrimaryHDU(noise(24, 30), fits.Header(cards)))
    image = read_image(path)
    assert image.pixel_scale == pytest.approx(size, rel=1e-4)
    alike = len({abs(value) for key, value in cards.items() if key != "FOCALLEN"}) == 1
    assert any("no squares" in note for note in image.notes) != alike


TURNED = {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8}
UPRIGHT = {"CD1_1": -STEP, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": STEP}
ALIKE = {"CD1_1": -0.8 * STEP, "CD1_2": 0.6 * STEP, "CD2_1": 0.6 * STEP, "CD2_2": 0.8 * STEP}


@pytest.mark.parametrize(
    ("cards", "told"),
    [({**UPRIGHT, **TURNED}, True), ({**ALIKE, **TURNED}, False), (UPRIGHT, False)],
)
def test_cards_that_contradict_each_other_are_read_as_astropy_does_with_a_note(
    tmp_path, cards, told
):
    path = pixels(tmp_path, **cards)
    image = read_image(path)
    assert any("contradict" in note for note in image.notes) == told
    assert image.wcs is not None
    ours, its = (w.pixel_to_world(25, 3) for w in (image.wcs, WCS(fits.getheader(path))))
    assert ours.separation(its).arcsec < 1e-6
