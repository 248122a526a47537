"""SeeingGAN's networks are the paper's, and start well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from torch import nn  # noqa: E402

from pellucid.errors import InputError  # noqa: E402
from pellucid.networks.bundle import open_bundle  # noqa: E402
from pellucid.networks.export import write_bundle  # noqa: E402
from pellucid.networks.seeinggan import Critic, Generator, SeeingGANConfig  # noqa: E402
from pellucid.restoration.engine import load_network  # noqa: E402

NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(kind: type[nn.Module], **settings) -> nn.Module:
    torch.manual_seed(4)
    return kind(SeeingGANConfig(**settings))


def awaken(generator: nn.Module) -> nn.Module:
    """The same network once its residual blocks and its last layer have learnt to speak."""
    torch.manual_seed(5)
    for module in generator.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return generator


# --- the generator ---------------------------------------------------------------------------


def test_the_generator_has_the_papers_layers():
    with torch.device("meta"):
        generator = Generator(SeeingGANConfig())
    modules = list(generator.modules())
    convolutions = [each for each in modules if isinstance(each, nn.Conv2d)]
    strided = [each.out_channels for each in convolutions if each.stride == (2, 2)]
    assert strided == [64, 128, 256, 512]
    assert len(generator.blocks) == 4
    assert sum(isinstance(each, nn.PixelShuffle) for each in modules) == 4
    assert not any(isinstance(each, (*NORMS, nn.ConvTranspose2d, nn.Dropout)) for each in modules)
    inward = [(16, 1, 64), (16, 64, 128), (16, 128, 256), (16, 256, 512)]
    outward = [(9, 1024, 1024), (9, 512, 512), (9, 256, 256), (9, 128, 256)]
    layers = [*inward, *8 * [(9, 512, 512)], *outward, (9, 64, 1)]
    counted = sum(each.numel() for each in generator.parameters())
    assert counted == sum((kernel * inputs + 1) * outputs for kernel, inputs, outputs in layers)


@pytest.mark.parametrize(("bands", "residual"), [(1, False), (3, False), (1, True), (3, True)])
def test_the_generator_keeps_shape_and_range(bands, residual):
    generator = awaken(seeded(Generator, bands=bands, width=4, residual=residual))
    image = 5 * noise(2, bands, 48, 32)
    with torch.inference_mode():
        restored = generator(image)
    assert restored.shape == image.shape
    assert restored.std() > 0.1
    assert (restored.abs().max() > 1) == residual


def test_a_residual_generator_starts_as_nearly_the_identity_and_cuts_nothing_off():
    generator = seeded(Generator, width=8, residual=True)
    image = 3 * noise(2, 1, 64, 64)
    with torch.inference_mode():
        drawn = generator(image) - image
    assert 0 < drawn.std() < 0.1 * image.std()
    for each in (generator.last.weight, generator.last.bias):
        nn.init.zeros_(each)
    torch.testing.assert_close(generator(image), image, rtol=0, atol=0)


def test_features_neither_grow_nor_fade():
    """Without norms, nothing but the initial weights keeps them at the input's size."""
    generator = seeded(Generator, width=16, residual_blocks=8)
    sizes = []
    for module in (*generator.encoder, *generator.blocks, *generator.decoder):
        module.register_forward_hook(lambda *call: sizes.append(call[-1].square().mean().sqrt()))
    with torch.inference_mode():
        restored = generator(noise(2, 1, 128, 128))
    assert len(sizes) == 16
    assert all(0.4 < float(size) < 2.5 for size in sizes)
    assert 0.01 < restored.std() < 0.3  # where the tanh is straight


def test_each_skip_joins_opposite_levels():
    """With nothing from below in a level of the way out, the levels below it are cut off."""
    image = noise(1, 1, 64, 64)
    for level in range(4):
        generator = awaken(seeded(Generator, width=4))
        seen = []
        for down in generator.encoder:
            down.register_forward_hook(lambda *call, seen=seen: seen.append(call[-1]))
        up = generator.decoder[3 - level]
        joined = []
        up.register_forward_pre_hook(lambda *call, joined=joined: joined.append(call[-1][0]))
        below = up.convolution.in_channels // 2
        with torch.no_grad():
            up.convolution.weight[:, :below] = 0
        restored = generator(image)
        assert torch.equal(joined[0][:, below:], seen[level])
        gradients = torch.autograd.grad(restored.sum(), seen, allow_unused=True)
        reached = [bool(gradient.abs().max() > 0) for gradient in gradients]
        assert reached == [place <= level for place in range(4)]


