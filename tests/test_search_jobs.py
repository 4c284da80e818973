"""Searches from a table to a result: what is recorded, gone on from, shared, and made the model of."""

import numpy as np
import optuna
import pytest

import shoal
from shoal import Choice, OptionError, Range, Recipe, Space, job
from shoal.data import read_table
from shoal.planner import Planner

SPACE = Space.of(
    Recipe(hidden_units=(8,), epochs=9.0, batch_size=32),
    [Range("learning_rate", 1e-3, 1e-1, "log"), Range("units", 4, 8, "log_integer"), Choice("keep_prob", (1.0, 0.9))],
)


def search(**options):
    return shoal.search("example:wine", **{"space": SPACE, "budget": "16trials", "seed": 3, **options})


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    return search(out=tmp_path_factory.mktemp("runs") / "first")


def of_search(result):
    return [trial for trial in result.record.trials if trial.purpose == "search"]


def test_all_trials_lie_in_the_space_and_the_plan_says_how_they_were_drawn_and_stopped(searched):
    trials = of_search(searched)
    assert len(trials) == 16 == searched.record.plan.trials
    assert (searched.record.plan.sampler, searched.record.plan.halving) == ("coarse-to-fine", "async")
    for trial in trials:
        settings = SPACE.settings_of(trial.recipe)
        assert 1e-3 <= settings["learning_rate"] <= 1e-1 and 4 <= settings["units"] <= 8 and settings["keep_prob"] in (1.0, 0.9)
        assert trial.recipe.epochs == 9


def test_a_search_answers_what_mattered_and_what_was_luck(searched):
    answers = searched.record.answers
    assert answers.winner.seeds == 8 and answers.luck is not None
    assert {each.name for each in answers.importance.parameters} == {"learning_rate", "units", "keep_prob"}
    assert searched.record.ledger is None  # no recipe loop came before it


def test_its_trials_are_an_optuna_study_with_parameters_values_and_states(searched):
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{searched.folder / 'study.db'}")
    by_number = {(each.user_attrs["purpose"], each.user_attrs["trial"]): each for each in study.trials}
    assert len(study.trials) == len(searched.record.trials) == len(by_number)
    for trial in searched.record.trials:
        written = by_number[trial.purpose, trial.number]
        assert written.params == pytest.approx(SPACE.settings_of(trial.recipe))
        stopped = trial.status == "stopped at a rung"
        assert written.state == (optuna.trial.TrialState.PRUNED if stopped else optuna.trial.TrialState.COMPLETE)
        assert min(written.intermediate_values.values()) == pytest.approx(trial.score, rel=1e-4)


def test_the_best_recipes_of_an_earlier_run_are_tried_first(searched):
    finished = sorted((trial for trial in of_search(searched) if trial.status == "finished"), key=lambda trial: trial.score)
    result = search(continue_from=searched.folder, seed=4)
    assert [trial.recipe for trial in of_search(result)[:4]] == [trial.recipe for trial in finished[:4]]
    assert len(of_search(result)) == 16


def test_a_process_considers_what_others_have_found_before_it_retrains(searched, tmp_path):
    """The other process has found the same space's best; this one's own trials are hopeless."""
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    search(storage=storage, study="together")
    slow = Recipe(hidden_units=(8,), epochs=9.0, batch_size=32, learning_rate=1e-3)
    best = min((trial for trial in of_search(searched) if trial.status == "finished"), key=lambda trial: trial.score)
    second = search(storage=storage, study="together", seed=5, budget="2trials")
    assert best.recipe in {trial.recipe for trial in second.record.trials if trial.purpose == "retrain"}
    assert slow not in {trial.recipe for trial in second.record.trials}


def test_the_model_may_be_one_network_or_the_best_of_all_trials_together(searched):
    single, greedy = search(final="single"), search(final="greedy")
    assert (searched.model.size, single.model.size) == (8, 1)
    retrained = [trial for trial in single.record.trials if trial.purpose == "retrain"]
    assert single.model.scores == (min(trial.score for trial in retrained if trial.score is not None),)
    assert greedy.record.chosen is not None and greedy.record.chosen.library > 8 and greedy.record.chosen.text
    assert greedy.model.shares is not None and sum(greedy.model.shares) == pytest.approx(1)
    for result in (single, greedy):
        loss = result.record.scores["dev"]["log_loss"].value
        assert np.isfinite(loss) and loss < 0.5


def test_a_search_after_the_users_recipe_minimises_its_loss():
    own = Recipe(hidden_units=(8,), loss="quantile", quantile=0.9, learning_rate=1e-2, epochs=20.0, batch_size=32)
    result = shoal.improve("example:diabetes", target="target", begin=own, budget="12trials")
    assert {(trial.recipe.loss, trial.recipe.quantile) for trial in result.record.trials} == {("quantile", 0.9)}
    rows = read_table("example:diabetes")
    assert 0.8 < (result.predict(rows)["prediction"].to_numpy() > rows["target"].to_numpy()).mean() < 0.98


def test_a_plan_is_what_the_search_then_keeps_to(searched):
    assert shoal.plan_search("example:wine", space=SPACE, budget="16trials", seed=3) == searched.record.plan


def test_a_plan_leaves_time_for_the_final_model_that_is_asked_for(monkeypatch):
    distils = []
    monkeypatch.setattr(Planner, "plan", lambda self: (distils.append(self.distils), None))
    for final in ("mean", "greedy", "distilled"):
        shoal.plan_search("example:wine", budget="20s", final=final)
    assert distils == [False, False, True]
    with pytest.raises(OptionError, match="Did you mean 'distilled'"):
        shoal.plan_search("example:wine", final="distiled")


@pytest.mark.parametrize(
    ("budget", "begin", "order"),
    [
        ("15s", None, ["programs", "references"]),
        ("15s", Recipe(), ["references"]),  # what is searched is around the user's recipe
        ("2m", None, ["references"]),  # and here around what the loop keeps
        ("4trials", None, ["references"]),
    ],
)
def test_programs_are_begun_before_the_references_where_it_is_known_which(monkeypatch, budget, begin, order):
    class Enough(Exception):
        pass

    def trained(*given):
        begun.append("references")
        raise Enough

    begun = []
    monkeypatch.setattr(Planner, "compile_ahead", lambda self: begun.append("programs"))
    monkeypatch.setattr(job, "train_references", trained)
    with pytest.raises(Enough):
        shoal.improve("example:wine", budget=budget, begin=begin)
    assert begun == order


def test_everything_wrong_with_a_search_is_said_at_once():
    with pytest.raises(OptionError) as error:
        search(sampler="sobool", rungs="asink", budget="soon", final="median", storage="nowhere://x")
    text = str(error.value)
    for correction in ("Did you mean 'sobol'?", "Did you mean 'async'?", "200trials", "mean"):
        assert correction in text
    assert len(error.value.problems) == 5


def test_a_space_that_does_not_suit_the_target_is_refused():
    space = Space.of(Recipe(loss="huber"), [Range("learning_rate", 1e-3, 1e-1, "log")])
    with pytest.raises(OptionError, match="huber"):
        search(space=space)
