"""Training one network, in double precision: gradients against finite differences, what L1 and beginning at 0 do to weights, and what
scores decide. Whole trainings are compared with PyTorch's in ``test_training_in_torch.py``, padding and masks included.
"""

import dataclasses
import functools
from itertools import cycle
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import torch
from jax.flatten_util import ravel_pytree
from sklearn.linear_model import Lasso
from sklearn.utils.class_weight import compute_class_weight

from shoal import training
from shoal.losses import Loss
from shoal.nets.network import Layout, draw
from shoal.recipe import AUGMENTATIONS, CHOICES, TECHNIQUES, Recipe
from shoal.schedules import learning_rate

ROWS, INPUTS, UNITS, BATCH = 60, 6, (5, 3), 12
OUTPUTS = {"softmax": 3, "multi_label": 3}
RNG = np.random.default_rng(2)
X = RNG.normal(size=(ROWS, INPUTS))
CLASS = RNG.integers(3, size=ROWS)
VALUE = RNG.normal(size=ROWS)
TARGETS: dict[Loss, np.ndarray] = {
    "softmax": CLASS, "sigmoid": CLASS > 0, "multi_label": RNG.integers(2, size=(ROWS, 3)), "squared_error": VALUE, "huber": VALUE,
    "poisson": RNG.poisson(1.5, ROWS) / 1.5, "quantile": VALUE,
}  # fmt: skip
WEIGHT = RNG.uniform(0.5, 2, ROWS)
SCALE = training.Scale(np.float64(ROWS), np.float64(ROWS / BATCH), np.ones(INPUTS, bool), np.array([0.5, 1, 2]), np.float64(0))
QUICKLY = {
    "xla_backend_optimization_level": "0",
    "xla_llvm_disable_expensive_passes": True,
}  # small networks, compiled once and run briefly


def layout_of(recipe: Recipe, loss: Loss) -> Layout:
    return Layout(recipe.shape, 5, INPUTS, 0, OUTPUTS.get(loss, 1), loss, recipe.techniques)


def batch_of(loss: Loss, step=0, rows=BATCH, weight=WEIGHT) -> training.Batch:
    chosen = (np.arange(BATCH) + step * BATCH) % ROWS
    return training.Batch(
        jnp.asarray(X[chosen]), jnp.asarray(TARGETS[loss][chosen]), jnp.asarray(weight[chosen] * (np.arange(BATCH) < rows))
    )


step = jax.jit(training.step, static_argnums=0, compiler_options=QUICKLY)


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
def in_turn(layout: Layout, numbers, scale: training.Scale, batches: training.Batch):
    """The state after a step with each of the batches (with a leading axis), and each step's loss and gradient norm."""

    def one(state, now):
        number, batch = now
        state, loss, norm = training.step(layout, state, numbers, scale, batch, draw(layout, jnp.uint32(7), number, jnp.float64))
        return state, (loss, norm)

    steps = jnp.arange(len(batches.x), dtype=jnp.int32)
    state, measured = jax.lax.scan(one, training.start(layout, numbers, scale, dtype=jnp.float64), (steps, batches))
    return state, jnp.stack(measured, 1)


def trained(layout: Layout, numbers, steps: int, loss: Loss):
    if not steps:
        return training.start(layout, numbers, SCALE, dtype=jnp.float64), np.zeros((0, 2))
    batches = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(batch_of(loss, number) for number in range(steps)))
    return in_turn(layout, numbers, jax.tree.map(jnp.asarray, SCALE), batches)


CHECKED = list(zip(cycle(CHOICES["normalisation"]), cycle(get_args(Loss)), CHOICES["activation"], strict=False))
AFTER_THE_GRADIENT = {
    "accumulate", "clip_norm", "clip_value", "first_moment", "l1", "lsuv", "max_norm", "maximum", "nesterov", "orthogonal",
    "orthogonalised", "plateau", "second_moment", "sign", "weight_average", "weight_decay",
}  # fmt: skip


