"""Batches: what belongs to a step of training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from patches import galaxies

from pellucid.data import batches
from pellucid.data.batches import PairSampler, as_composite
from pellucid.data.made import write_pairs
from pellucid.data.pairs import open_pairs
from pellucid.optics import Degradation, convolve
from pellucid.sky import PSF, Pair, SkyImage
from pellucid.sky.psf import stamp_fwhm
from pellucid.stretch import GalaxyGANStretch, NoiseStretch


@pytest.fixture
def store(tmp_path):
    write_pairs(tmp_path / "pairs.h5", galaxies(), [Degradation()])
    return open_pairs(tmp_path / "pairs.h5")


BLURS = [Degradation(1.4, 1.0), Degradation(1.8, 2.0)]


def sampler(store, degradations=BLURS, **changes) -> PairSampler:
    fields = {
        "store": replace(store, degradations=list(degradations)),
        "indices": np.arange(len(store)),
        "stretch": NoiseStretch(),
        "size": 32,
        "batch": 4,
        "seed": 1,
    }
    return PairSampler(**{**fields, **changes})


EVERYTHING = {"symmetry": "square", "grey": 0.5, "composite": 0.5}


def test_a_batch_is_a_function_of_seed_and_step(store):
    ours = sampler(store, **EVERYTHING)
    steps = {step: ours[step] for step in (0, 7, 3)}
    again = sampler(open_pairs(store.path), **EVERYTHING)
    for step in (3, 0, 7):
        for one, other in zip(steps[step][:2], again[step][:2], strict=True):
            assert_array_equal(one, other)
            assert one.shape == (4, 3, 32, 32)
            assert one.dtype == np.float32
    others = sampler(store, seed=2, **EVERYTHING)[0]
    for one, other in ((steps[0], steps[3]), (steps[0], others)):
        assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_a_batch_out_between_them(store, world):
    for step in (0, 5):
        whole = sampler(store, **EVERYTHING)[step]
        for rank in range(world):
            part = sampler(store, rank=rank, world=world, **EVERYTHING)[step]
            for all_of_it, ours in zip(whole[:2], part[:2], strict=True):
                assert_array_equal(ours, all_of_it[rank::world])


def test_an_epoch_shows_each_object_once_in_another_order_each_time(tmp_path):
    flat = [
        (f"{k}", SkyImage(np.full((1, 8, 8), k / 12), unit="nanomaggy", pixel_scale=0.4))
        for k in range(12)
    ]
    write_pairs(tmp_path / "a.h5", flat, [Degradation()])
    stretch = GalaxyGANStretch()
    ours = sampler(
        open_pairs(tmp_path / "a.h5"),
        indices=np.arange(2, 12),
        degradations=(Degradation(0.0, 0.0),),
        stretch=stretch,
        size=8,
        batch=5,
    )
    seen = []
    for step in range(6):
        flux = stretch.inverse((ours[step][1][:, 0, 0, 0] + 1) / 2)
        seen += list(np.rint(12 * flux).astype(int))
    epochs = [seen[:10], seen[10:20], seen[20:]]
    assert all(sorted(epoch) == list(range(2, 12)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_values_lie_in_the_networks_range(store):
    ours = sampler(store, stretch=GalaxyGANStretch(), **EVERYTHING)
    values = np.array([ours[step][:2] for step in range(5)])
    assert values.min() >= -1.0
    assert values.max() <= 1.0
    # Brightest first: the whole range is used, not a sliver of it.
    assert np.ptp(values) > 0.5
    noise = np.array([sampler(store)[step][:2] for step in range(5)])
    assert np.isfinite(noise).all()
    assert np.abs(noise).max() < 1.5


def test_blurred_and_sharp_are_the_same_sky_turned_alike(store):
    clear = (Degradation(0.0, 0.0),)
    for settings in ({}, {"symmetry": "square", "grey": 0.5}, {"size": 60}):
        ours = sampler(store, degradations=clear, **settings)
        for step in range(3):
            blurred, sharp, blurs = ours[step]
            assert all(blur.stamps.shape == (1, 1, 1) for blur in blurs)
            assert_array_equal(blurred, sharp)


def orientations(store, symmetry: str) -> set[int]:
    """Which of the square's eight orientations of the first object turn up."""
    ours = sampler(
        store,
        indices=np.array([0]),
        degradations=(Degradation(0.0, 0.0),),
        stretch=GalaxyGANStretch(),
        size=40,
        symmetry=symmetry,
    )
    straight = 2 * GalaxyGANStretch().forward(store.flux(0)) - 1
    forms = [
        np.rot90(flipped, turns, axes=(1, 2))
        for flipped in (straight, straight[..., ::-1])
        for turns in range(4)
    ]
    seen = set()
    for step in range(10):
        for sharp in ours[step][1]:
            match = [k for k, form in enumerate(forms) if np.array_equal(form, sharp)]
            assert len(match) == 1
            seen.update(match)
    return seen


