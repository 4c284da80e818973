"""The recipe: the frozen description of one network and of its training.

A recipe has two halves. The *shape* (depth, activation, batch norm, batch size) is compiled into a program; recipes of
one shape train together as one shoal. The *numbers* (everything else, the optimiser and the units of each layer
included) are data of that program, so that changing them never compiles again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from shoal.errors import OptionError, Problem, did_you_mean

Activation = Literal["relu", "leaky_relu", "silu", "tanh", "sigmoid"]
Optimiser = Literal["gradient_descent", "momentum", "rmsprop", "adam"]
Initialisation = Literal["he", "xavier"]
Decay = Literal["constant", "inverse_time", "cosine"]
NumericEncoding = Literal["standard", "piecewise"]

MAX_HIDDEN_LAYERS = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """The static half of a recipe: what a compiled program is made for (the width is the shoal's, not the recipe's)."""

    hidden_layers: int
    activation: Activation
    batch_norm: bool
    batch_size: int
    numeric_encoding: NumericEncoding = "standard"
    input_dropout: bool = False
    """Dropped inputs differ between networks, so that the first layer is no longer one product for the whole shoal:
    the one number whose use is part of the shape."""


class Numbers(NamedTuple):
    """The traced half of a recipe: scalars of one network, or arrays with a leading axis of networks."""

    seed: Any  # uint32
    units: Any  # int32 [hidden_layers]
    gain: Any  # of the initial weights; sqrt(2) included for He
    learning_rate: Any
    beta1: Any
    beta2: Any
    epsilon: Any
    first_moment: Any  # bool: the switches of the one update
    second_moment: Any
    bias_correction: Any
    l2: Any
    weight_decay: Any
    keep_prob: Any  # [1 + hidden_layers], the inputs first
    label_smoothing: Any
    clip_norm: Any  # infinity: no clipping
    decay_kind: Any  # int32, position in DECAYS
    decay_rate: Any
    epochs: Any
    patience: Any  # epochs; infinity: train to the end


@dataclass(frozen=True, slots=True)
class Recipe:
    """One network and its training. Every field is checked on construction; all problems are reported together.

    Args:
        hidden_units: units of each hidden layer, 0 to 8 layers; ``()`` is linear, logistic or softmax regression.
        activation: ``g`` in ``A[l] = g(Z[l])``.
        batch_norm: normalise ``Z[l]`` over the mini-batch before the activation, with learned gamma and beta.
        numeric_encoding: ``standard`` gives numeric columns to the network as normalised numbers, ``piecewise`` adds their
            piecewise-linear encoding (see ``shoal.nets.encoding``).
        batch_size: examples per mini-batch; the last, smaller batch of an epoch is used too.
        initialisation: ``he`` draws ``W[l]`` with standard deviation ``sqrt(2/n[l-1])``, ``xavier`` with ``sqrt(1/n[l-1])``.
        initialisation_gain: a factor on that standard deviation.
        optimiser: which switches of the one update are on (see ``shoal.optimisers``).
        learning_rate: ``alpha`` at its highest.
        beta1: weight of the past in the averaged gradient (momentum, adam).
        beta2: weight of the past in the averaged squared gradient (rmsprop, adam).
        epsilon: added to ``sqrt(S)`` in the denominator.
        l2: ``lambda`` of the cost's ``lambda/(2m) * sum ||W[l]||^2``; coupled, so it passes through the optimiser.
        weight_decay: decoupled decay, ``W -= alpha * weight_decay * W`` (AdamW); biases and batch norm are not decayed.
        keep_prob: probability that a hidden unit is kept by inverted dropout: one number for all hidden layers or one per layer.
        input_keep_prob: the same for the inputs.
        label_smoothing: share of the target's probability spread evenly over the classes (classification only).
        clip_norm: largest global norm of the gradient, or ``None`` for no clipping.
        decay: how the learning rate falls over the training.
        decay_rate: ``alpha / (1 + decay_rate * epoch)`` for ``inverse_time``.
        epochs: length of the full training in passes over the training rows; also the horizon of ``cosine``.
        patience: stop after this many epochs without a better dev score, or ``None`` to train to the end. Either way the
            weights of the best dev score are the ones kept.

    Raises:
        OptionError: naming every setting that is out of range.

    Example:
        >>> Recipe(hidden_units=(50, 50), keep_prob=0.8).keep_probs
        (1.0, 0.8, 0.8)
    """

    hidden_units: tuple[int, ...] = (64, 64)
    activation: Activation = "silu"
    batch_norm: bool = False
    numeric_encoding: NumericEncoding = "standard"
    batch_size: int = 128
    initialisation: Initialisation = "he"
    initialisation_gain: float = 1.0
    optimiser: Optimiser = "adam"
    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    l2: float = 0.0
    weight_decay: float = 0.0
    keep_prob: float | tuple[float, ...] = 1.0
    input_keep_prob: float = 1.0
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    decay: Decay = "cosine"
    decay_rate: float = 1.0
    epochs: float = 50.0
    patience: float | None = None

    def __post_init__(self) -> None:
        for name in ("hidden_units", "keep_prob"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        problems = list(_problems(self))
        if problems:
            raise OptionError(*problems)

    @property
    def shape(self) -> Shape:
        """The static half."""
        layers = len(self.hidden_units)
        return Shape(layers, self.activation, self.batch_norm, self.batch_size, self.numeric_encoding, self.input_keep_prob < 1)

    @property
    def keep_probs(self) -> tuple[float, ...]:
        """keep_prob of the inputs, then of each hidden layer."""
        hidden = self.keep_prob if isinstance(self.keep_prob, tuple) else (self.keep_prob,) * len(self.hidden_units)
        return (self.input_keep_prob, *hidden)

    def numbers(self, seed: int) -> Numbers:
        """The traced half, for a network that starts from ``seed``."""
        first, second, correction = SWITCHES[self.optimiser]
        return Numbers(
            seed=np.uint32(seed % 2**32),
            units=np.asarray(self.hidden_units, np.int32),
            gain=np.float32(self.initialisation_gain * GAINS[self.initialisation]),
            learning_rate=np.float32(self.learning_rate),
            beta1=np.float32(self.beta1),
            beta2=np.float32(self.beta2),
            epsilon=np.float32(self.epsilon),
            first_moment=np.bool_(first),
            second_moment=np.bool_(second),
            bias_correction=np.bool_(correction),
            l2=np.float32(self.l2),
            weight_decay=np.float32(self.weight_decay),
            keep_prob=np.asarray(self.keep_probs, np.float32),
            label_smoothing=np.float32(self.label_smoothing),
            clip_norm=np.float32(math.inf if self.clip_norm is None else self.clip_norm),
            decay_kind=np.int32(DECAYS.index(self.decay)),
            decay_rate=np.float32(self.decay_rate),
            epochs=np.float32(self.epochs),
            patience=np.float32(math.inf if self.patience is None else self.patience),
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data; ``Recipe.from_dict`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Recipe:
        """A recipe from plain data.

        Raises:
            OptionError: for unknown settings, with the likeliest correction, and for values out of range.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in settings if name not in known]
        if unknown:
            raise OptionError(*(Problem("a recipe has known settings only", repr(name), did_you_mean(name, known)) for name in unknown))
        return cls(**settings)

    def diff(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """The settings in which ``other`` differs, as ``{name: (mine, theirs)}``.

        Example:
            >>> Recipe().diff(Recipe(keep_prob=0.8))
            {'keep_prob': (1.0, 0.8)}
        """
        mine, theirs = self.to_dict(), other.to_dict()
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}


