"""Pictures of anything: how they stand, their colours and their stretch; and deep composites."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps

import pellucid
from pellucid.cli import main
from pellucid.display import Lupton, lupton_of, read_composite, to_rgb, write_png
from pellucid.errors import InputError
from pellucid.sky.bands import by_wavelength, wavelength
from pellucid.sky.image import SkyImage
from pellucid.stretch import GalaxyGANStretch

RNG = np.random.default_rng(4)


def star(row: int, colours=(1.0, 1.0, 1.0), sky=(0.0, 0.0, 0.0)) -> np.ndarray:
    """A star of these colours at (row, 20) in noise, shape (3, 48, 40)."""
    y, x = np.mgrid[:48, :40]
    light = 300 * np.exp(-((y - row) ** 2 + (x - 20) ** 2) / 8.0)
    noise = np.random.default_rng(1).normal(0, 1, (3, 48, 40))
    return np.stack([c * light + s for c, s in zip(colours, sky, strict=True)]) + noise


# --- how they stand --------------------------------------------------------------------------


def test_the_first_row_is_at_the_bottom(tmp_path):
    path = write_png(SkyImage(star(5)[0]), tmp_path / "a.png")
    with Image.open(path) as picture:
        assert np.unravel_index(np.asarray(picture).argmax(), (48, 40))[0] == 48 - 1 - 5


def test_a_composite_stands_alike_as_picture_and_as_fits(tmp_path):
    rgb = RNG.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    image = pellucid.read_image(tmp_path / "a.png")
    pellucid.write_image(image, tmp_path / "b.fits")
    pellucid.write_image(image, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as picture:
        assert_array_equal(np.asarray(picture), rgb)
    red = GalaxyGANStretch().forward(fits.getdata(tmp_path / "b.fits")[2])
    np.testing.assert_allclose(red[::-1] * 255, rgb[..., 0], atol=1e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_a_picture_as_viewers_do(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb = RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "a.jpg") as picture:
        seen = np.asarray(ImageOps.exif_transpose(picture))
    assert_array_equal(to_rgb(read_composite(tmp_path / "a.jpg")), seen)


# --- 16 bits a colour ------------------------------------------------------------------------


def predicted(kind: int, a: int, b: int, c: int) -> int:
    """What PNG's filters 0 to 4 foretell of a byte: none, left, above, their mean, Paeth's."""
    p = a + b - c
    nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
    return (0, a, b, (a + b) // 2, nearest)[kind]


def encoded(rows: np.ndarray, kinds: np.ndarray) -> bytes:
    """The bytes of a pass, shape (y, x, byte), filtered as PNG's specification says."""
    height, width, count = rows.shape
    padded = np.zeros((height + 1, width + 1, count), int)
    padded[1:, 1:] = rows
    lines = []
    for y in range(height):
        line = bytearray([kinds[y]])
        for x in range(width):
            left, above, corner = padded[y + 1, x], padded[y, x + 1], padded[y, x]
            for k in range(count):
                foretold = predicted(kinds[y], left[k], above[k], corner[k])
                line.append((int(rows[y, x, k]) - foretold) % 256)
        lines.append(bytes(line))
    return b"".join(lines)


def save_deep(path: Path, pixels: np.ndarray, interlaced: bool = False) -> Path:
    """A 16-bit PNG of pixels (y, x, colour), every row with another filter."""
    height, width, count = pixels.shape
    raw = pixels.astype(">u2").view("u1").reshape(height, width, 2 * count)
    steps = [(0, 0, 1, 1)]
    if interlaced:
        steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2)]
        steps += [(0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [raw[y::dy, x::dx] for y, x, dy, dx in steps]
    data = b"".join(encoded(p, np.arange(len(p)) % 5) for p in passes if p.size)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, interlaced)
    packed = zlib.compress(data)
    chunks = [(b"IHDR", head), (b"IDAT", packed[:50]), (b"IDAT", packed[50:]), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c))
            for kind, c in chunks
        )
    )
    return path


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_all_16_bits_of_a_colour_are_read(tmp_path, count, interlaced):
    pixels = RNG.integers(0, 65536, (13, 11, count), dtype=np.uint16)
    pixels[:, 4:8] = np.sort(pixels[:, 4:8], axis=0) // 7  # smooth, so that every filter is used
    image = read_composite(save_deep(tmp_path / "a.png", pixels, interlaced))
    colours = pixels[..., :3] if count > 2 else pixels[..., :1]
    expected = GalaxyGANStretch().inverse(np.moveaxis(colours / 65535, -1, 0)[::-1, ::-1])
    np.testing.assert_allclose(image.flux, expected, atol=2e-6)
    assert image.bands == (("g", "r", "i") if count > 2 else ("r",))


