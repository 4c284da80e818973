"""Diagnosis of any scikit-learn estimator by refitting it, and of a run from its record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import mean_squared_error, zero_one_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

import shoal
from shoal.data import load
from shoal.diagnose import CHECKS, best_first
from shoal.diagnosis import diagnose, diagnose_estimator
from shoal.errors import InputError, OptionError
from shoal.experiments.refits import Subject, random_state
from shoal.records import Finding, Interval

from .report.example_run import classification

ROWS = 1_500


def noisy_sum(rows: int = ROWS, noise: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Class 1 where two of six columns add up to more than 0; a share of the labels is turned round."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 6))
    return X, ((X[:, 0] + X[:, 1] > 0) ^ (rng.random(rows) < noise)).astype(int)


def exclusive_or(rows: int = ROWS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What no linear model can tell."""
    X = np.random.default_rng(seed).normal(size=(rows, 2))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def told(estimator: Any, X: Any, y: Any = None, **options: Any) -> shoal.Diagnosis:
    return diagnose_estimator(estimator, X, y, **{"seeds": 2, "curve": False, **options})


def found(diagnosis: shoal.Diagnosis) -> list[str]:
    return [finding.code for finding in diagnosis.findings if finding.outcome == "found"]


def test_a_tree_grown_to_the_end_has_high_variance():
    diagnosis = told(DecisionTreeClassifier(), *noisy_sum(4_000, 0.1), target_error=0.1)
    assert diagnosis.scores["train"].value == 0.0
    assert diagnosis.verdict.title == "high variance"
    assert found(diagnosis)[0] == "SH102"
    assert diagnosis.findings[0].gain == pytest.approx(diagnosis.scores["dev"].value)


def test_a_linear_model_of_an_exclusive_or_has_high_bias_and_the_next_step_names_what_does_better():
    diagnosis = told(LogisticRegression(), *exclusive_or())
    assert diagnosis.verdict.title == "high bias"
    assert {"SH101", "SH107"} <= set(found(diagnosis))
    assert diagnosis.next_step.startswith("Use gradient boosting instead")
    assert "network" not in diagnosis.next_step + "".join(each.text + each.advice for each in diagnosis.findings)


def test_a_model_that_is_sure_and_wrong_does_not_show_that_labels_are_wrong():
    assert "SH310" in told(LogisticRegression(), *exclusive_or()).healthy


def test_a_fitting_model_on_clean_rows_is_left_alone():
    diagnosis = told(LogisticRegression(C=100.0), *noisy_sum(8_000, 0.0), target_error=0.0)
    assert (diagnosis.verdict.title, found(diagnosis)) == ("neither", [])
    assert diagnosis.next_step.startswith("Nothing stands out")
    assert {"SH101", "SH102", "SH107", "SH108", "SH110"} <= diagnosis.healthy.keys()


def test_a_model_of_noise_does_not_beat_the_trivial_answer():
    X, y = noisy_sum()
    assert "SH108" in found(told(KNeighborsClassifier(), X, np.random.default_rng(1).permutation(y)))


def test_the_error_is_the_mean_of_those_of_single_fits_from_states_of_their_own():
    """Against scikit-learn's own loss of clones fitted by hand on the same split."""
    X, y = noisy_sum(600)
    data = load(X, y=y, seed=3)
    errors = [
        zero_one_loss(data.truth["dev"], forest.predict(data.inputs["dev"]))
        for state in (random_state(3, 0), random_state(3, 1))
        for forest in [RandomForestClassifier(3, random_state=state).fit(data.inputs["train"], data.truth["train"])]
    ]
    assert errors[0] != errors[1]
    assert told(RandomForestClassifier(3), X, y, seed=3).scores["dev"].value == pytest.approx(np.mean(errors))


def test_a_regressor_is_measured_in_the_targets_own_unit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = 1_000 + 50 * X[:, 0] + rng.normal(size=500)
    data = load(X, y=y)
    expected = mean_squared_error(data.truth["dev"], Ridge().fit(data.inputs["train"], data.truth["train"]).predict(data.inputs["dev"]))
    diagnosis = told(Ridge(), X, y)
    assert (diagnosis.task, diagnosis.metric) == ("regression", "rmse")
    assert diagnosis.scores["dev"].value == pytest.approx(np.sqrt(expected), rel=1e-6)


