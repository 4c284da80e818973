"""Gradient checking of whatever has a cost: JAX functions, pairs of NumPy functions, PyTorch modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from shoal import devices
from shoal.errors import OptionError, Problem
from shoal.gradcheck import jax_function, numpy_functions, torch_module
from shoal.gradcheck.judgement import judge
from shoal.gradcheck.result import GradientCheck

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
        subject: a JAX function from ``point`` to a scalar; or a NumPy cost, with ``gradient``; or a ``torch.nn.Module``, with ``loss``.
        point: the parameters: one array, or any nested dictionaries, lists and tuples of arrays. It is converted to float64; leaves that
            are no floats stay as they are. A module brings its own parameters.
        gradient: a function from ``point`` to the gradient, in the same structure; both functions then get NumPy arrays.
        loss: a function from the module to a scalar tensor. It gets a copy in double precision, so its data must be float64 too.
        samples: the most coordinates to compare, some of every array and the rest at random; ``None`` for all.
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
        >>> broken = check_gradients(lambda w: float(np.sum(w**2)), np.array([1.0, 3.0]), gradient=lambda w: w)
        >>> broken.verdict, f"{broken.relative_error:.3f}", str(broken.worst[0])
        ('wrong', '0.333', 'point[1]')

    Source:
        Gradient checking in the course "Improving Deep Neural Networks", with its thresholds.
    """
    is_module = torch_module.is_module(subject)
    _examine(subject, point, gradient, loss, samples, epsilon, seed, is_module)
    devices.start()
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        if is_module:
            found = torch_module.subject(subject, loss)  # type: ignore[arg-type]
        elif gradient is not None:
            found = numpy_functions.subject(subject, point, gradient)
        else:
            found = jax_function.subject(subject, point)
        return judge(found, samples, epsilon, seed)


def _examine(subject: Any, point: Any, gradient: Any, loss: Any, samples: Any, epsilon: Any, seed: Any, is_module: bool) -> None:
    """Whether the options fit together, all problems at once."""
    problems = []
    if not callable(subject):
        problems.append(
            Problem("what is checked is a function or a torch.nn.Module", type(subject).__name__, "Give the cost as a function.")
        )
    elif is_module:
        problems += _given("loss", loss, "a module", "Write loss=lambda module: ..., which returns a scalar tensor.")
        problems += _not_given({"point": point, "gradient": gradient}, "a module, which has both itself")
    else:
        if point is None:
            problems.append(Problem("a function is checked at a point", "no point", "Give its parameters as the second argument."))
        problems += _not_given({"loss": loss}, "a function, which is the cost itself")
        if gradient is not None and not callable(gradient):
            remedy = "Give a function from the point to the gradient."
            problems.append(Problem("gradient is a function", type(gradient).__name__, remedy))
    if samples is not None and not (isinstance(samples, int) and samples >= 1):
        problems.append(Problem("samples is a positive whole number, or None for all coordinates", repr(samples), "Write, say, 2000."))
    if epsilon is not None and not (isinstance(epsilon, int | float) and 0 < epsilon < 1):
        problems.append(Problem("epsilon is a number above 0 and below 1", repr(epsilon), "Write, say, 1e-5, or leave it out."))
    if not (isinstance(seed, int) and seed >= 0):
        problems.append(Problem("seed is a whole number, 0 or more", repr(seed), "Write, say, 0."))
    if problems:
        raise OptionError(*problems)


def _given(name: str, value: Any, what: str, remedy: str) -> list[Problem]:
    return [] if callable(value) else [Problem(f"{what} is checked with {name}=, a function", repr(value), remedy)]


def _not_given(values: dict[str, Any], what: str) -> list[Problem]:
    given = [name for name, value in values.items() if value is not None]
    return [Problem(f"{name} is not for {what}", f"{name}=", "Leave it out.") for name in given]
