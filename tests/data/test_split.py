"""Sizes of parts and assignment of rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.data.split import LARGEST_PART, by_group, by_time, part_size, shuffled, stratified
from shoal.errors import DataError

SIZES = {"dev": 20, "test": 30}


def rows_together(assignment) -> np.ndarray:
    return np.sort(np.concatenate(list(assignment.rows.values())))


@pytest.mark.parametrize(("rows", "size"), [(100, 20), (1000, 200), (10_000, 2000), (1_000_000, 10_000), (10**8, LARGEST_PART)])
def test_small_data_give_a_fifth_and_a_million_rows_one_percent(rows, size):
    assert part_size(rows) == size


@given(st.integers(10, 10**7))
def test_part_sizes_never_jump_and_never_fall(rows):
    assert 0 <= part_size(rows + 1) - part_size(rows) <= 1


@settings(max_examples=50)
@given(st.integers(60, 400), st.integers(0, 5))
def test_a_shuffled_split_is_disjoint_covers_all_rows_and_has_the_sizes_asked(rows, seed):
    assignment = shuffled(rows, SIZES, seed)  # type: ignore[arg-type]
    np.testing.assert_array_equal(rows_together(assignment), np.arange(rows))
    assert {part: len(chosen) for part, chosen in assignment.rows.items()} == {"train": rows - 50, **SIZES}


@settings(max_examples=50)
@given(st.lists(st.integers(0, 6), min_size=60, max_size=300), st.integers(0, 5))
def test_a_stratified_split_covers_all_rows_and_keeps_every_class_in_every_part_or_in_training(classes, seed):
    classes = np.array(classes)
    assignment = stratified(classes, SIZES, seed)  # type: ignore[arg-type]
    np.testing.assert_array_equal(rows_together(assignment), np.arange(len(classes)))
    for name in np.unique(classes):
        parts = {part for part, rows in assignment.rows.items() if name in classes[rows]}
        assert parts == ({"train"} if name in assignment.rare else {"train", "dev", "test"})


def test_a_stratified_split_keeps_the_shares_of_the_classes():
    classes = np.random.default_rng(0).choice(4, size=10_000, p=[0.7, 0.2, 0.08, 0.02])
    assignment = stratified(classes, {"dev": 1000, "test": 1000}, seed=3)
    whole = np.bincount(classes) / classes.size
    for rows in assignment.rows.values():
        np.testing.assert_allclose(np.bincount(classes[rows]) / rows.size, whole, atol=0.001)
    assert abs(assignment.rows["dev"].size - 1000) <= 2


@settings(max_examples=50)
@given(st.lists(st.integers(0, 30), min_size=100, max_size=300), st.integers(0, 5))
def test_no_group_is_in_two_parts(groups, seed):
    groups = np.unique(np.array(groups), return_inverse=True)[1]
    if groups.max() < 3:
        return
    assignment = by_group(groups, SIZES, seed, "g")  # type: ignore[arg-type]
    np.testing.assert_array_equal(rows_together(assignment), np.arange(len(groups)))
    parts = [set(groups[rows]) for rows in assignment.rows.values()]
    assert all(parts) and sum(map(len, parts)) == len(set(groups))


def test_a_split_by_group_needs_as_many_groups_as_parts():
    with pytest.raises(DataError, match="2 groups in 'site'"):
        by_group(np.array([0, 1, 1]), {"dev": 1, "test": 1}, 0, "site")


@settings(max_examples=50)
@given(st.lists(st.integers(0, 1000), min_size=100, max_size=300))
def test_the_latest_rows_are_the_test_part(times):
    times = np.array(times)
    rows = by_time(times, SIZES, "date").rows  # type: ignore[arg-type]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(rows.values()))), np.arange(len(times)))
    assert times[rows["train"]].max() <= times[rows["dev"]].min()
    assert times[rows["dev"]].max() <= times[rows["test"]].min()


def test_rows_of_one_moment_stay_in_one_part():
    times = np.repeat(np.arange(50), 4)
    rows = by_time(times, {"dev": 22, "test": 21}, "date").rows
    assert not set(times[rows["train"]]) & set(times[rows["dev"]])
    assert not set(times[rows["dev"]]) & set(times[rows["test"]])


def test_the_seed_alone_decides_the_split():
    classes = np.arange(200) % 3
    first, again, other = (stratified(classes, SIZES, seed).rows["dev"].tolist() for seed in (1, 1, 2))  # type: ignore[arg-type]
    assert first == again != other