def members(estimator: Any, seeds: int = 3) -> np.ndarray:
    data = load(*noisy_sum(300)[:1], y=noisy_sum(300)[1])
    return Subject(estimator, data, dict(data.inputs)).members(0, seeds, {"dev": data.inputs["dev"]})["dev"]


def test_every_random_state_of_a_pipeline_is_set_and_an_estimator_that_draws_nothing_is_fitted_once():
    drawn = members(make_pipeline(StandardScaler(), DecisionTreeClassifier(splitter="random")))
    assert len(drawn) == 3
    assert not np.array_equal(drawn[0], drawn[1])
    assert len(members(KNeighborsClassifier())) == 1
    assert len(members(LogisticRegression())) == 1  # it has a random state, of which nothing depends


def test_the_estimator_itself_is_not_touched():
    forest = RandomForestClassifier(3)
    told(forest, *noisy_sum(300))
    assert forest.random_state is None
    with pytest.raises(NotFittedError):
        check_is_fitted(forest)


def test_the_same_seed_gives_the_same_diagnosis():
    X, y = noisy_sum(300)
    first, again, other = (told(RandomForestClassifier(3), X, y, seed=seed, curve=True) for seed in (1, 1, 2))
    assert first == again
    assert first.scores != other.scores


class Recording(ClassifierMixin, BaseEstimator):
    """Answers the most frequent label, and keeps what it was fitted on."""

    seen: ClassVar[list[Any]] = []

    def fit(self, X, y):
        self.seen.append((X, y))
        self.classes_, counts = np.unique(y, return_counts=True)
        self.label_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X):
        return np.repeat(self.label_, len(X))


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [3, 7], [-1, 1]])
def test_labels_reach_the_estimator_in_their_own_type(labels: list[Any]):
    X, y = noisy_sum(300)
    Recording.seen.clear()
    diagnosis = told(Recording(), X, np.array(labels)[np.where(np.arange(300) < 200, 0, y)])
    given = Recording.seen[0][1]
    assert sorted(set(given.tolist())) == sorted(labels)
    assert diagnosis.scores["dev"].value == pytest.approx(np.mean(np.where(np.arange(300) < 200, 0, y)), abs=0.02)


def test_bare_decisions_are_no_probabilities():
    X, y = noisy_sum(400)
    for estimator in (Recording(), LinearSVC()):
        silent = [finding.code for finding in told(estimator, X, y).findings if finding.outcome == "not applicable"]
        assert "SH110" in silent
        with pytest.raises(OptionError, match="needs predict_proba"):
            told(estimator, X, y, metric="log_loss")
    assert told(LinearSVC(), X, y, metric="auc").scores["dev"].value > 0.9


def test_raw_columns_go_to_a_pipeline_that_can_take_them():
    X, y = noisy_sum(600)
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "colour": np.where(X[:, 2] > 0, "red", "blue")}, index=np.arange(600)[::-1])
    pipeline = make_pipeline(make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["a", "b"])), LogisticRegression())
    rows = {part: at for part, (_, at) in load(frame, y=y).division.places.items()}
    copied: Any = clone(pipeline)
    by_hand = copied.fit(frame.iloc[rows["train"]], y[rows["train"]]).predict(frame.iloc[rows["dev"]])
    assert told(pipeline, frame, y, raw=True).scores["dev"].value == pytest.approx(zero_one_loss(y[rows["dev"]], by_hand))
    with pytest.raises(OptionError, match="the estimator can be fitted on these rows; received"):
        told(pipeline, frame, y)


def test_raw_rows_of_an_array_are_the_rows_themselves():
    X, y = noisy_sum(300)
    Recording.seen.clear()
    told(Recording(), 1_000 * X, y, raw=True)
    given, data = Recording.seen[0][0], load(1_000 * X, y=y)
    assert np.array_equal(given, 1_000 * X[data.division.places["train"][1]])


def test_test_rows_are_left_alone_unless_asked_for():
    X, y = noisy_sum(600)
    assert told(KNeighborsClassifier(), X, y).rows.keys() == {"train", "dev"}
    assert told(KNeighborsClassifier(), X, y, open_test=True).rows.keys() == {"train", "dev", "test"}
    assert told(KNeighborsClassifier(), X, y, test=noisy_sum(200, seed=1)).rows["test"] == 200


