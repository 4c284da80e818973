"""Scores against scikit-learn, intervals against the exact distributions they stand for."""

import numpy as np
import pytest
import sklearn.metrics
from scipy import stats

from shoal.errors import OptionError
from shoal.metrics import METRICS, bootstrap, check_metric, interval, paired_bootstrap, score, seed_scatter

RNG = np.random.default_rng(7)
SKLEARN = {
    "error": lambda t, p, w: sklearn.metrics.zero_one_loss(t, p.argmax(1), sample_weight=w),
    "accuracy": lambda t, p, w: sklearn.metrics.accuracy_score(t, p.argmax(1), sample_weight=w),
    "log_loss": lambda t, p, w: sklearn.metrics.log_loss(t, p, sample_weight=w, labels=range(p.shape[1])),
    "balanced_accuracy": lambda t, p, w: sklearn.metrics.balanced_accuracy_score(t, p.argmax(1), sample_weight=w),
    "f1": lambda t, p, w: sklearn.metrics.f1_score(t, p.argmax(1), average="macro", sample_weight=w),
    "hamming_loss": lambda t, p, w: sklearn.metrics.hamming_loss(t, p > 0.5, sample_weight=w),
    "subset_error": lambda t, p, w: sklearn.metrics.zero_one_loss(t, p > 0.5, sample_weight=w),
    "label_log_loss": lambda t, p, w: np.mean([sklearn.metrics.log_loss(t[:, k], p[:, k], sample_weight=w) for k in range(t.shape[1])]),
    "rmse": lambda t, p, w: sklearn.metrics.root_mean_squared_error(t, p, sample_weight=w),
    "mae": lambda t, p, w: sklearn.metrics.mean_absolute_error(t, p, sample_weight=w),
    "mse": lambda t, p, w: sklearn.metrics.mean_squared_error(t, p, sample_weight=w),
    "r2": lambda t, p, w: sklearn.metrics.r2_score(t, p, sample_weight=w),
}


def _sklearn_auc(truth, prediction, weight):
    if prediction.shape[1] == 2:
        return sklearn.metrics.roc_auc_score(truth, prediction[:, 1], sample_weight=weight)
    each = [sklearn.metrics.roc_auc_score(truth == c, prediction[:, c], sample_weight=weight) for c in range(prediction.shape[1])]
    return np.mean(each)


SKLEARN["auc"] = _sklearn_auc


def classified(rows, classes, skill=0.4, rng=RNG):
    truth = rng.integers(classes, size=rows)
    prediction = rng.dirichlet(np.ones(classes), size=rows).round(2) + 1e-3
    prediction[np.arange(rows), truth] += skill
    return truth, prediction / prediction.sum(1, keepdims=True)


def labelled(rows, labels, rng=RNG):
    truth = rng.integers(2, size=(rows, labels))
    return truth, np.clip(0.35 * truth + rng.uniform(0.05, 0.6, (rows, labels)), 0.01, 0.99)


def data_for(metric, rows=300, classes=3):
    if metric.task == "classification":
        return classified(rows, classes)
    if metric.task == "multi_label":
        return labelled(rows, classes)
    truth = RNG.normal(50, 3, rows)
    return truth, truth + RNG.normal(0, 1, rows)


