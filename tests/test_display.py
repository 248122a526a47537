"""Composites in, pictures out: the identity on 8-bit pixels, and a sensible picture of anything."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from pellucid.display import is_composite, read_composite, to_rgb, write_png
from pellucid.errors import InputError, UsageError
from pellucid.sky.image import SkyImage
from pellucid.stretch import GalaxyGANStretch

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
RNG = np.random.default_rng(3)


def save(path: Path, values: np.ndarray, mode: str | None = None) -> Path:
    picture = Image.fromarray(values)
    (picture.convert(mode) if mode else picture).save(path)
    return path


def galaxy(scale: float = 1.0, sky: float = 0.0) -> SkyImage:
    """A round exponential disc in noise, in an arbitrary unit."""
    y, x = np.mgrid[-32:33, -32:33]
    disc = 200 * np.exp(-np.hypot(y, x) / 4)
    flux = np.stack([disc, disc, disc]) + np.random.default_rng(3).normal(0, 1, (3, 65, 65))
    return SkyImage(flux * scale + sky, bands=("g", "r", "i"), unit="adu")


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "b.x.jpeg"])
def test_composites_are_known_by_name(name):
    assert is_composite(name)
    assert is_composite(Path(name))


@pytest.mark.parametrize("name", ["a.fits", "png", "a.png.gz", "a.tiff"])
def test_other_names_are_not_composites(name):
    assert not is_composite(name)


def test_all_256_levels_come_back(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rgb = np.stack([levels, levels[::-1], levels.T], axis=-1)
    image = read_composite(save(tmp_path / "a.png", rgb))
    assert_array_equal(to_rgb(image), rgb)
    write_png(image, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as picture:
        assert picture.mode == "RGB"
        assert_array_equal(np.asarray(picture), rgb)


def test_all_256_grey_levels_come_back(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = read_composite(save(tmp_path / "a.png", levels))
    assert image.bands == ("r",)
    write_png(image, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as picture:
        assert picture.mode == "L"
        assert_array_equal(np.asarray(picture), levels)


def test_flux_is_the_inverse_stretch_with_red_as_i(tmp_path):
    rgb = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = read_composite(save(tmp_path / "a.png", rgb), pixel_scale=0.396)
    assert image.bands == ("g", "r", "i")
    assert image.unit == "nanomaggy"
    assert image.pixel_scale == 0.396
    # The stretch's own formula, y = asinh(10 x)/3 and x = (f + 0.1)/4.1.
    expected = np.sinh(rgb * (3 / 255)) / 10 * 4.1 - 0.1
    np.testing.assert_allclose(image.flux, np.moveaxis(expected, -1, 0)[::-1, ::-1], atol=1e-5)


def test_the_top_row_is_the_last_as_a_viewer_of_fits_shows_it(tmp_path):
    values = np.zeros((4, 5), np.uint8)
    values[0, 1] = 255
    image = read_composite(save(tmp_path / "a.png", values))
    assert np.unravel_index(image.flux[0].argmax(), (4, 5)) == (3, 1)


def test_alpha_is_dropped(tmp_path):
    rgba = RNG.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    assert_array_equal(to_rgb(read_composite(save(tmp_path / "a.png", rgba))), rgba[..., :3])


def test_grey_with_alpha(tmp_path):
    grey_alpha = RNG.integers(0, 256, (5, 7, 2), dtype=np.uint8)
    image = read_composite(save(tmp_path / "a.png", grey_alpha))
    assert image.bands == ("r",)
    assert_array_equal(to_rgb(image)[..., 0], grey_alpha[..., 0])


def test_palette(tmp_path):
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[1, 2] = (10, 200, 30)
    image = read_composite(save(tmp_path / "a.png", rgb, mode="P"))
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        expected = np.asarray(picture.convert("RGB"))
    assert_array_equal(to_rgb(image), expected)


def test_sixteen_bit_grey(tmp_path):
    deep = np.array([[0, 257, 65535]], np.uint16)
    image = read_composite(save(tmp_path / "a.png", deep))
    np.testing.assert_allclose(
        image.flux[0], GalaxyGANStretch().inverse(np.array([[0, 1 / 255, 1]])), atol=1e-6
    )


def test_jpeg(tmp_path):
    rgb = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    path = tmp_path / "a.jpg"
    Image.fromarray(rgb).save(path, quality=95)
    with Image.open(path) as picture:
        expected = np.asarray(picture)
    assert_array_equal(to_rgb(read_composite(path)), expected)


def test_a_real_composite_comes_back(tmp_path):
    if not (SHARED / "sdss_composites.tar").exists():
        pytest.skip("needs ../shared")
    with tarfile.open(SHARED / "sdss_composites.tar") as tar:
        member = next(m for m in tar if m.name.endswith(".jpg"))
        tar.extract(member, tmp_path, filter="data")
    image = read_composite(tmp_path / member.name)
    assert image.shape == (3, 224, 224)
    with Image.open(tmp_path / member.name) as picture:
        assert_array_equal(to_rgb(image), np.asarray(picture))


# --- bad input -------------------------------------------------------------------------------


def refused(path: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        read_composite(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert ";" in text


def test_missing(tmp_path):
    refused(tmp_path / "a.png", "not found")


@pytest.mark.parametrize("content", [b"", b"hello", b"SIMPLE  =", b"\x89PNG\r\n\x1a\n"])
def test_not_a_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    refused(tmp_path / "a.png", "is not a PNG or JPEG picture|cannot be decoded")


def test_a_picture_of_another_format(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif")
    refused((tmp_path / "a.gif").rename(tmp_path / "a.png"), "not a PNG or JPEG")


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_truncated(tmp_path, kind):
    held = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(held, kind)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(held.getvalue()[: len(held.getvalue()) // 2])
    refused(path, "cannot be decoded")


@pytest.mark.parametrize("limit", [60, 30])
def test_decompression_bomb(tmp_path, monkeypatch, limit):
    # Pillow warns above its limit and refuses above twice that: both are refused here.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    refused(save(tmp_path / "a.png", np.zeros((10, 10), np.uint8)), f"more than {limit} pixels")


def test_a_folder(tmp_path):
    refused(tmp_path, "cannot be decoded")


# --- pictures --------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "sky"), [(1.0, 0.0), (1e-3, 7.0), (1e6, -1e5)])
def test_any_unit_gives_a_sensible_picture(scale, sky):
    rgb = to_rgb(galaxy(scale, sky))
    corner, centre = rgb[:8, :8], rgb[31:34, 31:34]
    assert 10 < np.median(corner) < 90
    assert centre.min() > 200
    assert len(np.unique(rgb)) > 60


def test_the_picture_does_not_depend_on_unit_or_zero_point():
    image = galaxy()
    moved = SkyImage(image.flux * 64 + 512, bands=image.bands, unit="electron")
    difference = to_rgb(moved).astype(int) - to_rgb(image).astype(int)
    assert np.abs(difference).max() <= 1


def test_a_sky_cut_to_zero_still_shows_its_galaxy():
    flux = np.where(galaxy().flux > 20, galaxy().flux, 0)
    rgb = to_rgb(SkyImage(flux, unit="adu"))
    assert rgb[32, 32].min() > 200
    assert rgb[0, 0].max() < 100


def test_a_constant_image_is_even():
    assert len(np.unique(to_rgb(SkyImage(np.full((4, 5), 3.0))))) == 1


@pytest.mark.parametrize("unit", ["nanomaggy", "adu"])
def test_nan_is_black(unit):
    flux = galaxy(0.01).flux.copy()
    flux[:, 3, 4] = np.nan
    rgb = to_rgb(SkyImage(flux, unit=unit))
    assert_array_equal(rgb[-4, 4], [0, 0, 0])
    assert rgb.max() > 100


def test_all_nan_is_black():
    assert not to_rgb(SkyImage(np.full((4, 5), np.nan))).any()


def test_one_band_is_grey():
    rgb = to_rgb(SkyImage(galaxy().flux[0]))
    assert_array_equal(rgb[..., 0], rgb[..., 1])
    assert_array_equal(rgb[..., 0], rgb[..., 2])


@pytest.mark.parametrize(
    ("bands", "bright", "channel"),
    [
        (("g", "r", "i"), 2, 0),
        (("i", "r", "g"), 0, 0),
        (("i", "r", "g"), 2, 2),
        (("HSC_G", "HSC_R", "HSC_I", "HSC_Z", "HSC_Y"), 4, 0),
        (("HSC_G", "HSC_R", "HSC_I", "HSC_Z", "HSC_Y"), 2, 1),
        (("F606W", "F814W"), 1, 0),
        (("blue", "middle", "far"), 0, 2),
    ],
)
def test_the_reddest_band_is_red(bands, bright, channel):
    flux = np.full((len(bands), 4, 4), -0.1, np.float32)
    flux[bright] = 4.0
    rgb = to_rgb(SkyImage(flux, bands=bands, unit="nanomaggy"))
    assert rgb[0, 0].argmax() == channel
    assert rgb[0, 0, channel] == 255


def test_write_png_refuses_other_names_and_existing_files(tmp_path):
    image = galaxy()
    with pytest.raises(UsageError, match=r"end its name in \.png"):
        write_png(image, tmp_path / "a.jpg")
    path = write_png(image, tmp_path / "a.png")
    with pytest.raises(UsageError, match="exists already"):
        write_png(image, path)
    before = path.read_bytes()
    assert write_png(image, path, overwrite=True).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
