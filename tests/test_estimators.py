"""The scikit-learn estimators keep scikit-learn's contract, and do what they promise beyond it."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from shoal import DataError, Model, OptionError, Recipe, ShoalClassifier, ShoalRegressor
from shoal.data import read_table

RECIPE = Recipe(hidden_units=(16,), epochs=15, learning_rate=0.02)

CHECKS = """
import sys, warnings
warnings.simplefilter("error")
import shoal
from sklearn.utils.estimator_checks import check_estimator
recipe = shoal.Recipe(hidden_units=(16,), epochs=30, learning_rate=0.02)  # small, so that the fits of sixty checks take no minutes
results = check_estimator(getattr(shoal, sys.argv[1])(recipe=recipe, random_state=0))
print(sorted({result["status"] for result in results}), len(results))
"""


@pytest.mark.parametrize("name", ["ShoalClassifier", "ShoalRegressor"])
def test_every_check_of_scikit_learn_passes_and_none_is_skipped(name: str):
    # SCIPY_ARRAY_API must be set before SciPy is imported, or the array checks are skipped: hence a process of its own.
    run = subprocess.run([sys.executable, "-c", CHECKS, name], capture_output=True, text=True, env={**os.environ, "SCIPY_ARRAY_API": "1"})
    assert run.returncode == 0, run.stderr[-3000:]
    passed = re.fullmatch(r"\['passed'\] (\d+)\n", run.stdout)
    assert passed, run.stdout
    assert int(passed[1]) > 50


def classifier(**settings) -> ShoalClassifier:
    return ShoalClassifier(**{"recipe": RECIPE, "random_state": 0, **settings})


def regressor(**settings) -> ShoalRegressor:
    return ShoalRegressor(**{"recipe": RECIPE, "random_state": 0, **settings})


def blobs(rows: int, centers: int = 2, cluster_std: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    X, y, *_ = make_blobs(rows, centers=centers, cluster_std=cluster_std, random_state=1)
    return np.asarray(X), np.asarray(y)


@pytest.fixture(scope="module")
def overlapping() -> tuple[np.ndarray, np.ndarray]:
    """Two classes, one in ten rows of the second, that cannot be told apart everywhere."""
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.1).astype(int)
    return rng.normal(size=(400, 3)) + y[:, None], y


@pytest.fixture(scope="module")
def fitted(overlapping: tuple[np.ndarray, np.ndarray]) -> ShoalClassifier:
    return classifier().fit(*overlapping)


def test_a_pipeline_with_names_and_a_clone_predict_alike():
    frame = read_table("example:breast-cancer").to_pandas()
    y = frame.pop("target")
    pipeline: Any = make_pipeline(StandardScaler().set_output(transform="pandas"), classifier()).fit(frame, y)
    assert pipeline.score(frame, y) > 0.95
    assert list(pipeline[-1].feature_names_in_) == list(frame.columns)
    again, unfitted = (cast(Any, clone(pipeline)) for _ in range(2))
    again.fit(frame, y)
    np.testing.assert_array_equal(again.predict_proba(frame), pipeline.predict_proba(frame))
    with pytest.raises(NotFittedError):
        unfitted[-1].predict(frame)


def test_cross_validation_and_grid_search_score_held_out_rows():
    X, y = blobs(150, centers=3)
    assert cross_val_score(classifier(), X, y, cv=3).min() > 0.9
    hopeless = Recipe(hidden_units=(16,), epochs=1, learning_rate=1e-9)
    search: Any = GridSearchCV(classifier(), {"recipe": [hopeless, RECIPE]}, cv=2).fit(X, y)
    assert search.best_params_ == {"recipe": RECIPE}
    assert search.score(X, y) > 0.9


def test_a_recipe_is_trained_as_it_is_on_eight_seeds(fitted: ShoalClassifier):
    assert fitted.recipe_ == RECIPE
    curves = fitted.history_["dev_loss"]
    assert len(curves) == 8
    assert len({tuple(curve) for curve in curves}) == 8


def test_a_recipe_that_diverges_on_every_seed_is_refused():
    X = np.random.default_rng(0).normal(size=(60, 2))
    explosive = Recipe(hidden_units=(16,), epochs=3, optimiser="gradient_descent", learning_rate=1e20)
    with pytest.raises(DataError, match="all diverged"):
        regressor(recipe=explosive).fit(X, X[:, 0])


def test_a_search_trains_another_recipe_for_each_budget():
    X, y = blobs(60)
    found = ShoalClassifier(budget="3trials", random_state=0).fit(X, y)
    single = ShoalClassifier(budget="1trials", random_state=0).fit(X, y)
    assert found.score(X, y) > 0.9
    assert found.recipe_.shape == single.recipe_.shape
    assert len(found.history_["dev_loss"]) == len(single.history_["dev_loss"]) == 8


def test_history_has_a_curve_for_every_network(fitted: ShoalClassifier):
    points = len(fitted.history_["epoch"])
    for name in ("train_loss", "dev_loss", "dev_error"):
        assert np.shape(fitted.history_[name]) == (8, points)
    assert fitted.history_["epoch"][-1] == fitted.n_iter_ == RECIPE.epochs
    falling = np.mean(fitted.history_["train_loss"], axis=0)
    assert falling[-1] < falling[0]


def test_the_same_random_state_gives_the_same_bits_and_another_does_not(overlapping: tuple[np.ndarray, np.ndarray]):
    X, y = overlapping
    first, second, third = (classifier(random_state=seed).fit(X, y).predict_proba(X) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - third).max() > 1e-3
    fourth, fifth = (regressor(random_state=np.random.RandomState(3)).fit(X, X[:, 0]).predict(X) for _ in range(2))
    np.testing.assert_array_equal(fourth, fifth)


def test_small_whole_weights_are_counts_whatever_the_order(overlapping: tuple[np.ndarray, np.ndarray]):
    X, y = overlapping
    rng = np.random.default_rng(1)
    counts, order = rng.integers(0, 4, len(X)), rng.permutation(len(X))
    weighted = classifier().fit(X[order], y[order], sample_weight=counts[order]).predict_proba(X)
    repeated = classifier().fit(X.repeat(counts, axis=0), y.repeat(counts)).predict_proba(X)
    np.testing.assert_array_equal(weighted, repeated)


def test_rows_of_weight_zero_are_not_there(overlapping: tuple[np.ndarray, np.ndarray]):
    X, y = overlapping
    weight = np.random.default_rng(2).uniform(0.5, 2.0, len(X))
    weight[::3] = 0
    kept = weight > 0
    spoiled_X, spoiled_y = np.where(kept[:, None], X, 1e6), np.where(kept, y, 5)
    with_zeros = classifier().fit(spoiled_X, spoiled_y, sample_weight=weight)
    without = classifier().fit(X[kept], y[kept], sample_weight=weight[kept])
    np.testing.assert_array_equal(with_zeros.classes_, [0, 1])
    np.testing.assert_array_equal(with_zeros.predict_proba(X), without.predict_proba(X))


def test_weights_move_the_prediction_towards_the_heavy_rows():
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.arange(200) % 2 * 10.0
    heavy_tens = regressor().fit(X, y, sample_weight=np.where(y == 10, 30.5, 1.0)).predict(X)
    heavy_zeros = regressor().fit(X, y, sample_weight=np.where(y == 10, 1.0, 30.5)).predict(X)
    assert heavy_tens.mean() > 8
    assert heavy_zeros.mean() < 2


def test_equal_rows_stay_within_one_part_unless_few_rows_differ():
    keys = np.repeat(np.arange(50), 3)
    train, dev = regressor()._split(keys, keys.astype(float), seed=0)
    assert not set(keys[train]) & set(keys[dev])
    few = np.repeat(np.arange(4), 30)
    train, dev = regressor()._split(few, few.astype(float), seed=0)
    assert set(few[train]) == set(few[dev]) == set(range(4))


def test_class_weights_trade_precision_for_recall(fitted: ShoalClassifier, overlapping: tuple[np.ndarray, np.ndarray]):
    X, y = overlapping
    plain, balanced = (recall_score(y, model.predict(X)) for model in (fitted, classifier(class_weight="balanced").fit(X, y)))
    assert balanced > plain + 0.2
    by_hand = classifier(class_weight={0: 0.5, 1: 4.5}).fit(X, y).predict_proba(X)
    as_weights = classifier().fit(X, y, sample_weight=np.where(y == 1, 4.5, 0.5)).predict_proba(X)
    np.testing.assert_allclose(by_hand, as_weights, atol=1e-5)


def test_a_dev_set_of_ones_own_selects_the_networks():
    X, y = blobs(200, cluster_std=3)
    own = classifier().fit(X[:100], y[:100], X_dev=X[100:], y_dev=y[100:])
    contrary = classifier().fit(X[:100], y[:100], X_dev=X[100:], y_dev=1 - y[100:])
    np.testing.assert_array_equal(own.history_["train_loss"], contrary.history_["train_loss"])
    assert own.score(X[100:], y[100:]) > contrary.score(X[100:], y[100:])
    with pytest.raises(OptionError, match="X_dev only"):
        classifier().fit(X, y, X_dev=X)
    with pytest.raises(ValueError, match=r"received 7\. Leave those rows out"):
        classifier().fit(X, y, X_dev=X, y_dev=np.where(y == 0, 7, y))


@pytest.mark.parametrize(("library", "data_argument"), [(pd, "data"), (pl, "values")], ids=["pandas", "polars"])
def test_frames_of_mixed_columns_need_no_preparation(library, data_argument: str):
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 300)
    size = rng.normal(size=300)
    columns = {
        "colour": [None if number % 11 == 0 else name for number, name in enumerate(colour)],
        "size": np.where(np.arange(300) % 7 == 0, np.nan, size),
        "new": rng.random(300) < 0.5,
        "y": rng.normal(size=300),
    }
    frame, label = library.DataFrame(columns), library.Series(name="y", **{data_argument: np.where(colour == "red", "NA", " b ")})
    model = classifier().fit(frame, label)
    assert model.classes_.tolist() == [" b ", "NA"]
    assert model.score(frame, label) > 0.9
    assert model.predict(frame).dtype == model.classes_.dtype
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["size", "colour", "new", "y"]])
    quantity = regressor().fit(frame, np.where(colour == "red", 5.0, -5.0))
    assert quantity.score(frame, np.where(colour == "red", 5.0, -5.0)) > 0.7


def test_boolean_labels_stay_boolean():
    X, y = blobs(60)
    model = classifier().fit(X, y == 1)
    assert model.classes_.tolist() == [False, True]
    assert model.predict(X).dtype == bool


def test_a_saved_model_knows_the_labels(fitted: ShoalClassifier, overlapping: tuple[np.ndarray, np.ndarray], tmp_path: Path):
    X, y = overlapping
    model = classifier().fit(X, np.where(y == 1, "yes", "no"))
    model.model_.save(tmp_path)
    assert Model.load(tmp_path).predict(X)["prediction"].to_list() == model.predict(X).tolist()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))  # noqa: S301


def test_the_notebook_picture_has_the_curves_and_escapes_names():
    X, y = blobs(60)
    evil = "<script>alert(1)</script>"
    assert "<svg role" not in classifier()._repr_html_()
    frame = pd.DataFrame(X, columns=[evil, "b"])
    model = classifier().fit(frame, np.where(y == 1, evil, "b"))
    html = model._repr_html_()
    drawing = html[html.index('<svg role="img" aria-label="loss curves"') :]
    assert drawing.count("<polyline") == 16
    assert evil not in html
    assert model._repr_mimebundle_()["text/html"].count("<polyline") == 16


def test_what_cannot_be_used_is_refused_in_scikit_learns_words():
    X, y = blobs(40)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        classifier().fit(scipy.sparse.csr_array(X), y)
    with pytest.raises(ValueError, match="y should be a 1d array"):
        regressor().fit(X, X)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        regressor().fit(X, X[:, :1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        regressor().fit(X, y[:-1])
    with pytest.raises(ValueError, match="at least two classes"):
        classifier().fit(X, np.zeros(40))
    with pytest.raises(OptionError, match="class weights are above 0"):
        classifier(class_weight={0: 0, 1: 1}).fit(X, y)
    with pytest.raises(OptionError, match=r"recipe is a shoal\.Recipe"):
        classifier(recipe={"epochs": 3}).fit(X, y)
    with pytest.raises(OptionError, match="a time or a number of trials"):
        classifier(budget="soon").fit(X, y)
