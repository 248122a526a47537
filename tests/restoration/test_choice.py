"""Which model is taken for an image, and what is far from what a model was trained for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from astropy.io.fits import Header

import pellucid
from pellucid.errors import InputError
from pellucid.networks import bundle
from pellucid.restoration import NeuralRestorer, choice
from pellucid.restoration.choice import fitting_model
from pellucid.restoration.suited import channels_of
from pellucid.sky import PSF, gaussian_psf
from pellucid.sky.image import SkyImage


def others():
    """What ships beside the model that takes any image."""
    return {name: path for name, path in bundle.shipped().items() if name != choice.ANY}


@pytest.fixture
def seen(galaxy) -> Callable[..., SkyImage]:
    """The galaxy as an image of these bands, pixels and cards."""

    def image(bands: str, scale: float | None, psf: PSF | None = None, **cards: object) -> SkyImage:
        names = tuple(bands.split(","))
        flux = np.repeat(galaxy.flux, 2, axis=0)[: len(names)]
        return SkyImage(flux, names, pixel_scale=scale, header=Header(cards), psf=psf)

    return image


@pytest.mark.parametrize(
    ("bands", "scale", "cards", "model"),
    [
        ("g,r,i", 0.396, {}, "galaxygan-sdss"),
        ("SDSS_i,SDSS_g,SDSS_r", 0.396, {}, "galaxygan-sdss"),
        ("z", 0.396, {}, "galaxygan-sdss"),  # one alone, whichever it is
        ("HSC_I", 0.168, {}, "seeinggan-hsc-hst"),
        ("HSC-I2", 0.168, {}, "seeinggan-hsc-hst"),
        ("i", 0.1, {"INSTRUME": "Hyper Suprime-Cam"}, "seeinggan-hsc-hst"),
    ],
)
def test_telescope_bands_and_pixels_choose(seen, bands, scale, cards, model):
    name, reason = fitting_model(seen(bands, scale, **cards))
    assert name == model
    assert "no psf is known" in reason


@pytest.mark.parametrize(
    ("bands", "scale", "words"),
    [
        ("g,r,z", 0.262, r'bands g,r,z in pixels of 0\.262"'),
        ("HSC_Z", 0.168, "HSC_Z"),
        ("i", 0.1, "in pixels of 0.1"),
        ("u,g,r,i,z", 0.396, "nearest: galaxygan-sdss, for g,r,i"),
        ("g,r,i", 0.2, "nearest: galaxygan-sdss, for g,r,i"),
        ("r", None, "--pixel-scale states it"),
    ],
)
def test_where_none_fits_the_nearest_and_what_would_help_are_named(seen, bands, scale, words):
    with pytest.raises(InputError, match=words) as said:
        fitting_model(seen(bands, scale))
    assert "--method wiener" in str(said.value) or scale is None
    assert "\n" not in str(said.value)


def test_a_psf_that_an_image_brings_counts_as_known(seen, monkeypatch):
    stamp = gaussian_psf(0.9, 0.262)
    told = seen("g,r,z", 0.262, stamp), seen("g,r,z", 0.262, SEEING=1.1)
    for image in told:
        assert fitting_model(image)[0] == choice.ANY
    with monkeypatch.context() as without:
        without.setattr(choice, "shipped", others)
        for image in told:
            with pytest.raises(InputError, match="--method wiener or richardson-lucy undoes"):
                fitting_model(image)
    unknown = seen("g,r,z", 0.262)
    assert fitting_model(unknown, psf=1.2)[0] == choice.ANY
    assert fitting_model(unknown, blur=stamp)[0] == choice.ANY
    with pytest.raises(InputError, match="for model pellucid or --method"):
        fitting_model(unknown)
    assert fitting_model(seen("g,r,i", 0.396))[0] == "galaxygan-sdss"


def test_a_model_is_not_taken_for_a_psf_far_from_its_training(seen, monkeypatch):
    monkeypatch.setattr(choice, "shipped", others)
    assert fitting_model(seen("r", 0.396), psf=2.0)[0] == "galaxygan-sdss"
    with pytest.raises(InputError, match="no shipped model fits"):
        fitting_model(seen("r", 0.396), psf=0.8)


def star_field(fwhm: float, scale: float = 0.396) -> SkyImage:
    """Stars of a FWHM in arcsec, with SDSS's header."""
    stamp = gaussian_psf(fwhm, scale).stamps[0]
    flux = np.random.default_rng(1).normal(0.0, 1.0, (200, 220)).astype(np.float32)
    for y in range(30, 190, 40):
        for x in range(30, 200, 40):
            half = stamp.shape[0] // 2
            flux[y - half : y + half + 1, x - half : x + half + 1] += 4000 * stamp
    return SkyImage(flux, ("r",), pixel_scale=scale, header=Header({"TELESCOP": "2.5m"}))


@pytest.mark.parametrize(
    ("fwhm", "words"),
    [
        (1.3, r'its stars have 1\.[34].", those of the training 2\.2"; --psf stars'),
        (2.2, r'\(its stars have 2\.[23]."\)$'),
    ],
)
def test_the_width_of_the_stars_is_told_with_the_choice(fwhm, words):
    name, reason = fitting_model(star_field(fwhm))
    assert name == "galaxygan-sdss"
    assert re.search(words, reason)


def test_a_model_is_not_taken_for_stars_far_sharper_than_its_training_s():
    sharp = star_field(0.85)
    with pytest.raises(InputError, match=r"model galaxygan-sdss was trained on stars of 2\.2"):
        fitting_model(sharp)
    with pytest.raises(InputError, match=r"--psf stars states .* --model galaxygan-sdss insists"):
        pellucid.load_restorer()(sharp)
    assert fitting_model(sharp, psf=pellucid.psf_from_stars(sharp))[0] == choice.ANY


