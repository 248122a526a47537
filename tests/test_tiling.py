"""Tiles: every pixel covered, weights that add up to one, no seam."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import convolve2d
from skimage.data import hubble_deep_field

from pellucid.tiling import map_tiles, map_windows, plan_tiles

sides = st.integers(1, 70)


@st.composite
def plans(draw):
    size = draw(st.integers(2, 32))
    overlap = draw(st.integers(0, size // 2))
    return (draw(sides), draw(sides)), size, overlap


def field(height: int, width: int) -> np.ndarray:
    return hubble_deep_field()[300 : 300 + height, 400 : 400 + width].transpose(2, 0, 1) / (
        np.float32(255)
    )


@settings(deadline=None, max_examples=60)
@given(plans(), st.integers(1, 9))
def test_the_identity_gives_the_image_back(plan, batch):
    shape, size, overlap = plan
    image = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    result = map_tiles(lambda tiles: tiles, image, plan_tiles(shape, size, overlap), batch)
    assert result.shape == image.shape
    assert result.dtype == np.float32
    assert_allclose(result, image, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(plans())
def test_tiles_cover_the_image_and_none_could_be_spared(plan):
    shape, size, overlap = plan
    tiling = plan_tiles(shape, size, overlap)
    for axis in (0, 1):
        starts = tiling.starts[axis]
        assert starts[-1] + size == tiling.padded[axis]
        assert set(np.diff(starts)) <= {size - overlap}
        assert 0 <= tiling.before[axis] <= tiling.padded[axis] - shape[axis]
        if len(starts) > 1:
            assert starts[-2] + size < shape[axis]


def test_without_overlap_each_tile_stands_alone():
    image = field(40, 50)
    tiling = plan_tiles((40, 50), 10, 0)
    result = map_tiles(lambda tiles: tiles - tiles.mean(axis=(2, 3), keepdims=True), image, tiling)
    blocks = image.reshape(3, 4, 10, 5, 10)
    expected = blocks - blocks.mean(axis=(2, 4), keepdims=True)
    assert_allclose(result, expected.reshape(image.shape), atol=1e-6)


def test_what_reaches_less_than_half_an_overlap_sees_no_seam():
    # A 3×3 mean is wrong in a tile's outermost pixel alone, where its weight is least.
    def blurred(tiles: np.ndarray) -> np.ndarray:
        wide = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="symmetric")
        height, width = tiles.shape[2:]
        return (
            sum(wide[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9
        )

    image = field(90, 100)
    whole = blurred(image[None])[0]
    errors = [
        np.abs(map_tiles(blurred, image, plan_tiles((90, 100), 32, overlap)) - whole)
        for overlap in (0, 16)
    ]
    assert errors[1].max() < 0.1 * errors[0].max()


def test_neighbours_blend_linearly():
    seen = iter(range(10))

    def numbered(tiles: np.ndarray) -> np.ndarray:
        return np.stack([np.full_like(tile, next(seen)) for tile in tiles])

    row = map_tiles(numbered, np.zeros((1, 8, 14), np.float32), plan_tiles((8, 14), 8, 2))[0, 0]
    assert_allclose(row, [0] * 6 + [0.25, 0.75] + [1] * 6)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_no_call_gets_more_than_a_batch_and_batches_change_nothing(batch):
    image = field(60, 60)
    calls = []

    def squared(tiles: np.ndarray) -> np.ndarray:
        calls.append(len(tiles))
        return tiles**2

    tiling = plan_tiles((60, 60), 16, 4)
    result = map_tiles(squared, image, tiling, batch)
    assert max(calls) <= batch
    assert sum(calls) == len(tiling.starts[0]) * len(tiling.starts[1]) == 25
    assert_array_equal(result, map_tiles(lambda tiles: tiles**2, image, tiling, 7))


def test_a_small_image_is_mirrored_into_its_tile():
    image = field(5, 7)
    tiles = []

    def kept(batch: np.ndarray) -> np.ndarray:
        tiles.append(batch)
        return batch

    map_tiles(kept, image, plan_tiles((5, 7), 9, 2))
    assert tiles[0].shape == (1, 3, 9, 9)
    assert_array_equal(tiles[0][0], np.pad(image, ((0, 0), (2, 2), (1, 1)), mode="symmetric"))


@pytest.mark.parametrize("overlap", [-1, 9, 17])
def test_an_overlap_that_does_not_fit_is_refused(overlap):
    with pytest.raises(ValueError, match="does not fit tiles of 16"):
        plan_tiles((40, 40), 16, overlap)


@pytest.mark.parametrize("shape", [(40, 52), (64, 64), (131, 97)])
def test_windows_give_what_the_whole_image_gives(shape):
    """A filter that reaches 6 pixels, on windows of 32 with as much around them."""
    rng = np.random.default_rng(4)
    image = rng.standard_normal((2, *shape)).astype(np.float32)
    kernel = rng.standard_normal((13, 13)).astype(np.float32)
    calls = []

    def function(planes):
        calls.append(planes.shape)
        assert not planes.shape[2] % 8
        assert not planes.shape[3] % 8
        return np.stack([[convolve2d(p, kernel, mode="same") for p in one] for one in planes])

    windows = map_windows(function, image, core=32, reach=6, multiple=8)
    count = len(calls)
    whole = map_windows(function, image, core=1024, reach=6, multiple=8)
    assert count == -(-shape[0] // 32) * -(-shape[1] // 32)
    assert len(calls) == count + 1
    assert windows.shape == image.shape
    assert_array_equal(windows, whole)
    planes = [image[0], np.broadcast_to(np.float32(1.5), shape)]
    both = [map_windows(function, each, 32, 6, 8) for each in (planes, np.stack(planes))]
    assert_array_equal(*both)
