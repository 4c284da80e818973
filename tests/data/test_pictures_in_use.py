"""Models, estimators and commands on pictures: new pictures reach the networks, and predictions say which picture they are of."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import shoal
from shoal import Recipe, ShoalClassifier, ShoalRegressor
from shoal.data import load
from shoal.errors import DataError, PicturesLeftOut

RANDOM = np.random.default_rng(2)
Y = np.arange(80) % 2
X = np.clip(RANDOM.normal(90 + 80 * Y[:, None, None], 30, (80, 6, 6)), 0, 255).astype(np.uint8)
RECIPE = Recipe(hidden_units=(8,), epochs=3, learning_rate=0.01)


def photos(folder: Path) -> Path:
    for number, pixels in enumerate(X):
        path = folder / "ab"[Y[number]] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def classifier() -> ShoalClassifier:
    return ShoalClassifier(recipe=RECIPE, random_state=0).fit(X, Y)


def test_a_classifier_takes_arrays_with_and_without_channels(classifier):
    assert classifier.n_features_in_ == 36 and classifier.predict_proba(X).shape == (80, 2)
    np.testing.assert_array_equal(classifier.predict_proba(X), classifier.predict_proba(X[..., None]))
    np.testing.assert_array_equal(classifier.predict_proba(X), classifier.predict_proba(np.repeat(X[..., None], 3, axis=3)))
    assert 0 <= classifier.score(X, Y) <= 1 and classifier.predict(X).dtype == Y.dtype


def test_pictures_of_another_size_are_resized_to_that_of_fit(classifier):
    twice = X.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(classifier.predict_proba(twice), classifier.predict_proba(X))


def test_the_order_of_the_pictures_does_not_matter_to_fit(classifier):
    order = RANDOM.permutation(80)
    other = ShoalClassifier(recipe=RECIPE, random_state=0).fit(X[order], Y[order])
    np.testing.assert_array_equal(other.predict_proba(X), classifier.predict_proba(X))


def test_a_dev_set_of_pictures_may_be_of_another_size():
    fitted = ShoalClassifier(recipe=RECIPE, random_state=0).fit(X, Y, X_dev=X[:20].repeat(2, axis=1).repeat(2, axis=2), y_dev=Y[:20])
    assert fitted.predict(X[:3]).shape == (3,)


def test_a_regressor_and_sample_weights_take_pictures():
    fitted = ShoalRegressor(recipe=RECIPE, random_state=0).fit(X[..., None], X.mean(axis=(1, 2)), sample_weight=np.arange(80) % 3)
    assert np.isfinite(fitted.predict(X)).all()


def test_a_frame_of_paths_is_taken_and_a_broken_picture_is_an_error(tmp_path):
    photos(tmp_path)
    paths = pl.DataFrame({"file": [str(path) for path in sorted(tmp_path.rglob("*.png"))]})
    labels = [Path(path).parent.name for path in paths["file"]]
    fitted = ShoalClassifier(recipe=RECIPE, random_state=0).fit(paths, labels)
    assert set(fitted.predict(paths)) <= {"a", "b"}
    Path(paths["file"][0]).write_bytes(b"none")
    with pytest.raises(DataError, match="every picture that X names can be read"):
        fitted.fit(paths, labels)


def test_a_model_of_a_table_takes_no_pictures_and_the_other_way_round(classifier):
    table = ShoalClassifier(recipe=RECIPE, random_state=0).fit(X.reshape(80, -1).astype(float), Y)
    with pytest.raises(ValueError, match="is expecting 36 features"):
        table.predict(X[:, :5])
    with pytest.raises(ValueError, match="'picture'"):
        classifier.predict(X.reshape(80, -1))


def test_a_run_on_a_folder_predicts_a_folder_with_paths_first_and_names_what_it_cannot_read(tmp_path):
    folder = photos(tmp_path / "photos")
    run = shoal.train(folder, recipe=RECIPE, seeds=2, out=tmp_path / "run")
    assert load(folder).fingerprint == run.record.fingerprint and run.record.source == "photos"
    Image.fromarray(X[0].repeat(3, axis=0).repeat(3, axis=1)).save(folder / "new.webp", lossless=True)
    (folder / "a" / "broken.png").write_bytes(b"none")
    with pytest.warns(PicturesLeftOut, match=r"a/broken\.png"):
        predictions = run.model.predict(folder, proba=True)
    assert predictions.columns == ["path", "prediction", "p_a", "p_b"] and predictions.height == 81
    assert predictions["path"][-1] == "new.webp"
    again = run.model.predict(X, proba=True)
    assert again.columns == ["prediction", "p_a", "p_b"]
    by_path = dict(zip(predictions["path"], predictions["p_a"], strict=True))
    assert by_path["new.webp"] == pytest.approx(again["p_a"][0]) == pytest.approx(by_path["a/0.png"])

    command = [sys.executable, "-c", "from shoal.cli import main; main()", "predict", str(tmp_path / "run"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = done.stdout.splitlines()
    assert rows[0] == "path,prediction" and len(rows) == 82 and rows[1].startswith("a/0.png,")
    assert "1 picture of photos left out" in done.stderr and "a/broken.png" in done.stderr and "Traceback" not in done.stderr
