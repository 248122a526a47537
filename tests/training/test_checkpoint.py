"""A checkpoint holds all of a run, and a damaged one is refused."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from pellucid.errors import InputError  # noqa: E402
from pellucid.training.checkpoint import State, load_checkpoint, save_checkpoint  # noqa: E402


def at(step: int, recipe: dict = {"steps": 9}, **data: str) -> State:  # noqa: B006
    return State(step, recipe, {"objects": "a", "split": "b", **data})


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_checkpoint_goes_on_as_if_nothing_was(galaxygan, advance, tmp_path, norm):
    path = tmp_path / "c.safetensors"
    trainer = galaxygan(norm)
    torch.manual_seed(9)
    advance(trainer, 3)
    save_checkpoint(path, trainer.parts(), at(3))
    expected = advance(trainer, 3)  # dropout draws on the random state
    save_checkpoint(tmp_path / "whole", trainer.parts(), at(6))
    again = galaxygan(norm, seed=77)
    assert load_checkpoint(path, again.parts(), at(9)) == 3
    assert advance(again, 3) == expected
    save_checkpoint(tmp_path / "resumed", again.parts(), at(6))
    whole, resumed = (load_file(tmp_path / name) for name in ("whole", "resumed"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_what_a_checkpoint_holds_is_found_by_name(galaxygan, advance, tmp_path):
    """A network alone, without an adversary, is no exception."""
    trainer = galaxygan()
    advance(trainer, 1)
    alone = {"generator": trainer.generator, "optimiser": trainer.generator_optimiser}
    save_checkpoint(tmp_path / "c.safetensors", alone, at(1))
    tensors = load_file(tmp_path / "c.safetensors")
    assert {name.partition("/")[0] for name in tensors} == {"random", *alone}
    weights = trainer.generator.state_dict()
    assert all(torch.equal(tensors[f"generator/{name}"], weights[name]) for name in weights)
    assert load_checkpoint(tmp_path / "c.safetensors", alone, at(9)) == 1


def test_a_checkpoint_of_another_recipe_is_refused(galaxygan, tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, galaxygan().parts(), at(1))
    with pytest.raises(InputError, match="belongs to another recipe"):
        load_checkpoint(path, galaxygan().parts(), at(9, {"steps": 10}))


@pytest.mark.parametrize("kept", [0, 5, 0.3, 0.999])
def test_a_damaged_checkpoint_is_refused(galaxygan, tmp_path, kept):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, galaxygan().parts(), at(1))
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(InputError, match=r"c\.safetensors: is damaged or no checkpoint"):
        load_checkpoint(path, galaxygan().parts(), at(9))


def test_a_pickle_is_no_checkpoint(galaxygan, tmp_path):
    torch.save({"step": 1}, tmp_path / "c.safetensors")
    with pytest.raises(InputError, match="is damaged or no checkpoint"):
        load_checkpoint(tmp_path / "c.safetensors", galaxygan().parts(), at(9))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"objects": "c"}, r"other data \(its objects\)"),
        ({"objects": "c", "split": "d"}, r"other data \(its objects and split\)"),
    ],
)
def test_a_checkpoint_of_other_data_is_refused(galaxygan, tmp_path, other, told):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, galaxygan().parts(), at(1, **other))
    with pytest.raises(InputError, match=rf"c\.safetensors: belongs to a run on {told}"):
        load_checkpoint(path, galaxygan().parts(), at(9))


@pytest.mark.parametrize("step", [-1, 10])
def test_a_checkpoint_of_a_step_that_the_run_has_not_is_refused(galaxygan, tmp_path, step):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, galaxygan().parts(), at(step))
    with pytest.raises(InputError, match=f"is of step {step} of 9"):
        load_checkpoint(path, galaxygan().parts(), at(9))


def test_a_checkpoint_of_other_networks_is_refused(galaxygan, tmp_path):
    """Whole, and of this recipe as it says; one part is another's, or is not there."""
    path, trainer = tmp_path / "c.safetensors", galaxygan()
    parts = trainer.parts()
    for held in ({}, {**parts, "generator": torch.nn.Linear(2, 2)}):
        save_checkpoint(path, held, at(1))
        with pytest.raises(InputError, match="does not fit the recipe's networks") as error:
            load_checkpoint(path, parts, at(9))
        assert "\n" not in str(error.value)


def test_no_bit_of_a_checkpoint_can_turn_unseen(galaxygan, advance, tmp_path):
    """In its tensors, in its head, or in what is noted: another value is never learned from."""
    path, trainer, rng = tmp_path / "c.safetensors", galaxygan(), np.random.default_rng(1)
    advance(trainer, 1)
    save_checkpoint(path, trainer.parts(), at(1))
    whole = path.read_bytes()
    head = 8 + int.from_bytes(whole[:8], "little")
    places = [*rng.integers(8, head, 40), *rng.integers(head, len(whole), 40), len(whole) - 1]
    kept = load_file(path)
    for place in places:
        turned = bytearray(whole)
        turned[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(turned)
        with pytest.raises(InputError, match=r"c\.safetensors: is damaged or no checkpoint"):
            load_checkpoint(path, galaxygan().parts(), at(9))
    path.write_bytes(whole)
    assert load_checkpoint(path, trainer.parts(), at(9)) == 1
    again = trainer.generator.state_dict()
    assert all(torch.equal(kept[f"generator/{name}"], again[name]) for name in again)
