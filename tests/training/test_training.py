"""Training does what its equations say, and a run that was killed ends as if it never was."""

from __future__ import annotations

import copy
import json
import math
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from safetensors.torch import load_file  # noqa: E402

from pellucid.cli import main  # noqa: E402
from pellucid.data.batches import PairSampler  # noqa: E402
from pellucid.data.pairs import open_pairs  # noqa: E402
from pellucid.data.splits import fold_of, split_objects  # noqa: E402
from pellucid.errors import InputError, UsageError  # noqa: E402
from pellucid.networks.bundle import open_bundle  # noqa: E402
from pellucid.networks.galaxygan import Discriminator, GalaxyGANConfig, Generator  # noqa: E402
from pellucid.stretch import NoiseStretch  # noqa: E402
from pellucid.training.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from pellucid.training.losses import (  # noqa: E402
    adversarial_loss,
    discriminator_loss,
    pixel_loss,
)
from pellucid.training.recipe import Recipe, read_recipe, shipped_recipes  # noqa: E402
from pellucid.training.step import Adversaries, follow, gan_step  # noqa: E402

logits = st.lists(st.floats(-200, 200), min_size=1, max_size=9)
few = settings(deadline=None, max_examples=30)


# --- losses ----------------------------------------------------------------------------------


@few
@given(logits, logits)
def test_the_losses_are_cross_entropies(real, fake):
    """−ln σ(x) is ln(1 + e^−x); −ln(1 − σ(x)) is ln(1 + e^x)."""

    def softplus(values: list[float]) -> float:
        return float(np.mean(np.logaddexp(0.0, values)))

    found = discriminator_loss(torch.tensor([real]), torch.tensor([fake]))
    expected = 0.5 * (softplus([-x for x in real]) + softplus(fake))
    assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-7)
    found = adversarial_loss(torch.tensor([fake]))
    assert float(found) == pytest.approx(softplus([-x for x in fake]), rel=1e-5, abs=1e-7)


def test_undecided_costs_a_bit_and_being_right_nothing():
    zero, sure = torch.zeros(2, 1, 3, 3), torch.full((2, 1, 3, 3), 60.0)
    assert float(discriminator_loss(zero, zero)) == pytest.approx(math.log(2))
    assert float(discriminator_loss(sure, -sure)) == pytest.approx(0.0, abs=1e-9)
    assert float(adversarial_loss(sure)) == pytest.approx(0.0, abs=1e-9)


def test_the_pixel_loss_is_the_mean_absolute_difference_in_single_precision():
    rng = np.random.default_rng(0)
    one, two = (rng.uniform(-1, 1, (2, 3, 5, 7)).astype("f4") for _ in range(2))
    found = pixel_loss(torch.from_numpy(one), torch.from_numpy(two))
    assert float(found) == pytest.approx(np.abs(one - two).mean(), rel=1e-6)
    assert pixel_loss(torch.zeros(4, dtype=torch.bfloat16), torch.zeros(4)).dtype == torch.float32


# --- one step --------------------------------------------------------------------------------


def adversaries(norm: str = "batch", seed: int = 0, rate: float = 2e-3) -> Adversaries:
    torch.manual_seed(seed)
    config = GalaxyGANConfig(width=4, levels=3, norm=norm)
    generator, discriminator = Generator(config), Discriminator(config)
    optimisers = [
        torch.optim.Adam(each.parameters(), rate, betas=(0.5, 0.999))
        for each in (generator, discriminator)
    ]
    average = copy.deepcopy(generator).requires_grad_(False)
    return Adversaries(generator, discriminator, *optimisers, average)


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy spots and the spots themselves, in [−1, 1]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    centres = rng.uniform(8, 24, (4, 2))
    spots = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 20) for a, b in centres]
    sharp = np.repeat(np.stack(spots)[:, None], 3, axis=1) * 1.6 - 0.8
    blurred = sharp + rng.normal(0, 0.1, sharp.shape)
    return torch.from_numpy(blurred).float(), torch.from_numpy(sharp).float()


def steps(networks: Adversaries, count: int, pixel_weight: float = 100.0) -> list[dict]:
    return [gan_step(networks, *batch(), pixel_weight, nullcontext(), 0.9) for _ in range(count)]


def same(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    states = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in states)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_steps_on_one_batch_lower_the_pixel_loss(norm):
    losses = [each["pixel"] for each in steps(adversaries(norm), 40)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:2])


