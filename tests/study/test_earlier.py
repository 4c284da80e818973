"""Earlier trials in the present space, from runs, from our studies and from other people's."""

import dataclasses
import sqlite3

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from shoal import storage
from shoal.errors import OptionError
from shoal.interval import Interval
from shoal.parameters import Choice, Range
from shoal.recipe import Recipe
from shoal.records import Plan, Run, SplitDecision, Verdict
from shoal.saved_run import OPTIONS, RECORD, to_plain
from shoal.space import Space
from shoal.study import FILE, Address, StudyWriter, earlier_trials

LR = FloatDistribution(1e-5, 10.0, log=True)


def run_of(folder, trials, fingerprint="one"):
    """A complete run's folder with these trials and little else."""
    verdict = Verdict("neither", "", (), 0.1, "estimated")
    record = Run(
        "a run", "search", "2030-01-01T00:00:00Z", {}, "", 0, fingerprint, "x.csv", "y", "regression", (), "RMSE", False, (),
        SplitDecision("shuffled", {}, ""), (), Plan("2m", (), (100,), len(trials), 1, ""), Recipe(),
        {"dev": {"RMSE": Interval(1, 1, 1)}}, (), verdict, "", (), tuple(trials), 1.0, {}, 1,
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    storage.write_json(folder / OPTIONS, {"format": 1})
    storage.write_json(folder / RECORD, to_plain(record))
    return folder


def foreign(path, *trials, name="theirs", **options):
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name=name, **options)
    study.add_trials(trials)
    return path


def theirs(value, state=TrialState.COMPLETE, distributions=None, **params):
    known = {
        "lr": LR,
        "learning_rate": LR,
        "n_layers": IntDistribution(1, 9),
        "units": IntDistribution(1, 1000),
        "x": FloatDistribution(0, 1),
    }
    known |= {"dropout": FloatDistribution(0, 0.9), "batch_size": CategoricalDistribution([16, 64, 256])}
    return create_trial(value=value, state=state, params=params, distributions={name: known[name] for name in params})


def test_a_run_gives_its_trials_back_as_they_were(tmp_path, space, trials_of):
    trials = trials_of(space, 12)
    earlier, notes = earlier_trials(run_of(tmp_path / "run", trials), space, data="one")
    assert [(each.recipe, each.score, each.steps, each.comparable) for each in earlier] == [
        (t.recipe, t.score, t.steps, True) for t in trials
    ]
    assert [each.settings for each in earlier] == [space.settings_of(trial.recipe) for trial in trials]
    assert notes == [f"12 earlier trials of {tmp_path / 'run'} are used: it has 12 trials."]


@pytest.mark.parametrize("form", ["{file}", "sqlite:///{file}", "sqlite:///{file}#a run", "{file}#a run", "{folder}"])
def test_a_study_of_ours_gives_the_same_trials_as_the_run(tmp_path, space, trials_of, form):
    trials = (
        trials_of(space, 6) + trials_of(space, 1, first=6, status="stopped at a rung") + trials_of(space, 2, first=7, purpose="retrain")
    )
    storage.write_json(tmp_path / OPTIONS, {"format": 1})
    writer = StudyWriter.in_folder(tmp_path, "a run", space)
    writer.put(trials)
    writer.close()
    earlier, _ = earlier_trials(form.format(file=tmp_path / FILE, folder=tmp_path), space)
    from_run, _ = earlier_trials(run_of(tmp_path / "run", trials), space)
    assert earlier == from_run
    assert [each.finished for each in earlier] == [True] * 6 + [False]


def test_what_diverged_or_lies_outside_is_left_out_and_counted(tmp_path, space, trials_of):
    trials = trials_of(space, 6)
    trials[1] = dataclasses.replace(trials[1], status="diverged")
    trials[2] = dataclasses.replace(trials[2], recipe=dataclasses.replace(trials[2].recipe, learning_rate=5.0))
    trials[3] = dataclasses.replace(trials[3], recipe=dataclasses.replace(trials[3].recipe, hidden_units=(9, 10)))
    earlier, notes = earlier_trials(run_of(tmp_path / "run", trials), space)
    assert [each.score for each in earlier] == [trials[0].score, trials[4].score, trials[5].score]
    assert "1 have no score and 2 lie outside the space (learning_rate of 1, " in notes[0]


def test_settings_that_the_space_does_not_have_are_named(tmp_path, space, trials_of):
    trials = [dataclasses.replace(trial, recipe=dataclasses.replace(trial.recipe, l2=0.1)) for trial in trials_of(space, 2)]
    earlier, notes = earlier_trials(run_of(tmp_path / "run", trials), space)
    assert len(earlier) == 2
    assert "l2 (in 2 trials)" in notes[1]


