"""Samplers: where in a space the next trials are drawn. Any of them fills shoals."""

from shoal.samplers.coarse_to_fine import CoarseToFine
from shoal.samplers.model_based import MODELS, ModelBased
from shoal.samplers.points import POINTS
from shoal.samplers.sampler import Drawn, Result, Sampler
from shoal.samplers.spread import Spread
from shoal.space import Space

SAMPLERS: tuple[str, ...] = (*POINTS, "coarse-to-fine", *MODELS)
"""By name; the first is the default."""

ADAPTIVE: tuple[str, ...] = ("coarse-to-fine", *MODELS)
"""Those that learn from results, and so draw a few trials at a time."""

__all__ = ["ADAPTIVE", "SAMPLERS", "Drawn", "Result", "Sampler", "make_sampler"]


def make_sampler(name: str, space: Space, trials: tuple[int, ...], seed: int) -> Sampler:
    """A sampler by its name.

    Args:
        name: one of ``SAMPLERS``.
        space: what is drawn from.
        trials: of each family, as the plan has them; a sampler that learns chooses families itself, and keeps to their sum.
        seed: of the draws.
    """
    if name == "coarse-to-fine":
        return CoarseToFine(space, trials, seed)
    return ModelBased(name, space, trials, seed) if name in MODELS else Spread(name, space, trials, seed)
