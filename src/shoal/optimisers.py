"""One update that is any of the optimisers, depending on building blocks that are data.

With gradient ``dW``, learning rate ``alpha`` and step ``t`` (from 1), in the course's letters::

    V = beta1 V + (1 - beta1) dW          first moment; ``classical``: V = beta1 V + dW
    S = beta2 S + (1 - beta2) dW^2        second moment; ``accumulate``: S = S + dW^2
    V^ = V / (1 - beta1^t)                bias correction; S^ likewise, of the largest S so far with ``maximum``
    D = V^                                the direction; ``nesterov``: beta1 V/(1 - beta1^(t+1)) + (1 - beta1) dW/(1 - beta1^t),
                                          without bias correction beta1 V + (1 - beta1) dW;
                                          ``sign``: sign(V), and then V = beta2 V_old + (1 - beta2) dW is what is kept
    D = 0.2 sqrt(max(in, out)) O(D)       ``orthogonalised``, for the weights ``[in, out]`` of hidden layers, before any division: O brings
                                          the singular values near 1, and the factor the entries to the size of Adam's
    W = W - alpha weight_decay W          decoupled decay (weights only)
          - alpha D / (sqrt(S^) + epsilon)      divided only with a second moment, and where not orthogonalised
    W = sign(W) max(|W| - alpha l1/m, 0)  L1 as a proximal step (weights only)
    W[:, j] = W[:, j] min(1, c/||W[:, j]||)     max-norm c, for the weights into each hidden unit

====================  ==================================  ==================================================
optimiser             blocks                              source
====================  ==================================  ==================================================
gradient_descent      none
momentum              first                               the course's averaged form
classical_momentum    first, classical                    Polyak (1964); PyTorch's and optax's form
nesterov              first, nesterov                     Sutskever et al. (2013), averaged
rmsprop               second                              Tieleman and Hinton (2012)
adagrad               second, accumulate                  Duchi, Hazan and Singer (2011)
adam, adamw           first, second, correction           Kingma and Ba (2015); Loshchilov and Hutter (2019)
nadam                 first, nesterov, second, correction Dozat (2016)
amsgrad               first, second, maximum, correction  Reddi, Kale and Kumar (2018)
lion                  first, sign                         Chen et al. (2023)
muon                  nadam's and orthogonalised          Jordan et al. (2024); its size: Liu et al. (2025)
====================  ==================================  ==================================================

The square root and the place of epsilon are as published there; the corrected moments are read, never fed back. A shoal
computes, and keeps in memory, only the blocks that one of its networks uses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from shoal import averages
from shoal.orthogonal import ROUGH, orthogonalised
from shoal.recipe import Numbers

SIZE_OF_ADAM = 0.2
"""The usual root mean square of the entries of Adam's direction, which muon's is given, so that one learning rate suits both.

Source: Liu et al. (2025), "Muon is Scalable for LLM Training"."""


class Moments(NamedTuple):
    """What an optimiser remembers, each like the parameters, or ``()`` where no network of the shoal needs it."""

    first: Any  # V
    second: Any  # S
    highest: Any  # the largest S so far


def start(parameters, used: tuple[str, ...]) -> Moments:
    """The moments before the first step.

    Args:
        parameters: pytree of arrays.
        used: techniques of the shoal.
    """
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return Moments(*(zeros if name in used else () for name in ("first_moment", "second_moment", "maximum")))


def global_norm(gradient) -> Array:
    """``sqrt(sum dW^2)`` over every parameter of the network."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradient)))


def clip_by_value(gradient, clip_value: Array):
    """The gradient with each entry held between ``-clip_value`` and ``clip_value``."""
    return jax.tree.map(lambda leaf: jnp.clip(leaf, -clip_value, clip_value), gradient)


def clip_by_norm(gradient, norm: Array, clip_norm: Array):
    """The gradient scaled down to global norm ``clip_norm`` where it is longer (Pascanu, Mikolov and Bengio, 2013)."""
    scale = jnp.where(norm > clip_norm, clip_norm / norm, 1.0)
    return jax.tree.map(lambda leaf: leaf * scale, gradient)


