"""Who trains next, and how far: rungs driven by made-up scores, without any training."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.halving import HALVING, Bracket, brackets, hoped_for
from shoal.plan import JOB_SECONDS, rung_seconds
from shoal.recipe import Recipe
from shoal.records import ShoalPlan
from shoal.samplers import Drawn

RUNGS = 3


class Listed:
    """A sampler that hands out families in a given order."""

    def __init__(self, families):
        self.left = list(families)

    def draw(self, most, results):
        now, self.left = self.left[:most], self.left[most:]
        return [Drawn(family, Recipe()) for family in now]


def climb(families, scores, slots, waits, first=0, last=RUNGS - 1, ended=(), watch=lambda known, job: None):
    """The jobs of a bracket whose trial ``n`` has ``scores[n, rung]``; and all its trials.

    Nobody is sent on whose weights might have been let go, or is told of as alive again after that.
    """
    known, jobs = [], []
    bracket = Bracket(Listed(families), known, len(families), slots, first, last, waits)
    gone: set[int] = set()
    while job := bracket.next():
        watch(known, job)
        numbers = [each.number for each in job.climbers]
        jobs.append((job.family, job.rung, numbers))
        assert not gone & {*numbers}
        bracket.told(job, [scores[number, job.rung] for number in numbers], [(number, job.rung) in ended for number in numbers])
        alive = {each.number for each in bracket.alive()}
        assert not gone & alive
        gone |= {each.number for each in known if each.scores} - alive
    assert not bracket.alive()
    return jobs, known


@st.composite
def circumstances(draw):
    """Families, scores, slots, whether rungs wait, and who ends where; scores may improve from trial to trial, as with a good sampler."""
    slots = draw(st.lists(st.integers(1, 8), min_size=1, max_size=3))
    families = draw(st.lists(st.integers(0, len(slots) - 1), min_size=1, max_size=80))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    start = rng.random(len(families)) + 1 + draw(st.sampled_from([-1.0, 0.0, 1.0])) * np.linspace(0, 1, len(families))
    falls = rng.random((len(families), RUNGS - 1)) * draw(st.sampled_from([0.01, 0.5]))
    scores = np.column_stack([start, start[:, None] - falls.cumsum(1)])
    lost = rng.random(len(families)) < draw(st.sampled_from([0.0, 0.3]))
    scores[lost] = np.inf
    ended = {(int(number), int(rng.integers(RUNGS))) for number in np.flatnonzero(lost | (rng.random(len(families)) < 0.1))}
    return families, scores, slots, draw(st.booleans()), ended


@settings(max_examples=150)
@given(circumstances())
def test_every_job_is_one_shoal_of_one_family_and_nobody_trains_twice_to_a_rung(at):
    families, scores, slots, waits, ended = at
    jobs, known = climb(families, scores, slots, waits, ended=ended)
    seen = [(number, rung) for _, rung, numbers in jobs for number in numbers]
    assert len(seen) == len(set(seen))
    for family, rung, numbers in jobs:
        assert 1 <= len(numbers) <= slots[family] and {families[number] for number in numbers} == {family}
        assert rung == 0 or all((number, rung - 1) in seen for number in numbers)
    assert {number for number, rung in seen if rung == 0} == set(range(len(families)))
    for number, climber in enumerate(known):
        assert climber.scores == list(scores[number, : len(climber.scores)])
        assert not any((number, rung) in ended for rung in range(climber.rung))


@settings(max_examples=100)
@given(circumstances())
def test_some_trial_is_trained_to_the_end_and_about_a_third_of_the_shoals_go_on(at):
    families, scores, slots, _, _ = at
    scores = np.where(np.isfinite(scores), scores, 9.0)
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
    _, known = climb([0] * 9, scores, [1], waits=True, ended={(0, 0), (1, 0)})
    assert [each.rung for each in known[:2]] == [0, 0] and known[2].rung >= 1


def earned_by(known, slots):
    """By the rule of asynchronous halving, written plainly: rung and family of every full shoal that could go on now, and by whom."""
    found = {}
    for rung in range(RUNGS - 1):
        there = sorted((each.scores[rung], each.number) for each in known if len(each.scores) > rung and math.isfinite(each.scores[rung]))
        third = {number for _, number in there[: len(there) // 3]}
        for family, most in enumerate(slots):
            mine = [each.number for each in known if each.number in third and each.rung == rung and each.family == family]
            mine = [number for number in mine if not known[number].ended]
            if len(mine) >= most:
                found[rung + 1, family] = {*mine}
    return found


@settings(max_examples=100)
@given(circumstances())
def test_without_waiting_nobody_goes_on_early_but_of_the_best_third_and_no_earned_shoal_waits_for_new_trials(at):
    families, scores, slots, _, ended = at

    def watch(known, job):
        for climber in job.climbers:
            climber.sent = False  # as before it was handed out
        earned = earned_by(known, slots)
        if job.rung == 0 and len(known) < len(families):
            assert not earned
        elif job.rung > 0 and (len(known) < len(families) or any(not each.scores for each in known)):
            assert {each.number for each in job.climbers} <= earned[job.rung, job.family]
            assert len(job.climbers) == slots[job.family]
            assert job.rung == max(rung for rung, _ in earned)
        for climber in job.climbers:
            climber.sent = True

    climb(families, scores, slots, waits=False, ended=ended, watch=watch)


@settings(max_examples=100)
@given(circumstances())
def test_where_curves_do_not_cross_the_best_trial_is_trained_to_the_end(at):
    families, scores, slots, waits, _ = at
    ranks = np.argsort(np.argsort(np.where(np.isfinite(scores[:, 0]), scores[:, 0], 9.0), kind="stable"), kind="stable") + 1.0
    parallel = np.column_stack([ranks, ranks - 0.5, ranks - 0.7])
    _, known = climb(families, parallel, slots, waits)
    best = int(np.argmin(ranks))
    assert known[best].rung == RUNGS - 1 and not known[best].given_up


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 6), st.integers(0, 2**31))
def test_a_search_that_waits_takes_the_shoals_that_its_plan_counts(rounds, slots, seed):
    """With one second a step and a step from rung to rung, the plan's seconds are shoals."""
    shoals = [ShoalPlan(1, 8, "relu", "none", 32, slots, count * slots, 1.0, (1, 2, 3)) for count in rounds]
    *planned, _ = rung_seconds(shoals, 1, "halving")
    families = [family for family, count in enumerate(rounds) for _ in range(count * slots)]
    start = np.random.default_rng(seed).permutation(len(families)) + 10.0
    scores = np.column_stack([start, start - 2 * len(families), start - 3 * len(families)])  # nobody is given up
    jobs, _ = climb(families, scores, [slots] * len(rounds), waits=True)
    taken = [sum(rung == number for _, number, _ in jobs) for rung in range(RUNGS)]
    assert taken == [round(seconds / (1 + JOB_SECONDS)) for seconds in planned]


