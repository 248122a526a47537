"""``restore --samples N``: skies that all explain the image stand beside their mean."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from pellucid.cli import main

SHAPE = (40, 44)
WORDS = ("--psf", "1.2", "--pixel-scale", "0.4", "--samples", "2")


@pytest.fixture
def given(tmp_path):
    y, x = np.indices(SHAPE)
    rng = np.random.default_rng(3)
    flux = 60 * np.exp(-((y - 20) ** 2 + (x - 24) ** 2) / 9) + rng.normal(0.0, 1.0, (2, *SHAPE))
    flux[0, :12] = np.nan
    path = tmp_path / "in.fits"
    fits.PrimaryHDU(flux.astype("f4")).writeto(path)
    return path


def restored(given, name, *words) -> fits.HDUList:
    output = given.with_name(name)
    assert main(["restore", str(given), *WORDS, *words, "--output", str(output)]) == 0
    with fits.open(output, memmap=False) as hdus:
        return fits.HDUList([hdu.copy() for hdu in hdus])


def test_they_stand_beside_the_mean_and_differ_by_what_is_not_known(given):
    hdus, again = restored(given, "a.fits"), restored(given, "b.fits")
    mean, width = hdus[0].data, hdus["UNCERT"].data
    samples = np.stack([hdus[f"SAMPLE{k}"].data for k in (1, 2)])
    assert "SAMPLE3" not in hdus
    good = np.isfinite(width)
    assert np.isfinite(samples[:, good]).all()
    seen = good & (mean > 0.5)  # in the sky, where less than a hundredth of the noise is not known
    off = (samples[0] - samples[1])[seen] / width[seen]
    # Of two draws of one distribution the difference is √2 wide.
    assert 0.8 < np.diff(np.quantile(off, (0.16, 0.84)))[0] / 2.0 < 2.2
    assert samples[0, 1].sum() == pytest.approx(mean[1].sum(), rel=1e-3)
    np.testing.assert_array_equal(again["SAMPLE2"].data, samples[1])


def test_the_file_says_what_drew_them(given):
    history = " ".join(restored(given, "a.fits")[0].header["HISTORY"]).replace(" ", "")
    assert "samplesdrawnbypellucid-sampler,sha256" in history


def test_a_psf_that_is_not_the_images_leaves_them_finite(given):
    hdus = restored(given, "a.fits", "--psf", "3.0", "--force")
    good = np.isfinite(hdus["UNCERT"].data)
    sample = hdus["SAMPLE1"].data
    assert np.isfinite(sample[good]).all()
    assert np.abs(sample[good]).max() < 100 * 60


@pytest.mark.parametrize("words", [("--method", "wiener"), ("--model", "galaxygan-sdss")])
def test_what_has_one_answer_draws_none(given, capsys, words):
    output = given.with_name("none.fits")
    fits.writeto(given, fits.getdata(given)[1], overwrite=True)
    code = main(["restore", str(given), *WORDS, *words, "--force", "--output", str(output)])
    assert code == 2
    assert "has one answer" in capsys.readouterr().err
    assert not output.exists()
