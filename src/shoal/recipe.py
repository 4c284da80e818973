"""The recipe: the frozen description of one network and of its training.

A recipe has two halves. The *shape* (depth, activation, normalisation, batch size, loss) is compiled into a program; recipes
of one shape train together as one shoal. The *numbers* (everything else, the optimiser, the schedule and the units of each
layer included) are data of that program, so that changing them never compiles again. Which *techniques* a program holds is
decided by what any network of the shoal uses: what nobody uses is not there and costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from shoal.errors import OptionError, Problem, did_you_mean

Activation = Literal["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu"]
Normalisation = Literal["none", "batch", "layer"]
InputNormalisation = Literal["smooth", "standard", "robust", "quantile", "min_max", "none"]
NumericEncoding = Literal["standard", "piecewise", "periodic"]
LossName = Literal["auto", "softmax", "sigmoid", "squared_error", "huber", "poisson", "quantile"]
Initialisation = Literal["zeros", "small_random", "xavier", "glorot", "he", "orthogonal", "lsuv"]
Optimiser = Literal[
    "gradient_descent",
    "momentum",
    "classical_momentum",
    "nesterov",
    "rmsprop",
    "adagrad",
    "adam",
    "adamw",
    "nadam",
    "amsgrad",
    "lion",
    "muon",
]
Decay = Literal[
    "constant", "inverse_time", "exponential", "sqrt_epoch", "sqrt_step", "staircase", "linear", "cosine", "one_cycle", "plateau"
]
Calibration = Literal["temperature", "none"]
Pooling = Literal["max", "average", "none"]
GlobalPooling = Literal["none", "average"]

MAX_HIDDEN_LAYERS = 8
MAX_BLOCKS = 8
MAX_CONVOLUTIONS_PER_BLOCK = 8
MAX_CHANNELS = 1 << 12
MAX_KERNEL_SIZE = 15
CHANNEL_MULTIPLE = 8
"""A program has room for a multiple of so many channels; recipes that round up to the same share one."""
MAX_UNITS = 1 << 16
MAX_BATCH_SIZE = 1 << 24
WHOLE_BATCH = 0
"""The batch size of a shape whose mini-batch is all training rows; the layout fills in how many these are."""


class Blocks(NamedTuple):
    """The building blocks of the one update; an optimiser is which of them are on (see ``shoal.optimisers``)."""

    first_moment: Any = False
    classical: Any = False
    nesterov: Any = False
    sign: Any = False
    second_moment: Any = False
    accumulate: Any = False
    maximum: Any = False
    bias_correction: Any = False
    orthogonalised: Any = False


OPTIMISERS: dict[str, Blocks] = {
    "gradient_descent": Blocks(),
    "momentum": Blocks(first_moment=True),
    "classical_momentum": Blocks(first_moment=True, classical=True),
    "nesterov": Blocks(first_moment=True, nesterov=True),
    "rmsprop": Blocks(second_moment=True),
    "adagrad": Blocks(second_moment=True, accumulate=True),
    "adam": Blocks(first_moment=True, second_moment=True, bias_correction=True),
    "adamw": Blocks(first_moment=True, second_moment=True, bias_correction=True),
    "nadam": Blocks(first_moment=True, nesterov=True, second_moment=True, bias_correction=True),
    "amsgrad": Blocks(first_moment=True, second_moment=True, maximum=True, bias_correction=True),
    "lion": Blocks(first_moment=True, sign=True),
    "muon": Blocks(first_moment=True, nesterov=True, second_moment=True, bias_correction=True, orthogonalised=True),
}


@dataclass(frozen=True, slots=True)
class Convolutions:
    """The static half of the convolutions before the dense layers.

    Args:
        channels: that each block's convolutions have room for.
        per_block: convolutions in each block.
        kernel_size: side of their filters.
        pooling: at the end of a block.
        residual: whether the convolutions of a block after its first add to what they see.
        global_pooling: what the dense layers see: every value, or the mean of each channel.
    """

    channels: tuple[int, ...]
    per_block: int
    kernel_size: int
    pooling: Pooling
    residual: bool
    global_pooling: GlobalPooling


@dataclass(frozen=True, slots=True)
class Shape:
    """The static half of a recipe: what a compiled program is made for (the width is the shoal's, not the recipe's)."""

    hidden_layers: int
    activation: Activation
    normalisation: Normalisation
    batch_size: int
    """``WHOLE_BATCH`` for all training rows."""
    numeric_encoding: NumericEncoding = "standard"
    input_normalisation: InputNormalisation = "smooth"
    """The networks of a shoal share their tables, and so what was done to the inputs."""
    loss: LossName = "auto"
    convolutions: Convolutions | None = None
    residual: bool = False
    """Whether each hidden dense layer with as many units as the one before it adds to what it sees."""


class Numbers(NamedTuple):
    """The traced half of a recipe: scalars of one network, or arrays with a leading axis of networks."""

    seed: Any  # uint32
    units: Any  # int32 [hidden]: of each hidden layer, the channels of convolutions first
    initialisation: Any  # int32, position in INITIALISATIONS
    gain: Any
    output_gain: Any
    frequency_scale: Any
    input_scale_rate: Any
    activation_rate: Any
    blocks: Blocks  # bool each
    learning_rate: Any
    beta1: Any
    beta2: Any
    epsilon: Any
    clip_value: Any  # infinity: no clipping
    clip_norm: Any  # infinity: no clipping
    weight_average: Any
    l2: Any
    weight_decay: Any
    l1: Any
    max_norm: Any  # infinity: no constraint
    keep_prob: Any  # of what each dense layer sees: [1 + hidden_layers], the inputs first; after convolutions one more, their features
    input_noise: Any
    mixup: Any
    horizontal_flip: Any
    vertical_flip: Any
    crop: Any
    rotation: Any
    zoom: Any
    shift: Any
    brightness: Any
    contrast: Any
    saturation: Any
    cutout: Any
    label_smoothing: Any
    class_balance: Any
    huber_delta: Any
    quantile: Any
    batch_norm_beta: Any
    decay: Any  # int32, position in DECAYS
    decay_rate: Any
    decay_factor: Any
    decay_epochs: Any
    warm_up: Any  # epochs
    epochs: Any
    patience: Any  # epochs; infinity: train to the end
    patience_steps: Any  # steps; infinity likewise


@dataclass(frozen=True, slots=True)
class Recipe:
    """One network and its training. Every field is checked on construction; all problems are reported together.

    Args:
        hidden_units: units of each hidden layer, 0 to 8 layers; ``()`` is linear, logistic or softmax regression.
        activation: ``g`` in ``A[l] = g(Z[l])``.
        normalisation: of ``Z[l]`` before the activation, with learned gamma and beta: ``batch`` norm over the mini-batch, ``layer``
            norm over the units of each example, or ``none``.
        batch_norm_beta: weight of the past in batch norm's running averages of mean and variance, which serve at test time.
        input_normalisation: of numeric columns, fitted on the training rows: ``standard`` (mean and standard deviation), ``smooth``
            (the same, with logarithms of heavy tails and a smooth clip), ``robust`` (median and quartiles), ``quantile`` (to a normal
            distribution), ``min_max`` (to 0 and 1) or ``none``.
        numeric_encoding: ``standard`` gives numeric columns to the network as normalised numbers, ``piecewise`` adds their
            piecewise-linear encoding and ``periodic`` a learned encoding by cosines (see ``shoal.nets.encoding``).
        frequency_scale: standard deviation of the frequencies with which the ``periodic`` encoding begins, in cycles per unit of a
            normalised column.
        input_scale_rate: every input has a learned factor, which learns this many times as fast as the weights; 0 for none.
        activation_rate: every hidden unit gives ``s g(z) + (1 - s) z`` with a learned share ``s``, at first 1, which learns this many times
            as fast as the weights (parametric activation); 0 for none.
        channels: of pictures, the filters of each block of convolutions before the hidden layers, 0 to 8 blocks. A convolution is
            followed by normalisation and activation, a block by pooling (see ``shoal.nets.convolution``).
        convolutions_per_block: how many follow each other in a block.
        kernel_size: side of the filters, an odd number of pixels.
        pooling: 2 x 2 at the end of each block: ``max``, ``average`` or ``none``.
        residual: the convolutions of a block after its first add to what they see, ``A + g(norm(conv(A)))``; so does each hidden layer
            with as many units as the one before it.
        global_pooling: ``none`` gives every value of the last block to the dense layers, ``average`` the mean of each channel.
        batch_size: examples per mini-batch; the last, smaller batch of an epoch is used too. ``"all"`` is batch gradient descent, 1 is
            stochastic gradient descent.
        loss: what is minimised; ``auto`` is ``softmax`` or ``sigmoid`` cross-entropy for classes and ``squared_error`` for quantities.
        huber_delta: where the ``huber`` loss turns from a square into a line, in standard deviations of the target.
        quantile: which quantile the ``quantile`` loss estimates.
        class_balance: 0 weighs all training examples alike, 1 gives every class the same total weight.
        initialisation: how ``W[l]`` is drawn (see ``shoal.nets.initialisation``): ``he`` has standard deviation ``sqrt(2/n[l-1])``.
        initialisation_gain: a factor on the initial weights.
        output_gain: a further one on those of the output layer.
        optimiser: which building blocks of the one update are on (see ``shoal.optimisers``).
        learning_rate: ``alpha`` at its highest.
        beta1: weight of the past in the averaged gradient.
        beta2: weight of the past in the averaged squared gradient (in ``lion``, in the averaged gradient that is kept).
        epsilon: added to ``sqrt(S)`` in the denominator.
        clip_value: each entry of the gradient is held between minus this and this, or ``None``.
        clip_norm: largest global norm of the gradient, or ``None`` for no clipping.
        weight_average: ``beta`` of an exponentially weighted average of the weights, with which the network is evaluated; 0 for none.
        l2: ``lambda`` of the cost's ``lambda/(2m) * sum ||W[l]||^2``; coupled, so it passes through the optimiser.
        weight_decay: decoupled decay, ``W -= alpha * weight_decay * W`` (AdamW); biases and normalisation are not decayed.
        l1: ``lambda`` of ``lambda/m * sum |W[l]|``, taken as a proximal step after the update, so that weights become exactly 0.
        max_norm: largest norm of the weights into one hidden unit, or ``None``.
        keep_prob: probability that a hidden unit is kept by inverted dropout: one number for all hidden layers or one per layer. After
            convolutions it also holds for the features that the dense layers see, which come first where there is one number per layer.
        input_keep_prob: the same for the inputs.
        input_noise: standard deviation of normal noise added to the network's inputs in training.
        mixup: ``a`` of the ``Beta(a, a)`` distribution of mixup's weights; 0 for none.
        horizontal_flip: probability that a picture is mirrored from left to right in a training step (see ``shoal.nets.augmentation``
            for this and what follows; each is 0 for none).
        vertical_flip: the same from top to bottom.
        crop: a random crop of a picture's own size, after this share of its side was added on every side (0.125: 4 of 32 pixels).
        rotation: largest angle in degrees, either way.
        zoom: largest relative change of scale: 0.1 is from ``1/1.1`` to 1.1 times as large.
        shift: largest shift as a share of the side, either way, between pixels too.
        brightness: largest relative change of all values, either way.
        contrast: the same of their distance from the picture's mean grey.
        saturation: the same of their distance from the pixel's grey; without effect on grey pictures.
        cutout: side of an erased square as a share of the picture's shorter side.
        label_smoothing: share of the target's probability spread evenly over the classes (classification only).
        decay: how the learning rate changes over the training (see ``shoal.schedules``).
        decay_rate: of ``inverse_time``, ``alpha / (1 + decay_rate * epoch)``; the ``k`` of ``sqrt_epoch`` and ``sqrt_step``.
        decay_factor: what alpha is multiplied with, per epoch (``exponential``), per stair (``staircase``) or on a ``plateau``.
        decay_epochs: length of a stair of ``staircase``; how long a ``plateau`` lasts before alpha falls.
        warm_up: epochs in which alpha rises linearly before its decay begins.
        epochs: length of the full training in passes over the training rows; also the horizon of ``linear``, ``cosine``, ``one_cycle``.
        patience: stop after this many epochs without a better dev score, or ``None`` to train to the end. Either way the
            weights of the best dev score are the ones kept.
        patience_steps: the same in steps; at most one of the two is given.
        calibration: ``temperature`` scales the final model's log probabilities by one number fitted on the dev rows; or ``none``.

    Raises:
        OptionError: naming every setting that is out of range.

    Example:
        >>> Recipe(hidden_units=(50, 50), keep_prob=0.8).keep_probs
        (1.0, 0.8, 0.8)
    """

    hidden_units: tuple[int, ...] = (64, 64)
    activation: Activation = "silu"
    normalisation: Normalisation = "none"
    batch_norm_beta: float = 0.98
    input_normalisation: InputNormalisation = "smooth"
    numeric_encoding: NumericEncoding = "standard"
    frequency_scale: float = 0.1
    input_scale_rate: float = 0.0
    activation_rate: float = 0.0
    channels: tuple[int, ...] = ()
    convolutions_per_block: int = 1
    kernel_size: int = 3
    pooling: Pooling = "max"
    residual: bool = False
    global_pooling: GlobalPooling = "none"
    batch_size: int | Literal["all"] = 128
    loss: LossName = "auto"
    huber_delta: float = 1.0
    quantile: float = 0.5
    class_balance: float = 0.0
    initialisation: Initialisation = "he"
    initialisation_gain: float = 1.0
    output_gain: float = 1.0
    optimiser: Optimiser = "adamw"
    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    clip_value: float | None = None
    clip_norm: float | None = None
    weight_average: float = 0.0
    l2: float = 0.0
    weight_decay: float = 0.0
    l1: float = 0.0
    max_norm: float | None = None
    keep_prob: float | tuple[float, ...] = 1.0
    input_keep_prob: float = 1.0
    input_noise: float = 0.0
    mixup: float = 0.0
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    crop: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    cutout: float = 0.0
    label_smoothing: float = 0.0
    decay: Decay = "cosine"
    decay_rate: float = 1.0
    decay_factor: float = 0.95
    decay_epochs: float = 10.0
    warm_up: float = 0.0
    epochs: float = 50.0
    patience: float | None = None
    patience_steps: int | None = None
    calibration: Calibration = "temperature"

    def __post_init__(self) -> None:
        for name in ("hidden_units", "channels", "keep_prob"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        problems = list(_problems(self))
        if problems:
            raise OptionError(*problems)

    @property
    def shape(self) -> Shape:
        """The static half."""
        size = WHOLE_BATCH if self.batch_size == "all" else self.batch_size
        return Shape(
            len(self.hidden_units),
            self.activation,
            self.normalisation,
            size,
            self.numeric_encoding,
            self.input_normalisation,
            self.loss,
            self._convolutions,
            self.residual and len(self.hidden_units) > 1,
        )

    @property
    def _convolutions(self) -> Convolutions | None:
        if not self.channels:
            return None
        room = tuple(-(-each // CHANNEL_MULTIPLE) * CHANNEL_MULTIPLE for each in self.channels)
        return Convolutions(room, self.convolutions_per_block, self.kernel_size, self.pooling, self.residual, self.global_pooling)

    @property
    def units(self) -> tuple[int, ...]:
        """Units of every hidden layer: the channels of each convolution, then ``hidden_units``.

        Example:
            >>> Recipe(channels=(16, 32), convolutions_per_block=2, hidden_units=(64,)).units
            (16, 16, 32, 32, 64)
        """
        return (*(each for each in self.channels for _ in range(self.convolutions_per_block)), *self.hidden_units)

    @property
    def needs_pictures(self) -> bool:
        """Whether it has something for pictures only: convolutions or augmentation."""
        return bool(self.channels) or any(getattr(self, name) for name in AUGMENTATIONS)

    @property
    def techniques(self) -> tuple[str, ...]:
        """What the program of a network of this recipe must hold, sorted: the names in ``TECHNIQUES`` that are in use."""
        return tuple(sorted(name for name, is_used in TECHNIQUES.items() if is_used(self)))

    @property
    def blocks(self) -> Blocks:
        """The optimiser's building blocks."""
        return OPTIMISERS[self.optimiser]

    @property
    def keep_probs(self) -> tuple[float, ...]:
        """keep_prob of the inputs, then of the features that convolutions give, then of each hidden layer."""
        count = len(self.hidden_units) + bool(self.channels)
        hidden = self.keep_prob if isinstance(self.keep_prob, tuple) else (self.keep_prob,) * count
        return (self.input_keep_prob, *hidden)

    def numbers(self, seed: int) -> Numbers:
        """The traced half, for a network that starts from ``seed``."""
        plain = {name: np.float32(_or_infinity(getattr(self, name))) for name in Numbers._fields if name in _PLAIN_NUMBERS}
        return Numbers(
            seed=np.uint32(seed % 2**32),
            units=np.asarray(self.units, np.int32),
            initialisation=np.int32(INITIALISATIONS.index(self.initialisation)),
            gain=np.float32(self.initialisation_gain),
            blocks=Blocks(*map(np.bool_, self.blocks)),
            keep_prob=np.asarray(self.keep_probs, np.float32),
            decay=np.int32(DECAYS.index(self.decay)),
            **plain,
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain data; ``Recipe.from_dict`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Recipe:
        """A recipe from plain data.

        Raises:
            OptionError: for unknown settings, with the likeliest correction, and for values out of range; all of them together.
        """
        known = [field.name for field in fields(cls)]
        problems = [
            Problem("a recipe has known settings only", repr(name), did_you_mean(name, known)) for name in settings if name not in known
        ]
        try:
            recipe = cls(**{name: value for name, value in settings.items() if name in known})
        except OptionError as error:
            raise OptionError(*problems, *error.problems) from None
        if problems:
            raise OptionError(*problems)
        return recipe

    def diff(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """The settings in which ``other`` differs, as ``{name: (mine, theirs)}``.

        Example:
            >>> Recipe().diff(Recipe(keep_prob=0.8))
            {'keep_prob': (1.0, 0.8)}
        """
        mine, theirs = self.to_dict(), other.to_dict()
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}


TECHNIQUES: dict[str, Callable[[Recipe], bool]] = {
    "accumulate": lambda recipe: recipe.blocks.accumulate,
    "activation_share": lambda recipe: recipe.activation_rate > 0,
    "brightness": lambda recipe: recipe.brightness > 0,
    "class_balance": lambda recipe: recipe.class_balance > 0,
    "clip_norm": lambda recipe: recipe.clip_norm is not None,
    "clip_value": lambda recipe: recipe.clip_value is not None,
    "contrast": lambda recipe: recipe.contrast > 0,
    "crop": lambda recipe: recipe.crop > 0,
    "cutout": lambda recipe: recipe.cutout > 0,
    "dropout": lambda recipe: min(recipe.keep_probs[1:], default=1.0) < 1,
    "first_moment": lambda recipe: recipe.blocks.first_moment,
    "horizontal_flip": lambda recipe: recipe.horizontal_flip > 0,
    "input_dropout": lambda recipe: recipe.input_keep_prob < 1,
    "input_noise": lambda recipe: recipe.input_noise > 0,
    "input_scale": lambda recipe: recipe.input_scale_rate > 0,
    "l1": lambda recipe: recipe.l1 > 0,
    "l2": lambda recipe: recipe.l2 > 0,
    "label_smoothing": lambda recipe: recipe.label_smoothing > 0,
    "lsuv": lambda recipe: recipe.initialisation == "lsuv",
    "max_norm": lambda recipe: recipe.max_norm is not None,
    "maximum": lambda recipe: recipe.blocks.maximum,
    "mixup": lambda recipe: recipe.mixup > 0,
    "nesterov": lambda recipe: recipe.blocks.nesterov,
    "orthogonal": lambda recipe: recipe.initialisation in ("orthogonal", "lsuv"),
    "orthogonalised": lambda recipe: recipe.blocks.orthogonalised,
    "plateau": lambda recipe: recipe.decay == "plateau",
    "rotation": lambda recipe: recipe.rotation > 0,
    "saturation": lambda recipe: recipe.saturation > 0,
    "second_moment": lambda recipe: recipe.blocks.second_moment,
    "shift": lambda recipe: recipe.shift > 0,
    "sign": lambda recipe: recipe.blocks.sign,
    "vertical_flip": lambda recipe: recipe.vertical_flip > 0,
    "weight_average": lambda recipe: recipe.weight_average > 0,
    "weight_decay": lambda recipe: recipe.weight_decay > 0,
    "zoom": lambda recipe: recipe.zoom > 0,
}
"""Technique: whether a recipe uses it. A program holds those that any network of its shoal uses."""

AUGMENTATIONS = (
    *("horizontal_flip", "vertical_flip", "crop", "rotation", "zoom", "shift"),
    *("brightness", "contrast", "saturation", "cutout"),
)
"""The settings, and techniques, that change pictures in training (see ``shoal.nets.augmentation``)."""


def techniques_of(recipes: Iterable[Any]) -> tuple[str, ...]:
    """What a program that trains all these recipes (or what reads like one) must hold, sorted."""
    return tuple(sorted({name for recipe in recipes for name in recipe.techniques}))


INITIALISATIONS: tuple[str, ...] = get_args(Initialisation)
DECAYS: tuple[str, ...] = get_args(Decay)

_PLAIN_NUMBERS = {field.name for field in fields(Recipe)} - {"initialisation", "decay", "keep_prob"}
"""Settings that are one number of ``Numbers`` under the same name."""


def _or_infinity(value: float | None) -> float:
    return math.inf if value is None else value


def stack(numbers: Sequence[Numbers]) -> Numbers:
    """The numbers of several networks of one shape, with a leading axis of networks."""
    stacked = {name: np.stack([getattr(one, name) for one in numbers]) for name in Numbers._fields if name != "blocks"}
    return Numbers(**stacked, blocks=Blocks(*map(np.stack, zip(*(one.blocks for one in numbers), strict=True))))


CHOICES: dict[str, tuple[str, ...]] = {
    "activation": get_args(Activation),
    "normalisation": get_args(Normalisation),
    "input_normalisation": get_args(InputNormalisation),
    "numeric_encoding": get_args(NumericEncoding),
    "loss": get_args(LossName),
    "initialisation": get_args(Initialisation),
    "optimiser": get_args(Optimiser),
    "decay": get_args(Decay),
    "pooling": get_args(Pooling),
    "global_pooling": get_args(GlobalPooling),
    "calibration": get_args(Calibration),
}

# name: lowest, highest, whether the ends themselves are allowed
NUMBER_RANGES: dict[str, tuple[float, float, bool, bool]] = {
    "batch_norm_beta": (0.0, 1.0, True, False),
    "huber_delta": (0.0, math.inf, False, False),
    "quantile": (0.0, 1.0, False, False),
    "class_balance": (0.0, 1.0, True, True),
    "initialisation_gain": (0.0, math.inf, True, False),
    "output_gain": (0.0, math.inf, True, False),
    "frequency_scale": (0.0, math.inf, False, False),
    "input_scale_rate": (0.0, math.inf, True, False),
    "activation_rate": (0.0, math.inf, True, False),
    "learning_rate": (0.0, math.inf, False, False),
    "beta1": (0.0, 1.0, True, False),
    "beta2": (0.0, 1.0, True, False),
    "epsilon": (0.0, math.inf, False, False),
    "weight_average": (0.0, 1.0, True, False),
    "l2": (0.0, math.inf, True, False),
    "weight_decay": (0.0, math.inf, True, False),
    "l1": (0.0, math.inf, True, False),
    "input_keep_prob": (0.0, 1.0, False, True),
    "input_noise": (0.0, math.inf, True, False),
    "mixup": (0.0, math.inf, True, False),
    "horizontal_flip": (0.0, 1.0, True, True),
    "vertical_flip": (0.0, 1.0, True, True),
    "crop": (0.0, 0.5, True, True),
    "rotation": (0.0, 180.0, True, True),
    "zoom": (0.0, 4.0, True, True),
    "shift": (0.0, 0.5, True, True),
    "brightness": (0.0, 1.0, True, True),
    "contrast": (0.0, 1.0, True, True),
    "saturation": (0.0, 1.0, True, True),
    "cutout": (0.0, 1.0, True, True),
    "label_smoothing": (0.0, 1.0, True, False),
    "decay_rate": (0.0, math.inf, True, False),
    "decay_factor": (0.0, 1.0, False, True),
    "decay_epochs": (0.0, math.inf, False, False),
    "warm_up": (0.0, math.inf, True, False),
    "epochs": (0.0, math.inf, False, False),
}
OPTIONAL_NUMBERS = ("clip_value", "clip_norm", "max_norm", "patience", "patience_steps")
"""Numbers above 0 that ``None`` turns off."""


def _problems(recipe: Recipe):
    for name, choices in CHOICES.items():
        if getattr(recipe, name) not in choices:
            yield Problem(
                f"{name} is one of {', '.join(choices)}", repr(getattr(recipe, name)), did_you_mean(str(getattr(recipe, name)), choices)
            )
    for name, bounds in NUMBER_RANGES.items():
        yield from _number_problems(name, getattr(recipe, name), *bounds)
    for name in OPTIONAL_NUMBERS:
        if getattr(recipe, name) is not None:
            yield from _number_problems(name, getattr(recipe, name), 0.0, math.inf, False, False)
    yield from _contradictions(recipe)
    units = recipe.hidden_units
    if not isinstance(units, tuple) or len(units) > MAX_HIDDEN_LAYERS or not all(_is_count(unit, MAX_UNITS) for unit in units):
        text = f"hidden_units lists 0 to {MAX_HIDDEN_LAYERS} positive whole numbers up to {MAX_UNITS}"
        yield Problem(text, repr(units), "Write, say, (64, 64).")
        return
    if convolution_problems := list(_convolution_problems(recipe)):
        yield from convolution_problems
        return
    if isinstance(recipe.keep_prob, tuple) and len(recipe.keep_prob) != len(units) + bool(recipe.channels):
        layers = f"{len(units)} hidden layer{'s' * (len(units) != 1)}"
        features = ", and one before them for the features of the convolutions" * bool(recipe.channels)
        received = f"{len(recipe.keep_prob)} value{'s' * (len(recipe.keep_prob) != 1)} for {layers}"
        yield Problem(f"keep_prob is one number, or one per hidden layer{features}", received, "Give one number to use it for every layer.")
    for value in recipe.keep_prob if isinstance(recipe.keep_prob, tuple) else (recipe.keep_prob,):
        yield from _number_problems("keep_prob", value, 0.0, 1.0, False, True)


def _convolution_problems(recipe: Recipe):
    channels = recipe.channels
    if not isinstance(channels, tuple) or len(channels) > MAX_BLOCKS or not all(_is_count(each, MAX_CHANNELS) for each in channels):
        text = f"channels lists 0 to {MAX_BLOCKS} positive whole numbers up to {MAX_CHANNELS}, one per block"
        yield Problem(text, repr(channels), "Write, say, (16, 32).")
    if not _is_count(recipe.convolutions_per_block, MAX_CONVOLUTIONS_PER_BLOCK):
        text = f"convolutions_per_block is a whole number from 1 to {MAX_CONVOLUTIONS_PER_BLOCK}"
        yield Problem(text, repr(recipe.convolutions_per_block), "Write, say, 2.")
    if not _is_count(recipe.kernel_size, MAX_KERNEL_SIZE) or recipe.kernel_size % 2 == 0:
        text = f"kernel_size is an odd whole number up to {MAX_KERNEL_SIZE}"
        yield Problem(text, repr(recipe.kernel_size), "Write, say, 3; an odd filter has a middle, and pictures keep their size.")
    if not isinstance(recipe.residual, bool):
        yield Problem("residual is true or false", repr(recipe.residual), "Write true or false.")
    elif recipe.residual and recipe.channels and recipe.convolutions_per_block == 1:
        remedy = "Raise convolutions_per_block to 2 or more, or leave residual out."
        yield Problem("residual connections lead past the convolutions of a block after its first", "one convolution per block", remedy)


def _contradictions(recipe: Recipe):
    """Settings that are fine alone and not together."""
    size = recipe.batch_size
    if size != "all" and not _is_count(size, MAX_BATCH_SIZE):
        yield Problem(f'batch_size is a positive whole number up to {MAX_BATCH_SIZE} or "all"', repr(size), "Write, say, 128.")
    elif recipe.normalisation == "batch" and size == 1:
        yield Problem("batch norm needs at least 2 examples a mini-batch", "batch_size 1", "Raise batch_size or choose layer norm.")
    if recipe.optimiser == "adam" and recipe.weight_decay:
        remedy = "Write optimiser = 'adamw' for decoupled decay, or l2 for the coupled one."
        yield Problem("adam has no decoupled weight decay", f"weight_decay {recipe.weight_decay!r}", remedy)
    if isinstance(recipe.patience_steps, float) and recipe.patience_steps > 0 and not recipe.patience_steps.is_integer():
        yield Problem("patience_steps is a whole number", repr(recipe.patience_steps), "Write, say, 1000.")
    if recipe.patience is not None and recipe.patience_steps is not None:
        received = f"patience {recipe.patience!r} and patience_steps {recipe.patience_steps!r}"
        yield Problem("patience is given in epochs or in steps", received, "Leave one of them out.")
    if all(_is_number(value) for value in (recipe.warm_up, recipe.epochs)) and 0 < recipe.epochs <= recipe.warm_up:
        yield Problem("warm_up is shorter than the training", f"{recipe.warm_up!r} of {recipe.epochs!r} epochs", "Lower warm_up.")


def _is_count(value: Any, highest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= highest


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not (isinstance(value, float) and math.isnan(value))


def _number_problems(name: str, value: Any, low: float, high: float, with_low: bool, with_high: bool):
    high = min(high, float(np.finfo(np.float32).max))  # networks compute in single precision
    text = f"{name} is a number {'at least' if with_low else 'above'} {low:g} and {'at most' if with_high else 'below'} {high:g}"
    if not _is_number(value):
        yield Problem(text, repr(value), "Give a number.")
    elif value < low or value > high or (value == low and not with_low) or (value == high and not with_high):
        yield Problem(text, repr(value), "Give a value inside the range.")
