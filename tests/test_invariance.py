"""What must not matter to a network: its neighbours, its place, padding, devices, and techniques that only others use.

The laws are tested on rosters of networks that between them use every technique, optimiser, schedule, initialisation and normalisation.
Most of them in double precision, where a difference is a mistake and not round-off: one compiled program trains a padded roster
side by side, and each network is trained again without compilation, alone, in its true size and with its own techniques only.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shoal import devices, noise, training
from shoal.losses import activate_output, per_example
from shoal.nets import layers
from shoal.nets.network import Layout, draw
from shoal.population import Shoal, Tables, take
from shoal.recipe import (
    AUGMENTATIONS,
    CHOICES,
    DECAYS,
    INITIALISATIONS,
    OPTIMISERS,
    TECHNIQUES,
    Activation,
    Normalisation,
    Numbers,
    Recipe,
    stack,
)
from shoal.training import Batch, Scale, State

NETWORKS, WIDTH, COLUMNS, UNITS, INPUTS, CLASSES = 12, 8, 8, 5, 6, 3
BATCH, PRESENT = 10, (10, 7, 10)  # rows of each step: the small mini-batch in the middle, so that the next step shows what it did
ACTIVATION_WITH: dict[Normalisation, Activation] = {"none": "tanh", "batch": "silu", "layer": "sigmoid"}
each_normalisation = pytest.mark.parametrize("normalisation", ACTIVATION_WITH)

IN_TURN: dict[str, tuple[Any, ...]] = {"optimiser": tuple(OPTIMISERS), "decay": DECAYS, "initialisation": INITIALISATIONS}
BY_CHANCE: dict[str, tuple[Any, ...]] = {
    "hidden_units": ((5, 3), (3, 5), (5, 5), (1, 5)),
    "batch_norm_beta": (0.9, 0.5),
    "class_balance": (0.0, 0.7),
    "initialisation_gain": (1.0, 1.3),
    "output_gain": (1.0, 0.5),
    "input_scale_rate": (0.0, 3.0),
    "activation_rate": (0.0, 2.0),
    "learning_rate": (0.02, 0.1),
    "beta1": (0.9, 0.6),
    "beta2": (0.99, 0.8),
    "epsilon": (1e-8, 1e-3),
    "clip_value": (None, 0.05),
    "clip_norm": (None, 0.1),
    "weight_average": (0.0, 0.5),
    "l2": (0.0, 3.0),
    "weight_decay": (0.0, 0.3),
    "l1": (0.0, 1.0),
    "max_norm": (None, 0.8),
    "keep_prob": (1.0, 0.7),
    "input_keep_prob": (1.0, 0.8),
    "input_noise": (0.0, 0.4),
    "mixup": (0.0, 0.5),
    "label_smoothing": (0.0, 0.2),
    "decay_rate": (1.0, 0.3),
    "decay_factor": (0.95, 0.3),
    "decay_epochs": (0.5, 1.0),
    "warm_up": (0.0, 1.0),
    "epochs": (2.0, 5.0),
    "patience": (None, 0.5),
}
rosters = st.integers(0, 2**32 - 1)
few = settings(max_examples=12, derandomize=True)


def roster(number: int, normalisation: Normalisation) -> list[Recipe]:
    """Recipes of one shape: optimisers, schedules and initialisations in turn, everything else by chance."""
    rng = np.random.default_rng(number)
    first = {name: int(rng.integers(len(values))) for name, values in IN_TURN.items()}
    recipes = []
    for place in range(NETWORKS):
        chosen = {name: values[(first[name] + place) % len(values)] for name, values in IN_TURN.items()}
        chosen |= {name: values[rng.integers(len(values))] for name, values in BY_CHANCE.items()}
        chosen |= {"weight_decay": 0.0} if chosen["optimiser"] == "adam" else {}
        recipes.append(Recipe(activation=ACTIVATION_WITH[normalisation], normalisation=normalisation, batch_size=BATCH, **chosen))
    return recipes


RNG = np.random.default_rng(0)
X = RNG.normal(size=(len(PRESENT), BATCH, INPUTS))
TARGET = RNG.integers(CLASSES, size=X.shape[:2])
WEIGHT = RNG.uniform(0.5, 2, X.shape[:2])
DEV = RNG.normal(size=(BATCH, INPUTS)), RNG.integers(CLASSES, size=BATCH), RNG.uniform(0.5, 2, BATCH)
IS_PADDING = np.arange(BATCH) >= np.array(PRESENT)[:, None]


def scale(columns: int) -> Scale:
    class_weight = jnp.array([0.5, 1.0, 3.0])
    return Scale(jnp.float64(sum(PRESENT)), jnp.float64(2), jnp.arange(columns) < INPUTS, class_weight, jnp.float64(0))


def step_and_evaluation(layout: Layout, state: State, numbers: Numbers, batch: Batch, dev: Batch, number: Any) -> tuple[State, Any]:
    """One step of one network, and an evaluation, and both steps' measurements."""
    shared = scale(layout.columns)
    state, loss, norm = training.step(layout, state, numbers, shared, batch, draw(layout, jnp.uint32(3), number, jnp.float64))
    score, error = training.evaluate(layout, state, numbers, dev)
    return training.keep_best(state, score, numbers, shared), jnp.stack([loss, norm, score, error])