def test_the_discriminator_learns_to_tell_them_apart():
    losses = [each["discriminator"] for each in steps(adversaries(), 40, pixel_weight=0.0)]
    assert losses[0] == pytest.approx(math.log(2), abs=0.05)
    assert np.mean(losses[-5:]) < 0.5 * losses[0]


def test_the_generators_turn_does_not_teach_the_discriminator():
    light, heavy = adversaries(), adversaries()
    for networks, pixel_weight in ((light, 0.0), (heavy, 1000.0)):
        torch.manual_seed(4)  # of the dropout
        steps(networks, 1, pixel_weight)
    assert same(light.discriminator, heavy.discriminator)
    assert not same(light.generator, heavy.generator)
    assert all(each.requires_grad for each in light.discriminator.parameters())


def test_the_discriminators_turn_does_not_teach_the_generator():
    """Its loss must not reach the generator: only the discriminator's rate is not zero."""
    networks = adversaries()
    for group in networks.generator_optimiser.param_groups:
        group["lr"] = 0.0
    before = [each.detach().clone() for each in networks.generator.parameters()]
    steps(networks, 2)
    after = list(networks.generator.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_average_follows_by_its_formula():
    networks = adversaries()
    network = networks.generator.state_dict()
    with torch.no_grad():
        for value in network.values():
            value.copy_(torch.ones_like(value) * 3)
    before = {name: each.clone() for name, each in networks.average.state_dict().items()}
    follow(networks.average, networks.generator, 0.75)
    for name, mean in networks.average.state_dict().items():
        if mean.is_floating_point():
            torch.testing.assert_close(mean, 0.75 * before[name] + 0.25 * 3)
        else:
            assert torch.equal(mean, network[name])
    follow(networks.average, networks.generator, 0.0)
    assert same(networks.average, networks.generator)


@few
@given(st.integers(1, 500), st.floats(0.01, 1.0))
def test_the_rate_stays_then_falls_to_zero(count, cool_down):
    recipe = Recipe(name="x", steps=count, cool_down=cool_down, learning_rate=1e-3)
    rates = np.array([recipe.rate_at(step) for step in range(count + 1)])
    assert rates[0] <= 1e-3
    assert rates[-1] == 0.0
    assert (np.diff(rates) <= 0).all()
    flat = [rate for step, rate in enumerate(rates) if count - step >= max(cool_down * count, 1)]
    np.testing.assert_allclose(flat, 1e-3)
    assert Recipe(name="x", steps=count).rate_at(count) == 2e-4


def test_the_average_leaves_the_untrained_weights_behind():
    recipe = Recipe(name="x", steps=1000, average_decay=0.999)
    left = np.cumprod([recipe.decay_at(step) for step in range(200)])
    assert left[-1] < 1e-6
    assert recipe.decay_at(10**6) == 0.999


# --- checkpoints -----------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_checkpoint_goes_on_as_if_nothing_was(tmp_path, norm):
    path = tmp_path / "c.safetensors"
    networks = adversaries(norm)
    torch.manual_seed(9)
    steps(networks, 3)
    save_checkpoint(path, networks, 3, '{"a": 1}')
    expected = steps(networks, 3)  # dropout draws on the random state
    again = adversaries(norm, seed=77)
    torch.manual_seed(5)
    assert load_checkpoint(path, again, '{"a":1}') == 3
    assert steps(again, 3) == expected
    for name in ("generator", "discriminator", "average"):
        assert same(getattr(networks, name), getattr(again, name))


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, adversaries(), 1, '{"a": 1}')
    with pytest.raises(InputError, match="belongs to another recipe"):
        load_checkpoint(path, adversaries(), '{"a": 2}')


@pytest.mark.parametrize("kept", [0, 5, 0.3, 0.999])
def test_a_damaged_checkpoint_is_refused(tmp_path, kept):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, adversaries(), 1, "{}")
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(InputError, match=r"c\.safetensors: is damaged or no checkpoint"):
        load_checkpoint(path, adversaries(), "{}")


def test_a_pickle_is_no_checkpoint(tmp_path):
    torch.save({"step": 1}, tmp_path / "c.safetensors")
    with pytest.raises(InputError, match="is damaged or no checkpoint"):
        load_checkpoint(tmp_path / "c.safetensors", adversaries(), "{}")