@pytest.mark.parametrize("kept", [60, 120, 200])
def test_a_deep_picture_that_is_cut_off_is_refused(tmp_path, kept):
    path = save_deep(tmp_path / "a.png", RNG.integers(0, 65536, (13, 11, 3), dtype=np.uint16))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"a\.png: cannot be decoded .*; "):
        read_composite(path)


# --- stretch and colour ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bands", "red_first"),
    [(("g", "r", "i"), (2, 1, 0)), (("i", "r", "g"), (0, 1, 2)), (("R", "G", "B"), (0, 1, 2))],
)
def test_what_a_picture_says_of_its_stretch_draws_it_again(tmp_path, bands, red_first):
    from astropy.visualization import make_lupton_rgb

    image = SkyImage(star(9, (3, 1, 0.4), (100, 40, -7)), bands=bands, unit="adu")
    with Image.open(write_png(image, tmp_path / "a.png")) as picture:
        drawn, said = np.asarray(picture), picture.text["Comment"]
    assert said.endswith(f"{bands[red_first[0]]}, {bands[1]}, {bands[red_first[2]]} (red first)")
    call = said[said.index("make_lupton_rgb") : said.index(")") + 1]
    planes = dict(zip("rgb", image.flux[list(red_first)].astype(float), strict=True))
    again = eval(call, {"make_lupton_rgb": make_lupton_rgb, **planes})
    assert_array_equal(drawn, again[::-1])
    assert drawn.max() == 255


def test_a_band_in_another_unit_is_drawn_like_the_others(tmp_path):
    """VIS and NISP of Euclid have zero points of 24.6 and 30: their noise differs by 100."""
    from astropy.visualization import make_lupton_rgb

    alike = SkyImage(star(9, (3, 1, 0.4), (100, 40, -7)), bands=("NIR_H", "NIR_J", "VIS"))
    other = alike.with_flux(alike.flux * np.reshape((1, 1, 0.005), (3, 1, 1)))
    assert lupton_of(alike).noise == ()
    with Image.open(write_png(other, tmp_path / "a.png")) as picture:
        drawn, said = np.asarray(picture).astype(int), picture.text["Comment"]
    # Each in units of its own noise is nearly each in units of the noise of all.
    assert np.abs(drawn - to_rgb(alike)).mean() < 1.0
    call, names = said.removesuffix(" (red first)").split(" of ")
    units = dict(name.split(" / ") for name in names.split(", "))
    assert tuple(units) == alike.bands
    planes = [other.flux[k] / float(unit) for k, unit in enumerate(units.values())]
    call = call[call.index("make_lupton_rgb") :]
    again = eval(
        call, {"make_lupton_rgb": make_lupton_rgb, **dict(zip("rgb", planes, strict=True))}
    )
    assert np.abs(drawn - again[::-1]).max() <= 1


@pytest.mark.parametrize("factor", [1e-30, 1e-9, 1e6, 1e30])
@pytest.mark.parametrize("unit", ["Jy", "nanomaggy", None])
def test_a_picture_is_the_same_in_any_unit(factor, unit):
    flux = star(9, (3, 1, 0.4), (10, 4, -7))
    pictures = [
        to_rgb(SkyImage(flux * k, bands=("R", "G", "B"), unit=unit, header=fits.Header()))
        for k in (1.0, factor)
    ]
    assert np.abs(pictures[1].astype(int) - pictures[0]).max() <= 1
    assert pictures[0].max() == 255
    assert 10 < np.median(pictures[0]) < 50


def test_what_is_masked_has_no_say_in_the_stretch():
    flux = star(9).astype("f4")
    bad = np.zeros(flux.shape, bool)
    bad[:, :30, 24:] = True
    spoiled = SkyImage(np.where(bad, -9999.0, flux), mask=bad)
    there, hole = (lupton_of(SkyImage(np.where(bad, v, flux), mask=bad)) for v in (7.0, np.nan))
    assert lupton_of(spoiled) == there == hole