# Small networks, compiled once and run briefly.
@functools.partial(
    jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}
)
def side_by_side(layout: Layout, numbers: Numbers, batches: Batch, dev: Batch, sample: Any) -> tuple[State, Any]:
    """The networks after all steps, and what was measured ``[networks, steps, 4]``."""

    def one(numbers: Numbers) -> tuple[State, Any]:
        def one_step(number: Any, carry: tuple[State, Any]) -> tuple[State, Any]:
            batch = jax.tree.map(lambda leaf: leaf[number], batches)
            state, measured = step_and_evaluation(layout, carry[0], numbers, batch, dev, number)
            return state, carry[1].at[number].set(measured)

        state = training.start(layout, numbers, scale(layout.columns), sample, jnp.float64)
        return jax.lax.fori_loop(0, len(PRESENT), one_step, (state, jnp.zeros((len(PRESENT), 4))))

    return jax.vmap(one)(numbers)


def wide(x: np.ndarray) -> np.ndarray:
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, COLUMNS - INPUTS)])


def shoal_of(numbers: list[Numbers], normalisation: Normalisation, padding: float = 0.0, padding_target: int = 0) -> tuple[State, Any]:
    """A padded roster trained side by side by a program that holds every technique; padding rows hold whatever they are told to."""
    shape = Recipe((UNITS, UNITS), ACTIVATION_WITH[normalisation], normalisation, batch_size=BATCH).shape
    layout = Layout(shape, WIDTH, COLUMNS, 0, CLASSES, "softmax", tuple(sorted(TECHNIQUES)))
    x = wide(np.where(IS_PADDING[..., None], padding, X))
    batches = Batch(x, np.where(IS_PADDING, padding_target, TARGET), np.where(IS_PADDING, 0.0, WEIGHT))
    with jax.enable_x64(True):
        trained = side_by_side(layout, stack(numbers), batches, Batch(wide(DEV[0]), *DEV[1:]), wide(X[0]))
        return jax.tree.map(np.asarray, trained)


def alone(recipe: Recipe, numbers: Numbers) -> tuple[State, Any]:
    """One network in its true size, on mini-batches of their true size, with its own techniques only, operation by operation."""
    layout = Layout(recipe.shape, max(recipe.hidden_units), INPUTS, 0, CLASSES, "softmax", recipe.techniques)
    with jax.enable_x64(True):
        numbers, dev = jax.tree.map(jnp.asarray, (numbers, Batch(*DEV)))
        state, measured = training.start(layout, numbers, scale(INPUTS), jnp.asarray(X[0]), jnp.float64), []
        for number, rows in enumerate(PRESENT):
            of_true_size = replace(layout, shape=replace(layout.shape, batch_size=rows))
            batch = Batch(*(jnp.asarray(part[number, :rows]) for part in (X, TARGET, WEIGHT)))
            state, values = step_and_evaluation(of_true_size, state, numbers, batch, dev, jnp.int32(number))
            measured.append(values)
        return jax.tree.map(np.asarray, (state, np.stack(measured)))


