"""pellucid is a guest in somebody's process: it leaves everything as it found it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import pellucid
from pellucid import SkyImage, load_restorer
from pellucid.deconvolution import METHODS
from pellucid.errors import InputError
from pellucid.quiet import quiet


def image(seed: int = 1) -> SkyImage:
    y, x = np.mgrid[:64, :64] - 31.5
    light = 200.0 * np.exp(-np.hypot(y, x) / 4.0)
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (1, 64, 64))
    return SkyImage((light + noise).astype("f4"), ("r",), pixel_scale=0.4)


def state() -> tuple[object, ...]:
    mask = os.umask(0)
    os.umask(mask)
    loggers = [logging.getLogger(name).level for name in ("", "astropy")]
    return list(warnings.filters), warnings.showwarning, loggers, mask, os.getcwd(), np.geterr()


def test_eight_threads_leave_the_process_as_it_was(tmp_path):
    path = tmp_path / "a.fits"
    pellucid.write_image(image(), path)
    restorer = load_restorer(method="wiener")

    def work(number: int) -> np.ndarray:
        read = pellucid.read_image(path)
        result = restorer(read, psf=1.3)
        pellucid.write_image(result.image, tmp_path / f"{number}.fits", overwrite=True)
        return result.image.flux

    work(0)  # whatever is imported on the way adds filters of its own
    before = state()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(40)))
    assert state() == before
    for flux in results[1:]:
        assert_array_equal(flux, results[0])


@pytest.mark.parametrize("asked", [{"model": "pellucid"}, {"method": "wiener"}, {}])
def test_a_restorer_goes_to_another_process(asked):
    restorer = load_restorer(**asked)
    again = pickle.loads(pickle.dumps(restorer))
    assert_array_equal(restored(again, 2), restored(restorer, 2))


def restored(restorer: object, seed: int) -> np.ndarray:
    return restorer(image(seed), psf=1.3).image.flux  # type: ignore[operator]


def test_a_pool_of_processes_restores():
    restorer = load_restorer("pellucid")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        found = pool.submit(restored, restorer, 3).result()
    assert_array_equal(found, restored(restorer, 3))


def test_warnings_stay_what_they_were_where_threads_overlap():
    """The first to be quiet is not the last."""
    before, inside, done = state(), threading.Event(), threading.Event()

    def first() -> None:
        with quiet():
            inside.set()
            done.wait(10.0)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10.0)
    with quiet():
        done.set()
        thread.join()
        warnings.warn("not heard", stacklevel=1)
    assert state() == before
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_a_restoration_without_a_number_is_not_written(tmp_path):
    result = load_restorer(method="wiener")(image(), psf=1.3)
    nothing = result.image.with_flux(np.full_like(result.image.flux, np.nan))
    with pytest.raises(InputError, match=r"a\.fits: is not written: no pixel"):
        pellucid.write_image(replace(result, image=nothing), tmp_path / "a.fits")
    assert not list(tmp_path.iterdir())


def test_a_method_that_makes_no_numbers_is_refused(monkeypatch):
    monkeypatch.setitem(METHODS, "wiener", lambda flux, stamps, constant: flux * np.nan)
    with pytest.raises(InputError, match="wiener makes values of it that are no numbers"):
        load_restorer(method="wiener")(image(), psf=1.3)
