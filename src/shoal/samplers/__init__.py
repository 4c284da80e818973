"""Samplers: where in a space the next trials are drawn. Any of them fills shoals."""

from collections.abc import Sequence

from shoal.recipe import Recipe
from shoal.samplers.coarse_to_fine import CoarseToFine
from shoal.samplers.continued import Continued, recipes_within
from shoal.samplers.model_based import MODELS, ModelBased
from shoal.samplers.points import POINTS
from shoal.samplers.sampler import Drawn, Result, Sampler
from shoal.samplers.spread import Spread
from shoal.space import Space

SAMPLERS: tuple[str, ...] = (*POINTS, "coarse-to-fine", *MODELS)
"""By name; the first is the default."""

__all__ = ["MODELS", "SAMPLERS", "Drawn", "Result", "Sampler", "make_sampler", "recipes_within"]


def make_sampler(name: str, space: Space, trials: tuple[int, ...], seed: int, earlier: Sequence[Recipe] = ()) -> Sampler:
    """A sampler by its name.

    Args:
        name: one of ``SAMPLERS``.
        space: what is drawn from.
        trials: of each family, as the plan has them; a sampler that learns chooses families itself, and keeps to their sum.
        seed: of the draws.
        earlier: recipes that are tried first, in the place of as many draws; those that fit into no family are left out.
    """
    if earlier:
        first = recipes_within(space, earlier)[: max(1, sum(trials) // 4)]
        left = list(trials)
        for drawn in first:
            left[drawn.family if left[drawn.family] else left.index(max(left))] -= 1
        return Continued(first, make_sampler(name, space, tuple(left), seed))
    if name == "coarse-to-fine":
        return CoarseToFine(space, trials, seed)
    return ModelBased(name, space, trials, seed) if name in MODELS else Spread(name, space, trials, seed)
