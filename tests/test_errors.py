"""Errors name the file that they are of, once."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from pellucid.cli import main
from pellucid.errors import InputError, UsageError, naming, refusal


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("has no sky"), "a.fits: has no sky"),
        (UsageError("--psf: no number"), "a.fits: --psf: no number"),
        (UsageError("a.fits: exists"), "a.fits: exists"),
        (refusal("a.fits", "is cut off", "fetch it again"), "a.fits: is cut off; fetch it again"),
        (refusal("psf.fits", "is cut off", "make it"), "psf.fits: is cut off; make it"),
    ],
)
def test_an_error_names_its_file_once(error, text):
    with pytest.raises(type(error)) as caught, naming("the list"), naming("a.fits"):
        raise error
    assert str(caught.value) == text


@pytest.mark.parametrize("verb", ["restore", "info"])
def test_a_bad_psf_is_told_of_itself(tmp_path, capsys, verb):
    path, psf = tmp_path / "a.fits", tmp_path / "psf.fits"
    sky = np.random.default_rng(0).normal(3, 1, (40, 44)).astype("f4")
    fits.PrimaryHDU(sky, fits.Header({"PIXSCALE": 0.4})).writeto(path)
    fits.PrimaryHDU(np.full((9, 9), np.nan)).writeto(psf)
    words = (
        ["--method", "wiener", "--output", str(tmp_path / "b.fits")] if verb == "restore" else []
    )
    assert main([verb, str(path), "--psf", str(psf), *words]) == 3
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"pellucid: --psf {psf}: ")
    assert said.count(str(psf)) == 1