def test_symmetries(store):
    assert orientations(store, "flip") == {0, 4}
    assert orientations(store, "square") == set(range(8))


def test_grey_makes_all_bands_one_band(store):
    colour, grey = (sampler(store, grey=grey) for grey in (0.0, 1.0))
    for blurred_or_sharp in grey[0][:2]:
        assert_array_equal(blurred_or_sharp, blurred_or_sharp[:, [0, 0, 0]])
    for blurred_or_sharp in colour[0][:2]:
        assert not np.array_equal(blurred_or_sharp[:, 0], blurred_or_sharp[:, 1])


def test_small_images_are_mirrored_and_large_ones_cropped(store):
    settings = {
        "indices": np.array([0]),
        "degradations": (Degradation(0.0, 0.0),),
        "stretch": GalaxyGANStretch(),
        "batch": 8,
    }
    whole = 2 * GalaxyGANStretch().forward(store.flux(0)) - 1
    both = np.stack([whole, whole[..., ::-1]])
    places = set()
    for size in (25, 52):
        wide = np.pad(both, ((0, 0), (0, 0), (12, 12), (12, 12)), mode="symmetric")
        if size < 40:
            wide = both
        windows = np.lib.stride_tricks.sliding_window_view(wide, (size, size), axis=(2, 3))
        for sharp in sampler(store, size=size, **settings)[0][1]:
            # One row of the first band finds the places that are worth a full comparison.
            near = np.argwhere((windows[:, 0, :, :, 0] == sharp[0, 0]).all(axis=-1))
            hits = [(f, y, x) for f, y, x in near if np.array_equal(windows[f, :, y, x], sharp)]
            assert hits
            places.add((size, *hits[0]))
    assert len(places) > 8


def test_composites_have_256_levels_of_the_stretch(store):
    stretch = GalaxyGANStretch()
    ours = sampler(store, stretch=stretch, composite=1.0)
    levels = 255 * (ours[0][0] + 1) / 2
    assert_allclose(levels, np.rint(levels), atol=1e-3)
    assert np.abs(255 * (ours[0][1] + 1) / 2 - np.rint(levels)).max() > 0.5
    flux = store.flux(0)
    once = as_composite(flux)
    assert_allclose(as_composite(once), once, atol=1e-6)
    assert np.abs(stretch.forward(once) - stretch.forward(flux)).max() <= 0.5 / 255 + 1e-6


def lopsided(scale: float) -> PSF:
    """A kernel that no turn and no mirror leaves as it is, one a band."""
    stamps = np.zeros((3, 5, 5))
    stamps[:, 2, 2] = 0.6
    stamps[:, 1, 2], stamps[:, 2, 4] = 0.3, 0.1
    stamps[1, 2, 4], stamps[2, 3, 3] = 0.2, 0.05
    return PSF(stamps, scale)


@dataclass(frozen=True)
class Lopsided:
    """A degradation by that kernel, without noise."""

    fwhm: float = 0.0
    noise: float = 0.0

    def __call__(self, image: SkyImage, rng: np.random.Generator) -> Pair:
        blur = lopsided(image.pixel_scale)
        flux = convolve(image.flux, blur.for_bands(len(image.flux)), "reflect")
        return Pair(image.with_flux(flux), image, blur)


@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_a_batch_carries_the_blur_turned_as_its_images_are(store, grey):
    stretch = GalaxyGANStretch(clip=False)
    fields = {"stretch": stretch, "size": 40, "symmetry": "square", "grey": grey}
    ours = sampler(store, degradations=(Lopsided(),), inputs=("image", "fwhm"), **fields)
    for step in range(4):
        batch = ours[step]
        assert batch.blurred.shape == (4, 6, 40, 40)
        for channels, sharp, blur in zip(*batch, strict=True):
            flux, truth = (stretch.inverse(0.5 * (value + 1)) for value in (channels[:3], sharp))
            again = convolve(truth, blur.for_bands(3), "reflect")
            assert_allclose(again, flux, atol=2e-5)
            widths = np.log([stamp_fwhm(stamp) for stamp in blur.for_bands(3)])
            assert_allclose(channels[3:, 0, 0], widths, rtol=1e-6)
            assert (channels[3:] == channels[3:, :1, :1]).all()


def test_a_sample_of_many_objects_draws_no_order_of_its_own(store):
    many = sampler(store, indices=np.zeros(10**6, dtype=int), size=8, batch=1)
    many[0]
    before = batches._order.cache_info().misses
    for step in range(5):
        many[step]
    assert batches._order.cache_info().misses == before
