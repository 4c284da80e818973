"""Measuring one network from inside: how activations and gradients pass through its layers on one mini-batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from shoal import optimisers, training
from shoal.measurements import Signals
from shoal.nets.layers import ACTIVATIONS
from shoal.nets.network import Draws, Hidden, Layout, Parameters
from shoal.recipe import Numbers
from shoal.training import Batch, Scale, State

DEAD = 1e-3
"""A unit is dead where its slope stays below this on every row."""
SATURATED = 0.05
"""A unit is saturated on a row where its slope is below this share of the activation's steepest."""
SAME = 1e-5
"""Two units are alike where the squared distance of their incoming weights is below this share of their squared lengths."""


class Probe(NamedTuple):
    """What was measured at one moment: the cost, and series ``[layers]``, hidden layers first (see ``measurements.Signals``)."""

    loss: Any
    activation: Any
    backward: Any
    gradient: Any
    weight: Any
    update: Any
    dead: Any
    saturated: Any
    alike: Any


def probe(layout: Layout, state: State, numbers: Numbers, scale: Scale, batch: Batch, draws: Draws) -> Probe:
    """Measure one network as it would take its next step from this mini-batch; the network stays what it is.

    Gradients with respect to ``Z[l]`` are those of zeros that are added to it.
    """
    rows, dtype = batch.x.shape[0], batch.weight.dtype
    sizes = [(each.filters, each.height, each.width, rows) for each in layout.convolutions]
    sizes += [(rows, layout.width)] * layout.shape.hidden_layers + [(rows, layout.outputs)]
    nudges = tuple(jnp.zeros(size, dtype) for size in sizes)

    def of(parameters: Parameters, nudges: Sequence[Array]) -> tuple[Array, training.Passed]:
        return training.cost(layout, numbers, scale, state.statistics, parameters, batch, draws, nudges)

    (loss, passed), (slope, backward) = jax.value_and_grad(of, argnums=(0, 1), has_aux=True)(state.parameters, nudges)
    slope = training.with_l2(layout, numbers, scale, slope, state.parameters)
    after = training.descend(layout, state, numbers, scale, slope, optimisers.global_norm(slope))
    present = (batch.weight > 0).astype(dtype)
    count = jnp.maximum(present.sum(), 1.0)
    own = [(jnp.arange(room) < units).astype(dtype) for room, units in zip(layout.rooms, numbers.units, strict=True)]
    own += [jnp.ones(layout.outputs, dtype)]
    hidden = [_by_row(layer, present) for layer in passed.hidden]
    held = [*((layer.a, there) for layer, there in hidden), (passed.z, present)]
    mean_square = [
        jnp.sum(jnp.square(a) * there[:, None] * mask) / (jnp.maximum(there.sum(), 1.0) * mask.sum())
        for (a, there), mask in zip(held, own, strict=True)
    ]
    weights = [layer["w"] for layer in state.parameters]
    moved = [new["w"] - old for new, old in zip(after.parameters, weights, strict=True)]
    slopes = [
        (_steepness(layout, layer.z, own_arrays.get("share")), there)
        for own_arrays, (layer, there) in zip(state.parameters, hidden, strict=False)
    ]
    none = [jnp.zeros((), dtype)]
    return Probe(
        loss=loss,
        activation=jnp.sqrt(jnp.stack(mean_square)),
        # J is a mean: an example's own gradient is as many times larger as there are examples
        backward=jnp.stack([jnp.sqrt(jnp.sum(jnp.square(g)) * count) for g in backward]),
        gradient=jnp.stack([jnp.linalg.norm(layer["w"]) for layer in slope]),
        weight=jnp.stack([jnp.linalg.norm(w) for w in weights]),
        update=jnp.stack([jnp.linalg.norm(d) / jnp.maximum(jnp.linalg.norm(w), 1e-12) for d, w in zip(moved, weights, strict=True)]),
        dead=jnp.stack([_dead(s, there, mask) for (s, there), mask in zip(slopes, own, strict=False)] + none),
        saturated=jnp.stack([_saturated(s, there, mask) for (s, there), mask in zip(slopes, own, strict=False)] + none),
        alike=jnp.stack([_alike(layer, mask) for layer, mask in zip(state.parameters, own, strict=True)]),
    )


def _by_row(layer: Hidden, present: Array) -> tuple[Hidden, Array]:
    """A layer and which of its rows are there; of a convolution every pixel counts as a row ``[rows * pixels, channels]``."""
    if layer.z.ndim == 2:
        return layer, present
    pixels = layer.z.shape[1] * layer.z.shape[2]
    z, a = (each.transpose(3, 1, 2, 0).reshape(-1, each.shape[0]) for each in layer)
    return Hidden(z, a), jnp.repeat(present, pixels)


def _steepness(layout: Layout, z: Array, share: Array | None) -> Array:
    """``|g'(Z)|`` as a share of the activation's steepest slope; of parametric activations of each unit's own."""

    def steepness(z: Array) -> Array:
        (slope,) = jax.vjp(ACTIVATIONS[layout.shape.activation], z)[1](jnp.ones_like(z))
        return jnp.abs(slope if share is None else share * slope + 1 - share)

    grid = jnp.linspace(-6.0, 6.0, 241, dtype=z.dtype)[:, None]
    return steepness(z) / steepness(grid).max(0)


def _dead(steepness: Array, present: Array, own: Array) -> Array:
    return jnp.sum((jnp.max(steepness * present[:, None], axis=0) < DEAD) * own) / own.sum()


def _saturated(steepness: Array, present: Array, own: Array) -> Array:
    return jnp.sum((steepness < SATURATED) * present[:, None] * own) / (jnp.maximum(present.sum(), 1.0) * own.sum())


def _alike(layer: dict[str, Array], own: Array) -> Array:
    """The share of a layer's units whose incoming weights and bias are those of another of its units."""
    bias = layer.get("b", layer.get("beta"))
    incoming = jnp.concatenate([layer["w"], jnp.zeros_like(own)[None] if bias is None else bias[None]])
    length = jnp.square(incoming).sum(axis=0)
    both = length[:, None] + length[None, :]
    distance = both - 2 * incoming.T @ incoming
    other = own[:, None] * own[None, :] * (1 - jnp.eye(len(own), dtype=own.dtype))
    return jnp.sum(jnp.any((distance <= SAME * both + 1e-30) & (other > 0), axis=1) * own) / own.sum()


def signals(steps: Sequence[int], probes: Sequence[Probe], slots: Sequence[int]) -> list[Signals]:
    """The records of some slots.

    Args:
        steps: the moments.
        probes: of a whole shoal at each of them, on the host: ``[slots]`` and ``[slots, layers]``.
        slots: whose records are wanted.
    """

    def series(name: str, slot: int) -> tuple[tuple[float | None, ...], ...]:
        return tuple(tuple(map(_number, np.asarray(getattr(each, name))[slot])) for each in probes)

    names = [name for name in Probe._fields if name != "loss"]
    return [
        Signals(
            steps=tuple(steps),
            loss=tuple(_number(np.asarray(each.loss)[slot]) for each in probes),
            **{name: series(name, slot) for name in names},
        )
        for slot in slots
    ]


def _number(value: Any) -> float | None:
    return float(f"{float(value):.4g}") if np.isfinite(value) else None
