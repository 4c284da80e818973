"""A shoal: so many networks of one layout on one pair of tables, trained segment by segment."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from shoal import devices, training
from shoal.losses import trivial_loss
from shoal.nets.division import EXAMPLES
from shoal.nets.encoding import Encoding
from shoal.nets.network import Layout
from shoal.population.programs import PROBED_ROWS, OwnRows, Trace, programs_of
from shoal.population.sizes import BUFFER_STEPS, segment_steps
from shoal.population.tables import EVALUATION_ROWS, Tables, padded_rows
from shoal.probes import Probe
from shoal.recipe import Numbers, Recipe, stack, techniques_of
from shoal.training import Scale, State

SAMPLE_ROWS = 512
"""Training rows that a data-dependent initialisation looks at."""


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
        self.mesh = mesh = devices.mesh(slots, layout.parts_among)
        self._split, self._whole = NamedSharding(mesh, PartitionSpec(devices.AXIS)), NamedSharding(mesh, PartitionSpec())
        self._by_example = NamedSharding(mesh, PartitionSpec(None, EXAMPLES))
        self._programs = programs_of(layout, mesh, own_rows is not None)
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
        other._train = self._train._replace(target=self._replicate(padded_rows(targets, len(self._train.x))))
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
        order = jax.device_put(order, self._by_example)
        clock, length, count = self._replicate((np.int32(step), np.int32(segment_steps), np.int32(segments)))
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
