"""One update that is gradient descent, momentum, RMSprop or Adam, depending on three switches that are data.

With gradient ``dW``, learning rate ``alpha`` and step ``t`` (from 1), in the course's letters::

    V = beta1 V + (1 - beta1) dW          first moment, if the switch is on; else V = dW
    S = beta2 S + (1 - beta2) dW^2        second moment
    V^ = V / (1 - beta1^t)                bias correction, if the switch is on; S^ likewise
    W = W - alpha weight_decay W          decoupled decay (weights only)
          - alpha V^ / (sqrt(S^) + epsilon)     divided only if the switch of the second moment is on

Sources: Kingma and Ba (2015) for Adam; Loshchilov and Hutter (2019) for decoupled decay. The square root and the place of
epsilon are as published there; the corrected moments are read, never fed back.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from shoal import averages
from shoal.recipe import Numbers


def global_norm(gradient) -> Array:
    """``sqrt(sum dW^2)`` over every parameter of the network."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradient)))


def clip(gradient, norm: Array, clip_norm: Array):
    """The gradient scaled down to global norm ``clip_norm`` where it is longer (Pascanu, Mikolov and Bengio, 2013)."""
    scale = jnp.where(norm > clip_norm, clip_norm / norm, 1.0)
    return jax.tree.map(lambda leaf: leaf * scale, gradient)


def update(parameters, gradient, moments, decayed, alpha: Array, age: Array, numbers: Numbers):
    """New parameters and moments of one network.

    Args:
        parameters: pytree of arrays.
        gradient: like ``parameters``.
        moments: ``(V, S)``, each like ``parameters``.
        decayed: like ``parameters``, Python booleans: which arrays the decoupled decay applies to.
        alpha: learning rate of this step.
        age: steps taken before this one.
        numbers: the network's own; the switches are its ``first_moment``, ``second_moment`` and ``bias_correction``.
    """
    steps = (age + 1).astype(alpha.dtype)
    beta1 = jnp.where(numbers.first_moment, numbers.beta1, 0.0)  # with beta1 = 0 the average is the gradient itself
    first_scale = jnp.where(numbers.bias_correction, averages.corrected(1.0, beta1, steps), 1.0)
    second_scale = jnp.where(numbers.bias_correction, averages.corrected(1.0, numbers.beta2, steps), 1.0)

    def one(w, dw, v, s, decay: bool):
        v = averages.update(v, dw, beta1)
        s = averages.update(s, jnp.square(dw), numbers.beta2)
        divisor = jnp.where(numbers.second_moment, jnp.sqrt(s * second_scale) + numbers.epsilon, 1.0)
        shrink = 1 - alpha * numbers.weight_decay if decay else 1.0
        return w * shrink - alpha * (v * first_scale) / divisor, v, s

    moved = jax.tree.map(one, parameters, gradient, *moments, decayed)
    parameters, v, s = jax.tree.transpose(jax.tree.structure(parameters), jax.tree.structure((0, 0, 0)), moved)
    return parameters, (v, s)
