"""Trials as an Optuna study: read back with Optuna itself."""

import dataclasses
import sqlite3
import time
from datetime import datetime

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from shoal.errors import OptionError
from shoal.parameters import Choice, Range
from shoal.recipe import Recipe
from shoal.space import Space
from shoal.study import FILE, Address, StudyWriter, storage_problems
from shoal.study.rows import Rows, frozen


def written(folder, space, trials, name="a run", **options):
    writer = StudyWriter.in_folder(folder, name, space, **options)
    writer.put(trials)
    assert writer.close() == ()
    return load(folder, name)


def load(folder, name="a run"):
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / FILE}")


def plain(trial):
    """What there is to a trial but its id and its times."""
    return (trial.number, trial.state, trial.values, trial.params, trial.distributions, trial.user_attrs, trial.intermediate_values)


def test_parameters_are_as_they_were_drawn_with_the_distributions_of_their_scales(tmp_path, space, trials_of):
    trials = trials_of(space, 20)
    study = written(tmp_path, space, trials)
    for before, after in zip(trials, study.trials, strict=True):
        assert after.params == space.settings_of(before.recipe)
        assert space.recipe_of(after.params) == before.recipe
    distributions = {name: each for trial in study.trials for name, each in trial.distributions.items()}
    assert distributions == {
        "learning_rate": FloatDistribution(1e-4, 1.0, log=True),
        "units": IntDistribution(8, 64, log=True),
        "keep_prob": FloatDistribution(0.5, 1.0),
        "beta1": FloatDistribution(0.9, 0.999),
        "optimiser": CategoricalDistribution(["momentum", "rmsprop"]),
        "batch_size": CategoricalDistribution([64, 256]),
        "architecture": CategoricalDistribution(["hidden_layers 2, activation relu", "hidden_layers 3, activation silu"]),
    }


def test_a_parameter_that_does_not_matter_is_absent(tmp_path, space, trials_of):
    study = written(tmp_path, space, trials_of(space, 20))
    assert {trial.params["optimiser"]: "beta1" in trial.params for trial in study.trials} == {"momentum": True, "rmsprop": False}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("finished", TrialState.COMPLETE),
        ("stopped early", TrialState.COMPLETE),
        ("stopped at a rung", TrialState.PRUNED),
        ("diverged", TrialState.FAIL),
    ],
)
def test_what_became_of_a_trial_is_its_state(tmp_path, space, trials_of, status, state):
    (before,) = trials_of(space, 1, status=status)
    (after,) = written(tmp_path, space, [before]).trials
    assert after.state == state
    assert after.value == (None if state == TrialState.FAIL else before.score)


def test_dev_losses_are_intermediate_values_at_their_steps_without_those_that_do_not_exist(tmp_path, space, trials_of):
    (before,) = trials_of(space, 1)
    before = dataclasses.replace(before, trace=dataclasses.replace(before.trace, steps=(50, 100, 150), dev_loss=(0.7, 0.6, None)))
    assert written(tmp_path, space, [before]).trials[0].intermediate_values == {50: 0.7, 100: 0.6}


def test_seed_steps_rung_family_and_purpose_go_with_a_trial(tmp_path, space, trials_of):
    before = trials_of(space, 1, first=3, purpose="retrain")[0]
    attributes = written(tmp_path, space, [before]).trials[0].user_attrs
    expected = {"run": "a run", "trial": 3, "purpose": "retrain", "seed": 10, "steps": 300, "rung": 2, "family": before.shoal}
    assert {name: attributes[name] for name in expected} == expected


def test_the_study_is_minimised_names_its_metric_and_says_what_a_linear_scale_hides(tmp_path, space, trials_of):
    study = written(tmp_path, space, trials_of(space, 5))
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert study.metric_names == ["dev loss"]
    assert "log scale of 1 - beta1" in study.user_attrs["scale of beta1"]
    assert study.best_value == min(trial.value for trial in study.trials if trial.value is not None)