def with_all_that_enters_the_cost(normalisation, loss, activation) -> Recipe:
    of_classes: dict[str, Any] = {"label_smoothing": 0.1} if loss in ("softmax", "sigmoid", "multi_label") else {}
    return Recipe(
        UNITS, activation, normalisation, batch_size=BATCH, optimiser="gradient_descent", l2=5.0, keep_prob=0.8, input_keep_prob=0.9,
        mixup=0.4, input_noise=0.3, input_scale_rate=2.0, activation_rate=1.0,
        class_balance=0.5 if loss == "softmax" else 0.0, **of_classes,
    )  # fmt: skip


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
def gradient_and_differences(layout: Layout, numbers, statistics, parameters, batch: training.Batch):
    """The gradient of the cost, and its two-sided differences in every parameter."""
    scale, draws = jax.tree.map(jnp.asarray, SCALE), draw(layout, jnp.uint32(0), jnp.int32(0), jnp.float64)
    flat, unflatten = ravel_pytree(parameters)

    def cost(point):
        parameters = unflatten(point)
        return training.cost(layout, numbers, scale, statistics, parameters, batch, draws)[0] + training.penalty(numbers, scale, parameters)

    slope, _, _ = training.gradient(layout, numbers, scale, statistics, parameters, batch, draws)
    moves = 1e-6 * jnp.eye(flat.size)
    ends = jax.vmap(cost)(flat + jnp.concatenate([moves, -moves]))
    return ravel_pytree(slope)[0], (ends[: flat.size] - ends[flat.size :]) / 2e-6


@pytest.mark.parametrize(("normalisation", "loss", "activation"), CHECKED)
def test_gradients_are_finite_differences(float64, exact, normalisation, loss, activation):
    """Of every activation, with normalisations and losses in turn and all that enters the cost. At most 1e-7 counts as right."""
    recipe = with_all_that_enters_the_cost(normalisation, loss, activation)
    layout, numbers = layout_of(recipe, loss), exact(recipe)
    state, _ = trained(layout, numbers, 0, loss)
    generator = np.random.default_rng(0)
    parameters = jax.tree.map(lambda leaf: leaf + 0.1 * generator.normal(size=leaf.shape), state.parameters)
    analytic, numeric = gradient_and_differences(layout, numbers, state.statistics, parameters, batch_of(loss, rows=10))
    relative = jnp.linalg.norm(analytic - numeric) / (jnp.linalg.norm(analytic) + jnp.linalg.norm(numeric))
    assert float(relative) < 1e-7


@pytest.mark.parametrize(("loss", "classes"), [("softmax", 3), ("sigmoid", 2)])
def test_soft_targets_that_are_sure_are_the_classes_themselves_with_all_that_enters_the_cost(float64, exact, loss, classes):
    recipe = dataclasses.replace(with_all_that_enters_the_cost("batch", loss, "tanh"), class_balance=0.5)
    layout, numbers = layout_of(recipe, loss), exact(recipe)
    state, _ = trained(layout, numbers, 0, loss)
    scale, draws = jax.tree.map(jnp.asarray, SCALE), draw(layout, jnp.uint32(0), jnp.int32(0), jnp.float64)
    scale = scale._replace(class_weight=jnp.linspace(0.5, 2.0, classes))
    batch = batch_of(loss, rows=10)
    batch = batch._replace(target=batch.target.astype(jnp.int32))
    soft = batch._replace(target=jax.nn.one_hot(batch.target, classes, dtype=jnp.float64))

    def cost(parameters, batch):
        return training.cost(layout, numbers, scale, state.statistics, parameters, batch, draws)[0]

    of_classes, of_shares = (jax.value_and_grad(cost)(state.parameters, each) for each in (batch, soft))
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12), of_classes, of_shares)


