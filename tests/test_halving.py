"""Who trains next, and how far: rungs driven by made-up scores, without any training."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.halving import HALVING, Bracket, brackets, hoped_for
from shoal.recipe import Recipe
from shoal.samplers import Drawn

RUNGS = 3


class Listed:
    """A sampler that hands out families in a given order."""

    def __init__(self, families):
        self.left = list(families)

    def draw(self, most, results):
        now, self.left = self.left[:most], self.left[most:]
        return [Drawn(family, Recipe()) for family in now]


def climb(families, scores, slots, waits, first=0, last=RUNGS - 1, ended=()):
    """The jobs of a bracket whose trial ``n`` has ``scores[n, rung]``; and all its trials."""
    known, jobs = [], []
    bracket = Bracket(Listed(families), known, len(families), slots, first, last, waits)
    while job := bracket.next():
        jobs.append((job.family, job.rung, [each.number for each in job.climbers]))
        bracket.told(job, [scores[each.number, job.rung] for each in job.climbers], [each.number in ended for each in job.climbers])
        assert_nobody_is_lost(bracket, known)
    return jobs, known


dropped: set[int] = set()


def assert_nobody_is_lost(bracket, known):
    """Whose weights were let go never comes back."""
    alive = {each.number for each in bracket.alive()}
    gone = {each.number for each in known if each.scores} - alive
    assert not dropped & alive
    dropped.update(gone)


@pytest.fixture(autouse=True)
def nobody_dropped():
    dropped.clear()


@st.composite
def circumstances(draw):
    slots = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    families = draw(st.lists(st.integers(0, len(slots) - 1), min_size=1, max_size=60))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    start = rng.random(len(families)) + 1
    falls = rng.random((len(families), RUNGS - 1)) * draw(st.sampled_from([0.01, 0.5]))
    return families, np.column_stack([start, start[:, None] - falls.cumsum(1)]), slots, draw(st.booleans())


@settings(max_examples=150)
@given(circumstances())
def test_every_job_is_one_shoal_of_one_family_and_nobody_trains_twice_to_a_rung(at):
    dropped.clear()
    families, scores, slots, waits = at
    jobs, known = climb(families, scores, slots, waits)
    seen = [(number, rung) for _, rung, numbers in jobs for number in numbers]
    assert len(seen) == len(set(seen))
    for family, rung, numbers in jobs:
        assert 1 <= len(numbers) <= slots[family] and {families[number] for number in numbers} == {family}
        assert rung == 0 or all((number, rung - 1) in seen for number in numbers)
    assert {number for number, rung in seen if rung == 0} == set(range(len(families)))
    for number, climber in enumerate(known):
        assert climber.scores == list(scores[number, : len(climber.scores)])


@settings(max_examples=100)
@given(circumstances())
def test_some_trial_is_trained_to_the_end_and_about_a_third_of_the_shoals_go_on(at):
    dropped.clear()
    families, scores, slots, _ = at
    jobs, known = climb(families, scores, slots, waits=True)
    assert any(each.rung == RUNGS - 1 for each in known)
    counts = [sum(rung == number for _, number, _ in jobs) for rung in range(RUNGS)]
    for before, after in pairwise(counts):
        assert after <= math.ceil(before / HALVING) + len(slots)


@pytest.mark.parametrize("waits", [True, False])
def test_of_one_family_the_best_third_goes_on_in_whole_shoals(waits):
    """Against successive halving written plainly; curves fall together, so that nobody is given up."""
    rng = np.random.default_rng(0)
    start = rng.permutation(36) / 36 + 5.0
    scores = np.column_stack([start, start - 1.5, start - 3])
    jobs, known = climb([0] * 36, scores, [4], waits)
    order = np.argsort(start)
    assert {each.number for each in known if each.rung >= 1} >= {*order[:12].tolist()}
    assert {each.number for each in known if each.rung == 2} >= {*order[:4].tolist()}
    if waits:
        assert {each.number for each in known if each.rung >= 1} == {*order[:12].tolist()}
        assert {each.number for each in known if each.rung == 2} == {*order[:4].tolist()}
        assert [rung for _, rung, _ in jobs] == [0] * 9 + [1] * 3 + [2]


def test_without_waiting_a_full_shoal_goes_on_as_soon_as_it_is_among_the_best_third_of_those_who_got_that_far():
    scores = np.column_stack([np.arange(24.0) + 5, np.arange(24.0) + 3, np.arange(24.0)])
    jobs, _ = climb([0] * 24, scores, [4], waits=False)
    first = next(number for number, (_, rung, _) in enumerate(jobs) if rung == 1)
    assert [rung for _, rung, _ in jobs[:first]] == [0] * 3 and sorted(jobs[first][2]) == [0, 1, 2, 3]


def test_who_has_ended_does_not_climb_but_keeps_its_score():
    scores = np.column_stack([np.arange(9.0) + 5, np.arange(9.0) + 4, np.arange(9.0) + 3])
    _, known = climb([0] * 9, scores, [1], waits=True, ended={0, 1})
    assert [each.rung for each in known[:2]] == [0, 0] and known[2].rung >= 1


def test_a_trial_is_given_up_only_when_even_the_last_gain_again_would_not_do():
    assert hoped_for([0.5, 0.4], 1) == pytest.approx(0.3) and hoped_for([0.5, 0.4], 2) == pytest.approx(0.2)
    assert hoped_for([0.4], 1) == -math.inf
    flat = np.column_stack([np.linspace(1, 2, 18), np.linspace(1, 2, 18) - 0.01, np.linspace(1, 2, 18) - 0.02])
    _, known = climb([0] * 18, flat, [1], waits=True)
    assert [each.number for each in known if each.rung == 2] == [0]
    assert any(each.given_up and each.ended for each in known) and not known[0].given_up


@given(st.integers(1, 2000), st.integers(1, 4))
def test_brackets_share_all_trials_and_only_hyperband_has_several(trials, rungs):
    for kind in ("async", "halving"):
        assert brackets(kind, trials, rungs) == [(trials, 0)]
    assert brackets("none", trials, rungs) == [(trials, rungs - 1)]
    several = brackets("hyperband", trials, rungs)
    assert sum(count for count, _ in several) == trials and min(count for count, _ in several) >= 1
    assert [first for _, first in several] == list(range(len(several)))


def test_hyperbands_brackets_cost_about_the_same():
    """Li et al. (2018): each bracket has about one budget."""
    costs = []
    for count, first in brackets("hyperband", 243, 4):
        costs.append(sum(count / HALVING ** (rung - first) * HALVING ** (rung - 3) for rung in range(first, 4)))
    assert max(costs) < 1.7 * min(costs)
