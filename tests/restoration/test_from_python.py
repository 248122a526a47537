"""Restoring from Python, with and without torch, and by the model that is the default."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

import pellucid
from pellucid.errors import UsageError
from pellucid.sky import PSF

# --- from Python, as the design shows it -----------------------------------------------------


@pytest.mark.parametrize("kind", ["wiener", "bundle"])
def test_read_restore_write(bands_of, tiny_bundle, tmp_path, kind):
    image = pellucid.read_image(*bands_of)
    restorer = (
        pellucid.load_restorer(method="wiener")
        if kind == "wiener"
        else pellucid.load_restorer(tiny_bundle)
    )
    result = restorer(image, psf=1.5)
    assert result.image.shape == image.shape
    assert result.uncertainty is None
    assert result.doubt is None
    pellucid.write_image(result, tmp_path / "restored.fits")
    again = pellucid.read_image(tmp_path / "restored.fits")
    np.testing.assert_array_equal(again.flux, result.image.flux)
    assert again.bands == ("g", "r", "i")
    header = fits.getheader(tmp_path / "restored.fits", "g")
    assert header["PLCTYPE"] == "RESTORATION"
    history = "".join(str(line) for line in header["HISTORY"])
    assert "not a measurement" in history
    if kind == "bundle":
        assert header["PLCMODEL"] == "tiny"
        assert restorer.sha256 in history


def test_an_image_from_an_array(galaxy):
    image = pellucid.SkyImage(galaxy.flux, bands=("g", "r", "i"), pixel_scale=0.396)
    result = pellucid.load_restorer(method="richardson-lucy")(image, psf=1.5)
    assert isinstance(result, pellucid.Restoration)
    assert isinstance(pellucid.gaussian_psf(1.5, 0.396), PSF)
    with pytest.raises(AttributeError, match="no attribute 'wish'"):
        pellucid.wish  # noqa: B018


def test_layers_a_restorer_offers_are_written(galaxy, tmp_path):
    sure = np.full(galaxy.shape, 0.25, "f4")
    result = pellucid.Restoration(galaxy, uncertainty=sure, doubt=sure / 2, provenance={})
    pellucid.write_image(result, tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits") as hdus:
        np.testing.assert_array_equal(hdus["UNCERT"].data, sure)
        np.testing.assert_array_equal(hdus["DOUBT"].data, sure / 2)


def test_names_that_do_not_fit_are_refused(tiny_bundle):
    with pytest.raises(UsageError, match="name one of them"):
        pellucid.load_restorer(tiny_bundle, method="wiener")
    with pytest.raises(UsageError, match="no method is called 'magic'; there are wiener"):
        pellucid.load_restorer(method="magic")
    with pytest.raises(UsageError, match="no-such-model: neither"):
        pellucid.load_restorer("no-such-model")


def test_the_default_model_brings_a_degraded_galaxy_nearer_to_the_truth(deep_field):
    from pellucid.metrics import measure
    from pellucid.optics import Degradation

    sharp = deep_field.cutout(330, 60, 128, 128)
    degraded = Degradation(fwhm=1.8, noise=2.0)(sharp, np.random.default_rng(1)).blurred
    result = pellucid.load_restorer()(degraded)
    before, after = (measure(each, sharp)["psnr"] for each in (degraded, result.image))
    assert after > before + 1.0


# --- without torch ---------------------------------------------------------------------------

WITHOUT_TORCH = """
import sys

sys.modules.update(dict.fromkeys(("torch", "onnx", "safetensors")))
from pellucid.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_restoring_needs_no_torch(bands_of, tiny_bundle, tmp_path, run_python):
    target = tmp_path / "out.fits"
    done = run_python(
        "-c", WITHOUT_TORCH, "restore", *bands_of, "--model", tiny_bundle, "--output", target
    )
    assert done.returncode == 0, done.stderr
    expected = pellucid.load_restorer(tiny_bundle)(pellucid.read_image(*bands_of)).image.flux
    np.testing.assert_allclose(pellucid.read_image(target).flux, expected, rtol=1e-5, atol=1e-5)


def test_what_needs_torch_says_so(bands_of, tiny_bundle, tmp_path, pair_store, run_python):
    engine = ["restore", *bands_of, "--model", tiny_bundle, "--engine", "torch"]
    training = ["train", "smoke", "--data", pair_store]
    studies = [
        ["study", name, "--preset", "smoke", "--data", tmp_path]
        for name in ("galaxygan", "seeinggan", "pellucid")
    ]
    for command in (engine, training, *studies):
        done = run_python("-c", WITHOUT_TORCH, *command, "--output", tmp_path / "out.fits")
        assert done.returncode == 2
        assert "pip install 'pellucid[train" in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.fits").exists()
