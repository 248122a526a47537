"""The page as a file: whole, closed to the outside, small, and text where text is meant."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import FK5, Galactic
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import skycoord_to_pixel
from scipy.ndimage import gaussian_filter

import pellucid.view
from pellucid.cli import main
from pellucid.errors import InputError
from pellucid.restoration import pieces
from pellucid.restoration.files import read_image
from pellucid.sky import SkyImage, gaussian_psf
from pellucid.view import COARSE, Subject, page, reduced, subject_of_file, told, with_given
from pellucid.view.again import residual_of
from pellucid.view.assemble import SCRIPTS
from pellucid.view.planes import decoded
from pellucid.view.reduced_images import LARGEST

NASTY = "</script><script>alert(1)</script> & \"'<img src=x onerror=alert(2)> \u202eabc\u2028 ★"


class Tags(HTMLParser):
    """The elements of a page, and what its data hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.data: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][1].get("type") == "application/json":
            self.data.append(data)


def subjects_in(text: str) -> list[dict]:
    return [json.loads(each) for each in Tags(text).data if '"layers"' in each]


def layer(subject: dict, key: str) -> dict:
    return next(each for each in subject["layers"] if each["key"] == key)


def made_subject(side: int, name: str = "made", seed: int = 0) -> Subject:
    """A subject with all planes, three bands of noise with a galaxy."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2
    light = 60 * np.exp(-np.hypot(x, y / 1.4) / (side / 14))
    smooth = np.stack([light * (1 + 0.2 * k) for k in range(3)])
    noise = rng.normal(0, 1, smooth.shape)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [150.0, 2.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [side / 2, side / 2], [-1e-4, 1e-4]
    given = SkyImage(smooth + noise, bands=("g", "r", "i"), unit="nanomaggy", wcs=wcs)
    left = gaussian_filter(rng.normal(0, 1, smooth.shape), (0, 1.5, 1.5))  # as a network leaves it
    image = given.with_flux(smooth + left)
    sigma = np.sqrt(0.02 + 0.01 * np.abs(smooth)) * (1 + left)
    doubt = np.where(rng.random((side // 8, side // 8)) > 0.9, 0.7, 0.0).repeat(8, 0).repeat(8, 1)
    doubt = np.broadcast_to(doubt, smooth.shape)
    subject = Subject(name, image, beside={"UNCERT": sigma, "RANGE95": 2.2 * sigma, "DOUBT": doubt})
    star = gaussian_psf(1.2, 0.36)
    return replace(subject, given=given, residual=noise, psfs=[("A star before", star)])


def test_what_a_name_or_a_header_holds_is_text(restored_pair, tmp_path):
    subject = subject_of_file(restored_pair[1])
    nasty = replace(subject, name=NASTY, notes=[NASTY], facts=[(NASTY, NASTY)])
    text = page([told(nasty)], NASTY)
    tags = Tags(text)
    assert [tag for tag, _ in tags.tags if tag == "script"] == ["script"] * 3
    assert not [tag for tag, _ in tags.tags if tag == "img"]
    (found,) = subjects_in(text)
    assert found["name"] == NASTY
    assert found["notes"] == [NASTY]


def test_the_page_names_nothing_outside_of_itself(restored_pair):
    text = page([told(subject_of_file(restored_pair[1]))], "seen")
    tags = Tags(text).tags
    assert not [tag for tag, attrs in tags if "src" in attrs or "href" in attrs]
    assert not re.findall(r"https?://|@import|url\(", text)
    policy = next(a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("sha256-") == 2
    assert not [
        attrs for _, attrs in tags if any(k == "style" or k.startswith("on") for k in attrs)
    ]


def test_a_restoration_brings_its_input_and_all_that_is_known_of_it(restored_pair):
    given, restored = restored_pair
    subject = told(subject_of_file(restored))
    assert [each["key"] for each in subject["layers"]] == [
        *("input", "restored", "again", "uncertainty", "range95", "doubt")
    ]
    image, before = read_image(restored), read_image(given)
    for key, cube in (("input", before.flux), ("restored", image.flux)):
        for plane, own in zip(layer(subject, key)["planes"], cube, strict=True):
            assert np.abs(decoded(plane) - own).max() < 0.5 / 16
    with fits.open(restored) as hdus:
        sigma = [hdu.data for hdu in hdus if hdu.name == "UNCERT"]
    for plane, own in zip(layer(subject, "uncertainty")["planes"], sigma, strict=True):
        assert np.abs(decoded(plane) / own - 1).max() < 0.01
    assert [label for label, _ in subject_of_file(restored).psfs] == [
        "A star before",
        "A star after",
    ]
    assert dict(subject["facts"])["Restored by"].startswith("pellucid")
    assert "doubt" in subject["numbers"]


def test_the_residual_is_the_input_less_the_restoration_blurred_again(deconvolved):
    """Of a Wiener filter it is small beside the light, and like the noise in the sky."""
    subject = told(subject_of_file(deconvolved))
    given = decoded(layer(subject, "input")["planes"][0])
    left = given - decoded(layer(subject, "again")["planes"][0])
    assert np.abs(left).max() < 0.15 * given.max()
    assert 0.1 < left[:10].std() / given[:10].std() < 1.5


def test_a_kernel_that_is_known_leaves_nothing_of_an_image_that_it_made():
    from pellucid.optics import convolve

    sharp = SkyImage(made_subject(64).image.flux, bands=("g", "r", "i"), pixel_scale=0.4)
    kernel = gaussian_psf(1.5, 0.4)
    given = sharp.with_flux(convolve(sharp.flux, kernel.for_bands(3), "reflect"))
    subject = with_given(Subject("x", sharp), given, kernel, None)
    assert subject.residual is not None
    np.testing.assert_allclose(subject.residual, 0, atol=2e-4)


def test_an_input_that_is_gone_is_missed_in_one_sentence(make_input, tmp_path):
    from pellucid.cli import main

    given = make_input(tmp_path, "here.fits", bands="r")
    output = tmp_path / "out.fits"
    words = ["--method", "wiener", "--psf", "1.4", "--output", str(output)]
    assert main(["restore", str(given), *words]) == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    given.rename(elsewhere / "here.fits")
    subject = subject_of_file(output)
    assert subject.given is None
    assert "here.fits was not found; --input names it" in subject.notes[-1]
    for place in (elsewhere, elsewhere / "here.fits"):
        assert subject_of_file(output, [place]).given is not None


def test_a_fits_file_that_is_no_restoration_is_shown_as_it_is(restored_pair):
    subject = subject_of_file(restored_pair[0])
    assert not subject.restored
    assert "no restoration" in subject.notes[-1]
    assert [each["label"] for each in told(subject)["layers"]] == ["Image"]


def test_planes_without_data_and_constant_ones_are_pages_too():
    flux = np.stack([np.full((20, 24), np.nan), np.full((20, 24), 3.0)])
    subject = told(Subject("odd", SkyImage(flux), restored=False))
    assert np.isnan(decoded(layer(subject, "restored")["planes"][0])).all()
    assert (decoded(layer(subject, "restored")["planes"][1]) == 3).all()
    page([subject], "odd")


@pytest.mark.parametrize("unit", ["nanomaggy", "MJy/sr"])
def test_a_large_image_is_shown_reduced_and_says_so(unit):
    side = int(np.sqrt(LARGEST)) + 40
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [10, 5], [300, 900]
    wcs.wcs.cdelt = [-1e-4, 1e-4]
    flux = np.ones((side, side), np.float32)
    image = SkyImage(flux, unit=unit, wcs=wcs)
    shown = reduced(Subject("large", image, beside={"UNCERT": flux[None]}))
    assert shown.reduced == 2
    assert shown.notes[-1] == "shown reduced: 2 × 2 pixels are one here"
    assert shown.image.flux.max() == (4 if unit == "nanomaggy" else 1)
    assert shown.image.shape == (1, side // 2, side // 2)
    there = shown.image.wcs.all_pix2world([[7, 9]], 0)
    np.testing.assert_allclose(there, wcs.all_pix2world([[14.5, 18.5]], 0), atol=1e-9)


def test_a_truth_lies_where_its_own_coordinates_say(restored_pair):
    _, restored = restored_pair
    plain = subject_of_file(restored)
    assert plain.image.wcs is not None
    turned = SkyImage(plain.image.flux[0][::-1, ::-1], unit="nanomaggy", wcs=_turned(plain.image))
    subject = told(replace(plain, truth=turned))
    a, b, c, d, e, f = layer(subject, "truth")["to"]
    _, height, width = plain.image.shape
    np.testing.assert_allclose([a, b, c], [-1, 0, width - 1], atol=1e-5)
    np.testing.assert_allclose([d, e, f], [0, -1, height - 1], atol=1e-5)


@pytest.mark.parametrize(
    ("ctype", "frame"),
    [
        (("GLON-TAN", "GLAT-TAN"), Galactic()),
        (("RA---TAN", "DEC--TAN"), FK5(equinox="B1950")),
    ],
)
def test_a_truth_in_another_frame_lies_on_the_same_sky(restored_pair, ctype, frame):
    _, restored = restored_pair
    plain = subject_of_file(restored)
    _, height, width = plain.image.shape
    middle = plain.image.wcs.pixel_to_world((width - 1) / 2, (height - 1) / 2).transform_to(frame)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ctype
    if ctype[0].startswith("RA"):
        wcs.wcs.radesys, wcs.wcs.equinox = "FK5", 1950.0
    wcs.wcs.crval = [middle.spherical.lon.deg, middle.spherical.lat.deg]
    wcs.wcs.crpix, wcs.wcs.cdelt = [11, 21], [-5e-5, 5e-5]
    truth = SkyImage(np.zeros((40, 60)), unit="nanomaggy", wcs=wcs)
    a, b, c, d, e, f = layer(told(replace(plain, truth=truth)), "truth")["to"]
    for x, y in ((0, 0), (width - 1, 0), (0, height - 1)):
        there = skycoord_to_pixel(plain.image.wcs.pixel_to_world(x, y), wcs)
        np.testing.assert_allclose([a * x + b * y + c, d * x + e * y + f], there, atol=0.01)


def test_samples_are_skies_of_their_own_but_not_in_a_gallery():
    made = made_subject(32)
    skies = {f"SAMPLE{k}": made.image.flux + k for k in range(1, 7)}
    made = replace(made, beside={**made.beside, **skies})
    few = told(made)
    assert [each["key"] for each in few["layers"]][-4:] == [f"sample{k}" for k in range(1, 5)]
    drawn = layer(few, "sample2")
    assert drawn["label"] == "Sample 2"
    for plane, own in zip(drawn["planes"], skies["SAMPLE2"], strict=True):
        np.testing.assert_allclose(decoded(plane), own, rtol=1e-3, atol=0.1)
    many = [each["key"] for each in told(made, COARSE)["layers"]]
    assert many == ["input", "restored", "again", "uncertainty", "doubt"]


HST = (("HSC_I", 1.0), ("HST_F814W", 7.0))


def _turned(image: SkyImage) -> WCS:
    assert image.wcs is not None
    wcs = image.wcs.deepcopy()
    _, height, width = image.shape
    x, y = wcs.wcs.crpix
    wcs.wcs.crpix = [width + 1 - x, height + 1 - y]
    wcs.wcs.pc = -wcs.wcs.pc
    return wcs


def test_a_truth_of_other_bands_is_refused(restored_pair, make_input, tmp_path):
    truth = make_input(tmp_path, "two.fits", bands="zy")
    with pytest.raises(InputError, match=r"two.fits: has the bands Z, Y; the image has G, R, I"):
        subject_of_file(restored_pair[1], truth=truth)


def test_a_truth_is_an_extension_of_a_file(restored_pair, tmp_path):
    """As where a file holds both telescopes' images of an object."""
    first = subject_of_file(restored_pair[0])
    noise = np.random.default_rng(1).normal(size=first.image.shape[1:]).astype("f4")
    planes = [fits.ImageHDU(noise + np.float32(sky), name=name) for name, sky in HST]
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(tmp_path / "both.fits")
    page = tmp_path / "page.html"
    words = ["view", restored_pair[0], "--truth", tmp_path / "both.fits", "--output", page]
    words += ["--truth-hdu"]
    assert main([*map(str, words), "HST_F814W"]) == 0
    subject = subject_of_file(restored_pair[0], truth=tmp_path / "both.fits", truth_hdu="HST_F814W")
    assert subject.truth is not None
    np.testing.assert_array_equal(subject.truth.flux[0], noise + np.float32(7.0))
    assert main([*map(str, words), "HST_F606W", "--overwrite"]) == 3