def test_a_plan_counts_trials_and_not_shoals_where_shapes_have_different_slots():
    """133 of 400 go on: half counted as of the shape of 8 slots, half evenly: 80 of it (10 jobs) and 53 of the other (1.7)."""
    shoals = [ShoalPlan(1, 8, "relu", "none", 32, slots, 10 * slots, 1.0, (1, 3, 9)) for slots in (8, 32)]
    first, second, third, retraining = rung_seconds(shoals, 1, "async")
    assert first == pytest.approx(20 * (1 + JOB_SECONDS)) and retraining == pytest.approx(9 + JOB_SECONDS)
    assert second == pytest.approx(12 * (2 + JOB_SECONDS))
    assert third == pytest.approx(4 * (6 + JOB_SECONDS))  # 44: 22 and 4.4 of it, 17.8 of the other: 3.9 jobs


def test_brackets_begin_where_the_ones_before_have_left_and_never_touch_their_trials():
    known, reached = [], []
    sampler = Listed([0] * 40)
    for count, first in brackets("hyperband", 40, RUNGS):
        before = len(known)
        bracket = Bracket(sampler, known, count, [4], first, RUNGS - 1, waits=True)
        assert bracket.before == before
        while job := bracket.next():
            assert min(each.number for each in job.climbers) >= before and job.rung >= first
            bracket.told(job, [10.0 - job.rung - each.number / 40 for each in job.climbers], [False] * len(job.climbers))
        assert len(known) - before == len(bracket.drawn) == count
        assert all(each.first == first and each.rung >= first for each in known[before:])
        reached.append(sum(each.rung == RUNGS - 1 for each in known[before:]))
    assert len(known) == 40 and min(reached) >= 1


