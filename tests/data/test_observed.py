"""A store of observed pairs gives back what two telescopes saw, for training and for scoring."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.wcs import WCS

from pellucid.data.batches import PairSampler
from pellucid.data.made import write_pairs
from pellucid.data.observed import ObservedPair, ObservedPairs, write_observed
from pellucid.data.pairs import Pairs, open_made, open_pairs
from pellucid.errors import InputError
from pellucid.optics import Degradation, blur_between, convolve
from pellucid.restoration import NeuralRestorer, load_restorer
from pellucid.sky import PSF, Pair, background_of, gaussian_psf
from pellucid.sky.image import SkyImage
from pellucid.sky.psf import FWHM_PER_SIGMA
from pellucid.stretch import NoiseStretch
from pellucid.training.validation import validate

SIDE, SCALE = 24, 0.1


def header() -> str:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [150.0, 2.0], [12.5, 12.5]
    wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
    return wcs.to_header().tostring()


def observed(number: int, seeing: float = 0.7) -> ObservedPair:
    """A galaxy that fills its cutout, so that its noise cannot be measured there."""
    y, x = np.indices((SIDE, SIDE)) - 11.5
    rng = np.random.default_rng(number)
    sharp, blurred = (
        (light * np.exp(-np.hypot(y, x) / size) + rng.normal(0, 0.02, (1, SIDE, SIDE))).astype("f4")
        for light, size in ((9.0, 4.0), (5.0, 6.0))
    )
    return ObservedPair(
        id=f"galaxy-{number}",
        sharp=sharp,
        blurred=blurred,
        pixel_scale=SCALE * (1 + 0.01 * number),
        noise=(0.01, 0.02 + 0.01 * number),
        shift=(0.03, -0.02),
        wcs=header(),
        position=(150.0, 2.0),
        psfs=(gaussian_psf(0.12, 0.03), gaussian_psf(seeing, 0.168)),
    )


def seen(psf: PSF, scale: float) -> float:
    """Its FWHM in other pixels: coarser ones see the mean over their area."""
    return np.hypot(psf.fwhm, scale * FWHM_PER_SIGMA / np.sqrt(12) * (scale > psf.pixel_scale))


PAIRS = [observed(k, (0.6, 0.9, 0.7)[k % 3]) for k in range(8)]


@pytest.fixture
def write(tmp_path) -> Callable[..., Pairs]:
    def write_and_open(pairs: list[ObservedPair], name: str = "pairs.h5") -> Pairs:
        count = write_observed(tmp_path / name, iter(pairs), ("i",), "adu", {"command": "by hand"})
        assert count == len(pairs)
        return open_pairs(tmp_path / name)

    return write_and_open


@pytest.fixture
def store(write) -> Pairs:
    return write(PAIRS)


# --- what comes back -------------------------------------------------------------------------


def test_what_was_written_is_read(store):
    assert isinstance(store, ObservedPairs)
    assert store.origin() == {"pairs": "observed"}
    assert (store.ids, store.bands, store.unit) == ([pair.id for pair in PAIRS], ("i",), "adu")
    assert store.blurred_scale == pytest.approx(0.168)
    assert store.noises() == []
    for index, pair in enumerate(PAIRS):
        read = store.pair(index)
        images = (read.sharp, read.blurred)
        given = zip((pair.sharp, pair.blurred), pair.noise, pair.psfs, strict=True)
        for image, (flux, noise, psf) in zip(images, given, strict=True):
            np.testing.assert_array_equal(image.flux, flux)
            np.testing.assert_allclose(image.variance, noise**2, rtol=1e-6)
            assert image.sky == (0.0,)
            assert image.pixel_scale == pytest.approx(pair.pixel_scale)
            assert image.psf.pixel_scale == image.pixel_scale
            assert image.psf.fwhm == pytest.approx(seen(psf, image.pixel_scale), rel=0.1)
            np.testing.assert_allclose(image.wcs.wcs_pix2world([[11.5, 11.5]], 0), [[150.0, 2.0]])
    with h5py.File(store.path) as file:
        assert json.loads(file.attrs["provenance"]) == {"command": "by hand"}
        np.testing.assert_allclose(file["shift"], [[0.03, -0.02]] * len(PAIRS))


def test_a_pair_is_the_same_whatever_is_drawn(store):
    """Observed noise is what it is: neither a seed nor a random state has a say."""
    rng = np.random.default_rng(1)
    state = rng.bit_generator.state
    drawn = store.draw(2, rng)
    assert rng.bit_generator.state == state
    for pair in (drawn, store.pair(2, seed=7), Pair(drawn.blurred, store.sharp(2), None)):
        np.testing.assert_array_equal(pair.sharp.flux, PAIRS[2].sharp)
        np.testing.assert_array_equal(pair.blurred.flux, PAIRS[2].blurred)
        assert background_of(pair.blurred).sigma == pytest.approx(0.04)
    assert drawn.sharp.psf is None  # training has no use for it
    assert drawn.blur is None


def test_the_blur_is_found_when_it_is_asked_for(store, monkeypatch):
    """It takes seconds, and a network that undoes one blur has no use for it."""
    asked, honest = [], blur_between

    def counted(psf: PSF, target: PSF) -> PSF:
        asked.append(psf)
        return honest(psf, target)

    monkeypatch.setattr("pellucid.data.observed.blur_between", counted)
    pair = store.pair(0)
    restorer = load_restorer("seeinggan-hsc-hst", force=True)
    assert isinstance(restorer, NeuralRestorer)
    restorer = replace(restorer, card=replace(restorer.card, scale_rule="fixed"))
    assert np.isfinite(list(validate(restorer, store, np.arange(2)).values())).all()
    assert not asked
    assert pair.blur is pair.blur
    assert len(asked) == 1


def test_the_blur_leads_from_one_telescope_to_the_other(write):
    psfs = gaussian_psf(0.25, 0.05), gaussian_psf(0.7, 0.05)
    store = write([replace(pair, psfs=psfs) for pair in PAIRS])
    for pair in (store.pair(1), store.draw(1, np.random.default_rng(0), with_blur=True)):
        seen_sharp, seen_blurred = pair.sharp.psf, pair.blurred.psf
        made = convolve(seen_sharp.stamps, pair.blur.stamps, "zero")[0]
        reach = min(len(made), seen_blurred.stamps.shape[1]) // 2 - 1
        ours, wanted = (
            stamp[len(stamp) // 2 - reach :, len(stamp) // 2 - reach :][: 2 * reach, : 2 * reach]
            for stamp in (made, seen_blurred.stamps[0])
        )
        np.testing.assert_allclose(ours, wanted, atol=0.02 * wanted.max())


def test_simulated_pairs_say_what_they_are(tmp_path):
    write_observed(tmp_path / "made-up.h5", PAIRS, ("i",), None, {}, origin="simulated")
    assert open_pairs(tmp_path / "made-up.h5").origin() == {"pairs": "simulated"}


def test_a_store_goes_to_another_process_with_its_file_open(store):
    store.sharp(0)
    other = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(other.pair(3).blurred.flux, PAIRS[3].blurred)


def test_the_seeing_is_that_of_the_different_psfs(store):
    assert sorted(store.blurs()) == pytest.approx([0.6, 0.7, 0.9], rel=0.03)


def test_psfs_of_two_cameras_keep_their_widths(write):
    """Undersampled by one of them, brought to one pixel scale in the store."""
    coarse = replace(PAIRS[1], psfs=(PAIRS[1].psfs[0], gaussian_psf(0.8, 0.202)))
    store = write([coarse, PAIRS[0]])
    assert store.blurred_scale == pytest.approx(0.168)
    assert sorted(store.blurs()) == pytest.approx([0.6, 0.8], rel=0.03)
    for index, fwhm in enumerate((0.8, 0.6)):
        assert store.pair(index).blurred.psf.fwhm == pytest.approx(fwhm, rel=0.03)


def test_without_the_psf_of_one_pair_the_store_has_none(write):
    store = write([PAIRS[0], replace(PAIRS[1], psfs=(PAIRS[1].psfs[0], None), wcs="")])
    assert store.blurs() == []
    assert store.blurred_scale is None
    pair = store.pair(1)
    sharp, blurred = pair.sharp, pair.blurred
    assert sharp.psf.fwhm == pytest.approx(seen(PAIRS[1].psfs[0], 0.101), rel=0.1)
    assert blurred.psf is None
    assert blurred.wcs is None


def test_a_made_store_beside_it_is_read_as_ever(store, tmp_path):
    ways = [Degradation(fwhm=0.5, noise=2.0), Degradation(fwhm=0.9, noise=4.0)]
    objects = [(f"o{k}", SkyImage(pair.sharp, pixel_scale=SCALE)) for k, pair in enumerate(PAIRS)]
    write_pairs(tmp_path / "made.h5", objects, ways)
    made = open_pairs(tmp_path / "made.h5")
    assert made.origin()["pairs"] == "made"
    assert made.blurs() == [0.5, 0.9]
    assert made.blurred_scale is None
    pair = made.pair(4, seed=1)
    sharp, blurred = pair.sharp, pair.blurred
    np.testing.assert_array_equal(sharp.flux, PAIRS[4].sharp)
    assert blurred.sky is None
    expected = {
        way.fwhm: way(sharp, np.random.default_rng(0)).blurred.flux - blurred.flux for way in ways
    }
    assert np.abs(expected[0.5]).std() < np.abs(expected[0.9]).std()
    spreads = [made.draw(4, np.random.default_rng(k)).blurred.flux.std() for k in range(12)]
    assert np.ptp(spreads) > 0.05  # any of the degradations, any noise

    through = made.through(Degradation(fwhm=2.0))
    np.testing.assert_array_equal(through.pair(4).sharp.flux, PAIRS[4].sharp)
    assert through.pair(4).blur.fwhm == pytest.approx(2.0, rel=0.02)
    with pytest.raises(InputError, match="holds observed pairs"):
        open_made(store.path)


# --- for training ----------------------------------------------------------------------------


def sampler(store: Pairs, **settings: object) -> PairSampler:
    defaults = {"stretch": NoiseStretch(), "size": SIDE, "batch": 3, "seed": 4}
    return PairSampler(store=store, indices=np.arange(len(store)), **(defaults | settings))


def test_a_batch_is_in_units_of_the_noise_that_the_store_knows(store):
    stretch = NoiseStretch()
    blurred, sharp, _ = sampler(store)[1]
    assert blurred.shape == sharp.shape == (3, 1, SIDE, SIDE)
    order = np.random.default_rng([4, 0]).permutation(len(store))
    for place, two, one in zip(order[3:6], blurred, sharp, strict=True):
        given = store.pair(int(place)).blurred
        sky = background_of(given)
        value = 2.0 * stretch.forward(given.flux, sky) - 1.0
        assert sky.sigma == pytest.approx(PAIRS[place].noise[1])
        assert sky.sky == 0.0
        turned = not np.allclose(two, value, atol=1e-6)
        np.testing.assert_allclose(two[..., ::-1] if turned else two, value, atol=1e-6)
        flux = stretch.inverse(0.5 * (one + 1.0), sky)
        truth = PAIRS[place].sharp
        np.testing.assert_allclose(flux[..., ::-1] if turned else flux, truth, atol=1e-4)


def test_an_object_that_cannot_be_trained_on_is_named_once(write):
    void = replace(PAIRS[0], noise=(0.0, 0.0))
    store = write([void])
    with pytest.raises(InputError) as caught:
        sampler(store, batch=1)[0]
    said = str(caught.value)
    assert said.startswith(f"{store.path}: object galaxy-0: the image has no noise")
    damage(store.path, "blurred", 0)
    with pytest.raises(InputError) as caught:
        sampler(open_pairs(store.path), batch=1)[0]
    said = str(caught.value)
    assert said.startswith(f"{store.path}: object 0 is damaged (")
    assert said.count(str(store.path)) == 1


# --- what is no store ------------------------------------------------------------------------


def damage(path: Path, name: str, index: int) -> None:
    with h5py.File(path) as file:
        place = file[name].id.get_chunk_info(index)
    content = bytearray(path.read_bytes())
    content[place.byte_offset + place.size // 2] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_costs_its_object_only(store):
    damage(store.path, "blurred", 4)
    other = open_pairs(store.path)
    np.testing.assert_array_equal(other.pair(3).blurred.flux, PAIRS[3].blurred)
    for read in (other.pair, other.sharp, lambda k: other.draw(k, np.random.default_rng())):
        with pytest.raises(InputError, match=r"pairs\.h5: object 4 is damaged"):
            read(4)


@pytest.mark.parametrize("name", ["sharp", "blurred"])
def test_a_store_that_lacks_an_image_is_refused(store, name):
    with h5py.File(store.path, "r+") as file:
        file[name].resize(7, axis=0)
    with pytest.raises(InputError, match=f"has 8 ids for 7 {name} images"):
        open_pairs(store.path)


@pytest.mark.parametrize("name", ["noise", "scale", "blurred"])
def test_what_a_store_needs_and_lacks_is_one_line(store, name):
    with h5py.File(store.path, "r+") as file:
        del file[name]
    with pytest.raises(InputError, match=r"pairs\.h5: ") as caught:
        open_pairs(store.path).pair(0)
    assert "\n" not in str(caught.value)


def test_no_pair_leaves_no_file_and_an_older_one_alone(tmp_path, write):
    with pytest.raises(InputError, match=r"none\.h5: no pair left to store"):
        write([], "none.h5")
    store = write(PAIRS[:2])
    before = store.path.read_bytes()

    def broken():
        yield PAIRS[0]
        raise InputError("the second cannot be cut")

    with pytest.raises(InputError, match="the second cannot be cut"):
        write_observed(store.path, broken(), ("i",), None, {}, overwrite=True)
    assert store.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.h5"]
