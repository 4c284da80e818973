"""What a number of a recipe means, in words."""

from __future__ import annotations

import math

from shoal.recipe import Recipe

ROWS = 10_000
"""Training rows in the examples that need their number."""


def count(value: float, noun: str) -> str:
    """So many of something.

    Example:
        >>> count(1, "epoch"), count(2.5, "epoch"), count(1000.0, "step")
        ('1 epoch', '2.5 epochs', '1,000 steps')
    """
    number = f"{round(value):,}" if value >= 100 else f"{value:.3g}"
    ending = "" if number == "1" else "es" if noun.endswith("batch") else "s"
    return f"{number} {noun}{ending}"


def span(beta: float, noun: str) -> str:
    """How many values an exponentially weighted average spans: about ``1/(1 - beta)``.

    Example:
        >>> span(0.98, "day")
        'averages about the last 50 days, 1/(1 - 0.98)'
    """
    return f"averages about the last {count(1 / (1 - beta), noun)}, 1/(1 - {beta:.9g})" if beta else f"no average, the last {noun} alone"


def beta2(recipe: Recipe) -> str:
    """What the second average is of depends on the optimiser."""
    return span(recipe.beta2, "gradient" if recipe.blocks.sign else "squared gradient")


def depth(recipe: Recipe) -> str:
    """How deep and how wide."""
    if not recipe.hidden_units:
        return "no hidden layer: linear, logistic or softmax regression, with linear decision boundaries"
    return f"{count(len(recipe.hidden_units), 'hidden layer')}, {count(sum(recipe.hidden_units), 'unit')} in all"


def blocks(recipe: Recipe) -> str:
    """How many blocks, and how much of a picture one value after them has seen."""
    if not recipe.channels:
        return "no convolutions: every pixel is an input of its own"
    seen, step = 1, 1
    for _ in recipe.channels:
        seen += recipe.convolutions_per_block * (recipe.kernel_size - 1) * step
        if recipe.pooling != "none":
            seen, step = seen + step, 2 * step
    return f"{count(len(recipe.channels), 'block')}, after which a value has seen {seen} x {seen} pixels"


def kernel(recipe: Recipe) -> str:
    """A filter in pixels."""
    return f"a filter sees {recipe.kernel_size} x {recipe.kernel_size} pixels of every channel"


def steps_per_epoch(recipe: Recipe) -> int:
    """Steps in an epoch of ``ROWS`` training rows; the last, smaller mini-batch counts."""
    return 1 if recipe.batch_size == "all" else math.ceil(ROWS / recipe.batch_size)


def batch(recipe: Recipe) -> str:
    """Batch, mini-batch or stochastic gradient descent."""
    if recipe.batch_size == "all":
        return "batch gradient descent: one step an epoch, from all training rows"
    kind = "stochastic gradient descent: " if recipe.batch_size == 1 else ""
    epoch = f"{ROWS:,} training rows are {count(steps_per_epoch(recipe), 'step')} an epoch"
    return f"{kind}{count(recipe.batch_size, 'example')} a step; {epoch}"


def step_size(recipe: Recipe) -> str:
    """What alpha means depends on whether the gradient's size counts."""
    alpha = f"{recipe.learning_rate:.4g}"
    if recipe.blocks.second_moment or recipe.blocks.sign:
        return f"a step moves a weight by about {alpha}, whatever the size of its gradient"
    return f"a step moves a weight by {alpha} times its {'averaged ' * recipe.blocks.first_moment}gradient"


def decay_rate(recipe: Recipe) -> str:
    """The course's example: alpha 0.2 at rate 1 becomes 0.1, 0.067, 0.05, 0.04."""
    if recipe.decay == "inverse_time":
        rates = ", ".join(f"{recipe.learning_rate / (1 + recipe.decay_rate * epoch):.2g}" for epoch in (1, 2, 3, 4))
        return f"after 1, 2, 3 and 4 epochs alpha is {rates}"
    unit = "epoch" if recipe.decay == "sqrt_epoch" else "step"
    return f"alpha is {recipe.learning_rate * recipe.decay_rate:.3g} in the first {unit}, half of that in the fourth"


def decay_factor(recipe: Recipe) -> str:
    """Once per epoch, stair or plateau."""
    factor = recipe.decay_factor
    if recipe.decay == "exponential":
        return f"after 10 epochs {100 * factor**10:.3g} % of alpha is left"
    return f"alpha falls to {100 * factor:.4g} % at each {'stair' if recipe.decay == 'staircase' else 'plateau'}"


