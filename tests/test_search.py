"""A search over tiny shoals: who goes on, what is recorded, and that interruptions leave no mark."""

import functools
from dataclasses import replace

import jax
import numpy as np
import pytest

from shoal.errors import DataError
from shoal.halving import HALVING
from shoal.parameters import Range
from shoal.plan import RETRAINS, Budget, Method, Speed, plan_seconds, plan_trials
from shoal.population import Shoal, Tables, predict
from shoal.progress import Stop
from shoal.recipe import Recipe
from shoal.run_folder import FolderJournal, RunFolder
from shoal.search import Search
from shoal.space import Family, Space
from shoal.trainer import MOST_TRACE_POINTS, NoJournal, best_of
from shoal.training import Batch

ROWS, DEV_ROWS, COLUMNS, SLOTS, EPOCH = 120, 60, 4, 4, 4
RANGES = (Range("units", 2, 6, "integer", ""), Range("learning_rate", 1e-4, 0.1, "log", ""))
FAMILIES = [Family(Recipe((6,), activation, batch_size=32, epochs=9.0), 6, RANGES) for activation in ("tanh", "relu")]
PLAN = plan_trials(
    Budget.parse("70trials"), FAMILIES, [SLOTS] * 2, [EPOCH] * 2, method=Method("sobol", "halving")
)  # 35 a family: nine shoals, the last not full
PLAN = replace(PLAN, retrains=2)  # so that two recipes have room in the last shoal
EXPLODING = Range("learning_rate", 1e-2, 1e37, "log", "")


def part(rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, COLUMNS)).astype(np.float32)
    noise = rng.logistic(size=rows)
    return Batch(x, (x @ np.ones(COLUMNS) + noise > 0).astype(np.int32), np.ones(rows, np.float32))


@pytest.fixture(scope="module")
def tables():
    return Tables.load(part(ROWS, 0), part(DEV_ROWS, 1))


@pytest.fixture(scope="module")
def searched(tables):
    """Runs a search, and counts the steps its shoals trained."""
    shoals = {}

    def shoal_of(families):
        def make(number):
            base = families[number].base
            key = (base.shape, families[number].width, families[number].techniques)
            if key not in shoals:
                layout = tables.layout(base.shape, families[number].width, 1, "sigmoid", families[number].techniques)
                shoals[key] = Shoal(layout, SLOTS, tables, seed=0)
            return shoals[key]

        return make

    def run(families=FAMILIES, plan=PLAN, seed=0, journal=None, listener=lambda event: None, stop=None, **options):
        space = Space(families[0].base, (), tuple(families))
        return Search(space, shoal_of(families), plan, seed, journal or NoJournal(), listener, stop=stop, **options).run()

    return run


@pytest.fixture(scope="module")
def usual(searched):
    return searched()


def assert_identical(one, other):
    assert one.trials == other.trials and (one.recipe, one.family) == (other.recipe, other.family)
    for a, b in zip(jax.tree.leaves(one.networks), jax.tree.leaves(other.networks), strict=True):
        np.testing.assert_array_equal(a, b)


def of(searched, purpose):
    return [trial for trial in searched.trials if trial.purpose == purpose]


def score_at(trial, rung):
    """The lowest dev loss up to a rung, as it was recorded."""
    return min(loss for step, loss in zip(trial.trace.steps, trial.trace.dev_loss, strict=True) if step <= PLAN.rungs[rung])


def test_the_plan_has_three_rungs_of_which_each_is_three_times_the_one_before():
    assert PLAN.rungs == (EPOCH, 3 * EPOCH, 9 * EPOCH)  # 18 shoals in all
    assert [shoal.trials for shoal in PLAN.shoals] == [35, 35]


