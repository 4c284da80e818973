"""Checking the product's own networks: the cost of a recipe, with every loss it can have, on a few synthetic rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from shoal import training
from shoal.gradcheck import jax_function
from shoal.gradcheck.point import Subject, tree_of
from shoal.losses import Loss
from shoal.nets.augmentation import BRIGHTEST
from shoal.nets.convolution import POOLED
from shoal.nets.network import Draws, Layout, Parameters, draw
from shoal.nets.pixels import Pixels
from shoal.population import balancing_weights
from shoal.recipe import LossName, Recipe
from shoal.suitability import unsuited
from shoal.training import Batch, Scale

ROWS = 24
"""The last of them is padding."""
INPUTS = 7
COLOURS = 3
"""Channels of the pictures that a recipe for pictures is checked on; they are as small as its pooling allows."""
CLASSES = 3
SPREAD = 0.1
"""How far the parameters are moved off their start: biases of 0 would hide what they do."""

ASKED_FOR: dict[Loss, tuple[str, int, LossName]] = {
    "softmax": ("classification", CLASSES, "softmax"),
    "sigmoid": ("classification", 2, "sigmoid"),
    "multi_label": ("multi_label", CLASSES, "sigmoid"),
    "squared_error": ("regression", 0, "squared_error"),
    "huber": ("regression", 0, "huber"),
    "poisson": ("regression", 0, "poisson"),
    "quantile": ("regression", 0, "quantile"),
}
"""The task of each loss, its classes, and the name by which a recipe asks for it."""


def losses_of(recipe: Recipe) -> Iterator[Loss]:
    """The losses that a recipe can have: its own, or every one that goes with its other settings.

    Example:
        >>> list(losses_of(Recipe(label_smoothing=0.1)))
        ['softmax', 'sigmoid', 'multi_label']
    """
    for loss, (task, classes, name) in ASKED_FOR.items():
        if recipe.loss in ("auto", name) and not any(unsuited(replace(recipe, loss=name), task, classes, _picture(recipe))):
            yield loss


def subjects(recipe: Recipe, seed: int) -> Iterator[tuple[Loss, Subject]]:
    """The cost of one mini-batch and its gradient, as training computes them before clipping, for each loss of a recipe.

    A recipe with convolutions or augmentation is checked on small pictures of noise, any other on a table. Dropout, mixup, input
    noise and augmentation are drawn once; mini-batch statistics are part of the cost. Only the network's own units count,
    not those that pad a shoal.
    """
    for loss in losses_of(recipe):
        yield loss, _subject(recipe, loss, seed)


def _subject(recipe: Recipe, loss: Loss, seed: int) -> Subject:
    layout = _layout(recipe, loss)
    rng = np.random.default_rng(seed)
    batch = _batch(loss, layout, rng)
    numbers = jax.tree.map(_exact, recipe.numbers(seed))
    present, balance = np.ones(layout.given, bool), balancing_weights(batch.target, batch.weight)
    pixels = Pixels(np.full(COLOURS, BRIGHTEST / 2), np.full(COLOURS, BRIGHTEST / 4)) if recipe.needs_pictures else ()
    scale = Scale(np.float64(ROWS - 1), np.float64(1), present, balance, np.float64(0), pixels)

    @functools.partial(jax.jit, compiler_options=jax_function.QUICKLY)  # step by step, each operation would be compiled by itself
    def prepared() -> tuple[training.State, Draws]:
        state = training.start(layout, numbers, scale, batch.x, jnp.float64)
        return state, draw(layout, jnp.uint32(seed), jnp.int32(0), jnp.float64)

    state, draws = prepared()
    known = (layout, numbers, scale, state.statistics)

    def cost(point: dict[str, Any]) -> Array:
        parameters = _padded(layout, point)
        return training.cost(*known, parameters, batch, draws)[0] + training.penalty(numbers, scale, parameters)

    def gradient(point: dict[str, Any]) -> dict[str, Any]:
        return _own(recipe, layout, training.gradient(*known, _padded(layout, point), batch, draws)[0])

    start = _own(recipe, layout, state.parameters)
    point = jax.tree.map(lambda array: np.asarray(array) + SPREAD * rng.normal(size=array.shape), start)
    return jax_function.subject(cost, tree_of(point), gradient, jax_function.QUICKLY)


def _layout(recipe: Recipe, loss: Loss) -> Layout:
    _, classes, _ = ASKED_FOR[loss]
    shape = replace(recipe.shape, batch_size=ROWS)
    outputs = classes if loss in ("softmax", "multi_label") else 1
    picture = _picture(recipe)
    columns = INPUTS if picture is None else math.prod(picture)
    if shape.convolutions is not None:
        shape = replace(shape, convolutions=replace(shape.convolutions, channels=recipe.channels))
    encoded = columns if shape.numeric_encoding == "periodic" else 0  # a piecewise-linear encoding learns nothing
    return Layout(shape, max(recipe.hidden_units, default=1), columns, encoded, outputs, loss, recipe.techniques, picture)


def _picture(recipe: Recipe) -> tuple[int, int, int] | None:
    """The smallest picture that a recipe for pictures can take, of at least 3 x 3 pixels."""
    if not recipe.needs_pictures:
        return None
    side = max(3, POOLED ** len(recipe.channels) if recipe.pooling != "none" else 0)
    return side, side, COLOURS


def _batch(loss: Loss, layout: Layout, rng: np.random.Generator) -> Batch:
    """Inputs of noise, targets of the kind that the loss is for, unequal weights."""
    x = rng.normal(size=(ROWS, layout.given))
    if layout.augments:
        x = rng.uniform(0, BRIGHTEST, x.shape)
    target = {
        "softmax": rng.integers(CLASSES, size=ROWS).astype(np.int32),
        "sigmoid": rng.integers(2, size=ROWS).astype(np.int32),
        "multi_label": rng.integers(2, size=(ROWS, CLASSES)).astype(np.float64),
        "poisson": rng.poisson(2.0, ROWS).astype(np.float64),
    }.get(loss, rng.normal(size=ROWS))
    weight = rng.uniform(0.5, 2.0, ROWS) * (np.arange(ROWS) < ROWS - 1)
    return Batch(jnp.asarray(x), jnp.asarray(target), jnp.asarray(weight))


def _exact(number: Any) -> Any:
    """A recipe's number in double precision, as the rest of the cost."""
    return number.astype(np.float64) if np.issubdtype(number.dtype, np.floating) else number


def _own(recipe: Recipe, layout: Layout, parameters: Parameters) -> dict[str, Any]:
    """The parameters of the network's own units, by layer."""

    def one(name: str, array: Array, fan_in: int, fan_out: int) -> Array:
        if name in layout.of_inputs:
            return array
        return array[:fan_in, :fan_out] if name == "w" else array[:fan_out]

    sizes = layout.sizes_with(recipe.units)
    return {
        f"layer{number}": {name: one(name, array, *of_layer) for name, array in layer.items()}
        for number, (layer, of_layer) in enumerate(zip(parameters, sizes, strict=True), 1)
    }


def _padded(layout: Layout, point: dict[str, Any]) -> Parameters:
    """The opposite of ``_own``: room for as many units as the widest layer has."""

    def one(array: Array, room: tuple[int, ...]) -> Array:
        return jnp.pad(array, [(0, size - length) for size, length in zip(room, array.shape, strict=True)])

    layers = zip(point.values(), layout.arrays, strict=True)
    return tuple({name: one(array, shapes[name]) for name, array in layer.items()} for layer, shapes in layers)
