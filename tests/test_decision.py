"""Decisions between classes: against closed forms of Gaussians, and with scikit-learn's metrics as the judge of whole runs."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

import shoal
from shoal import storage
from shoal.data import load
from shoal.decision import EXPONENTS, fit_decision, weighed
from shoal.ensemble import report
from shoal.ensemble_selection import select
from shoal.errors import RunFolderError
from shoal.loop import RecipeLoop
from shoal.loop.effects import Answers
from shoal.measurements.decision import Decision
from shoal.metrics import METRICS, score
from shoal.model import MODEL_FORMAT
from shoal.records import LoopPlan
from shoal.references import Reference, baselines, decided
from shoal.report import as_json, report_page, summary, wording
from shoal.saved_run import read_record
from shoal.trainer import Trainer

from .report.example_run import classification

BALANCED, F1 = METRICS["balanced_accuracy"], METRICS["f1"]
DIGIT = 8
RUN = classification(trials=3, points=5)


def gaussians(rows: int, shares, distance: float, seed: int = 0):
    """Probabilities, by Bayes' rule, of classes whose one feature is normal around 0, ``distance``, 2 ``distance``, ...; and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(shares), rows, p=shares)
    feature = rng.normal(truth * distance)
    joint = np.array(shares) * norm.pdf(feature[:, None] - np.arange(len(shares)) * distance)
    return joint / joint.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("shares", [(0.95, 0.05), (0.3, 0.7), (0.8, 0.15, 0.05)])
def test_of_right_probabilities_the_inverse_of_the_shares_is_best_for_balanced_accuracy(shares):
    probability, truth = gaussians(20_000, shares, 1.5)
    found = fit_decision(BALANCED, probability, truth, None, shares)
    assert found is not None and found.exponent == pytest.approx(1.0, abs=0.1)
    new, new_truth = gaussians(50_000, shares, 1.5, seed=1)
    # half-way between the means: an outer class is found with Phi(d/2), an inner one with 2 Phi(d/2) - 1
    half = norm.cdf(0.75)
    possible = (2 * half + (len(shares) - 2) * (2 * half - 1)) / len(shares)
    assert balanced_accuracy_score(new_truth, weighed(new, found).argmax(1)) == pytest.approx(possible, abs=0.015)
    assert balanced_accuracy_score(new_truth, new.argmax(1)) < possible - 0.02


@pytest.mark.parametrize(("metric", "judge"), [(BALANCED, balanced_accuracy_score), (F1, lambda *of: f1_score(*of, average="macro"))])
def test_scikit_learn_finds_no_exponent_that_is_much_better_on_new_rows(metric, judge):
    shares = (0.9, 0.1)
    found = fit_decision(metric, *gaussians(3_000, shares, 1.0), None, shares)
    assert found is not None
    new, truth = gaussians(50_000, shares, 1.0, seed=1)
    every = [judge(truth, weighed(new, replace(found, exponent=each)).argmax(1)) for each in EXPONENTS]
    reached = judge(truth, weighed(new, found).argmax(1))
    assert reached == pytest.approx(score(metric, truth, weighed(new, found)), abs=1e-12)
    assert reached > max(every) - 0.01 > judge(truth, new.argmax(1)) + 0.05


def test_probabilities_of_classes_made_equal_need_no_decision():
    """What a network says that was trained with ``class_balance = 1``: the shares are in its probabilities no more."""
    shares = (0.9, 0.1)
    probability, truth = gaussians(20_000, shares, 1.0)
    equal = probability / np.array(shares)
    found = fit_decision(BALANCED, equal / equal.sum(1, keepdims=True), truth, None, shares)
    assert found is not None and abs(found.exponent) < 0.1


def test_weights_are_importance():
    """A rare class that weighs as much as the other one is rare no more."""
    probability, truth = gaussians(20_000, (0.9, 0.1), 1.0)
    weight = np.where(truth == 1, 9.0, 1.0)
    found = fit_decision(F1, probability, truth, weight, (0.9, 0.1))
    assert found is not None and found.threshold == pytest.approx(0.1, abs=0.03)  # as much as balanced accuracy asks for


def test_many_draws_keep_the_decision_from_the_noise_of_few_rows():
    """The best on the rows themselves scatters more, from one dev set to the next."""
    shares, fitted, best = (0.8, 0.2), [], []
    for seed in range(30):
        probability, truth = gaussians(150, shares, 1.5, seed)
        answers = [weighed(probability, Decision("f1", shares, each)) for each in EXPONENTS]
        best.append(EXPONENTS[np.argmax([score(F1, truth, each) for each in answers])])
        found = fit_decision(F1, probability, truth, None, shares)
        assert found is not None
        fitted.append(found.exponent)
    assert np.std(fitted) < 0.8 * np.std(best)


def test_where_the_most_probable_class_is_always_right_it_is_said():
    truth = np.arange(100) % 10 == 0
    sure = np.where(truth[:, None], [0.1, 0.9], [0.9, 0.1])
    found = fit_decision(F1, sure, truth.astype(int), None, (0.9, 0.1))
    assert found is not None and found.exponent == 0.0
    assert weighed(sure, found) is sure


