"""Training one network: pure functions from its state, its numbers and a mini-batch to its next state.

Nothing here knows about shoals; ``shoal.population`` maps these functions over networks and compiles them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from shoal import optimisers
from shoal.losses import error_per_example, per_example
from shoal.nets.network import Dropout, Layout, Parameters, Statistics, initialise, is_weight, outputs, train_outputs
from shoal.recipe import Numbers
from shoal.schedules import learning_rate


class Best(NamedTuple):
    """The network at the evaluation with the lowest score so far."""

    parameters: Parameters
    statistics: Statistics
    age: Array  # int32: steps taken then
    score: Array


class State(NamedTuple):
    """One network in training."""

    parameters: Parameters
    moments: tuple[Parameters, Parameters]
    statistics: Statistics
    age: Array  # int32: steps taken
    diverged: Array  # bool: a mini-batch's loss was not finite
    stopped: Array  # bool: early stopping has fixed the best network for good
    best: Best


class Batch(NamedTuple):
    """A mini-batch: ``x [rows, inputs]``, ``target [rows]``, ``weight [rows]`` (0 for padding)."""

    x: Any
    target: Any
    weight: Any


class Scale(NamedTuple):
    """What the numbers of a recipe are measured against; scalars shared by all networks."""

    rows: Any  # training examples, the course's m
    steps_per_epoch: Any
    present: Any  # bool [inputs]: inputs that are not padding
    error_share: Any  # the score that selects is (1 - share) * dev loss + share * dev error


def start(layout: Layout, numbers: Numbers, scale: Scale, dtype: Any = jnp.float32) -> State:
    """A network before its first step."""
    parameters, statistics = initialise(layout, numbers.seed, numbers.units, scale.present, numbers.gain, dtype)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    never, no = jnp.int32(0), jnp.bool_(False)
    best = Best(parameters, statistics, never, jnp.asarray(jnp.inf, dtype))
    return State(parameters, (zeros, zeros), statistics, never, no, no, best)


def step(layout: Layout, state: State, numbers: Numbers, scale: Scale, batch: Batch, dropout: Dropout) -> tuple[State, Array, Array]:
    """One update; returns the next state, the mini-batch's loss (without the L2 term) and the gradient's norm before clipping."""

    def cost(parameters: Parameters) -> tuple[Array, Statistics]:
        present = (batch.weight > 0).astype(batch.x.dtype)
        z, statistics = train_outputs(layout, parameters, state.statistics, batch.x, present, numbers.keep_prob, numbers.units, dropout)
        loss = per_example(layout.loss, z, batch.target, numbers.label_smoothing)
        # Padded examples have weight 0; the mean is over the examples that are there.
        return (loss * batch.weight).sum() / jnp.maximum(batch.weight.sum(), 1e-12), statistics

    (loss, statistics), gradient = jax.value_and_grad(cost, has_aux=True)(state.parameters)
    weights = is_weight(state.parameters)
    pull = numbers.l2 / scale.rows  # dW += (lambda/m) W
    gradient = jax.tree.map(lambda dw, w, decay: dw + pull * w if decay else dw, gradient, state.parameters, weights)
    norm = optimisers.global_norm(gradient)
    gradient = optimisers.clip(gradient, norm, numbers.clip_norm)
    epoch = state.age / scale.steps_per_epoch
    alpha = learning_rate(numbers.decay_kind, numbers.learning_rate, numbers.decay_rate, epoch, numbers.epochs)
    parameters, moments = optimisers.update(state.parameters, gradient, state.moments, weights, alpha, state.age, numbers)
    diverged = state.diverged | ~jnp.isfinite(loss)
    return State(parameters, moments, statistics, state.age + 1, diverged, state.stopped, state.best), loss, norm


def evaluate(layout: Layout, state: State, numbers: Numbers, batch: Batch) -> tuple[Array, Array]:
    """Weighted sums of loss and error over a batch, in use (no dropout, running averages)."""
    z = outputs(layout, state.parameters, state.statistics, state.age, batch.x, numbers.units)
    loss, error = per_example(layout.loss, z, batch.target), error_per_example(layout.loss, z, batch.target)
    return (loss * batch.weight).sum(), (error * batch.weight).sum()


def keep_best(state: State, score: Array, numbers: Numbers, scale: Scale) -> State:
    """Remember the network as it is now if ``score`` is the lowest so far, and stop early when patience is over.

    A score that is not finite is never the lowest. Once stopped, the best network stays the best.
    """
    better = (score < state.best.score) & ~state.stopped
    now = Best(state.parameters, state.statistics, state.age, score.astype(state.best.score.dtype))
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now, state.best)
    stopped = state.stopped | (state.age - best.age >= numbers.patience * scale.steps_per_epoch)
    return state._replace(best=best, stopped=stopped)