def network(states: Any, place: Any) -> Any:
    """One network, or several, of a state or of whatever else has a leading axis of networks."""
    return jax.tree.map(lambda leaf: leaf[place], states)


def inside(parts: Any, units: tuple[int, ...]) -> list[np.ndarray]:
    """The network's own part of each padded array of parameters, or of batch norm's statistics; weights of inputs with their factors.

    Shares of the activation that have stayed at 1 are none.
    """
    counts = (INPUTS, *units, CLASSES)
    if "scale" in (first := parts[0] if parts else {}):
        scaled = {"w": first["scale"][:, None] * first["w"]}
        parts = ({name: leaf for name, leaf in (first | scaled).items() if name != "scale"}, *parts[1:])
    return [
        leaf[: counts[place], : counts[place + 1]] if leaf.ndim == 2 else leaf[: counts[place + 1]]
        for place, layer in enumerate(parts)
        for name, leaf in sorted(layer.items())
        if name != "share" or (leaf[: counts[place + 1]] != 1).any()
    ]


def assert_close(ours: Any, expected: Any, tolerance: float) -> None:
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def assert_identical(ours: Any, expected: Any) -> None:
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def usual(exact: Callable[..., Numbers]) -> Callable[[Normalisation], tuple[list[Numbers], State, Any]]:
    """The numbers of the first roster, its networks after training side by side, and what was measured."""

    @functools.cache
    def of(normalisation: Normalisation) -> tuple[list[Numbers], State, Any]:
        numbers = [exact(recipe, seed) for seed, recipe in enumerate(roster(0, normalisation))]
        return numbers, *shoal_of(numbers, normalisation)

    return of


def test_the_roster_uses_every_technique_optimiser_schedule_initialisation_and_normalisation():
    for normalisation in ACTIVATION_WITH:
        recipes = roster(0, normalisation)
        for technique in set(TECHNIQUES) - set(AUGMENTATIONS):  # which are for pictures
            is_used = TECHNIQUES[technique]
            assert 0 < sum(map(is_used, recipes)) < NETWORKS, technique
        for name in IN_TURN:
            assert {getattr(recipe, name) for recipe in recipes} == set(CHOICES[name])
    assert set(ACTIVATION_WITH) == set(CHOICES["normalisation"])


@each_normalisation
def test_a_network_of_a_shoal_is_the_same_network_alone_in_its_true_size_and_without_the_techniques_of_others(usual, normalisation):
    """Padding in width, columns and rows, neighbours, and the union of techniques, all at once; and compilation."""
    numbers, states, measured = usual(normalisation)
    for place, recipe in enumerate(roster(0, normalisation)):
        own, own_measured = alone(recipe, numbers[place])
        mine = network(states, place)
        np.testing.assert_allclose(measured[place], own_measured, rtol=1e-9, err_msg=f"{recipe}")
        for kept, expected in ((mine, own), (mine.best, own.best)):
            for part in ("parameters", "statistics"):
                padded, true = (inside(getattr(each, part), recipe.hidden_units) for each in (kept, expected))
                assert_close(padded, true, 1e-9)
        assert (mine.best.age, mine.stopped) == (own.best.age, own.stopped)


@each_normalisation
@given(rosters, st.permutations(range(NETWORKS)))
@few
def test_permuting_any_shoal_permutes_its_results(exact, normalisation, number, order):
    numbers = [exact(recipe, seed) for seed, recipe in enumerate(roster(number, normalisation))]
    permuted = shoal_of([numbers[place] for place in order], normalisation)
    assert_close(permuted, network(shoal_of(numbers, normalisation), np.array(order)), 1e-10)


