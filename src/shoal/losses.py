"""What is minimised, per example, and what the network's outputs mean.

Outputs ``z`` are ``[rows, outputs]``: one column per class for ``softmax``, one for ``sigmoid`` and ``squared_error``.
Targets are ``[rows]``: class numbers (int32) or standardised values (float32).
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

Loss = Literal["softmax", "sigmoid", "squared_error"]


def per_example(loss: Loss, z: Array, target: Array, label_smoothing: Array | float = 0.0) -> Array:
    """The loss of each example ``[rows]``, in nats or squared standard deviations.

    ``softmax``: ``-sum_c t_c log softmax(z)_c`` with ``t = (1 - s) onehot + s/C``; ``sigmoid`` is the same for two classes
    with ``z`` the log odds of class 1; ``squared_error``: ``(z - target)^2``.
    """
    if loss == "squared_error":
        return jnp.square(z[:, 0] - target)
    if loss == "sigmoid":
        share = target.astype(z.dtype) * (1 - label_smoothing) + label_smoothing / 2
        return jax.nn.softplus(z[:, 0]) - share * z[:, 0]
    # A comparison with the class numbers is cheaper than a gather, and its gradient than a scatter.
    is_target = target[:, None] == jnp.arange(z.shape[-1])
    at_target = jnp.where(is_target, z, 0.0).sum(-1)
    return jax.nn.logsumexp(z, -1) - (1 - label_smoothing) * at_target - label_smoothing * z.mean(-1)


def error_per_example(loss: Loss, z: Array, target: Array) -> Array:
    """1 for a wrong class and 0 for the right one, or the squared error; ``[rows]``."""
    if loss == "squared_error":
        return jnp.square(z[:, 0] - target)
    predicted = z.argmax(-1) if loss == "softmax" else (z[:, 0] > 0).astype(jnp.int32)
    return (predicted != target).astype(z.dtype)


def activate_output(loss: Loss, z: Array) -> Array:
    """Predictions from outputs: probabilities ``[rows, classes]`` or standardised values ``[rows]``."""
    if loss == "squared_error":
        return z[:, 0]
    if loss == "sigmoid":
        return jnp.stack([jax.nn.sigmoid(-z[:, 0]), jax.nn.sigmoid(z[:, 0])], -1)
    return jax.nn.softmax(z, -1)


def loss_for(task: str, classes: int) -> tuple[Loss, int]:
    """The loss that fits a task, and how many outputs it needs.

    Example:
        >>> loss_for("classification", 3)
        ('softmax', 3)
    """
    if task == "regression":
        return "squared_error", 1
    return ("sigmoid", 1) if classes == 2 else ("softmax", classes)