def test_two_images_can_be_drawn_in_one_stretch():
    bright, faint = (SkyImage(k * star(9)[0]) for k in (1.0, 0.5))
    shown = to_rgb(faint, lupton_of(bright))
    assert shown.max() < to_rgb(faint).max()
    assert isinstance(lupton_of(bright), Lupton)


def test_a_cube_of_a_camera_keeps_its_colours(tmp_path):
    cube = np.clip(10 * star(20, (3, 1, 0.4)) + 1000, 0, 65535).astype("u2")
    header = fits.Header({"CTYPE3": "RGB", "ROWORDER": "TOP-DOWN", "PIXSCALE": 2.4})
    fits.writeto(tmp_path / "a.fits", cube, header)
    words = ["--method", "wiener", "--psf", "5", "--output", tmp_path / "b.fits"]
    words += ["--png", tmp_path / "b.png"]
    assert main(["restore", str(tmp_path / "a.fits"), *map(str, words)]) == 0
    with Image.open(tmp_path / "b.png") as picture:
        rgb = np.asarray(picture)[48 - 1 - 20 - 2 : 48 - 20 + 2, 17:24].reshape(-1, 3).mean(axis=0)
    assert rgb[0] > 1.5 * rgb[1] > 1.5 * rgb[2]


@pytest.mark.parametrize(
    ("bands", "order"),
    [
        (("g", "r", "i"), [0, 1, 2]),
        (("R", "G", "B"), [2, 1, 0]),
        (("HSC_G", "HSC_R2", "HSC_I2"), [0, 1, 2]),
        (("F814W", "F606W", "F160W"), [1, 0, 2]),
        (("F444W", "F115W", "F277W"), [1, 2, 0]),
        (("K", "J", "H"), [1, 2, 0]),
        (("NIR_H", "VIS", "NIR_Y"), [1, 2, 0]),
        (("SDSS_i", "DECam r", "g DECam SDSS c0001 4720.0 1520.0"), [2, 1, 0]),
        (("one", "g", "two"), [0, 1, 2]),
    ],
)
def test_bands_are_ordered_by_their_wavelengths(bands, order):
    assert by_wavelength(bands) == order


@pytest.mark.parametrize(
    ("band", "nanometres"), [("F606W", 606), ("F160W", 1600), ("F356W", 3560), ("F2100W", 21000)]
)
def test_the_filters_of_space_telescopes_say_their_wavelengths(band, nanometres):
    assert wavelength(band) == nanometres


def test_what_is_below_the_noise_of_its_image_stays_dark_in_a_restoration():
    y, x = np.indices((64, 64)) - 32.0
    light, noise = (
        100.0 * np.exp(-(y**2 + x**2) / 20.0),
        np.random.default_rng(4).normal(size=y.shape),
    )
    noisy, quiet = (SkyImage((light + k * noise)[None].astype("f4")) for k in (1.0, 0.01))
    alone, beside = (to_rgb(quiet, lupton_of(quiet, of))[:8].std() for of in (None, noisy))
    assert beside < 0.1 * alone
    assert lupton_of(noisy, noisy) == lupton_of(noisy)


# --- holes ---------------------------------------------------------------------------------


def test_a_hole_in_one_band_is_no_spot_of_colour():
    grey = star(24)
    mask = np.zeros(grey.shape, dtype=bool)
    mask[1, 26:28, 20:22] = True
    holed = np.where(mask, 5e4, grey)
    drawn = to_rgb(SkyImage(holed, mask=mask))[::-1].astype(int)
    assert np.ptp(drawn[26:28, 20:22], axis=-1).max() < 50
    assert_array_equal(to_rgb(SkyImage(np.where(mask, np.nan, grey)))[::-1], drawn)


def test_only_a_wide_hole_in_all_bands_is_left_as_it_is():
    mask = np.zeros((3, 48, 40), dtype=bool)
    mask[:, :, 7] = mask[:, :, 32:] = True
    drawn = to_rgb(SkyImage(np.where(mask, 5e4, star(24)), mask=mask))
    assert (drawn[:, 32:] >= 254).all()
    assert drawn[:, 7].max() < 128
    drawn = to_rgb(SkyImage(np.where(mask, np.nan, star(24))))
    assert (drawn[:, 7] == 0).all()
