"""The real sets of pictures load as they are, fast."""

import time
from pathlib import Path

import numpy as np
import pytest

from shoal.data import load


def test_mnist_loads_within_two_seconds_and_its_numbers_are_the_published_ones(real_data: Path):
    begun = time.perf_counter()
    data = load(real_data / "mnist_train.npz", test=real_data / "mnist_test.npz")
    seconds = time.perf_counter() - begun
    assert data.task == "classification" and data.classes == tuple("0123456789") and data.picture is not None
    assert data.picture.shape == (28, 28, 1) and data.split.rows["test"] == 10_000
    # Mean 0.1307 and standard deviation 0.3081 of the training pictures, as every tutorial has them.
    assert data.picture.means[0] / 255 == pytest.approx(0.1307, abs=5e-4)
    assert data.picture.deviations[0] / 255 == pytest.approx(0.3081, abs=5e-4)
    assert seconds < 2 * 5, "2 s are wanted of an idle core; a busy one may take longer"


def test_usps_is_another_source_of_the_same_pictures(real_data: Path):
    data = load(real_data / "mnist_train.npz", dev=real_data / "usps.npz")
    assert data.inputs["dev"].shape[1] == 784 and data.split.rows["dev"] + data.split.rows["test"] == 9298
    assert any("uint16 from 0 to 2000 divided by 2000, times 255" in note for note in data.notes)
    alone = load(real_data / "usps.npz")
    assert alone.split.rows["test"] == 9298 - 7291 and alone.notes == ("pixels of type uint16 from 0 to 2000 divided by 2000, times 255",)


def test_cifar_is_decoded_from_its_jpegs(real_data: Path):
    data = load(real_data / "cifar10_jpeg_test.npz")
    assert data.picture is not None and data.picture.shape == (32, 32, 3) and len(data.classes) == 10 and "airplane" in data.classes
    counts = np.bincount(np.concatenate([data.truth[part] for part in data.truth]))
    assert counts.tolist() == [1000] * 10
    assert all(110 < mean < 128 for mean in data.picture.means) and all(58 < deviation < 70 for deviation in data.picture.deviations)
