"""Real pairs: two cameras' images of one sky, the sharper one brought to the target."""

from __future__ import annotations

import numpy as np
import pytest
from two_skies import Light, spiral, write_euclid, write_field

from pellucid.metrics import measure
from pellucid.optics import convolve
from pellucid.stretch import NoiseStretch
from pellucid.studies.observed import euclid_sources, hsc_galaxies
from pellucid.studies.pellucid.real import measure_real, real_page


class Same:
    """A model that restores nothing."""

    name = "same"

    def __call__(self, image, blur=None, psf=None, target=None):
        from pellucid.restoration import Restoration

        return Restoration(image)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A Euclid field of two galaxies, and an HSC field of one beside its quasar."""
    folder = tmp_path_factory.mktemp("seen_twice")
    write_euclid(folder / "euclid_q1_pairs" / "field_nisp.fits")
    (folder / "hsc_hst_pairs").mkdir()
    lights = [*spiral(0.0, 0.0, 20.5, 0.3), Light(5.0, 5.0, 21.0)]
    write_field(folder / "hsc_hst_pairs" / "gal_1.fits", 150.1, 2.2, lights)
    return folder


@pytest.fixture(scope="module")
def observed(data, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    return [*euclid_sources(data, work), *hsc_galaxies(data, work)]


def test_the_sharp_image_is_at_the_target_and_blurred_gives_the_other(observed):
    assert {each.kind for each in observed} == {"NISP to VIS", "HSC i to HST F814W"}
    for each in observed:
        pair = each.pair
        again = convolve(pair.sharp.flux, pair.blur.for_bands(len(pair.sharp.flux)), "reflect")
        sky = np.median(pair.blurred.flux, axis=(1, 2), keepdims=True)
        # Both images' noise, and at the rim what a window does not know.
        inner = (slice(None), slice(20, -20), slice(20, -20))
        off = (again - np.median(again) - (pair.blurred.flux - sky))[inner]
        assert np.abs(off).mean() < 0.05 * pair.blurred.flux.max()
        assert np.corrcoef(again[inner].ravel(), pair.blurred.flux[inner].ravel())[0, 1] > 0.98


def test_a_euclid_field_gives_its_brightest_sources_in_nisps_bands(observed):
    euclid = [each for each in observed if each.kind == "NISP to VIS"]
    assert len(euclid) == 2
    for each in euclid:
        assert each.pair.blurred.bands == ("NIR_Y", "NIR_J", "NIR_H")
        middle = each.pair.sharp.flux[:, 44:52, 44:52].mean()
        assert middle > 10.0 * np.median(each.pair.sharp.flux)
        alike = measure(each.pair.sharp, each.pair.sharp, stretch=NoiseStretch(), metrics=["psnr"])
        assert alike["psnr"] > 100


def test_the_page_has_a_table_for_each_pair_of_cameras(observed):
    rows = measure_real(observed, Same())
    page = real_page(rows)
    assert "### NISP to VIS: 2 sources" in page
    assert "### HSC i to HST F814W" in page
    assert "seeinggan-hsc-hst" in page.split("HSC i to HST")[1]
    scores = {row["restorer"]: row["psnr"] for row in rows if row["kind"] == "NISP to VIS"}
    assert scores["same"] == scores["degraded"]
    assert scores["richardson-lucy"] > scores["degraded"]
