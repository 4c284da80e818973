"""What a plan says of each shape's shoal: trials, slots, and the steps at which trials are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.halving import HALVING, Rungs
from shoal.population import segment_steps, segments_of
from shoal.records import ShoalPlan
from shoal.space import Family

MOST_HALVINGS = 3
"""The first rung is at least a 27th of the full training: on less of it ranks say little."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What a shoal costs: seconds per step of all its networks, evaluation included, and seconds until its program was there."""

    step: float
    compile: float


def shoal_plan(family: Family, slots: int, trials: int, rungs: tuple[int, ...], speed: Speed | None) -> ShoalPlan:
    """What a plan says of one shape."""
    shape = family.shape
    return ShoalPlan(
        shape.hidden_layers,
        family.width,
        shape.activation,
        shape.normalisation,
        shape.batch_size,
        slots,
        trials,
        None if speed is None else speed.step,
        rungs,
        None if speed is None else speed.compile,
        shape.convolutions.channels if shape.convolutions else (),
        family.base.numeric_encoding,
    )


def rungs_of(rounds: int, epochs: float, steps_per_epoch: Sequence[int], halving: Rungs) -> list[tuple[int, ...]]:
    """Each family's steps at which trials are compared: the same shares of the training, each a whole number of its segments.

    There are as many halvings as leave whole shoals, and as every family can tell apart.
    """
    wanted = 0 if halving == "none" else min(MOST_HALVINGS, int(math.log(rounds, HALVING) + 1e-9))
    lengths = _lengths(epochs, steps_per_epoch)
    for halvings in range(wanted, -1, -1):
        counts = [[math.ceil(segments / HALVING**k) for k in range(halvings, -1, -1)] for _, segments in lengths]
        if all(len(set(each)) == len(each) for each in counts):
            return [tuple(count * segment for count in each) for each, (segment, _) in zip(counts, lengths, strict=True)]
    raise AssertionError("one rung always fits")


def two_rungs(epochs: float, compared_at: float, steps_per_epoch: Sequence[int]) -> list[tuple[int, ...]]:
    """Each family's steps at which first recipes are compared, and where the best of them ends; whole segments."""
    lengths = _lengths(epochs, steps_per_epoch)
    first = [min(math.ceil(compared_at * segments), segments - 1) for _, segments in lengths]
    return [(compared * segment, segments * segment) for compared, (segment, segments) in zip(first, lengths, strict=True)]


def end_together(rungs: Sequence[int]) -> bool:
    """Whether first recipes are compared so late that all of them are worth training to the end, to predict together.

    Args:
        rungs: steps at which they are compared, and at which the training ends.

    Example:
        >>> end_together((480, 540)), end_together((1_065, 4_047))
        (True, False)
    """
    return 3 * rungs[0] >= 2 * rungs[-1]


def _lengths(epochs: float, steps_per_epoch: Sequence[int]) -> list[tuple[int, int]]:
    """Each family's steps in a segment, and segments in a training."""
    return [(segment_steps(steps), segments_of(epochs, steps)) for steps in steps_per_epoch]
