"""All answers after a search, in one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from shoal.answers.architecture_map import architecture_map
from shoal.answers.best_so_far import best_so_far, further_gain, top_shares
from shoal.answers.comparison import compare, searched
from shoal.answers.edges import edges
from shoal.answers.forest import held_out_effects
from shoal.answers.importance import FEWEST_TRIALS, importances
from shoal.answers.interactions import interactions
from shoal.answers.luck import luck, winner
from shoal.answers.smallest import parameter_count, smallest
from shoal.measurements.answers import Answers
from shoal.recipe import Recipe
from shoal.records import Plan, Trial
from shoal.space import Space

T = TypeVar("T")

OF_DRAWN_TRIALS = ("luck", "smallest", "best_so_far", "gain", "importance", "interactions", "architecture", "edges")
"""Answers that first recipes, compared without a search, do not give."""


def answers(
    trials: Sequence[Trial],
    space: Space,
    plan: Plan,
    *,
    inputs: int | Callable[[Recipe], int],
    outputs: int = 1,
    picture: tuple[int, int, int] | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Answers:
    """What a search has to say beyond its winner. Trains nothing.

    Args:
        trials: of the search, with those on fresh seeds.
        space: that they were drawn from.
        plan: of the search.
        inputs: of the first layer, or a function from a recipe to them, where encodings differ.
        outputs: of the last layer.
        picture: height, width and channels, where the inputs are pictures.
        recipe: the winner, by default the recipe with the lowest mean on fresh seeds.
        seed: of bootstrap samples and forests.

    Returns:
        The answers, with the reason in words for each that cannot be told.

    Example:
        >>> answers(run.trials, space, run.plan, inputs=40).winner.fresh  # doctest: +SKIP
        Interval(value=0.2871, low=0.2859, high=0.2883)
    """

    def count(each: Recipe) -> int:
        return parameter_count(each, inputs(each) if callable(inputs) else inputs, outputs, picture)

    unknown: dict[str, str] = {}

    def told(name: str, outcome: T | str) -> T | None:
        if isinstance(outcome, str):
            unknown[name] = outcome
            return None
        return outcome

    best = told("winner", winner(trials, plan, count, recipe))
    if plan.first_recipes:
        nothing_drawn = f"no recipe was drawn: the first ones of {len(plan.shoals)} shapes of network were compared"
        return Answers(winner=best, unknown=unknown | dict.fromkeys(OF_DRAWN_TRIALS, nothing_drawn))
    no_winner = "the winner is not known on fresh seeds"
    number = len(searched(trials))
    compared = compare(trials, space, plan)
    enough = len(compared.trials) >= FEWEST_TRIALS and len(compared.parameters) > 0
    held_out = held_out_effects(compared.positions, compared.losses, seed) if enough else None
    return Answers(
        winner=best,
        luck=told("luck", no_winner if best is None else luck(trials, plan, best)),
        smallest=told("smallest", no_winner if best is None else smallest(trials, plan, best, count)),
        best_so_far=told("best_so_far", best_so_far(trials, seed)),
        gain=told("gain", further_gain(trials, seed)),
        top=top_shares(number) if number else (),
        importance=told("importance", importances(compared, seed, held_out)),
        interactions=told("interactions", interactions(compared, held_out)) or (),
        architecture=told("architecture", architecture_map(compared, trials, space, plan)),
        edges=told("edges", edges(trials, space, plan)) or (),
        unknown=unknown,
    )
