"""What is minimised, per example, and what the network's outputs mean.

Outputs ``z`` are ``[rows, outputs]``: one column per class for ``softmax``, one per label for ``multi_label``, one otherwise.
Targets are ``[rows]``: class numbers (int32) or scaled values (float32); for ``multi_label`` they are 0 or 1, ``[rows, labels]``.
Soft targets, a teacher's say, are shares: ``[rows, classes]`` that add up to 1, or from 0 to 1 of each label.

=================  ======================================================  ==========================================
loss               per example                                             prediction
=================  ======================================================  ==========================================
``softmax``        ``-sum_c t_c log softmax(z)_c``                         ``softmax(z)``
``sigmoid``        ``-t log sigma(z) - (1 - t) log(1 - sigma(z))``         ``sigma(z)``, the same as two classes
``multi_label``    the mean of ``sigmoid`` over the labels                 ``sigma(z)`` of each label
``squared_error``  ``(z - y)^2``                                           ``z``
``huber``          ``r^2/2`` up to ``|r| = delta``, then a line (1964)     ``z``
``poisson``        ``exp(z) - y z``, minus log likelihood                  ``exp(z)``
``quantile``       ``max(q r, (q - 1) r)`` with ``r = y - z``              ``z``, the ``q`` quantile (Koenker, 1978)
=================  ======================================================  ==========================================

With label smoothing ``s`` the target is ``t = (1 - s) onehot + s/C``, of two classes or of one label ``(1 - s) t + s/2``.
"""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import special

from shoal.errors import OptionError, Problem

NOT_LEARNED = 0.97
"""A network whose loss is not below this share of the best constant answer's has learned next to nothing."""

Loss = Literal["softmax", "sigmoid", "multi_label", "squared_error", "huber", "poisson", "quantile"]

OF_TASK: dict[str, tuple[Loss, ...]] = {
    "classification": ("softmax", "sigmoid"),
    "multi_label": ("sigmoid",),
    "regression": ("squared_error", "huber", "poisson", "quantile"),
}
"""The names by which a recipe may ask for a loss, for each task."""


def per_example(
    loss: Loss,
    z: Array,
    target: Array,
    label_smoothing: Array | float | None = None,
    huber_delta: Array | float = 1.0,
    quantile: Array | float = 0.5,
) -> Array:
    """The loss of each example ``[rows]``, in nats or in units of the scaled target; the formulas stand at the top of this module."""
    if loss == "softmax":
        # A comparison with the class numbers is cheaper than a gather, and its gradient than a scatter.
        each = target * z if target.ndim == 2 else jnp.where(target[:, None] == jnp.arange(z.shape[-1]), z, 0.0)
        at_target = each.sum(-1)
        log_total = jax.nn.logsumexp(z, -1)
        if label_smoothing is None:
            return log_total - at_target
        return log_total - (1 - label_smoothing) * at_target - label_smoothing * z.mean(-1)
    if loss in ("sigmoid", "multi_label"):
        if loss == "sigmoid":
            z, target = z[:, 0], target[:, 1] if target.ndim == 2 else target
        share = target.astype(z.dtype)
        if label_smoothing is not None:
            share = share * (1 - label_smoothing) + label_smoothing / 2
        each = jax.nn.softplus(z) - share * z
        return each if loss == "sigmoid" else each.mean(-1)
    z = z[:, 0]
    if loss == "poisson":
        return jnp.exp(z) - target * z
    residual = target - z
    if loss == "quantile":
        return jnp.maximum(quantile * residual, (quantile - 1) * residual)
    if loss == "huber":
        distance = jnp.abs(residual)
        return jnp.where(distance <= huber_delta, jnp.square(residual) / 2, huber_delta * (distance - huber_delta / 2))
    return jnp.square(residual)


def error_per_example(loss: Loss, z: Array, target: Array, quantile: Array | float = 0.5) -> Array:
    """How wrong each prediction is ``[rows]``: 1 for a wrong class and 0 for the right one, the share of wrong labels, the squared
    error, or, of a quantile, its loss."""
    if loss == "softmax":
        return (z.argmax(-1) != target).astype(z.dtype)
    if loss == "sigmoid":
        return ((z[:, 0] > 0) != (target > 0)).astype(z.dtype)
    if loss == "multi_label":
        return ((z > 0) != (target > 0)).astype(z.dtype).mean(-1)
    if loss == "quantile":
        return per_example(loss, z, target, quantile=quantile)
    return jnp.square(activate_output(loss, z) - target)