def checkerboard(generator: nn.Module) -> float:
    """The largest wave of period 16 pixels or a part of it in what becomes of a flat image.

    Relative to the image's level, far from the edges, which see zeros outside.
    """
    with torch.inference_mode():
        restored = generator.double()(torch.full((1, 1, 512, 512), 0.7, dtype=torch.float64))
    inside = restored[0, 0, 192:320, 192:320]
    waves = torch.fft.fft2(inside).abs()[:: 128 // 16, :: 128 // 16].flatten() / inside.numel()
    return float(waves[1:].max() / waves[0])


def test_an_untrained_generator_draws_no_checkerboard():
    generator = seeded(Generator, width=4)
    assert checkerboard(generator) < 1e-12
    for up in generator.decoder:
        nn.init.kaiming_normal_(up.convolution.weight)
    assert checkerboard(generator) > 1e-2  # what a plain initialisation would do


def test_a_smooth_generator_draws_none_whatever_it_has_learned():
    generator = awaken(seeded(Generator, width=4, smooth=True))
    assert checkerboard(generator) < 1e-12


def test_a_bundle_restores_as_the_generator_does(card, tmp_path):
    generator = awaken(seeded(Generator, bands=3, width=4)).eval()
    with pytest.raises(InputError, match=r"a\.onnx: .* card"):
        write_bundle(generator, card, tmp_path / "a.onnx")  # the card of another
    card = replace(card, model="seeinggan", network={"bands": 3, "width": 4})
    network = load_network(open_bundle(write_bundle(generator, card, tmp_path / "a.onnx")))
    tiles = noise(3, 3, card.tile, card.tile).clamp(-1, 1)
    for each in generator.parameters():
        if each.ndim == 4:
            each.data = each.data.half().float()  # as a bundle stores them
    with torch.inference_mode():
        expected = generator(tiles).numpy()
    np.testing.assert_allclose(network(tiles.numpy()), expected, atol=1e-4)


# --- the critic ------------------------------------------------------------------------------


def test_the_critic_has_the_papers_layers():
    with torch.device("meta"):
        critic = Critic(SeeingGANConfig())
        single = Critic(SeeingGANConfig(conditional=False, dropout=0.3))
    modules = list(critic.modules())
    convolutions = [each for each in modules if isinstance(each, nn.Conv2d)]
    assert [each.out_channels for each in convolutions] == [64, 128, 256, 512, 512, 1]
    assert [each.stride[0] for each in convolutions] == [2, 2, 2, 2, 1, 1]
    norms = [each.num_features for each in modules if isinstance(each, nn.InstanceNorm2d)]
    assert norms == [128, 256, 512, 512]
    for kind in (nn.LeakyReLU, nn.Dropout):
        assert sum(isinstance(each, kind) for each in modules) == 5
    (head,) = (each for each in modules if isinstance(each, nn.Linear))
    assert (head.in_features, head.out_features) == (16 * 16, 1)
    assert {each.p for each in single.modules() if isinstance(each, nn.Dropout)} == {0.3}


def test_the_critic_heeds_the_condition_where_it_should():
    image, condition, other = noise(3, 2, 1, 32, 32)
    for conditional in (True, False):
        critic = seeded(Critic, critic_width=4, size=32, conditional=conditional).eval()
        score = critic(image, condition)
        assert score.shape == (2, 1)
        assert not torch.equal(score, critic(other, condition))
        assert torch.equal(score, critic(image, other)) is not conditional


def test_a_critic_of_another_size_says_so():
    critic = seeded(Critic, critic_width=4, size=32)
    with pytest.raises(InputError, match="judges 32 × 32 pixels, not 48 × 64"):
        critic(noise(1, 1, 48, 64), noise(1, 1, 48, 64))
    for size in (16, 40):
        with pytest.raises(InputError, match=f"size {size} is no multiple of 16 from 32"):
            Critic(SeeingGANConfig(size=size))
