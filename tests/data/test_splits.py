"""Splits: which objects are trained on, by the object alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from pellucid.data.splits import fold_of, known_mask, pack_ids, split_objects, validation_mask
from pellucid.errors import InputError

NAMES = [f"{587722981736120347 + k}" for k in range(2000)]


def test_folds_are_what_they_always_were():
    # Another answer would train new models on what old ones were judged by.
    folds = {"100018": 8, "587722981736120347": 0, "NGC 1": 6, "Å": 2}
    assert {name: fold_of(name) for name in folds} == folds


def test_folds_are_balanced_and_each_object_is_in_one():
    masks = np.array([[fold_of(name) == fold for name in NAMES] for fold in range(10)])
    assert_array_equal(masks.sum(axis=0), 1)
    # Two thousand draws of one in ten: 200 with a standard deviation of 13.
    assert np.abs(masks.sum(axis=1) - 200).max() < 4 * 13.5


def test_an_object_keeps_its_side_whatever_the_others_are():
    held_back = {name for name, out in zip(NAMES, validation_mask(NAMES), strict=True) if out}
    some = list(np.random.default_rng(1).permutation(NAMES)[:300])
    assert set(np.array(some)[validation_mask(some)]) == held_back & set(some)


def test_a_split_leaves_nothing_out_and_nothing_twice():
    split = split_objects(NAMES)
    both = np.concatenate([split.training, split.validation])
    assert_array_equal(np.sort(both), np.arange(len(NAMES)))
    assert_array_equal(np.flatnonzero(validation_mask(NAMES)), split.validation)


def test_too_few_objects_to_split_are_refused():
    for part in (split_objects(NAMES).training, split_objects(NAMES).validation):
        with pytest.raises(InputError, match="more are needed"):
            split_objects([NAMES[k] for k in part[:3]])


def test_a_packed_set_knows_its_objects_and_no_others():
    packed = pack_ids(NAMES[:-5])
    assert packed == pack_ids(NAMES[:-5][::-1])
    assert known_mask(packed, NAMES[:3]).all()
    assert known_mask(packed, ["another", NAMES[0]]).tolist() == [False, True]
    assert not known_mask(packed, NAMES[-5:]).any()
    assert not known_mask("", NAMES).any()
