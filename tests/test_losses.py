"""Every loss and its gradient against PyTorch, and its mean against scikit-learn or SciPy; what outputs mean; which loss suits which task.

Where the libraries differ: the Huber loss is ``r^2/2`` near 0 and has the slope ``delta`` further out, as PyTorch's HuberLoss (its
SmoothL1Loss divides by ``delta``); the Poisson loss leaves out Stirling's ``log y!``; a loss of several labels is their mean, as
PyTorch's MultiLabelSoftMarginLoss; two classes are smoothed to ``s/2`` and ``1 - s/2``, as softmax over the two would.
"""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sklearn.metrics
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from shoal.losses import (
    Loss,
    activate_output,
    error_per_example,
    loss_for,
    per_example,
    target_scaling,
    trivial_loss,
    usual_loss,
)
from shoal.population import balancing_weights
from shoal.recipe import CHOICES

RNG = np.random.default_rng(1)
ROWS = 50
Z = RNG.normal(0, 3, (ROWS, 4))
CLASS = RNG.integers(4, size=ROWS)
LABELS = RNG.integers(2, size=(ROWS, 4))
# Among the values are ties and the place where the Huber loss of delta 1 turns into a line.
VALUE = np.concatenate([Z[:2, 0], Z[2:4, 0] + 1, Z[4:6, 0] - 1, RNG.normal(0, 3, ROWS - 6)])
COUNT = RNG.poisson(2.5, ROWS).astype(float)
TARGET: dict[Loss, np.ndarray] = {
    "softmax": CLASS, "sigmoid": CLASS % 2, "multi_label": LABELS,
    "squared_error": VALUE, "huber": VALUE, "poisson": COUNT, "quantile": VALUE,
}  # fmt: skip
logits = hnp.arrays(np.float64, (6, 4), elements=st.floats(-1e4, 1e4))


def output_of(loss: Loss) -> np.ndarray:
    return Z if loss in ("softmax", "multi_label") else Z[:, :1]


def smoothed(target, smoothing):
    return torch.tensor(np.where(target == 1, 1 - smoothing / 2, smoothing / 2))


def binary(z, target, smoothing):
    return functional.binary_cross_entropy_with_logits(z, smoothed(target, smoothing), reduction="none")


TORCH = {
    "softmax": lambda z, t, label_smoothing=0.0: functional.cross_entropy(z, t, reduction="none", label_smoothing=label_smoothing),
    "sigmoid": lambda z, t, label_smoothing=0.0: binary(z[:, 0], t, label_smoothing),
    "multi_label": lambda z, t, label_smoothing=0.0: functional.multilabel_soft_margin_loss(
        z, smoothed(t, label_smoothing), reduction="none"
    ),
    "squared_error": lambda z, t: functional.mse_loss(z[:, 0], t, reduction="none"),
    "huber": lambda z, t, huber_delta: functional.huber_loss(z[:, 0], t, reduction="none", delta=huber_delta),
    "poisson": lambda z, t: functional.poisson_nll_loss(z[:, 0], t, log_input=True, reduction="none"),
    "quantile": lambda z, t, quantile: torch.maximum(quantile * (t - z[:, 0]), (quantile - 1) * (t - z[:, 0])),
}
SETTINGS: list[tuple[Loss, dict[str, float]]] = [
    *((loss, {"label_smoothing": smoothing} if smoothing else {})
      for loss in ("softmax", "sigmoid", "multi_label") for smoothing in (0.0, 0.1, 0.5)),
    ("squared_error", {}),
    *(("huber", {"huber_delta": delta}) for delta in (0.3, 1.0, 4.0)),
    ("poisson", {}),
    *(("quantile", {"quantile": quantile}) for quantile in (0.1, 0.5, 0.9)),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "settings"), SETTINGS)
