"""Every setting of a recipe in plain words: the technique behind it, its formula, and what its value means.

One table (``settings.py``) has one entry per setting; the comments of a recipe file, ``explain`` and the words for the differences
between two recipes are all read from it. The letters in formulas are the course's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shoal.explanations.choices import CHOICE_WORDS, Choice
from shoal.explanations.settings import ITEMS, SETTINGS
from shoal.recipe import Recipe

__all__ = ["ITEMS", "LETTERS", "SETTINGS", "Explanation", "describe_diff", "explain", "written"]

LETTERS = (
    "In formulas alpha is the learning rate, m the number of training rows, t the step from 1, X the inputs, y the target, J the cost, "
    "L the loss of an example, dW the gradient; W[l], Z[l], A[l] and its n[l] units belong to layer l."
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One setting of one recipe in plain words.

    Args:
        name: the setting.
        value: its value as a recipe file has it; ``off`` where the file leaves it out.
        heading: the part of the recipe that it belongs to.
        item: number and name of the technique.
        meaning: what the setting is, in one sentence.
        formula: what is computed, an equation or more; none where there is nothing to add.
        effect: what the value means.
        in_use: whether the setting does anything in this recipe.
    """

    name: str
    value: str
    heading: str
    item: str
    meaning: str
    formula: tuple[str, ...]
    effect: str
    in_use: bool

    def __str__(self) -> str:
        return f"{self.name} = {self.value}: {self.effect}. {self.meaning} {'; '.join((*self.formula, ''))}({self.item})"


def explain(recipe: Recipe) -> tuple[Explanation, ...]:
    """Each setting of a recipe in plain words, in the order of the method.

    Args:
        recipe: any recipe.

    Returns:
        One explanation per setting, those without effect included.

    Example:
        >>> print(next(each for each in explain(Recipe((50,), keep_prob=0.8)) if each.name == "keep_prob").effect)
        of 50 units, 10 are off on average
    """
    return tuple(_explanation(name, recipe) for name in SETTINGS)


def describe_diff(mine: Recipe, theirs: Recipe) -> tuple[str, ...]:
    """The settings in which ``theirs`` differs from ``mine``, a line each, in the order of the method.

    Args:
        mine: the recipe to begin with.
        theirs: the recipe that differs from it.

    Example:
        >>> print(*describe_diff(Recipe(), Recipe(keep_prob=0.8)))
        keep_prob: 1.0 -> 0.8 (inverted dropout on the hidden layers, 2.4)
    """
    changed = mine.diff(theirs)
    return tuple(
        f"{name}: {written(changed[name][0])} -> {written(changed[name][1])} ({setting.topic}, {_item(name, theirs)})"
        for name, setting in SETTINGS.items()
        if name in changed
    )


def written(value: Any) -> str:
    """The value of a setting as a recipe file has it, in TOML and in JSON alike; ``off`` for one that a file leaves out.

    Example:
        >>> written((64, 64)), written("relu"), written(1e-8), written(True), written(None)
        ('[64, 64]', '"relu"', '1e-08', 'true', 'off')
    """
    if value is None:
        return "off"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, str | bool):
        return json.dumps(value)
    # NumPy's float64 is a float too, but prints as np.float64(0.5)
    return float.__repr__(value) if isinstance(value, float) else int.__repr__(value)


def _explanation(name: str, recipe: Recipe) -> Explanation:
    setting, value, choice = SETTINGS[name], getattr(recipe, name), _choice(name, recipe)
    reason = setting.unused(recipe)
    is_off = all(each == setting.off for each in value) if isinstance(value, tuple) and value else value == setting.off
    words = choice.words if setting.words is None else "not used" if is_off or reason else setting.words(recipe)
    return Explanation(
        name=name,
        value=written(value),
        heading=setting.heading,
        item=f"{_item(name, recipe)} {ITEMS[_item(name, recipe)]}",
        meaning=setting.meaning,
        formula=tuple(filter(None, (choice.formula or setting.formula).split("; "))),
        effect=f"no effect, because {reason}" if reason else words,
        in_use=not reason and not is_off,
    )


def _item(name: str, recipe: Recipe) -> str:
    """Number of the technique."""
    return _choice(name, recipe).item or SETTINGS[name].item


def _choice(name: str, recipe: Recipe) -> Choice:
    return CHOICE_WORDS.get(name, {}).get(getattr(recipe, name), Choice(""))
