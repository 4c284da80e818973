"""Checking a PyTorch module with a loss, on a copy of it in double precision. PyTorch is imported by nobody else."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from shoal.errors import OptionError, Problem
from shoal.gradcheck.evaluation import repeatable, scalar
from shoal.gradcheck.point import Point, Subject


def is_module(value: Any) -> bool:
    """Whether this is a ``torch.nn.Module``; PyTorch is not loaded to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def subject(module: Any, loss: Callable[[Any], Any]) -> Subject:
    """A module's trainable parameters and ``loss(module)``, a scalar tensor.

    The loss is given a copy of the module in double precision. Its buffers are what they were before every evaluation, so a running
    average that it updates does not matter, and PyTorch's random numbers go on for the caller as if nothing had happened.

    Raises:
        OptionError: nothing can be trained, or the loss is no differentiable scalar of the module it is given.
    """
    import torch

    original, module = module, _double(module)
    parameters = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    if not parameters:
        raise OptionError(Problem("the module has parameters to train", type(original).__name__, "Set requires_grad=True on some of them."))
    arrays = [parameter.detach().cpu().numpy().copy() for parameter in parameters.values()]
    point = Point(tuple(parameters), tuple(array.shape for array in arrays), np.concatenate([array.ravel() for array in arrays]))
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    cards = sorted({parameter.device.index for parameter in module.parameters() if parameter.device.type == "cuda"})

    def cost(vector: np.ndarray) -> Any:
        with torch.no_grad():
            for parameter, array in zip(parameters.values(), point.split(vector), strict=True):
                parameter.copy_(torch.from_numpy(array.copy()))
            for buffer, before in buffers:
                buffer.copy_(before)
        with torch.enable_grad():
            return _called(loss, module)

    def costs(points: np.ndarray) -> np.ndarray:
        with torch.random.fork_rng(cards):
            return np.array([float(cost(vector).detach()) for vector in points])

    with torch.random.fork_rng(cards):
        value = cost(point.values)
        slope = _gradient(value, list(parameters.values()))
        here = scalar(value.detach())
        repeatable(lambda: float(cost(point.values).detach()), here)
    if not np.isfinite(slope).all():
        names = sorted({point.locate(int(place))[0] for place in np.flatnonzero(~np.isfinite(slope))})
        received = f"NaN or infinity for {', '.join(names[:5])}"
        raise OptionError(Problem("the gradient is finite", received, "Look for a division by 0 or a logarithm of 0."))
    return Subject(point, here, slope, costs, chunk=1)


def _double(module: Any) -> Any:
    """A copy in double precision, with no gradients of its own."""
    import torch

    lazy = [name for name, parameter in module.named_parameters() if torch.nn.parameter.is_lazy(parameter)]
    if lazy:
        raise OptionError(Problem("the parameters have their shapes", f"{lazy[0]} without one", "Call the module on a mini-batch first."))
    try:
        return copy.deepcopy(module).double()
    except (RuntimeError, TypeError) as error:
        received = f"{type(error).__name__}: {error}"
        remedy = "Keep tensors that are computed from others out of its attributes, and move it to a device that has float64."
        raise OptionError(Problem("the module can be copied in double precision", received, remedy)) from error


def _called(loss: Callable[[Any], Any], module: Any) -> Any:
    """The loss, with PyTorch's complaint about mixed types in our words; every other error is the user's to see."""
    try:
        return loss(module)
    except RuntimeError as error:
        if not any(word in str(error) for word in ("dtype", "Double", "scalar type")):
            raise
        remedy = "Give the data as float64 too: x.to(next(module.parameters()).dtype)."
        raise OptionError(Problem("the loss works with a module in double precision", str(error), remedy)) from error


def _gradient(cost: Any, parameters: list[Any]) -> np.ndarray:
    """The gradient as one vector, 0 where the cost does not depend on a parameter."""
    import torch

    if not isinstance(cost, torch.Tensor) or cost.shape:
        received = f"a tensor of shape {tuple(cost.shape)}" if isinstance(cost, torch.Tensor) else f"a {type(cost).__name__}"
        raise OptionError(Problem("the loss is a scalar tensor", received, "Return its sum or its mean, without item()."))
    slopes = torch.autograd.grad(cost, parameters, allow_unused=True) if cost.requires_grad else (None,) * len(parameters)
    if all(slope is None for slope in slopes):
        remedy = "Write loss=lambda module: ..., use that module and not the one outside, and detach nothing."
        raise OptionError(Problem("the loss depends on the parameters of the module it is given", "a constant", remedy))
    pairs = zip(slopes, parameters, strict=True)
    arrays = [parameter.detach() * 0 if slope is None else slope.detach() for slope, parameter in pairs]
    return np.concatenate([array.cpu().numpy().ravel() for array in arrays])