def test_a_loss_and_its_gradient_are_pytorchs(float64, loss, settings):
    z = torch.tensor(output_of(loss), requires_grad=True)
    expected = TORCH[loss](z, torch.tensor(TARGET[loss]), **settings)
    (slope,) = torch.autograd.grad(expected.sum(), z)
    ours, back = jax.vjp(lambda z: per_example(loss, z, jnp.asarray(TARGET[loss]), **settings), jnp.asarray(output_of(loss)))
    np.testing.assert_allclose(ours, expected.detach(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(back(jnp.ones(ROWS))[0], slope, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("smoothing", [None, 0.1])
@pytest.mark.parametrize(("loss", "classes"), [("softmax", 4), ("sigmoid", 2), ("multi_label", 4)])
def test_the_loss_of_soft_targets_and_its_gradient_are_pytorchs(float64, loss, classes, smoothing):
    shares = RNG.dirichlet(np.ones(classes), ROWS)  # of labels any numbers from 0 to 1 serve
    z = torch.tensor(output_of(loss), requires_grad=True)
    if loss == "softmax":
        expected = functional.cross_entropy(z, torch.tensor(shares), reduction="none", label_smoothing=smoothing or 0.0)
    else:
        target = torch.tensor(shares if loss == "multi_label" else shares[:, 1:]) * (1 - (smoothing or 0.0)) + (smoothing or 0.0) / 2
        expected = functional.binary_cross_entropy_with_logits(z, target, reduction="none").mean(-1)
    (slope,) = torch.autograd.grad(expected.sum(), z)
    ours, back = jax.vjp(lambda z: per_example(loss, z, jnp.asarray(shares), smoothing), jnp.asarray(output_of(loss)))
    np.testing.assert_allclose(ours, expected.detach(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(back(jnp.ones(ROWS))[0], slope, rtol=1e-10, atol=1e-13)


def test_every_loss_is_compared_with_pytorch():
    assert {loss for loss, _ in SETTINGS} == set(TORCH) == set(get_args(Loss))


def mean_log_loss(target, probability):
    return np.mean([sklearn.metrics.log_loss(t, p) for t, p in zip(target.T, probability.T, strict=True)])


REFERENCE = {
    "softmax": lambda z, t: sklearn.metrics.log_loss(t, scipy.special.softmax(z, axis=1)),
    "sigmoid": lambda z, t: sklearn.metrics.log_loss(t, scipy.special.expit(z[:, 0])),
    "multi_label": lambda z, t: mean_log_loss(t, scipy.special.expit(z)),
    "squared_error": lambda z, t: sklearn.metrics.mean_squared_error(t, z[:, 0]),
    "huber": lambda z, t: scipy.special.huber(0.7, t - z[:, 0]).mean(),
    # half the deviance is minus log likelihood, less what it is for the perfect prediction y
    "poisson": lambda z, t: sklearn.metrics.mean_poisson_deviance(t, np.exp(z[:, 0])) / 2 + (t - scipy.special.xlogy(t, t)).mean(),
    "quantile": lambda z, t: sklearn.metrics.mean_pinball_loss(t, z[:, 0], alpha=0.8),
}


@pytest.mark.parametrize("loss", REFERENCE)
def test_the_mean_loss_is_scikit_learns_or_scipys(float64, loss):
    ours = per_example(loss, jnp.asarray(output_of(loss)), jnp.asarray(TARGET[loss]), huber_delta=0.7, quantile=0.8).mean()
    assert float(ours) == pytest.approx(REFERENCE[loss](output_of(loss), TARGET[loss]), rel=1e-11)


@pytest.mark.parametrize(
    ("loss", "settings", "expected"),
    [
        ("squared_error", {}, COUNT.mean()),
        ("huber", {"huber_delta": 100.0}, COUNT.mean()),
        ("huber", {"huber_delta": 1e-6}, np.median(COUNT)),
        ("poisson", {}, np.log(COUNT.mean())),
        ("quantile", {"quantile": 0.83}, np.quantile(COUNT, 0.83)),
        ("sigmoid", {}, scipy.special.logit((COUNT > 2).mean())),
    ],
)
def test_the_constant_of_least_loss_is_what_the_loss_estimates(float64, loss, settings, expected):
    target = jnp.asarray(COUNT > 2 if loss == "sigmoid" else COUNT)
    mean = jax.jit(lambda z: per_example(loss, jnp.full((ROWS, 1), z), target, **settings).mean())
    found = scipy.optimize.minimize_scalar(lambda z: float(mean(z)), bounds=(-3, 12), method="bounded", options={"xatol": 1e-9})
    assert found.x == pytest.approx(expected, abs=1e-4)  # type: ignore[attr-defined]


@pytest.mark.parametrize("loss", get_args(Loss))
def test_the_trivial_loss_is_the_lowest_that_any_constant_output_has(float64, loss):
    target, weight = TARGET[loss], RNG.integers(1, 4, ROWS).astype(float)
    outputs = LABELS.shape[1] if loss in ("softmax", "multi_label") else 1

    @jax.jit
    def mean(z):
        return jnp.average(per_example(loss, jnp.broadcast_to(z, (ROWS, outputs)), jnp.asarray(target)), weights=weight)

    lowest = scipy.optimize.minimize(lambda z: float(mean(z)), np.zeros(outputs), jac=jax.grad(mean)).fun
    expected = np.inf if loss in ("huber", "quantile") else pytest.approx(lowest, rel=1e-6)  # of these it depends on the recipe
    assert trivial_loss(loss, target, weight) == expected


@pytest.mark.parametrize("smoothing", [None, 0.2])
def test_sigmoid_is_softmax_over_two_classes(float64, smoothing):
    z, target = jnp.asarray(Z[:, :1]), jnp.asarray(CLASS % 2)
    both = jnp.concatenate([jnp.zeros_like(z), z], 1)
    np.testing.assert_allclose(
        per_example("sigmoid", z, target, smoothing), per_example("softmax", both, target, smoothing), rtol=1e-10, atol=1e-14
    )
    np.testing.assert_allclose(activate_output("sigmoid", z), activate_output("softmax", both), rtol=1e-12)


def test_predictions_are_scipys_probabilities_rates_or_the_outputs_themselves(float64):
    expected = {
        "softmax": scipy.special.softmax(Z, axis=1),
        "sigmoid": scipy.special.expit(np.stack([-Z[:, 0], Z[:, 0]], 1)),
        "multi_label": scipy.special.expit(Z),
        "poisson": np.exp(Z[:, 0]),
        **dict.fromkeys(("squared_error", "huber", "quantile"), Z[:, 0]),
    }
    assert set(expected) == set(get_args(Loss))
    for loss, prediction in expected.items():
        np.testing.assert_allclose(activate_output(loss, jnp.asarray(output_of(loss))), prediction, rtol=1e-12)  # type: ignore[arg-type]


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


@pytest.mark.parametrize("loss", ["softmax", "sigmoid", "multi_label"])
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_losses_and_gradients_stay_finite_and_right_for_huge_logits_in_single_precision(loss, size):
    z = jnp.array([[size, -size]] if loss == "softmax" else [[-size]], jnp.float32)
    for target, expected in ((0, 0.0), (1, 2 * size if loss == "softmax" else size)):
        truth = jnp.array([[target]] if loss == "multi_label" else [target])
        value, gradient = jax.value_and_grad(lambda z, truth=truth: per_example(loss, z, truth).sum())(z)
        assert float(value) == pytest.approx(expected, abs=1e-6) and np.isfinite(gradient).all()
    assert np.isfinite(activate_output(loss, z)).all()


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_the_gradient_with_respect_to_the_logits_is_prediction_minus_target(float64, loss):
    z, target = jnp.asarray(output_of(loss)), jnp.asarray(TARGET[loss])
    gradient = jax.grad(lambda z: per_example(loss, z, target).sum())(z)
    probability = activate_output(loss, z)
    expected = probability - jax.nn.one_hot(target, 4) if loss == "softmax" else probability[:, 1:] - target[:, None]
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


ERROR = {
    "softmax": lambda z, t: sklearn.metrics.zero_one_loss(t, z.argmax(1)),
    "sigmoid": lambda z, t: sklearn.metrics.zero_one_loss(t, z[:, 0] > 0),
    "multi_label": lambda z, t: sklearn.metrics.hamming_loss(t, z > 0),
    "squared_error": REFERENCE["squared_error"],
    "huber": REFERENCE["squared_error"],
    "poisson": lambda z, t: sklearn.metrics.mean_squared_error(t, np.exp(z[:, 0])),
    "quantile": REFERENCE["quantile"],
}


@pytest.mark.parametrize("loss", ERROR)
def test_the_mean_error_is_scikit_learns(float64, loss):
    ours = error_per_example(loss, jnp.asarray(output_of(loss)), jnp.asarray(TARGET[loss]), 0.8)
    assert ours.shape == (ROWS,)
    assert float(ours.mean()) == pytest.approx(ERROR[loss](output_of(loss), TARGET[loss]), rel=1e-11)


def test_balancing_weights_are_scikit_learns_also_of_weighted_rows():
    generator = np.random.default_rng(2)
    target, weight = generator.choice(3, size=200, p=[0.7, 0.2, 0.1]), generator.uniform(0, 2, 200)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=target)
    np.testing.assert_allclose(balancing_weights(target, np.ones(200)), expected, rtol=1e-6)
    weighted = compute_class_weight("balanced", classes=np.arange(3), y=target, sample_weight=weight)
    ours = balancing_weights(target, weight)
    np.testing.assert_allclose(ours, weighted, rtol=1e-6)
    totals = np.bincount(target, weight * ours[target])
    np.testing.assert_allclose(totals, totals.mean(), rtol=1e-6)


@pytest.mark.parametrize("target", [VALUE, LABELS], ids=["quantities", "labels"])
def test_targets_that_are_no_classes_have_nothing_to_balance(target):
    np.testing.assert_array_equal(balancing_weights(target, np.ones(ROWS)), [1])


@pytest.mark.parametrize(
    ("task", "classes", "name", "expected"),
    [
        ("regression", 0, "auto", ("squared_error", 1)),
        ("classification", 2, "auto", ("sigmoid", 1)),
        ("classification", 7, "auto", ("softmax", 7)),
        ("multi_label", 5, "auto", ("multi_label", 5)),
        ("classification", 2, "softmax", ("softmax", 2)),
        ("classification", 2, "sigmoid", ("sigmoid", 1)),
        ("classification", 7, "softmax", ("softmax", 7)),
        ("multi_label", 5, "sigmoid", ("multi_label", 5)),
        ("multi_label", 1, "auto", ("multi_label", 1)),
        *(("regression", 0, name, (name, 1)) for name in ("squared_error", "huber", "poisson", "quantile")),
    ],
)
def test_each_task_gets_its_loss_by_itself_or_by_name(task, classes, name, expected):
    assert loss_for(task, classes, name) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.random.default_rng(0).exponential(size=999), "poisson"),  # whose skewness is 2
        (np.random.default_rng(0).poisson(0.5, 999), "poisson"),  # 1.4
        (np.random.default_rng(0).poisson(4, 999), "auto"),  # 0.5
        (-np.random.default_rng(0).exponential(size=999), "auto"),
        (np.random.default_rng(0).exponential(size=999) - 0.01, "auto"),  # some are below 0
        (9 - np.minimum(np.random.default_rng(0).exponential(size=999), 9), "auto"),  # the long tail is that of small values
        (np.full(9, 3.0), "auto"),
        (np.random.default_rng(0).exponential(size=999) * 1e300, "poisson"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_quantity_that_is_never_below_0_and_skewed_gets_the_poisson_loss(values, expected):
    assert usual_loss("regression", values) == expected
    assert usual_loss("classification", np.zeros(9, np.int32)) == usual_loss("multi_label", np.zeros((9, 2), np.int32)) == "auto"


def test_only_a_rate_keeps_its_zero_when_the_target_is_scaled():
    assert {name for name in CHOICES["loss"] if target_scaling(name) == "mean"} == {"poisson"}
    assert {target_scaling(name) for name in CHOICES["loss"]} == {"standard", "mean"}
