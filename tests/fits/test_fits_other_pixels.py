"""What a file looks like whose image comes out in finer pixels: the same, as far as that goes."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

import pellucid
from pellucid.optics import regrid


def written_finer(path, out, **reading):
    """The file at ``path`` with its image in pixels of half the side."""
    image = pellucid.read_image(path, **reading)
    pellucid.write_image(regrid(image, image.pixel_scale / 2), out, overwrite=True)
    return fits.open(out)


def sky(shape, seed=0):
    return np.random.default_rng(seed).normal(5.0, 1.0, shape).astype("f4")


def test_axes_of_length_one_stay(tmp_path):
    header = fits.Header({"CDELT1": -1e-4, "CDELT2": 1e-4, "CTYPE1": "RA---SIN",
                          "CTYPE2": "DEC--SIN", "CTYPE3": "STOKES", "CTYPE4": "FREQ",
                          "BUNIT": "Jy/beam"})  # fmt: skip
    fits.PrimaryHDU(sky((1, 1, 40, 44)), header).writeto(tmp_path / "radio.fits")
    with written_finer(tmp_path / "radio.fits", tmp_path / "out.fits") as hdus:
        assert hdus[0].data.shape == (1, 1, 80, 88)
        assert hdus[0].header["BUNIT"] == "Jy/beam"


@pytest.mark.parametrize("finer", [True, False])
def test_planes_that_were_not_read_are_copied_though_they_are_errors(tmp_path, finer):
    """A pipeline's parts of the variance, beside the error that sums them up."""
    planes = {"SCI": sky((40, 44)), "ERR": np.full((40, 44), 2.0, "f4"),
              "DQ": np.zeros((40, 44), "i4"), "VAR_POISSON": sky((40, 44), 1),
              "CON": np.ones((40, 44), "i4")}  # fmt: skip
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(data, name=name) for name, data in planes.items())]
    hdus[1].header["PIXSCALE"] = 0.1
    fits.HDUList(hdus).writeto(tmp_path / "i2d.fits")
    image = pellucid.read_image(tmp_path / "i2d.fits")
    if finer:
        image = regrid(image, 0.05)
    else:
        image = image.with_flux(image.flux, variance=3.0 * image.variance)
    pellucid.write_image(image, tmp_path / "out.fits")
    with fits.open(tmp_path / "out.fits") as after:
        for name in ("VAR_POISSON", "CON"):
            np.testing.assert_array_equal(after[name].data, planes[name])
        assert after["SCI"].shape == after["ERR"].shape == image.shape[1:]
    again = pellucid.read_image(tmp_path / "out.fits")
    np.testing.assert_allclose(again.variance, image.variance, rtol=1e-5)


def test_bands_that_were_not_chosen_keep_their_errors(tmp_path):
    hdus = [fits.PrimaryHDU()]
    for k, band in enumerate("gri"):
        hdus.append(fits.ImageHDU(sky((40, 44), k), name=f"{band}_SCI"))
        hdus[-1].header.update({"FILTER": band, "PIXSCALE": 0.2})
        hdus.append(fits.ImageHDU(np.full((40, 44), 1.0 + k, "f4"), name=f"{band}_RMS"))
    names = [hdu.name for hdu in hdus]
    fits.HDUList(hdus).writeto(tmp_path / "three.fits")
    with written_finer(tmp_path / "three.fits", tmp_path / "out.fits", bands=["r"]) as after:
        assert [hdu.name for hdu in after] == names
        for band, side, value in (("G", 40, 1.0), ("R", 80, None), ("I", 40, 3.0)):
            assert after[f"{band}_SCI"].shape[0] == after[f"{band}_RMS"].shape[0] == side
            if value:
                np.testing.assert_array_equal(after[f"{band}_RMS"].data, value)


def test_a_boundless_error_stays_in_its_pixel(tmp_path):
    rms = np.full((40, 44), 2.0, "f4")
    rms[10, 12] = 1e15
    sci = fits.ImageHDU(sky((40, 44)), fits.Header({"PIXSCALE": 0.1}), name="SCI")
    hdus = [fits.PrimaryHDU(), sci, fits.ImageHDU(rms, name="RMS")]
    fits.HDUList(hdus).writeto(tmp_path / "in.fits")
    with written_finer(tmp_path / "in.fits", tmp_path / "out.fits") as after:
        found = after["RMS"].data
    boundless = np.repeat(np.repeat(rms > 1e14, 2, axis=0), 2, axis=1)
    np.testing.assert_allclose(found[~boundless], found[0, 0])
    assert (found[boundless] > 1e14).all()


def test_flags_whose_header_is_damaged_are_carried_too(tmp_path):
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(sky((40, 44)), name="SCI")]
    hdus[1].header["PIXSCALE"] = 0.1
    flags = np.zeros((40, 44), "i2")
    flags[3, 5] = 1
    hdus.append(fits.ImageHDU(flags, name="DQ"))
    path = tmp_path / "a.fits"
    fits.HDUList(hdus).writeto(path)
    content = path.read_bytes()
    place = content.rindex(b"PCOUNT  =")
    path.write_bytes(content[:place] + b"PCOUNT  1D5".ljust(80) + content[place + 80 :])
    with written_finer(path, tmp_path / "out.fits") as after:
        np.testing.assert_array_equal(after["DQ"].data, flags.repeat(2, axis=0).repeat(2, axis=1))