@each_normalisation
@given(rosters, st.floats(-1e3, 1e3), st.integers(0, CLASSES - 1))
@few
def test_what_stands_in_the_padding_of_a_small_mini_batch_never_matters(exact, normalisation, number, padding, padding_target):
    """Not as a partner in mixup, not in batch norm's statistics, not with noise added to it, not as a member of a rare class."""
    numbers = [exact(recipe, seed) for seed, recipe in enumerate(roster(number, normalisation))]
    expected = shoal_of(numbers, normalisation)
    assert np.isfinite(expected[1]).all()
    assert_close(shoal_of(numbers, normalisation, padding, padding_target), expected, 1e-12)


ROWS, EPOCH = 37, 4  # three whole mini-batches of 10 rows and one of 7


def part(rows: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, INPUTS)).astype(np.float32)
    target = (x[:, :CLASSES] + rng.normal(size=(rows, CLASSES))).argmax(1)
    return Batch(x, target.astype(np.int32), rng.uniform(0.5, 2, rows).astype(np.float32))


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables.load(part(ROWS, 1), part(60, 2))


@pytest.fixture(scope="module")
def shoal(tables: Tables) -> Shoal:
    """In single precision, compiled as in use, divided over the devices."""
    return Shoal(tables.layout(roster(0, "batch")[0].shape, WIDTH, CLASSES, "softmax"), NETWORKS, tables, seed=5)


def trained(shoal: Shoal, recipes: list[Recipe], segments: int) -> tuple[State, Any]:
    numbers = shoal.numbers(recipes, range(len(recipes)))
    state, trace = shoal.advance(shoal.start(numbers), numbers, 0, EPOCH, segments)
    return take(state, range(len(recipes))), trace


@pytest.mark.skipif(devices.cores() < 2, reason="one core is one device")
def test_one_device_and_two_train_the_same_networks_whatever_the_techniques(shoal, monkeypatch):
    recipes = roster(0, "batch")
    expected = trained(shoal, recipes, 1)
    first = devices.start()[:1]
    monkeypatch.setattr(devices, "start", lambda: first)
    single = Shoal(shoal.layout, NETWORKS, Tables.load(part(ROWS, 1), part(60, 2)), seed=5)
    assert_close(trained(single, recipes, 1), expected, 1e-4)


@given(rosters, st.permutations(range(NETWORKS)))
@few
def test_permuting_a_shoal_over_the_devices_permutes_its_results_whatever_the_techniques(shoal, number, order):
    recipes = roster(number, "batch")
    state, trace = trained(shoal, recipes, 1)
    numbers = shoal.numbers([recipes[place] for place in order], order)
    permuted, permuted_trace = shoal.advance(shoal.start(numbers), numbers, 0, EPOCH, 1)
    assert_close(take(permuted, range(NETWORKS)).best, network(state.best, np.array(order)), 1e-4)
    assert_close(permuted_trace, jax.tree.map(lambda series: series[:, np.array(order)], trace), 1e-4)


@given(rosters, st.integers(0, NETWORKS - 1))
@few
def test_a_diverging_neighbour_changes_nothing_whatever_the_techniques(shoal, number, place):
    recipes = [replace(recipe, patience=None) for recipe in roster(number, "batch")]
    usual = trained(shoal, recipes, 2)
    unbounded: dict[str, Any] = {"decay": "constant", "warm_up": 0.0, "initialisation": "he", "clip_value": None, "clip_norm": None}
    recipes[place] = replace(recipes[place], optimiser="gradient_descent", learning_rate=3e38, max_norm=None, **unbounded)
    state, trace = trained(shoal, recipes, 2)
    others = np.arange(NETWORKS) != place
    assert_identical(network(state, others), network(usual[0], others))
    assert_identical(jax.tree.map(lambda series: series[:, others], trace), jax.tree.map(lambda series: series[:, others], usual[1]))
    assert state.diverged.tolist() == (~others).tolist()


def restless(**settings: Any) -> list[Recipe]:
    """Networks whose learning rate does not fall, so that their dev scores soon rise again."""
    return [replace(recipe, **({"decay": "constant", "warm_up": 0.0, "patience": None} | settings)) for recipe in roster(0, "batch")]


