"""A network that is told the blur needs one file, and one line where networks are listed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from patches import galaxies  # noqa: E402
from toy import TOY, ToyRecipe  # noqa: E402

from pellucid.cli import main  # noqa: E402
from pellucid.data.batches import PairSampler  # noqa: E402
from pellucid.data.channels import network_inputs  # noqa: E402
from pellucid.data.made import write_pairs  # noqa: E402
from pellucid.data.pairs import open_made  # noqa: E402
from pellucid.data.splits import Split  # noqa: E402
from pellucid.errors import InputError  # noqa: E402
from pellucid.fits import read_image, write_image  # noqa: E402
from pellucid.networks.architectures import ARCHITECTURES  # noqa: E402
from pellucid.optics import Degradation  # noqa: E402
from pellucid.restoration import load_restorer  # noqa: E402
from pellucid.stretch import GalaxyGANStretch  # noqa: E402
from pellucid.training.run import train  # noqa: E402

WEAK, STRONG = Degradation(1.0, 0.05), Degradation(2.0, 0.05)
RECIPE = ToyRecipe(
    name="toy",
    stretch={"name": "galaxygan", "clip": False},
    size=32,
    batch=4,
    steps=20,
    learning_rate=1e-2,
    checkpoint_every=20,
    validate_every=20,
    validation_images=1,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "pairs.h5"
    write_pairs(path, galaxies(), [WEAK, STRONG])
    return open_made(path)


@pytest.fixture(scope="module")
def bundle(store, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(ARCHITECTURES, "toy", TOY)
        torch.set_num_threads(1)
        split = Split(np.arange(5), np.array([5]))
        return train(RECIPE, store, tmp_path_factory.mktemp("run"), split=split, progress=False)


def test_training_and_restoring_tell_it_the_same(store, bundle):
    """ln FWHM in pixels, one plane behind the bands; onnxruntime needs no class of the network."""
    restorer, told = load_restorer(bundle), []

    def listen(tiles: np.ndarray) -> np.ndarray:
        told.append(tiles[:, 3])
        return tiles[:, :3]

    listener = replace(restorer, network=listen)
    pair = store.through(STRONG).pair(5)
    for words in ({"blur": pair.blur}, {"blur": 2.0}, {"psf": 2.5, "target": 1.5}):
        listener(pair.blurred, **words)
        np.testing.assert_allclose(told[-1], np.log(2.0 / 0.396), rtol=0.01)
    sampler = PairSampler(
        store=store.through(STRONG), indices=np.arange(5), stretch=GalaxyGANStretch(), size=32,
        batch=4, seed=0, inputs=network_inputs(restorer.card.network),
    )  # fmt: skip
    np.testing.assert_allclose(sampler[0].blurred[:, 3], told[0].flat[0], rtol=1e-5)


def test_it_must_be_told(store, bundle):
    with pytest.raises(InputError, match="must know the blur"):
        load_restorer(bundle)(store.pair(5).blurred)


def test_the_command_line_tells_it(store, bundle, tmp_path, capsys):
    write_image(store.pair(5).blurred, tmp_path / "in.fits")
    command = ["restore", str(tmp_path / "in.fits"), "--model", str(bundle)]
    fluxes = []
    for words in (["--blur", "1.0"], ["--psf", "1.5", "--target", "1.118"], ["--blur", "2.0"]):
        output = tmp_path / f"{len(fluxes)}.fits"
        assert main([*command, *words, "--output", str(output)]) == 0
        fluxes.append(read_image(output).flux)
    # 1.5² − 1.118² = 1.0²: the same blur, from the psf and the target.
    assert np.abs(fluxes[1] - fluxes[0]).max() < 0.1 * np.abs(fluxes[2] - fluxes[0]).max()
    assert main([*command, "--output", str(tmp_path / "none.fits")]) == 3
    assert "--blur FWHM_ARCSEC" in capsys.readouterr().err
