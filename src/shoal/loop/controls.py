"""Random changes of the size of a given one: what a proposal has to be better than, to have been more than luck."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from shoal.loop.changes import Change, Facts, suitable
from shoal.parameters import Range
from shoal.recipe import Recipe, techniques_of

KNOBS: tuple[Range, ...] = (
    Range("learning_rate", 1e-5, 1e-1, "log", "from where nothing moves to where most networks diverge"),
    Range("beta1", 0.5, 0.99, "log_one_minus", "a span of 2 to 100 steps"),
    Range("beta2", 0.9, 0.9999, "log_one_minus", "a span of 10 to 10,000 steps"),
    Range("weight_decay", 1e-3, 3.0, "log", "from nothing to as much as the learning rate allows"),
    Range("l2", 1e-2, 1e3, "log", "likewise"),
    Range("keep_prob", 0.4, 1.0, "linear", "strong dropout to none"),
    Range("input_keep_prob", 0.6, 1.0, "linear", "likewise, of the inputs"),
    Range("mixup", 0.02, 1.0, "log", "from next to none to uniform weights"),
    Range("input_noise", 0.01, 0.5, "log", "in standard deviations of the inputs"),
    Range("label_smoothing", 0.0, 0.3, "linear", "none to strong"),
    Range("weight_average", 0.5, 0.999, "log_one_minus", "a span of 2 to 1,000 steps"),
    Range("clip_norm", 0.1, 30.0, "log", "from every step to none"),
    Range("max_norm", 0.5, 10.0, "log", "from a strong limit to none"),
    Range("initialisation_gain", 0.2, 5.0, "log", "around the formula's own"),
)
"""The numbers that a random change may turn, each over its whole sensible range. None of them asks for another program."""

PICTURE_KNOBS: tuple[Range, ...] = (
    Range("horizontal_flip", 0.0, 0.5, "linear", "never to half of the pictures"),
    Range("vertical_flip", 0.0, 0.5, "linear", "likewise"),
    Range("crop", 0.0, 0.25, "linear", "up to a quarter of the side"),
    Range("rotation", 0.0, 45.0, "linear", "in degrees"),
    Range("zoom", 0.0, 0.5, "linear", "up to half as large again"),
    Range("shift", 0.0, 0.25, "linear", "up to a quarter of the side"),
    Range("brightness", 0.0, 0.5, "linear", "up to half"),
    Range("contrast", 0.0, 0.7, "linear", "likewise"),
    Range("saturation", 0.0, 1.0, "linear", "none to grey and back"),
    Range("cutout", 0.0, 0.7, "linear", "of the shorter side"),
)
"""The same for pictures, beside the others."""

UNITS = Range("hidden_units", 8, 512, "log_integer", "of the widest layer")
EPOCHS = Range("epochs", 4, 256, "log", "passes over the training rows")

SIZE_OF_A_CHOICE = 0.25
"""A change that is no number (another activation, one more layer) counts as a quarter of a range."""


def size(change: Change, recipe: Recipe) -> float:
    """How large a change is: the share of its setting's range that it moves through, the largest where there are several."""
    return max(_moved(name, getattr(recipe, name), value) for name, value in change.settings.items())


def random_change(change: Change, recipe: Recipe, facts: Facts, rng: np.random.Generator, used: Collection[str] = ()) -> Change:
    """A change of the same size to another, randomly chosen number, up or down at random.

    Args:
        change: whose size it has.
        recipe: to be changed.
        facts: what suits the data.
        rng: draws the number and the way.
        used: numbers that other random changes turn already.
    """
    wanted, knobs = size(change, recipe), _knobs(facts)
    order = rng.permutation(len(knobs))
    for up in (rng.random() < 0.5, None):  # where one way is blocked for every knob, the other is taken
        for number in order:
            knob = knobs[number]
            if knob.name in change.settings or knob.name in used:
                continue
            start = _position(knob, getattr(recipe, knob.name))
            way = (1 if up else -1) if up is not None else (1 if start < 0.5 else -1)
            end = start + way * wanted
            if up is not None and not 0.0 <= end <= 1.0:
                continue
            candidate = Change({knob.name: _value(knob, min(max(end, 0.0), 1.0))}, "")
            if suitable(iter([candidate]), recipe, facts):
                return candidate
    raise AssertionError("some number of a recipe can always be turned")


def techniques_of_loop(recipe: Recipe, facts: Facts) -> tuple[str, ...]:
    """What a program holds that can train a recipe with any of its numbers turned, so that no change asks for another program."""
    variants = [recipe]
    for knob in _knobs(facts):
        for at in (0.25, 0.75):
            change = Change({knob.name: _value(knob, at)}, "")
            variants += [change.applied(recipe) for _ in suitable(iter([change]), recipe, facts)]
    for optimiser in ("momentum", "rmsprop"):  # the two moments
        variants.append(replace(recipe, optimiser=optimiser))
    return techniques_of(variants)


def _knobs(facts: Facts) -> tuple[Range, ...]:
    return KNOBS if facts.picture is None else (*KNOBS, *PICTURE_KNOBS)


def _moved(name: str, before: Any, after: Any) -> float:
    range_ = next((each for each in (*KNOBS, *PICTURE_KNOBS, UNITS, EPOCHS) if each.name == name), None)
    is_depth = name == "hidden_units" and len(before) != len(after)
    if range_ is None or is_depth:
        return SIZE_OF_A_CHOICE if before != after else 0.0
    return abs(_position(range_, after) - _position(range_, before))


def _position(knob: Range, value: Any) -> float:
    """Where in its range a number lies, from 0 to 1; what is off lies at the end that changes nothing."""
    if value is None:
        return 1.0
    if isinstance(value, tuple):
        value = max(value, default=knob.low) if knob.name == "hidden_units" else min(value, default=1.0)
    return knob.position(float(value))


def _value(knob: Range, position: float) -> float:
    return float(f"{knob.value(position):.4g}")