def test_every_trial_is_recorded_with_its_number_its_family_and_how_far_it_came(usual):
    trials = of(usual, "search")
    assert [trial.number for trial in trials] == list(range(70))
    assert [trial.shoal for trial in trials].count(0) == 35
    assert len({trial.seed for trial in trials}) == 70
    for trial in trials:
        assert trial.recipe.shape == FAMILIES[trial.shoal].shape
        assert trial.steps == PLAN.rungs[trial.rung]
        assert trial.trace.steps == tuple(range(EPOCH, trial.steps + 1, EPOCH))
        assert trial.trace.epochs == tuple(step / EPOCH for step in trial.trace.steps)
        assert trial.status in (("finished",) if trial.rung == 2 else ("stopped at a rung", "given up"))
        assert trial.score == pytest.approx(min(trial.trace.dev_loss), rel=1e-5)
        assert trial.trace.dev_loss[trial.best_step // EPOCH - 1] == min(trial.trace.dev_loss)


@pytest.mark.parametrize("rung", [0, 1])
def test_as_many_shoals_go_on_as_the_best_third_fills_and_they_hold_as_many_of_it_as_any_could(usual, rung):
    alive = [trial for trial in of(usual, "search") if trial.rung >= rung]
    going_on = {trial.number for trial in alive if trial.rung > rung or trial.status == "given up"}
    ranked = sorted(alive, key=lambda trial: score_at(trial, rung))
    best = ranked[: -(-len(alive) // HALVING)]
    shoals = -(-len(best) // SLOTS)
    assert len(going_on) == shoals * SLOTS and ranked[0].number in going_on
    by_family = [[trial.number for trial in ranked if trial.shoal == family] for family in range(2)]
    choices = [{*by_family[0][: k * SLOTS], *by_family[1][: (shoals - k) * SLOTS]} for k in range(shoals + 1)]
    assert going_on in choices  # of each family the best
    held = [len(choice & {trial.number for trial in best}) for choice in choices]
    assert held[choices.index(going_on)] == max(held)


def test_the_winner_has_the_lowest_mean_over_fresh_seeds_not_the_lowest_single_score(searched):
    """Recipes that are nearly the same, so that luck decides which comes first in a search."""
    families = [replace(FAMILIES[0], ranges=(Range("learning_rate", 0.02, 0.021, "log", ""),))]
    plan = replace(plan_trials(Budget.parse("12trials"), families, [SLOTS], [EPOCH]), retrains=2)
    overtaken = 0
    for seed in range(6):
        result = searched(families, plan, seed)
        retrained, scores = of(result, "retrain"), {}
        for trial in retrained:
            scores.setdefault(trial.recipe, []).append(trial.score)
        assert [len(each) for each in scores.values()] == [2, 2]
        assert min(scores, key=lambda recipe: np.mean(scores[recipe])) == result.recipe
        luckiest = min((trial for trial in of(result, "search") if trial.status == "finished"), key=lambda trial: trial.score)
        assert luckiest.recipe in scores
        overtaken += luckiest.recipe != result.recipe
        assert not {trial.seed for trial in retrained} & {trial.seed for trial in of(result, "search")}
        assert all(trial.steps == plan.rungs[-1] for trial in retrained)
    assert overtaken > 0


def test_the_winners_networks_are_those_of_its_fresh_seeds_at_their_best(usual, tables):
    dev = part(DEV_ROWS, 1)
    layout = tables.layout(FAMILIES[usual.family].shape, 6, 1, "sigmoid", FAMILIES[usual.family].techniques)
    probability = predict(layout, usual.networks, tables.encoding, dev.x).astype(np.float64)
    loss = -np.log(probability[:, np.arange(DEV_ROWS), dev.target]).mean(1)
    expected = [trial.score for trial in of(usual, "retrain") if trial.recipe == usual.recipe]
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_the_same_seed_searches_the_same_and_another_seed_differently(searched, usual):
    assert_identical(searched(), usual)
    other = searched(seed=1)
    assert not {trial.recipe for trial in other.trials} & {trial.recipe for trial in usual.trials}
    assert not {trial.seed for trial in other.trials} & {trial.seed for trial in usual.trials}


class Killed(Exception):
    """Stands for the end of the process."""


class Mortal(FolderJournal):
    """A journal in whose process something goes wrong after some jobs, before or after the last was acknowledged."""

    def __init__(self, folder, jobs, acknowledges):
        super().__init__(folder)
        self.jobs, self.acknowledges = jobs, acknowledges

    def add(self, result, state):
        self.jobs -= 1
        if self.jobs > 0 or self.acknowledges:
            super().add(result, state)
        if self.jobs <= 0:
            raise Killed


@pytest.mark.parametrize("jobs", [1, 7, 19, 20, 24])
@pytest.mark.parametrize("acknowledges", [True, False])
def test_a_search_interrupted_after_any_job_continues_to_the_same_result(searched, usual, tmp_path, jobs, acknowledges):
    folder = RunFolder(tmp_path)
    with pytest.raises(Killed):
        searched(journal=Mortal(folder, jobs, acknowledges))
    with (tmp_path / "trials").open("ab") as file:
        file.write(b"deadbeef {torn")
    assert_identical(searched(journal=FolderJournal(folder)), usual)


def test_a_search_interrupted_again_and_again_still_comes_to_the_same_end_and_trains_nothing_twice(searched, usual, tmp_path):
    folder, attempts = RunFolder(tmp_path), 0
    while True:
        attempts += 1
        try:
            result = searched(journal=Mortal(folder, 5, True))
            break
        except Killed:
            continue
    assert_identical(result, usual)
    lines = (tmp_path / "trials").read_bytes().splitlines()
    assert len(lines) == len(set(lines)) and attempts == len(lines) // 5 + 1


def test_a_finished_search_is_read_from_its_journal_without_training(searched, usual, tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    searched(journal=FolderJournal(folder))
    monkeypatch.setattr(Shoal, "advance", lambda *_: pytest.fail("trained again"))
    assert_identical(searched(journal=FolderJournal(folder)), usual)


@pytest.mark.parametrize("jobs", [1, 7, 25])
def test_a_search_that_is_stopped_ends_with_the_best_trial_so_far_and_goes_on_to_the_same_result(searched, usual, tmp_path, tables, jobs):
    folder, stop, heard = RunFolder(tmp_path), Stop(), []

    def listener(event):
        heard.append(event)
        stop.asked = len(heard) == jobs

    stopped = searched(journal=FolderJournal(folder), listener=listener, stop=stop)
    assert stopped.stopped and len(heard) == jobs == len((tmp_path / "trials").read_bytes().splitlines())
    best = min((trial for trial in stopped.trials if trial.score is not None), key=lambda trial: trial.score)
    assert stopped.recipe == best.recipe and len(stopped.winners) == 1
    dev = part(DEV_ROWS, 1)
    layout = tables.layout(best.recipe.shape, 6, 1, "sigmoid", FAMILIES[stopped.family].techniques)
    probability = predict(layout, stopped.networks, tables.encoding, dev.x).astype(np.float64)
    np.testing.assert_allclose(-np.log(probability[0, np.arange(DEV_ROWS), dev.target]).mean(), best.score, rtol=1e-4)
    final = {trial.number: trial for trial in usual.trials}
    assert all(trial == final[trial.number] for trial in stopped.trials if trial.number not in stopped.unfinished)
    assert_identical(searched(journal=FolderJournal(folder)), usual)


def test_who_asks_a_search_to_stop_before_it_has_anything_gets_its_first_shoal(searched):
    stopped = searched(stop=Stop(asked=True))
    assert stopped.stopped and len(stopped.trials) == SLOTS


def test_networks_that_diverge_are_recorded_and_the_others_find_a_winner(searched):
    families = [replace(FAMILIES[1], base=replace(FAMILIES[1].base, optimiser="gradient_descent"), ranges=(EXPLODING,))]
    result = searched(families, plan_trials(Budget.parse("16trials"), families, [SLOTS], [EPOCH]))
    by_status = {status: [t for t in of(result, "search") if t.status == status] for status in ("diverged", "finished")}
    assert by_status["diverged"] and by_status["finished"]
    assert all(trial.score is None or np.isfinite(trial.score) for trial in result.trials)
    assert result.recipe.learning_rate < 1e3
    assert all(value is None or np.isfinite(value) for t in result.trials for value in (*t.trace.dev_loss, *t.trace.train_loss))


def test_a_search_in_which_everything_diverges_says_so(searched):
    hopeless = Range("learning_rate", 1e36, 1e37, "log", "")
    families = [replace(FAMILIES[1], base=replace(FAMILIES[1].base, optimiser="gradient_descent"), ranges=(hopeless,))]
    with pytest.raises(DataError, match="without diverging"):
        searched(families, plan_trials(Budget.parse("4trials"), families, [SLOTS], [EPOCH]))


def test_a_single_trial_is_trained_on_the_fresh_seeds_at_once(searched):
    """More seeds than slots take several shoals."""
    result = searched(FAMILIES[:1], plan_trials(Budget.parse("1trial"), FAMILIES[:1], [SLOTS], [EPOCH]))
    assert not of(result, "search") and len(of(result, "retrain")) == RETRAINS > SLOTS
    assert {trial.recipe for trial in result.trials} == {result.recipe}


SPEEDS = [Speed(0.1, 1.0)] * 2
FIRST_RECIPES = plan_seconds(Budget.parse("10s"), 15.0, FAMILIES, [SLOTS] * 2, SPEEDS, [EPOCH] * 2, sound=True)


def test_first_recipes_are_compared_on_the_winners_seeds_and_the_best_goes_on_as_if_alone(searched):
    assert FIRST_RECIPES.first_recipes and FIRST_RECIPES.rungs[-1] == 9 * EPOCH
    result = searched(plan=FIRST_RECIPES)
    others, winners = of(result, "search"), of(result, "retrain")
    assert len(others) == len(winners) == RETRAINS > SLOTS
    assert [trial.seed for trial in others] == [trial.seed for trial in winners]
    assert {trial.recipe for trial in others} != {trial.recipe for trial in winners} == {result.recipe}
    assert all((trial.status, trial.steps) == ("stopped at a rung", FIRST_RECIPES.rungs[0]) for trial in others)

    def at_first(trials):
        return np.mean(
            [
                min(loss for step, loss in zip(t.trace.steps, t.trace.dev_loss, strict=True) if step <= FIRST_RECIPES.rungs[0])
                for t in trials
            ]
        )

    assert at_first(winners) < at_first(others)
    family = [replace(FAMILIES[result.family], begins_with_base=True)]
    alone = searched(family, plan_trials(Budget.parse("1trial"), family, [SLOTS], [EPOCH]))
    for one, other in zip(jax.tree.leaves(result.networks), jax.tree.leaves(alone.networks), strict=True):
        np.testing.assert_array_equal(one, other)


LATE = plan_seconds(Budget.parse("10s"), 60.0, FAMILIES, [SLOTS] * 2, SPEEDS, [EPOCH] * 2, sound=True, lengthens=False, searches=False)


def test_first_recipes_that_are_compared_near_the_end_may_all_be_trained_to_it(searched):
    assert LATE.first_recipes and LATE.rungs == (8 * EPOCH, 9 * EPOCH)
    usual, together = searched(plan=LATE), searched(plan=LATE, ends_together=True)
    assert not usual.finished
    others = of(together, "search")
    assert len(others) == len(together.finished) == RETRAINS
    assert all((trial.status, trial.steps) == ("finished", 9 * EPOCH) for trial in others)
    assert [network.number for network in together.finished] == [trial.number for trial in others]
    assert all(network.state is not None for network in together.finished)
    assert together.recipe == usual.recipe and of(together, "retrain") == of(usual, "retrain")
    for one, other in zip(jax.tree.leaves(together.networks), jax.tree.leaves(usual.networks), strict=True):
        np.testing.assert_array_equal(one, other)
    family = next(number for number in range(2) if number != together.family)
    alone = [replace(FAMILIES[family], begins_with_base=True)]
    expected = searched(alone, plan_trials(Budget.parse("1trial"), alone, [SLOTS], [EPOCH]))
    for one, other in zip(jax.tree.leaves(best_of(together.finished)), jax.tree.leaves(expected.networks), strict=True):
        np.testing.assert_array_equal(one, other)
    early = searched(plan=FIRST_RECIPES, ends_together=True)
    assert_identical(early, searched(plan=FIRST_RECIPES))


@pytest.mark.parametrize(("plan", "jobs"), [*((FIRST_RECIPES, jobs) for jobs in range(1, 6)), *((LATE, jobs) for jobs in range(5, 8))])
def test_a_comparison_of_first_recipes_that_is_killed_or_stopped_goes_on_to_the_same_result(searched, tmp_path, plan, jobs):
    searched = functools.partial(searched, plan=plan, ends_together=True)
    whole = searched()
    with pytest.raises(Killed):
        searched(journal=Mortal(RunFolder(tmp_path), jobs, True))
    assert_identical(searched(journal=FolderJournal(RunFolder(tmp_path))), whole)
    (tmp_path / "stopped").mkdir()
    stopping, stop, heard = RunFolder(tmp_path / "stopped"), Stop(), []

    def listener(event):
        heard.append(event)
        stop.asked = len(heard) >= jobs

    stopped = searched(journal=FolderJournal(stopping), listener=listener, stop=stop)
    assert stopped.stopped and len(stopped.winners) == 1
    assert stopped.recipe == FAMILIES[stopped.family].base
    assert_identical(searched(journal=FolderJournal(stopping)), whole)


def test_first_recipes_of_which_all_diverge_say_so(searched):
    hopeless = {"activation": "relu", "optimiser": "gradient_descent", "learning_rate": 1e37}
    families = [replace(family, base=replace(family.base, **hopeless)) for family in FAMILIES]
    with pytest.raises(DataError, match="without diverging"):
        searched(families, FIRST_RECIPES)


def test_shoals_are_as_full_as_the_trials_of_each_family_and_rung_can_make_them(usual):
    trained = [(rung, trial.shoal) for trial in of(usual, "search") for rung in range(trial.rung + 1)]
    trained += [(3, trial.shoal) for trial in of(usual, "retrain")]
    slots = sum(-(-trained.count(each) // SLOTS) * SLOTS for each in set(trained))
    assert usual.shoals_used == pytest.approx(len(trained) / slots) and usual.shoals_used > 0.9


def test_a_trial_is_given_up_where_its_own_curve_leads_nowhere_and_only_then(usual):
    """As if a further rung brought as much as the last one did; whoever came to the last rung set the mark."""
    best = min(trial.score for trial in of(usual, "search") if trial.rung == 2)
    given_up = [trial for trial in of(usual, "search") if trial.status == "given up"]
    assert given_up
    for trial in given_up:
        assert trial.rung == 1 and score_at(trial, 1) - (score_at(trial, 0) - score_at(trial, 1)) > best


def test_the_listener_hears_every_shoal_and_never_of_a_worse_best_within_a_rung(searched):
    events = []
    searched(listener=events.append)
    for stage, rung in (("search", 0), ("retrain", 2)):
        heard = [event for event in events if (event.stage, event.rung) == (stage, rung)]
        assert heard and heard[-1].done == heard[-1].trials
        assert [event.done for event in heard] == sorted(event.done for event in heard)
        best = [event.best for event in heard]
        assert best == sorted(best, reverse=True)
        assert all(0 < event.alive <= event.trials for event in heard)
    assert len(events) == len({(event.stage, event.rung, event.done) for event in events})


def test_long_traces_are_thinned_and_keep_their_ends(searched):
    families = [replace(FAMILIES[0], base=replace(FAMILIES[0].base, epochs=300.0))]
    plan = plan_trials(Budget.parse("4trials"), families, [SLOTS], [EPOCH])
    for trial in searched(families, plan).trials:
        assert len(trial.trace.steps) == MOST_TRACE_POINTS
        assert (trial.trace.steps[0], trial.trace.steps[-1]) == (EPOCH, 300 * EPOCH)
        assert len(trial.trace.dev_loss) == len(trial.trace.steps)
