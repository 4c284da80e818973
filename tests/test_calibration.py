"""Temperature scaling against scikit-learn's, PyTorch's optimiser, and temperatures known because the data were drawn with them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from shoal.calibration import COLDEST, FEWEST_ROWS, HOTTEST, fit_temperature, scaled

ROWS = 600


def drawn(outputs: int, temperature: float, rows=ROWS):
    """Logits of a network, and classes drawn from what they are at a temperature; and weights."""
    generator = np.random.default_rng(9)
    logits = generator.normal(0, 3, (rows, outputs))
    truth = np.array([generator.choice(outputs, p=p) for p in softmax(logits / temperature, axis=1)])
    return logits, truth, generator.uniform(0.2, 3, rows)


def drawn_labels(labels: int, temperature: float, rows=ROWS):
    generator = np.random.default_rng(10)
    logits = generator.normal(0, 3, (rows, labels))
    return logits, (generator.uniform(size=logits.shape) < expit(logits / temperature)).astype(int), generator.uniform(0.2, 3, rows)


class Trained(ClassifierMixin, BaseEstimator):
    """A classifier whose features are its own probabilities."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return self.classes_[X.argmax(axis=1)]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_scikit_learns_calibrated_ones(classes, temperature):
    logits, truth, _ = drawn(classes, temperature)
    probability = softmax(logits, axis=1)
    calibrated = CalibratedClassifierCV(FrozenEstimator(Trained().fit(probability, truth)), method="temperature")
    calibrated.fit(probability, truth)
    ours = fit_temperature(probability, truth, np.ones(ROWS))
    np.testing.assert_allclose(scaled(probability, ours), calibrated.predict_proba(probability), atol=1e-6)
    assert ours == pytest.approx(temperature, rel=0.2)


def temperature_of_pytorch(loss) -> float:
    """As the code of Guo et al. (2017) has it: L-BFGS on the mean loss."""
    log_temperature = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [log_temperature], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        value = loss(torch.exp(log_temperature))
        value.backward()
        return value

    optimiser.step(closure)  # type: ignore[arg-type]
    return float(torch.exp(log_temperature.detach()))


def test_the_temperature_is_where_pytorchs_lbfgs_finds_the_least_cross_entropy():
    logits, truth, weight = drawn(3, 2.0)
    z, weights = torch.tensor(logits), torch.tensor(weight)

    def loss(temperature):
        return (torch.nn.functional.cross_entropy(z / temperature, torch.tensor(truth), reduction="none") * weights).mean()

    ours = fit_temperature(softmax(logits, axis=1), truth, weight)
    assert ours == pytest.approx(temperature_of_pytorch(loss), rel=1e-5)
    assert ours != pytest.approx(fit_temperature(softmax(logits, axis=1), truth, np.ones(ROWS)), rel=1e-3)  # the weights count


def test_labels_have_one_temperature_between_them_where_pytorchs_lbfgs_finds_the_least_binary_cross_entropy():
    logits, truth, weight = drawn_labels(3, 2.0)
    z, labels, weights = torch.tensor(logits), torch.tensor(truth, dtype=torch.float64), torch.tensor(weight)

    def loss(temperature):
        each = torch.nn.functional.binary_cross_entropy_with_logits(z / temperature, labels, reduction="none")
        return (each.mean(1) * weights).mean()

    ours = fit_temperature(expit(logits), truth, weight, is_multi_label=True)
    assert ours == pytest.approx(temperature_of_pytorch(loss), rel=1e-5)
    np.testing.assert_allclose(scaled(expit(logits), ours, is_multi_label=True), expit(logits / ours), rtol=1e-9)


def test_probabilities_at_a_temperature_are_those_of_the_divided_logits():
    logits = np.random.default_rng(0).normal(0, 3, (20, 5))
    for temperature in (0.3, 1.0, 4.0):
        ours = scaled(softmax(logits, axis=1), temperature)
        np.testing.assert_allclose(ours, softmax(logits / temperature, axis=1), rtol=1e-10)
    several = scaled(softmax(logits, axis=1).reshape(4, 5, 5), 4.0)
    np.testing.assert_allclose(several.reshape(20, 5), ours, rtol=1e-12)


def test_temperature_1_leaves_every_bit_alone():
    probability = softmax(np.random.default_rng(0).normal(size=(5, 3)), axis=1)
    assert scaled(probability, 1.0) is probability


probabilities = hnp.arrays(np.float64, (30, 3), elements=st.floats(0, 1)).map(lambda p: (p + 1e-9) / (p + 1e-9).sum(1, keepdims=True))


@given(probabilities, hnp.arrays(np.int64, 30, elements=st.integers(0, 2)))
def test_the_temperature_never_raises_the_loss_or_changes_a_predicted_class_and_stays_in_its_bounds(probability, truth):
    temperature = fit_temperature(probability, truth, np.ones(30))
    assert COLDEST <= temperature <= HOTTEST
    after = scaled(probability, temperature)
    np.testing.assert_allclose(after.sum(1), 1, rtol=1e-9)
    at = np.arange(30)
    assert -np.log(np.maximum(after[at, truth], 1e-300)).mean() <= -np.log(probability[at, truth]).mean() + 1e-9
    # A tie that round-off decided may be decided the other way.
    assert (after[at, probability.argmax(1)] >= after.max(1) - 1e-9).all()


def test_fewer_rows_than_say_anything_leave_probabilities_as_they_are():
    logits, truth, weight = drawn(3, 5.0, rows=FEWEST_ROWS)
    probability = softmax(logits, axis=1)
    assert fit_temperature(probability[:-1], truth[:-1], weight[:-1]) == 1
    assert fit_temperature(probability, truth, weight) > 1.5


def test_a_network_that_is_always_right_or_knows_nothing_has_a_temperature_at_a_bound():
    logits = np.random.default_rng(0).normal(0, 1, (100, 3))
    assert fit_temperature(softmax(logits, axis=1), logits.argmax(1), np.ones(100)) == pytest.approx(COLDEST, rel=1e-3)
    assert fit_temperature(softmax(logits, axis=1), logits.argmin(1), np.ones(100)) == pytest.approx(HOTTEST, rel=1e-3)


@pytest.mark.parametrize("is_multi_label", [False, True])
def test_probabilities_of_0_and_1_stay_finite(is_multi_label):
    probability = np.tile([1.0, 0.0], (50, 1))
    truth = np.zeros(50, int)
    truth[:5] = 1
    labels = np.stack([1 - truth, truth], 1)
    temperature = fit_temperature(probability, labels if is_multi_label else truth, np.ones(50), is_multi_label)
    after = scaled(probability, temperature, is_multi_label)
    assert 1 < temperature <= HOTTEST and np.isfinite(after).all()
    assert ((after > 0) & (after < 1)).all()


def test_the_temperature_of_many_rows_is_the_one_they_were_drawn_with():
    for drawn_at in (0.6, 2.5):
        logits, truth, _ = drawn(3, drawn_at, rows=6_000)
        found = fit_temperature(softmax(logits, axis=1), truth, np.ones(6_000))
        spread = 4 * temperature_error(logits / drawn_at)
        assert found / drawn_at == pytest.approx(1, abs=spread) and spread < 0.15


def temperature_error(z) -> float:
    """Standard error of log T: the information of one row is the variance of z over the classes it may have."""
    p = np.exp(log_softmax(z, axis=1))
    variance = (p * z**2).sum(1) - (p * z).sum(1) ** 2
    return 1 / np.sqrt(variance.sum())
