"""Shoals: networks of one layout that train together as one compiled program.

A *shoal* has a fixed number of slots. Its networks' states are one pytree with a leading axis of slots, divided over the
devices; ``advance`` is one program with no Python in its loops. A population larger than one shoal trains shoal after
shoal through the same program, so that the full population, the few survivors of a search and the retrained winner
need one compilation between them. The mini-batch sequence and the dropout noise are functions of the seed and of the steps
trained, so that networks of equal age see the same ones whichever shoal they are in, and comparisons are paired.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import NamedSharding, PartitionSpec

from shoal import devices, training
from shoal.losses import Loss, activate_output, trivial_loss
from shoal.nets.encoding import Encoding, fit
from shoal.nets.fusion import computed_once
from shoal.nets.network import Layout, draw, network_inputs, outputs
from shoal.nets.pixels import Pixels
from shoal.probes import Probe, probe
from shoal.recipe import TECHNIQUES, WHOLE_BATCH, Numbers, Recipe, Shape, stack, techniques_of
from shoal.training import Batch, Scale, State

BUFFER_STEPS = 256
"""Most steps of one call of ``advance``: the size of its buffer of row numbers."""

EVALUATION_ROWS = 256
"""Dev rows evaluated at once. Sums over blocks of one size come out the same to the last bit whatever the padding."""

PREDICTION_ROWS = 1024
PROBED_ROWS = 256
"""Training rows on which the signals through a network are measured."""
SAMPLE_ROWS = 512
"""Training rows that a data-dependent initialisation looks at."""

MOST_PROGRAMS = 24
"""Layouts whose programs a process keeps: each takes memory and hundreds of memory maps, of which a process has 65,530."""

COLUMN_MULTIPLE = 8
"""Columns are padded to a multiple, so that one more category level seldom means another program."""


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


def capacity(rows: int) -> int:
    """The size class that a table is padded to: the next power of two above ``rows``, and at least 256.

    Example:
        >>> capacity(16_000)
        16384
    """
    return max(256, 1 << rows.bit_length())


def padded(part: Batch, columns: int) -> Batch:
    """A table in its size class and with this many columns; there is always at least one padding row, of weight 0.

    Numbers are float32, pictures stay bytes: a quarter of the memory, on the device too.
    """
    more = capacity(len(part.x)) - len(part.x)
    x = part.x if part.x.dtype == np.uint8 else part.x.astype(np.float32, copy=False)
    x = np.pad(x, ((0, more), (0, columns - part.x.shape[1])))
    return Batch(x, _padded_rows(part.target, len(x)), np.pad(part.weight, (0, more)))


def _padded_rows(values: np.ndarray, rows: int) -> np.ndarray:
    return np.pad(values, ((0, rows - len(values)), *((0, 0),) * (values.ndim - 1)))


def balancing_weights(target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``n / (C n_c)`` of each class ``[classes]``, scikit-learn's "balanced"; ``[1]`` for targets that are no classes.

    Example:
        >>> balancing_weights(np.array([0, 0, 0, 1]), np.ones(4)).tolist()  # two rows of each class would be balanced
        [0.6666666865348816, 2.0]
    """
    if target.ndim > 1 or not np.issubdtype(target.dtype, np.integer):
        return np.ones(1, np.float32)
    counts = np.bincount(target, weight)
    return (counts.sum() / (len(counts) * np.where(counts > 0, counts, 1))).astype(np.float32)