def test_the_checked_gradients_hold_every_normalisation_loss_and_activation_and_every_technique_that_enters_the_cost():
    normalisations, losses, activations = (set(each) for each in zip(*CHECKED, strict=True))
    assert normalisations == set(CHOICES["normalisation"]) and losses == set(get_args(Loss)) and activations == set(CHOICES["activation"])
    used = {name for checked in CHECKED for name in with_all_that_enters_the_cost(*checked).techniques}
    assert used == set(TECHNIQUES) - AFTER_THE_GRADIENT - set(AUGMENTATIONS)  # which are for pictures


def test_a_weight_of_2_counts_a_row_twice(float64, exact):
    recipe = Recipe(UNITS, batch_size=BATCH)
    layout, numbers = layout_of(recipe, "softmax"), exact(recipe)
    state, _ = trained(layout, numbers, 0, "softmax")
    dropout, batch = draw(layout, jnp.uint32(0), jnp.int32(0), jnp.float64), batch_of("softmax", weight=np.ones(ROWS))
    twice = jnp.array([0, 0, *range(1, 11)])  # the first row in place of the last
    repeated = jax.tree.map(lambda leaf: leaf[twice], batch)
    weighted = batch._replace(weight=batch.weight.at[0].set(2.0).at[11].set(0.0))
    _, loss, norm = step(layout, state, numbers, SCALE, repeated, dropout)
    _, other_loss, other_norm = step(layout, state, numbers, SCALE, weighted, dropout)
    np.testing.assert_allclose([other_loss, other_norm], [loss, norm], rtol=1e-12)


def test_balanced_classes_are_pytorchs_class_weights(float64, exact):
    """PyTorch's mean divides by the sum of the weights, too."""
    recipe = Recipe((), batch_size=BATCH, class_balance=1.0)
    layout, numbers, weight = layout_of(recipe, "softmax"), exact(recipe), np.ones(ROWS)
    balance = compute_class_weight("balanced", classes=np.arange(3), y=CLASS)
    state, _ = trained(layout, numbers, 0, "softmax")
    batch, scale = batch_of("softmax", weight=weight), SCALE._replace(class_weight=jnp.asarray(balance))
    ours, _ = training.cost(layout, numbers, scale, (), state.parameters, batch, draw(layout, jnp.uint32(0), jnp.int32(0)))
    z = torch.tensor(X[:BATCH] @ np.asarray(state.parameters[0]["w"]))
    expected = torch.nn.functional.cross_entropy(z, torch.tensor(CLASS[:BATCH]), torch.tensor(balance))
    assert float(ours) == pytest.approx(float(expected), rel=1e-12)


def test_l1_sets_the_same_weights_to_0_as_scikit_learns_lasso_and_finds_its_others(float64, exact):
    """``lambda/m sum |W|`` beside a mean of squares is Lasso's ``alpha = lambda/(2m)`` beside half of that mean."""
    recipe = Recipe((), batch_size=BATCH, optimiser="gradient_descent", learning_rate=0.1, decay="constant", l1=30.0)
    layout, numbers = layout_of(recipe, "squared_error"), jax.tree.map(jnp.asarray, exact(recipe))
    target = X @ [2.0, -1.0, 0.2, 0, 0, 0] + 0.5 + 0.3 * VALUE
    whole = training.Batch(jnp.asarray(X), jnp.asarray(target), jnp.ones(ROWS))
    nothing = draw(layout, jnp.uint32(0), jnp.int32(0))

    @jax.jit
    def descended(state):
        return jax.lax.fori_loop(0, 2_000, lambda _, state: training.step(layout, state, numbers, SCALE, whole, nothing)[0], state)

    layer = descended(training.start(layout, numbers, SCALE, dtype=jnp.float64)).parameters[0]
    lasso = Lasso(alpha=30.0 / (2 * ROWS), tol=1e-12, max_iter=100_000).fit(X, target)
    ours = np.asarray(layer["w"])[:, 0]
    np.testing.assert_array_equal(ours == 0, lasso.coef_ == 0)
    np.testing.assert_allclose(ours, lasso.coef_, atol=1e-8)
    assert float(layer["b"][0]) == pytest.approx(lasso.intercept_, abs=1e-8)
    assert 0 < (ours == 0).sum() < INPUTS - 1


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_weights_that_begin_at_0_keep_the_units_of_a_layer_alike_and_drawn_ones_do_not(float64, exact, activation):
    """METHOD 3.3. Where ``g(0) = 0`` nothing but the last bias ever moves."""
    base: dict[str, Any] = {"hidden_units": (4, 3), "activation": activation, "batch_size": BATCH, "learning_rate": 0.05}
    zeros, drawn = (Recipe(initialisation=name, **base) for name in ("zeros", "xavier"))
    layout = layout_of(zeros, "softmax")
    (first, second, last), (_, other, _) = (trained(layout, exact(recipe), 20, "softmax")[0].parameters for recipe in (zeros, drawn))
    if activation == "tanh":
        assert not any(np.asarray(layer["w"]).any() for layer in (first, second, last)) and np.asarray(last["b"]).all()
    else:
        own_first, own_second = np.asarray(first["w"])[:, :4], np.asarray(second["w"])[:4, :3]
        assert own_first.any() and own_second.any()
        np.testing.assert_allclose(own_first, own_first[:, :1] * np.ones((1, 4)), rtol=1e-9)
        np.testing.assert_allclose(own_second, own_second[:1, :1] * np.ones((4, 3)), rtol=1e-9)
    assert np.ptp(np.asarray(other["w"])[:4, :3]) > 0.1


