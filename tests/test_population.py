"""Shoals: who a network trains beside, on which device, and in how many calls must not matter to it."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal import devices, population, training
from shoal.nets.network import Layout, draw
from shoal.population import Members, Shoal, Tables, join, members, predict, state_structure, take
from shoal.population.tables import capacity
from shoal.recipe import AUGMENTATIONS, TECHNIQUES, Recipe, techniques_of
from shoal.training import Batch, Scale

ROWS, DEV_ROWS, COLUMNS, CLASSES, BATCH = 300, 120, 6, 3, 32
EPOCH = 10  # steps: nine whole mini-batches of 32 rows and one of 12
BASE = Recipe((8,), batch_size=BATCH, epochs=6.0, learning_rate=0.01)
RECIPES = [
    BASE,
    replace(BASE, hidden_units=(5,), optimiser="momentum", learning_rate=0.2, keep_prob=0.7),
    replace(BASE, optimiser="rmsprop", weight_decay=0.1, decay="inverse_time"),
    replace(BASE, hidden_units=(3,), optimiser="gradient_descent", learning_rate=0.3, label_smoothing=0.1, clip_norm=0.5),
]
LAYOUT = Layout(BASE.shape, 8, 8, 0, CLASSES, "softmax", techniques_of(RECIPES))
SEEDS = [11, 12, 13, 14]


def part(rows, seed, weight=None):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, COLUMNS)).astype(np.float32)
    target = (x @ np.random.default_rng(0).normal(size=(COLUMNS, CLASSES)) + rng.normal(size=(rows, CLASSES))).argmax(1)
    return Batch(x, target.astype(np.int32), np.ones(rows, np.float32) if weight is None else weight.astype(np.float32))


TRAIN = part(ROWS, 1, np.random.default_rng(3).uniform(0.5, 2, ROWS))
DEV = part(DEV_ROWS, 2, np.random.default_rng(4).uniform(0.5, 2, DEV_ROWS))


@pytest.fixture(scope="module")
def tables():
    return Tables.load(TRAIN, DEV)


@pytest.fixture(scope="module")
def shoal(tables):
    return Shoal(LAYOUT, 4, tables, seed=5)


def trained(shoal, recipes=RECIPES, seeds=SEEDS, segments=3, first_step=0):
    numbers = shoal.numbers(recipes, seeds)
    state, trace = shoal.advance(shoal.start(numbers), numbers, first_step, EPOCH, segments)
    return take(state, range(len(recipes))), trace


@pytest.fixture(scope="module")
def usual(shoal):
    """The four networks after three epochs, and what was measured."""
    return trained(shoal)


def assert_identical(a, b):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(one, other)


def assert_close(a, b, tolerance):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def only(tree, slots):
    """Some networks of a state, or of a trace, where they stand in the second axis."""
    if isinstance(tree, population.Trace):
        return jax.tree.map(lambda series: series[:, slots], tree)
    return jax.tree.map(lambda leaf: leaf[slots], tree)


def test_networks_learn(usual):
    trace = usual[1]
    assert (trace.dev_loss[-1] < 0.9 * np.log(CLASSES)).all() and (trace.train_loss[-1] < trace.train_loss[0]).all()


def test_a_network_in_a_shoal_is_the_same_network_alone(tables, shoal):
    """Early steps only: round-off drifts in single precision."""
    alone = Shoal(LAYOUT, 1, tables, seed=5)
    together, trace = trained(shoal, segments=1)
    for slot in range(4):
        own, own_trace = trained(alone, RECIPES[slot : slot + 1], SEEDS[slot : slot + 1], segments=1)
        assert_close(own.parameters, only(together, [slot]).parameters, 2e-5)
        assert_close(own_trace, only(trace, [slot]), 1e-4)


def test_permuting_a_shoal_permutes_its_results(shoal, usual):
    order = [2, 0, 3, 1]
    state, trace = trained(shoal, [RECIPES[i] for i in order], [SEEDS[i] for i in order])
    assert_close(state.parameters, only(usual[0], order).parameters, 1e-5)
    assert_close(trace, only(usual[1], order), 1e-5)


def test_a_diverging_neighbour_changes_nothing_and_is_recorded(shoal, usual):
    diverging = replace(RECIPES[1], optimiser="gradient_descent", learning_rate=1e30, clip_norm=None)
    state, trace = trained(shoal, [RECIPES[0], diverging, *RECIPES[2:]])
    others = [0, 2, 3]
    assert_identical(only(state, others), only(usual[0], others))
    assert_identical(only(trace, others), only(usual[1], others))
    assert state.diverged.tolist() == [False, True, False, False]
    assert not np.isfinite(trace.train_loss[-1, 1]) and not np.isfinite(trace.score[:, 1]).any()


def test_a_diverged_networks_best_is_where_it_was_before(shoal):
    """Two healthy epochs, then the learning rate explodes."""
    numbers = shoal.numbers(RECIPES, SEEDS)
    state, trace = shoal.advance(shoal.start(numbers), numbers, 0, EPOCH, 2)
    healthy = take(state, [0])
    exploding = replace(RECIPES[0], optimiser="gradient_descent", learning_rate=1e30)
    state, _ = shoal.advance(state, shoal.numbers([exploding, *RECIPES[1:]], SEEDS), 2 * EPOCH, EPOCH, 1)
    after = take(state, [0])
    assert after.diverged.all() and not healthy.diverged.any()
    assert_identical(after.best, healthy.best)
    assert after.best.score[0] == trace.score[:, 0].min()


@pytest.mark.skipif(devices.cores() < 2, reason="one core is one device")
def test_one_device_and_two_train_the_same_networks(shoal, tables, usual, monkeypatch):
    assert devices.mesh(4).size == 2 or devices.cores() > 2
    first = devices.start()[:1]
    monkeypatch.setattr(devices, "start", lambda: first)
    single = Shoal(LAYOUT, 4, Tables.load(TRAIN, DEV), seed=5)
    state, trace = trained(single)
    assert_close(state.parameters, usual[0].parameters, 1e-5)
    assert_close(trace, usual[1], 1e-5)


def test_two_calls_are_one_also_when_the_networks_waited_on_the_host_in_between(shoal, usual):
    numbers = shoal.numbers(RECIPES, SEEDS)
    state, first = shoal.advance(shoal.start(numbers), numbers, 0, EPOCH, 1)
    state = shoal.put(take(state, range(4)))
    state, second = shoal.advance(state, numbers, EPOCH, EPOCH, 2)
    assert_identical(take(state, range(4)), usual[0])
    assert_identical(jax.tree.map(lambda a, b: np.concatenate([a, b]), first, second), usual[1])


def test_more_segments_than_the_buffer_holds_go_on_as_one_training(shoal, usual, monkeypatch):
    order = shoal._order  # the program's own buffer stays as it is; only the calls become more
    asked = []
    monkeypatch.setattr(shoal, "_order", lambda step, steps: asked.append((step, steps)) or order(step, steps))
    numbers = shoal.numbers(RECIPES, SEEDS)
    segments = population.BUFFER_STEPS // EPOCH + 2
    state, trace = shoal.advance(shoal.start(numbers), numbers, 0, EPOCH, segments)
    assert asked == [(0, 250), (250, 20)]
    assert trace.score.shape == (segments, 4) and take(state, [0]).age.tolist() == [segments * EPOCH]
    assert_identical(jax.tree.map(lambda series: series[:3], trace), usual[1])


def test_the_same_seeds_train_the_same_networks_and_other_seeds_others(shoal, tables, usual):
    assert_identical(trained(shoal), usual)
    assert not np.allclose(trained(shoal, seeds=[1, 2, 3, 4])[1].score, usual[1].score)
    assert not np.allclose(trained(Shoal(LAYOUT, 4, tables, seed=6))[1].score, usual[1].score)  # other mini-batches, other dropout


def test_networks_of_different_ages_share_a_shoal(shoal):
    """A fresh network takes the slot of another in the second epoch, and its neighbours go on as if nothing had happened."""
    numbers = shoal.numbers(RECIPES, SEEDS)
    state, _ = shoal.advance(shoal.start(numbers), numbers, 0, EPOCH, 1)
    begun = take(state, range(4))
    expected = take(shoal.advance(shoal.put(begun), numbers, EPOCH, EPOCH, 2)[0], range(4))
    fresh = trained(shoal, first_step=EPOCH, segments=2)[0]  # all four from the start, over the same mini-batches
    newcomers = take(shoal.start(numbers), range(4))
    mixed = join([only(begun, [0, 1]), only(newcomers, [2]), only(begun, [3])])
    mixed = take(shoal.advance(shoal.put(mixed), numbers, EPOCH, EPOCH, 2)[0], range(4))
    assert mixed.age.tolist() == [30, 30, 20, 30]
    assert_identical(only(mixed, [0, 1, 3]), only(expected, [0, 1, 3]))
    assert_identical(only(mixed, [2]), only(fresh, [2]))


def test_the_best_weights_are_those_of_the_lowest_score_and_predict_it(shoal, usual):
    recipes = [replace(recipe, learning_rate=30 * recipe.learning_rate, decay="constant") for recipe in RECIPES]  # scores go up and down
    state, trace = trained(shoal, recipes, segments=8)
    best = np.nanargmin(np.where(np.isfinite(trace.score), trace.score, np.nan), 0)
    assert (best < 7).any()
    assert state.best.age.tolist() == ((best + 1) * EPOCH).tolist()
    np.testing.assert_array_equal(state.best.score, trace.score.min(0))
    probability = predict(LAYOUT, members(state, np.stack([recipe.numbers(0).units for recipe in recipes])), shoal.tables.encoding, DEV.x)
    for slot in range(4):
        clipped = np.clip(probability[slot].astype(np.float64), 1e-30, 1)
        loss = -(DEV.weight * np.log(clipped[np.arange(DEV_ROWS), DEV.target])).sum() / DEV.weight.sum()
        assert loss == pytest.approx(state.best.score[slot], rel=1e-3)


def test_dev_loss_and_error_are_scikit_learns_weighted_ones(shoal):
    state, trace = trained(shoal, segments=1)
    current = Members(state.parameters, state.statistics, np.stack([recipe.numbers(0).units for recipe in RECIPES]))
    for slot, probability in enumerate(predict(LAYOUT, current, shoal.tables.encoding, DEV.x).astype(np.float64)):
        probability /= probability.sum(1, keepdims=True)
        loss = sklearn.metrics.log_loss(DEV.target, probability, sample_weight=DEV.weight, labels=range(CLASSES))
        error = sklearn.metrics.zero_one_loss(DEV.target, probability.argmax(1), sample_weight=DEV.weight)
        assert (trace.dev_loss[0, slot], trace.dev_error[0, slot]) == (pytest.approx(loss, rel=1e-5), pytest.approx(error, rel=1e-5))


@pytest.mark.parametrize(("encoding", "further"), [("piecewise", 16), ("periodic", 4)])
def test_an_encoding_is_the_same_in_training_evaluation_and_prediction(tables, encoding, further):
    """What the program measured while it trained is what comes out when the rows are encoded and predicted afterwards."""
    recipe = replace(BASE, numeric_encoding=encoding, input_scale_rate=3.0)
    layout = tables.layout(recipe.shape, 8, CLASSES, "softmax")
    assert (layout.columns, layout.encoded, layout.inputs) == (8, 8, 8 + 8 * further)
    state, trace = trained(Shoal(layout, 2, tables, seed=5), [recipe, RECIPES[1]], SEEDS[:2], segments=4)
    assert (trace.dev_loss[-1] < 0.95 * np.log(CLASSES)).all()
    current = Members(state.parameters, state.statistics, np.array([[8], [5]]))
    probability = predict(layout, current, tables.encoding, DEV.x).astype(np.float64)
    loss = -np.average(np.log(probability[:, np.arange(DEV_ROWS), DEV.target]), axis=1, weights=DEV.weight)
    np.testing.assert_allclose(loss, trace.dev_loss[-1], rtol=1e-4)
    used = np.concatenate([np.arange(8) < COLUMNS, tables.encoding.used()])
    if encoding == "periodic":
        used = np.concatenate([np.arange(8) < COLUMNS, np.repeat(tables.encoding.used(by_column=True), further)])
    weights = np.asarray(state.parameters[0]["w"])
    assert weights[:, used].any() and not weights[:, ~used].any()
    scales = np.asarray(state.parameters[0]["scale"])
    assert (scales[0, used] != 1).all() and (scales[:, ~used] == 1).all() and (scales[1] == 1).all()  # the second does without


def test_the_share_of_the_error_decides_what_selects(shoal, tables, usual):
    mixed = trained(Shoal(LAYOUT, 4, tables, seed=5, error_share=0.25))[1]
    np.testing.assert_allclose(mixed.score, 0.75 * usual[1].dev_loss + 0.25 * usual[1].dev_error, rtol=1e-6)
    np.testing.assert_array_equal(usual[1].score, usual[1].dev_loss)


def test_early_stopping_keeps_the_best_before_patience_ran_out(shoal):
    patience = 2
    wild = [replace(recipe, learning_rate=30 * recipe.learning_rate, decay="constant") for recipe in RECIPES]
    patient, trace = trained(shoal, wild, segments=12)
    state, same = trained(shoal, [replace(recipe, patience=float(patience)) for recipe in wild], segments=12)
    measured = np.isfinite(same.score)  # until every network of a device has stopped
    np.testing.assert_array_equal(same.score[measured], trace.score[measured])
    assert (np.diff(measured.astype(int), axis=0) <= 0).all() and measured[: patience + 1].all()
    for slot in range(4):
        best, stopped = 0, False
        for number, score in enumerate(trace.score[:, slot]):
            if not stopped and score < trace.score[best, slot]:
                best = number
            stopped = stopped or number - best >= patience
        assert bool(state.stopped[slot]) == stopped
        assert state.best.age[slot] == (best + 1) * EPOCH
    assert state.stopped.any() and not patient.stopped.any()
    assert (state.best.score >= patient.best.score).all()


def test_results_do_not_depend_on_how_far_the_tables_are_padded(usual, monkeypatch):
    monkeypatch.setattr("shoal.population.tables.capacity", lambda rows: 2 * capacity(rows))
    longer = Tables.load(TRAIN, DEV)
    assert (len(longer.train.x), len(longer.dev.x)) == (1024, 512)
    assert_identical(trained(Shoal(LAYOUT, 4, longer, seed=5)), usual)


def test_dev_rows_of_weight_0_are_absent(shoal, usual):
    nothing = part(70, 9, np.zeros(70))
    with_nothing = Batch(*(np.concatenate(both) for both in zip(DEV, nothing, strict=True)))
    assert_close(trained(Shoal(LAYOUT, 4, Tables.load(TRAIN, with_nothing), seed=5)), usual, 1e-5)


@pytest.mark.parametrize("rows", [1, 255, 256, 300, 511, 512])
def test_a_table_is_padded_to_its_size_class_with_rows_of_weight_0_and_at_least_one(rows):
    padded = population.padded(part(rows, 0), 8)
    size = len(padded.x)
    assert size > rows and size in (256, 512, 1024) and (size == 256 or size <= 2 * rows)
    np.testing.assert_array_equal(padded.weight, np.arange(size) < rows)
    assert padded.x.shape == (size, 8) and not padded.x[rows:].any() and not padded.x[:, COLUMNS:].any()


@given(st.integers(0, 60), st.integers(1, 45))
@settings(max_examples=30)
def test_any_stretch_of_the_mini_batch_sequence_is_the_same_whether_asked_for_at_once_or_not(shoal, step, steps):
    np.testing.assert_array_equal(shoal._order(step, steps), shoal._order(0, step + steps)[step:])


def test_every_row_is_used_exactly_once_an_epoch_the_last_smaller_batch_included(shoal):
    epochs = shoal._order(0, 3 * EPOCH).reshape(3, EPOCH, BATCH)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch.ravel())[:ROWS], np.arange(ROWS))
        assert (epoch[-1, ROWS % BATCH :] == ROWS).all() and (epoch.ravel()[:ROWS] < ROWS).all()  # padding stands at the end only
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[1], epochs[2])


def test_five_million_rows_at_1000_a_batch_are_5000_steps(tables):
    assert replace(tables, train_rows=5_000_000).steps_per_epoch(1000) == 5000
    assert replace(tables, train_rows=5_000_001).steps_per_epoch(1000) == 5001


@pytest.mark.parametrize("rows", [1, 1024, 1500])
def test_predictions_do_not_depend_on_how_many_rows_are_predicted_at_once(usual, tables, rows):
    networks = members(usual[0], np.stack([recipe.numbers(0).units for recipe in RECIPES]))
    x = np.tile(DEV.x, (13, 1))[:1500]
    every = predict(LAYOUT, networks, tables.encoding, x)
    np.testing.assert_array_equal(predict(LAYOUT, networks, tables.encoding, x[:rows]), every[:, :rows])
    np.testing.assert_allclose(every.sum(-1), 1, rtol=1e-5)
    assert predict(LAYOUT, networks, tables.encoding, x[:0]).shape == (4, 0, CLASSES)


OWN = [np.random.default_rng(slot).permutation(ROWS)[:count] for slot, count in enumerate((40, 300, 7, 150))]


def test_networks_with_all_rows_in_their_order_as_their_own_are_those_without(tables, usual):
    everything = Shoal(LAYOUT, 4, tables, seed=5, own_rows=[np.arange(ROWS)] * 4)
    state, trace = trained(everything)
    assert_close(state.parameters, usual[0].parameters, 1e-5)
    assert_close(trace, usual[1], 1e-5)


def test_a_network_with_rows_of_its_own_is_the_one_trained_alone_on_a_table_of_them(tables):
    """The table holds at position p the row that the network has there, so the usual program makes the same mini-batches of it."""
    state, trace = trained(Shoal(LAYOUT, 4, tables, seed=5, own_rows=OWN), segments=2)
    for slot, mine in enumerate(OWN):
        rows = mine[np.arange(ROWS) % len(mine)]
        repeated = Tables.load(Batch(TRAIN.x[rows], TRAIN.target[rows], TRAIN.weight[rows]), DEV)
        alone = Shoal(LAYOUT, 1, repeated, seed=5)
        own, own_trace = trained(alone, RECIPES[slot : slot + 1], SEEDS[slot : slot + 1], segments=2)
        assert_close(own.parameters, only(state, [slot]).parameters, 5e-5)
        assert_close(own_trace, only(trace, [slot]), 2e-4)


def test_rows_that_are_not_a_networks_own_do_not_touch_it(tables):
    state, trace = trained(Shoal(LAYOUT, 4, tables, seed=5, own_rows=OWN))
    x = TRAIN.x.copy()
    x[np.setdiff1d(np.arange(ROWS), OWN[0])] = 1e6
    spoilt, spoilt_trace = trained(Shoal(LAYOUT, 4, Tables.load(TRAIN._replace(x=x), DEV), seed=5, own_rows=OWN))
    assert_identical(only(spoilt.parameters, [0]), only(state.parameters, [0]))
    assert_identical(only(spoilt_trace, [0]), only(trace, [0]))
    assert not np.allclose(spoilt_trace.train_loss[:, 1], trace.train_loss[:, 1])


def test_an_encoding_is_made_of_a_networks_own_rows(tables):
    recipe = replace(BASE, numeric_encoding="piecewise")
    layout = tables.layout(recipe.shape, 8, CLASSES, "softmax", recipe.techniques)
    without = trained(Shoal(layout, 2, tables, seed=5), [recipe] * 2, SEEDS[:2])
    everything = trained(Shoal(layout, 2, tables, seed=5, own_rows=[np.arange(ROWS)] * 2), [recipe] * 2, SEEDS[:2])
    assert_close(everything[1], without[1], 1e-5)


@pytest.mark.skipif(devices.cores() < 2, reason="one core is one device")
def test_one_device_and_two_give_networks_the_same_rows_of_their_own(tables, monkeypatch):
    usual = trained(Shoal(LAYOUT, 4, tables, seed=5, own_rows=OWN))
    first = devices.start()[:1]
    monkeypatch.setattr(devices, "start", lambda: first)
    single = trained(Shoal(LAYOUT, 4, Tables.load(TRAIN, DEV), seed=5, own_rows=OWN))
    assert_close(single[0].parameters, usual[0].parameters, 1e-5)
    assert_close(single[1], usual[1], 1e-5)


def test_other_rows_of_their_own_compile_nothing(tables):
    trained(Shoal(LAYOUT, 4, tables, seed=5, own_rows=OWN))
    before = devices.compilations()
    trained(Shoal(LAYOUT, 4, tables, seed=6, own_rows=[np.arange(count) for count in (3, 299, 20, 21)]))
    trained(Shoal(LAYOUT, 4, Tables.load(part(311, 1), DEV), seed=5, own_rows=OWN[:2]), RECIPES[:2], SEEDS[:2])
    assert devices.compilations() == before


USING = {
    "accumulate": {"optimiser": "adagrad"}, "class_balance": {"class_balance": 0.5}, "clip_norm": {"clip_norm": 1.0},
    "clip_value": {"clip_value": 1.0}, "dropout": {"keep_prob": 0.5}, "first_moment": {"optimiser": "momentum"},
    "input_dropout": {"input_keep_prob": 0.5}, "input_noise": {"input_noise": 0.1}, "l1": {"l1": 1.0}, "l2": {"l2": 1.0},
    "input_scale": {"input_scale_rate": 2.0}, "activation_share": {"activation_rate": 2.0},
    "label_smoothing": {"label_smoothing": 0.1}, "lsuv": {"initialisation": "lsuv"}, "max_norm": {"max_norm": 1.0},
    "maximum": {"optimiser": "amsgrad"}, "mixup": {"mixup": 0.2}, "nesterov": {"optimiser": "nesterov"},
    "orthogonal": {"initialisation": "orthogonal"}, "plateau": {"decay": "plateau"}, "second_moment": {"optimiser": "rmsprop"},
    "orthogonalised": {"optimiser": "muon"}, "sign": {"optimiser": "lion"}, "weight_average": {"weight_average": 0.9},
    "weight_decay": {"weight_decay": 0.1},
}  # fmt: skip


def operations(recipe):
    """How many operations the programs of a network of this recipe hold: its start, a step and what follows an evaluation."""
    layout = Layout(recipe.shape, 8, 8, 0, CLASSES, "softmax", recipe.techniques)
    numbers, scale = recipe.numbers(0), Scale(np.float32(ROWS), np.float32(EPOCH), np.ones(8, bool), jnp.ones(CLASSES), 0.0)
    batch = Batch(jnp.zeros((BATCH, 8)), jnp.zeros(BATCH, jnp.int32), jnp.ones(BATCH))

    def everything(numbers):
        state = training.start(layout, numbers, scale, batch.x)
        state, *_ = training.step(layout, state, numbers, scale, batch, draw(layout, jnp.uint32(0), jnp.int32(0)))
        return training.keep_best(state, jnp.float32(1.0), numbers, scale)

    return jax.jit(everything).lower(numbers).as_text().count(" = ")


@pytest.fixture(scope="module")
def fewest_operations():
    return operations(replace(BASE, optimiser="gradient_descent"))


@pytest.mark.parametrize("technique", sorted(set(TECHNIQUES) - set(AUGMENTATIONS)))  # which are for pictures
def test_a_technique_that_no_network_uses_is_not_in_the_program(fewest_operations, technique):
    recipe = replace(BASE, **({"optimiser": "gradient_descent"} | USING[technique]))
    assert technique in recipe.techniques
    assert operations(recipe) > fewest_operations


def test_a_shoal_refuses_a_recipe_whose_technique_its_program_leaves_out(shoal):
    with pytest.raises(ValueError, match=r"not \['mixup'\]"):
        shoal.numbers([replace(BASE, mixup=0.2)], [0])


def test_a_state_is_rebuilt_from_its_leaves(usual):
    assert state_structure(LAYOUT) == jax.tree.structure(usual[0])


def test_slots_fill_memory_but_never_more_than_it_holds_and_are_spread_over_all_devices():
    count, each = len(devices.start()), population.bytes_per_network(LAYOUT)
    assert each >= 4 * 6 * LAYOUT.parameters  # with two moments
    assert population.slots_within(LAYOUT, 10**12) == population.default_slots(LAYOUT)
    assert population.slots_within(LAYOUT, each * (count + 1)) == count
    assert population.slots_within(LAYOUT, 1) == count


COUNTING = """
import itertools, json, warnings
warnings.simplefilter("error")
import numpy as np
from dataclasses import replace
from shoal import devices
from shoal.nets.network import Layout
from shoal.population import Shoal, Tables, members, predict, take
from shoal.recipe import DECAYS, OPTIMISERS, Recipe, techniques_of
from shoal.training import Batch

