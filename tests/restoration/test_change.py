"""What a restoration says of itself: noise, resolution, and a PSF that does not fit."""

import re

import numpy as np
import pytest

from pellucid.cli import main
from pellucid.errors import InputError
from pellucid.fits import write_image
from pellucid.optics import convolve
from pellucid.restoration import ClassicalRestorer, Restoration
from pellucid.restoration.change import _widths, plain, with_change
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
        float(word.rstrip('",'))
        for word in np.array(told.provenance["change"].split())[[6, -1, -3]]
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


def test_a_bright_star_that_raises_the_noise_is_told_and_the_psf_is_not_blamed():
    faint = notes_of(stars((150.0,)), SEEING)
    bright = " ".join(notes_of(stars((1e7,)).cutout(0, 0, 64, 80), SEEING))
    assert not any("rose" in note for note in faint)
    assert re.search(r"rose to about \d+ times what it was: a source of \d+ sigma", bright)
    assert "mask it" in bright
    assert "even with the right PSF" in bright
    assert "broader" not in bright


def test_rings_of_a_psf_that_is_too_broad_are_its_own():
    notes = " ".join(notes_of(stars((3e5,)), 1.4 * SEEING))
    assert "lie around bright sources: the PSF is broader than theirs" in notes


def test_noise_that_is_smooth_is_named_where_it_rises():
    image = stars((300.0,))
    smooth = convolve(image.flux, gaussian_psf(1.2, SCALE).stamps)
    loud = [note for note in notes_of(image.with_flux(smooth), 4.0) if "rose to" in note]
    assert len(loud) == 1
    assert "resampled" in loud[0]


@pytest.mark.parametrize(
    ("number", "text"), [(118.3, "120"), (4.26, "4.3"), (0.773, "0.77"), (2.4e7, "24000000")]
)
def test_numbers_are_plain(number, text):
    assert plain(number) == text


def test_a_bright_source_that_tells_no_width_is_not_called_faint():
    """One that the frame cuts: its light is there, its width is not."""
    flux = np.random.default_rng(0).normal(0.0, 1.0, (1, 40, 40)).astype(np.float32)
    faint = SkyImage(flux.copy(), pixel_scale=0.4)
    flux[0, :, 0] += 3000.0
    cut = SkyImage(flux, pixel_scale=0.4)
    said = [with_change(i, Restoration(i)).provenance["change"] for i in (faint, cut)]
    assert said[0].endswith("no source is bright enough to tell the resolution")
    assert said[1].endswith("no bright source is whole and alone enough to tell the resolution")


def test_an_absurd_psf_is_refused(tmp_path, capsys):
    with pytest.raises(InputError, match="pixels wide"):
        ClassicalRestorer("wiener")(stars(), 100.0)
    source = write_image(stars(), tmp_path / "a.fits")
    words = ["--method", "wiener", "--psf", "100", "--output", str(tmp_path / "b.fits")]
    for more in ([], ["--force"]):
        assert main(["restore", str(source), *words, *more]) == 3
        err = capsys.readouterr().err
        assert '100" is 250 pixels wide' in err
        assert err.count("\n") == 1 + len(more)
    assert not (tmp_path / "b.fits").exists()


def test_a_psf_narrower_than_a_pixel_needs_force(tmp_path, capsys):
    flux = np.random.default_rng(0).normal(0.0, 1.0, (1, 40, 40)).astype(np.float32)
    source = write_image(SkyImage(flux, pixel_scale=0.4), tmp_path / "a.fits")
    for method in (
        ["--method", "wiener"],
        ["--method", "richardson-lucy"],
        ["--model", "pellucid"],
    ):
        words = ["restore", str(source), *method, "--psf", "0.2", "-o", str(tmp_path / "b.fits")]
        assert main(words) == 3
        err = capsys.readouterr().err
        assert f'{source}: a psf of 0.2" is 0.5 pixels wide, and no star' in err
        assert "--force insists" in err
        assert err.count("\n") == 1
    assert main([*words[:2], "--method", "wiener", *words[4:], "--force"]) == 0
    assert "no star is narrower than about one" in capsys.readouterr().err


@pytest.mark.parametrize("fwhm", [16.0, 40.0])
def test_a_psf_that_stars_or_the_frame_contradict_needs_force(tmp_path, capsys, fwhm):
    """Ten times as broad as the stars, and a third of the frame."""
    source = write_image(stars(), tmp_path / "a.fits")
    words = ["restore", source, "--method", "wiener", "--psf", fwhm, "-o", tmp_path / "b.fits"]
    words = [str(word) for word in words]
    assert main(words) == 3
    err = capsys.readouterr().err
    assert err.startswith(f'pellucid: {source}: a psf of {fwhm:g}" is {fwhm / SCALE:.0f}')
    assert "--force insists" in err
    assert err.count("\n") == 1
    assert main(["info", str(source), "--psf", str(fwhm)]) == 3
    assert main([*words, "--force"]) == 0


def test_a_result_that_is_broader_is_called_so():
    image = stars()
    broad = image.with_flux(convolve(image.flux, gaussian_psf(1.0, 0.4).stamps, "reflect"))
    for result, broader in ((broad, True), (image, False)):
        said = with_change(image, Restoration(result)).provenance["change"]
        assert said.endswith("it became broader, not sharper") == broader


def test_noise_on_a_broad_source_makes_it_no_narrower():
    """Half is taken of the highest pixel, which noise has made high."""
    y, x = np.indices((81, 81)) - 40.0
    light = 28.0 * np.exp(-4.0 * np.log(2.0) * (y**2 + x**2) / 6.5**2)
    found = []
    for seed in range(20):
        noisy = light + np.random.default_rng(seed).standard_normal(light.shape)
        pair = (noisy.astype(np.float32), light.astype(np.float32))
        found.append(_widths(*pair, [0.0, 0.0], 1.0))
    noisy, clean = np.mean(found, axis=0)
    assert clean == pytest.approx(6.5, rel=0.02)
    assert noisy == pytest.approx(6.5, rel=0.05)


@pytest.mark.parametrize("fwhm", [2.2, 3.0, 8.0])
def test_the_width_of_a_star_is_its_own(fwhm):
    y, x = np.indices((81, 81)) - 40.0
    star = 500.0 * np.exp(-4.0 * np.log(2.0) * ((y / 1.1) ** 2 + (x * 1.1) ** 2) / fwhm**2)
    before, after = _widths(star, star, [0.0, 0.0], 1.0)
    assert before == after == pytest.approx(fwhm, rel=0.04)


def test_a_refusal_stands_alone(tmp_path, capsys):
    """No model was taken that could not be asked."""
    source = write_image(SkyImage(stars().flux), tmp_path / "a.fits")
    assert main(["restore", str(source), "--psf", "1.6", "-o", str(tmp_path / "b.fits")]) == 3
    err = capsys.readouterr().err
    assert "was taken" not in err
    assert "no pixel scale" in err


def test_the_command_line_says_what_changed(tmp_path, capsys):
    source = write_image(stars(), tmp_path / "a.fits")
    words = ["--method", "wiener", "--psf", "1.6", "--output", str(tmp_path / "b.fits")]
    assert main(["restore", str(source), *words]) == 0
    said = capsys.readouterr().err
    assert "the noise of the sky is" in said
    assert "; the sharpest bright source has a FWHM of" in said