# --- whole runs ------------------------------------------------------------------------------

LONG = """\
name: long
network: {width: 4, levels: 3, norm: batch}
stretch: {name: noise, high: 1000}
size: 32
batch: 2
steps: 120
grey: 0.2
average_decay: 0.9
cool_down: 0.5
checkpoint_every: 5
validate_every: 5
validation_images: 2
seed: 3
"""


def train(recipe: Path, data: Path, run: Path, *more: str) -> int:
    return main(["train", str(recipe), "--data", str(data), "--output", str(run), *more])


def recipe_file(folder: Path, text: str, **changes: object) -> Path:
    for key, value in changes.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{key}:")]
        text = "\n".join([*lines, f"{key}: {value}"])
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def log_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_run_leaves_a_bundle_that_says_where_it_comes_from(trained, pair_store):
    card = open_bundle(trained / "bundle.onnx").card
    store = open_pairs(pair_store)
    held_back = [name for name in store.ids if fold_of(name) == 0]
    assert held_back
    assert (card.name, card.bands) == ("tiny", ("g", "r", "i"))
    assert card.pixel_scale == pytest.approx(0.396)
    assert card.fwhm == (1.2, 1.2)
    assert card.single_band
    assert card.training["steps"] == 6
    assert card.training["objects"] == len(store) - len(held_back)
    assert card.training["held_back_objects"] == len(held_back)
    assert card.training["recipe"]["seed"] == 5
    assert (trained / "sample-0000006.png").stat().st_size > 500
    scores = [entry for entry in log_of(trained) if "psnr" in entry]
    assert [entry["step"] for entry in scores] == [3, 6]