def tables(rows, seed=0, dev_rows=100):
    rng = np.random.default_rng(seed)
    return Tables.load(*(Batch(rng.normal(size=(n, 5)).astype(np.float32), rng.integers(3, size=n, dtype=np.int32), np.ones(n, np.float32))
                         for n in (rows, dev_rows)))

base = Recipe((6,), batch_size=32)
every = replace(base, keep_prob=0.5, l2=1.0, weight_decay=0.1, l1=1.0, max_norm=3.0, input_noise=0.1, mixup=0.2, label_smoothing=0.1,
                clip_norm=1.0, clip_value=1.0, weight_average=0.9, class_balance=0.5, optimiser="amsgrad", decay="plateau")
others = [replace(base, optimiser=name) for name in ("nadam", "lion", "muon", "adagrad")]
techniques = techniques_of([every, *others])
layout = Layout(base.shape, 8, 8, 0, 3, "softmax", techniques)

def train(tables, recipes, seed=0, segments=2):
    shoal = Shoal(layout, 2, tables, seed)
    numbers = shoal.numbers(recipes, range(seed, seed + len(recipes)))
    state, _ = shoal.advance(shoal.start(numbers), numbers, 0, shoal.steps_per_epoch, segments)
    kept = take(shoal.advance(shoal.put(take(state, [0, 1])), numbers, 0, 5, 3)[0], [0, 1])
    return predict(layout, members(kept, np.asarray(numbers.units)), tables.encoding, np.ones((40, 5), np.float32))

