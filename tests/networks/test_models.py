"""The networks are pix2pix's, and a bundle is the network that was put into it."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from pellucid.cli import main  # noqa: E402
from pellucid.errors import InputError, UsageError  # noqa: E402
from pellucid.networks.bundle import (  # noqa: E402
    Card,
    digest_of,
    find_bundle,
    open_bundle,
    shipped,
    stored_digest,
)
from pellucid.networks.export import build_generator, read_generator, write_bundle  # noqa: E402
from pellucid.networks.galaxygan import Discriminator, GalaxyGANConfig, Generator  # noqa: E402
from pellucid.restoration.engine import load_network  # noqa: E402

FEW = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
#: One step of an 8-bit composite in the network's range [−1, 1].
COMPOSITE_STEP = 2 / 255


def lively(generator: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The same network with weights and statistics large enough for every layer to matter."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in generator.state_dict().items():
            if value.ndim == 4:
                fan_in = value[0].numel() if "encoder" in name else value[:, 0].numel() / 4
                value.normal_(0.0, math.sqrt(2.0 / fan_in), generator=noise)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 2.0, generator=noise)
            elif value.is_floating_point():
                value.add_(torch.empty_like(value).normal_(0.0, 0.1, generator=noise))
    return generator.eval()


def tiles(count: int, side: int = 32, bands: int = 3) -> np.ndarray:
    return np.random.default_rng(3).uniform(-1, 1, (count, bands, side, side)).astype("f4")


# --- networks --------------------------------------------------------------------------------


def test_the_generator_is_pix2pixs_unet():
    """Isola's U-Net of 256 pixels has 54,413,955 parameters, counted here layer by layer.

    It has no biases where a norm follows or in the encoder; ours keeps them.
    """
    levels = [64, 128, 256, 512, 512, 512, 512, 512]
    down = zip([3, *levels], levels, strict=False)
    up = zip([512, 1024, 1024, 1024, 1024, 512, 256, 128], [*levels[-2::-1], 3], strict=True)
    kernels = sum(16 * inputs * outputs for inputs, outputs in [*down, *up])
    norms = 2 * (sum(levels[1:-1]) + sum(levels[:-1]))
    assert kernels + norms + 3 == 54_413_955
    with torch.device("meta"):
        generator = Generator(GalaxyGANConfig())
    counted = sum(each.numel() for each in generator.parameters())
    extra_biases = sum(levels) + sum(levels[:-1])
    assert counted == 54_413_955 + extra_biases


def test_the_discriminator_is_pix2pixs_patch_judge():
    with torch.device("meta"):
        judge = Discriminator(GalaxyGANConfig())
    # 2,768,705 in the authors' code, which has no biases where a norm follows.
    assert sum(each.numel() for each in judge.parameters()) == 2_768_705 + 128 + 256 + 512


@FEW
@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(["batch", "instance"]),
)
def test_the_generator_keeps_shape_and_range(bands, levels, rows, columns, norm):
    config = GalaxyGANConfig(bands=bands, width=4, levels=levels, norm=norm)
    generator = lively(Generator(config))
    # A norm over one pixel has no spread; two rows of the innermost level at least.
    shape = (2, bands, (rows + 1) * config.multiple, (columns + 1) * config.multiple)
    with torch.inference_mode():
        restored = generator(5 * torch.randn(shape, generator=torch.Generator().manual_seed(1)))
    assert restored.shape == shape
    assert restored.abs().max() <= 1.0
    assert restored.std() > 0.01


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_bottleneck_of_one_pixel_is_not_erased(norm):
    """The paper's batch of one ends in one pixel, which a norm would set to a constant."""
    config = GalaxyGANConfig(width=4, levels=5, norm=norm, dropout=0.0)
    generator = Generator(config).train()
    seen = []
    generator.encoder[-1].register_forward_hook(lambda *call: seen.append(call[-1]))
    image = torch.from_numpy(tiles(1, 32))
    restored = generator(image)
    generator(image.flip(-1))
    assert seen[0].shape == (1, 32, 1, 1)
    assert (seen[0] - seen[1]).abs().max() > 1e-4
    (gradient,) = torch.autograd.grad((restored * image).sum(), seen[0])
    assert gradient.abs().max() > 1e-6


