"""What in a recipe does not go with a data set."""

from __future__ import annotations

from collections.abc import Iterator

from shoal.errors import OptionError, Problem
from shoal.losses import loss_for
from shoal.nets.convolution import POOLED
from shoal.recipe import AUGMENTATIONS, Recipe


def unsuited(recipe: Recipe, task: str, classes: int, picture: tuple[int, int, int] | None) -> Iterator[Problem]:
    """What in a recipe cannot be used.

    Args:
        recipe: to be trained.
        task: of the data.
        classes: how many; 0 of a quantity.
        picture: height, width and channels where the inputs are pictures; ``None`` for a table.

    Example:
        >>> [problem.requirement for problem in unsuited(Recipe(channels=(16, 32)), "classification", 3, None)]
        ['convolutions need pictures']
    """
    try:
        loss_for(task, classes, recipe.loss)
    except OptionError as error:
        yield from error.problems
    if task == "regression" and recipe.label_smoothing:
        yield Problem("label smoothing is for classes", f"label_smoothing {recipe.label_smoothing!r} for a quantity", "Leave it out.")
    if task != "classification" and recipe.class_balance:
        yield Problem("class_balance is for one class per row", f"class_balance {recipe.class_balance!r}", "Leave it out.")
    if picture is None:
        if recipe.channels:
            yield Problem("convolutions need pictures", f"channels {recipe.channels!r} for a table", "Write channels = ().")
        for name in AUGMENTATIONS:
            if getattr(recipe, name):
                yield Problem(f"{name} changes pictures", f"{name} {getattr(recipe, name)!r} for a table", "Leave it out.")
        return
    if recipe.numeric_encoding != "standard":
        remedy = "Leave it out: pixels are normalised by channel."
        yield Problem("numeric_encoding is for the columns of a table", f"{recipe.numeric_encoding!r} for pictures", remedy)
    if recipe.input_scale_rate:
        remedy = "Leave it out: pixels are normalised by channel."
        yield Problem("input_scale_rate is for the columns of a table", f"{recipe.input_scale_rate!r} for pictures", remedy)
    height, width, _ = picture
    most = (min(height, width)).bit_length() - 1
    if recipe.channels and recipe.pooling != "none" and len(recipe.channels) > most:
        received = f"{len(recipe.channels)} blocks for pictures of {height} x {width} pixels"
        remedy = f"Leave blocks out, {most} fit; or write pooling = 'none', or give larger pictures."
        yield Problem(f"each block halves height and width, and a pixel is left (each pools {POOLED} x {POOLED})", received, remedy)