GAINS: dict[str, float] = {"he": math.sqrt(2.0), "xavier": 1.0}
"""Standard deviation of the initial weights times ``sqrt(n[l-1])``."""

DECAYS: tuple[str, ...] = get_args(Decay)

SWITCHES: dict[str, tuple[bool, bool, bool]] = {
    "gradient_descent": (False, False, False),
    "momentum": (True, False, False),
    "rmsprop": (False, True, False),
    "adam": (True, True, True),
}
"""Optimiser: first moment, second moment, bias correction of the one update (see ``shoal.optimisers``)."""


def stack(numbers: Sequence[Numbers]) -> Numbers:
    """The numbers of several networks of one shape, with a leading axis of networks."""
    return Numbers(*(np.stack(values) for values in zip(*numbers, strict=True)))


CHOICES: dict[str, tuple[str, ...]] = {
    "activation": get_args(Activation),
    "numeric_encoding": get_args(NumericEncoding),
    "optimiser": get_args(Optimiser),
    "initialisation": get_args(Initialisation),
    "decay": get_args(Decay),
}

# name: lowest, highest, whether the ends themselves are allowed
NUMBER_RANGES: dict[str, tuple[float, float, bool, bool]] = {
    "initialisation_gain": (0.0, math.inf, True, False),
    "learning_rate": (0.0, math.inf, False, False),
    "beta1": (0.0, 1.0, True, False),
    "beta2": (0.0, 1.0, True, False),
    "epsilon": (0.0, math.inf, False, False),
    "l2": (0.0, math.inf, True, False),
    "weight_decay": (0.0, math.inf, True, False),
    "input_keep_prob": (0.0, 1.0, False, True),
    "label_smoothing": (0.0, 1.0, True, False),
    "decay_rate": (0.0, math.inf, True, False),
    "epochs": (0.0, math.inf, False, False),
}


