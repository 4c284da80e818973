"""The learning rate as a formula of the time trained, with the kind of decay as data.

A ``where`` over all kinds costs a few scalar operations a step and lets networks of one shoal decay differently.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from shoal.recipe import DECAYS


def learning_rate(kind: Array, alpha: Array, decay_rate: Array, epoch: Array, epochs: Array) -> Array:
    """``alpha`` after ``epoch`` passes over the training rows (a fraction inside an epoch) of ``epochs`` planned.

    ``constant``: ``alpha``. ``inverse_time``: ``alpha / (1 + decay_rate * epoch)``. ``cosine``: ``alpha/2 * (1 + cos(pi *
    epoch/epochs))``, Loshchilov and Hutter (2017), without restarts.
    """
    inverse_time = alpha / (1 + decay_rate * epoch)
    cosine = 0.5 * alpha * (1 + jnp.cos(jnp.pi * jnp.clip(epoch / epochs, 0, 1)))
    return jnp.select([kind == DECAYS.index("inverse_time"), kind == DECAYS.index("cosine")], [inverse_time, cosine], alpha)
