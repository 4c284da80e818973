"""Reference models against the same scikit-learn models trained by hand."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from shoal import references as module
from shoal.metrics import METRICS, score
from shoal.records import Part, Task
from shoal.references import baselines, fit_references

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 4)).astype(np.float32)
VALUES = X @ [1.0, -2.0, 0.0, 0.5] + RNG.normal(0, 0.3, 300)
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])


def test_the_references_are_the_scikit_learn_models_on_the_same_rows():
    trivial, linear, boosting = fit_references(X, CLASSES, task="classification", n_classes=3, evaluate={"dev": X[:50]}, seed=4)
    assert [each.name for each in (trivial, linear, boosting)] == ["trivial", "linear", "gradient boosting"]
    assert trivial.predictions["dev"][0] == pytest.approx(np.bincount(CLASSES) / 300)
    assert linear.predictions["dev"] == pytest.approx(LogisticRegression().fit(X, CLASSES).predict_proba(X[:50]), abs=1e-4)
    by_hand = HistGradientBoostingClassifier(random_state=4, l2_regularization=1.0).fit(X, CLASSES)
    assert boosting.predictions["dev"] == pytest.approx(by_hand.predict_proba(X[:50]), abs=1e-6)
    assert "trained on" not in boosting.detail


def test_values_are_predicted_and_weights_count():
    weight = np.where(np.arange(300) < 150, 5.0, 0.01)
    trivial, linear, _ = fit_references(X, VALUES, weight, task="regression", evaluate={"dev": X[:9]})
    assert trivial.predictions["dev"] == pytest.approx(np.full(9, np.average(VALUES, weights=weight)))
    assert linear.predictions["dev"] == pytest.approx(Ridge().fit(X, VALUES, sample_weight=weight).predict(X[:9]), abs=1e-4)


def test_large_data_are_trained_on_fewer_rows_and_say_so(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_ROWS", 100)
    _, linear, boosting = fit_references(X, CLASSES, task="classification", n_classes=3, evaluate={"dev": X[:9]}, seconds=1e-6)
    assert linear.detail.endswith("trained on 100 of the 300 rows")
    assert boosting.detail.endswith("20 rounds at a learning rate of 0.3, 63 bins, trained on 100 of the 300 rows")


def test_the_subsample_comes_from_the_seed(monkeypatch):
    monkeypatch.setattr(module, "FEWEST_ROWS", 100)

    def linear(seed):
        return fit_references(X, VALUES, task="regression", evaluate={"dev": X[:9]}, seconds=1e-6, seed=seed)[1].predictions["dev"]

    assert np.array_equal(linear(1), linear(1))
    assert not np.array_equal(linear(1), linear(2))


@pytest.mark.parametrize("rows, inputs, trees", [(494_021, 120, 23), (420_768, 40, 1), (70_000, 784, 10)])
def test_the_planned_cost_of_boosting_stays_near_the_wanted_seconds(rows, inputs, trees):
    rounds, bins, most = module._boosting_size(inputs, trees, 7.0)
    of_input = min(rows, most) / module.TREE_CELLS_A_SECOND + module.TREE_FIXED_SECONDS_AN_INPUT * bins / 255
    cost = rounds * trees * (module.TREE_FIXED_SECONDS + inputs * of_input)
    assert cost <= 9.0
    assert most >= 1000


def test_classes_absent_from_the_training_rows_keep_their_columns():
    two_of_four = np.where(CLASSES > 0, 3, 1)
    for reference in fit_references(X, two_of_four, task="classification", n_classes=4, evaluate={"dev": X[:9]}):
        answer = reference.predictions["dev"]
        assert answer.shape == (9, 4)
        assert answer.sum(1) == pytest.approx(np.ones(9))
        assert np.all(answer[:, [0, 2]] == 0)


def test_a_class_of_one_row_does_not_stop_boosting_that_holds_rows_out():
    x = RNG.normal(size=(10_200, 1)).astype(np.float32)
    truth = (x[:, 0] > 0).astype(int)
    truth[5] = 2
    boosting = fit_references(x, truth, task="classification", n_classes=3, evaluate={"dev": x[:20]}, seconds=20)[2]
    assert "trained on" not in boosting.detail
    assert score(METRICS["error"], truth[6:20], boosting.predictions["dev"][6:]) == 0


def test_twenty_rows_are_enough():
    tasks: tuple[tuple[Task, np.ndarray], ...] = (("classification", CLASSES), ("regression", VALUES))
    for task, truth in tasks:
        for reference in fit_references(X[:20], truth[:20], task=task, n_classes=3, evaluate={"dev": X[20:25]}):
            assert np.isfinite(reference.predictions["dev"]).all()


def test_one_class_only_is_answered_with_its_frequency():
    for reference in fit_references(X[:20], np.zeros(20, int), task="classification", n_classes=2, evaluate={"dev": X[:2]}):
        assert reference.predictions["dev"].tolist() == [[1.0, 0.0]] * 2


def test_the_listener_hears_each_model():
    heard = []
    fit_references(X, VALUES, task="regression", evaluate={}, listener=heard.append)
    assert heard == ["trivial", "linear", "gradient boosting"]


def test_baselines_carry_scores_with_intervals_and_open_test_only_when_given():
    references = fit_references(X[:200], VALUES[:200], task="regression", evaluate={"dev": X[200:250], "test": X[250:]})
    truth: dict[Part, np.ndarray] = {"dev": VALUES[200:250], "test": VALUES[250:]}
    trivial, linear, _ = baselines(references, truth, METRICS["rmse"])
    assert linear.dev.value == score(METRICS["rmse"], truth["dev"], references[1].predictions["dev"])
    assert linear.dev.low < linear.dev.value < linear.dev.high < trivial.dev.low
    assert trivial.test is not None
    assert baselines(references, {"dev": truth["dev"]}, METRICS["rmse"])[0].test is None
    with pytest.raises(ValueError, match="compared on dev"):
        baselines(references, {"test": truth["test"]}, METRICS["rmse"])
