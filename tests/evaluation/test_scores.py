"""The loop that scores restorers: what it tells them, what it cuts, and what it says of a fault."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pellucid.data.pairs import open_pairs
from pellucid.deconvolution import METHODS
from pellucid.errors import InputError
from pellucid.evaluation.scores import (
    Scoring,
    Untouched,
    score_pair,
    score_pairs,
    summarise,
)
from pellucid.evaluation.tuning import best_constant
from pellucid.metrics import measure
from pellucid.optics import Degradation
from pellucid.restoration import ClassicalRestorer, Restoration
from pellucid.sky import PSF, Pair, SkyImage, gaussian_psf


@dataclass
class Listener:
    """Changes nothing and remembers what it was told."""

    name: str = "listener"
    told: PSF | float | None = None

    def __call__(self, image: SkyImage, blur=None, psf=None, target=None) -> Restoration:
        self.told = blur
        return Restoration(image)


@dataclass
class Broken:
    name: str = "broken"

    def __call__(self, image: SkyImage, blur=None, psf=None, target=None) -> Restoration:
        raise InputError("is of no use")


@pytest.fixture
def pair(galaxy) -> Pair:
    return Degradation(fwhm=1.2, noise=1.0)(galaxy, np.random.default_rng(0))


def test_a_restorer_is_told_the_pairs_blur_or_undoes_the_whole_psf(pair):
    listener = Listener()
    score_pair("one", pair, {"listener": listener})
    assert listener.told is pair.blur
    score_pair("one", pair, {"listener": listener}, Scoring(whole_psf=True))
    assert listener.told is None


def test_what_lies_in_the_margin_is_restored_but_not_scored(pair):
    flux = pair.blurred.flux.copy()
    flux[:, :8] = 100.0
    spoilt = replace(pair, blurred=pair.blurred.with_flux(flux))
    scoring = Scoring(metrics=["psnr"], margin=8)
    whole, cut = (
        score_pair("one", some, {"as is": Untouched()}, scoring) for some in (pair, spoilt)
    )
    assert cut.metrics == whole.metrics
    assert_array_equal(cut.restored["as is"].image.flux, flux)
    sharp, blurred = (image.cutout(8, 8, 40, 28) for image in (pair.sharp, pair.blurred))
    assert cut.metrics["as is"] == measure(blurred, sharp, metrics=["psnr"])


def test_every_object_is_scored_by_every_restorer_in_turn(pair_store):
    store = open_pairs(pair_store)
    restorers = {"degraded": Untouched(), "wiener": ClassicalRestorer("wiener")}
    scored = list(score_pairs(store, [2, 0], restorers, seed=3))
    assert [some.id for some in scored] == [store.ids[2], store.ids[0]]
    for some, place in zip(scored, (2, 0), strict=True):
        pair = store.pair(place, 3)
        restored = restorers["wiener"](pair.blurred, pair.blur).image
        assert some.metrics == {
            "degraded": measure(pair.blurred, pair.sharp, pair.blurred),
            "wiener": measure(restored, pair.sharp, pair.blurred),
        }


def test_a_fault_names_the_store_the_object_and_the_restorer(pair_store):
    store = open_pairs(pair_store)
    with pytest.raises(InputError) as caught:
        list(score_pairs(store, [1], {"degraded": Untouched(), "broken": Broken()}))
    assert str(caught.value) == f"{pair_store}: object {store.ids[1]}, broken: is of no use"


def test_a_summary_is_over_what_could_be_measured():
    nan = float("nan")
    table = summarise({"wiener": {"psnr": value, "ssim": nan}} for value in (30.0, nan, 32.0))
    assert table["wiener"]["psnr"].mean == 31.0
    assert table["wiener"]["psnr"].error == pytest.approx(1.0)
    assert table["wiener"]["psnr"].count == 2
    assert table["wiener"]["ssim"].count == 0


@pytest.mark.parametrize(
    ("one_peak", "best", "tried"), [(True, 2, [1, 2, 3]), (False, 4, [1, 2, 3, 4])]
)
def test_a_constant_is_tuned_on_all_pairs_or_to_the_first_peak(
    monkeypatch, galaxy, one_peak, best, tried
):
    """The method adds as many counts as its constant is from the one that restores all."""
    asked = []
    wrong = {1: 2.0, 2: 1.0, 3: 3.0, 4: 0.5}

    def method(flux, stamps, constant):
        asked.append(constant)
        return flux + np.float32(wrong[constant])

    monkeypatch.setitem(METHODS, "toy", method)
    pairs = {
        name: Pair(galaxy, galaxy, gaussian_psf(1.0, galaxy.pixel_scale)) for name in ("a", "b")
    }
    scoring = Scoring(metrics=["psnr"])
    assert best_constant("toy", [1, 2, 3, 4], pairs, scoring, "psnr_linear", one_peak) == best
    assert asked == [count for count in tried for _ in pairs]
