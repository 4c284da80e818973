"""Training any recipes on one data set: which shoal they go into, how far they have come, and what is kept of them.

``advance`` brings networks that share a shoal a piece further; a journal remembers every finished piece, so that an interrupted
job need not train it again. ``Trainer`` gives each recipe its shoal: recipes of one shape, width and length train together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, Protocol

import jax.numpy as jnp
import msgspec
import numpy as np

from shoal.data import Dataset
from shoal.data.memory import zeros
from shoal.errors import DataError, Problem
from shoal.losses import loss_for, target_scaling
from shoal.measurements import Signals
from shoal.model import Model
from shoal.nets.network import Layout
from shoal.nets.pixels import Pixels, normalised
from shoal.population import Members, Shoal, Tables, join, members, segment_steps, segments_of, slots_for, take
from shoal.probes import signals
from shoal.recipe import Recipe, Shape, techniques_of
from shoal.records import Part, Trace, Trial, TrialStatus
from shoal.training import Batch, State

MOST_TRACE_POINTS = 120
MEMORY = 1 << 30
"""Bytes that the networks of one shoal may take."""
MOMENTS = 7
"""At which the signals through a network are measured over a training, its start and its first evaluation beside them."""
MOST_ROWS_FOR_SCALES = 50_000
MOST_ROWS_FOR_PICTURE_SCALES = 2_000

Purpose = Literal["search", "retrain"]


class JobResult(msgspec.Struct):
    """What one shoal measured in one piece of its training; lists have one entry per network of the job."""

    job: str
    score: list[float | None]
    best_step: list[int]
    diverged: list[bool]
    stopped: list[bool]
    trace: list[Trace]
    signals: list[Signals] = []


class Journal(Protocol):
    """Where finished jobs are kept, so that an interrupted run need not train them again."""

    def find(self, job: str, shoal: Shoal) -> tuple[JobResult, State] | None:
        """The result of a finished job and its networks, if it is there."""
        ...

    def add(self, result: JobResult, state: State) -> None:
        """Keep a finished job."""
        ...


class NoJournal:
    """Keeps nothing."""

    def find(self, job: str, shoal: Shoal) -> None:
        """Nothing is ever there."""

    def add(self, result: JobResult, state: State) -> None:
        """Nothing is kept."""


@dataclass(eq=False)
class Network:
    """A network on its way: what ``Trial`` will record, and its state on the host."""

    number: int
    seed: int
    recipe: Recipe
    family: int = 0
    rung: int = 0
    steps: int = 0
    score: float = math.inf
    best_step: int = 0
    diverged: bool = False
    stopped: bool = False
    given_up: bool = False
    traces: list[Trace] = field(default_factory=list)
    signals: Signals | None = None
    state: State | None = None

    def record(self, last_rung: int, purpose: Purpose) -> Trial:
        """The trial as it is saved."""
        status: TrialStatus = "finished" if self.rung == last_rung else "stopped at a rung"
        status = "given up" if self.given_up else status
        status = "diverged" if self.diverged else "stopped early" if self.stopped else status
        score = self.score if math.isfinite(self.score) else None
        trace = _thinned(_joined(self.traces))
        return Trial(self.number, self.seed, self.recipe, self.family, status, self.rung, self.steps, self.best_step, score, purpose, trace)


def _moments(begin: int, end: int, segment: int, pieces: int) -> list[int]:
    """Where the training from ``begin`` to ``end`` is cut: after its first segment, then evenly, at whole segments."""
    segments = (end - begin) // segment
    cuts = {0, segments}
    if pieces > 1:
        cuts |= {min(1, segments), *(round(segments * number / pieces) for number in range(1, pieces))}
    return [begin + cut * segment for cut in sorted(cuts)]


def own_seed(seed: int, number: int) -> int:
    """A network's own seed, from that of the run."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def advance(job: str, shoal: Shoal, networks: Sequence[Network], end: int, journal: Journal, probed: bool = False) -> None:
    """Train the networks of one shoal from where they stand (all alike) to the step ``end``.

    Args:
        job: its name in the journal.
        shoal: has room for them.
        networks: are changed in place.
        end: a whole number of segments.
        journal: where the finished job is looked up and kept.
        probed: whether the signals through their layers are measured on the way.
    """
    begin = networks[0].steps
    found = journal.find(job, shoal)
    if found is None:
        numbers = shoal.numbers([network.recipe for network in networks], [network.seed for network in networks])
        state = shoal.put(join([network.state for network in networks if network.state is not None])) if begin else shoal.start(numbers)
        segment = segment_steps(shoal.steps_per_epoch)
        moments, probes, pieces = [], [], []
        if probed and begin:  # what went before was not measured, of which the start says most
            moments.append(0)
            probes.append(shoal.probe(shoal.start(numbers), numbers, 0))
        for first, last in pairwise(_moments(begin, end, segment, MOMENTS if probed else 1)):
            if probed:
                moments.append(first)
                probes.append(shoal.probe(state, numbers, first))
            state, measured = shoal.advance(state, numbers, first, segment, (last - first) // segment)
            pieces.append((measured, first))
        kept = take(state, range(len(networks)))
        traces = [
            _joined([_trace(measured, slot, first, segment, shoal.steps_per_epoch) for measured, first in pieces])
            for slot in range(len(networks))
        ]
        result = _result(job, kept, traces, signals(moments, probes, range(len(networks))) if probed else [])
        journal.add(result, kept)
    else:
        result, kept = found
    for slot, network in enumerate(networks):
        score = result.score[slot]
        network.steps, network.best_step = end, result.best_step[slot]
        network.score = math.inf if score is None else score
        network.diverged, network.stopped = result.diverged[slot], result.stopped[slot]
        network.traces.append(result.trace[slot])
        network.signals = result.signals[slot] if result.signals else None
        network.state = take(kept, [slot])


class Trainer:
    """Recipes into networks on one data set.

    Args:
        dataset: its train and dev parts are used, other parts not looked at.
        seed: of the mini-batches and the dropout noise.
        journal: where finished jobs are kept.
        memory: bytes that the networks of one shoal may take.
        trained_on: parts whose rows are trained on. Columns and targets are encoded as the training rows ask for, whatever they are.
    """

    def __init__(
        self, dataset: Dataset, seed: int, journal: Journal | None = None, memory: int = MEMORY, trained_on: Sequence[Part] = ("train",)
    ) -> None:
        self.dataset, self.seed, self.journal, self.memory, self._trained_on = dataset, seed, journal or NoJournal(), memory, trained_on
        self._prepared: dict[tuple[str, str], tuple[Dataset, Tables]] = {}
        self._shoals: list[Shoal] = []

    def prepared(self, shape: Shape) -> tuple[Dataset, Tables]:
        """The data set as the networks of a shape see it, with its rows on the devices; made when it is first asked for."""
        normalisation = "standard" if self.dataset.picture else shape.input_normalisation  # of pictures there is one only
        wanted = (normalisation, target_scaling(shape.loss))
        if wanted not in self._prepared:
            dataset = self.dataset.prepared(*wanted)
            train, dev = _joined_rows(dataset, self._trained_on), _joined_rows(dataset, ["dev"])
            alike = next((tables for (other, _), (_, tables) in self._prepared.items() if other == normalisation), None)
            picture = dataset.picture
            pixels = Pixels(*(np.array(each, np.float32) for each in (picture.means, picture.deviations))) if picture else None
            tables = alike.with_targets(train.target, dev.target) if alike else Tables.load(train, dev, dataset.picture_shape, pixels)
            self._prepared[wanted] = dataset, tables
        return self._prepared[wanted]

    def input_scales(self, shape: Shape) -> tuple[float, float]:
        """The smallest and the largest root mean square of an input over the training rows, those that are always 0 left out."""
        dataset, tables = self.prepared(shape)
        x = dataset.inputs["train"][: MOST_ROWS_FOR_PICTURE_SCALES if dataset.picture else MOST_ROWS_FOR_SCALES]
        x = np.asarray(normalised(jnp.asarray(x), tables.encoding)) if isinstance(tables.encoding, Pixels) else x
        scales = np.sqrt(np.mean(np.square(x, dtype=np.float64), axis=0))
        scales = scales[scales > 0]
        return (float(scales.min()), float(scales.max())) if len(scales) else (0.0, 0.0)

    def layout(self, shape: Shape, width: int, techniques: Sequence[str]) -> Layout:
        """The layout of networks of a shape, up to ``width`` units wide."""
        loss, outputs = loss_for(self.dataset.task, len(self.dataset.classes), shape.loss)
        return self.prepared(shape)[1].layout(shape, width, outputs, loss, techniques)

    def shoal(self, shape: Shape, width: int, techniques: Sequence[str], slots: int) -> Shoal:
        """A shoal of about so many slots that holds such networks: one that is there already, where one will do."""
        layout = self.layout(shape, width, techniques)
        for shoal in self._shoals:
            has = shoal.layout
            holds = set(layout.techniques) <= set(has.techniques) and replace(has, techniques=layout.techniques) == layout
            if holds and shoal.tables is self.prepared(shape)[1]:
                return shoal
        slots = slots_for(layout, slots, self.memory)
        self._shoals.append(Shoal(layout, slots, self.prepared(shape)[1], self.seed))
        return self._shoals[-1]

    def train(
        self,
        name: str,
        networks: Sequence[Network],
        techniques: Sequence[str] = (),
        slots: int = 0,
        probed: bool = False,
        share: float = 1.0,
    ) -> None:
        """Train networks from their start to the end of their recipes, in as few shoals as hold them.

        Args:
            name: of the jobs in the journal.
            networks: are changed in place.
            techniques: what the program holds beside what these recipes use, for recipes to come.
            slots: room for recipes to come.
            probed: whether the signals through their layers are measured on the way.
            share: of the recipes' training after which it ends, with the learning rate that it has there.
        """
        groups: dict[tuple[Shape, int, int], list[Network]] = {}
        for network in networks:
            shape = network.recipe.shape
            steps = whole_segments(network.recipe, self.prepared(shape)[1], share)
            groups.setdefault((shape, width_class(network.recipe), steps), []).append(network)
        for number, ((shape, width, steps), group) in enumerate(groups.items()):
            used = {*techniques_of(network.recipe for network in group), *techniques}
            shoal = self.shoal(shape, width, sorted(used), max(slots, len(group)))
            for first in range(0, len(group), shoal.slots):
                some = group[first : first + shoal.slots]
                advance(f"{name}-{number}-{first}", shoal, some, steps, self.journal, probed)

    def model(self, networks: Sequence[Network]) -> Model:
        """The best weights of networks of one recipe, as a model that averages them."""
        recipe = networks[0].recipe
        dataset, tables = self.prepared(recipe.shape)
        # what a network was trained with plays no part in its use: one program serves them all
        return Model(dataset.preparation, recipe, self.layout(recipe.shape, width_class(recipe), ()), best_of(networks), tables.encoding)

    def outputs(self, networks: Sequence[Network], part: Part, rows: np.ndarray | None = None) -> np.ndarray:
        """Predictions of networks of one recipe: probabilities ``[networks, rows, classes]``, or values in the target's unit.

        Args:
            networks: trained.
            part: of the data.
            rows: of the part; all by default.
        """
        inputs = self.prepared(networks[0].recipe.shape)[0].inputs[part]
        return self.model(networks).member_outputs(inputs if rows is None else inputs[rows])


def ranked(networks: Sequence[Network]) -> list[Network]:
    """The networks that have a score, best first; ties go to the first drawn.

    Raises:
        DataError: none has.
    """
    ranked = sorted((network for network in networks if math.isfinite(network.score)), key=lambda network: (network.score, network.number))
    if not ranked:
        received = f"{len(networks)} networks, all diverged before their first evaluation"
        raise DataError(
            Problem(
                "some network trains without diverging",
                received,
                "Lower the learning rate or clip the gradient; look for extreme values in the target and the columns.",
            )
        )
    return ranked


def best_of(networks: Sequence[Network]) -> Members:
    """The best weights of networks of one layout, ready to predict."""
    units = np.stack([network.recipe.numbers(network.seed).units for network in networks])
    return members(join([network.state for network in networks if network.state is not None]), units)


def width_class(recipe: Recipe) -> int:
    """The width of the shoal that a recipe's layers go into: the next power of two, and at least 8.

    Example:
        >>> [width_class(Recipe(hidden_units=units)) for units in ((), (5, 3), (64, 64), (65,))]
        [8, 8, 64, 128]
    """
    widest = max(recipe.hidden_units, default=1)
    return max(8, 1 << (widest - 1).bit_length())


def whole_segments(recipe: Recipe, tables: Tables, share: float = 1.0) -> int:
    """The steps of a share of a recipe's training, by default of all of it, as a whole number of segments."""
    steps_per_epoch = tables.steps_per_epoch(tables.batch_size(recipe.shape))
    return segments_of(share * recipe.epochs, steps_per_epoch) * segment_steps(steps_per_epoch)


def _joined_rows(dataset: Dataset, parts: Sequence[Part]) -> Batch:
    """The rows of some parts of the data, one part after the other."""
    if len(parts) == 1:
        return Batch(dataset.inputs[parts[0]], dataset.targets[parts[0]], dataset.weights[parts[0]])
    inputs = [dataset.inputs[part] for part in parts]
    joined = np.concatenate(inputs, out=zeros((sum(map(len, inputs)), *inputs[0].shape[1:]), inputs[0].dtype))
    return Batch(joined, *(np.concatenate([given[part] for part in parts]) for given in (dataset.targets, dataset.weights)))


def _result(job: str, state: State, traces: list[Trace], probed: list[Signals]) -> JobResult:
    scores = [float(score) if math.isfinite(score) else None for score in np.asarray(state.best.score)]
    best_steps = [int(step) for step in np.asarray(state.best.age)]
    return JobResult(job, scores, best_steps, np.asarray(state.diverged).tolist(), np.asarray(state.stopped).tolist(), traces, probed)


def _trace(measured, slot: int, begin: int, segment: int, steps_per_epoch: int) -> Trace:
    def numbers(series) -> tuple[float | None, ...]:
        return tuple(float(f"{value:.6g}") if math.isfinite(value) else None for value in series[:, slot].tolist())

    steps = tuple(begin + (number + 1) * segment for number in range(len(measured.score)))
    return Trace(
        steps=steps,
        epochs=tuple(round(step / steps_per_epoch, 4) for step in steps),
        train_loss=numbers(measured.train_loss),
        dev_loss=numbers(measured.dev_loss),
        dev_error=numbers(measured.dev_error),
        gradient_norm=numbers(measured.gradient_norm),
    )


def _joined(traces: Sequence[Trace]) -> Trace:
    names = Trace.__dataclass_fields__
    return Trace(**{name: tuple(value for trace in traces for value in getattr(trace, name)) for name in names})


def _thinned(trace: Trace) -> Trace:
    """At most ``MOST_TRACE_POINTS`` points, evenly spaced, the last one included."""
    count = len(trace.steps)
    if count <= MOST_TRACE_POINTS:
        return trace
    chosen = np.unique(np.linspace(0, count - 1, MOST_TRACE_POINTS).round().astype(int))
    return replace(trace, **{name: tuple(getattr(trace, name)[i] for i in chosen) for name in Trace.__dataclass_fields__})
