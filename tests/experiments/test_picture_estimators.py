"""What estimators and references are given of pictures: standardised numbers, bytes where that is asked for, and smaller pictures."""

import warnings

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import shoal
from shoal.data import load
from shoal.experiments import refits
from shoal.experiments.refits import raw_columns, shown_columns
from shoal.references import MOST_BOOSTING_INPUTS, MOST_LINEAR_INPUTS, Shrunk, fit_references


def bars(rows, seed=0, side=12, channels=1):
    """A bright bar, upright or lying, on a noisy ground."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    pictures = rng.integers(0, 60, (rows, side, side, channels), dtype=np.uint8)
    for picture, label, place in zip(pictures, labels, rng.integers(2, side - 4, rows), strict=True):
        if label == 0:
            picture[:, place : place + 2] = 200
        elif label == 1:
            picture[place : place + 2] = 200
    return pictures, labels


@pytest.mark.parametrize("channels", [1, 3])
def test_estimators_are_shown_pixels_standardised_over_the_training_pictures(channels):
    pictures, labels = bars(200, channels=channels)
    data = load(pictures, y=labels)
    shown = shown_columns(data)
    train = data.inputs["train"].reshape(-1, 144, channels).astype(np.float64)
    mean, deviation = train.mean(axis=(0, 1)), train.std(axis=(0, 1))
    expected = (data.inputs["dev"].reshape(-1, 144, channels) - mean) / deviation
    np.testing.assert_allclose(shown["dev"], expected.reshape(len(expected), -1), rtol=1e-4, atol=1e-5)
    assert shown["train"].dtype == np.float32


def test_very_many_pixels_stay_bytes(monkeypatch):
    data = load(bars(200)[0], y=bars(200)[1])
    monkeypatch.setattr(refits, "MOST_NUMBERS", 1000)
    assert all(np.shares_memory(inputs, data.inputs[part]) for part, inputs in shown_columns(data).items())


def test_raw_pictures_are_bytes_in_rows_and_columns():
    pictures, labels = bars(200)
    data = load(pictures, y=labels)
    raw = raw_columns(data, {"train": pictures})
    np.testing.assert_array_equal(raw["dev"], pictures[data.division.places["dev"][1]])


def test_an_estimator_is_diagnosed_on_pictures_raw_or_not():
    pictures, labels = bars(300)
    found = shoal.diagnose_estimator(LogisticRegression(max_iter=20), pictures, labels, curve=False, test_size=0)
    assert found.measured.data is not None and found.measured.data.pictures is not None and found.measured.mistakes is not None
    assert {finding.code for finding in found.findings if finding.outcome == "found"} & {"SH312", "SH313", "SH314", "SH307"} == set()
    flat = FunctionTransformer(lambda x: x.reshape(len(x), -1) / 255)
    raw = shoal.diagnose_estimator(
        make_pipeline(flat, LogisticRegression(max_iter=20)), pictures, labels, curve=False, raw=True, test_size=0
    )
    assert raw.scores["dev"].value < 0.2


@pytest.mark.parametrize(("shape", "size"), [((32, 32, 3), (8, 8)), ((28, 28, 1), (14, 14)), ((8, 8, 1), (8, 8))])
def test_pictures_are_shrunk_as_pillow_averages_areas(shape, size):
    shrunk = Shrunk.to(shape, MOST_BOOSTING_INPUTS)
    assert shrunk is not None and shrunk.size == size and shrunk.inputs <= MOST_BOOSTING_INPUTS
    pictures = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    found = (shrunk(pictures.reshape(3, -1)).reshape(3, *size, shape[2]) + 2) * 64
    for picture, small in zip(pictures, found, strict=True):
        for channel in range(shape[2]):
            image = Image.fromarray(picture[..., channel].astype(np.float32))
            np.testing.assert_allclose(small[..., channel], np.asarray(image.resize(size[::-1], Image.Resampling.BOX)), atol=0.01)


def test_areas_that_divide_pixels_keep_the_mean():
    shrunk = Shrunk.to((30, 20, 1), MOST_BOOSTING_INPUTS)
    assert shrunk is not None and shrunk.size == (17, 11)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 600), dtype=np.uint8)
    np.testing.assert_allclose((shrunk(pictures).mean(axis=1) + 2) * 64, pictures.mean(axis=1), rtol=1e-5)


def test_references_learn_pictures_and_say_what_they_saw():
    pictures, labels = bars(400, side=20, channels=3)
    inputs = pictures.reshape(400, -1)
    trivial, linear, boosting = fit_references(
        inputs[:300], labels[:300], task="classification", n_classes=3, evaluate={"dev": inputs[300:]}, seconds=0.2, picture=(20, 20, 3)
    )
    assert linear.detail.startswith("logistic regression on pictures of 16 x 16") and "on pictures of 8 x 8" in boosting.detail
    errors = [np.mean(each.predictions["dev"].argmax(axis=1) != labels[300:]) for each in (trivial, linear, boosting)]
    assert errors[0] > 0.5 and errors[2] < 0.2
    shrunk = Shrunk.to((20, 20, 3), MOST_LINEAR_INPUTS)
    assert shrunk is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of not having converged, which the reference does not say either
        by_hand = LogisticRegression().fit(shrunk(inputs[:300]), labels[:300]).predict_proba(shrunk(inputs[300:]))
    np.testing.assert_allclose(linear.predictions["dev"], by_hand, atol=1e-3)


def test_tables_are_not_shrunk():
    rng = np.random.default_rng(0)
    table, labels = rng.normal(size=(300, 5)), rng.integers(0, 2, 300)
    given = {"task": "classification", "n_classes": 2, "evaluate": {"dev": table}}
    boosting = fit_references(table, labels, **given)[2]
    expected = HistGradientBoostingClassifier(max_iter=100, max_bins=255, random_state=0).fit(table, labels).predict_proba(table)
    np.testing.assert_allclose(boosting.predictions["dev"], expected, atol=1e-9)
    assert "pictures" not in boosting.detail
