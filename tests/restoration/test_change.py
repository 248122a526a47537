"""What a restoration says of itself: noise, resolution, and a PSF that does not fit."""

import numpy as np
import pytest

from pellucid.cli import main
from pellucid.errors import InputError
from pellucid.fits import write_image
from pellucid.optics import convolve
from pellucid.restoration import ClassicalRestorer, Restoration
from pellucid.restoration.change import with_change
from pellucid.restoration.result import restoration_history
from pellucid.sky import SkyImage, gaussian_psf

SCALE, SEEING = 0.4, 1.6


def stars(fluxes: tuple[float, ...] = (3e3, 2e3, 4e3), fwhm: float = SEEING) -> SkyImage:
    sharp = np.zeros((1, 160, 180), dtype=np.float32)
    for k, flux in enumerate(fluxes):
        sharp[0, 30 + 40 * k, 40 + 45 * k] = flux
    blurred = convolve(sharp, gaussian_psf(fwhm, SCALE).stamps)
    noise = np.random.default_rng(4).standard_normal(sharp.shape, dtype=np.float32)
    return SkyImage(blurred + noise, pixel_scale=SCALE)


def notes_of(image: SkyImage, fwhm: float, method: str = "wiener") -> list[str]:
    return ClassicalRestorer(method)(image, fwhm).provenance["notes"]


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
def test_noise_and_resolution_are_told_in_any_unit(factor):
    image = stars()
    image = image.with_flux(image.flux * np.float32(factor))
    sharper = stars(fwhm=1.2).flux * np.float32(factor)
    noise = np.random.default_rng(5).standard_normal(sharper.shape, dtype=np.float32)
    loud = sharper + np.float32(factor * np.sqrt(3.0)) * noise
    told = with_change(image, Restoration(image.with_flux(loud)))
    noise, was, width = (
        float(word.rstrip('"')) for word in np.array(told.provenance["change"].split())[[6, -1, -5]]
    )
    assert noise == pytest.approx(2.0, rel=0.1)
    assert was == pytest.approx(1.6, rel=0.06)
    assert width == pytest.approx(1.2, rel=0.08)
    assert told.provenance["change"] in restoration_history(told)


def test_without_a_bright_source_the_resolution_is_not_told():
    image = stars(())
    assert "no source" in with_change(image, Restoration(image)).provenance["change"]


def test_a_psf_that_fits_is_not_complained_of():
    for method in ("wiener", "tikhonov", "richardson-lucy"):
        notes = notes_of(stars(), SEEING, method)
        assert not any("broader than sources" in note for note in notes)


@pytest.mark.parametrize("method", ["wiener", "tikhonov", "richardson-lucy", "blind"])
def test_a_psf_that_is_too_broad_is_told(method):
    assert any("broader than sources" in note for note in notes_of(stars(), 2.0 * SEEING, method))


def test_a_bright_star_that_raises_the_noise_is_told():
    faint = notes_of(stars((150.0,)), SEEING)
    bright = notes_of(stars((1e6,)), SEEING)
    assert not any("rose" in note for note in faint)
    assert any("the noise of the sky rose" in note and "mask it" in note for note in bright)


def test_an_absurd_psf_is_refused(tmp_path, capsys):
    with pytest.raises(InputError, match="pixels wide"):
        ClassicalRestorer("wiener")(stars(), 100.0)
    source = write_image(stars(), tmp_path / "a.fits")
    words = ["--method", "wiener", "--psf", "100", "--output", str(tmp_path / "b.fits")]
    assert main(["restore", str(source), *words]) == 3
    assert 'a.fits: a FWHM of 100" is 250 pixels wide' in capsys.readouterr().err
    assert not (tmp_path / "b.fits").exists()


def test_the_command_line_says_what_changed(tmp_path, capsys):
    source = write_image(stars(), tmp_path / "a.fits")
    words = ["--method", "wiener", "--psf", "1.6", "--output", str(tmp_path / "b.fits")]
    assert main(["restore", str(source), *words]) == 0
    said = capsys.readouterr().err
    assert "the noise of the sky is" in said
    assert "FWHM of the sharpest bright source" in said
