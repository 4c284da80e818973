"""The changes that the basic recipe lists for each disease, the likeliest first.

High bias: a bigger network, longer training, another architecture or optimiser. High variance: regularisation, a smaller network,
another architecture; more data by advice. Broken training (a learning rate far off, dead or symmetric units, ...) is mended before either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from shoal.default_space import INPUT_SCALE_RATE
from shoal.errors import OptionError
from shoal.explanations import written
from shoal.measurements import RateRange
from shoal.recipe import MAX_HIDDEN_LAYERS, Recipe
from shoal.records import Task
from shoal.suitability import unsuited


@dataclass(frozen=True, slots=True)
class Change:
    """New values of some settings of a recipe, usually one, and the method behind them.

    Args:
        settings: the new values.
        explanation: the method's reasoning, in two sentences.
    """

    settings: dict[str, Any]
    explanation: str

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with the change.

        Raises:
            OptionError: the change does not go with the other settings.
        """
        return replace(recipe, **self.settings)

    def words(self, recipe: Recipe) -> str:
        """The change in words.

        Example:
            >>> Change({"keep_prob": 0.8}, "").words(Recipe())
            'keep_prob 1.0 to 0.8'
        """
        return ", ".join(f"{name} {_short(getattr(recipe, name))} to {_short(value)}" for name, value in self.settings.items())


def _short(value: Any) -> str:
    value = float(f"{value:.3g}") if isinstance(value, float) else value
    return written(value).replace('"', "")


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides which changes make sense, beside the recipe.

    Args:
        task: of the data.
        classes: how many.
        train_rows: of the data.
        has_bins: whether any numeric column has a piecewise-linear encoding.
        picture: height, width and channels where the inputs are pictures.
        rate_range: of the present recipe, if it was measured.
    """

    task: Task
    classes: int
    train_rows: int
    has_bins: bool
    picture: tuple[int, int, int] | None = None
    rate_range: RateRange | None = field(default=None)


def suitable(changes: Iterator[Change], recipe: Recipe, facts: Facts) -> list[Change]:
    """Those changes that change something, that the recipe's other settings allow, and that suit the task."""
    fitting = []
    for change in changes:
        try:
            changed = change.applied(recipe)
        except OptionError:
            continue
        if changed != recipe and not list(unsuited(changed, facts.task, facts.classes, facts.picture)):
            fitting.append(change)
    return fitting