def test_every_encoder_level_reaches_the_output():
    generator = lively(Generator(GalaxyGANConfig(width=4, levels=4)))
    seen = []
    for down in generator.encoder:
        down.register_forward_hook(lambda *call: seen.append(call[-1]))
    restored = generator(torch.from_numpy(tiles(1)))
    for gradient in torch.autograd.grad(restored.square().sum(), seen):
        assert gradient.abs().max() > 1e-4


def test_dropout_is_for_training_only():
    generator = Generator(GalaxyGANConfig(width=4, levels=4, norm="instance"))
    image = torch.from_numpy(tiles(1))
    assert not torch.equal(generator.train()(image), generator(image))
    assert torch.equal(generator.eval()(image), generator(image))


def test_one_logit_of_the_discriminator_sees_70_by_70_pixels():
    torch.manual_seed(0)
    # Evaluated with fixed statistics: those of the image itself would let each pixel see all.
    judge = Discriminator(GalaxyGANConfig(width=4, norm="batch")).eval()
    image, condition = (torch.from_numpy(tiles(1, 160)).requires_grad_() for _ in range(2))
    logits = judge(image, condition)
    assert logits.shape == (1, 1, 18, 18)
    gradients = torch.autograd.grad(logits[0, 0, 9, 9], [image, condition])
    for gradient in gradients:
        rows, columns = (gradient.abs().sum(dim=(0, 1, axis)).nonzero() for axis in (3, 2))
        assert rows.max() - rows.min() + 1 == 70
        assert columns.max() - columns.min() + 1 == 70


def test_the_discriminator_judges_the_image_under_its_condition():
    torch.manual_seed(0)
    judge = Discriminator(GalaxyGANConfig(width=4))
    image, condition = torch.from_numpy(tiles(2, 64)).split(1)
    assert not torch.equal(judge(image, condition), judge(image, -condition))
    assert not torch.equal(judge(image, condition), judge(condition, image))


@pytest.mark.parametrize(("model", "network"), [("gan", {}), ("galaxygan", {"depth": 4})])
def test_an_unknown_architecture_is_refused(model, network):
    with pytest.raises(InputError, match="gan"):
        build_generator(model, network)


# --- bundles ---------------------------------------------------------------------------------


@pytest.fixture(params=["batch", "instance"])
def written(request, card, tmp_path):
    """A lively network, and the bundle it was written to."""
    card = replace(card, network={**card.network, "norm": request.param})
    generator = lively(build_generator(card.model, card.network))
    return generator, open_bundle(write_bundle(generator, card, tmp_path / "a.onnx"))


@pytest.mark.parametrize("count", [1, 5])
def test_onnxruntime_computes_what_torch_computes(written, count):
    generator, bundle = written
    given_tiles = tiles(count)
    found = load_network(bundle)(given_tiles)
    with torch.inference_mode():
        exact = generator(torch.from_numpy(given_tiles)).numpy()
        for value in generator.state_dict().values():
            if value.ndim == 4:
                value.copy_(value.half().float())
        stored = generator(torch.from_numpy(given_tiles)).numpy()
    assert np.std(exact) > 0.1
    np.testing.assert_allclose(found, stored, atol=2e-5)
    assert np.abs(found - exact).max() < COMPOSITE_STEP


def test_the_engines_agree(written):
    _, bundle = written
    expected = load_network(bundle)(tiles(3))
    np.testing.assert_allclose(load_network(bundle, "torch")(tiles(3)), expected, atol=2e-5)