def padded_columns(columns: int) -> int:
    """Columns of the padded table."""
    return -(-max(columns, 1) // COLUMN_MULTIPLE) * COLUMN_MULTIPLE


@dataclass(frozen=True)
class Tables:
    """Train and dev rows on the devices: once, whatever the number of networks.

    Args:
        train: padded training rows.
        dev: padded dev rows.
        train_rows: how many are real.
        dev_rows: likewise.
        columns: input columns before padding.
        class_weight: what balances the classes, ``[classes]``.
        encoding: bins of the numeric columns, fitted on the training rows; of pictures, what their bytes are normalised with.
        picture: height, width and channels of pictures; ``None`` of a table.
    """

    train: Batch
    dev: Batch
    train_rows: int
    dev_rows: int
    columns: int
    class_weight: np.ndarray
    encoding: Encoding | Pixels
    picture: tuple[int, int, int] | None = None

    @classmethod
    def load(cls, train_part: Batch, dev_part: Batch, picture: tuple[int, int, int] | None = None, pixels: Pixels | None = None) -> Tables:
        """Put the rows of the two parts (``x [rows, columns]``, not padded) on the devices.

        Args:
            train_part: training rows.
            dev_part: dev rows.
            picture: height, width and channels, where each row is a picture: ``x`` are its bytes, in this order.
            pixels: what these are normalised with.
        """
        columns = train_part.x.shape[1]
        whole = NamedSharding(devices.mesh(len(devices.start())), PartitionSpec())
        room = columns if picture else padded_columns(columns)
        on_train, on_dev = (jax.device_put(padded(part, room), whole) for part in (train_part, dev_part))
        class_weight = balancing_weights(train_part.target, train_part.weight)
        encoding = fit(train_part.x) if pixels is None else pixels
        return cls(on_train, on_dev, len(train_part.x), len(dev_part.x), columns, class_weight, encoding, picture)

    @property
    def encoded(self) -> int:
        """Columns that have a piecewise-linear encoding, padded."""
        return 0 if isinstance(self.encoding, Pixels) else len(self.encoding.columns)

    def layout(self, shape: Shape, width: int, outputs: int, loss: Loss, techniques: Sequence[str] = tuple(TECHNIQUES)) -> Layout:
        """The layout of networks of a shape on these tables, whose recipes use some of the techniques."""
        encoded = self.encoded if shape.numeric_encoding != "standard" else 0
        columns = self.columns if self.picture else padded_columns(self.columns)
        shape = replace(shape, batch_size=self.batch_size(shape))
        return Layout(shape, width, columns, encoded, outputs, loss, tuple(sorted(techniques)), self.picture)

    def batch_size(self, shape: Shape) -> int:
        """Rows of a mini-batch; a batch of all rows is padded to a multiple of 256, so that a few more rows use the same program."""
        return -(-self.train_rows // EVALUATION_ROWS) * EVALUATION_ROWS if shape.batch_size == WHOLE_BATCH else shape.batch_size

    def steps_per_epoch(self, batch_size: int) -> int:
        """Mini-batches in one pass over the training rows; the last, smaller one counts."""
        return -(-self.train_rows // batch_size)


def default_slots(layout: Layout) -> int:
    """Networks per shoal: as many as keep one layer's work in a core's cache, times the devices.

    Measured on CPU: 8 networks of width 128 train as fast as 16 or 64, narrow ones gain from company, since each operation of a
    small shoal costs more to start than to do. Convolutions train one after the other on a core (see ``over``). A GPU wants as many as
    it can get.
    """
    on_cpu = devices.start()[0].platform == "cpu"
    alone = 1 if layout.convolutions else 4 if layout.width >= 128 else 16 if layout.width >= 48 else 32
    return (alone if on_cpu else 64) * len(devices.start())


def segment_steps(steps_per_epoch: int) -> int:
    """Steps between two evaluations: an epoch, or an equal part of one where that is longer than the buffer."""
    return math.ceil(steps_per_epoch / math.ceil(steps_per_epoch / BUFFER_STEPS))


def segments_of(epochs: float, steps_per_epoch: int) -> int:
    """Segments of a training of so many epochs: the nearest whole number, at least one."""
    return max(1, round(epochs * steps_per_epoch / segment_steps(steps_per_epoch)))


class Shoal:
    """The compiled programs of one layout and number of slots, working on one pair of tables.

    Args:
        layout: the static part of every network in it.
        slots: networks that train at the same time.
        tables: the rows.
        seed: of the mini-batch sequence and the dropout noise.
        error_share: the score that selects is ``(1 - error_share) * dev loss + error_share * dev error``.
        own_rows: the training rows ``[rows of its own]`` of each slot, for networks that train on a part of them; slots that would stay
            empty repeat the last. The mini-batch sequence then gives positions: a network of n rows trains on the row at ``position mod
            n`` of its own, so that all networks take mini-batches of one size, and equally many. With all rows in their order a network
            is what it is without. A factor of the recipe that counts in training rows (L2's and L1's ``lambda/m``) stays one of all rows.
    """

    def __init__(
        self,
        layout: Layout,
        slots: int,
        tables: Tables,
        seed: int,
        error_share: float = 0.0,
        own_rows: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.layout, self.slots, self.tables, self.seed = layout, slots, tables, seed
        mesh = devices.mesh(slots)
        self._split, self._whole = NamedSharding(mesh, PartitionSpec(devices.AXIS)), NamedSharding(mesh, PartitionSpec())
        self._programs = _programs(layout, mesh, own_rows is not None)
        self._own_rows = () if own_rows is None else jax.device_put(_own_rows(own_rows, slots, tables), self._split)
        self._train, self._dev, self._encoding = jax.device_put((tables.train, tables.dev, tables.encoding), self._whole)
        self._dev_blocks = self._replicate(np.int32(-(-tables.dev_rows // EVALUATION_ROWS)))
        self._noise_seed = self._replicate(np.uint32(seed % 2**32))
        self.steps_per_epoch = tables.steps_per_epoch(layout.shape.batch_size)
        coding, pixels = (tables.encoding, ()) if isinstance(tables.encoding, Encoding) else (None, tables.encoding)
        used = coding.used(layout.is_periodic) if coding is not None and layout.encoded else []
        present = np.concatenate([np.arange(layout.columns) < tables.columns, used]).astype(bool)
        steps = np.float32(self.steps_per_epoch)
        scale = Scale(np.float32(tables.train_rows), steps, present, tables.class_weight, np.float32(error_share), pixels)
        self._scale = self._replicate(scale)
        self._probed = self._replicate(np.linspace(0, tables.train_rows - 1, PROBED_ROWS).astype(np.int32))
        self._sample = self._replicate(np.linspace(0, tables.train_rows - 1, SAMPLE_ROWS).astype(np.int32))

    def with_targets(self, targets: np.ndarray) -> Shoal:
        """A shoal like this one, whose networks learn other targets of the same training rows.

        Args:
            targets: ``[rows, ...]`` as ``shoal.losses`` has them, not padded; soft ones of classes make it another program.
        """
        other = copy.copy(self)
        other._train = self._train._replace(target=self._replicate(_padded_rows(targets, len(self._train.x))))
        return other

    @functools.cached_property
    def trivial_loss(self) -> float:
        """The dev loss of the best constant answer (see ``losses.trivial_loss``)."""
        rows = slice(self.tables.dev_rows)
        return trivial_loss(self.layout.loss, np.asarray(self.tables.dev.target[rows]), np.asarray(self.tables.dev.weight[rows]))

    def _replicate(self, value: Any) -> Any:
        return jax.device_put(value, self._whole)

    def numbers(self, recipes: Sequence[Recipe], seeds: Sequence[int]) -> Numbers:
        """The numbers of up to ``slots`` networks on the devices; slots that would stay empty repeat the last network.

        Raises:
            ValueError: a recipe uses a technique that the layout leaves out.
        """
        if missing := set(techniques_of(recipes)) - set(self.layout.techniques):
            raise ValueError(f"the program holds {self.layout.techniques}, not {sorted(missing)}")
        rows = [recipe.numbers(seed) for recipe, seed in zip(recipes, seeds, strict=True)]
        return jax.device_put(stack(rows + rows[-1:] * (self.slots - len(rows))), self._split)

    def start(self, numbers: Numbers) -> State:
        """The networks before their first step."""
        return self._programs.start(numbers, self._scale, self._train.x, self._sample, self._encoding)

    def compile(self, recipe: Recipe) -> None:
        """Have the programs ready before they are needed; another thread may do it while other shoals train.

        Args:
            recipe: any of the layout's.
        """
        numbers = self.numbers([recipe] * self.slots, range(self.slots))
        state, segment = self.start(numbers), segment_steps(self.steps_per_epoch)
        order = np.full((BUFFER_STEPS, self.layout.shape.batch_size), self.tables.train_rows, np.int32)
        jax.block_until_ready(self._call(state, numbers, order, 0, segment, 0))

    def probe(self, state: State, numbers: Numbers, step: int) -> Probe:
        """How signals pass through every network as it would take the step; on the host, each ``[slots]`` or ``[slots, layers]``."""
        clock = self._replicate(np.int32(step))
        return jax.device_get(
            self._programs.probe(state, numbers, self._scale, self._noise_seed, clock, self._train, self._probed, self._encoding)
        )

    def put(self, states: State) -> State:
        """States kept on the host, as ``take`` gives them, back on the devices; the last is repeated in empty slots."""
        have = len(states.age)
        index = np.minimum(np.arange(self.slots), have - 1)
        return jax.device_put(jax.tree.map(lambda leaf: leaf[index], states), self._split)

    def advance(self, state: State, numbers: Numbers, first_step: int, segment_steps: int, segments: int) -> tuple[State, Trace]:
        """Train every network for ``segments`` segments of ``segment_steps`` steps, with an evaluation after each.

        Args:
            state: the networks; the arrays are given up to the program.
            numbers: theirs.
            first_step: the step at which the mini-batch sequence is entered.
            segment_steps: at most ``BUFFER_STEPS``.
            segments: how many.

        Returns:
            The networks afterwards, and what was measured, on the host: NaN once every network of a device had stopped early.
        """
        done, calls = 0, []
        while done < segments:
            now = min(segments - done, BUFFER_STEPS // segment_steps)
            step = first_step + done * segment_steps
            order = np.full((BUFFER_STEPS, self.layout.shape.batch_size), self.tables.train_rows, np.int32)
            order[: now * segment_steps] = self._order(step, now * segment_steps)
            state, trace = self._call(state, numbers, order, step, segment_steps, now)
            calls.append((trace, now))
            done += now
        series = zip(*([np.asarray(values)[:count] for values in trace] for trace, count in calls), strict=True)
        return state, Trace(*(np.concatenate(parts) for parts in series))

    def _call(self, state: State, numbers: Numbers, order: np.ndarray, step: int, segment_steps: int, segments: int) -> tuple[State, Trace]:
        order, clock, length, count = self._replicate((order, np.int32(step), np.int32(segment_steps), np.int32(segments)))
        return self._programs.advance(
            state,
            numbers,
            self._scale,
            self._noise_seed,
            order,
            clock,
            length,
            count,
            self._train,
            self._dev,
            self._dev_blocks,
            self._encoding,
            self._own_rows,
        )

    def _order(self, step: int, steps: int) -> np.ndarray:
        """Row numbers ``[steps, batch_size]`` from ``step`` on; each epoch is a new shuffle, its last batch filled with padding."""
        rows, batch = self.tables.train_rows, self.layout.shape.batch_size
        epochs = range(step // self.steps_per_epoch, (step + steps - 1) // self.steps_per_epoch + 1)
        shuffled = [_shuffled(self.seed, epoch, rows, batch) for epoch in epochs]
        first = step % self.steps_per_epoch
        return np.concatenate(shuffled)[first : first + steps]


def take(state: State, slots: Sequence[int]) -> State:
    """The networks of some slots, on the host."""
    index = np.asarray(slots)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], state)


def state_structure(layout: Layout) -> Any:
    """The tree structure of a shoal's state, to rebuild one from its leaves."""
    numbers = Recipe().numbers(0)._replace(units=np.ones(layout.hidden, np.int32))
    scale = Scale(np.float32(1), np.float32(1), np.ones(layout.given, bool), np.ones(1, np.float32), np.float32(0))
    sample = np.zeros((1, layout.given), np.float32)
    return jax.tree.structure(jax.eval_shape(functools.partial(training.start, layout), numbers, scale, sample))


def join(states: Sequence[State]) -> State:
    """Networks taken from several shoals, one after the other."""
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *states)


@functools.lru_cache(maxsize=8)
def _shuffled(seed: int, epoch: int, rows: int, batch: int) -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(key=np.array([seed % 2**64, epoch], np.uint64)))
    steps = -(-rows // batch)
    order = np.full(steps * batch, rows, np.int32)
    order[:rows] = generator.permutation(rows)
    return order.reshape(steps, batch)


def _own_rows(own_rows: Sequence[np.ndarray], slots: int, tables: Tables) -> OwnRows:
    rows, count = np.zeros((slots, len(tables.train.x)), np.int32), np.zeros(slots, np.int32)
    for slot in range(slots):
        mine = own_rows[min(slot, len(own_rows) - 1)]
        rows[slot, : len(mine)], count[slot] = mine, len(mine)
    return OwnRows(rows, count, np.full(slots, tables.train_rows, np.int32))


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


class _Programs(NamedTuple):
    start: Any
    advance: Any
    probe: Any


@functools.lru_cache(maxsize=MOST_PROGRAMS)
def _programs(layout: Layout, mesh: jax.sharding.Mesh, have_own_rows: bool = False) -> _Programs:
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

    advance = functools.partial(_advance_each if _one_by_one(layout) else _advance, layout)
    by_segment = PartitionSpec(None, devices.AXIS)
    in_specs = (networks, networks, *(shared,) * 10, networks if have_own_rows else ())
    return _Programs(
        jax.jit(over_networks(start, in_specs=(networks,) + (shared,) * 4, out_specs=networks)),
        jax.jit(over_networks(advance, in_specs=in_specs, out_specs=(networks, by_segment)), donate_argnums=0),
        jax.jit(over_networks(look, in_specs=(networks, networks) + (shared,) * 6, out_specs=networks)),
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
        draws = draw(layout, noise_seed, clock + position)
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
        loss, error = evaluate(state, numbers, batch._replace(x=network_inputs(layout, batch.x, encoding)))
        return sums[0] + loss, sums[1] + error

    zeros = jnp.zeros_like(state.best.score)
    loss, error = jax.lax.fori_loop(0, blocks, one_block, (zeros, zeros))
    weight = dev.weight.sum()
    return loss / weight, error / weight


def forget_programs() -> None:
    """Let go of the compiled programs of this process; the cache on disk stays. For jobs that go through very many layouts."""
    _programs.cache_clear()
    _predictor.cache_clear()


class Members(NamedTuple):
    """Trained networks of one layout, on the host, with a leading axis of networks."""

    parameters: Any
    statistics: Any
    units: Any


def members(state: State, units: np.ndarray) -> Members:
    """The best networks of a shoal's states (as ``take`` gives them), ready to predict."""
    first, *others = state.best.parameters
    if "scale" in first:  # learned factors of the inputs are one with the weights from here on: a model is of the same layout without
        weights = first["scale"][..., None] * first["w"]
        first = {name: values for name, values in first.items() if name != "scale"} | {"w": weights}
    return Members((first, *others), state.best.statistics, units)


@functools.lru_cache(maxsize=MOST_PROGRAMS)
def _predictor(layout: Layout) -> Any:
    def predict(networks: Members, x: Array, encoding: Inputs) -> Array:
        x = network_inputs(layout, x, encoding)

        def one(network: Members) -> Array:
            return activate_output(layout.loss, outputs(layout, network.parameters, network.statistics, x, network.units))

        return over(layout, one, (0,))(networks)

    return jax.jit(predict)


def predict(layout: Layout, networks: Members, encoding: Inputs, x: np.ndarray) -> np.ndarray:
    """Predictions of each network: probabilities ``[networks, rows, classes]`` or standardised values ``[networks, rows]``.

    Args:
        layout: of the networks.
        networks: as ``members`` gives them.
        encoding: of the tables they were trained on.
        x: ``[rows, columns]`` inputs, not padded.
    """
    devices.start()
    program = _predictor(layout)
    on_device, encoding = jax.device_put((networks, encoding))
    blocks = []
    for first in range(0, max(len(x), 1), PREDICTION_ROWS):
        block = np.zeros((PREDICTION_ROWS, layout.columns), np.uint8 if layout.picture else np.float32)
        piece = x[first : first + PREDICTION_ROWS]
        block[: len(piece), : x.shape[1]] = piece
        blocks.append(np.asarray(program(on_device, block, encoding))[:, : len(piece)])
    return np.concatenate(blocks, axis=1)


def bytes_per_network(layout: Layout) -> int:
    """Memory that one slot takes: parameters, gradient, moments, averages and the best ones, and a mini-batch's activations twice."""
    pictures = [each.filters * each.height * each.width for each in layout.convolutions]
    activations = layout.shape.batch_size * (sum(pictures) + layout.width * layout.shape.hidden_layers + layout.outputs)
    kept = {"first_moment", "second_moment", "maximum", "weight_average"} & set(layout.techniques)
    return 4 * ((4 + len(kept)) * layout.parameters + 4 * max(activations, EVALUATION_ROWS * max(layout.width, *pictures, 0)))


def slots_within(layout: Layout, memory: int) -> int:
    """Slots per shoal: ``default_slots``, or fewer where they would not fit in ``memory`` bytes, always over all devices."""
    count = len(devices.start())
    fitting = memory // max(bytes_per_network(layout), 1)
    return max(count, min(default_slots(layout), math.floor(fitting / count) * count))