def test_rows_are_those_that_optuna_writes_itself(tmp_path, space, trials_of):
    """Every state, and every kind of value; Optuna's own writing is the expectation."""
    statuses = ("finished", "stopped early", "stopped at a rung", "diverged")
    trials = [frozen(trials_of(space, 1, first=number, status=statuses[number % 4])[0], space, "a run") for number in range(12)]
    by_optuna = optuna.create_study(storage=f"sqlite:///{tmp_path / 'optuna.db'}", study_name="same")
    by_optuna.add_trials(trials)
    opened = Address.of_file(tmp_path / "shoal.db").open(new=True)
    study = opened.study("same")
    Rows(opened, study).add(trials[:5])
    Rows(opened, study).add(trials[5:])
    assert list(map(plain, study.trials)) == list(map(plain, by_optuna.trials))
    for trial in study.trials:
        assert trial.datetime_start and trial.datetime_complete
        assert abs(trial.datetime_start - datetime.now()).total_seconds() < 600  # in local time, as Optuna gives it
    opened.close()


def test_tables_of_another_version_are_left_to_optuna(tmp_path, space, trials_of, monkeypatch):
    monkeypatch.setattr("shoal.study.rows.TABLES_OF", "v9")
    monkeypatch.setattr(Rows, "_insert", None)
    assert len(written(tmp_path, space, trials_of(space, 3)).trials) == 3


def test_optuna_goes_on_with_a_study_of_ours(tmp_path, space, trials_of):
    study = written(tmp_path, space, trials_of(space, 12))
    asked = study.ask()
    asked.suggest_float("learning_rate", 1e-4, 1.0, log=True)
    study.tell(asked, 0.5)
    assert [trial.number for trial in study.trials] == list(range(13))


def test_a_trial_is_written_once_however_often_a_run_is_resumed(tmp_path, space, trials_of):
    trials = trials_of(space, 10)
    written(tmp_path, space, trials[:4])
    written(tmp_path, space, trials[2:7] + trials[:3])
    study = written(tmp_path, space, trials)
    assert sorted(trial.user_attrs["trial"] for trial in study.trials) == list(range(10))


def test_the_search_does_not_wait_for_the_database(tmp_path, space, trials_of):
    writer = StudyWriter.in_folder(tmp_path, "a run", space)
    blocker = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    began = time.perf_counter()
    writer.put(trials_of(space, 50))
    assert time.perf_counter() - began < 0.2
    blocker.execute("ROLLBACK")
    blocker.close()
    assert writer.close() == ()
    assert len(load(tmp_path).trials) == 50


def test_a_recipe_outside_the_ranges_widens_them_and_another_choice_is_kept_beside(tmp_path, space, trials_of):
    (trial,) = trials_of(space, 1)
    trial = dataclasses.replace(trial, recipe=dataclasses.replace(trial.recipe, learning_rate=2.0, batch_size=32, hidden_units=(80, 80)))
    (after,) = written(tmp_path, space, [trial]).trials
    assert after.distributions["learning_rate"] == FloatDistribution(1e-4, 2.0, log=True)
    assert after.distributions["units"] == IntDistribution(8, 80, log=True)
    assert after.user_attrs["other settings"] == {"batch_size": 32}


def test_a_failure_of_the_database_is_a_note_and_the_trials_are_written_if_it_comes_back(tmp_path, space, trials_of, monkeypatch):
    insert, failures = Rows._insert, iter([True, False])

    def once(self, connection, trials):
        insert(self, connection, trials)
        if next(failures):
            raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Rows, "_insert", once)
    assert len(written(tmp_path, space, trials_of(space, 4)).trials) == 4

    monkeypatch.setattr(Rows, "_insert", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("database or disk is full")))
    writer = StudyWriter.in_folder(tmp_path, "a run", space)
    writer.put(trials_of(space, 3, first=4))
    (note,) = writer.close()
    missing = f"3 of the trials are missing from the study in {tmp_path / FILE}: database or disk is full."
    assert note == missing + " The run's own record has all of them."
    assert len(load(tmp_path).trials) == 4


