"""Training one network, in double precision: whole trainings against PyTorch, gradients against finite differences, masks against
truly narrower networks."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.flatten_util import ravel_pytree

from shoal import training
from shoal.losses import Loss
from shoal.nets import layers
from shoal.nets.network import Layout, draw
from shoal.recipe import CHOICES, Recipe, stack, techniques_of

ROWS, INPUTS, UNITS, BATCH = 60, 6, (5, 3), 12
OUTPUTS: dict[Loss, int] = {"softmax": 3, "sigmoid": 1, "squared_error": 1}
RNG = np.random.default_rng(2)
X = RNG.normal(size=(ROWS, INPUTS))
TARGETS: dict[Loss, np.ndarray] = {
    "softmax": RNG.integers(3, size=ROWS),
    "sigmoid": RNG.integers(2, size=ROWS),
    "squared_error": RNG.normal(size=ROWS),
}
WEIGHT = RNG.uniform(0.5, 2, ROWS)
SCALE = training.Scale(np.float64(ROWS), np.float64(ROWS / BATCH), np.ones(INPUTS, bool), np.ones(3), np.float64(0))


def layout_of(recipe: Recipe, loss: Loss, width=5, inputs=INPUTS) -> Layout:
    return Layout(recipe.shape, width, inputs, 0, OUTPUTS[loss], loss, recipe.techniques)


def batch_of(loss: Loss, step=0, inputs=INPUTS, rows=BATCH, weight=WEIGHT) -> training.Batch:
    chosen = (np.arange(BATCH) + step * BATCH) % ROWS
    x = np.pad(X[chosen], ((0, 0), (0, inputs - INPUTS)))
    return training.Batch(jnp.asarray(x), jnp.asarray(TARGETS[loss][chosen]), jnp.asarray(weight[chosen] * (np.arange(BATCH) < rows)))


QUICKLY = {
    "xla_backend_optimization_level": "0",
    "xla_llvm_disable_expensive_passes": True,
}  # small networks, compiled once and run briefly
step = jax.jit(training.step, static_argnums=0, compiler_options=QUICKLY)


def trained(layout, numbers, steps, loss, inputs=INPUTS, scale=SCALE, **batches):
    """The state after some steps, and each step's loss and gradient norm."""
    scale = scale._replace(present=np.arange(layout.inputs) < INPUTS)
    state = training.start(layout, numbers, scale, dtype=jnp.float64)
    measured = []
    for number in range(steps):
        dropout = draw(layout, jnp.uint32(7), jnp.int32(number), jnp.float64)
        state, *rest = step(layout, state, numbers, scale, batch_of(loss, number, inputs, **batches), dropout)
        measured.append(rest)
    return state, np.array(measured)


def inside(parameters, units=UNITS, inputs=INPUTS):
    """The part of padded parameters that belongs to the network."""
    counts = [inputs, *units, parameters[-1]["w"].shape[1]]
    return [
        {
            name: np.asarray(leaf)[: counts[i], : counts[i + 1]] if name == "w" else np.asarray(leaf)[: counts[i + 1]]
            for name, leaf in p.items()
        }
        for i, p in enumerate(parameters)
    ]


def assert_close(ours, expected, tolerance):
    for mine, theirs in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        assert np.linalg.norm(np.subtract(mine, theirs, dtype=float)) <= tolerance * max(np.linalg.norm(theirs), 1e-3)


@dataclass
class Case:
    """A training whose conventions are those of PyTorch's optimiser."""

    loss: Loss
    settings: dict[str, Any]
    torch_optimiser: Any = torch.optim.AdamW
    torch_settings: dict[str, Any] = field(default_factory=dict)


CASES = {
    "adam, decoupled decay, softmax": Case("softmax", {"activation": "silu", "weight_decay": 0.1}),
    "adam, L2, sigmoid": Case("sigmoid", {"activation": "relu", "l2": 3.0}),
    "momentum, clipping, squared error": Case(
        "squared_error",
        {"activation": "tanh", "optimiser": "momentum", "clip_norm": 0.5, "learning_rate": 0.1},
        torch.optim.SGD,
        {"momentum": 0.9, "lr": 0.1 * (1 - 0.9)},  # the averaged form is the classical one with a smaller learning rate
    ),
    "rmsprop, batch norm, softmax": Case(
        "softmax",
        {"activation": "leaky_relu", "optimiser": "rmsprop", "normalisation": "batch", "beta2": 0.95, "epsilon": 1e-4},
        torch.optim.RMSprop,
        {"alpha": 0.95, "eps": 1e-4},
    ),
    "descent, inverse time decay, label smoothing": Case(
        "softmax",
        {"activation": "sigmoid", "optimiser": "gradient_descent", "decay": "inverse_time", "decay_rate": 0.5, "label_smoothing": 0.1},
        torch.optim.SGD,
    ),
    "everything together": Case(
        "sigmoid",
        {
            "activation": "relu",
            "normalisation": "batch",
            "weight_decay": 0.3,
            "l2": 2.0,
            "clip_norm": 0.4,
            "label_smoothing": 0.2,
            "decay": "cosine",
            "epochs": 8.0,
        },
    ),
}


