"""The smallest network that is as good as the winner."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy import stats

from shoal.answers.comparison import full_length
from shoal.answers.luck import Fresh, fresh_scores
from shoal.interval import Interval
from shoal.measurements.answers import SmallNetwork, Winner
from shoal.metrics import mean_interval
from shoal.nets.network import Layout
from shoal.recipe import Recipe
from shoal.records import Plan, Trial


def parameter_count(recipe: Recipe, inputs: int, outputs: int, picture: tuple[int, int, int] | None = None) -> int:
    """Weights, biases and learned normalisation of a recipe's network.

    Args:
        recipe: of the network.
        inputs: that the first layer has.
        outputs: that the last layer has.
        picture: height, width and channels, where the inputs are a picture.

    Example:
        >>> parameter_count(Recipe((4, 3)), inputs=10, outputs=1)  # 10*4+4 + 4*3+3 + 3*1+1
        63
    """
    layout = Layout(recipe.shape, 1, inputs, 0, outputs, "softmax", (), picture)
    weights = sum((before + 1) * after for before, after in layout.sizes_with(recipe.units))
    return weights + (2 * sum(recipe.units) if recipe.normalisation != "none" else 0)


def smallest(trials: Sequence[Trial], plan: Plan, best: Winner, count: Callable[[Recipe], int]) -> SmallNetwork | str:
    """The network with the fewest parameters within one standard error of the winner, or in words why there is none smaller.

    The rule of one standard error (Breiman, Friedman, Olshen and Stone, 1984): what lies within it cannot be told from the best, and of
    those the simplest is preferred. A recipe that was trained on fresh seeds counts with its mean there; another has the one score
    of the search, known no better than one seed is.

    Args:
        trials: of the search, with those on fresh seeds.
        plan: of the search.
        best: the winner.
        count: parameters of a recipe's network.
    """
    limit = best.fresh.value + best.deviation / math.sqrt(best.seeds)
    fresh = fresh_scores(trials)
    candidates: list[SmallNetwork] = []
    for trial in full_length(trials, plan):
        score, seeds = _score(trial, fresh, best)
        parameters = count(trial.recipe)
        if score.value <= limit and parameters < best.parameters:
            candidates.append(SmallNetwork(trial.number, trial.recipe.hidden_units, parameters, score, seeds, limit, trial.recipe.channels))
    if not candidates:
        return "no trial with a smaller network that trained in full lies within one standard error of the winner"
    return min(candidates, key=lambda each: (each.parameters, each.score.value))


def _score(trial: Trial, fresh: Fresh, best: Winner) -> tuple[Interval, int]:
    if trial.recipe in fresh:
        scores = list(fresh[trial.recipe].values())
        if all(map(math.isfinite, scores)) and len(scores) > 1:
            return mean_interval(scores), len(scores)
        return Interval(math.inf, math.inf, math.inf), len(scores)
    score = math.inf if trial.score is None else trial.score
    half = float(stats.t.ppf(0.975, best.seeds - 1)) * best.deviation
    return Interval(score, score - half, score + half), 0
