"""What is kept of the answers for several labels: against scikit-learn's matrices and curve, and the rows themselves."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import multilabel_confusion_matrix, precision_score, recall_score

from shoal.data import load
from shoal.experiments.evidence import measure_evidence
from shoal.experiments.left_out import PartAnswers
from shoal.measurements import Measurements
from shoal.saved_run import as_written, to_plain

from .test_evidence import wilson


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(900, 3))
    columns = {"a": inputs[:, 0], "b": inputs[:, 1], "noise": inputs[:, 2]}
    labels = {"red": np.where(inputs[:, 0] > 0, "yes", "no"), "big": (inputs[:, 1] > 1).astype(int), "rare": np.arange(900) % 90 == 0}
    return load(pl.DataFrame(columns | labels), target=list(labels), dev_size=400)


@pytest.fixture(scope="module")
def probability(data):
    random = np.random.default_rng(1)
    probability = expit(random.normal(2 * (2 * data.truth["dev"] - 1), 2.0))
    probability[:, 2] = 0.01
    return probability


@pytest.fixture(scope="module")
def found(data, probability):
    return measure_evidence(data, {"dev": PartAnswers(data.truth["dev"], (probability,))}, temperature=1.5)


def test_each_label_has_scikit_learns_matrix_recall_and_precision_with_wilsons_intervals(data, probability, found):
    truth, said = data.truth["dev"], probability > 0.5
    scores = (score(truth, said, average=None, zero_division=0) for score in (precision_score, recall_score))  # type: ignore[arg-type]
    precision, recall = map(np.asarray, scores)
    for place, (label, matrix) in enumerate(zip(found.labels["dev"], multilabel_confusion_matrix(truth, said), strict=True)):
        assert [[label.left_out, label.false_alarms], [label.missed, label.hits]] == matrix.tolist()
        assert label.recall.value == pytest.approx(recall[place])
        assert (label.recall.low, label.recall.high) == pytest.approx(wilson(label.hits, label.hits + label.missed), abs=1e-5)
        if place < 2:
            assert label.precision.value == pytest.approx(precision[place])
    assert [(label.name, label.there) for label in found.labels["dev"]] == [("red", "yes"), ("big", "1"), ("rare", "true")]
    assert found.labels["dev"][2].precision is None, "nothing was answered with it"


def test_each_label_of_each_row_is_a_forecast(data, probability, found):
    seen, truth = found.reliability["dev"], data.truth["dev"].ravel()
    assert seen.rows == truth.size == 1200
    for at, said in ((seen.after, probability), (seen.before, expit(1.5 * logit(probability)))):
        came, mean = calibration_curve(truth, said.ravel(), n_bins=15, strategy="quantile")
        # the third label has one probability in all rows, over which scikit-learn cannot draw a limit
        assert [each.said for each in at.bins[6:]] == pytest.approx(mean[-9:], abs=0.02)
        assert [each.came.value for each in at.bins[6:]] == pytest.approx(came[-9:], abs=0.05)
        assert at.histogram == tuple(np.histogram(said, bins=20, range=(0, 1))[0])


def test_the_surest_mistakes_are_single_labels_of_rows_with_what_the_data_hold(data, probability, found):
    truth, places = data.truth["dev"], data.division.places["dev"][1]
    sure = np.where((probability > 0.5) != truth, np.maximum(probability, 1 - probability), 0)
    row, label = np.unravel_index(sure.argmax(), sure.shape)
    first, cells = found.wrong_rows[0], [("no", "yes"), ("0", "1"), ("false", "true")][label]
    assert (first.name, first.label) == (f"row {places[row]:,}", ("red", "big", "rare")[label])
    assert (first.truth, first.answer) == (cells[truth[row, label]], cells[1 - truth[row, label]])
    assert (first.probability, first.of_truth) == pytest.approx((sure[row, label], 1 - sure[row, label]))
    surest = [each.probability for each in found.wrong_rows]
    assert len(surest) == 12 and surest == sorted(surest, reverse=True) == pytest.approx(np.sort(sure, axis=None)[::-1][:12])
    assert {name for name, _ in first.values[:2]} == {"a", "b"}, "the columns that tell most about these labels"


def test_the_measurements_survive_being_written(found):
    assert as_written(to_plain(found), Measurements, None) == found  # type: ignore[arg-type]