def test_openvino_agrees(written):
    pytest.importorskip("openvino")
    _, bundle = written
    expected = load_network(bundle)(tiles(3))
    np.testing.assert_allclose(load_network(bundle, "openvino")(tiles(3)), expected, atol=1e-4)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_bf16_is_near(written, engine):
    if engine == "openvino":
        pytest.importorskip("openvino")
    _, bundle = written
    expected = load_network(bundle)(tiles(3))
    found = load_network(bundle, engine, "bf16")(tiles(3))
    assert found.dtype == np.float32
    assert np.abs(found - expected).mean() < 0.03


def test_equal_tensors_find_back_to_their_own_names(card, tmp_path):
    """Fresh biases and gains are equal: the exporter stores them once."""
    generator = build_generator(card.model, card.network)
    bundle = open_bundle(write_bundle(generator, card, tmp_path / "a.onnx"))
    wanted = generator.state_dict()
    for name, value in read_generator(bundle).state_dict().items():
        half = wanted[name].half().float() if value.ndim == 4 else wanted[name]
        assert torch.equal(value, half), name


def test_writing_twice_gives_the_same_bytes(written, tmp_path):
    generator, bundle = written
    again = write_bundle(generator, bundle.card, tmp_path / "b.onnx")
    assert again.read_bytes() == bundle.graph


def test_the_digest_is_that_of_the_file(written):
    _, bundle = written
    assert bundle.sha256 == stored_digest(bundle.graph)
    assert bundle.graph.count(bundle.sha256.encode()) == 1


@FEW
@given(st.data())
def test_a_flipped_bit_anywhere_is_refused(tiny_bundle, tmp_path, data):
    content = bytearray(tiny_bundle.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / "b.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"b\.onnx"):
        open_bundle(tmp_path / "b.onnx")


@pytest.mark.parametrize("part", ["card", "card key", "digest", "digest key", "framing", "weights"])
def test_a_flipped_byte_in_each_part_is_refused(tiny_bundle, tmp_path, part):
    content = bytearray(tiny_bundle.read_bytes())
    digest = content.rindex(b"pellucid_sha256")
    place = {
        "card": content.rindex(b'"bands"'),
        "card key": content.rindex(b"pellucid_card"),
        "digest": len(content) - 1,
        "digest key": digest,
        "framing": digest + len("pellucid_sha256"),
        "weights": len(content) // 2,
    }[part]
    for bit in range(8):
        changed = content.copy()
        changed[place] ^= 1 << bit
        (tmp_path / "b.onnx").write_bytes(changed)
        with pytest.raises(InputError, match=r"damaged|no pellucid bundle"):
            open_bundle(tmp_path / "b.onnx")


@FEW
@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_bundle_is_refused(tiny_bundle, tmp_path, fraction):
    content = tiny_bundle.read_bytes()
    (tmp_path / "b.onnx").write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(InputError, match=r"b\.onnx"):
        open_bundle(tmp_path / "b.onnx")


def resealed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The file with something of equal length replaced and a digest that is right again."""
    assert len(old) == len(new)
    changed = content.replace(old, new)
    assert changed != content
    return changed[:-64] + digest_of(changed).encode()


def test_a_bundle_of_a_later_version_is_refused(tiny_bundle, tmp_path):
    content = resealed(tiny_bundle.read_bytes(), b'"format": 1', b'"format": 2')
    (tmp_path / "b.onnx").write_bytes(content)
    with pytest.raises(InputError, match="has format 2; this pellucid reads 1"):
        open_bundle(tmp_path / "b.onnx")


def test_weights_that_do_not_fit_the_card_are_refused(tiny_bundle, tmp_path):
    content = resealed(tiny_bundle.read_bytes(), b'"width": 4', b'"width": 8')
    (tmp_path / "b.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"b\.onnx: its weights do not fit its card"):
        load_network(open_bundle(tmp_path / "b.onnx"), "torch")


def test_a_graph_that_no_engine_knows_is_refused(tiny_bundle, tmp_path):
    content = resealed(tiny_bundle.read_bytes(), b"ConvTranspose", b"ConvTranspope")
    (tmp_path / "b.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"b\.onnx: onnxruntime cannot load it"):
        load_network(open_bundle(tmp_path / "b.onnx"))


def test_an_engine_does_not_log_what_it_raises(tiny_bundle, tmp_path, capfd):
    """Its own lines have colours and what a file's nodes are called."""
    content = tiny_bundle.read_bytes()
    odd = content.rindex(b"output_padding") + len(b"output_padding@\0@")
    changed = content[:odd] + b"," + content[odd + 1 : -64]
    (tmp_path / "b.onnx").write_bytes(changed + digest_of(changed + bytes(64)).encode())
    network = load_network(open_bundle(tmp_path / "b.onnx"))
    with pytest.raises(Exception, match="output_padding"):
        network(np.zeros((1, 3, 32, 32), np.float32))
    assert capfd.readouterr().err == ""


@FEW
@given(
    st.text(),
    st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True),
    st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)),
    st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=3),
)
def test_a_card_comes_back_as_it_was(card, description, bands, fwhm, training):
    changed = replace(
        card, description=description, bands=tuple(bands), fwhm=fwhm, training=training
    )
    assert Card.from_fields(json.loads(changed.to_json())) == changed


