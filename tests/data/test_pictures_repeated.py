"""Repeats across the parts, blank and saturated pictures: found where they were put, and not found where there are none."""

import time

import numpy as np
import pytest

from shoal.data import load
from shoal.experiments.picture_faults import blank_rows, measure_picture_faults, pictures_of, saturation
from shoal.measurements.pictures import PictureFaults


def scenes(rows: int, seed: int, side: int = 24, channels: int = 3) -> np.ndarray:
    """Smooth random pictures, no two alike, like small photographs."""
    random = np.random.default_rng(seed)
    coarse = random.normal(size=(rows, 6, 6, channels))
    smooth = coarse.repeat(side // 6, axis=1).repeat(side // 6, axis=2) + 0.2 * random.normal(size=(rows, side, side, channels))
    return np.clip(128 + 45 * smooth, 0, 255).astype(np.uint8)


def noisy(pictures: np.ndarray, levels: float = 2) -> np.ndarray:
    noise = np.random.default_rng(9).normal(0, levels, pictures.shape)
    return np.clip(np.rint(pictures + noise), 0, 255).astype(np.uint8)


def faults(**parts: np.ndarray) -> PictureFaults:
    return measure_picture_faults(parts, seed=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_exact_and_near_repeats_are_counted_apart_and_named(channels):
    train, dev = scenes(800, 0, channels=channels), scenes(200, 1, channels=channels)
    dev[:7] = train[100:107]
    dev[50:61] = noisy(train[300:311])
    found = faults(train=train, dev=dev).repeated
    assert [each.part for each in found] == ["dev"]
    assert (found[0].rows, found[0].exact, found[0].near, found[0].expected_near) == (200, 7, 11, 0.0)
    assert [(pair.row, pair.train_row) for pair in found[0].exact_pairs] == [(row, row + 100) for row in range(7)]
    assert {(pair.row, pair.train_row) for pair in found[0].near_pairs} <= {(row, row + 250) for row in range(50, 61)}
    difference = np.abs(dev[found[0].near_pairs[0].row].astype(float) - train[found[0].near_pairs[0].train_row])
    assert found[0].near_pairs[0].difference == pytest.approx(difference.mean())


def test_parts_without_repeats_have_none():
    found = faults(train=scenes(800, 0), dev=scenes(200, 1), test=scenes(100, 2)).repeated
    assert [(each.part, each.exact, each.near) for each in found] == [("dev", 0, 0), ("test", 0, 0)]


def test_what_is_alike_within_training_is_expected_between_the_parts():
    train = scenes(400, 0)
    train = np.concatenate([train, noisy(train)])
    found = faults(train=train, dev=noisy(train[:100], 2.5)).repeated[0]
    assert found.near > 90 and found.expected_near > 0.9


def test_blank_pictures_are_found_and_are_no_repeats():
    train, dev = scenes(200, 0), scenes(100, 1)
    train[:3], dev[:2], dev[5] = 0, 255, noisy(np.full(dev.shape[1:], 90), 0.5)
    found = faults(train=train, dev=dev)
    assert [(each.part, each.count, each.examples) for each in found.blank] == [("train", 3, (0, 1, 2)), ("dev", 3, (0, 1, 5))]
    assert found.repeated[0].exact == found.repeated[0].near == 0
    assert all(each.count == 0 for each in found.saturated)


def test_a_single_bright_spot_is_no_blank_picture():
    picture = np.zeros((1, 28, 28, 1), np.uint8)
    picture[0, 3, 3] = 255
    assert blank_rows(picture).tolist() == [False] and saturation(picture).tolist() == [1.0]


def test_overexposed_pictures_stand_out_where_that_is_not_usual():
    train, dev = scenes(300, 0), scenes(100, 1)
    dev[4] = np.where(dev[4] > 110, 255, dev[4])
    found = faults(train=train, dev=dev)
    assert [(each.count, each.examples) for each in found.saturated] == [(0, ()), (1, (4,))]
    assert found.usual_saturation[0] < 0.1


def test_a_black_background_is_no_fault_where_all_pictures_have_it():
    train = scenes(300, 0, channels=1)
    train[:, :6], train[:, -6:], train[:, :, :7] = 0, 0, 0
    found = faults(train=train, dev=train[:50] // 2)
    assert all(each.count == 0 for each in found.saturated) and found.usual_saturation[1] >= 0.6


def test_shares_are_those_of_numpy():
    pictures = np.random.default_rng(0).integers(0, 256, (3000, 5, 6, 3), dtype=np.uint8)
    expected = ((pictures == 0) | (pictures == 255)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(saturation(pictures), expected)


@pytest.mark.parametrize("rows", [(1, 1), (3, 0), (2, 5)])
def test_a_few_pictures_are_enough(rows):
    train, dev = scenes(rows[0], 0), scenes(rows[1], 1)
    assert faults(train=train, dev=dev).repeated[0].rows == rows[1]
    assert faults(train=np.zeros_like(train), dev=np.zeros_like(dev)).repeated[0].exact == 0


def test_the_parts_of_a_data_set_are_its_inputs():
    pictures = scenes(60, 0)
    data = load(pictures, y=np.arange(60) % 2)
    parts = pictures_of(data)
    assert parts["train"].shape == (data.split.rows["train"], 24, 24, 3)
    assert all(np.shares_memory(parts[part], data.inputs[part]) for part in data.inputs)


def test_many_pictures_take_seconds(real_data):
    data = load(real_data / "mnist_train.npz", test=real_data / "mnist_test.npz")
    parts = {part: pictures for part, pictures in pictures_of(data).items() if part != "dev"}
    begun = time.perf_counter()
    found = measure_picture_faults(parts, seed=0)
    assert time.perf_counter() - begun < 60
    assert found.repeated[0].exact == 0 and found.repeated[0].near / 10_000 < 1.5 * found.repeated[0].expected_near + 0.01