@pytest.mark.parametrize(("epochs", "steps"), [(1.0, 4), (1.0, 3), (2.0, 8), (2.0, 5)])
def test_patience_in_steps_is_patience_in_epochs_up_to_the_next_evaluation(shoal, epochs, steps):
    by_epochs, trace = trained(shoal, restless(patience=epochs), 10)
    by_steps, same = trained(shoal, restless(patience_steps=steps), 10)
    assert_identical((by_steps, same), (by_epochs, trace))
    assert by_epochs.stopped.any()


def test_a_shoal_whose_networks_have_all_stopped_ends_early_with_the_best_weights_of_a_longer_patience(shoal):
    stopped, trace = trained(shoal, restless(patience=1.0), 30)
    assert stopped.stopped.all()
    ends = np.isfinite(trace.score).sum(0)
    scores = trained(shoal, restless(), 30)[1].score
    by_device = np.split(np.arange(NETWORKS), devices.mesh(NETWORKS).size)
    for places in by_device:
        first_rise = 1 + np.array([np.flatnonzero(np.diff(np.minimum.accumulate(scores[:, place])) == 0)[0] for place in places])
        assert ends[places].tolist() == [max(first_rise) + 1] * len(places) and max(first_rise) < 29
        assert stopped.best.age[places].tolist() == (EPOCH * first_rise).tolist()
        for place, epoch in zip(places, first_rise, strict=True):
            # never stopped, but trained no longer than to the evaluation that turned out to be the best
            until_then = network(trained(shoal, restless(), int(epoch))[0].best, place)
            assert_identical(network(stopped.best, place), until_then)


@pytest.fixture(scope="module")
def averaged_dropout() -> Callable[[Any], Any]:
    @jax.jit
    def mean(keep_prob: Any) -> Any:
        def one(number: Any) -> Any:
            return layers.dropout(jnp.ones((32, 8)), noise.bits(noise.stream(number), 32, 8), keep_prob)

        return jax.vmap(one)(jnp.arange(400)).mean()

    return mean


@given(st.floats(0.0625, 1, width=32))
@few
def test_dropout_keeps_the_expectation_whatever_keep_prob(averaged_dropout, keep_prob):
    deviation = np.sqrt((1 - keep_prob) / keep_prob / (400 * 32 * 8))  # of the mean of that many kept or dropped ones
    assert abs(float(averaged_dropout(np.float32(keep_prob))) - 1) <= 5 * deviation + 1e-6


eighths = st.integers(-80_000, 80_000).map(lambda number: number / 8)  # sums of these are exact in single precision
logits = hnp.arrays(np.float32, (4, 3), elements=eighths)


@given(logits, eighths)
def test_softmax_in_single_precision_is_scipys_sums_to_1_and_does_not_change_when_all_logits_shift(z, shift):
    probability = np.asarray(activate_output("softmax", jnp.asarray(z)))
    np.testing.assert_allclose(probability, scipy.special.softmax(z.astype(float), 1), rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(activate_output("softmax", jnp.asarray(z + np.float32(shift))), probability, rtol=1e-6, atol=1e-37)


@given(hnp.arrays(np.float32, (6, 1), elements=eighths), hnp.arrays(np.int32, 6, elements=st.integers(0, 1)))
def test_softmax_of_two_classes_is_the_sigmoid_in_its_loss_its_gradient_and_its_prediction(z, target):
    def both(z: Any) -> Any:
        return jnp.concatenate([jnp.zeros_like(z), z], 1)

    one, two = activate_output("sigmoid", jnp.asarray(z)), activate_output("softmax", both(jnp.asarray(z)))
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-37)
    loss = jax.value_and_grad(lambda z: per_example("sigmoid", z, jnp.asarray(target)).sum())
    loss_of_two = jax.value_and_grad(lambda z: per_example("softmax", both(z), jnp.asarray(target)).sum())
    for ours, expected in zip(loss(jnp.asarray(z)), loss_of_two(jnp.asarray(z)), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
