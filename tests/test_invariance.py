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
from shoal.recipe import CHOICES, DECAYS, INITIALISATIONS, OPTIMISERS, TECHNIQUES, Activation, Normalisation, Numbers, Recipe, stack
from shoal.training import Batch, Scale, State

NETWORKS, WIDTH, COLUMNS, UNITS, INPUTS, CLASSES = 12, 8, 8, 5, 6, 3
BATCH, PRESENT = 10, (10, 7, 10)  # rows of each step: the small mini-batch in the middle, so that the next step shows what it did
ACTIVATION_WITH: dict[Normalisation, Activation] = {"none": "tanh", "batch": "silu", "layer": "sigmoid"}
each_normalisation = pytest.mark.parametrize("normalisation", ACTIVATION_WITH)

IN_TURN: dict[str, tuple[Any, ...]] = {"optimiser": tuple(OPTIMISERS), "decay": DECAYS, "initialisation": INITIALISATIONS}
BY_CHANCE: dict[str, tuple[Any, ...]] = {
    "hidden_units": ((5, 4), (2, 5), (5, 5), (1, 5)),
    "batch_norm_beta": (0.9, 0.5),
    "class_balance": (0.0, 0.7),
    "initialisation_gain": (1.0, 1.3),
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
DEV = RNG.normal(size=(9, INPUTS)), RNG.integers(CLASSES, size=9), RNG.uniform(0.5, 2, 9)
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


def network(states: State, place: Any) -> State:
    return jax.tree.map(lambda leaf: leaf[place], states)


def inside(parts: Any, units: tuple[int, ...]) -> list[np.ndarray]:
    """The network's own part of each padded array of parameters, or of batch norm's statistics."""
    counts = (INPUTS, *units, CLASSES)
    return [
        leaf[: counts[place], : counts[place + 1]] if leaf.ndim == 2 else leaf[: counts[place + 1]]
        for place, layer in enumerate(parts)
        for _, leaf in sorted(layer.items())
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
        for technique, is_used in TECHNIQUES.items():
            assert 0 < sum(map(is_used, recipes)) < NETWORKS, technique
        for name in IN_TURN:
            assert {getattr(recipe, name) for recipe in recipes} == set(CHOICES[name])
    assert set(ACTIVATION_WITH) == set(CHOICES["normalisation"])


@each_normalisation
def test_a_network_of_a_shoal_is_the_same_network_alone_in_a_program_without_padding_and_without_the_techniques_of_others(
    usual, normalisation
):
    numbers, states, measured = usual(normalisation)
    for place, recipe in enumerate(roster(0, normalisation)):
        own, own_measured = alone(recipe, numbers[place])
        mine = network(states, place)
        np.testing.assert_allclose(measured[place], own_measured, rtol=1e-9, err_msg=f"{recipe}")
        for part in ("parameters", "statistics"):
            assert_close(inside(getattr(mine, part), recipe.hidden_units), inside(getattr(own, part), recipe.hidden_units), 1e-9)
            assert_close(inside(getattr(mine.best, part), recipe.hidden_units), inside(getattr(own.best, part), recipe.hidden_units), 1e-9)
        assert (mine.best.age, mine.stopped) == (own.best.age, own.stopped)
