"""Gradient checking of whatever has a cost: JAX functions, pairs of NumPy functions, PyTorch modules, recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax

from shoal import devices
from shoal.errors import OptionError, Problem
from shoal.gradcheck import jax_function, numpy_functions, recipe_network, torch_module
from shoal.gradcheck.judgement import combined, judge
from shoal.gradcheck.point import tree_of
from shoal.gradcheck.result import GradientCheck
from shoal.recipe import Recipe

SAMPLES = 2000


def check_gradients(
    subject: Any,
    point: Any = None,
    *,
    gradient: Callable[[Any], Any] | None = None,
    loss: Callable[[Any], Any] | None = None,
    samples: int | None = SAMPLES,
    epsilon: float | None = None,
    seed: int = 0,
) -> GradientCheck:
    """Compare a gradient with the two-sided differences of its cost, in double precision.

    ``dtheta_i = (J(theta + e_i) - J(theta - e_i)) / (2 e_i)`` is compared with the gradient ``d`` by
    ``||d - dtheta|| / (||d|| + ||dtheta||)``: up to 1e-7 is correct, 1e-3 or more is wrong, and between them look again at the
    coordinates that it names. (This relative error is what the thresholds are for, not the step; and what cures a failed check is to
    correct the backward pass.) Whatever is random must be off or fixed, dropout above all.

    Args:
        subject: a JAX function from ``point`` to a scalar; or a NumPy cost, with ``gradient``; or a ``torch.nn.Module``, with ``loss``; or
            a ``Recipe``, whose network is checked on a few synthetic rows with every loss that it can have, its dropout and other noise
            fixed, its L2 term included.
        point: the parameters: one array, or any nested dictionaries, lists and tuples of arrays. It is converted to float64; leaves that
            are no floats stay as they are. A module and a recipe bring their own parameters.
        gradient: a function from ``point`` to the gradient, in the same structure; both functions then get NumPy arrays.
        loss: a function from the module to a scalar tensor. It gets a copy in double precision, so its data must be float64 too.
        samples: the most coordinates to compare, 2,000 unless stated, at least one of every array and the rest at random; ``None`` for
            all. Each takes two evaluations of the cost, and some twenty more where it disagrees.
        epsilon: the step relative to ``max(1, |theta_i|)``; ``None`` for 1e-5, or more where the cost's round-off asks for it. A
            coordinate that disagrees is measured with smaller steps as well.
        seed: of the random choice of coordinates.

    Returns:
        The verdict with its evidence; print it.

    Raises:
        OptionError: there is nothing to compare: a cost that is no finite number in double precision, changes from call to call, or
            cannot be traced; a gradient of another structure than the point.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> check_gradients(lambda w: jnp.sum(jnp.sin(w)), np.array([0.5, 1.0])).verdict
        'correct'
        >>> cost, point = lambda w: float(np.sum(w**2)), np.array([1.0, 3.0])
        >>> broken = check_gradients(cost, point, gradient=lambda w: w)
        >>> broken.verdict, f"{broken.relative_error:.3f}", str(broken.worst[0])
        ('wrong', '0.333', 'point[1]')

    Source:
        Gradient checking in the course "Improving Deep Neural Networks", with its thresholds.
    """
    problems = [*_misfits(subject, point, gradient, loss), *_out_of_range(samples, epsilon, seed)]
    try:  # what is wrong with the point is told together with the rest
        tree_of(0.0 if point is None else point)
    except OptionError as error:
        problems += error.problems
    if problems:
        raise OptionError(*problems)
    devices.start()
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        if isinstance(subject, Recipe):
            networks = recipe_network.subjects(subject, seed)
            return combined({loss: judge(network, samples, epsilon, seed) for loss, network in networks})
        if loss is not None:
            found = torch_module.subject(subject, loss)
        elif gradient is not None:
            found = numpy_functions.subject(subject, tree_of(point), gradient)
        else:
            found = jax_function.subject(subject, tree_of(point))
        return judge(found, samples, epsilon, seed)


def _misfits(subject: Any, point: Any, gradient: Any, loss: Any) -> Iterator[Problem]:
    """What does not go with what is checked."""
    is_module, is_recipe = torch_module.is_module(subject), isinstance(subject, Recipe)
    if not (callable(subject) or is_recipe):
        yield Problem(
            "what is checked is a function, a torch.nn.Module or a Recipe", type(subject).__name__, "Give the cost as a function."
        )
        return
    what = "a module" if is_module else "a recipe" if is_recipe else "a function"
    needed = {"loss"} if is_module else set() if is_recipe else {"point"}
    allowed = needed if is_module or is_recipe else {"point", "gradient"}
    remedies = {"loss": "Write loss=lambda module: ..., a scalar tensor.", "point": "Give its parameters as the second argument."}
    for name, value in (("point", point), ("gradient", gradient), ("loss", loss)):
        if value is None and name in needed:
            yield Problem(f"{what} is checked with {name}=", "none", remedies[name])
        elif value is not None and name not in allowed:
            yield Problem(f"{what} is checked without {name}=", f"{name}={type(value).__name__}", "Leave it out.")
        elif value is not None and name != "point" and not callable(value):
            yield Problem(
                f"{name} is a function", type(value).__name__, f"Give a function of the {'point' if name == 'gradient' else 'module'}."
            )


def _out_of_range(samples: Any, epsilon: Any, seed: Any) -> Iterator[Problem]:
    if samples is not None and not (isinstance(samples, int) and samples >= 1):
        yield Problem("samples is a positive whole number, or None for all coordinates", repr(samples), "Write, say, 2000.")
    if epsilon is not None and not (isinstance(epsilon, float) and 1e-12 <= epsilon <= 0.1):
        yield Problem("epsilon is a number from 1e-12 to 0.1", repr(epsilon), "Write, say, 1e-5, or leave it out.")
    if not (isinstance(seed, int) and seed >= 0):
        yield Problem("seed is a whole number, 0 or more", repr(seed), "Write, say, 0.")