def decay_epochs(recipe: Recipe) -> str:
    """Stairs come in any case, plateaus where nothing gets better."""
    epochs = count(recipe.decay_epochs, "epoch")
    return f"alpha falls after {epochs} without a better dev score" if recipe.decay == "plateau" else f"alpha falls every {epochs}"


def warm_up(recipe: Recipe) -> str:
    """How far alpha rises, and in which share of the training."""
    share = f"{100 * recipe.warm_up / recipe.epochs:.3g} % of the training"
    return f"alpha rises to {recipe.learning_rate:.4g} in equal steps over the first {count(recipe.warm_up, 'epoch')}, {share}"


def length(recipe: Recipe) -> str:
    """Epochs in steps."""
    return f"{count(recipe.epochs, 'epoch')}: {count(steps_per_epoch(recipe) * recipe.epochs, 'step')} with {ROWS:,} training rows"


def dropout(recipe: Recipe) -> str:
    """50 units at keep_prob 0.8: 10 off on average."""
    layers = list(zip(recipe.hidden_units, recipe.keep_probs[1 + bool(recipe.channels) :], strict=True))
    if recipe.channels:
        keep = recipe.keep_probs[1]
        features = f"{1 - keep:.3g} of the features that the convolutions give are off on average"
        return features + "".join(f", and {units * (1 - kept):.3g} of the {count(units, 'unit')} after them" for units, kept in layers)
    if len(set(layers)) > 1:
        off = (f"{units * (1 - keep):.3g} of the {units} in layer {layer}" for layer, (units, keep) in enumerate(layers, 1))
        return f"units off on average: {', '.join(off)}"
    units, keep = layers[0]
    return f"of {count(units, 'unit')}{' in each layer' * (len(layers) > 1)}, {units * (1 - keep):.3g} are off on average"


def mixup(recipe: Recipe) -> str:
    """The shape of Beta(a, a)."""
    a = recipe.mixup
    usual = "mostly near 0 or 1" if a < 1 else "mostly near 1/2" if a > 1 else "all values alike"
    return f"shares from Beta({a:.4g}, {a:.4g}), {usual}"


SIDE = 32
"""Pixels along a side of the pictures in the examples."""


def of_32(share: float) -> str:
    """A share of the side in pixels.

    Example:
        >>> of_32(0.125)
        '4 of 32 pixels'
    """
    return f"{SIDE * share:.3g} of {SIDE} pixels"


def mirrored(probability: float) -> str:
    """How many pictures."""
    return f"of 100 pictures, {100 * probability:.3g} are mirrored on average"


def crop(recipe: Recipe) -> str:
    """Whole pixels of a picture."""
    added = round(SIDE * recipe.crop)
    return f"{added} pixels around {SIDE} x {SIDE}, of which any {SIDE} x {SIDE} are seen: moved by up to {added} along both axes"


def scaled(what: str, change: float) -> str:
    """From which factor to which."""
    return f"{what} times {1 - change:.3g} to {1 + change:.3g}"


def label_smoothing(recipe: Recipe) -> str:
    """Targets with four classes."""
    share = recipe.label_smoothing
    return f"of 4 classes the right one is aimed at {1 - share + share / 4:.4g}, each other at {share / 4:.4g}"


def class_balance(recipe: Recipe) -> str:
    """What a class ten times as rare gets."""
    power = recipe.class_balance
    factor = f"an example of a class 10 times as rare weighs {10**power:.3g} times as much"
    return f"{factor}; all classes weigh the same" if power == 1 else factor


def l2(recipe: Recipe) -> str:
    """lambda/m."""
    return f"with {ROWS:,} training rows, {recipe.l2 / ROWS:.3g} of each weight is added to its gradient, lambda/m"


def weight_decay(recipe: Recipe) -> str:
    """alpha times the decay."""
    return f"a step at the full alpha shrinks each weight by {100 * recipe.learning_rate * recipe.weight_decay:.3g} %"


def l1(recipe: Recipe) -> str:
    """alpha lambda/m."""
    nearer = f"{recipe.learning_rate * recipe.l1 / ROWS:.3g} nearer to 0, alpha lambda/m"
    return f"with {ROWS:,} training rows, a step at the full alpha brings each weight {nearer}"
