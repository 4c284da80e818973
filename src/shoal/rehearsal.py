"""What a moment of training says before a plan is made: what a step costs, and how long a training is of use."""

from __future__ import annotations

import functools
import math
import time
from typing import NamedTuple

import numpy as np

from shoal.orthogonal import multiplications
from shoal.population import Shoal, segment_steps, segments_of
from shoal.recipe import Numbers, Recipe
from shoal.training import State

LOOKED_AT = (1 / 8, 3 / 16, 1 / 4)
"""Shares of a full training that are looked at, the longer ones only while the shorter ones leave it open whether the dev loss turns."""
PASSED = 3 / 4
"""The best evaluation has passed where it lies before this share of the look."""
CLEAR = 2.5
"""Standard errors beyond which a change of the mean dev loss is more than chance, of which up to three are looked at."""
LONGER = 3.0
"""A training is then so many times as long as it took to get there: its learning rate decays in between, and the best evaluation comes
at about its end."""
AHEAD = 0.02
"""Of the dev loss: by so much that of a shape is lower which is to take the place of the usual one."""
FEWEST_STEPS = 100
"""Of any training: fewer would compare nothing."""
_FEWEST_EVALUATIONS = 4
_PRODUCT = 1024
_OF_A_PRODUCT = 0.5  # of the speed of a large product of matrices: a step's, on CPUs with and without AVX-512
_MEASURED_STEPS = 24
_MEASUREMENTS = 3  # of which the shortest counts: what else the machine does only makes them longer
_ENOUGH_SECONDS = 0.25  # after which no other is begun: long measurements are disturbed less


@functools.cache
def _multiplications_a_second() -> float:
    """Of a product of matrices as NumPy computes it, on all cores."""
    matrix = np.ones((_PRODUCT, _PRODUCT), np.float32)
    seconds = math.inf
    for _ in range(_MEASUREMENTS):
        started = time.perf_counter()
        np.matmul(matrix, matrix)
        seconds = min(seconds, time.perf_counter() - started)
    return _PRODUCT**3 / seconds


def expected_step(shoal: Shoal) -> float:
    """Seconds that a step of the whole shoal should take on a CPU, roughly, before its program is compiled.

    A step takes three multiplications with each weight for every example: for the outputs, and for the slopes of the weights and of
    the inputs; and muon's. Those of dense networks run at about half the speed of one large product of matrices, everything else included.
    """
    layout = shoal.layout
    of_a_network = 3 * layout.operations * layout.shape.batch_size
    if "orthogonalised" in layout.techniques:
        of_a_network += sum(multiplications(*size) for size in layout.sizes[:-1])
    return of_a_network * shoal.slots / (_OF_A_PRODUCT * _multiplications_a_second())


def _begun(shoal: Shoal, recipe: Recipe) -> tuple[Numbers, State]:
    """As many networks of a recipe as there is room for, before their first step; they are to be thrown away."""
    numbers = shoal.numbers([recipe] * shoal.slots, range(shoal.slots))
    return numbers, shoal.start(numbers)


def measure_speed(shoal: Shoal, recipe: Recipe) -> float:
    """Seconds per step of the whole shoal, evaluation included; the networks trained for it are thrown away."""
    numbers, state = _begun(shoal, recipe)
    state, _ = shoal.advance(state, numbers, 0, 1, 1)  # compiles, or reads from the cache, and pages everything in
    seconds = dict.fromkeys((1, _MEASURED_STEPS), math.inf)
    begun = time.perf_counter()
    for measurement in range(_MEASUREMENTS):
        if measurement and time.perf_counter() - begun > _ENOUGH_SECONDS:
            break
        for steps in seconds:
            started = time.perf_counter()
            state, _ = shoal.advance(state, numbers, 0, steps, 1)
            seconds[steps] = min(seconds[steps], time.perf_counter() - started)
    step = (seconds[_MEASURED_STEPS] - seconds[1]) / (_MEASURED_STEPS - 1)
    return step + max(seconds[1] - step, 0.0) / segment_steps(shoal.steps_per_epoch)


