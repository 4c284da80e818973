"""A small space, and trials of it."""

import random
from typing import Literal

import pytest

from shoal.parameters import Choice, Range
from shoal.recipe import Recipe
from shoal.records import Trace, Trial, TrialStatus
from shoal.space import Space

Purpose = Literal["search", "retrain"]


@pytest.fixture(scope="session")
def space():
    return Space.of(
        Recipe((32, 32), batch_size=64, optimiser="momentum"),
        [
            Range("learning_rate", 1e-4, 1.0, "log"),
            Range("units", 8, 64, "log_integer"),
            Range("keep_prob", 0.5, 1.0),
            Range("beta1", 0.9, 0.999, "log_one_minus"),
            Choice("optimiser", ("momentum", "rmsprop")),
            Choice("batch_size", (64, 256)),
            Choice("architecture", ({"hidden_layers": 2, "activation": "relu"}, {"hidden_layers": 3, "activation": "silu"})),
        ],
    )


@pytest.fixture(scope="session")
def trials_of():
    def make(space, count, first=0, **changes):
        return [trial(space, number, **changes) for number in range(first, first + count)]

    def trial(space: Space, number: int, status: TrialStatus = "finished", purpose: Purpose = "search", evaluations: int = 3) -> Trial:
        draw = random.Random(number)
        family = number % len(space.families)
        recipe = space.families[family].at([draw.random() for _ in space.families[family].ranges])
        steps = tuple(range(100, 100 * evaluations + 1, 100))
        losses = tuple(draw.random() for _ in steps)
        score = None if status == "diverged" and not losses else min(losses)
        return Trial(number, 7 + number, recipe, family, status, 2, steps[-1], 100, score, purpose, Trace(steps=steps, dev_loss=losses))

    return make
