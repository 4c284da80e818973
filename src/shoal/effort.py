"""What is to be done with a data set, and how much of it: the options of a job that are not about its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from shoal.errors import OptionError, Problem, did_you_mean
from shoal.halving import Rungs
from shoal.plan import DEFAULT_METHOD, RETRAINS, Budget, Method
from shoal.recipe import Recipe
from shoal.samplers import SAMPLERS
from shoal.space import MOST_COMBINATIONS, Space, corners
from shoal.space_file import from_tables, read_space, to_tables

MOST_SEEDS = 1000

Final = Literal["mean", "single", "greedy", "distilled"]
FINALS: tuple[str, ...] = get_args(Final)
"""What the model is made of: the winner's networks on fresh seeds, the best one of them, those of the whole search that predict best
together, or one network that has learned the answers of the winner's."""


@dataclass(frozen=True, slots=True)
class Effort:
    """A job: ``improve`` carries out the recipe loop and then searches, ``search`` only searches, ``train`` trains one recipe.

    Args:
        job: which of them.
        budget: what may be spent.
        space: to be searched, where it is not the default one.
        method: of the search.
        retrains: fresh seeds on which the winner is trained, or seeds of the one recipe.
        begin: where the recipe loop begins, if not with a sound small network.
        final: what the model is made of (see ``shoal.winner.train_best``).
        earlier: recipes of earlier searches that are tried first, best first.
        compares_samplers: whether grid, random and quasi-random trials are compared on the data.
    """

    job: Literal["improve", "search", "train"]
    budget: Budget
    space: Space | None = None
    method: Method = DEFAULT_METHOD
    retrains: int = RETRAINS
    begin: Recipe | None = None
    final: Final = "mean"
    earlier: tuple[Recipe, ...] = ()
    compares_samplers: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Effort:
        """The effort that options ask for.

        Raises:
            OptionError: naming everything that is wrong with them.
        """
        problems: list[Problem] = []
        if options.get("recipe") is not None:
            return _training(options, problems)
        budget, begin, space = Budget("", trials=1), None, None
        final: Final = "mean"
        try:
            budget = Budget.parse(options["budget"])
        except OptionError as error:
            problems += error.problems
        try:
            final = checked_final(options.get("final", "mean"))
        except OptionError as error:
            problems += error.problems
        if options.get("begin") is not None:
            begin = Recipe.from_dict(options["begin"])
        if "sampler" not in options:
            effort = cls("improve", budget, begin=begin, final=final)
        else:
            problems += _method_problems(options)
            try:
                space = _space(options.get("space"))
            except OptionError as error:
                problems += error.problems
            earlier = tuple(map(Recipe.from_dict, options.get("earlier") or ()))
            method = Method(options["sampler"], options["rungs"])
            effort = cls(
                "search", budget, space, method, final=final, earlier=earlier, compares_samplers=bool(options.get("compare_samplers"))
            )
        if problems:
            raise OptionError(*problems)
        return effort

    def recipes(self) -> Iterator[Recipe]:
        """Recipes that must suit the data, where some were given: the one itself, or those at the corners of the space."""
        if self.begin is not None:
            yield self.begin
        for family in () if self.space is None else self.space.families:
            yield family.base
            yield from map(family.with_settings, islice(corners(family.ranges), MOST_COMBINATIONS // len(self.space.families)))  # type: ignore[union-attr]


def checked_final(final: Any) -> Final:
    """What the model is made of.

    Raises:
        OptionError: there is no such model; with the likeliest correction.

    Example:
        >>> checked_final("distilled")
        'distilled'
    """
    if final not in FINALS:
        raise OptionError(Problem("the final model is known", repr(final), did_you_mean(str(final), FINALS)))
    return final


def saved_space(space: Any) -> tuple[dict[str, Any] | None, bool]:
    """A space as it is kept with a run's options, and whether it comes back the same."""
    given = _space(space)
    if given is None:
        return None, True
    tables = to_tables(given)
    return tables, from_tables(tables).families == given.families


def _training(options: Mapping[str, Any], problems: list[Problem]) -> Effort:
    seeds = options["seeds"]
    if not (isinstance(seeds, int) and not isinstance(seeds, bool) and 1 <= seeds <= MOST_SEEDS):
        problems.append(Problem(f"the number of seeds is a whole number from 1 to {MOST_SEEDS}", repr(seeds), "Give, say, 5."))
    if problems:
        raise OptionError(*problems)
    return Effort("train", Budget("one recipe", trials=1), Space.single(Recipe.from_dict(options["recipe"])), retrains=seeds)


def _space(given: Any) -> Space | None:
    """A space, whatever it was given as: itself, the path of its file, or tables."""
    if given is None or isinstance(given, Space):
        return given
    return read_space(given) if isinstance(given, str | Path) else from_tables(given)


def _method_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    sampler, rungs = options["sampler"], options["rungs"]
    if sampler not in SAMPLERS:
        yield Problem("the sampler is known", repr(sampler), did_you_mean(str(sampler), SAMPLERS))
    if rungs not in get_args(Rungs):
        yield Problem("the kind of rungs is known", repr(rungs), did_you_mean(str(rungs), get_args(Rungs)))