def test_a_run_killed_and_resumed_ends_with_the_bits_of_one_that_was_not(pair_store, tmp_path):
    recipe = recipe_file(tmp_path, LONG)
    run, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "pellucid", "train", str(recipe)]
    process = subprocess.Popen(
        [*command, "--data", str(pair_store), "--output", str(run)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
    )
    while not (run / "checkpoint.safetensors").exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    _, complaint = process.communicate()
    assert process.returncode == -9, complaint.decode()
    assert not (run / "bundle.onnx").exists()
    # What the run did after its last checkpoint, and a line that the kill cut short:
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 119, "pixel": 0.5}\n{"step": 12')
    assert train(recipe, pair_store, run) == 2
    assert train(recipe, pair_store, run, "--resume") == 0
    assert train(recipe, pair_store, whole) == 0
    ends = [(each / "generator.safetensors").read_bytes() for each in (run, whole)]
    assert ends[0] == ends[1]
    states = [load_file(each / "checkpoint.safetensors") for each in (run, whole)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    cards = [open_bundle(each / "bundle.onnx").card for each in (run, whole)]
    assert cards[0].network == cards[1].network
    entries = log_of(run)
    assert len({(entry["step"], "psnr" in entry) for entry in entries}) == len(entries)
    strip = [[{**entry, "seconds": 0} for entry in log_of(each)] for each in (run, whole)]
    assert strip[0] == strip[1]


def test_a_finished_run_resumed_stays_as_it_is(trained, tiny_recipe, pair_store, files_in):
    before = files_in(trained)
    assert train(tiny_recipe, pair_store, trained, "--resume") == 0
    after = files_in(trained)
    assert after["generator.safetensors"] == before["generator.safetensors"]
    assert after.keys() == before.keys()


def test_a_run_gives_its_caller_the_smallest_numbers_back(pair_store, tiny_recipe, tmp_path):
    """In training they count as zero; afterwards, and after a failure, they must not."""
    tiny = np.array([1e-308])
    assert train(tiny_recipe, pair_store, tmp_path / "run") == 0
    assert tiny / 16 > 0
    assert train(tiny_recipe, pair_store, tmp_path / "run") == 2
    assert tiny / 16 > 0


def test_a_run_is_not_overwritten(trained, tiny_recipe, pair_store, files_in, capsys):
    before = files_in(trained)
    assert train(tiny_recipe, pair_store, trained) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert files_in(trained) == before


def test_another_recipe_does_not_resume(trained, pair_store, tmp_path, tiny_recipe, capsys):
    before = (trained / "checkpoint.safetensors").read_bytes()
    other = recipe_file(tmp_path, tiny_recipe.read_text(), learning_rate=1e-3)
    assert train(other, pair_store, trained, "--resume") == 3
    said = capsys.readouterr().err
    assert "checkpoint.safetensors: belongs to another recipe" in said
    assert said.count("\n") == 1
    assert (trained / "checkpoint.safetensors").read_bytes() == before


def test_pixels_that_become_nan_stop_a_run_and_keep_its_checkpoint(pair_store, tmp_path, capsys):
    """The pixels of the object that the seventh step takes are damaged on the disk."""
    recipe = recipe_file(tmp_path, LONG, steps=9, batch=1, checkpoint_every=5)
    data, run = tmp_path / "pairs.h5", tmp_path / "run"
    data.write_bytes(pair_store.read_bytes())
    training = split_objects(open_pairs(data).ids).training
    order = np.random.default_rng([3, 0]).permutation(len(training))
    with h5py.File(data, "r+") as file:
        file["sharp"][int(training[order[6]]), :, 24] = np.nan  # a row that every crop has
    assert train(recipe, data, run) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "step 7" in said
    assert f"{run / 'checkpoint.safetensors'} is the last good one" in said
    assert not (run / "bundle.onnx").exists()
    networks = adversaries()
    assert load_checkpoint(run / "checkpoint.safetensors", networks, _recipe_json(recipe)) == 5
    assert all(torch.isfinite(each).all() for each in networks.generator.parameters())
    # The whole data again: the checkpoint goes on to the end.
    assert train(recipe, pair_store, run, "--resume") == 0


def _recipe_json(path: Path) -> str:
    return read_recipe(path).model_dump_json()


def test_an_object_that_cannot_be_trained_on_is_named(pair_store, tmp_path, capsys):
    data = tmp_path / "pairs.h5"
    data.write_bytes(pair_store.read_bytes())
    with h5py.File(data, "r+") as file:
        file["sharp"][...] = np.nan
    assert train(recipe_file(tmp_path, LONG), data, tmp_path / "run") == 3
    said = capsys.readouterr().err
    assert f"{data}: object hdf-" in said
    assert said.count("\n") == 1


def test_a_rate_out_of_this_world_stops_a_run(pair_store, tmp_path, capsys):
    recipe = recipe_file(tmp_path, LONG, learning_rate="1.0e+30")
    assert train(recipe, pair_store, tmp_path / "run") == 1
    said = capsys.readouterr().err
    assert "loss is not finite" in said
    assert "none was saved yet" in said
    assert said.count("\n") == 1


def test_two_processes_learn_what_one_learns(pair_store, tmp_path, run_python):
    """Where nothing depends on the batch, halves of it with averaged gradients are the whole."""
    text = LONG.replace("norm: batch", "norm: instance, dropout: 0.0")
    recipe = recipe_file(tmp_path, text, steps=8, batch=4, average_decay=0)
    one, two = tmp_path / "one", tmp_path / "two"
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2]
    command = ["-m", "pellucid", "train", recipe, "--data", pair_store, "--output", two]
    done = run_python(*launcher, *command)
    assert done.returncode == 0, done.stderr
    assert train(recipe, pair_store, one) == 0
    assert open_bundle(two / "bundle.onnx").card.training["device"].startswith("2 × ")
    assert len(log_of(two)) == len(log_of(one))
    torch.manual_seed(3)
    start = Generator(GalaxyGANConfig(width=4, levels=3, norm="instance")).state_dict()
    ends = [load_file(each / "generator.safetensors") for each in (one, two)]
    # A bias before a norm has no gradient but rounding, of which Adam makes whole steps.
    kernels = [name for name, value in start.items() if value.ndim == 4]
    moved, apart = (
        np.mean([float((a[name] - b[name]).abs().mean()) for name in kernels])
        for a, b in ((start, ends[0]), (ends[0], ends[1]))
    )
    assert 0 < apart < 0.05 * moved


def test_the_processes_share_a_batch_between_them(pair_store):
    store = open_pairs(pair_store)
    settings = {
        "store": store,
        "indices": np.arange(len(store)),
        "stretch": NoiseStretch(),
        "size": 32,
        "batch": 4,
        "seed": 1,
        "grey": 0.3,
    }
    whole = PairSampler(**settings)
    shares = [PairSampler(**settings, rank=rank, world=2)[5] for rank in (0, 1)]
    for side in (0, 1):
        np.testing.assert_array_equal(whole[5][side][0::2], shares[0][side])
        np.testing.assert_array_equal(whole[5][side][1::2], shares[1][side])
        np.testing.assert_array_equal(whole[5][side], PairSampler(**settings)[5][side])
    assert not np.array_equal(whole[5][0], whole[6][0])


def test_workers_change_nothing(trained, tiny_recipe, pair_store, tmp_path):
    assert train(tiny_recipe, pair_store, tmp_path / "run", "--workers", "1") == 0
    one, two = (each / "generator.safetensors" for each in (trained, tmp_path / "run"))
    assert one.read_bytes() == two.read_bytes()


# --- recipes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_read(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    config = GalaxyGANConfig(**recipe.network)
    assert recipe.size % config.multiple == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: x\nsteps: 5\nstepz: 6\n", "stepz"),
        (b"name: x\nsteps: -5\n", "steps"),
        (b"name: x\nsteps: many\n", "steps"),
        (b"name: x\nsteps: 5\nbatch: 0\n", "batch"),
        (b"name: x\nsteps: 5\nmodel: dreams\n", "model"),
        (b"name: x\n", "steps"),
        (b"name: [x\nsteps: 5\n", "no YAML"),
        (b"name: x\n\tsteps: 5\n", "no YAML"),
        (b"just words", "recipe"),
        (b"", "recipe"),
        (b"\x89PNG\r\n\x1a\n\x00\x01\xff", "no YAML"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(tmp_path, pair_store, content, words, capsys):
    (tmp_path / "recipe.yaml").write_bytes(content)
    assert train(tmp_path / "recipe.yaml", pair_store, tmp_path / "run") == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(tmp_path / "recipe.yaml") in said
    assert words in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "{depth: 4}"}, "depth"),
        ({"network": "{width: 4, levels: 6}"}, "no multiple of 64"),
        ({"stretch": "{name: magic}"}, "magic"),
        ({"stretch": "{name: noise, hardness: 3}"}, "hardness"),
    ],
)
def test_a_recipe_whose_parts_do_not_fit_is_refused(tmp_path, pair_store, changes, words, capsys):
    recipe = recipe_file(tmp_path, LONG, **changes)
    assert train(recipe, pair_store, tmp_path / "run") == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said
    assert not (tmp_path / "run").exists()