def against_bias(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    """A bigger network, longer training, another architecture, another optimiser; and less of what holds the network back."""
    yield from _less_regularisation(recipe)
    if facts.picture is not None:
        yield from _larger_convolutions(recipe)
    units = recipe.hidden_units
    if units:
        yield Change(
            {"hidden_units": tuple(2 * each for each in units)},
            "A network that does not fit its own training rows may have too few units to represent them. A bigger one lowers bias, and "
            "with regularisation seldom costs variance.",
        )
    if facts.picture is None:  # on pictures the search trains longer than the loop in any case, and twice as long is dear
        yield Change(
            {"epochs": 2 * recipe.epochs},
            "Training may have ended before the cost did. Training longer lowers bias; the weights of the best dev evaluation are kept, so "
            "that it does not cost variance.",
        )
    if facts.has_bins and recipe.numeric_encoding == "standard":
        yield Change(
            {"numeric_encoding": "piecewise"},
            "Another architecture may suit the data better. Piecewise-linear inputs let the first layer bend at the columns' own "
            "quantiles, which numeric tables often need.",
        )
    yield from _factors_of_inputs(recipe, facts)
    yield from _rates(recipe, facts)
    if len(units) < MAX_HIDDEN_LAYERS:
        yield Change(
            {"hidden_units": (*units, units[-1] if units else 64)},
            "Each further layer composes what the one before it has found. A deeper network lowers bias where the target is made of parts.",
        )
    if recipe.normalisation == "none" and recipe.units:
        yield Change(
            {"normalisation": "batch"},
            "Batch norm keeps the distribution of each layer's inputs steady while the layers before it learn. Training becomes less "
            "sensitive to the learning rate and the initial weights, and often reaches a lower cost.",
        )
    if recipe.optimiser not in ("adamw", "adam", "nadam", "muon"):
        yield Change(
            {"optimiser": "adamw", "learning_rate": 1e-3},
            "Adam divides each weight's averaged gradient by its usual size. Weights with small gradients then learn as fast as the "
            "others, which plain descent does not give.",
        )


def _factors_of_inputs(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    if facts.picture is None and not recipe.input_scale_rate:
        yield Change(
            {"input_scale_rate": INPUT_SCALE_RATE},
            "Every input gets a factor that is learned, and faster than the weights. Inputs that say little are turned down early, so that "
            "the network spends itself on the others.",
        )


def against_variance(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    """More data by augmentation where the inputs are pictures, more regularisation, a smaller network, another architecture."""
    if facts.picture is not None:
        yield from _augmented(recipe)
    has_dropout = bool(recipe.hidden_units or recipe.channels)
    if recipe.keep_prob == 1.0 and has_dropout:
        yield _dropout(0.8)
        yield _dropout(0.5)
    elif has_dropout and isinstance(recipe.keep_prob, float) and recipe.keep_prob > 0.45:
        yield _dropout(round(max(0.4, recipe.keep_prob - 0.2), 2))
    yield from _factors_of_inputs(recipe, facts)
    if recipe.optimiser in ("adamw", "muon"):
        yield Change(
            {"weight_decay": max(0.03, min(10 * recipe.weight_decay, 3.0))},
            "Decay pulls every weight towards 0 a little at each step. Only weights that the data keep asking for stay large, so the "
            "network is simpler and its variance lower.",
        )
    else:
        yield Change(
            {"l2": max(1.0, 10 * recipe.l2)},
            "The L2 term makes large weights dear, so that Z stays where the activation is nearly linear. The network is simpler and its "
            "variance lower.",
        )
    yield Change(
        {"mixup": 0.2 if recipe.mixup < 0.2 else 2 * recipe.mixup},
        "Mixup trains on blends of two examples and of their targets. It acts like more data, and keeps the network from being "
        "sure between its training rows.",
    )
    if facts.task == "classification" and recipe.label_smoothing < 0.1:
        yield Change(
            {"label_smoothing": 0.1},
            "Smoothed labels never ask for a probability of 1. The weights need not grow for ever, which keeps the network from "
            "memorising single rows.",
        )
    yield Change(
        {"input_noise": 0.1 if recipe.input_noise < 0.1 else 2 * recipe.input_noise},
        "A little noise on the inputs makes rows that are close to each other get similar answers. It acts like more data.",
    )
    if recipe.weight_average < 0.99:
        yield Change(
            {"weight_average": 0.99},
            "The average of the weights over the last hundred steps is evaluated in place of the last weights. What single "
            "mini-batches pushed to and fro cancels out.",
        )
    if min(recipe.hidden_units, default=0) >= 16:
        yield Change(
            {"hidden_units": tuple(each // 2 for each in recipe.hidden_units)},
            "A smaller network has fewer ways to fit the noise of its training rows. It lowers variance where the data are few.",
        )
    if recipe.max_norm is None:
        yield Change(
            {"max_norm": 2.0},
            "Max-norm caps the weights into each unit. No unit can make itself heard by size alone.",
        )


def _larger_convolutions(recipe: Recipe) -> Iterator[Change]:
    if not recipe.channels:
        yield Change(
            {"channels": (16, 32), "normalisation": "batch"},
            "A dense layer has a weight of its own for every pixel, and learns each pattern again at every place. Convolutions share their "
            "weights between places, so that few of them represent much.",
        )
        return
    yield Change(
        {"channels": tuple(2 * each for each in recipe.channels)},
        "A network that does not fit its own training pictures may have too few filters to tell them apart. More of them lower bias, and "
        "with augmentation seldom cost variance.",
    )
    yield Change(
        {"channels": (*recipe.channels, 2 * recipe.channels[-1])},
        "Each further block sees a larger part of the picture and composes what the one before it has found. A deeper network lowers "
        "bias where objects are made of parts.",
    )
    if recipe.convolutions_per_block == 1:
        yield Change(
            {"convolutions_per_block": 2, "residual": True},
            "Two small filters after each other see as far as a large one, with an activation between them. The residual connection lets "
            "signals and gradients pass, so that the deeper network trains as easily.",
        )


AUGMENTED: tuple[tuple[str, float, str], ...] = (
    (
        "horizontal_flip",
        0.5,
        "A mirrored picture mostly shows the same thing and is new to the network, as if there were twice the data. Where left and right "
        "carry meaning, as in writing, it spoils the labels.",
    ),
    (
        "crop",
        0.1,
        "Moved by a few pixels a picture shows the same thing. Not to rely on the exact place acts like more data.",
    ),
    (
        "rotation",
        10.0,
        "Turned by a few degrees a picture shows the same thing. It acts like more data where pictures are not all upright.",
    ),
    (
        "cutout",
        0.4,
        "An erased square hides what the network relies on most. It has to find the object by its other parts too, so that variance falls.",
    ),
    (
        "zoom",
        0.15,
        "Objects come in other sizes than those in the training pictures. Training on several sizes acts like more data.",
    ),
    (
        "brightness",
        0.2,
        "Light changes a picture and not what it shows. A network that has seen it brighter and darker relies on shapes instead.",
    ),
    (
        "contrast",
        0.3,
        "Exposure changes a picture and not what it shows. A network that has seen stronger and weaker contrast relies on shapes instead.",
    ),
    (
        "saturation",
        0.4,
        "Cameras and light change colours and not what a picture shows. Seeing them paler and stronger makes it rely less on them.",
    ),
)
"""Augmentation by one technique, the likeliest to help first, with its strength; which of them suit a data set is measured, not known."""


def _augmented(recipe: Recipe) -> Iterator[Change]:
    for name, strength, reason in AUGMENTED:
        if not getattr(recipe, name):
            yield Change({name: strength}, reason)


def _dropout(keep_prob: float) -> Change:
    return Change(
        {"keep_prob": keep_prob},
        "Dropout switches units off at random, so that no unit can rely on a single other one. Weights spread out and variance falls.",
    )


def _rates(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    measured = facts.rate_range
    reason = (
        "The learning rate matters more than any other hyperparameter. Too low and the training ends before the cost does, too high and "
        "it bounces over the valley."
    )
    if measured is not None and not 1 / 3 < measured.best / recipe.learning_rate < 3:
        # a short constant-rate test favours rates that a whole training finds too high
        yield Change({"learning_rate": float(f"{measured.best / 2:.2g}")}, reason)
    yield Change({"learning_rate": float(f"{3 * recipe.learning_rate:.3g}")}, reason)
    yield Change({"learning_rate": float(f"{recipe.learning_rate / 3:.3g}")}, reason)


def _less_regularisation(recipe: Recipe) -> Iterator[Change]:
    """Each regulariser in use switched off or far down, the strongest first."""
    reason = (
        "A regulariser lowers variance by holding the network back. On a network that does not fit its training rows it is the first thing "
        "to take away."
    )
    keep = min(recipe.keep_probs[1:], default=1.0)
    if keep < 0.75:
        yield Change({"keep_prob": 0.9}, reason)
    for name, strong in (("l2", 10.0), ("l1", 10.0), ("weight_decay", 1.0), ("label_smoothing", 0.3), ("input_noise", 0.5), ("mixup", 1.0)):
        if getattr(recipe, name) >= strong:
            yield Change({name: 0.0}, reason)
    if recipe.input_keep_prob < 0.75:
        yield Change({"input_keep_prob": 1.0}, reason)
    if recipe.max_norm is not None and recipe.max_norm < 0.5:
        yield Change({"max_norm": None}, reason)


def _initialised(recipe: Recipe) -> Iterator[Change]:
    suited = "xavier" if recipe.activation in ("tanh", "sigmoid", "identity") else "he"
    reason = (
        "Initial weights of variance {}/n[l-1] pass signals of one size through every layer, forward and back. Other sizes make them grow "
        "or shrink by the same factor at each layer, and equal weights never part."
    )
    formula = reason.format("1" if suited == "xavier" else "2")
    yield Change({"initialisation": suited, "initialisation_gain": 1.0}, formula)
    yield Change({"initialisation": "lsuv", "initialisation_gain": 1.0}, formula)


def _normalised(recipe: Recipe) -> Iterator[Change]:
    reason = (
        "Normalising Z[l] gives every layer inputs of one size, whatever the weights before it. Gradients neither vanish nor explode "
        "with depth."
    )
    yield Change({"normalisation": "batch"}, reason)
    yield Change({"normalisation": "layer"}, reason)


def _calmer(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    best = facts.rate_range.best / 2 if facts.rate_range is not None else recipe.learning_rate / 10
    reason = (
        "Steps that are too large jump over the valley, and each makes the next one larger. A learning rate from the range in which the "
        "cost falls steadily mends that."
    )
    yield Change({"learning_rate": float(f"{best:.2g}")}, reason)
    yield Change({"learning_rate": float(f"{recipe.learning_rate / 100:.2g}")}, reason)


def _faster(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    best = facts.rate_range.best / 2 if facts.rate_range is not None else recipe.learning_rate * 10
    reason = (
        "Steps that are too small end the training far above the lowest cost. A learning rate from the range in which the cost "
        "falls fastest gets there in the same time."
    )
    yield Change({"learning_rate": float(f"{best:.2g}")}, reason)
    yield Change({"learning_rate": float(f"{recipe.learning_rate * 100:.2g}")}, reason)


def _clipped(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    yield from _initialised(recipe)
    yield Change(
        {"clip_norm": 1.0},
        "Clipping by the global norm keeps the direction of a gradient and limits its length. A single huge gradient can then no longer "
        "throw the weights away.",
    )
    yield from _normalised(recipe)


def _other_activation(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    reason = (
        "A unit whose input is negative on every row has no slope and never learns again. An activation with a slope below 0 cannot die "
        "in this way."
    )
    yield Change({"activation": "leaky_relu"}, reason)
    yield Change({"activation": "silu"}, reason)
    yield from _calmer(recipe, facts)


def _scaled_inputs(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    if facts.picture is not None:
        return  # pictures are always normalised
    yield Change(
        {"input_normalisation": "smooth"},
        "Inputs of different scales make the cost a long, narrow valley, in which one learning rate cannot suit all weights. Normalised "
        "with the training rows' own mean and standard deviation, all directions are alike.",
    )


def _bigger_batches(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    reason = (
        "Batch norm estimates each unit's mean and variance from one mini-batch. From a few examples these estimates are noise; more "
        "examples, or layer norm, which needs no other example, mend that."
    )
    yield Change({"batch_size": min(64, max(8, facts.train_rows // 10))}, reason)
    yield Change({"normalisation": "layer"}, reason)


def _longer(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    return (change for change in against_bias(recipe, facts) if "epochs" in change.settings)


def _vanished(recipe: Recipe, facts: Facts) -> Iterator[Change]:
    yield from _initialised(recipe)
    yield from _normalised(recipe)
    yield Change(
        {"activation": "silu", "initialisation": "he"},
        "Saturating activations multiply the gradient by less than 1 at every layer. One with a slope of about 1 lets it pass.",
    )


REMEDIES: dict[str, Callable[[Recipe, Facts], Iterator[Change]]] = {
    "SH405": lambda recipe, facts: _initialised(recipe),
    "SH209": _scaled_inputs,
    "SH406": lambda recipe, facts: _initialised(recipe),
    "SH402": _clipped,
    "SH401": _vanished,
    "SH208": _bigger_batches,
    "SH210": lambda recipe, facts: _less_regularisation(recipe),
    "SH203": _calmer,
    "SH204": _faster,
    "SH403": _other_activation,
    "SH404": _vanished,
    "SH201": _calmer,
    "SH205": _faster,
    "SH202": _longer,
}
"""What mends each disease of the training itself, in the order in which they are asked about: causes before their symptoms."""
