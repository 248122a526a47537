"""Sharp galaxies from elsewhere: what is taken from each archive, and what is left."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from pellucid.data.simulation import Camera, Scene, as_galaxy, simulate_pairs
from pellucid.sky import gaussian_psf
from pellucid.studies.seeinggan.elsewhere import freed, other_psfs, sharp_galaxies

SIDE = 424


def disc(y, x, length, axis=0.6):
    rows, columns = np.indices((SIDE, SIDE), dtype=float)
    return np.exp(-np.hypot(rows - y, (columns - x) / axis) / length)


def noisy(flux, sigma=0.004):
    return flux + np.random.default_rng(1).normal(0.0, sigma, flux.shape)


def test_a_galaxy_is_freed_of_its_neighbour_and_its_sky():
    alone, both = (
        freed(noisy(disc(212, 212, 18) + more + 0.05), 0.04) for more in (0.0, disc(60, 330, 9))
    )
    assert alone is not None
    assert both is not None
    # Of an exponential disc it is 1.68 scale lengths; along the short axis it is less.
    assert 0.6 < alone.half_light_radius / (18 * 0.04 * 1.68) < 1.0
    assert both.half_light_radius == pytest.approx(alone.half_light_radius, rel=0.05)
    assert both.flux.sum() == pytest.approx(1.0, abs=1e-4)
    assert both.pixel_scale == 0.08


def test_what_is_cut_off_or_absent_or_a_star_is_left():
    rows, columns = np.indices((SIDE, SIDE)) - 212.0
    spikes = np.exp(-np.hypot(rows, columns) / 4.0)
    for across, along in ((rows, columns), (columns, rows)):
        spikes += 0.3 * np.exp(-np.abs(across) / 2.0 - np.abs(along) / 30.0)
    assert freed(noisy(spikes), 0.04) is None
    assert freed(noisy(30.0 * disc(212, 212, 18)), 0.04) is None  # white in every band
    assert freed(noisy(disc(60, 60, 9)), 0.04) is None
    assert freed(noisy(disc(212, 212, 14, axis=5)), 0.04) is None
    assert freed(np.full((SIDE, SIDE), 0.1), 0.04) is None


def test_every_archive_that_is_there_gives_its_galaxies(tmp_path):
    plane = noisy(disc(212, 212, 18, 0.9))[150:274, 150:274].clip(0.0)
    np.savez(tmp_path / "cut.npz", id=["g1"], mag=[22.0], g1=np.stack([plane] * 3))
    assert set(sharp_galaxies(tmp_path, "cut.npz")) == {"g1"}
    packed = io.BytesIO()
    frame = (255 * noisy(0.5 * disc(212, 212, 18)).clip(0, 1)).astype("u1")
    Image.fromarray(np.stack([frame] * 3, axis=-1)).save(packed, "JPEG", quality=97)
    names = {
        "goods_hst_colour.tar": ["goods/a.jpg"],
        "galaxy_zoo_examples.tar": ["zoo/goods_full/b.jpg", "zoo/candels/c.jpg"],
    }
    for archive, members in names.items():
        with tarfile.open(tmp_path / archive, "w") as file:
            for member in members:
                info = tarfile.TarInfo(member)
                info.size = len(packed.getvalue())
                file.addfile(info, io.BytesIO(packed.getvalue()))
    near = tmp_path / "hst_NGC1_fix.fits"
    fits.PrimaryHDU(disc(212, 212, 40).astype("f4")).writeto(near)
    with tarfile.open(tmp_path / "linear_truth.tar", "w") as file:
        file.add(near, "linear_truth/hst_NGC1_fix.fits")
    found = sharp_galaxies(tmp_path, "cut.npz")
    assert set(found) == {"g1", "goods/a", "zoo/goods_full-b", "linear/hst_NGC1_fix"}
    # What has more pixels than a survey's galaxies is seen from farther away.
    assert max(found["linear/hst_NGC1_fix"].flux.shape) < SIDE


def test_other_psfs_have_their_own_form_and_a_good_nights_width(tmp_path):
    assert other_psfs(tmp_path, 1) == ()
    good = gaussian_psf(1.1, 0.264).stamps[0]
    np.savez(
        tmp_path / "psf_stamps.npz",
        decam__psf_x=np.stack([good, np.roll(good, 3, axis=0), 0 * good]),
        hsc__psf_y=np.ones((2, 4, 4)),
        jwst__psf_z=good[None],
    )
    (psf,) = other_psfs(tmp_path, 1)
    np.testing.assert_allclose(psf.stamps[0], good, atol=1e-6)
    assert 0.5 <= psf.fwhm <= 0.75


def test_a_galaxy_with_a_quasar_has_its_light_in_the_middle():
    galaxy = as_galaxy(disc(60, 60, 12)[:121, :121], 0.06)
    psf, camera = gaussian_psf(0.1, 0.042), gaussian_psf(0.6, 0.168)
    cameras = [Camera((camera,), (0.01, 0.01001), 27.0)]

    def peaks(nuclei):
        scene = Scene(64, 0.084, (21.0, 21.001), (0.5, 0.501), neighbours=0, stars=0.0,
                      nuclei=nuclei)  # fmt: skip
        made = simulate_pairs({"g": galaxy}, 12, scene, psf, cameras, 1)
        return np.array([pair.sharp.max() / pair.sharp.sum() for pair in made])

    assert (peaks(1.0) > 1.5 * peaks(0.0).max()).mean() > 0.5
    assert peaks(0.0).std() < 0.2 * peaks(0.0).mean()