def trivial_loss(loss: Loss, target: np.ndarray, weight: np.ndarray) -> float:
    """The mean loss of the best constant answer to some rows; infinite where it depends on a recipe (``huber`` and ``quantile``).

    Args:
        loss: by its name.
        target: ``[rows]``, or ``[rows, labels]``.
        weight: ``[rows]``, not all 0.

    Example:
        >>> round(trivial_loss("softmax", np.array([0, 1, 1, 1]), np.ones(4)), 4)  # the entropy of the shares 1/4 and 3/4
        0.5623
    """
    if loss in ("softmax", "sigmoid"):
        shares = np.bincount(target, weight) / weight.sum()
        return float(special.entr(shares).sum())
    mean = np.average(target.astype(np.float64), axis=0, weights=weight)
    if loss == "multi_label":
        return float(np.mean(special.entr(mean) + special.entr(1 - mean)))
    if loss == "squared_error":
        return float(np.average(np.square(target - mean), weights=weight))
    return float(mean - special.xlogy(mean, mean)) if loss == "poisson" else math.inf


def activate_output(loss: Loss, z: Array) -> Array:
    """Predictions from outputs: probabilities ``[rows, classes]``, of labels ``[rows, labels]``, or scaled values ``[rows]``."""
    if loss == "softmax":
        return jax.nn.softmax(z, -1)
    if loss == "sigmoid":
        return jnp.stack([jax.nn.sigmoid(-z[:, 0]), jax.nn.sigmoid(z[:, 0])], -1)
    if loss == "multi_label":
        return jax.nn.sigmoid(z)
    return jnp.exp(z[:, 0]) if loss == "poisson" else z[:, 0]


def loss_for(task: str, classes: int, name: str = "auto") -> tuple[Loss, int]:
    """The loss of a task, and how many outputs it needs; ``name`` as a recipe asks for it.

    Raises:
        OptionError: the loss does not suit the task.

    Example:
        >>> loss_for("classification", 3)
        ('softmax', 3)
        >>> loss_for("regression", 0, "huber")
        ('huber', 1)
    """
    if name != "auto" and (name not in OF_TASK[task] or (name == "sigmoid" and task == "classification" and classes != 2)):
        received = f"{name!r} for {f'{classes} classes' if classes else 'a quantity'}"
        suited = [each for each in OF_TASK[task] if each != "sigmoid" or classes == 2 or task == "multi_label"]
        raise OptionError(Problem("the loss suits the target", received, f"Choose auto or {' or '.join(suited)}."))
    if task == "multi_label":
        return "multi_label", classes
    if task == "regression":
        return ("squared_error" if name == "auto" else name), 1  # type: ignore[return-value]
    return ("sigmoid", 1) if classes == 2 and name != "softmax" else ("softmax", classes)


SKEWED = 1.0
"""Skewness above which a quantity is highly skewed, by a rule of thumb (Bulmer, Principles of Statistics, 1979)."""


def usual_loss(task: str, truth: np.ndarray) -> Literal["auto", "poisson"]:
    """What a recipe of the default space asks for: ``poisson`` for counts, prices, times and the like, whose spread grows with their size.

    The Poisson loss then estimates the mean as well as the squared error does (its gradient vanishes at the same place), and trusts small
    values more than large ones (quasi-likelihood; Wedderburn 1974).

    Args:
        task: of the data.
        truth: the target of the training rows ``[rows]``, in its own unit.

    Example:
        >>> usual_loss("regression", np.array([0.0, 1, 1, 2, 2, 3, 40])), usual_loss("regression", np.array([-1.0, 1, 1, 2, 2, 3, 40]))
        ('poisson', 'auto')
    """
    if task != "regression" or truth.min() < 0:
        return "auto"
    away = truth - truth.mean(dtype=np.float64)
    away /= np.abs(away).max() or 1.0  # so that its third power is a number, however large the values are
    return "poisson" if np.mean(away**3) > SKEWED * np.mean(away**2) ** 1.5 else "auto"


def target_scaling(name: str) -> Literal["standard", "mean"]:
    """How the target of a loss is scaled: a rate is divided by its mean, so that it stays a rate; everything else is standardised."""
    return "mean" if name == "poisson" else "standard"