def test_dev_rows_of_another_kind_are_a_mismatch():
    X, y = noisy_sum(3_000)
    other, labels = noisy_sum(2_000, seed=1)
    other[:, 0] += 3  # and the labels stay
    diagnosis = told(LogisticRegression(), X, y, dev=(other, labels), test_size=0, target_error=0.05)
    assert diagnosis.rows.keys() == {"train", "train_dev", "dev"}
    assert diagnosis.verdict.title == "mismatch"
    assert "training rows" in diagnosis.next_step and "like the dev rows" in diagnosis.next_step


def test_what_is_odd_about_rows_and_columns_is_measured():
    X, y = noisy_sum(1_500, 0.2)
    faults = told(DecisionTreeClassifier(max_depth=3), np.column_stack([X, 3.0 * y]), y).measured.data
    assert faults is not None and faults.label_noise is not None
    assert [clue.name for clue in faults.leaks] == ["x6"]


@pytest.mark.skipif("SH307" not in {check.code for check in CHECKS}, reason="leaks are measured, but not judged yet")
def test_a_column_that_gives_the_target_away_is_what_to_mend_first():
    X, y = noisy_sum(1_500, 0.2)
    diagnosis = told(DecisionTreeClassifier(max_depth=3), np.column_stack([X, 3.0 * y]), y)
    assert "SH307" in found(diagnosis)
    assert diagnosis.next_step.startswith(f"{diagnosis.findings[0].title}: ")
    assert "SH307" in told(DecisionTreeClassifier(max_depth=3), X, y).healthy


def test_the_learning_curve_ends_at_all_rows_and_falls():
    X, y = noisy_sum()
    curve = told(DecisionTreeClassifier(), X, y, curve=True).measured.learning_curve
    assert curve is not None
    assert (len(curve.rows), curve.rows[-1], np.shape(curve.dev)) == (8, 900, (8, 3))
    assert np.mean(curve.dev[0]) > np.mean(curve.dev[-1]) + 0.03
    assert np.max(curve.train) == 0.0


def test_sizes_that_are_too_small_for_an_estimator_are_left_out():
    X, y = noisy_sum()
    curve = told(KNeighborsClassifier(n_neighbors=100), X, y, curve=True).measured.learning_curve
    assert curve is not None
    assert 100 <= curve.rows[0] < 200
    assert told(KNeighborsClassifier(n_neighbors=500), X, y, curve=True).measured.learning_curve is None


def test_what_fits_warn_of_is_said_once():
    X, y = noisy_sum(300)
    notes = told(SGDClassifier(max_iter=1, tol=1e-9), X, y, curve=True).notes
    assert [note for note in notes if "the estimator warned: ConvergenceWarning" in note] == list(notes)
    assert len(notes) == 1


class Failing(RegressorMixin, BaseEstimator):
    """Fails as the code of a stranger does."""

    def __init__(self, when: str = "fit") -> None:
        self.when = when

    def fit(self, X, y):
        if self.when == "fit":
            raise ZeroDivisionError("no such\nluck")
        return self

    def predict(self, X):
        return np.full(len(X), np.nan)


@pytest.mark.parametrize(
    ("when", "message"), [("fit", "fitted on these rows; received ZeroDivisionError: no such"), ("predict", "not finite")]
)
def test_an_estimator_that_fails_is_quoted(when: str, message: str):
    X = np.random.default_rng(0).normal(size=(200, 2))
    with pytest.raises(OptionError, match=message):
        told(Failing(when), X, X[:, 0])


# the estimator, further options, and what the messages say: one part for each problem
REFUSED: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "a class": (Ridge, {}, ["an object; received the class Ridge. Write Ridge"]),
    "no estimator": ("forest", {}, ["str without fit and predict"]),
    "a regressor of classes": (Ridge(), {}, ["asks for a classifier; received Ridge, a regressor"]),
    "a classifier of numbers": (LogisticRegression(), {"task": "regression"}, ["asks for a regressor"]),
    "an unknown metric": (LogisticRegression(), {"metric": "acuracy"}, ["received 'acuracy'. Did you mean 'accuracy'"]),
    "everything at once": (
        Ridge(),
        {"metric": "rsme", "seeds": 0, "target_error": -1, "group": "nowhere"},
        ["received 'rsme'", "number of seeds", "target error", "received 'nowhere'"],
    ),
    "data and estimator": (Ridge(), {"seeds": 1.5}, ["number of seeds", "asks for a classifier"]),
}


