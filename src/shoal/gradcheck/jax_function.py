"""Checking a JAX function of a pytree: the perturbed points are mapped over, as many at a time as memory allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array

from shoal.errors import OptionError, Problem
from shoal.gradcheck.evaluation import close, examine, repeatable, scalar
from shoal.gradcheck.point import Subject, Tree

MEMORY = 16 * 2**20
"""Bytes that the perturbed points and the arithmetic on them may take: with more than a cache holds, more at once is slower."""
MOST_AT_ONCE = 128


QUICKLY = {"xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True}
"""Compiler options for small functions, which take longer to compile than to evaluate."""


def subject(
    function: Callable[[Any], Array],
    tree: Tree,
    gradient: Callable[[Any], Any] | None = None,
    compiler_options: dict[str, Any] | None = None,
) -> Subject:
    """A function of a pytree with its gradient, ``jax.grad(function)`` unless another is given.

    Args:
        function: from a pytree to a scalar.
        tree: the pytree; its float leaves are the parameters.
        gradient: a function, traceable too, from the pytree to the gradient in the same structure.
        compiler_options: XLA's, such as ``QUICKLY``.

    Raises:
        OptionError: the function cannot be traced, or its cost or gradient is not what can be compared.
    """
    theta = tree.point.values

    def cost(vector: Array) -> Array:
        return function(tree.rebuild(tree.point.split(vector)))

    def both(vector: Array) -> tuple[Array, Any]:
        if gradient is None:
            return jax.value_and_grad(cost)(vector)
        return cost(vector), gradient(tree.rebuild(tree.point.split(vector)))

    try:
        examine(jax.eval_shape(cost, theta))
        program = jax.jit(both, compiler_options=compiler_options).lower(theta).compile()
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError, TypeError) as error:
        raise OptionError(_untraceable(error)) from error
    value, slope = program(theta)
    slope = np.asarray(slope) if gradient is None else slope
    here = scalar(value)
    vector = tree.gradient(tree.rebuild(tree.point.split(slope)) if gradient is None else slope)
    chunk = _at_once(program, len(theta))
    several = jax.jit(jax.vmap(cost), compiler_options=compiler_options)

    def costs(points: np.ndarray) -> np.ndarray:
        padded = np.pad(points, ((0, chunk - len(points)), (0, 0)), mode="edge")
        return np.asarray(several(padded))[: len(points)]

    again = float(costs(theta[None])[0])
    if not close(here, again):  # noise drawn while tracing; or two programs that round differently, which is no harm
        repeatable(lambda: float(cost(jax.numpy.asarray(theta))), float(cost(jax.numpy.asarray(theta))))
    return Subject(tree.point, again, vector, costs, chunk)


def _at_once(program: Any, coordinates: int) -> int:
    """How many points to evaluate together: what fits into the memory, where one needs no more than the backward pass."""
    used = program.memory_analysis()
    bytes_each = 8 * coordinates + (used.temp_size_in_bytes if used is not None else 0)
    return int(np.clip(MEMORY // bytes_each, 1, min(MOST_AT_ONCE, 2 * coordinates)))


def _untraceable(error: Exception) -> Problem:
    return Problem(
        "a cost without gradient= can be traced by JAX",
        f"{type(error).__name__}: {str(error).splitlines()[0].rstrip('.')}",
        "Write it with jax.numpy, and jnp.where or jax.lax.cond in place of if; or give gradient= as well, and both get NumPy arrays.",
    )