def update(
    parameters, gradient, moments: Moments, decayed, rates, alpha: Array, age: Array, numbers: Numbers, used: tuple[str, ...], sides=None
):
    """New parameters and moments of one network: everything above but L1 and max-norm.

    Args:
        parameters: pytree of arrays.
        gradient: like ``parameters``.
        moments: as ``start`` gives them.
        decayed: like ``parameters``, Python booleans: which arrays the decoupled decay applies to.
        rates: like ``parameters``: how many times alpha each array learns with.
        alpha: learning rate of this step.
        age: steps taken before this one.
        numbers: the network's own.
        used: techniques of the shoal; a block that is not among them is off.
        sides: like ``parameters``: the longer side of a matrix that may be orthogonalised, padding left out, else a plain 0; by default no
            array may.
    """
    weights, structure = jax.tree.flatten(parameters)
    gradients = jax.tree.leaves(gradient)
    steps = (age + 1).astype(alpha.dtype)
    directions, first = gradients, ()
    if "first_moment" in used:
        pairs = [_first(v, dw, steps, numbers, used) for v, dw in zip(jax.tree.leaves(moments.first), gradients, strict=True)]
        directions, first = zip(*pairs, strict=True)
    undivided = directions
    second = highest = ()
    if "second_moment" in used:
        second = tuple(_second(s, dw, numbers, used) for s, dw in zip(jax.tree.leaves(moments.second), gradients, strict=True))
        read = second
        if "maximum" in used:
            highest = tuple(map(jnp.maximum, jax.tree.leaves(moments.highest), second))
            read = tuple(jnp.where(numbers.blocks.maximum, top, s) for top, s in zip(highest, second, strict=True))
        scale = jnp.where(numbers.blocks.bias_correction, averages.corrected(1.0, numbers.beta2, steps), 1.0)
        divisors = [jnp.where(numbers.blocks.second_moment, jnp.sqrt(s * scale) + numbers.epsilon, 1.0) for s in read]
        directions = [d / divisor for d, divisor in zip(directions, divisors, strict=True)]
    if "orthogonalised" in used and sides is not None:
        facts = zip(directions, undivided, jax.tree.leaves(sides), strict=True)
        directions = [d if isinstance(side, int) else _orthogonalised(d, v, side, numbers) for d, v, side in facts]
    shrink = 1 - alpha * numbers.weight_decay if "weight_decay" in used else 1.0
    moved = [
        w * (shrink if is_decayed else 1.0) - alpha * rate * d
        for w, d, is_decayed, rate in zip(weights, directions, jax.tree.leaves(decayed), jax.tree.leaves(rates), strict=True)
    ]
    kept = (jax.tree.unflatten(structure, leaves) if len(leaves) else () for leaves in (first, second, highest))
    return jax.tree.unflatten(structure, moved), Moments(*kept)


def _first(v: Array, dw: Array, steps: Array, numbers: Numbers, used: tuple[str, ...]) -> tuple[Array, Array]:
    """The direction of one array, and its first moment afterwards."""
    blocks = numbers.blocks
    beta = jnp.where(blocks.first_moment, numbers.beta1, 0.0)  # with beta1 = 0 the average is the gradient itself
    average = beta * v + jnp.where(blocks.classical, 1.0, 1 - beta) * dw
    corrected = [jnp.where(blocks.bias_correction, averages.corrected(1.0, beta, t), 1.0) for t in (steps, steps + 1)]
    direction, kept = average * corrected[0], average
    if "nesterov" in used:
        ahead = beta * average * corrected[1] + (1 - beta) * dw * corrected[0]
        direction = jnp.where(blocks.nesterov, ahead, direction)
    if "sign" in used:
        direction = jnp.where(blocks.sign, jnp.sign(average), direction)
        kept = jnp.where(blocks.sign, averages.update(v, dw, numbers.beta2), average)
    return direction, kept


def _orthogonalised(d: Array, v: Array, side: Array, numbers: Numbers) -> Array:
    """The direction ``d`` of a matrix, or in a network that orthogonalises what the averaged gradient ``v`` becomes."""
    return jnp.where(numbers.blocks.orthogonalised, SIZE_OF_ADAM * jnp.sqrt(side).astype(v.dtype) * orthogonalised(v, ROUGH), d)


def _second(s: Array, dw: Array, numbers: Numbers, used: tuple[str, ...]) -> Array:
    """The second moment of one array after this step."""
    squared = jnp.square(dw)
    average = averages.update(s, squared, numbers.beta2)
    return jnp.where(numbers.blocks.accumulate, s + squared, average) if "accumulate" in used else average


def shrink_towards_zero(w: Array, amount: Array) -> Array:
    """``sign(W) max(|W| - amount, 0)``, the proximal step of an L1 penalty.

    A penalty's slope, ``sign(W)``, added to the gradient makes weights swing about 0 without ever being 0; this lands on it
    (Duchi and Singer, 2009, "Efficient Online and Batch Learning Using Forward Backward Splitting").
    """
    return jnp.sign(w) * jnp.maximum(jnp.abs(w) - amount, 0.0)


def limit_norms(w: Array, max_norm: Array) -> Array:
    """``w [in, out]`` with the weights into each unit scaled down to norm ``max_norm`` where they are longer (Srivastava et al., 2014)."""
    norms = jnp.sqrt(jnp.square(w).sum(0))
    return w * jnp.where(norms > max_norm, max_norm / norms, 1.0)