def test_other_data_only_tell_good_from_bad(tmp_path, space, trials_of):
    earlier, notes = earlier_trials(run_of(tmp_path / "run", trials_of(space, 2)), space, data="two")
    assert not any(each.comparable for each in earlier)
    assert "made on other data" in notes[-1]


def test_other_peoples_studies_are_read_under_their_own_names(tmp_path):
    space = Space.of(
        Recipe((32, 32), batch_size=64),
        [
            Range("learning_rate", 1e-4, 1.0, "log"),
            Choice("hidden_layers", (1, 2, 3)),
            Range("keep_prob", 0.5, 1.0),
            Choice("batch_size", (64, 256)),
        ],
    )
    path = foreign(
        tmp_path / "x.db",
        theirs(0.5, lr=0.01, n_layers=3, dropout=0.25, batch_size=64, x=0.1),
        theirs(0.4, lr=0.02, n_layers=7),
        theirs(0.3, lr=0.03, batch_size=16),
        theirs(0.2, lr=0.04),
        theirs(None, state=TrialState.FAIL, lr=0.05),
    )
    earlier, notes = earlier_trials(path, space)
    assert [(each.settings, each.score, each.steps, each.comparable) for each in earlier] == [
        ({"learning_rate": 0.01, "hidden_layers": 3, "keep_prob": 0.75, "batch_size": 64}, 0.5, None, False),
        ({"learning_rate": 0.04, "hidden_layers": 2, "keep_prob": 1.0, "batch_size": 64}, 0.2, None, False),
    ]
    assert notes == [
        f"2 earlier trials of {path} are used: it has 5 trials, of which 1 have no score and 2 lie outside the space "
        "(batch_size of 1, hidden_layers of 1).",
        "dropout was read as 1 - keep_prob.",
        "lr was read as learning_rate.",
        "n_layers was read as hidden_layers.",
        "Settings that this space does not have were passed over: x (in 1 trials). The scores were measured with them all the same.",
        "Earlier trials that do not say their batch_size are taken to have had that of the base: 64.",
        "Earlier trials that do not say their hidden_layers are taken to have had that of the base: 2.",
        "Earlier trials that do not say their keep_prob are taken to have had that of the base: 1.0.",
        "Values that another program measured are compared among themselves only, not with those of this search.",
    ]


def test_a_study_that_is_maximised_is_turned_round(tmp_path):
    space = Space.of(Recipe(), [Range("learning_rate", 1e-4, 1.0, "log")])
    path = foreign(tmp_path / "x.db", theirs(0.9, learning_rate=0.01), theirs(0.8, learning_rate=0.1), direction="maximize")
    earlier, notes = earlier_trials(path, space)
    assert min(earlier, key=lambda each: each.score).settings == {"learning_rate": 0.01}
    assert "The study is maximised: its values are used with the sign turned." in notes


def test_reading_changes_nothing(tmp_path):
    path = foreign(tmp_path / "x.db", theirs(0.9, learning_rate=0.01))
    before = path.read_bytes()
    earlier_trials(path, Space.of(Recipe(), [Range("learning_rate", 1e-4, 1.0, "log")]))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["x.db"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("none.db", "none.db, which does not exist"),
        ("sqlite:///none.db", "none.db, which does not exist"),
        ("text.db", "file is not a database"),
        ("other.db", "no such table"),
        ("empty", "the folder of a run; received empty, which is not one"),
        ("begun", "Continue it: shoal resume begun"),
        ("two.db", "names one study; received two.db, which holds 2. Write #NAME behind it. There are: a, b."),
        ("two.db#c", "names a study that exists; received 'c'. There are: a, b."),
        ("two.db#a", "has trials inside the space; received two.db#a: 1 trials, of which 1 lie outside the space (learning_rate of 1)"),
        ("many.db", "which has 2 objectives"),
        ("postgresql+psycopg2://me:secret@host/x", 'pip install "psycopg2-binary"'),
        ("what://ever", "driver"),
    ],
)
def test_a_source_of_no_use_is_refused_with_what_to_do(tmp_path, monkeypatch, source, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun").mkdir()
    storage.write_json(tmp_path / "begun" / OPTIONS, {"format": 1})
    (tmp_path / "text.db").write_text("this is a text, and no database at all; " * 40)
    sqlite3.connect("other.db").execute("CREATE TABLE t (x)").connection.close()
    if source.startswith("two"):
        foreign("two.db", theirs(0.9, learning_rate=5.0), name="a")
        foreign("two.db", name="b")
    if source == "many.db":
        optuna.create_study(storage="sqlite:///many.db", directions=["minimize", "maximize"])
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(OptionError) as raised:
        earlier_trials(source, Space.of(Recipe(), [Range("learning_rate", 1e-4, 1.0, "log")]))
    assert says in str(raised.value)
    assert "secret" not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_password_is_never_shown():
    assert "secret" not in str(Address.of("postgresql://me:secret@host/x#study"))