def test_a_truth_that_lies_nowhere_is_refused(restored_pair, tmp_path):
    """As the stamp of a PSF, which was stretched over the image."""
    stamp = fits.ImageHDU(gaussian_psf(1.2, 0.4).stamps[0], name="HST_PSF")
    fits.HDUList([fits.PrimaryHDU(), stamp]).writeto(tmp_path / "psf.fits")
    with pytest.raises(InputError, match=r"psf.fits\[1\]: its .* pixels are not the image's"):
        subject_of_file(restored_pair[0], truth=tmp_path / "psf.fits", truth_hdu=1)


def test_a_page_of_512_pixels_in_three_bands_is_below_4_mb():
    assert len(page([told(made_subject(512))], "one").encode()) < 4e6


def test_a_page_of_300_galaxies_of_112_pixels_is_below_25_mb():
    several = [told(made_subject(112, f"galaxy {k}", k), COARSE) for k in range(3)]
    each = (len(page(several, "many")) - len(page(several[:1], "one"))) / 2
    assert len(page(several[:1], "one")) + 299 * each < 25e6


def test_scripts_and_styles_are_in_the_package():
    folder = Path(pellucid.view.__file__).parent
    for name in (*SCRIPTS, "page.html", "page.css"):
        assert (folder / name).is_file()
        assert "innerHTML" not in (folder / name).read_text(encoding="utf-8")
    assert {file.name for file in folder.glob("*.js")} == set(SCRIPTS)


