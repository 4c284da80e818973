"""Shoals of convolutional networks: alone or together, one after the other or all at once, from bytes on the device."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from shoal import devices, population
from shoal.nets import division, network
from shoal.nets.convolution import convolve_by_library
from shoal.nets.division import EXAMPLES
from shoal.nets.pixels import Pixels
from shoal.population import Shoal, Tables, members, predict, take
from shoal.recipe import Recipe, techniques_of
from shoal.training import Batch

HEIGHT, WIDTH, COLOURS, CLASSES, ROWS, DEV_ROWS = 6, 8, 1, 3, 90, 40
BASE = Recipe(hidden_units=(8,), channels=(8, 8), normalisation="batch", activation="relu", batch_size=16, learning_rate=0.01)
RECIPES = [
    BASE,
    replace(BASE, channels=(5, 7), keep_prob=0.7),
    replace(BASE, horizontal_flip=0.5, crop=0.2, learning_rate=0.003),
    replace(BASE, channels=(3, 8), hidden_units=(4,), mixup=0.3),
]
TECHNIQUES = techniques_of(RECIPES)
SEGMENT, SEGMENTS = 6, 3
PIXELS = Pixels(np.full(1, 120.0, np.float32), np.full(1, 70.0, np.float32))


def part(rows: int, seed: int) -> Batch:
    """Pictures of noise with a bright row, column or neither."""
    rng = np.random.default_rng(seed)
    target = rng.integers(CLASSES, size=rows).astype(np.int32)
    x = rng.integers(0, 120, (rows, HEIGHT, WIDTH), dtype=np.uint8)
    for number, kind in enumerate(target):
        if kind == 1:
            x[number, rng.integers(HEIGHT)] = 250
        elif kind == 2:
            x[number, :, rng.integers(WIDTH)] = 250
    return Batch(x.reshape(rows, -1), target, np.ones(rows, np.float32))


TRAIN, DEV = part(ROWS, 1), part(DEV_ROWS, 2)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables.load(TRAIN, DEV, (HEIGHT, WIDTH, COLOURS), PIXELS)


def layout_of(tables: Tables, techniques=TECHNIQUES):
    return tables.layout(BASE.shape, 8, CLASSES, "softmax", techniques)


def trained(tables: Tables, recipes, seeds, segments: int = SEGMENTS, own_rows=None):
    layout = tables.layout(recipes[0].shape, 8, CLASSES, "softmax", techniques_of([*RECIPES, *recipes]))
    shoal = Shoal(layout, len(recipes), tables, seed=5, own_rows=own_rows)
    numbers = shoal.numbers(recipes, seeds)
    state, trace = shoal.advance(shoal.start(numbers), numbers, 0, SEGMENT, segments)
    return take(state, range(len(recipes))), trace


@pytest.fixture(scope="module")
def together(tables: Tables):
    return trained(tables, RECIPES, range(4))


def assert_close(ours, theirs, tolerance: float) -> None:
    for mine, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


def test_pictures_stay_bytes_on_the_device(tables: Tables):
    assert tables.train.x.dtype == tables.dev.x.dtype == jnp.uint8
    assert tables.train.x.shape == (256, HEIGHT * WIDTH * COLOURS) and layout_of(tables).columns == HEIGHT * WIDTH * COLOURS


def test_a_network_is_the_same_alone_as_in_a_shoal_on_two_devices(tables: Tables, together):
    state, trace = together
    alone, alone_trace = trained(tables, RECIPES[2:3], [2])
    assert_close(take(state, [2]).best, alone.best, 1e-6)
    np.testing.assert_allclose(trace.score[:, 2], alone_trace.score[:, 0], rtol=1e-6)


def test_all_at_once_with_the_librarys_convolution_gives_the_same_to_rounding(tables: Tables, together, monkeypatch):
    # without kinks, and without Adam's division by gradients of nearly 0, both of which make much of rounding
    smooth = [replace(each, activation="silu", pooling="average", optimiser="momentum", learning_rate=0.05) for each in RECIPES]
    monkeypatch.setattr("shoal.population.programs._one_by_one", lambda layout: False)
    monkeypatch.setattr(network, "convolve", convolve_by_library)
    monkeypatch.setattr(devices, "programs_folder", lambda: None)  # where the same layout's program is kept, of the other way
    population.forget_programs()
    try:
        state, trace = trained(tables, smooth, range(4), 1)
    finally:
        population.forget_programs()
    monkeypatch.undo()
    expected, expected_trace = trained(tables, smooth, range(4), 1)
    np.testing.assert_allclose(trace.score, expected_trace.score, rtol=1e-5)
    assert_close(state.parameters, expected.parameters, 2e-5)


def test_training_goes_on_where_it_was_left(tables: Tables, together):
    shoal = Shoal(layout_of(tables), 4, tables, seed=5)
    numbers = shoal.numbers(RECIPES, range(4))
    state, _ = shoal.advance(shoal.start(numbers), numbers, 0, SEGMENT, 1)
    state = shoal.put(take(state, range(4)))
    state, _ = shoal.advance(state, numbers, SEGMENT, SEGMENT, SEGMENTS - 1)
    for mine, other in zip(jax.tree.leaves(take(state, range(4))), jax.tree.leaves(together[0]), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_score_is_the_log_loss_of_what_is_predicted_for_the_same_bytes(tables: Tables, together):
    state, trace = together
    units = np.stack([recipe.numbers(0).units for recipe in RECIPES])
    best = np.nanargmin(trace.score, axis=0)
    kept = predict(layout_of(tables, ()), members(state, units), PIXELS, DEV.x)
    assert kept.shape == (4, DEV_ROWS, CLASSES)
    for slot in range(4):
        loss = -np.log(kept[slot, np.arange(DEV_ROWS), DEV.target]).mean()
        assert loss == pytest.approx(trace.score[best[slot], slot], rel=1e-4)


def test_convolutions_learn_what_stands_anywhere_in_a_picture(tables: Tables):
    recipe = replace(BASE, hidden_units=(), channels=(8,), global_pooling="average", learning_rate=0.03)
    layout = tables.layout(recipe.shape, 8, CLASSES, "softmax", recipe.techniques)
    shoal = Shoal(layout, 2, tables, seed=5)
    numbers = shoal.numbers([recipe] * 2, [0, 1])
    _, trace = shoal.advance(shoal.start(numbers), numbers, 0, 50, 8)
    assert trace.dev_error[-1].max() < 0.1  # two in three would be wrong by chance


def test_networks_with_rows_of_their_own_see_those_only(tables: Tables):
    some = np.arange(0, ROWS, 3)
    state, _ = trained(tables, RECIPES[:2], [0, 1], 1, [some, np.arange(ROWS)])
    spoilt = TRAIN._replace(x=np.where(np.isin(np.arange(ROWS), some)[:, None], TRAIN.x, 255 - TRAIN.x))
    other = Tables.load(spoilt, DEV, (HEIGHT, WIDTH, COLOURS), PIXELS)
    changed, _ = trained(other, RECIPES[:2], [0, 1], 1, [some, np.arange(ROWS)])
    for mine, again in zip(jax.tree.leaves(take(state, [0]).parameters), jax.tree.leaves(take(changed, [0]).parameters), strict=True):
        np.testing.assert_array_equal(mine, again)
    assert not np.array_equal(state.parameters[0]["w"][1], changed.parameters[0]["w"][1])


def test_a_state_is_rebuilt_from_its_leaves(tables: Tables, together):
    leaves = jax.tree.leaves(together[0])
    structure = population.state_structure(layout_of(tables))
    assert jax.tree.structure(together[0]) == structure == jax.tree.structure(jax.tree.unflatten(structure, leaves))


def test_memory_counts_the_planes_and_few_slots_are_enough_on_a_cpu(tables: Tables):
    layout = layout_of(tables)
    larger = replace(layout, picture=(4 * HEIGHT, 4 * WIDTH, COLOURS), columns=16 * HEIGHT * WIDTH)
    assert population.bytes_per_network(larger) > 10 * population.bytes_per_network(layout)
    assert population.slots_within(layout, 10**12) == len(jax.devices())


def test_devices_work_together_on_networks_that_cannot_be_dealt_out(tables: Tables, monkeypatch):
    monkeypatch.setattr(division, "LEAST_OPERATIONS", 1)
    count, one, two = len(jax.devices()), layout_of(tables, techniques_of(RECIPES[:3])), layout_of(tables)
    many, memory = replace(one, shape=replace(one.shape, batch_size=64 * count)), 10**12
    assert Shoal(many, 1, tables, seed=0).mesh.size == count
    assert population.slots_for(many, 1, memory) == 1 and population.slots_for(many, 10**9, memory) == population.slots_within(many, memory)
    assert population.slots_for(two, 1, memory) == count  # mixup: no division, and a slot that repeats costs nothing
    monkeypatch.setattr(division, "LEAST_OPERATIONS", many.operations * 64)
    assert many.parts_among(count) == count
    assert many.parts_among(count + 1) == count  # its part would be too small
    monkeypatch.setattr(division, "LEAST_OPERATIONS", many.operations * 64 * count + 1)
    assert many.parts_among(count) == 1


SMOOTH = replace(BASE, activation="silu", optimiser="momentum", batch_size=64, learning_rate=0.05)
"""No kinks, and no division by gradients of nearly 0, so that rounding stays small."""
DIVIDED = {
    "batch norm": [SMOOTH],
    "layer norm": [replace(SMOOTH, normalisation="layer")],
    "pooled first": [replace(SMOOTH, activation="elu")],
    "nothing": [replace(SMOOTH, normalisation="none")],
    "dropout and noise": [replace(SMOOTH, keep_prob=(0.8, 0.7), input_noise=0.1)],
    "augmentation": [replace(SMOOTH, horizontal_flip=0.5, crop=0.2, rotation=5.0, brightness=0.1, cutout=0.2)],
    "costs": [replace(SMOOTH, class_balance=0.5, label_smoothing=0.1, l2=0.01, clip_norm=0.5)],
    "three networks": [SMOOTH, replace(SMOOTH, learning_rate=0.02), replace(SMOOTH, channels=(5, 7))],
}


@pytest.mark.skipif(devices.cores() < 2, reason="one core is one device")
@pytest.mark.parametrize("name", DIVIDED)
@pytest.mark.parametrize("own_rows", [False, True])
def test_two_devices_with_half_of_each_mini_batch_do_what_one_does_with_all_of_it(name: str, own_rows: bool, monkeypatch):
    """90 rows in mini-batches of 64: the second device has nothing but padding in every other step."""
    recipes = DIVIDED[name]
    rows = [np.arange(number, ROWS, 2) for number in range(len(recipes))] if own_rows else None

    def result() -> Any:
        tables = Tables.load(TRAIN, DEV, (HEIGHT, WIDTH, COLOURS), PIXELS)
        layout = tables.layout(recipes[0].shape, 8, CLASSES, "softmax", techniques_of(recipes))
        shoal = Shoal(layout, len(recipes), tables, seed=5, own_rows=rows)
        numbers = shoal.numbers(recipes, range(len(recipes)))
        state, trace = shoal.advance(shoal.start(numbers), numbers, 0, SEGMENT, SEGMENTS)
        return shoal.mesh.shape, (take(state, range(len(recipes))), trace, shoal.probe(state, numbers, SEGMENT))

    monkeypatch.setattr(division, "LEAST_OPERATIONS", 1)
    two = devices.start()[:2]
    monkeypatch.setattr(devices, "start", lambda: two)
    shape, divided = result()
    assert shape == {devices.AXIS: 1, EXAMPLES: 2}
    monkeypatch.setattr(devices, "start", lambda: two[:1])
    shape, whole = result()
    assert shape == {devices.AXIS: 1, EXAMPLES: 1}
    assert_close(divided, whole, 3e-5)
    assert np.isfinite(whole[1].score).all() and not whole[0].diverged.any()
