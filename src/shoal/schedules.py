"""The learning rate as a formula of the time trained, with the kind of decay as data.

With ``alpha`` the recipe's learning rate, ``e`` the epochs since the warm-up ended (a fraction inside an epoch), ``E`` the epochs
from there to the end, ``p = e/E`` at most 1, and ``t`` the steps since the warm-up ended, from 1:

================  =======================================================================================================
``constant``      ``alpha``
``inverse_time``  ``alpha / (1 + decay_rate e)``
``exponential``   ``alpha decay_factor^e``
``sqrt_epoch``    ``alpha decay_rate / sqrt(1 + e)``: the course's ``k/sqrt(epoch) alpha0`` with epochs counted from 1
``sqrt_step``     ``alpha decay_rate / sqrt(t)``
``staircase``     ``alpha decay_factor^floor(e / decay_epochs)``
``linear``        ``alpha (1 - p)``
``cosine``        ``alpha/2 (1 + cos(pi p))``: Loshchilov and Hutter (2017), without restarts
``one_cycle``     from ``alpha/25`` to ``alpha`` in the first 30 %, then to ``alpha/250,000``, along half cosines: Smith and Topin (2018)
``plateau``       ``alpha decay_factor^n``, ``n`` the number of times that ``decay_epochs`` epochs brought no better dev score
================  =======================================================================================================

During the warm-up alpha rises in equal steps: Goyal et al. (2017). A formula for all kinds at once costs a few scalar operations
a step and lets networks of one shoal decay differently.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from shoal.recipe import DECAYS, Numbers

ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 1 / 25, 1 / 250_000
"""Of ``one_cycle``: the share of the training in which alpha rises, and alpha at the start and at the end as shares of its peak."""


def learning_rate(numbers: Numbers, age: Array, steps_per_epoch: Array, plateau: Array | float = 1.0) -> Array:
    """``alpha`` of the step after ``age`` steps.

    Args:
        numbers: of one network.
        age: steps taken before this one.
        steps_per_epoch: mini-batches in one pass over the training rows.
        plateau: ``decay_factor^n``, see above.
    """
    age = age.astype(numbers.learning_rate.dtype)
    warm_up_steps = numbers.warm_up * steps_per_epoch
    step = jnp.maximum(age - warm_up_steps, 0)
    epoch = step / steps_per_epoch
    progress = jnp.clip(epoch / (numbers.epochs - numbers.warm_up), 0, 1)
    # Half a step more keeps round-off from hiding a stair that begins exactly here.
    stairs = jnp.floor((step + 0.5) / (numbers.decay_epochs * steps_per_epoch))
    rise = _half_cosine(ONE_CYCLE_START, 1.0, progress / ONE_CYCLE_RISE)
    fall = _half_cosine(1.0, ONE_CYCLE_END, (progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE))
    share = {
        "constant": 1.0,
        "inverse_time": 1 / (1 + numbers.decay_rate * epoch),
        "exponential": numbers.decay_factor**epoch,
        "sqrt_epoch": numbers.decay_rate / jnp.sqrt(1 + epoch),
        "sqrt_step": numbers.decay_rate / jnp.sqrt(1 + step),
        "staircase": numbers.decay_factor**stairs,
        "linear": 1 - progress,
        "cosine": _half_cosine(1.0, 0.0, progress),
        "one_cycle": jnp.where(progress < ONE_CYCLE_RISE, rise, fall),
        "plateau": plateau,
    }
    kinds = [numbers.decay == position for position in range(len(DECAYS))]
    warm_up = jnp.minimum((age + 1) / jnp.maximum(warm_up_steps, 1), 1)
    return numbers.learning_rate * warm_up * jnp.select(kinds, [share[kind] for kind in DECAYS])


def _half_cosine(start: float, end: float, progress: Array) -> Array:
    """From ``start`` to ``end`` along half a period of the cosine, as ``progress`` goes from 0 to 1."""
    return end + (start - end) * 0.5 * (1 + jnp.cos(jnp.pi * progress))