def scored(recipe, exact, scores):
    """A network after evaluations with these scores, one an epoch; and its parameters at each of them, marked by their number."""
    layout, numbers = layout_of(recipe, "softmax"), exact(recipe)
    state = training.start(layout, numbers, SCALE, dtype=jnp.float64)
    scale = SCALE._replace(steps_per_epoch=np.float64(5))
    for evaluation, score in enumerate(scores, 1):
        marked = jax.tree.map(lambda leaf, evaluation=evaluation: jnp.full_like(leaf, evaluation), state.parameters)
        state = training.keep_best(state._replace(parameters=marked, age=jnp.int32(5 * evaluation)), jnp.float64(score), numbers, scale)
    return state


@pytest.mark.parametrize(
    ("patience", "scores", "best_evaluation", "stopped"),
    [
        ({}, [5, 4, 6, 7, 8, 9, 3], 7, False),
        ({"patience": 2.0}, [5, 4, 6, 3, 7], 4, False),
        ({"patience": 2.0}, [5, 4, 6, 7, 3], 2, True),  # the 3 comes after the patience is over
        ({"patience": 2.0}, [5, 4, 6, 7, 3, 2, 1], 2, True),
        ({"patience": 0.5}, [5, 6, 4], 1, True),
        ({"patience_steps": 10}, [5, 4, 6, 3, 7], 4, False),
        ({"patience_steps": 10}, [5, 4, 6, 7, 3], 2, True),
        ({"patience_steps": 11}, [5, 4, 6, 7, 3], 5, False),
        ({}, [5, np.nan, 4, np.inf, np.nan], 3, False),
        ({"patience": 3.0}, [np.nan, np.nan, 4, np.nan, np.nan], 3, False),
        ({}, [4, 4, 4], 1, False),
    ],
)
def test_the_weights_of_the_best_score_are_kept_and_patience_ends_the_search_for_better_ones(
    float64, exact, patience, scores, best_evaluation, stopped
):
    state = scored(Recipe(UNITS, **patience), exact, scores)
    assert bool(state.stopped) == stopped
    assert (float(state.best.score), int(state.best.age)) == (scores[best_evaluation - 1], 5 * best_evaluation)
    assert all((leaf == best_evaluation).all() for leaf in jax.tree.leaves(state.best.parameters))


