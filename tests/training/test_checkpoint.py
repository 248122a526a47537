"""A checkpoint holds all of a run, and a damaged one is refused."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from pellucid.errors import InputError  # noqa: E402
from pellucid.training.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_checkpoint_goes_on_as_if_nothing_was(galaxygan, advance, tmp_path, norm):
    path = tmp_path / "c.safetensors"
    trainer = galaxygan(norm)
    torch.manual_seed(9)
    advance(trainer, 3)
    save_checkpoint(path, trainer.parts(), 3, '{"a": 1}')
    expected = advance(trainer, 3)  # dropout draws on the random state
    save_checkpoint(tmp_path / "whole", trainer.parts(), 6, "{}")
    again = galaxygan(norm, seed=77)
    assert load_checkpoint(path, again.parts(), '{"a":1}') == 3
    assert advance(again, 3) == expected
    save_checkpoint(tmp_path / "resumed", again.parts(), 6, "{}")
    whole, resumed = (load_file(tmp_path / name) for name in ("whole", "resumed"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_what_a_checkpoint_holds_is_found_by_name(galaxygan, advance, tmp_path):
    """A network alone, without an adversary, is no exception."""
    trainer = galaxygan()
    advance(trainer, 1)
    alone = {"generator": trainer.generator, "optimiser": trainer.generator_optimiser}
    save_checkpoint(tmp_path / "c.safetensors", alone, 1, "{}")
    tensors = load_file(tmp_path / "c.safetensors")
    assert {name.partition("/")[0] for name in tensors} == {"random", *alone}
    weights = trainer.generator.state_dict()
    assert all(torch.equal(tensors[f"generator/{name}"], weights[name]) for name in weights)
    assert load_checkpoint(tmp_path / "c.safetensors", alone, "{}") == 1


def test_a_checkpoint_of_another_recipe_is_refused(galaxygan, tmp_path):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, galaxygan().parts(), 1, '{"a": 1}')
    with pytest.raises(InputError, match="belongs to another recipe"):
        load_checkpoint(path, galaxygan().parts(), '{"a": 2}')


@pytest.mark.parametrize("kept", [0, 5, 0.3, 0.999])
def test_a_damaged_checkpoint_is_refused(galaxygan, tmp_path, kept):
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, galaxygan().parts(), 1, "{}")
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(InputError, match=r"c\.safetensors: is damaged or no checkpoint"):
        load_checkpoint(path, galaxygan().parts(), "{}")


def test_a_pickle_is_no_checkpoint(galaxygan, tmp_path):
    torch.save({"step": 1}, tmp_path / "c.safetensors")
    with pytest.raises(InputError, match="is damaged or no checkpoint"):
        load_checkpoint(tmp_path / "c.safetensors", galaxygan().parts(), "{}")