def test_a_sampler_that_draws_fewer_than_asked_for_ends_the_bracket_all_the_same():
    known = []
    bracket = Bracket(Listed([0] * 5), known, 20, [2], 0, RUNGS - 1)
    while job := bracket.next():
        bracket.told(job, [float(each.number) - job.rung for each in job.climbers], [False] * len(job.climbers))
    assert len(known) == 5 and known[0].rung == RUNGS - 1


def test_jobs_that_are_still_out_keep_a_rung_from_being_decided_and_their_trials_alive():
    """As where several devices train at once."""
    known = []
    bracket = Bracket(Listed([0] * 6), known, 6, [2], 0, RUNGS - 1, waits=True)
    out = [job for _ in range(3) if (job := bracket.next())]
    assert len(out) == 3 and bracket.next() is None
    assert {each.number for each in bracket.alive()} == {*range(6)}
    for job in out:
        assert bracket.next() is None
        bracket.told(job, [float(each.number) for each in job.climbers], [False, False])
    climbing = bracket.next()
    assert climbing is not None and [each.number for each in climbing.climbers] == [0, 1]


def test_a_trial_is_given_up_only_when_even_the_last_gain_again_would_not_do():
    assert hoped_for([0.5, 0.4], 1) == pytest.approx(0.3) and hoped_for([0.5, 0.4], 2) == pytest.approx(0.2)
    assert hoped_for([0.4], 1) == -math.inf
    flat = np.column_stack([np.linspace(1, 2, 18), np.linspace(1, 2, 18) - 0.01, np.linspace(1, 2, 18) - 0.02])
    _, known = climb([0] * 18, flat, [1], waits=True)
    assert [each.number for each in known if each.rung == 2] == [0]
    assert any(each.given_up and each.ended for each in known) and not known[0].given_up


def test_a_trial_that_has_learned_nothing_is_given_up_once_another_has_come_to_the_end_with_less():
    # shoals of one: of nine trials the first comes to the end, and then the tenth is among the best third so far
    scores = np.array([[0.5, 0.4, 0.3], *[[0.6, 0.55, 0.5]] * 2, *[[5.0, 5.0, 5.0]] * 6, *[[1.0, 0.9, 0.2]] * 3])

    def tenth(flat_from):
        known = []
        bracket = Bracket(Listed([0] * len(scores)), known, len(scores), [1], 0, RUNGS - 1, False)
        while job := bracket.next():
            bracket.told(job, [float(scores[each.number, job.rung]) for each in job.climbers], [False], flat_from)
        return known[9].rung, known[9].given_up

    assert tenth(flat_from=0.97) == (0, True)
    assert tenth(flat_from=math.inf) == (1, False)


def test_the_mark_that_hope_is_measured_by_is_the_best_of_those_who_came_to_the_end():
    """The first comes to less than it promised; the third could beat that one, and not the second."""
    scores = np.full((27, RUNGS), [3.0, 2.9, 2.8])
    scores[:3] = [1.6, 1.0, 0.9], [1.6, 1.01, 0.5], [1.34, 1.02, 0.1]
    _, known = climb([0] * 27, scores, [1], waits=True)
    assert [each.rung for each in known[:3]] == [2, 2, 1] and known[2].given_up


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