def test_an_image_that_is_never_in_memory_is_shown_as_one_that_is(restored_pair, monkeypatch):
    _, restored = restored_pair
    monkeypatch.setattr(pellucid.view.reduced_images, "LARGEST", 4000)
    whole = subject_of_file(restored)
    monkeypatch.setattr(pieces, "LARGE", 1000)
    windows = subject_of_file(restored)
    assert windows.reduced == whole.reduced > 1
    assert windows.facts == whole.facts
    assert set(windows.beside) == set(whole.beside) == {"UNCERT", "RANGE95", "DOUBT"}
    for key, cube in whole.beside.items():
        np.testing.assert_allclose(windows.beside[key], cube, rtol=1e-6)
    for ours, theirs in ((windows.image, whole.image), (windows.given, whole.given)):
        assert ours is not None
        assert theirs is not None
        np.testing.assert_allclose(ours.flux, theirs.flux, rtol=1e-5, atol=1e-5)
    assert any("no residual" in note for note in windows.notes)
    said = f"shown reduced: {whole.reduced} × {whole.reduced} pixels are one here"
    assert said in windows.notes
    assert said in whole.notes
    assert any("shown reduced" in note for note in subject_of_file(restored_pair[0]).notes)
    page([told(windows)], "large")


def test_the_flux_of_another_band_leaves_no_residual(restored_pair):
    """A difference of it from the image would be all of the galaxy."""
    given, restored = map(read_image, restored_pair)
    blur = gaussian_psf(2.0 * restored.pixel_scale, restored.pixel_scale)
    left, note = residual_of(given, restored, blur)
    assert left is not None
    assert note == ""
    dimmer = restored.with_flux(0.3 * restored.flux)
    left, note = residual_of(given, dimmer, blur)
    assert left is None
    assert "flux of another band" in note
