"""How the weights of a network begin, with the kind of initialisation as data.

With ``n_in`` and ``n_out`` the true numbers of units that a layer joins (not the padded ones) and ``gain`` the recipe's factor:

================  ===================================================================================================
``zeros``         0: every unit of a layer stays the same as its neighbours, whatever the training
``small_random``  normal, standard deviation ``0.01 gain``
``xavier``        normal, ``gain sqrt(1/n_in)``: the course's form for tanh; also LeCun's, for SELU
``glorot``        normal, ``gain sqrt(2/(n_in + n_out))``: Glorot and Bengio (2010)
``he``            normal, ``gain sqrt(2/n_in)``, of the output layer ``gain sqrt(1/n_in)``, for no ReLU follows it: He et al. (2015)
``orthogonal``    ``gain`` times a random matrix with orthonormal columns, or rows where they are fewer: Saxe et al. (2014)
``lsuv``          orthogonal, then each layer in turn scaled to ``Z[l]`` of variance ``gain^2`` on training rows: Mishkin and Matas (2016)
================  ===================================================================================================
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from shoal.recipe import INITIALISATIONS

SMALL_DEVIATION = 0.01


def deviation(kind: Array, gain: Array, n_in: Array, n_out: Array, is_output: bool) -> Array:
    """Standard deviation of the normal kinds, and the factor on the matrix of the orthogonal ones."""
    share = {
        "zeros": jnp.zeros_like(n_in),
        "small_random": jnp.full_like(n_in, SMALL_DEVIATION),
        "xavier": jnp.sqrt(1 / n_in),
        "glorot": jnp.sqrt(2 / (n_in + n_out)),
        "he": jnp.sqrt((1 if is_output else 2) / n_in),
        "orthogonal": jnp.ones_like(n_in),
        "lsuv": jnp.ones_like(n_in),
    }
    return gain * jnp.select([kind == position for position in range(len(INITIALISATIONS))], [share[name] for name in INITIALISATIONS])


def is_orthogonal(kind: Array) -> Array:
    """Whether a kind starts from an orthogonal matrix."""
    return (kind == INITIALISATIONS.index("orthogonal")) | (kind == INITIALISATIONS.index("lsuv"))


def is_lsuv(kind: Array) -> Array:
    """Whether a kind scales each layer by what the training rows make of it."""
    return kind == INITIALISATIONS.index("lsuv")