@pytest.mark.parametrize("metric", [metric for metric in METRICS.values() if metric.name not in ("balanced_accuracy", "f1")])
def test_other_metrics_have_no_decision(metric):
    assert fit_decision(metric, np.full((4, 2), 0.5), np.array([0, 1, 0, 1]), None, (0.5, 0.5)) is None


def test_a_class_without_training_rows_is_weighed_by_nothing():
    answers = weighed(np.array([[0.6, 0.4, 0.0]]), Decision("f1", (0.9, 0.1, 0.0), 1.0))
    assert np.isfinite(answers).all() and answers.argmax() == 1


@given(st.floats(0.01, 0.99), st.floats(-0.5, 1.5), st.floats(0.001, 0.999))
def test_of_two_classes_every_exponent_is_a_threshold_of_the_rarer(share, exponent, probability):
    decision = Decision("f1", (1 - share, share), exponent)
    if abs(probability - decision.threshold) < 1e-9:
        return
    answers = np.array([1 - probability, probability])
    if decision.rarer == 0:
        answers = answers[::-1]
    assert (weighed(answers, decision).argmax() == decision.rarer) == (probability > decision.threshold)


def test_references_have_decisions_of_their_own():
    shares = (0.95, 0.05)
    probability, truth = gaussians(4_000, shares, 1.5)
    reference = Reference("linear", "logistic regression", {"dev": probability}, 0.0)
    (alike,) = decided([reference], METRICS["auc"], truth, None, shares)
    assert alike.decision is None and alike.decided("dev") is probability
    (better,) = decided([reference], BALANCED, truth, None, shares)
    assert score(BALANCED, truth, better.decided("dev")) > score(BALANCED, truth, probability) + 0.1
    np.testing.assert_array_equal(better.predictions["dev"], probability)
    assert baselines([better], {"dev": truth}, BALANCED)[0].dev.value == score(BALANCED, truth, better.decided("dev"))


def test_what_an_ensemble_is_said_to_be_worth_has_the_decision_of_the_half_that_chose():
    shares = (0.9, 0.1)
    probability, truth = gaussians(2_000, shares, 1.0)
    outputs, weights = np.stack([probability, np.flip(probability, 1)]), np.ones(len(truth))
    selection = select(outputs, truth, weights, "log_loss")
    told = report(outputs, truth, weights, F1, "log_loss", selection, numbers=[0, 1], class_shares=shares)
    decision = fit_decision(F1, probability, truth, weights, shares)
    assert told.chosen.value == score(F1, truth, weighed(probability, decision))
    assert score(F1, truth, probability) + 0.05 < told.cross_fitted.value <= told.chosen.value + 0.01


def test_the_recipe_loop_judges_networks_as_they_would_decide(tables):
    """Networks that know Bayes' rule: by the most probable class their balanced accuracy would be hopeless."""
    loop = RecipeLoop(Trainer(load(tables[0], target="digit"), 0), BALANCED, LoopPlan(0, 1.0, 2, 0.0, 0.0), shoal.Recipe(epochs=1.0))
    answers, known = {}, {part: loop.trainer.dataset.truth[part][rows] for part, rows in loop.rows.items()}
    for part, truth in known.items():
        joint = norm.pdf(np.random.default_rng(0).normal(truth)[:, None] - [0, 1]) * [0.1, 0.9]
        answers[part] = Answers(np.stack([joint / joint.sum(1, keepdims=True)] * 2), np.ones((2, len(truth))))
    for part, found in loop._decided(answers).items():
        reached, plain = (balanced_accuracy_score(known[part], each.outputs[0].argmax(1)) for each in (found, answers[part]))
        assert reached > plain + 0.1


@pytest.fixture(scope="module")
def tables():
    X, y = load_digits(return_X_y=True)
    frame = pl.DataFrame(X[:, 20:44], schema=[f"pixel_{number}" for number in range(20, 44)])
    frame = frame.with_columns(pl.Series("digit", np.where(y == DIGIT, "eight", "other")))
    return frame[:1_300], frame[1_300:]


@pytest.fixture(scope="module")
def run(tables, tmp_path_factory):
    """Rows of digits, of which a tenth are eights."""
    recipe = shoal.Recipe(hidden_units=(16,), epochs=12, learning_rate=0.01)
    out = tmp_path_factory.mktemp("decision") / "run"
    return shoal.train(tables[0], target="digit", test=tables[1], recipe=recipe, seeds=2, metric="balanced_accuracy", out=out)