def test_a_bundle_carries_its_card(card, tmp_path):
    long = replace(card, description='λ "quoted"' * 500, training={"seed": 1})
    path = write_bundle(build_generator(card.model, card.network), long, tmp_path / "a.onnx")
    assert open_bundle(path).card == long


def test_a_bundle_is_an_onnx_model_that_others_can_read(written):
    onnx = pytest.importorskip("onnx")
    _, bundle = written
    model = onnx.load_from_string(bundle.graph)
    onnx.checker.check_model(model, full_check=True)
    metadata = {each.key: each.value for each in model.metadata_props}
    assert Card.from_fields(json.loads(metadata["pellucid_card"])) == bundle.card
    assert metadata["pellucid_sha256"] == bundle.sha256
    assert [each.name for each in model.graph.input] == ["degraded"]
    assert not any(each.external_data for each in model.graph.initializer)


def test_a_bundle_names_no_file_of_the_machine_that_trained_it(tiny_bundle, pair_store):
    content = tiny_bundle.read_bytes()
    folders = [tiny_bundle.parent, pair_store.parent, os.getcwd(), sys.prefix, "site-packages"]
    for text in [*folders, ".py", "Traceback", "torch.", "aten"]:
        assert str(text).encode() not in content


def test_a_bundle_takes_two_bytes_a_weight(card, tmp_path):
    network = {**card.network, "width": 32, "levels": 5}
    generator = build_generator(card.model, network)
    path = write_bundle(generator, replace(card, network=network), tmp_path / "a.onnx")
    weights = sum(each.numel() for each in generator.parameters())
    assert 2 * weights < path.stat().st_size < 2.05 * weights + 30_000


def test_a_bundle_is_found_by_its_file_and_by_its_run(tiny_bundle):
    assert find_bundle(tiny_bundle) == tiny_bundle
    assert find_bundle(tiny_bundle.parent) == tiny_bundle
    with pytest.raises(UsageError, match="neither a bundle's file nor a shipped model"):
        find_bundle("no-such-model")


def test_shipped_models_are_whole_and_restore(galaxy, capsys):
    from pellucid.restoration import load_restorer

    for name, path in shipped().items():
        bundle = open_bundle(name)
        assert bundle.path == path
        assert bundle.card.name == name
        bands = bundle.card.bands
        scale = bundle.card.pixel_scale
        image = replace(galaxy, flux=galaxy.flux[: len(bands)], bands=bands, pixel_scale=scale)
        told = 4.0 * scale if "fwhm" in bundle.card.network.get("inputs", ()) else None
        assert np.isfinite(load_restorer(name)(image, psf=told).image.flux).all()
        assert main(["models"]) == 0
        assert bundle.sha256 in capsys.readouterr().out
