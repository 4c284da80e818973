"""Losses and output activations against scikit-learn, PyTorch, SciPy and the course's numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shoal.losses import activate_output, error_per_example, loss_for, per_example

RNG = np.random.default_rng(1)
Z = RNG.normal(0, 3, (50, 4))
CLASS = RNG.integers(4, size=50)
logits = hnp.arrays(np.float64, (6, 4), elements=st.floats(-1e4, 1e4))


def test_softmax_cross_entropy_is_scikit_learns_log_loss(float64):
    probability = np.array(activate_output("softmax", jnp.asarray(Z)))
    np.testing.assert_allclose(probability, scipy.special.softmax(Z, axis=1), rtol=1e-12)
    expected = sklearn.metrics.log_loss(CLASS, probability)
    assert float(per_example("softmax", jnp.asarray(Z), jnp.asarray(CLASS)).mean()) == pytest.approx(expected, rel=1e-12)


def test_sigmoid_cross_entropy_is_scikit_learns_log_loss(float64):
    z, target = Z[:, :1], CLASS % 2
    expected = sklearn.metrics.log_loss(target, scipy.special.expit(z[:, 0]))
    assert float(per_example("sigmoid", jnp.asarray(z), jnp.asarray(target)).mean()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_of_softmax_is_pytorchs(float64, smoothing):
    loss = torch.nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="none")
    expected = loss(torch.tensor(Z), torch.tensor(CLASS)).numpy()
    np.testing.assert_allclose(per_example("softmax", jnp.asarray(Z), jnp.asarray(CLASS), smoothing), expected, rtol=1e-11)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing_of_sigmoid_is_binary_cross_entropy_with_softened_targets(float64, smoothing):
    z, target = Z[:, :1], CLASS % 2
    softened = torch.tensor(np.where(target == 1, 1 - smoothing / 2, smoothing / 2))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(z[:, 0]), softened, reduction="none").numpy()
    np.testing.assert_allclose(per_example("sigmoid", jnp.asarray(z), jnp.asarray(target), smoothing), expected, rtol=1e-11)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_sigmoid_is_softmax_over_two_classes(float64, smoothing):
    z, target = jnp.asarray(Z[:, :1]), jnp.asarray(CLASS % 2)
    both = jnp.concatenate([jnp.zeros_like(z), z], 1)
    np.testing.assert_allclose(
        per_example("sigmoid", z, target, smoothing), per_example("softmax", both, target, smoothing), rtol=1e-10, atol=1e-14
    )
    np.testing.assert_allclose(activate_output("sigmoid", z), activate_output("softmax", both), rtol=1e-12)


def test_squared_error_is_scikit_learns(float64):
    z, target = Z[:, :1], Z[:, 1]
    expected = sklearn.metrics.mean_squared_error(target, z[:, 0])
    assert float(per_example("squared_error", jnp.asarray(z), jnp.asarray(target)).mean()) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(activate_output("squared_error", jnp.asarray(z)), z[:, 0])


def test_softmax_of_5_2_minus_1_3_is_the_courses():
    probability = activate_output("softmax", jnp.array([[5.0, 2.0, -1.0, 3.0]]))
    np.testing.assert_array_equal(np.asarray(probability, np.float64).round(3), [[0.842, 0.042, 0.002, 0.114]])


@given(logits, st.floats(-1e4, 1e4))
def test_softmax_sums_to_1_and_does_not_change_when_all_logits_shift(z, shift):
    with jax.enable_x64(True):
        probability = np.array(activate_output("softmax", jnp.asarray(z)))
        shifted = np.array(activate_output("softmax", jnp.asarray(z + shift)))
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(shifted, probability, atol=1e-11)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_losses_and_gradients_stay_finite_and_right_for_huge_logits_in_single_precision(loss, size):
    z = jnp.array([[size, -size]] if loss == "softmax" else [[-size]], jnp.float32)
    for target, expected in ((0, 0.0), (1, 2 * size if loss == "softmax" else size)):
        value, gradient = jax.value_and_grad(lambda z, target=target: per_example(loss, z, jnp.array([target])).sum())(z)
        assert float(value) == pytest.approx(expected, abs=1e-6) and np.isfinite(gradient).all()
    assert np.isfinite(activate_output(loss, z)).all()


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_the_gradient_with_respect_to_the_logits_is_prediction_minus_target(float64, loss):
    z, target = (jnp.asarray(Z), jnp.asarray(CLASS)) if loss == "softmax" else (jnp.asarray(Z[:, :1]), jnp.asarray(CLASS % 2))
    gradient = jax.grad(lambda z: per_example(loss, z, target).sum())(z)
    probability = activate_output(loss, z)
    expected = probability - jax.nn.one_hot(target, 4) if loss == "softmax" else probability[:, 1:] - target[:, None]
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


def test_errors_are_scikit_learns_zero_one_loss_and_squared_error():
    softmax = error_per_example("softmax", jnp.asarray(Z), jnp.asarray(CLASS))
    assert float(softmax.mean()) == pytest.approx(sklearn.metrics.zero_one_loss(CLASS, Z.argmax(1)))
    sigmoid = error_per_example("sigmoid", jnp.asarray(Z[:, :1]), jnp.asarray(CLASS % 2))
    assert float(sigmoid.mean()) == pytest.approx(sklearn.metrics.zero_one_loss(CLASS % 2, Z[:, 0] > 0))
    np.testing.assert_array_equal(error_per_example("squared_error", jnp.array([[3.0]]), jnp.array([1.0])), [4.0])


@pytest.mark.parametrize(
    ("task", "classes", "expected"),
    [("regression", 0, ("squared_error", 1)), ("classification", 2, ("sigmoid", 1)), ("classification", 7, ("softmax", 7))],
)
def test_each_task_gets_its_loss(task, classes, expected):
    assert loss_for(task, classes) == expected
