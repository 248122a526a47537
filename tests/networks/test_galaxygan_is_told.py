"""GalaxyGAN's generator may be told more than the image, and begin where Wiener's filter ends."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from patches import galaxies  # noqa: E402

from pellucid.data.channels import Known, input_channels, starting_planes  # noqa: E402
from pellucid.data.made import write_pairs  # noqa: E402
from pellucid.data.pairs import open_made  # noqa: E402
from pellucid.data.splits import Split  # noqa: E402
from pellucid.deconvolution.bank import wiener_bank  # noqa: E402
from pellucid.errors import InputError  # noqa: E402
from pellucid.networks.bundle import open_bundle  # noqa: E402
from pellucid.networks.export import read_generator  # noqa: E402
from pellucid.networks.galaxygan import GalaxyGANConfig, Generator  # noqa: E402
from pellucid.optics import Degradation  # noqa: E402
from pellucid.restoration import load_restorer  # noqa: E402
from pellucid.sky import robust_background  # noqa: E402
from pellucid.stretch import GalaxyGANStretch, to_network  # noqa: E402
from pellucid.training.galaxygan import GalaxyGANRecipe  # noqa: E402
from pellucid.training.run import train  # noqa: E402

INPUTS = ("image", "wiener")
STRETCH = GalaxyGANStretch(clip=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "pairs.h5"
    write_pairs(path, galaxies(), [Degradation(1.8, 1.0)])
    return open_made(path)


@pytest.fixture(scope="module")
def channels(store):
    pair = store.pair(5)
    flux, sky = pair.blurred.flux, robust_background(pair.blurred.flux)
    value = to_network(STRETCH.forward(flux, sky))
    return pair, sky, input_channels(INPUTS, Known(value, flux, sky, pair.blur, STRETCH))


def silenced(network):
    """The network drawing nothing: its last convolution is zero."""
    last = network.decoder[-1].convolution if network.fine is None else network.fine[-1]
    torch.nn.init.zeros_(last.weight)
    return network.eval()


@pytest.mark.parametrize("fine", [0, 4])
@pytest.mark.parametrize("inputs", [INPUTS, ("image",)])
def test_what_it_draws_is_added_to_what_it_starts_from(channels, inputs, fine):
    pair, sky, planes = channels
    planes = planes[: 12 if "wiener" in inputs else 3]
    config = GalaxyGANConfig(width=4, levels=3, inputs=inputs, residual=True, fine=fine)
    network = silenced(Generator(config))
    with torch.inference_mode():
        found = network(torch.from_numpy(planes[None]))[0].numpy()
    expected = pair.blurred.flux
    if "wiener" in inputs:
        level = sky.sky[:, None, None]
        bands = zip(pair.blurred.flux - level, pair.blur.for_bands(3), strict=True)
        expected = level + np.concatenate([wiener_bank(*each, sky.sigma, (1.0,)) for each in bands])
    np.testing.assert_allclose(found, to_network(STRETCH.forward(expected, sky)), atol=1e-6)


def test_fine_convolutions_see_single_pixels():
    """What moves by one pixel moves so in what is drawn, which half of the pixels cannot tell."""
    config = GalaxyGANConfig(width=4, levels=3, fine=4)
    network = silenced(Generator(config))
    torch.nn.init.normal_(network.fine[-1].weight)
    torch.nn.init.zeros_(network.decoder[-1].convolution.weight)
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, two = network(image), network(image.roll(1, dims=-1)).roll(-1, dims=-1)
    assert torch.allclose(one[..., 4:-4], two[..., 4:-4], atol=1e-6)
    assert one.std() > 0.01


def test_planes_to_start_from_follow_the_channels():
    planes = list(range(20))
    assert planes[starting_planes(("image", "wiener"), 3)] == [4, 7, 10]
    assert planes[starting_planes(("image", "weight", "wiener"), 2)] == [5, 8]
    assert planes[starting_planes(("image", "fwhm"), 3)] == [0, 1, 2]


def test_what_was_trained_so_restores_so(store, tmp_path):
    network = {"width": 4, "levels": 3, "norm": "batch", "inputs": [*INPUTS]}
    network |= {"residual": True, "fine": 4}
    recipe = GalaxyGANRecipe(
        name="told", network=network, stretch={"name": "galaxygan", "clip": False}, size=32,
        batch=2, steps=3, checkpoint_every=3, validate_every=3, validation_images=1,
    )  # fmt: skip
    split = Split(np.arange(5), np.array([5]))
    path = train(recipe, store, tmp_path, split=split, progress=False)
    assert read_generator(open_bundle(path)).start == starting_planes(INPUTS, 3)
    restorer, pair = load_restorer(path), store.pair(5)
    result = restorer(pair.blurred, pair.blur)
    assert np.isfinite(result.image.flux).all()
    with pytest.raises(InputError, match="must know the blur"):
        restorer(pair.blurred)