def train_in_torch(case: Case, recipe: Recipe, start, steps):
    """The same training written with PyTorch's modules of functions; returns the parameters, and each loss and gradient norm."""
    functional = torch.nn.functional
    parameters = [{name: torch.tensor(leaf, requires_grad=True) for name, leaf in layer.items()} for layer in start]
    weights = [layer["w"] for layer in parameters]
    others = [tensor for layer in parameters for name, tensor in layer.items() if name != "w"]
    settings: dict[str, Any] = {"lr": recipe.learning_rate, **case.torch_settings}
    if case.torch_optimiser is torch.optim.AdamW:
        settings |= {"betas": (recipe.beta1, recipe.beta2), "eps": recipe.epsilon}
        groups = [{"params": weights, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    else:
        groups = [{"params": weights + others}]
    optimiser = case.torch_optimiser(groups, **settings)
    epoch_of = lambda step: step / (ROWS / BATCH)  # noqa: E731
    factor = {
        "constant": lambda step: 1.0,
        "inverse_time": lambda step: 1 / (1 + recipe.decay_rate * epoch_of(step)),
        "cosine": lambda step: (1 + np.cos(np.pi * epoch_of(step) / recipe.epochs)) / 2,
    }[recipe.decay]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
    activation = getattr(functional, recipe.activation) if recipe.activation != "tanh" else torch.tanh
    measured = []
    for step in range(steps):
        batch = batch_of(case.loss, step)
        a, target, weight = (torch.tensor(np.asarray(part)) for part in batch)
        for layer in parameters[:-1]:
            z = a @ layer["w"]
            if recipe.normalisation == "batch":
                z = functional.batch_norm(z, None, None, layer["gamma"], layer["beta"], training=True, eps=layers.NORMALISATION_EPSILON)
            else:
                z = z + layer["b"]
            a = activation(z)
        z = a @ parameters[-1]["w"] + parameters[-1]["b"]
        smoothing = recipe.label_smoothing
        if case.loss == "softmax":
            each = functional.cross_entropy(z, target, reduction="none", label_smoothing=smoothing)
        elif case.loss == "sigmoid":
            softened = target.double() * (1 - smoothing) + smoothing / 2
            each = functional.binary_cross_entropy_with_logits(z[:, 0], softened, reduction="none")
        else:
            each = (z[:, 0] - target) ** 2
        loss = (each * weight).sum() / weight.sum()
        optimiser.zero_grad()
        (loss + recipe.l2 / (2 * ROWS) * sum((w**2).sum() for w in weights)).backward()
        gradients = [tensor.grad for tensor in weights + others if tensor.grad is not None]
        norm = torch.sqrt(sum(((g**2).sum() for g in gradients), torch.tensor(0.0)))
        if recipe.clip_norm is not None and norm > recipe.clip_norm:
            for gradient in gradients:
                gradient *= recipe.clip_norm / norm
        optimiser.step()
        schedule.step()
        measured.append([float(loss.detach()), float(norm)])
    return [{name: tensor.detach().numpy() for name, tensor in layer.items()} for layer in parameters], np.array(measured)


@pytest.mark.parametrize("name", CASES)
def test_30_steps_of_a_padded_network_are_pytorchs_of_the_true_size(float64, exact, name):
    """Units 5 and 3 in layers 9 wide, 6 inputs in 8 columns, sample weights; PyTorch's network has no padding at all."""
    case = CASES[name]
    recipe = Recipe(UNITS, batch_size=BATCH, **({"learning_rate": 0.01, "decay": "constant"} | case.settings))
    layout, numbers = layout_of(recipe, case.loss, width=9, inputs=8), exact(recipe)
    start, _ = trained(layout, numbers, 0, case.loss)
    state, measured = trained(layout, numbers, 30, case.loss, inputs=8)
    expected, expected_measured = train_in_torch(case, recipe, inside(start.parameters), 30)
    assert_close(inside(state.parameters), expected, 1e-9)
    np.testing.assert_allclose(measured, expected_measured, rtol=1e-9)
    clipped = recipe.clip_norm is not None and (expected_measured[:, 1] > recipe.clip_norm).any()
    assert clipped == (recipe.clip_norm is not None), "clipping should have had something to do"


@pytest.mark.parametrize("normalisation", CHOICES["normalisation"])
@pytest.mark.parametrize("activation", CHOICES["activation"])
def test_units_beyond_the_networks_width_change_nothing_whatever_the_activation(float64, exact, activation, normalisation):
    """Dropout included: the noise at a position does not depend on the padding."""
    recipe = Recipe(
        (5, 5), activation, normalisation, batch_size=BATCH, learning_rate=0.02, keep_prob=0.7, weight_decay=0.1, l2=1.0, clip_norm=1.0
    )
    numbers, units = exact(recipe), (5, 5)
    alone, alone_measured = trained(layout_of(recipe, "softmax"), numbers, 5, "softmax")
    padded, padded_measured = trained(layout_of(recipe, "softmax", width=9, inputs=8), numbers, 5, "softmax", inputs=8)
    assert_close(inside(padded.parameters, units), alone.parameters, 1e-12)
    np.testing.assert_allclose(padded_measured, alone_measured, rtol=1e-11)
    first, second, last = (np.asarray(layer["w"]) for layer in padded.parameters)
    assert not (first[:, 5:].any() or second[5:].any() or second[:, 5:].any() or last[5:].any() or first[6:].any())
    batch = batch_of("softmax")
    in_use = training.evaluate(layout_of(recipe, "softmax"), alone, numbers, batch)
    padded_in_use = training.evaluate(layout_of(recipe, "softmax", width=9, inputs=8), padded, numbers, batch_of("softmax", inputs=8))
    np.testing.assert_allclose(padded_in_use, in_use, rtol=1e-11)


@pytest.mark.parametrize("loss", OUTPUTS)
@pytest.mark.parametrize("normalisation", CHOICES["normalisation"])
@pytest.mark.parametrize("activation", CHOICES["activation"])
def test_gradients_are_finite_differences(float64, exact, activation, normalisation, loss):
    """Two-sided, for every parameter; with dropout, L2, label smoothing and sample weights. At most 1e-7 counts as right."""
    smoothing = 0.0 if loss == "squared_error" else 0.1
    recipe = Recipe(
        UNITS, activation, normalisation, batch_size=BATCH, optimiser="gradient_descent", learning_rate=1.0, decay="constant",
        l2=5.0, keep_prob=0.8, input_keep_prob=0.9, label_smoothing=smoothing, mixup=0.4, input_noise=0.3,
    )  # fmt: skip
    layout, numbers = layout_of(recipe, loss), exact(recipe)
    state, _ = trained(layout, numbers, 0, loss)
    generator = np.random.default_rng(0)
    state = state._replace(parameters=jax.tree.map(lambda leaf: leaf + 0.1 * generator.normal(size=leaf.shape), state.parameters))
    draws, batch = draw(layout, jnp.uint32(0), jnp.int32(0), jnp.float64), batch_of(loss)
    flat, unflatten = ravel_pytree(state.parameters)

    def cost(point):
        parameters = unflatten(point)
        return training.cost(layout, numbers, SCALE, state.statistics, parameters, batch, draws)[0] + training.penalty(numbers, SCALE, parameters)

    after, _, _ = step(layout, state, numbers, SCALE, batch, draws)
    gradient = flat - ravel_pytree(after.parameters)[0]  # descent with learning rate 1
    moves = 1e-6 * jnp.eye(flat.size)
    ends = jax.vmap(cost)(flat + jnp.concatenate([moves, -moves]))
    numeric = (ends[: flat.size] - ends[flat.size :]) / 2e-6
    relative = jnp.linalg.norm(gradient - numeric) / (jnp.linalg.norm(gradient) + jnp.linalg.norm(numeric))
    assert float(relative) < 1e-7


@pytest.mark.parametrize("normalisation", CHOICES["normalisation"])
def test_rows_of_weight_0_are_absent(float64, exact, normalisation):
    recipe = Recipe(UNITS, "silu", normalisation, batch_size=BATCH, learning_rate=0.02)
    layout, numbers = layout_of(recipe, "softmax"), exact(recipe)
    state, _ = trained(layout, numbers, 2, "softmax")
    dropout, whole = draw(layout, jnp.uint32(0), jnp.int32(0), jnp.float64), batch_of("softmax", rows=8)
    only = training.Batch(whole.x[:8], whole.target[:8], whole.weight[:8])
    only_noise = jax.tree.map(lambda leaf: leaf[:8], dropout)
    other = whole._replace(x=whole.x.at[8:].set(1e3), target=whole.target.at[8:].set(0))
    expected, *expected_measured = step(layout, state, numbers, SCALE, only, only_noise)
    for batch in (whole, other):
        after, *measured = step(layout, state, numbers, SCALE, batch, dropout)
        np.testing.assert_allclose(measured, expected_measured, rtol=1e-12)
        for part in ("parameters", "moments", "statistics"):
            assert_close(getattr(after, part), jax.tree.map(np.asarray, getattr(expected, part)), 1e-12)
    np.testing.assert_allclose(training.evaluate(layout, state, numbers, other), training.evaluate(layout, state, numbers, only), rtol=1e-12)


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


def test_networks_mapped_together_are_the_same_networks_alone(float64, exact):
    """Optimiser, schedule, decay, dropout, units and age differ from one network to the next."""
    recipes = [
        Recipe(UNITS, "tanh", "batch", batch_size=BATCH, learning_rate=0.02, weight_decay=0.2),
        Recipe((2, 5), "tanh", "batch", batch_size=BATCH, optimiser="momentum", learning_rate=0.3, keep_prob=0.6, decay="inverse_time"),
        Recipe((5, 5), "tanh", "batch", batch_size=BATCH, optimiser="rmsprop", learning_rate=0.01, clip_norm=0.3, l2=4.0, label_smoothing=0.2),
    ]
    layout = replace(layout_of(recipes[0], "softmax"), techniques=techniques_of(recipes))
    numbers = [exact(recipe) for recipe in recipes]
    aged = [trained(layout, each, age, "softmax")[0] for age, each in enumerate(numbers)]
    over_networks = jax.jit(jax.vmap(functools.partial(training.step, layout), (0, 0, None, None, None)))
    alone, together = list(aged), jax.tree.map(lambda *leaves: jnp.stack(leaves), *aged)
    for number in range(5):
        batch, dropout = batch_of("softmax", number), draw(layout, jnp.uint32(3), jnp.int32(number))
        together, losses, norms = over_networks(together, stack(numbers), SCALE, batch, dropout)
        for which, each in enumerate(numbers):
            alone[which], loss, norm = step(layout, alone[which], each, SCALE, batch, dropout)
            np.testing.assert_allclose([losses[which], norms[which]], [loss, norm], rtol=1e-11)
    assert together.age.tolist() == [5, 6, 7]
    assert_close(together.parameters, jax.tree.map(lambda *leaves: np.stack(leaves), *(state.parameters for state in alone)), 1e-12)


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
        (None, [5, 4, 6, 7, 8, 9, 3], 7, False),
        (2.0, [5, 4, 6, 3, 7], 4, False),
        (2.0, [5, 4, 6, 7, 3], 2, True),  # the 3 comes after the patience is over
        (2.0, [5, 4, 6, 7, 3, 2, 1], 2, True),
        (0.5, [5, 6, 4], 1, True),
        (None, [5, np.nan, 4, np.inf, np.nan], 3, False),
        (3.0, [np.nan, np.nan, 4, np.nan, np.nan], 3, False),
        (None, [4, 4, 4], 1, False),
    ],
)
def test_the_weights_of_the_best_score_are_kept_and_patience_ends_the_search_for_better_ones(
    float64, exact, patience, scores, best_evaluation, stopped
):
    state = scored(Recipe(UNITS, patience=patience), exact, scores)
    assert bool(state.stopped) == stopped
    assert (float(state.best.score), int(state.best.age)) == (scores[best_evaluation - 1], 5 * best_evaluation)
    assert all((leaf == best_evaluation).all() for leaf in jax.tree.leaves(state.best.parameters))


def test_a_loss_that_is_not_finite_marks_the_network_as_diverged_for_good(float64, exact):
    recipe = Recipe(UNITS, "relu", batch_size=BATCH, optimiser="gradient_descent", learning_rate=1e38)
    state, measured = trained(layout_of(recipe, "squared_error"), exact(recipe), 4, "squared_error")
    assert bool(state.diverged) and not np.isfinite(measured[-1]).any()
    healthy, _ = trained(layout_of(recipe, "squared_error"), exact(Recipe(UNITS, "relu", batch_size=BATCH)), 4, "squared_error")
    assert not bool(healthy.diverged)
