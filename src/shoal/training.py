"""Training one network: pure functions from its state, its numbers and a mini-batch to its next state.

Nothing here knows about shoals; ``shoal.population`` maps these functions over networks and compiles them. What no network of
the layout uses (see ``shoal.recipe.TECHNIQUES``) is not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from shoal import averages, optimisers
from shoal.losses import error_per_example, per_example
from shoal.nets import layers
from shoal.nets.division import summed
from shoal.nets.network import (
    OWN_RATES,
    Draws,
    Hidden,
    Layout,
    Parameters,
    Statistics,
    augmented_inputs,
    corrected_statistics,
    initialise,
    is_weight,
    longer_sides,
    outputs,
    train_outputs,
)
from shoal.recipe import Numbers
from shoal.schedules import learning_rate


class Best(NamedTuple):
    """The network at the evaluation with the lowest score so far, as it was evaluated."""

    parameters: Parameters
    statistics: Statistics
    age: Array  # int32: steps taken then
    score: Array


class Plateau(NamedTuple):
    """What the ``plateau`` schedule remembers."""

    lowest: Array  # dev score so far
    since: Array  # int32: the age when it was reached, or when alpha was last reduced
    factor: Array  # of the learning rate now


class State(NamedTuple):
    """One network in training."""

    parameters: Parameters
    moments: optimisers.Moments
    average: Any  # of the parameters, not corrected; () where no network of the layout averages
    statistics: Statistics
    plateau: Any  # Plateau, or () where no network of the layout waits for one
    age: Array  # int32: steps taken
    diverged: Array  # bool: a mini-batch's loss was not finite
    stopped: Array  # bool: early stopping has fixed the best network for good
    best: Best


class Batch(NamedTuple):
    """A mini-batch: ``x [rows, given]``, ``target [rows]`` (``[rows, labels]``; soft ``[rows, classes]``), ``weight [rows]``.

    Padding comes last and has weight 0. In the training of networks that augment pictures, ``x`` are these, from 0 to 255.
    """

    x: Any
    target: Any
    weight: Any


class Scale(NamedTuple):
    """What the numbers of a recipe are measured against; shared by all networks."""

    rows: Any  # training examples, the course's m
    steps_per_epoch: Any
    present: Any  # bool [given]: inputs that are not padding
    class_weight: Any  # [classes]: the weight of each class's examples that balances the classes
    error_share: Any  # the score that selects is (1 - share) * dev loss + share * dev error
    pixels: Any = ()  # shoal.nets.pixels.Pixels of pictures


def start(layout: Layout, numbers: Numbers, scale: Scale, sample: Array | None = None, dtype: Any = jnp.float32) -> State:
    """A network before its first step; ``sample [rows, given]`` are training rows for LSUV."""
    parameters, statistics = initialise(layout, numbers, scale.present, sample, dtype)
    never, no, infinite = jnp.int32(0), jnp.bool_(False), jnp.asarray(jnp.inf, dtype)
    best = Best(parameters, corrected_statistics(statistics, numbers, never), never, infinite)
    average = jax.tree.map(jnp.zeros_like, parameters) if "weight_average" in layout.techniques else ()
    plateau = Plateau(infinite, never, jnp.ones((), dtype)) if "plateau" in layout.techniques else ()
    return State(parameters, optimisers.start(parameters, layout.techniques), average, statistics, plateau, never, no, no, best)


class Passed(NamedTuple):
    """What a mini-batch leaves behind beside its cost."""

    statistics: Statistics  # batch norm's running averages after it
    z: Array  # [rows, outputs]
    hidden: tuple[Hidden, ...]  # where there were nudges


def cost(
    layout: Layout,
    numbers: Numbers,
    scale: Scale,
    statistics: Statistics,
    parameters: Parameters,
    batch: Batch,
    draws: Draws,
    nudges: Sequence[Array] | None = None,
) -> tuple[Array, Passed]:
    """The mini-batch's mean loss (without the L2 term), and what it leaves behind; ``nudges`` as for ``train_outputs``.

    Of a mini-batch that is divided over devices, this device's share of the mean.
    """
    used = layout.techniques
    present = (batch.weight > 0).astype(batch.x.dtype)
    x, weight = batch.x, batch.weight
    if layout.augments:
        x = augmented_inputs(layout, numbers, x, draws.augmentation, scale.pixels)
    if "class_balance" in used:
        of_class = scale.class_weight**numbers.class_balance
        weight = weight * (of_class[batch.target] if batch.target.ndim == 1 else batch.target @ of_class)
    share, partner = jnp.ones((), x.dtype), None
    if "mixup" in used:
        following = jnp.arange(len(x)) + 1
        partner = jnp.where(following < present.sum(), following, 0)  # of the last example, the first; never padding
        # with a = 0 every example stays itself
        share = jnp.where(numbers.mixup > 0, layers.mixup_weight(draws.mixup, jnp.where(numbers.mixup > 0, numbers.mixup, 1.0)), 1.0)
        x = share * x + (1 - share) * x[partner]
    if "input_noise" in used:
        x = x + numbers.input_noise * draws.normal * scale.present
    z, statistics, hidden = train_outputs(layout, parameters, statistics, numbers, x, present, draws, nudges)

    def mean_loss(target: Array, weight: Array) -> Array:
        smoothing = numbers.label_smoothing if "label_smoothing" in used else None
        loss = per_example(layout.loss, z, target, smoothing, numbers.huber_delta, numbers.quantile)
        # Padded examples have weight 0; the mean is over the examples that are there.
        return (loss * weight).sum() / jnp.maximum(summed(weight.sum(), layout.parts), 1e-12)

    loss = mean_loss(batch.target, weight)
    if partner is not None:
        loss = share * loss + (1 - share) * mean_loss(batch.target[partner], jnp.where(present > 0, weight[partner], 0.0))
    return loss, Passed(statistics, z, hidden)


def penalty(numbers: Numbers, scale: Scale, parameters: Parameters) -> Array:
    """The L2 term of the cost, ``lambda/(2m) sum ||W[l]||^2``."""
    return numbers.l2 / (2 * scale.rows) * sum(jnp.sum(jnp.square(layer["w"])) for layer in parameters)


def gradient(
    layout: Layout, numbers: Numbers, scale: Scale, statistics: Statistics, parameters: Parameters, batch: Batch, draws: Draws
) -> tuple[Parameters, Array, Statistics]:
    """The gradient of ``cost + penalty``, before clipping; and the cost and the running averages."""

    def of(parameters: Parameters) -> tuple[Array, Statistics]:
        loss, passed = cost(layout, numbers, scale, statistics, parameters, batch, draws)
        return loss, passed.statistics

    (loss, statistics), slope = jax.value_and_grad(of, has_aux=True)(parameters)
    loss, slope = summed((loss, slope), layout.parts)
    return with_l2(layout, numbers, scale, slope, parameters), loss, statistics


def with_l2(layout: Layout, numbers: Numbers, scale: Scale, slope: Parameters, parameters: Parameters) -> Parameters:
    """The gradient of the cost and the L2 term, from that of the cost: ``dW += (lambda/m) W``."""
    if "l2" not in layout.techniques:
        return slope
    pull = numbers.l2 / scale.rows
    return jax.tree.map(lambda dw, w, is_decayed: dw + pull * w if is_decayed else dw, slope, parameters, is_weight(parameters))


def step(layout: Layout, state: State, numbers: Numbers, scale: Scale, batch: Batch, draws: Draws) -> tuple[State, Array, Array]:
    """One update; returns the next state, the mini-batch's loss (without the L2 term) and the gradient's norm before clipping."""
    slope, loss, statistics = gradient(layout, numbers, scale, state.statistics, state.parameters, batch, draws)
    norm = optimisers.global_norm(slope)
    diverged = state.diverged | ~jnp.isfinite(loss)
    now = descend(layout, state, numbers, scale, slope, norm)
    return now._replace(statistics=statistics, diverged=diverged), loss, norm


def descend(layout: Layout, state: State, numbers: Numbers, scale: Scale, slope: Parameters, norm: Array) -> State:
    """The state after one update with a gradient and its global ``norm``."""
    used, clipped_norm = layout.techniques, norm
    if "clip_value" in used:
        slope = optimisers.clip_by_value(slope, numbers.clip_value)
        clipped_norm = optimisers.global_norm(slope)
    if "clip_norm" in used:
        slope = optimisers.clip_by_norm(slope, clipped_norm, numbers.clip_norm)
    plateau = state.plateau.factor if "plateau" in used else 1.0
    alpha = learning_rate(numbers, state.age, scale.steps_per_epoch, plateau)
    decayed, rates = is_weight(state.parameters), _rates(numbers, state.parameters)
    sides = longer_sides(layout, numbers.units, scale.present) if "orthogonalised" in used else None
    parameters, moments = optimisers.update(state.parameters, slope, state.moments, decayed, rates, alpha, state.age, numbers, used, sides)
    parameters = _constrained(layout, parameters, numbers, alpha / scale.rows)
    average = state.average
    if "weight_average" in used:
        average = jax.tree.map(lambda past, now: averages.update(past, now, numbers.weight_average), average, parameters)
    return state._replace(parameters=parameters, moments=moments, average=average, age=state.age + 1)


def _rates(numbers: Numbers, parameters: Parameters) -> tuple[dict[str, Any], ...]:
    """How many times as fast as alpha says each array learns."""
    return tuple({name: getattr(numbers, OWN_RATES[name]) if name in OWN_RATES else 1.0 for name in layer} for layer in parameters)


def _constrained(layout: Layout, parameters: Parameters, numbers: Numbers, alpha_over_rows: Array) -> Parameters:
    """The parameters after L1's proximal step and with max-norm kept."""

    def one(number: int, w: Array) -> Array:
        if "l1" in layout.techniques:
            w = optimisers.shrink_towards_zero(w, alpha_over_rows * numbers.l1)
        is_hidden = number < layout.hidden
        return optimisers.limit_norms(w, numbers.max_norm) if is_hidden and "max_norm" in layout.techniques else w

    return tuple(layer | {"w": one(number, layer["w"])} for number, layer in enumerate(parameters))


