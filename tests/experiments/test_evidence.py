"""What is kept of a model's answers for the report: against scikit-learn, NumPy and Wilson's own formula."""

import base64
import io

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix

from shoal.data import load
from shoal.experiments.confusion import MOST_PAIRS, measure_confusion
from shoal.experiments.evidence import measure_evidence
from shoal.experiments.learning_curve import fitted
from shoal.experiments.left_out import PartAnswers
from shoal.experiments.reliability import measure_reliability
from shoal.experiments.residuals import measure_residuals
from shoal.experiments.wrong_rows import telling_columns, wrong_rows
from shoal.measurements import Measurements
from shoal.saved_run import as_written, to_plain


def wilson(count, rows, z=1.959964):
    """Wilson 1927, equation by equation."""
    share = count / rows
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    return middle - half, middle + half


def test_confusion_is_scikit_learns_matrix_with_wilsons_intervals():
    random = np.random.default_rng(0)
    truth, said = random.integers(0, 4, 500), random.integers(0, 4, 500)
    found = measure_confusion(said, truth, 5)
    table = confusion_matrix(truth, said, labels=range(5))
    rebuilt = np.zeros((5, 5), int)
    for real, answer, rows in found.mistakes:
        rebuilt[real, answer] = rows
    assert (rebuilt + np.diag(np.diag(table)) == table).all() and found.left_out == 0
    assert found.rows == tuple(table.sum(1)) and found.answered == tuple(table.sum(0)) and found.right[4] is None
    counts = [rows for *_, rows in found.mistakes]
    assert counts == sorted(counts, reverse=True)
    for label in range(4):
        share = found.right[label]
        assert share is not None and (share.low, share.high) == pytest.approx(wilson(table[label, label], table[label].sum()), rel=1e-5)


def test_confusion_of_hundreds_of_classes_stays_small_and_says_what_is_left_out():
    random = np.random.default_rng(0)
    truth, said = random.integers(0, 300, 20_000), random.integers(0, 300, 20_000)
    found = measure_confusion(said, truth, 300)
    kept = sum(rows for *_, rows in found.mistakes)
    assert len(found.mistakes) == MOST_PAIRS and kept + found.left_out == np.sum(truth != said)


def test_reliability_has_the_bins_of_scikit_learn_before_and_after_the_temperature():
    random = np.random.default_rng(0)
    z = random.normal(0, 2, (3_000, 2))
    truth = (random.random(3_000) < softmax(z, axis=1)[:, 1]).astype(int)
    found = measure_reliability(softmax(z / 2.5, axis=1), truth, temperature=2.5)
    assert found is not None and found.before is not None and (found.shown, found.rows) == (1, 3_000)
    for seen, temperature in ((found.after, 2.5), (found.before, 1.0)):
        said = softmax(z / temperature, axis=1)[:, 1]
        came, mean = calibration_curve(truth, said, n_bins=15, strategy="quantile")
        assert [each.said for each in seen.bins] == pytest.approx(mean, abs=0.01)
        assert [each.came.value for each in seen.bins] == pytest.approx(came, abs=0.01)
        assert sum(each.rows for each in seen.bins) == sum(seen.histogram) == 3_000
        assert seen.histogram == tuple(np.histogram(said, bins=20, range=(0, 1))[0])
        one = seen.bins[3]
        assert (one.came.low, one.came.high) == pytest.approx(wilson(one.came.value * one.rows, one.rows), rel=1e-5)
    # the truth was drawn at temperature 1, so that 2.5 is too unsure
    assert found.before.error.value < 0.03 < 0.1 < found.after.error.value


