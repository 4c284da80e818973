"""Costs of two parameters on which every optimiser's path can be seen: an elongated bowl, a saddle and a plateau."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal import optimisers
from shoal.recipe import OPTIMISERS, Recipe, stack, techniques_of

Cost = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Surface:
    """A cost of ``w1`` and ``w2``, where descent begins on it, and the cost at which it has arrived.

    Args:
        name: in a word.
        cost: of arrays of one shape.
        start: ``w1, w2``.
        arrived: the cost to reach.
        view: lowest and highest ``w1``, then ``w2``, of a picture.
    """

    name: str
    cost: Cost
    start: tuple[float, float]
    arrived: float
    view: tuple[float, float, float, float]


TURN = (np.cos(np.pi / 6), np.sin(np.pi / 6))


def _bowl(w1: Any, w2: Any) -> Any:
    """100 times as steep across as along, and turned: an optimiser that scales each parameter by itself must not fit it by luck."""
    along, across = TURN[0] * w1 + TURN[1] * w2, TURN[0] * w2 - TURN[1] * w1
    return 0.5 * (along**2 + 100 * across**2)


SURFACES = (
    Surface("bowl", _bowl, (-3.5, -1.2), 0.01, (-4.4, 1.6, -3.0, 1.4)),
    Surface("saddle", lambda w1, w2: 0.5 * (w1**2 - w2**2) + w2**4 / 16, (-2.5, 0.001), -0.99, (-3.0, 1.2, -0.6, 2.7)),
    Surface("plateau", lambda w1, w2: 1 - jnp.exp(-0.25 * (w1**2 + 2 * w2**2)), (-3.8, 0.8), 0.01, (-4.4, 2.0, -1.7, 1.7)),
)
"""The saddle's start is all but on the ridge; its minima, of cost -1, lie at w2 = 2 and -2. On the plateau the slope at the start is a
tenth of what it is halfway down."""

RATES = tuple(float(rate) for rate in np.geomspace(0.001, 10, 25))
MOST_STEPS = 500
OF_VECTORS = tuple(name for name, blocks in OPTIMISERS.items() if not blocks.orthogonalised)
"""Muon is for matrices: it moves a vector as nadam does."""
STAY = 50
"""Steps that a path must stay where it has arrived."""


def paths(surface: Surface, recipes: Sequence[Recipe], count: int = MOST_STEPS) -> np.ndarray:
    """The parameters ``[recipes, count + 1, 2]`` along the paths of several optimisers, by shoal's own update."""
    used = techniques_of(recipes)
    numbers = stack([recipe.numbers(0) for recipe in recipes])

    def path(numbers: Any) -> Any:
        def step(carry: Any, age: Any) -> Any:
            w, moments = carry
            gradient = jax.grad(lambda w: surface.cost(w["w"][0], w["w"][1]))(w)
            w, moments = optimisers.update(w, gradient, moments, {"w": True}, {"w": 1.0}, numbers.learning_rate, age, numbers, used)
            return (w, moments), w["w"]

        start = {"w": jnp.asarray(surface.start)}
        return jax.lax.scan(step, (start, optimisers.start(start, used)), jnp.arange(count))[1]

    walked = np.asarray(jax.jit(jax.vmap(path))(numbers))
    return np.concatenate([np.broadcast_to(np.asarray(surface.start), (len(recipes), 1, 2)), walked], axis=1)


def steps_to_arrive(surface: Surface, walked: np.ndarray) -> np.ndarray:
    """Of each path, the steps after which the cost stayed at or below that of arrival.

    Infinite where it did not, and for a path that left the picture: who leaps far may land well, by luck.
    """
    costs = np.asarray(surface.cost(jnp.asarray(walked[..., 0]), jnp.asarray(walked[..., 1])))
    away = ~(costs <= surface.arrived)  # NaN is away
    left = walked.shape[1] - np.argmax(away[:, ::-1], axis=1)
    low1, high1, low2, high2 = surface.view
    inside = (walked >= (low1, low2)) & (walked <= (high1, high2))
    return np.where(inside.all((1, 2)) & (left <= MOST_STEPS - STAY), left, np.inf)


@functools.cache
def best_paths(surface: Surface) -> dict[str, tuple[float, float, np.ndarray]]:
    """Of each optimiser, its learning rate of fewest steps, these steps, and the path ``[steps, 2]``."""
    recipes = [replace(Recipe(), optimiser=name, learning_rate=rate) for name in OF_VECTORS for rate in RATES]
    walked = paths(surface, recipes)
    taken = steps_to_arrive(surface, walked).reshape(len(OF_VECTORS), len(RATES))
    walked = walked.reshape(len(OF_VECTORS), len(RATES), -1, 2)
    best = {}
    for name, of_name, its_paths in zip(OF_VECTORS, taken, walked, strict=True):
        at = int(of_name.argmin())
        end = int(of_name[at]) if np.isfinite(of_name[at]) else its_paths.shape[1] - 1
        best[name] = RATES[at], float(of_name[at]), its_paths[at, : end + 1]
    return best
