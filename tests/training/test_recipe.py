"""Recipes: what a key means, and that a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pellucid.settings import shipped_files  # noqa: E402
from pellucid.training.galaxygan import GalaxyGANRecipe  # noqa: E402
from pellucid.training.learner import network_config  # noqa: E402
from pellucid.training.papers import read_recipe  # noqa: E402

few = settings(deadline=None, max_examples=30)


@few
@given(st.integers(1, 500), st.floats(0.01, 1.0))
def test_the_rate_stays_then_falls_to_zero(count, cool_down):
    recipe = GalaxyGANRecipe(name="x", steps=count, cool_down=cool_down, learning_rate=1e-3)
    rates = np.array([recipe.rate_at(step) for step in range(count + 1)])
    assert rates[0] <= 1e-3
    assert rates[-1] == 0.0
    assert (np.diff(rates) <= 0).all()
    flat = [rate for step, rate in enumerate(rates) if count - step >= max(cool_down * count, 1)]
    np.testing.assert_allclose(flat, 1e-3)
    assert GalaxyGANRecipe(name="x", steps=count).rate_at(count) == 2e-4


def test_the_average_leaves_the_untrained_weights_behind():
    recipe = GalaxyGANRecipe(name="x", steps=1000, average_decay=0.999)
    left = np.cumprod([recipe.decay_at(step) for step in range(200)])
    assert left[-1] < 1e-6
    assert recipe.decay_at(10**6) == 0.999


def test_the_pixel_weight_changes_with_the_cool_down():
    recipe = GalaxyGANRecipe(
        name="x", steps=100, cool_down=0.4, pixel_weight=100, final_pixel_weight=500
    )
    assert [recipe.pixel_weight_at(step) for step in (0, 60, 61, 99)] == [100, 100, 500, 500]
    assert GalaxyGANRecipe(name="x", steps=100, cool_down=0.4).pixel_weight_at(99) == 100


@pytest.mark.parametrize("name", shipped_files("recipes"))
def test_shipped_recipes_are_read(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    config = network_config(recipe, recipe.network)
    assert recipe.size % config.multiple == 0


def test_a_description_of_several_lines_is_one(recipe_file):
    path = recipe_file(description="|\n  Of two\n  lines.")
    assert read_recipe(path).description == "Of two lines."


#: Lists of lists of lists, ten each, in a line.
LAUGHS = (
    b"[&a0 [1], "
    + b", ".join(b"&a%d [%s]" % (k, b", ".join([b"*a%d" % (k - 1)] * 10)) for k in range(1, 20))
    + b"]}\n"
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: x\nsteps: 5\nstepz: 6\n", "stepz"),
        (b"name: x\nsteps: -5\n", "steps"),
        (b"name: x%s\nmodel: seeinggan\nsteps: 5\n" % (b"[" * 300), "at most 200 characters"),
        (b'name: "x\\e[31m"\nmodel: seeinggan\nsteps: 5\n', "name: String should match"),
        (b"name: x\nsteps: many\n", "steps"),
        (b"name: x\nsteps: 5\nbatch: 0\n", "batch"),
        (b"name: x\nsteps: 5\nseed: -1\n", "galaxygan.seed: Input should be greater"),
        (b"name: x\nsteps: 5\nseed: 9223372036854775808\n", "galaxygan.seed: Input should be"),
        (b"name: x\nsteps: 5\nmodel: dreams\n", "expected tags: 'galaxygan', 'seeinggan'"),
        (b"name: x\nsteps: 5\nmodel: [seeinggan]\n", "model"),
        (b"name: x\nsteps: 5\ncritic_steps: 2\n", "galaxygan.critic_steps: unknown key"),
        (b"name: x\nsteps: 5\nmodel: seeinggan\ncritic_steps: 0\n", "seeinggan.critic_steps"),
        (b"name: x\n", "steps"),
        (b"name: [x\nsteps: 5\n", "no YAML"),
        (b"name: x\n\tsteps: 5\n", "no YAML"),
        (b"just words", "recipe"),
        (b"name: x\nstages: [{recipe: {name: x}}]\n", "is the preset of a study"),
        (b"name: x\nsteps: 5\nnetwork: &a {width: *a}\n", "anchors"),
        (b"name: x\nsteps: 5\nstretch: {name: noise, high: " + LAUGHS, "anchors"),
        (b"", "recipe"),
        (b"\x89PNG\r\n\x1a\n\x00\x01\xff", "no YAML"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(train, tmp_path, pair_store, content, words, capsys):
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
def test_a_recipe_whose_parts_do_not_fit_is_refused(
    train, recipe_file, tmp_path, pair_store, changes, words, capsys
):
    assert train(recipe_file(**changes), pair_store, tmp_path / "run") == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said
    assert not (tmp_path / "run").exists()


def test_what_is_missing_is_named(train, tmp_path, tiny_recipe, pair_store, capsys):
    assert train(Path("no-such-recipe"), pair_store, tmp_path / "run") == 2
    assert "no-such-recipe: neither a file nor a recipe (galaxygan-paper" in capsys.readouterr().err
    assert train(tiny_recipe, tmp_path / "none.h5", tmp_path / "run") == 3
    assert f"{tmp_path / 'none.h5'}: no such file" in capsys.readouterr().err
