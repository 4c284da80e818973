"""The compiled programs of a shoal: networks of one layout that start, train and are probed together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import PartitionSpec

from shoal import devices, training
from shoal.nets.division import EXAMPLES, own_part
from shoal.nets.encoding import Encoding
from shoal.nets.fusion import computed_once
from shoal.nets.network import Layout, draw, network_inputs
from shoal.nets.pixels import Pixels
from shoal.optimisers import Moments
from shoal.population.kept_programs import KeptProgram, can_be_kept
from shoal.population.sizes import BUFFER_STEPS
from shoal.population.tables import EVALUATION_ROWS
from shoal.probes import Probe, probe
from shoal.recipe import Blocks, Numbers
from shoal.training import Batch, Best, Plateau, Scale, State

PROBED_ROWS = 256
"""Training rows on which the signals through a network are measured."""

MOST_PROGRAMS = 24
"""Layouts whose programs a process keeps: each takes memory and hundreds of memory maps, of which a process has 65,530."""


Inputs = Encoding | Pixels
"""What turns rows of a table, or pictures, into what the networks see."""


class OwnRows(NamedTuple):
    """The training rows of every network, where they do not all train on all of them."""

    rows: Any  # int32 [slots, capacity]: row numbers, the first ``count`` of which are used
    count: Any  # int32 [slots]
    of: Any  # int32 [slots]: rows of the whole table, and so the number of a padding row


class Trace(NamedTuple):
    """What a call of ``advance`` measured; each ``[segments, slots]``."""

    train_loss: Any
    gradient_norm: Any
    dev_loss: Any
    dev_error: Any
    score: Any


for _kind in (Batch, Best, Blocks, Encoding, Moments, Numbers, OwnRows, Pixels, Plateau, Probe, Scale, State, Trace):
    can_be_kept(_kind)


def _one_by_one(layout: Layout) -> bool:
    """Whether the networks of a device are best computed one after the other."""
    return bool(layout.convolutions) and jax.default_backend() == "cpu"


def over(layout: Layout, function: Callable[..., Any], in_axes: Sequence[int | None]) -> Callable[..., Any]:
    """A function of one network mapped over the networks of a device, inside a program: ``jax.vmap``, or one after the other.

    One convolution keeps a core busy, and its patches in the core's cache; several networks at once would throw them out.
    """
    if not _one_by_one(layout):
        return jax.vmap(function, in_axes)

    def mapped(*arguments: Any) -> Any:
        own = [argument for argument, axis in zip(arguments, in_axes, strict=True) if axis is not None]

        def of_one(own: list[Any]) -> Any:
            rest = iter(own)
            return function(*(argument if axis is None else next(rest) for argument, axis in zip(arguments, in_axes, strict=True)))

        return jax.lax.map(of_one, own)

    return mapped


def _trained_on(layout: Layout, rows: Batch, index: Array, encoding: Inputs) -> Batch:
    """The mini-batch of some training rows: what the networks see of them, or pictures that each augments in its own way."""
    x = rows.x[index]
    x = x.astype(jnp.float32) if layout.augments else network_inputs(layout, x, encoding)
    return Batch(x, rows.target[index], rows.weight[index])


class Programs(NamedTuple):
    """What a shoal runs: each compiled when it is first called."""

    start: KeptProgram
    advance: KeptProgram
    probe: KeptProgram


@functools.lru_cache(maxsize=MOST_PROGRAMS)
def programs_of(layout: Layout, mesh: jax.sharding.Mesh, have_own_rows: bool = False) -> Programs:
    """The programs of all shoals of one layout on these devices."""
    networks, shared = PartitionSpec(devices.AXIS), PartitionSpec()
    over_networks = functools.partial(jax.shard_map, mesh=mesh, check_vma=False)

    def start(numbers: Numbers, scale: Scale, rows: Array, sample: Array, encoding: Inputs) -> State:
        inputs = network_inputs(layout, rows[sample], encoding)
        return over(layout, functools.partial(training.start, layout), (0, None, None))(numbers, scale, inputs)

    def look(
        state: State, numbers: Numbers, scale: Scale, noise_seed: Array, clock: Array, rows: Batch, chosen: Array, encoding: Inputs
    ) -> Probe:
        batch = _trained_on(layout, rows, chosen, encoding)
        draws = draw(replace(layout, shape=replace(layout.shape, batch_size=PROBED_ROWS)), noise_seed, clock)
        return over(layout, functools.partial(probe, layout), (0, 0, None, None, None))(state, numbers, scale, batch, draws)

    divided = replace(layout, parts=mesh.shape[EXAMPLES])
    advance = functools.partial(_advance_each if _one_by_one(layout) else _advance, divided)
    by_segment, by_example = PartitionSpec(None, devices.AXIS), PartitionSpec(None, EXAMPLES)
    in_specs = (networks, networks, shared, shared, by_example, *(shared,) * 7, networks if have_own_rows else ())
    facts = layout, dict(mesh.shape), mesh.devices.flat[0].device_kind
    return Programs(
        KeptProgram(over_networks(start, in_specs=(networks,) + (shared,) * 4, out_specs=networks), "start", *facts),
        KeptProgram(over_networks(advance, in_specs=in_specs, out_specs=(networks, by_segment)), "advance", *facts, donates_first=True),
        KeptProgram(over_networks(look, in_specs=(networks, networks) + (shared,) * 6, out_specs=networks), "probe", *facts),
    )


def _advance_each(layout: Layout, state: State, numbers: Numbers, *others: Any) -> tuple[State, Trace]:
    """``_advance`` of one network after the other: within a step, going from one to the next would take as long as a step of theirs."""

    def of_one(mine: Any) -> tuple[State, Trace]:
        state, numbers, own_rows = jax.tree.map(lambda leaf: leaf[None], mine)
        shared = others[:-1]
        after, trace = _advance(layout, state, numbers, *shared, own_rows=own_rows)
        return jax.tree.map(lambda leaf: leaf[0], after), jax.tree.map(lambda series: series[:, 0], trace)

    state, trace = jax.lax.map(of_one, (state, numbers, others[-1]))
    return state, jax.tree.map(lambda series: series.T, trace)


def _advance(
    layout: Layout,
    state: State,
    numbers: Numbers,
    scale: Scale,
    noise_seed: Array,
    order: Array,
    clock: Array,
    segment_steps: Array,
    segments: Array,
    rows: Batch,
    dev: Batch,
    dev_blocks: Array,
    encoding: Inputs,
    own_rows: OwnRows | tuple[()],
) -> tuple[State, Trace]:
    """The networks of one device through ``segments`` segments; their number and length are data, not shape."""
    zeros = jnp.zeros_like(state.best.score)
    step = over(layout, functools.partial(training.step, layout), (0, 0, None, 0 if own_rows else None, None))

    def batch_at(position: Array) -> Batch:
        """The mini-batch of all networks, or one for each, with a leading axis, where they have rows of their own."""
        index = order[position]
        if not own_rows:
            return _trained_on(layout, rows, index, encoding)  # one gather and one encoding for every network

        def of_one(own: OwnRows) -> Batch:
            return _trained_on(layout, rows, jnp.where(index < own.of, own.rows[index % own.count], own.of), encoding)

        return jax.vmap(of_one)(own_rows)

    def one_step(position: Array, carry: tuple[State, Array, Array]) -> tuple[State, Array, Array]:
        state, losses, norms = carry
        batch = batch_at(position)
        draws = own_part(draw(layout, noise_seed, clock + position), layout.parts)
        if layout.convolutions:  # else the slope of pooling would draw every number of dropout four times
            nothing = jax.tree.map(jnp.zeros_like, draws)
            draws = computed_once(lambda _: draws, nothing, clock >= 0)
        state, loss, norm = step(state, numbers, scale, batch, draws)
        return state, losses + loss, norms + norm

    def goes_on(carry: tuple[Array, State, Trace]) -> Array:
        segment, state, _ = carry
        return (segment < segments) & ~jnp.all(state.stopped | state.diverged)

    def one_segment(carry: tuple[Array, State, Trace]) -> tuple[Array, State, Trace]:
        segment, state, trace = carry
        first = segment * segment_steps
        state, losses, norms = jax.lax.fori_loop(first, first + segment_steps, one_step, (state, zeros, zeros))
        dev_loss, dev_error = _evaluate(layout, state, numbers, dev, dev_blocks, encoding)
        score = (1 - scale.error_share) * dev_loss + scale.error_share * dev_error
        state = jax.vmap(training.keep_best, (0, 0, 0, None))(state, score, numbers, scale)
        measured = Trace(losses / segment_steps, norms / segment_steps, dev_loss, dev_error, score)
        return segment + 1, state, jax.tree.map(lambda series, value: series.at[segment].set(value), trace, measured)

    empty = jnp.full((BUFFER_STEPS, *zeros.shape), jnp.nan, zeros.dtype)
    _, state, trace = jax.lax.while_loop(goes_on, one_segment, (jnp.int32(0), state, Trace(*(empty,) * len(Trace._fields))))
    return state, trace


def _evaluate(layout: Layout, state: State, numbers: Numbers, dev: Batch, blocks: Array, encoding: Inputs) -> tuple[Array, Array]:
    """Mean loss and error of each network over the dev rows."""
    evaluate = over(layout, functools.partial(training.evaluate, layout), (0, 0, None))

    def one_block(block: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        batch = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, block * EVALUATION_ROWS, EVALUATION_ROWS), dev)
        batch = own_part(batch, layout.parts)
        loss, error = evaluate(state, numbers, batch._replace(x=network_inputs(layout, batch.x, encoding)))
        return sums[0] + loss, sums[1] + error

    zeros = jnp.zeros_like(state.best.score)
    loss, error = jax.lax.fori_loop(0, blocks, one_block, (zeros, zeros))
    weight = dev.weight.sum()
    return loss / weight, error / weight