counts = {}
def count(name, *args, **options):
    before = devices.compilations()
    result = train(*args, **options)
    counts[name] = devices.compilations() - before
    return result

result = count("first", tables(300), [base, base])
count("the same again", tables(300), [base, base])
count("other numbers", tables(300), [replace(base, learning_rate=0.1, keep_prob=0.5), replace(base, l2=1.0, clip_norm=1.0, patience=3.0)])
count("other units", tables(300), [replace(base, hidden_units=(3,)), base])
count("another seed", tables(300), [base, base], seed=2**33 + 7)
count("every technique", tables(300), [every, base])
count("every technique with other numbers", tables(300), [base, replace(every, mixup=0.9, l1=3.0, weight_average=0.5, decay_factor=0.3)])
for optimiser, decay in zip(OPTIMISERS, itertools.cycle(DECAYS)):
    count(optimiser, tables(300), [replace(base, optimiser=optimiser, decay=decay, initialisation="zeros"), base])
for fold in range(5):
    count(f"fold {fold}", tables(300 + fold % 2, fold, 75), [base, base])
count("3 % more rows", tables(309), [base, base])
count("longer training", tables(300), [base, base], segments=9)
count("one network", tables(300), [base])
layout = Layout(replace(base, activation="tanh").shape, 8, 8, 0, 3, "softmax", techniques)
count("another shape", tables(300), [replace(base, activation="tanh")] * 2)
print(json.dumps({"counts": counts, "result": np.asarray(result).ravel().tolist()}))
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """What two processes compile, one after the other, with a cache folder of their own that is empty at first."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment["SHOAL_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))
    outputs = []
    for _ in range(2):
        process = subprocess.run([sys.executable, "-c", COUNTING], env=environment, capture_output=True, text=True, timeout=300)
        assert process.returncode == 0, process.stderr
        outputs.append(json.loads(process.stdout))
    return outputs


def test_new_numbers_seeds_optimisers_schedules_folds_and_rows_compile_nothing_and_a_new_shape_does(counted):
    counts = dict(counted[0]["counts"])
    assert counts.pop("first") >= 3  # start, advance, predict
    assert counts.pop("another shape") >= 2  # networks of every activation start alike
    assert set(counts.values()) == {0}, counts


def test_a_second_process_reads_every_program_from_the_cache_and_trains_the_same_networks(counted):
    assert set(counted[1]["counts"].values()) == {0}, counted[1]["counts"]
    assert counted[1]["result"] == counted[0]["result"]


def test_no_program_calls_lapack_which_waits_for_ever_when_several_cpu_devices_ask_it_for_a_batch(tables):
    recipe = replace(BASE, initialisation="lsuv")
    shoal = Shoal(Layout(recipe.shape, 8, 8, 0, CLASSES, "softmax", recipe.techniques), 4, tables, seed=5)
    numbers = shoal.numbers([recipe] * 4, SEEDS)
    program = shoal._programs.start.exported(numbers, shoal._scale, shoal._train.x, shoal._sample, shoal._encoding)
    called = re.findall(r"custom_call @(\w+)", program.mlir_module())
    assert not any("lapack" in name for name in called), called