def looks(recipe: Recipe, steps_per_epoch: int) -> tuple[int, ...]:
    """Evaluations after which the look at a recipe's training may end; none where too few would lie in it to say anything."""
    segments = segments_of(recipe.epochs, steps_per_epoch)
    counts = tuple(math.ceil(share * segments) for share in LOOKED_AT)
    return counts if counts[0] >= _FEWEST_EVALUATIONS else ()


class Look(NamedTuple):
    """What the beginning of a training said."""

    epochs: float
    """Of training that are of use."""
    steps: int
    """That were taken at least; 0 where there was no look."""
    dev_loss: np.ndarray
    """The lowest of each network in these steps."""


def look_at(shoal: Shoal, recipe: Recipe, most_steps: float = math.inf, least: int = 1) -> Look:
    """Find out how many epochs of training are of use: the recipe's, or fewer where its networks begin to overfit early in them.

    An eighth of the training is looked at, in as many networks as there is room for. The lowest mean dev loss of its last quarter is
    compared with the lowest before. Where it is higher by more than chance (2.5 standard errors), what follows could only be thrown away,
    and the learning rate would still be high at the best evaluation: a training of three times the length that it took to get there
    decays it, and takes a fraction of the time. Where it is lower by more than chance, the training is of use. Where it is neither, the
    look goes on, to a quarter of the training at most.

    Args:
        shoal: of the recipe's shape; its networks are thrown away.
        recipe: the recipe.
        most_steps: of the look; where it would take more, the recipe keeps its length.
        least: how many of the shares in ``LOOKED_AT`` are looked at, unless the dev loss turns or there is time for fewer.
    """
    segment = segment_steps(shoal.steps_per_epoch)
    affordable = [evaluations for evaluations in looks(recipe, shoal.steps_per_epoch) if evaluations * segment <= most_steps]
    if not affordable:
        return Look(recipe.epochs, 0, np.empty(0))
    (numbers, state), dev_loss, epochs = _begun(shoal, recipe), np.empty((0, shoal.slots)), recipe.epochs
    for evaluations in affordable:
        seen = len(dev_loss)
        state, further = shoal.advance(state, numbers, seen * segment, segment, evaluations - seen)
        dev_loss = np.concatenate([dev_loss, further.dev_loss.astype(np.float64)])
        late = int(PASSED * evaluations)
        means = dev_loss.mean(1)
        lowest = int(means[:late].argmin())
        rise = dev_loss[late + means[late:].argmin()] - dev_loss[lowest]
        chance = CLEAR * rise.std(ddof=min(1, len(rise) - 1)) / math.sqrt(len(rise))
        if rise.mean() > chance:
            wanted = max(LONGER * (lowest + 1) * segment, FEWEST_STEPS)
            epochs = min(epochs, math.ceil(wanted / segment) * segment / shoal.steps_per_epoch)
            break
        if not rise.mean() >= -chance and evaluations in affordable[least - 1 :]:  # falls still, or diverged
            break
    compared = min(affordable[:least][-1], len(dev_loss))
    return Look(epochs, compared * segment, dev_loss[:compared].min(0))


def is_ahead(shoal: Shoal, recipe: Recipe, steps: int, of: Look) -> bool:
    """Whether another recipe's networks have a clearly lower dev loss after so many steps than those that were looked at.

    Of two encodings of the columns it can be told early which one is better, where both have had as much time: after as many passes over
    the rows, the one with the dearer steps would be ahead. Networks that diverged are not.

    Args:
        shoal: of the recipe's shape; its networks are thrown away.
        recipe: the other recipe, with the same loss.
        steps: that take as long as those of the look did; whole segments of them are trained.
        of: the look.
    """
    segment = segment_steps(shoal.steps_per_epoch)
    if steps < segment:
        return False
    numbers, state = _begun(shoal, recipe)
    _, trace = shoal.advance(state, numbers, 0, segment, steps // segment)
    return bool(trace.dev_loss.min(0).mean() < (1 - AHEAD) * of.dev_loss.mean())