def as_evaluated(state: State, numbers: Numbers) -> tuple[Parameters, Statistics]:
    """The parameters and the statistics of batch norm that a network is evaluated with: averaged ones are corrected for their start."""
    age = jnp.maximum(state.age, 1)
    parameters = state.parameters
    if state.average:
        parameters = jax.tree.map(lambda average: averages.corrected(average, numbers.weight_average, age), state.average)
    return parameters, corrected_statistics(state.statistics, numbers, age)


def evaluate(layout: Layout, state: State, numbers: Numbers, batch: Batch) -> tuple[Array, Array]:
    """Weighted sums of loss and error over a batch, in use (no dropout, running averages); over all its parts where it is divided.

    The Huber loss is measured with ``delta = 1`` for every network: a smaller delta of its own would only look better.
    """
    parameters, statistics = as_evaluated(state, numbers)
    z = outputs(layout, parameters, statistics, batch.x, numbers.units)
    loss = per_example(layout.loss, z, batch.target, quantile=numbers.quantile)
    error = error_per_example(layout.loss, z, batch.target, numbers.quantile)
    return summed(((loss * batch.weight).sum(), (error * batch.weight).sum()), layout.parts)


def keep_best(state: State, score: Array, numbers: Numbers, scale: Scale) -> State:
    """Remember the network as it is now if ``score`` is the lowest so far, and stop early when patience is over.

    A score that is not finite is never the lowest. Once stopped, the best network stays the best.
    """
    better = (score < state.best.score) & ~state.stopped
    now = Best(*as_evaluated(state, numbers), state.age, score.astype(state.best.score.dtype))
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now, state.best)
    patience = jnp.minimum(numbers.patience * scale.steps_per_epoch, numbers.patience_steps)
    stopped = state.stopped | (state.age - best.age >= patience)
    return state._replace(best=best, stopped=stopped, plateau=_watched(state, score, numbers, scale))


def _watched(state: State, score: Array, numbers: Numbers, scale: Scale) -> Any:
    """The plateau after an evaluation: the learning rate falls where ``decay_epochs`` epochs brought no better score."""
    if not state.plateau:
        return ()
    lowest, since, factor = state.plateau
    better = score < lowest
    waited = ~better & (state.age - since >= numbers.decay_epochs * scale.steps_per_epoch)
    since = jnp.where(better | waited, state.age, since)
    return Plateau(jnp.where(better, score, lowest), since, jnp.where(waited, factor * numbers.decay_factor, factor))
