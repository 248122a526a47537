"""The kinds of files that are damaged: a good one of each, how, and what is asked of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mutations
import numpy as np
from mutations import Mutation

SIDE, SCALE = 48, 0.4
WIENER, SMALL = ("--method", "wiener", "--psf", "1.2"), ("--size", "16")
DEGRADE = ("--degrade", "fwhm=1.2 noise=2")


@dataclass(frozen=True)
class Kind:
    """Files of one kind.

    Parameters
    ----------
    good
        Makes good ones: names and bytes.
    damage
        How one is damaged.
    commands
        What is asked of it, one of these at random; FILE is the damaged file, GOOD an image that
        is whole, FOLDER that in which the image stands.
    """

    good: Callable[[], dict[str, bytes]]
    damage: Sequence[Mutation]
    commands: Sequence[tuple[str, ...]]


def galaxy(bands: int = 1) -> np.ndarray:
    """A galaxy with noise, (band, y, x) or (y, x)."""
    y, x = np.mgrid[:SIDE, :SIDE] - 0.5 * SIDE
    light = 300.0 * np.exp(-np.hypot(y, 1.4 * x) / 4.0)
    noise = np.random.default_rng(1).normal(0.0, 1.0, (bands, SIDE, SIDE))
    return (light + noise).astype("f4")


def header() -> dict[str, object]:
    """Cards of a sky."""
    return {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.1, "CRVAL2": 2.2, "CRPIX1": 24.5,
        "CRPIX2": 24.5, "CD1_1": -SCALE / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": SCALE / 3600,
        "BUNIT": "nanomaggy", "FILTER": "r", "TELESCOP": "SDSS 2.5m", "OBJECT": "NGC 1",
    }  # fmt: skip


def written(hdus: Sequence[object]) -> bytes:
    """The bytes of a FITS file."""
    from astropy.io import fits

    stream = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(stream)  # pyright: ignore
    return stream.getvalue()


def good_images() -> dict[str, bytes]:
    """FITS images as they come: a plane, a cube, with planes of errors and flags, compressed."""
    from astropy.io import fits

    cards = fits.Header(header())
    plane, cube = galaxy()[0], galaxy(3)
    flags = np.zeros((SIDE, SIDE), "i2")
    flags[3:6, 4:9] = 4
    integers = fits.PrimaryHDU(np.rint(plane).astype("i2"), cards)
    integers.header["BLANK"] = -32768
    several = [
        fits.PrimaryHDU(),
        fits.ImageHDU(plane, cards, name="SCI"),
        fits.ImageHDU(np.ones_like(plane), name="ERR"),
        fits.ImageHDU(flags, name="DQ"),
    ]
    packed = [fits.PrimaryHDU(), fits.CompImageHDU(plane, cards, name="SCI")]
    banded = fits.PrimaryHDU(cube, cards)
    banded.header.update(BAND1="g", BAND2="r", BAND3="i")
    return {
        "plane.fits": written([fits.PrimaryHDU(plane, cards)]),
        "cube.fits": written([banded]),
        "several.fits": written(several),
        "packed.fits": written(packed),
        "integers.fits": written([integers]),
    }


def good_psfs() -> dict[str, bytes]:
    """PSFs: a stamp, a PSFEx model, a grid."""
    from astropy.io import fits

    y, x = np.mgrid[-12:13, -12:13]
    stamp = np.exp(-(y**2 + x**2) / 6.0).astype("f4")
    cards = fits.Header({"PIXSCALE": SCALE})
    mask = np.stack([stamp, 0.1 * stamp, 0.0 * stamp]).astype("f4")
    column = fits.Column("PSF_MASK", f"{mask.size}E", dim="(25,25,3)", array=mask[None])
    model = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    model.header.update(
        POLNAXIS=2, POLNAME1="X_IMAGE", POLZERO1=24.0, POLSCAL1=24.0, POLGRP1=1, POLNAME2="Y_IMAGE",
        POLZERO2=24.0, POLSCAL2=24.0, POLGRP2=1, POLNGRP=1, POLDEG1=1, PSF_SAMP=1.0,
    )  # fmt: skip
    grid = fits.PrimaryHDU(np.stack([stamp] * 4))
    grid.header.update(
        OVERSAMP=1, **{f"DET_YX{k}": f"({40 * (k // 2)}, {40 * (k % 2)})" for k in range(4)}
    )
    return {
        "stamp.fits": written([fits.PrimaryHDU(stamp, cards)]),
        "model.psf": written([fits.PrimaryHDU(), model]),
        "grid.fits": written([grid]),
    }  # fmt: skip


def good_pictures() -> dict[str, bytes]:
    """Composites."""
    from PIL import Image

    value = np.clip(galaxy(3), 0, 255).astype("u1").transpose(1, 2, 0)
    found = {}
    for name, kind in (("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.tif", "TIFF")):
        stream = io.BytesIO()
        Image.fromarray(value).save(stream, kind)
        found[name] = stream.getvalue()
    return found


def good_catalogues() -> dict[str, bytes]:
    """Tables of objects."""
    from astropy.io import fits
    from astropy.table import Table

    rows = {"id": ["one", "two"], "ra": [150.1, 150.1], "dec": [2.2, 2.2002], "mag": [20.0, 21.0]}
    table = Table(rows)
    found = {"a.csv": b"id,ra,dec,mag\none,150.1,2.2,20\ntwo,150.1,2.2002,21\n"}
    for name, form in (("a.vot", "votable"), ("a.ecsv", "ascii.ecsv")):
        stream = io.BytesIO() if form == "votable" else io.StringIO()
        table.write(stream, format=form)
        value = stream.getvalue()
        found[name] = value if isinstance(value, bytes) else value.encode()
    found["a.fits"] = written([fits.PrimaryHDU(), fits.BinTableHDU(table)])
    return found


def good_recipes() -> dict[str, bytes]:
    """YAML that trains."""
    text = (
        "name: tiny\nmodel: galaxygan\nnetwork: {width: 4, levels: 3, norm: batch}\n"
        "stretch: {name: noise, high: 1000}\nsize: 32\nbatch: 2\nsteps: 1\nvalidate_every: 1\n"
        "validation_images: 1\ncheckpoint_every: 1\nseed: 5\n"
    )
    return {"a.yaml": text.encode()}


def good_bundles() -> dict[str, bytes]:
    """A network that nobody trained, with its card."""
    import tempfile

    import torch

    from pellucid.networks.bundle import Card
    from pellucid.networks.export import build_generator, write_bundle

    torch.manual_seed(1)
    network = {"bands": 1, "width": 4, "levels": 3, "norm": "batch", "dropout": 0.0}
    card = Card(
        name="untrained", model="galaxygan", network=network, bands=("r",), single_band=True,
        pixel_scale=SCALE, stretch={"name": "noise", "softening": 5, "low": -10, "high": 1000},
        fwhm=(1.0, 1.8), noise=(2.0, 2.0), tile=32, multiple=8,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = write_bundle(build_generator("galaxygan", network), card, Path(folder, "a.onnx"))
        return {"a.onnx": path.read_bytes()}


def other_card(content: bytes, rng: np.random.Generator) -> bytes:
    """A bundle whose card has other fields, and a digest that is right."""
    from pellucid.networks.bundle import digest_of

    start = content.index(b'{"', content.rindex(b"pellucid_card"))
    fields, length = json.JSONDecoder().raw_decode(content[start:].decode("latin-1"))
    text = json.dumps(_changed(fields, rng), sort_keys=True).encode()[:length].ljust(length)
    found = content[:start] + text + content[start + length :]
    return found[:-64] + digest_of(found).encode()


def other_graph(content: bytes, rng: np.random.Generator) -> bytes:
    """A bundle whose network was damaged, and a digest that is right."""
    from pellucid.networks.bundle import digest_of

    start = content.rindex(b"pellucid_card") - 40
    found = mutations.flipped(content[:start], rng) + content[start:]
    return found[:-64] + digest_of(found).encode()


def _changed(value: object, rng: np.random.Generator) -> object:
    """JSON in which something is something else."""
    odd: tuple[object, ...] = (
        None,
        -1,
        0,
        1e308,
        "x",
        [],
        {},
        [1],
        True,
        "\x1b[31m",
        float("nan"),
        10**30,
    )
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = str(rng.choice(list(value)))
        if rng.random() < 0.2:
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: _changed(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.6:
        place = int(rng.integers(len(value)))
        return [_changed(each, rng) if k == place else each for k, each in enumerate(value)]
    return odd[rng.integers(len(odd))]


def good_stores() -> dict[str, bytes]:
    """A pair store of a few galaxies."""
    import tempfile

    from astropy.io import fits

    from pellucid.cli import main

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "sharp")
        folder.mkdir()
        for k in range(12):
            cards = fits.Header(header())
            fits.PrimaryHDU(np.roll(galaxy()[0], k, axis=0), cards).writeto(folder / f"{k}.fits")
        store = Path(name, "a.h5")
        typed = ["pairs", "--sharp", folder, "--degrade", "fwhm=1.2 noise=2", "--output", store]
        assert main([*map(str, typed)]) == 0
        return {"a.h5": store.read_bytes()}


def other_store(content: bytes, rng: np.random.Generator) -> bytes:
    """A store in which a dataset, a link or an attribute is something else."""
    import h5py

    odd: tuple[object, ...] = (
        0,
        -1,
        0.0,
        np.nan,
        "x",
        b"\xff",
        "[" * 5000,
        np.zeros(0),
        np.zeros((2, 2)),
        "\x1b[31m",
    )
    stream = io.BytesIO(content)
    with h5py.File(stream, "r+") as file:
        names = [""]
        file.visit(names.append)
        name = str(rng.choice(names)) or "/"
        where = file[name]
        value = odd[rng.integers(len(odd))]
        attributes = list(where.attrs)
        if attributes and rng.random() < 0.6:
            key = str(rng.choice(attributes))
            del where.attrs[key]
            if rng.random() < 0.8:
                where.attrs[key] = value
        elif name != "/":
            del file[name]
            made = rng.random()
            if made < 0.5:
                file[name] = value
            elif made < 0.7:
                file[name] = h5py.SoftLink("/" + name)
            elif made < 0.85:
                file[name] = file["/"]
    return stream.getvalue()


KINDS = {
    "FITS images": Kind(
        good_images,
        mutations.OF_FITS,
        (
            ("info", "FILE", "--json"),
            ("restore", "FILE", *WIENER, "--output", "out.fits"),
            ("restore", "FILE", "--model", "pellucid", "--psf", "1.2", "--output", "out.fits"),
            ("degrade", "FILE", "--fwhm", "1.5", "--noise", "2", "--output", "out.fits"),
            ("psf", "FILE", "--output", "out.fits"),
            ("evaluate", "--truth", "GOOD", "--restored", "FILE"),
            ("restore", "GOOD", "FILE", *WIENER, "--output", "out.fits"),
            ("restore", "FOLDER", *WIENER, "--output", "out/"),
        ),
    ),
    "PSFs": Kind(
        good_psfs,
        mutations.OF_FITS,
        (
            ("restore", "GOOD", "--method", "wiener", "--psf", "FILE", "--output", "out.fits"),
            ("degrade", "GOOD", "--psf", "FILE", "--noise", "2", "--output", "out.fits"),
            ("info", "FILE"),
        ),
    ),
    "pictures": Kind(
        good_pictures,
        mutations.ANY,
        (
            ("info", "FILE"),
            ("restore", "FILE", "--pixel-scale", "0.4", *WIENER, "--output", "out.png"),
        ),
    ),
    "catalogues": Kind(
        good_catalogues,
        mutations.OF_TEXT,
        (
            ("restore", "--catalogue", "FILE", "--image", "GOOD", *WIENER, *SMALL, "-o", "out/"),
            ("pairs", "--sharp", "FOLDER", "--catalogue", "FILE", *DEGRADE, "--output", "out.h5"),
        ),
    ),
    "recipes": Kind(
        good_recipes, mutations.OF_TEXT, (("train", "FILE", "--data", "STORE", "--output", "run"),)
    ),
    "bundles": Kind(
        good_bundles,
        (*mutations.ANY, other_card, other_card, other_card, other_graph),
        (
            ("models", "FILE"),
            ("restore", "GOOD", "--model", "FILE", "--psf", "1.2", "--output", "out.fits"),
        ),
    ),
    "stores": Kind(
        good_stores,
        (*mutations.ANY, other_store, other_store, other_store),
        (
            ("evaluate", "--data", "FILE", "--method", "wiener", "--limit", "2"),
            ("info", "FILE"),
        ),
    ),
}  # fmt: skip
