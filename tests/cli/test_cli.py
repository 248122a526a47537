"""Every other verb as a person uses it, through ``main(argv)``."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from typed import galaxy_zoo, picture, strict

from pellucid.cli import main
from pellucid.data.pairs import open_pairs
from pellucid.errors import InputError
from pellucid.fits import read_image
from pellucid.networks.bundle import open_bundle, shipped
from pellucid.version import __version__

# --- degrade ---------------------------------------------------------------------------------


def test_degrade_blurs_and_adds_noise(pellucid, bands_of, tmp_path):
    target = tmp_path / "out.fits"
    command = ["degrade", *bands_of, "--fwhm", 1.8, "--noise", 2, "--noise-estimate", "galaxygan"]
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


@pytest.mark.parametrize("form", [["--blurred", "b.fits"], ["--blurred=b.fits"]])
def test_pairs_of_two_mosaics_are_another_verb(form, capsys):
    words = ["pairs", "--sharp", "a.fits", "--selection", "all", *form, "--output", "p.h5"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "pellucid pairs-observed" in said
    assert said.count("\n") == 1


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


def test_models_tells_of_a_bundle_that_is_named(pellucid, tiny_bundle, capsys):
    assert strict(pellucid("models", tiny_bundle, "--json"))[str(tiny_bundle)]["name"] == "tiny"
    printed = pellucid("models", tiny_bundle, "seeinggan-hsc-hst")
    assert open_bundle(tiny_bundle).sha256 in printed
    assert "seeinggan-hsc-hst" in printed
    assert "galaxygan-sdss" not in printed
    assert main(["info", str(tiny_bundle)]) == 3
    assert "a network; restore --model takes it" in capsys.readouterr().err


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


VERBS = (
    "restore",
    "info",
    "degrade",
    "pairs",
    "pairs-observed",
    "train",
    "evaluate",
    "models",
    "demo",
)


def test_help_names_every_verb(pellucid):
    printed = pellucid("--help")
    for verb in VERBS:
        assert verb in printed


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(pellucid, verb):
    printed = pellucid(verb, "--help")
    assert f"pellucid {verb}" in printed
    if verb not in ("models", "info"):
        assert "--output" in printed or "--truth" in printed


def test_without_words_the_help_is_shown(capsys):
    assert main([]) == 2
    printed = "".join(capsys.readouterr())
    assert "restore" in printed


def test_the_module_is_the_command(run_python):
    done = run_python("-m", "pellucid", "--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"pellucid {__version__}")


def test_an_interrupt_leaves_quietly(monkeypatch, bands_of, tmp_path, capsys, files_in):
    from pellucid.batch import request

    def interrupt(*paths: object, **options: object) -> None:
        raise KeyboardInterrupt

    before = files_in(tmp_path)
    monkeypatch.setattr(request, "read_image", interrupt)
    command = ["restore", bands_of[0], "--method", "wiener", "--output", tmp_path / "out.fits"]
    assert main([*map(str, command)]) == 130
    assert files_in(tmp_path) == before


def test_too_little_memory_is_worth_another_try(monkeypatch, bands_of, tmp_path, capsys):
    from pellucid.batch import request

    def exhaust(*paths: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(request, "read_image", exhaust)
    command = ["restore", bands_of[0], "--method", "wiener", "--output", tmp_path / "out.fits"]
    assert main([*map(str, command)]) == 75
    assert "not enough memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", ["[enforce fail] DefaultCPUAllocator: can't allocate memory", "CUDA out of memory."]
)
def test_so_is_too_little_of_it_to_train(
    error, monkeypatch, pair_store, tiny_recipe, tmp_path, capsys
):
    from pellucid.training import run

    def exhaust(*_: object, **__: object) -> None:
        raise RuntimeError(error)

    monkeypatch.setattr(run, "save_checkpoint", exhaust)
    command = ["train", tiny_recipe, "--data", pair_store, "--output", tmp_path / "run"]
    assert main([*map(str, command)]) == 75
    said = capsys.readouterr().err
    assert "not enough memory to train so" in said
    assert "Traceback" not in said


def test_an_error_keeps_its_kind_through_the_command_line(galaxy_folder):
    """A library user meets the same errors as exceptions."""
    with pytest.raises(InputError):
        read_image(galaxy_folder / "none.fits")
