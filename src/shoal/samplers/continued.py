"""Going on from earlier trials: their best recipes are tried first, by the same rules as all others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from shoal.recipe import Recipe
from shoal.samplers.sampler import Drawn, Result, Sampler
from shoal.space import Space


class Continued:
    """Some recipes first, then what another sampler draws; that one is told of its own trials only.

    Args:
        first: drawn first.
        then: draws the others.
    """

    def __init__(self, first: Sequence[Drawn], then: Sampler) -> None:
        self._first, self._then, self._count = list(first), then, len(first)

    def draw(self, most: int, results: Sequence[Result]) -> list[Drawn]:
        """The next points (see ``Sampler``)."""
        if self._first:
            now, self._first = self._first[:most], self._first[most:]
            return now
        return self._then.draw(most, results[self._count :])


def recipes_within(space: Space, recipes: Sequence[Recipe]) -> list[Drawn]:
    """Recipes with the number of their family, trained as long as that is; those that fit into none are left out."""
    found: dict[Drawn, None] = {}
    for recipe in recipes:
        with suppress(ValueError):
            family = space.family_of(recipe)
            base = space.families[family].base
            if not set(recipe.techniques) <= set(space.families[family].techniques):
                continue  # its program does not hold them
            found[Drawn(family, replace(recipe, epochs=base.epochs, warm_up=base.warm_up))] = None
    return list(found)