def test_a_folder_may_have_any_name(tmp_path, space, trials_of):
    folder = tmp_path / "a #1 {run}? 100%20 é"
    folder.mkdir()
    writer = StudyWriter.in_folder(folder, "a run", space)
    writer.put(trials_of(space, 2))
    assert writer.close() == ()
    assert [path.name for path in folder.iterdir()] == [FILE]


@pytest.mark.parametrize("keep", [1, 0.5, 4096, -1])
def test_a_file_that_was_cut_short_is_written_anew(tmp_path, space, trials_of, keep):
    trials = trials_of(space, 30)
    written(tmp_path, space, trials)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    writer = StudyWriter.in_folder(tmp_path, "a run", space)
    writer.put(trials)
    assert writer.close() == ("study.db was damaged; it was written anew from the run's own record of its trials.",)
    assert len(load(tmp_path).trials) == 30


def test_a_file_whose_rows_make_no_sense_is_written_anew(tmp_path, space, trials_of):
    trials = trials_of(space, 3)
    written(tmp_path, space, trials)
    connection = sqlite3.connect(tmp_path / FILE)
    with connection:
        connection.execute("UPDATE trial_user_attributes SET value_json = '1 2'")
    connection.close()
    writer = StudyWriter.in_folder(tmp_path, "a run", space)
    writer.put(trials)
    writer.close()
    assert len(load(tmp_path).trials) == 3


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (Range("learning_rate", 1e-4, 1.0), "a linear range after a log range"),
        (Choice("batch_size", (32, 64)), "one of 32, 64 after one of 64, 256"),
        (Range("units", 8, 64, "integer"), "a linear range of whole numbers after a log range of whole numbers"),
    ],
)
def test_a_study_of_other_parameters_is_refused_before_the_search(tmp_path, space, trials_of, changed, says):
    written(tmp_path, space, trials_of(space, 3))
    with pytest.raises(OptionError, match=says):
        StudyWriter.in_folder(tmp_path, "a run", Space.of(Recipe(batch_size=64), [changed]))


def test_a_study_of_other_data_is_refused_before_the_search(tmp_path, space, trials_of):
    written(tmp_path, space, trials_of(space, 3), data="one")
    written(tmp_path, space, trials_of(space, 3), data="one")
    with pytest.raises(OptionError, match="trials on other data"):
        StudyWriter.in_folder(tmp_path, "a run", space, data="two")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("not an address", "--storage is the address of a database; received 'not an address'"),
        ("mongodb://host/x", "a mongodb database"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///{folder}/none/x.db", "the folder of the --storage file exists"),
        ("sqlite:///{folder}", "can be opened"),
        ("sqlite:///{folder}/text.db", "file is not a database"),
        ("sqlite:///{folder}/x.db#name", "Give the study's name apart"),
        ("mysql+pymysql://me:secret@host/x", 'needs pymysql. Install it: pip install "pymysql".'),
        ("postgresql+psycopg2://me:secret@host/x", 'needs psycopg2. Install it: pip install "psycopg2-binary".'),
        ("postgresql+psycopg://me:secret@host/x", 'needs psycopg. Install it: pip install "psycopg[binary]".'),
        ("mysql+nothing://host/x", "the driver in --storage is known"),
    ],
)
def test_a_storage_that_cannot_be_used_is_said_before_the_search(tmp_path, url, says):
    (tmp_path / "text.db").write_text("this is a text, and no database at all; " * 40)
    (problem,) = storage_problems(url.format(folder=tmp_path))
    assert says in str(problem)
    assert "secret" not in str(problem)
    assert [path.name for path in tmp_path.iterdir()] == ["text.db"]


def test_a_storage_that_can_be_used_has_no_problems_and_a_new_file_is_not_made_yet(tmp_path, space, trials_of):
    assert storage_problems(f"sqlite:///{tmp_path}/new.db") == []
    assert list(tmp_path.iterdir()) == []
    written(tmp_path, space, trials_of(space, 1))
    assert storage_problems(f"sqlite:///{tmp_path / FILE}") == []