def test_a_run_says_the_decided_class_and_keeps_its_probabilities(run, tables):
    test, record = tables[1], run.record
    predictions = run.predict(test, proba=True, spread=True)
    eights = predictions["p_eight"].to_numpy()
    assert 0 < record.decision.threshold < 0.4 and record.decision == run.model.decision
    assert ((eights > record.decision.threshold) == (predictions["prediction"] == "eight").to_numpy()).all()

    scores, truth = record.scores["test"], test["digit"]
    assert scores["balanced_accuracy"].value == pytest.approx(balanced_accuracy_score(truth, predictions["prediction"]))
    assert scores["f1"].value == pytest.approx(f1_score(truth, predictions["prediction"], average="macro"))
    assert scores["accuracy"].value == pytest.approx((truth == predictions["prediction"]).mean())
    assert scores["log_loss"].value == pytest.approx(log_loss(truth == "eight", eights), rel=1e-5)
    most_probable = np.where(eights > 0.5, "eight", "other")
    assert record.measured.most_probable["test"].value == pytest.approx(balanced_accuracy_score(truth, most_probable))
    assert scores["balanced_accuracy"].value > record.measured.most_probable["test"].value + 0.02

    assert record.measured.confusion["test"].answered[0] == (predictions["prediction"] == "eight").sum()
    shown = record.measured.reliability["test"].after.histogram
    assert list(shown) == np.histogram(1 - eights, len(shown), (0, 1))[0].tolist()
    wrong = record.measured.wrong_rows
    assert wrong and all(each.answer != each.truth for each in wrong)
    assert any(each.probability < 0.5 for each in wrong) or len(wrong) == 12


def test_the_verdict_and_the_mistakes_are_those_of_the_decided_classes(run):
    record = run.record
    assert record.verdict.gaps[1].size.value == pytest.approx(
        record.scores["train"]["balanced_accuracy"].value - record.scores["dev"]["balanced_accuracy"].value, abs=1e-9
    )
    linear = record.baselines[1]  # on its most probable class it would be far behind: see the test of the references
    assert linear.name == "linear" and linear.dev.value > 0.8
    assert record.measured.mistakes.wrong == round(record.scores["dev"]["error"].value * record.split.rows["dev"])


def test_of_several_classes_the_rule_is_said():
    decision = Decision("balanced_accuracy", (0.8, 0.15, 0.05), 0.85)
    words = wording.decision(replace(RUN, metric="balanced_accuracy", classes=("a", "b", "c"), decision=decision))
    assert words.startswith(
        "The class that is said has the largest probability / share ^ 0.85 (its share of the training rows), fitted on dev"
    )
    assert wording.decision(RUN) == ""
    assert "no other answer is better" in wording.decision(replace(RUN, decision=replace(decision, exponent=0.0)))


def test_a_run_says_in_words_what_was_decided(run):
    sentence = (
        f"Threshold of eight: {run.record.decision.threshold:.2g}, fitted on dev for balanced accuracy; the most probable class would"
    )
    with (console := Console(width=200)).capture() as said:
        console.print(summary(run.record, run.folder))
    assert sentence in said.get()
    assert sentence in report_page(run.record)
    told = as_json(run.record, run.folder)["decision"]
    assert told["class"] == "eight" and told["threshold"] == run.record.decision.threshold


def test_a_saved_model_decides_alike_and_so_does_one_of_its_networks(run, tables):
    loaded = shoal.Model.load(run.folder / "model")
    assert loaded.decision == run.model.decision and read_record(run.folder) == run.record
    assert loaded.predict(tables[1], proba=True).equals(run.predict(tables[1], proba=True))
    one = loaded.single(0).predict(tables[1], proba=True)
    assert ((one["p_eight"] > run.record.decision.threshold) == (one["prediction"] == "eight")).all()


def test_models_from_before_say_the_most_probable_class(run, tables, tmp_path):
    run.model.save(tmp_path)
    description = tmp_path / "model.json"
    content = storage.read_json(description, MODEL_FORMAT)
    del content["decision"]
    storage.write_json(description, content)
    old = shoal.Model.load(tmp_path)
    predictions = old.predict(tables[1], proba=True)
    assert old.decision is None and ((predictions["p_eight"] > 0.5) == (predictions["prediction"] == "eight")).all()

    content["decision"] = {"metric": "f1", "shares": [0.2, 0.3, 0.5], "exponent": 1.0}
    storage.write_json(description, content)
    with pytest.raises(RunFolderError, match="a decision between 3 classes where 2 belong"):
        shoal.Model.load(tmp_path)


def test_the_classifier_decides_for_its_metric(tables):
    train, test = (table.drop("digit").to_numpy() for table in tables)
    recipe = shoal.Recipe(hidden_units=(16,), epochs=12, learning_rate=0.01)
    plain, balanced = (
        shoal.ShoalClassifier(recipe=recipe, metric=metric, random_state=0).fit(train, tables[0]["digit"].to_numpy())
        for metric in ("error", "balanced_accuracy")
    )
    np.testing.assert_array_equal(plain.predict_proba(test), balanced.predict_proba(test))
    assert plain.model_.decision is None and balanced.model_.decision is not None
    said = balanced.predict(test)
    assert ((balanced.predict_proba(test)[:, 0] > balanced.model_.decision.threshold) == (said == "eight")).all()
    truth = tables[1]["digit"].to_numpy()
    assert balanced_accuracy_score(truth, said) > balanced_accuracy_score(truth, plain.predict(test)) + 0.02