@pytest.mark.parametrize("words", [{"psf": 2.3}, {"psf": 2.3, "target": 1.4}, {"blur": 1.8}])
def test_a_psf_is_compared_with_the_stars_of_the_training_and_a_blur_with_its_blur(galaxy, words):
    notes = pellucid.load_restorer("galaxygan-sdss")(galaxy, **words).provenance["notes"]
    assert not [note for note in notes if "training" in note or "trained" in note]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"psf": 1.3}, r'a psf of 1\.3.*" is unlike .* \(with stars of 2\.2"\)'),
        ({"psf": 3.5}, r'a psf of 3\.5.*" is unlike .* \(with stars of 2\.2"\)'),
        ({"blur": 2.3}, r'a blur of 2\.3.*" is outside what the model was trained on \(1\.8"\)'),
    ],
)
def test_what_a_shipped_model_did_not_meet_is_noted_and_refused_where_far(galaxy, words, said):
    restorer = pellucid.load_restorer("galaxygan-sdss")
    assert [note for note in restorer(galaxy, **words).provenance["notes"] if re.match(said, note)]
    far = dict.fromkeys(words, 0.45 * 1.8)
    with pytest.raises(InputError, match="--method wiener undoes any blur"):
        restorer(galaxy, **far)
    forced = replace(restorer, force=True)(galaxy, **far).provenance["notes"]
    assert [note for note in forced if "nothing vouches for the result" in note]


def test_a_model_of_one_blur_says_which_where_nobody_knows_the_image_s(galaxy):
    restorer = pellucid.load_restorer("galaxygan-sdss")
    said = (
        'the psf is not known (--psf): model galaxygan-sdss is made for images with stars of 2.2"'
    )
    assert said in restorer(galaxy).provenance["notes"]
    assert said not in restorer(galaxy, psf=2.3).provenance["notes"]


def test_the_choice_is_told_with_the_result(galaxy):
    result = pellucid.load_restorer()(galaxy)
    assert result.provenance["notes"][0].startswith(
        "model galaxygan-sdss was taken: pixels as SDSS's"
    )


# --- bands -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bands", "order"),
    [
        ("G,R,I", [0, 1, 2]),
        ("HSC_I2,HSC_R2,HSC_G", [2, 1, 0]),
        ("DECam r,DECam i,DECam g", [2, 0, 1]),
        ("r.MP9601,g.MP9401,i.MP9702", [1, 0, 2]),
        ("band1,band2,band3", [0, 1, 2]),
        ("y", [0, 0, 0]),
    ],
)
def test_a_model_finds_its_bands_under_any_survey_s_names(card, bands, order):
    assert channels_of(bands.split(","), card) == order


def test_bands_among_others_can_be_chosen(card):
    with pytest.raises(InputError, match="--bands SDSS_g,SDSS_r,SDSS_i chooses them"):
        channels_of(["SDSS_u", "SDSS_g", "SDSS_r", "SDSS_i", "SDSS_z"], card)
    with pytest.raises(InputError, match="takes g,r,i or one band alone"):
        channels_of(["g", "r", "Cousins I"], card)


@pytest.mark.parametrize(
    ("rule", "scale"), [("any", 0.396), ("resampled", 0.6), ("resampled", 0.3)]
)
def test_a_model_of_one_band_restores_each_band(card, seen, rule, scale):
    def sharpen(tiles):
        return np.clip(1.1 * tiles, -1.0, 1.0)

    one = replace(card, bands=("i",), scale_rule=rule, pixel_scale=0.396)
    restorer = NeuralRestorer(one, sharpen, "0" * 64)
    stamps = np.stack([gaussian_psf(fwhm, scale, 30 / fwhm).stamps[0] for fwhm in (1.5, 1.5, 1.5)])
    image = seen("g,r,z", scale, PSF(stamps, scale, bands=("g", "r", "z")))
    result = restorer(image)
    assert result.image.bands == ("g", "r", "z")
    for k in range(3):
        alone = restorer(image.of_bands([k])).image
        np.testing.assert_array_equal(result.image.flux[k], alone.flux[0])
    assert (
        result.provenance["notes"][0]
        == "each band was restored by itself, by a network of band i alone"
    )


# --- far from the training -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "scale", "blur", "words"),
    [
        ("resampled", 3.96, None, "and up to 8 times coarser"),
        ("resampled", 0.03, None, "and up to 8 times coarser"),
        ("fixed", 0.6, None, 'takes 0.396"; resample it'),
        ("fixed", 0.396, 0.5, 'a blur of 0.54" is outside'),
        ("any", 0.396, 4.0, 'a blur of 4.00" is outside'),
    ],
)
def test_what_is_far_from_the_training_is_refused_unless_forced(
    card, seen, rule, scale, blur, words
):
    restorer = NeuralRestorer(replace(card, scale_rule=rule), lambda tiles: tiles, "0" * 64)
    image = seen("g,r,i", scale)
    with pytest.raises(InputError, match=words) as said:
        restorer(image, blur)
    assert "--force" in str(said.value)
    forced = replace(restorer, force=True)(image, blur)
    assert "it was forced" in " ".join(forced.provenance["notes"])


def test_what_is_forced_reaches_every_kind_of_restorer(write_card_bundle):
    path = write_card_bundle()
    assert pellucid.load_restorer(path, force=True).force
    assert not pellucid.load_restorer(path).force
    assert pellucid.load_restorer(force=True).force