def test_reliability_of_several_classes_is_that_of_the_predicted_one_and_weights_count():
    random = np.random.default_rng(1)
    p = random.dirichlet(np.ones(3), 2_000)
    truth = (random.random(2_000)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    found = measure_reliability(p, truth, np.where(truth == p.argmax(axis=1), 1.0, 1e-9))
    assert found is not None and found.shown is None and found.before is None
    assert all(each.came.value > 0.999 for each in found.after.bins)
    assert measure_reliability(p[:99], truth[:99]) is None


def test_residuals_keep_a_sample_the_density_of_all_and_quantiles_along_the_prediction():
    random = np.random.default_rng(0)
    predicted = random.normal(size=5_000)
    truth = predicted + random.normal(size=5_000) * np.where(predicted > 0, 2.0, 0.1)
    found = measure_residuals(predicted, truth, seed=3)
    assert len(found.truth) == len(found.predicted) == 400 and found == measure_residuals(predicted, truth, seed=3)
    assert all(np.isclose(truth, value, rtol=1e-4).any() for value in found.truth[:20])
    density = found.density
    assert density is not None and sum(rows for *_, rows in density.cells) + density.outside == 5_000 and density.outside < 100
    table, *_ = np.histogram2d(predicted, truth, bins=density.side, range=[[density.low, density.high]] * 2)
    assert all(table[x, y] == rows for x, y, rows in density.cells)
    first, last = found.bins[0], found.bins[-1]
    lowest = np.argsort(predicted)[: first.rows]
    assert (first.low, first.high) == pytest.approx(np.quantile((truth - predicted)[lowest], (0.05, 0.95)), rel=1e-3)
    assert last.high - last.low > 10 * (first.high - first.low)
    few = measure_residuals(predicted[:30], truth[:30])
    assert few.density is None and len(few.truth) == 30 and len(few.bins) == 1
    assert measure_residuals(np.zeros(500), np.zeros(500)).density is None


def test_wrong_rows_are_named_and_show_the_columns_that_tell_most():
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 400)
    frame = pl.DataFrame(
        {
            "noise": random.normal(size=400),
            "tells": label + random.normal(scale=0.1, size=400),
            "kind": [("a", "b")[each] if random.random() < 0.8 else None for each in label],
            "y": [("no", "yes")[each] for each in label],
        }
    )
    data = load(frame, target="y", dev_size=100, test_size=0)
    truth, places = data.truth["dev"], data.division.places["dev"][1]
    answer = np.eye(2)[truth] * 0.8 + 0.1
    answer[[7, 30]] = [[0.01, 0.99], [0.3, 0.7]] if truth[7] == 0 else [[0.99, 0.01], [0.3, 0.7]]
    answer[30] = answer[30][:: -1 if truth[30] else 1]
    found = wrong_rows(data, answer)
    assert [each.name for each in found] == [f"row {places[7]:,}", f"row {places[30]:,}"]
    first = found[0]
    assert (first.truth, first.probability, first.of_truth) == (("no", "yes")[truth[7]], 0.99, pytest.approx(0.01))
    assert [name for name, _ in first.values][-1] == "noise" and len(first.values) == 3
    shown, row = dict(first.values), frame.row(int(places[7]), named=True)
    assert shown["kind"] == (row["kind"] or "missing") and float(shown["tells"]) == pytest.approx(row["tells"], rel=1e-4)
    assert telling_columns(data)[-1] == 0


def test_wrong_rows_of_a_regression_are_those_furthest_off():
    data = load("example:diabetes")
    truth = data.truth["dev"]
    answer = truth + np.where(np.arange(len(truth)) == 5, -80.0, 0.5)
    found = measure_evidence(data, {"dev": PartAnswers(truth, (answer,)), "test": PartAnswers(truth, (answer,))})
    assert (found.wrong_rows[0].truth, found.wrong_rows[0].answer) == (truth[5], truth[5] - 80) and len(found.wrong_rows) == 12
    assert set(found.residuals) == {"dev", "test"} and not found.confusion and not found.reliability
    assert as_written(to_plain(found), Measurements, None) == found  # type: ignore[arg-type]


def test_wrong_pictures_are_kept_as_they_look():
    pictures = np.random.default_rng(0).integers(0, 255, (120, 8, 10, 3), dtype=np.uint8)
    data = load(pictures, y=np.arange(120) % 2, test_size=0)
    truth, places = data.truth["dev"], data.division.places["dev"][1]
    found = measure_evidence(data, {"dev": PartAnswers(truth, (np.eye(2)[1 - truth],))})
    row = int(found.wrong_rows[0].name.removeprefix("row "))
    assert row in places and found.wrong_rows[0].values == ()
    seen = Image.open(io.BytesIO(base64.b64decode(found.wrong_rows[0].picture)))
    assert (np.asarray(seen) == pictures[row]).all()
    assert as_written(to_plain(found), Measurements, None) == found  # type: ignore[arg-type]


def test_a_learning_curve_says_its_law_up_to_four_times_the_rows():
    rows = [100, 200, 400, 800]
    errors = [[0.05 + 2 / np.sqrt(each)] * 3 for each in rows]
    curve = fitted(rows, errors, errors, 10, 0)
    assert (curve.law[0].rows, curve.law[-1].rows) == (100, 3200) and {800, 1600} <= {point.rows for point in curve.law}
    at = {point.rows: point.error for point in curve.law}
    assert at[3200].value == pytest.approx(0.05 + 2 / np.sqrt(3200), rel=0.02) and at[3200].low < at[3200].value < at[3200].high
    assert at[800] == curve.now
    assert at[800].value - at[1600].value == pytest.approx(curve.doubled.value)