def test_the_table_holds_every_metric_under_its_own_name():
    assert set(METRICS) == set(SKLEARN)
    assert all(name == metric.name for name, metric in METRICS.items())


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_every_score_is_that_of_scikit_learn(name, weighted, classes):
    truth, prediction = data_for(METRICS[name], classes=classes)
    weight = RNG.random(len(truth)) if weighted else None
    assert score(METRICS[name], truth, prediction, weight) == pytest.approx(SKLEARN[name](truth, prediction, weight), rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_weights_of_whole_numbers_are_repeated_rows(name):
    truth, prediction = data_for(METRICS[name], rows=60)
    repeats = RNG.integers(1, 4, size=60)
    repeated = score(METRICS[name], np.repeat(truth, repeats, axis=0), np.repeat(prediction, repeats, axis=0))
    assert score(METRICS[name], truth, prediction, repeats) == pytest.approx(repeated, rel=1e-9)


def test_certain_mistakes_in_float32_are_clipped_as_scikit_learn_clips_them():
    truth, prediction = np.array([0, 1]), np.array([[0, 1], [0, 1]], dtype=np.float32)
    assert score(METRICS["log_loss"], truth, prediction) == pytest.approx(sklearn.metrics.log_loss(truth, prediction), rel=1e-6)


def test_a_constant_truth_has_the_r2_of_scikit_learn():
    assert score(METRICS["r2"], np.ones(5), np.ones(5)) == 1.0
    assert score(METRICS["r2"], np.ones(5), np.arange(5)) == 0.0


def test_the_area_under_the_curve_of_one_class_is_a_half():
    assert score(METRICS["auc"], np.zeros(4, int), np.tile([0.3, 0.7], (4, 1))) == 0.5


@pytest.mark.parametrize("wrong, rows", [(0, 50), (3, 100), (400, 2000)])
def test_the_error_rate_has_the_jeffreys_interval(wrong, rows):
    truth = np.zeros(rows, int)
    prediction = np.tile([0.9, 0.1], (rows, 1))
    prediction[:wrong] = [0.1, 0.9]
    found = interval(METRICS["error"], truth, prediction[None], resamples=20_000)
    low, high = stats.beta(wrong + 0.5, rows - wrong + 0.5).ppf([0.025, 0.975])
    assert found.value == wrong / rows
    assert found.high == pytest.approx(high, rel=0.05)
    assert found.low == (0.0 if wrong == 0 else pytest.approx(low, rel=0.07))


def test_equal_weights_of_any_size_leave_the_interval_alone():
    truth, prediction = classified(200, 3)
    plain = bootstrap(METRICS["f1"], truth, prediction, seed=3)
    assert bootstrap(METRICS["f1"], truth, prediction, np.full(200, 9.0), seed=3) == pytest.approx(plain)


def test_unequal_weights_widen_the_interval():
    truth, prediction = classified(500, 2)
    weight = np.where(RNG.random(500) < 0.05, 20.0, 0.1)
    assert bootstrap(METRICS["error"], truth, prediction, weight).std() > 2 * bootstrap(METRICS["error"], truth, prediction).std()


def test_a_mean_has_its_textbook_standard_error_below_and_above_the_resampling_limit():
    for rows in (2_000, 40_000):
        truth = RNG.normal(size=rows)
        draws = bootstrap(METRICS["mae"], truth, np.zeros(rows), resamples=3000)
        assert draws.mean() == pytest.approx(np.abs(truth).mean(), rel=0.01)
        assert draws.std() == pytest.approx(np.abs(truth).std() / np.sqrt(rows), rel=0.06)


def test_the_normal_limit_agrees_with_resampling_for_r2(monkeypatch):
    truth = RNG.normal(1000, 2, 3000)
    prediction = truth + RNG.normal(size=3000)
    resampled = bootstrap(METRICS["r2"], truth, prediction, resamples=3000)
    monkeypatch.setattr("shoal.metrics.ROWS_RESAMPLED", 100)
    limit = bootstrap(METRICS["r2"], truth, prediction, resamples=3000)
    assert limit.std() == pytest.approx(resampled.std(), rel=0.08)
    assert np.quantile(limit, [0.025, 0.975]) == pytest.approx(np.quantile(resampled, [0.025, 0.975]), abs=0.002)


def test_a_perfect_ranking_of_few_rows_is_not_certain():
    truth = np.repeat([0, 1], 15)
    found = interval(METRICS["auc"], truth, np.stack([1 - truth, truth], axis=1)[None].astype(float))
    assert found.value == found.high == 1.0
    assert 0.7 < found.low < 0.95


@pytest.mark.parametrize("name", METRICS)
def test_intervals_cover_the_true_score(name):
    """95 % intervals of 300 simulated data sets of 150 rows hold the score of 200,000 rows in 90 to 98.5 %."""
    metric, rng = METRICS[name], np.random.default_rng(11)

    def simulated(rows):
        if metric.task == "multi_label":
            return labelled(rows, 3, rng)
        if metric.task == "classification":
            return classified(rows, 2, skill=0.3, rng=rng)
        truth = rng.normal(size=rows)
        return truth, truth + rng.normal(0, 0.7, rows)

    true = score(metric, *simulated(200_000))
    held = 0
    for seed in range(300):
        truth, prediction = simulated(150)
        found = interval(metric, truth, prediction[None], resamples=400, seed=seed)
        held += found.low <= true <= found.high
    assert 0.90 <= held / 300 <= 0.985


def test_seeds_widen_the_interval_by_their_own_standard_error():
    members = np.array([0.1, 0.2, 0.3, 0.4])
    draws = seed_scatter(members, resamples=20_000)
    assert draws.std() == pytest.approx(members.std(ddof=1) / 2, rel=0.03)
    truth = np.zeros(200)
    alike, apart = np.full((4, 200), 1.0), np.array([0.4, 0.8, 1.2, 1.6])[:, None] * np.ones(200)
    assert interval(METRICS["mae"], truth, alike).high == pytest.approx(1.0)
    assert interval(METRICS["mae"], truth, apart).high == pytest.approx(1 + 1.96 * 0.516 / 2, rel=0.05)


def test_seeds_have_a_random_stream_of_their_own():
    draws = seed_scatter(np.array([0.1, 0.2]), resamples=4000, seed=3)
    assert abs(np.corrcoef(draws, np.random.default_rng(3).normal(size=4000))[0, 1]) < 0.05


@pytest.mark.parametrize("name", METRICS)
def test_paired_draws_of_one_prediction_are_the_same(name):
    truth, prediction = data_for(METRICS[name])
    first, second = paired_bootstrap(METRICS[name], truth, (prediction, prediction), resamples=50)
    tolerance = 0.05 if METRICS[name].counts in ("rate", "class rates") else 1e-12  # pseudo-examples answer apart
    assert np.abs(first - second).max() <= tolerance


@pytest.mark.parametrize("name", ["error", "log_loss", "auc", "balanced_accuracy"])
def test_pairing_narrows_the_difference_of_similar_models(name):
    truth, prediction = classified(800, 3)
    similar = prediction + RNG.random(prediction.shape) * 0.02
    first, second = paired_bootstrap(METRICS[name], truth, (prediction, similar / similar.sum(1, keepdims=True)))
    apart = bootstrap(METRICS[name], truth, prediction, seed=1) - bootstrap(METRICS[name], truth, prediction, seed=2)
    assert (first - second).std() < 0.4 * apart.std()


def test_three_discordant_rows_do_not_decide_between_two_models():
    """McNemar's exact test gives p = 0.25 for three against none, and 0.002 for ten against none."""
    truth = np.zeros(200, int)
    right = np.tile([1.0, 0.0], (200, 1))
    for discordant, decided in ((3, False), (10, True)):
        other = right.copy()
        other[:discordant] = [0.0, 1.0]
        worse, better = paired_bootstrap(METRICS["error"], truth, (other, right), resamples=4000)
        assert bool(np.quantile(worse - better, 0.025) > 0) is decided


def test_the_same_seed_gives_the_same_draws():
    truth, prediction = classified(100, 3)
    for name in ("error", "log_loss", "auc"):
        once, again, other = (bootstrap(METRICS[name], truth, prediction, seed=seed) for seed in (5, 5, 6))
        assert np.array_equal(once, again)
        assert not np.array_equal(once, other)


@pytest.mark.parametrize(
    "name, task, suggested",
    [
        ("acuracy", "classification", "Did you mean 'accuracy'?"),
        ("auc", "regression", "Choose from: rmse"),
        ("rsme", "regression", "'rmse'"),
    ],
)
def test_an_unknown_metric_is_refused_with_the_likeliest_correction(name, task, suggested):
    with pytest.raises(OptionError, match=suggested.replace("?", r"\?")):
        check_metric(name, task)


def test_a_metric_of_the_other_task_is_named_as_such():
    with pytest.raises(OptionError, match="a metric of classification"):
        check_metric("auc", "regression")
    assert check_metric(None, "classification").name == "error"


@pytest.mark.parametrize(
    "truth, prediction, message",
    [([], [], "rows of one length"), ([1.0], [1.0, 2.0], "rows of one length"), ([1.0], [[1.0]], "takes"), ([1.0], [np.nan], "finite")],
)
def test_predictions_that_cannot_be_scored_are_refused(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        score(METRICS["rmse"], np.array(truth), np.array(prediction))


def test_a_hundred_models_are_drawn_together():
    """Two classes to the power of a hundred patterns of answers are more than a whole number of 64 bits counts."""
    truth = np.arange(60) % 2
    prediction = np.eye(2)[truth]
    draws = paired_bootstrap(METRICS["balanced_accuracy"], truth, [prediction] * 100, resamples=5, groups=[0] * 100)
    assert draws.shape == (100, 5) and (draws == draws[0]).all() and (draws > 0.9).all()