@pytest.mark.parametrize(("estimator", "options", "parts"), REFUSED.values(), ids=REFUSED)
def test_everything_that_is_wrong_is_said_together(estimator: Any, options: dict[str, Any], parts: list[str]):
    with pytest.raises(InputError) as caught:
        told(estimator, *noisy_sum(300), **options)
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == len(parts)
    for part in parts:
        assert any(part in text for text in said), said


def test_several_labels_are_refused():
    X, y = noisy_sum(300)
    with pytest.raises(OptionError, match="one target; received several labels"):
        told(KNeighborsClassifier(), X, np.stack([y, 1 - y], axis=1))


def test_an_estimator_that_draws_nothing_answers_as_scikit_learn_does():
    X, y = noisy_sum(300)
    data = load(X, y=y)
    expected = KNeighborsClassifier().fit(data.inputs["train"], data.truth["train"]).predict_proba(data.inputs["dev"])
    assert np.array_equal(members(KNeighborsClassifier())[0], expected)


def test_a_tree_of_many_classes_of_which_some_are_rare_is_answered_for_all():
    X, y = noisy_sum(400)
    y = np.where(np.arange(400) < 3, 2, y)
    assert told(DecisionTreeClassifier(), X, y).rows["dev"] > 0
    assert told(DecisionTreeRegressor(), X, X[:, 0]).task == "regression"


def finding(code: str, gain: float | None, severity: Any = "medium", outcome: Any = "found") -> Finding:
    return Finding(code, code, severity, "", "", {}, outcome, gain)


def test_findings_stand_in_order_of_what_they_could_gain():
    """A grave one that makes the errors themselves doubtful, and so has no gain, comes first."""
    given = [
        finding("SH105", None),
        finding("SH102", 0.02, "high"),
        finding("SH107", 0.05),
        finding("SH307", None, "high"),
        finding("SH106", None, "note"),
        finding("SH101", 0.5, "high", "cannot tell"),
        finding("SH103", None, "high", "not applicable"),
    ]
    assert [each.code for each in best_first(given)] == ["SH307", "SH107", "SH102", "SH105", "SH106", "SH101", "SH103"]


def test_a_run_is_diagnosed_from_its_record_alone():
    record = classification()
    diagnosis = diagnose(record)
    assert (diagnosis.verdict, diagnosis.next_step, diagnosis.metric) == (record.verdict, record.next_step, record.metric)
    assert diagnosis.scores["dev"] == record.scores["dev"][record.metric]
    judged_then = {each.code for each in record.findings if each.code[2] in "12"}
    afresh = {"SH111", "SH112"}  # of mistakes, which a record of an older version does not hold
    assert judged_then == {each.code for each in diagnosis.findings if each.code[2] in "12"} - afresh
    assert {each.outcome for each in diagnosis.findings if each.code in afresh} == {"not applicable"}
    assert not diagnosis.healthy.keys() & {each.code for each in diagnosis.findings}


def test_a_run_is_given_as_a_result_a_record_or_a_folder(tmp_path):
    run = shoal.train("example:wine", recipe=shoal.Recipe(hidden_units=(8,), epochs=5), seeds=2, out=tmp_path / "run")
    assert diagnose(run) == diagnose(run.record) == diagnose(tmp_path / "run") == diagnose(str(tmp_path / "run"))
    with pytest.raises(InputError, match="does not exist"):
        diagnose(tmp_path / "nowhere")


def test_a_record_of_a_score_that_grows_is_read_as_an_error():
    record = replace(classification(), metric="accuracy", greater_is_better=True)
    assert diagnose(record).scores["dev"] == record.scores["dev"]["accuracy"]
    assert diagnose(record).references == {baseline.name: baseline.dev for baseline in record.baselines}
    assert isinstance(diagnose(record).scores["dev"], Interval)