def test_what_is_missing_is_named(tmp_path, tiny_recipe, pair_store, capsys):
    assert train(Path("no-such-recipe"), pair_store, tmp_path / "run") == 2
    assert "no-such-recipe: neither a file nor a recipe (galaxygan-paper" in capsys.readouterr().err
    assert train(tiny_recipe, tmp_path / "none.h5", tmp_path / "run") == 3
    assert f"{tmp_path / 'none.h5'}: no such file" in capsys.readouterr().err


def test_a_store_without_objects_to_hold_back_is_refused(
    galaxy_folder, tiny_recipe, tmp_path, capsys
):
    (tmp_path / "two").mkdir()
    for name in [each for each in galaxy_folder.iterdir() if fold_of(each.stem)][:2]:
        (tmp_path / "two" / name.name).write_bytes(name.read_bytes())
    data = tmp_path / "two.h5"
    command = ["pairs", "--sharp", tmp_path / "two", "--degrade", "fwhm=1.2", "--output", data]
    assert main([*map(str, command)]) == 0
    capsys.readouterr()
    assert train(tiny_recipe, data, tmp_path / "run") == 3
    said = capsys.readouterr().err
    assert f"{data}: " in said
    assert "0 to hold back" in said


def test_more_processes_than_images_are_refused(pair_store, tmp_path, monkeypatch):
    from pellucid.training import run

    monkeypatch.setattr(run, "join_processes", lambda: (0, 3))
    with pytest.raises(UsageError, match="3 processes for batches of 2"):
        run.train(read_recipe(recipe_file(tmp_path, LONG)), pair_store, tmp_path / "run")


def test_the_pixel_weight_changes_with_the_cool_down():
    recipe = Recipe(name="x", steps=100, cool_down=0.4, pixel_weight=100, final_pixel_weight=500)
    assert [recipe.pixel_weight_at(step) for step in (0, 60, 61, 99)] == [100, 100, 500, 500]
    assert Recipe(name="x", steps=100, cool_down=0.4).pixel_weight_at(99) == 100