def _problems(recipe: Recipe):
    for name, choices in CHOICES.items():
        if getattr(recipe, name) not in choices:
            yield Problem(
                f"{name} is one of {', '.join(choices)}", repr(getattr(recipe, name)), did_you_mean(str(getattr(recipe, name)), choices)
            )
    if not isinstance(recipe.batch_norm, bool):
        yield Problem("batch_norm is true or false", repr(recipe.batch_norm), "Write true or false.")
    for name, bounds in NUMBER_RANGES.items():
        yield from _number_problems(name, getattr(recipe, name), *bounds)
    for name in ("clip_norm", "patience"):
        if getattr(recipe, name) is not None:
            yield from _number_problems(name, getattr(recipe, name), 0.0, math.inf, False, False)
    units = recipe.hidden_units
    if not isinstance(units, tuple) or len(units) > MAX_HIDDEN_LAYERS or not all(_is_count(unit) for unit in units):
        yield Problem(f"hidden_units lists 0 to {MAX_HIDDEN_LAYERS} positive whole numbers", repr(units), "Write, say, (64, 64).")
        return
    if not _is_count(recipe.batch_size):
        yield Problem("batch_size is a positive whole number", repr(recipe.batch_size), "Write, say, 128.")
    elif recipe.batch_norm and recipe.batch_size < 2:
        yield Problem("batch norm needs at least 2 examples a mini-batch", "batch_size 1", "Raise batch_size or turn batch_norm off.")
    if isinstance(recipe.keep_prob, tuple) and len(recipe.keep_prob) != len(units):
        received = f"{len(recipe.keep_prob)} values for {len(units)} hidden layers"
        yield Problem("keep_prob is one number, or one per hidden layer", received, "Give one number to use it for every layer.")
    for value in recipe.keep_prob if isinstance(recipe.keep_prob, tuple) else (recipe.keep_prob,):
        yield from _number_problems("keep_prob", value, 0.0, 1.0, False, True)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _number_problems(name: str, value: Any, low: float, high: float, with_low: bool, with_high: bool):
    high = min(high, float(np.finfo(np.float32).max))  # networks compute in single precision
    text = f"{name} is a number {'at least' if with_low else 'above'} {low:g} and {'at most' if with_high else 'below'} {high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        yield Problem(text, repr(value), "Give a number.")
    elif value < low or value > high or (value == low and not with_low) or (value == high and not with_high):
        yield Problem(text, repr(value), "Give a value inside the range.")