def test_the_best_network_is_kept_with_its_averaged_weights_where_these_are_evaluated(float64, exact):
    """The corrected average is pandas' ``ewm(adjust=True)`` of the weights after each step."""
    recipe = Recipe(UNITS, batch_size=BATCH, weight_average=0.6, learning_rate=0.1)
    layout, numbers = layout_of(recipe, "softmax"), exact(recipe)
    path, nothing = [trained(layout, numbers, 0, "softmax")[0]], draw(layout, jnp.uint32(0), jnp.int32(0))
    for number in range(3):
        path.append(step(layout, path[-1], numbers, SCALE, batch_of("softmax", number), nothing)[0])
    path = path[1:]
    weights = pd.DataFrame([np.asarray(ravel_pytree(state.parameters)[0]) for state in path])
    expected = weights.ewm(alpha=1 - 0.6, adjust=True).mean().to_numpy()
    for state, average in zip(path, expected, strict=True):
        kept = training.keep_best(state, jnp.float64(1.0), numbers, SCALE).best
        np.testing.assert_allclose(ravel_pytree(kept.parameters)[0], average, rtol=1e-12)


@pytest.mark.parametrize("per_epoch", [1, 2])
def test_a_plateau_lowers_the_learning_rate_as_pytorchs_reduce_on_plateau_does(float64, exact, per_epoch):
    """PyTorch's patience counts the evaluations that are forgiven, ours the epochs until alpha falls: one evaluation more."""
    generator = np.random.default_rng(11)
    scores = 1 / np.sqrt(np.arange(1, 121)) + 0.3 * generator.normal(size=120).round(1)  # with ties
    scores[[0, 7, 50]] = np.nan
    recipe = Recipe(UNITS, decay="plateau", decay_epochs=4.0, decay_factor=0.5, learning_rate=0.1)
    numbers, scale = jax.tree.map(jnp.asarray, exact(recipe)), SCALE._replace(steps_per_epoch=10.0)

    @functools.partial(jax.jit, compiler_options=QUICKLY)
    def rates(state, scores):
        def one(state, now):
            number, score = now
            state = training.keep_best(state._replace(age=(number + 1) * (10 // per_epoch)), score, numbers, scale)
            return state, learning_rate(numbers, state.age, jnp.asarray(10.0), state.plateau.factor)

        return jax.lax.scan(one, state, (jnp.arange(120, dtype=jnp.int32), scores))[1]

    ours = rates(training.start(layout_of(recipe, "softmax"), numbers, SCALE, dtype=jnp.float64), jnp.asarray(scores))
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.5, patience=4 * per_epoch - 1, threshold=0.0, eps=0.0)
    expected = []
    for score in scores:
        schedule.step(score)
        expected.append(optimiser.param_groups[0]["lr"])
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert expected[-1] < 0.1 / 2**5


def test_a_step_is_shorter_by_what_plateaus_have_left_of_the_learning_rate(float64, exact):
    recipe = Recipe(UNITS, batch_size=BATCH, optimiser="gradient_descent", decay="plateau", learning_rate=0.1)
    layout, numbers, batch = layout_of(recipe, "softmax"), exact(recipe), batch_of("softmax")
    state, _ = trained(layout, numbers, 0, "softmax")
    moves = []
    for factor in (1.0, 0.25):
        reduced = state._replace(plateau=state.plateau._replace(factor=jnp.asarray(factor)))
        after, _, _ = step(layout, reduced, numbers, SCALE, batch, draw(layout, jnp.uint32(0), jnp.int32(0)))
        moves.append(jax.tree.map(jnp.subtract, after.parameters, state.parameters))
    jax.tree.map(lambda whole, less: np.testing.assert_allclose(less, whole / 4, rtol=1e-9), *moves)


def test_a_loss_that_is_not_finite_marks_the_network_as_diverged_for_good(float64, exact):
    recipe = Recipe(UNITS, "relu", batch_size=BATCH, optimiser="gradient_descent", learning_rate=1e38)
    state, measured = trained(layout_of(recipe, "squared_error"), exact(recipe), 4, "squared_error")
    assert bool(state.diverged) and not np.isfinite(measured[-1]).any()
    healthy, _ = trained(layout_of(recipe, "squared_error"), exact(Recipe(UNITS, "relu", batch_size=BATCH)), 4, "squared_error")
    assert not bool(healthy.diverged)
