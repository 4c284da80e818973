"""Samplers: even, within the space, as many as asked for, the same for a seed, and the learning ones learn."""

import math

import numpy as np
import pytest

from shoal.errors import OptionError
from shoal.parameters import Choice, Range
from shoal.recipe import Recipe
from shoal.samplers import SAMPLERS, Result, make_sampler, model_based
from shoal.samplers.points import grid, halton, random, sobol
from shoal.space import Space

SPACE = Space.of(
    Recipe(),
    [
        Range("learning_rate", 1e-4, 1.0, "log"),
        Choice("hidden_layers", (1, 2)),
        Choice("optimiser", ("momentum", "rmsprop")),
        Range("beta1", 0.5, 0.99, "log_one_minus"),
    ],
)
BOWL = Space.of(Recipe(), [Range("learning_rate", 1e-4, 1.0, "log"), Range("keep_prob", 0.2, 1.0)])
QUICK = [name for name in SAMPLERS if name != "gp"]


def depth(recipe):
    """A bowl whose lowest point is off centre."""
    return (math.log10(recipe.learning_rate) + 1.3) ** 2 + 16 * (recipe.keep_prob - 0.75) ** 2


def run(name, space, trials, seed, loss, most=8):
    """Everything a sampler draws, told the loss of each."""
    sampler = make_sampler(name, space, trials, seed)
    drawn, results = [], []
    while now := sampler.draw(most, results):
        assert len(now) <= most
        drawn += now
        results += [Result(0, loss(each.recipe), loss(each.recipe)) for each in now]
    return drawn


@pytest.mark.parametrize("name", QUICK)
def test_all_draws_lie_in_the_space_in_their_family_and_are_as_many_as_asked_for(name):
    drawn = run(name, SPACE, (10, 10), 1, lambda recipe: recipe.learning_rate)
    assert len(drawn) == 20 if name != "grid" else len(drawn) <= 20
    for each in drawn:
        assert SPACE.family_of(each.recipe) == each.family
        assert 1e-4 <= each.recipe.learning_rate <= 1.0 and 0.5 <= each.recipe.beta1 <= 0.99
        assert each.recipe.optimiser == "momentum" or each.recipe.beta1 == Recipe().beta1  # where it does not matter
    assert len({each.recipe for each in drawn}) > 10


@pytest.mark.parametrize("name", QUICK)
def test_a_seed_draws_the_same_again_and_another_one_differently(name):
    one, again, other = (run(name, BOWL, (24,), seed, depth) for seed in (0, 0, 1))
    assert one == again
    assert one != other


@pytest.mark.parametrize("name", ["coarse-to-fine", "tpe", "cma-es"])
def test_samplers_that_learn_end_nearer_the_bottom_of_a_bowl_than_random_draws(name):
    if name == "cma-es":
        pytest.importorskip("cmaes")

    def last(kind, seed):
        return np.mean([depth(each.recipe) for each in run(kind, BOWL, (64,), seed, depth)[-16:]])

    learnt, blind = ([last(kind, seed) for seed in range(4)] for kind in (name, "random"))
    assert max(learnt) < min(blind)


def test_the_gaussian_process_draws_from_the_space():
    pytest.importorskip("torch")
    drawn = run("gp", BOWL, (10,), 0, depth)
    assert len(drawn) == 10 and all(0.2 <= each.recipe.keep_prob <= 1.0 for each in drawn)


@pytest.mark.parametrize(("name", "package"), [("gp", "torch"), ("cma-es", "cmaes")])
def test_a_sampler_whose_package_is_not_there_says_what_to_install(name, package, monkeypatch):
    monkeypatch.setattr(model_based, "find_spec", lambda asked: None if asked == package else asked)
    with pytest.raises(OptionError, match="Install"):
        make_sampler(name, BOWL, (10,), 0)


@pytest.mark.parametrize("points", [sobol, halton])
def test_quasi_random_points_are_more_even_than_random_ones(points):
    def gap(found):
        return max(np.diff(np.sort(np.concatenate([[0, 1], found[:, axis]]))).max() for axis in range(2))

    assert np.mean([gap(points(BOWL.parameters, 64, seed)) for seed in range(20)]) < 0.6 * np.mean(
        [gap(random(BOWL.parameters, 64, seed)) for seed in range(20)]
    )


@pytest.mark.parametrize("count", [1, 2, 5, 25, 100])
def test_a_grid_has_every_combination_of_its_levels_and_no_more_points_than_asked_for(count):
    found = grid(SPACE.families[0].ranges, count, 0)
    levels = [sorted(set(found[:, axis].tolist())) for axis in range(found.shape[1])]
    assert len(found) == math.prod(map(len, levels)) == len({tuple(point) for point in found.tolist()}) <= count
    assert len(levels[1]) <= 2  # a choice has no more levels than values


def test_closer_looks_lie_in_smaller_boxes_around_the_best():
    drawn = run("coarse-to-fine", BOWL, (64,), 0, depth)
    places = np.array([[BOWL.parameters[0].position(each.recipe.learning_rate), each.recipe.keep_prob] for each in drawn])  # type: ignore[union-attr]
    coarse, finer, finest = places[:32], places[32:48], places[48:]
    best = places[min(range(32), key=lambda number: depth(drawn[number].recipe))]
    assert (np.ptp(finer, axis=0) <= 0.5).all() and (np.ptp(finest, axis=0) <= 0.25 + 1e-9).all()
    assert (finer.min(0) <= best + 0.06).all() and (finer.max(0) >= best - 0.06).all() and np.ptp(coarse[:, 0]) > 0.9


def test_earlier_recipes_come_first_and_count():
    earlier = [Recipe(learning_rate=rate, hidden_units=(64,), optimiser="momentum") for rate in (0.1, 0.2)]
    foreign = Recipe(activation="tanh")
    sampler = make_sampler("sobol", SPACE, (8, 8), 0, [*earlier, foreign])
    drawn = []
    while now := sampler.draw(5, [Result(0, 1.0, 1.0)] * len(drawn)):
        drawn += now
    assert [each.recipe for each in drawn[:2]] == earlier and len(drawn) == 16
    assert foreign not in [each.recipe for each in drawn]
