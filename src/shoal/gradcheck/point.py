"""A point of parameters: any nested structure of arrays, seen as one vector in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from shoal.errors import OptionError, Problem


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Named arrays, one after the other, as one vector."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    values: np.ndarray
    """``[coordinates]``, float64."""

    @property
    def starts(self) -> np.ndarray:
        """Where each array begins in the vector, and where the last one ends."""
        return np.concatenate([[0], np.cumsum([math.prod(shape) for shape in self.shapes])]).astype(int)

    def split(self, vector: Any) -> list[Any]:
        """The arrays of a vector ``[coordinates]`` of NumPy or JAX."""
        starts = self.starts
        return [vector[starts[i] : starts[i + 1]].reshape(shape) for i, shape in enumerate(self.shapes)]

    def join(self, arrays: Sequence[Any]) -> np.ndarray:
        """The vector of these arrays; the opposite of ``split``."""
        return np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays])

    def array_of(self, coordinates: np.ndarray) -> np.ndarray:
        """Which array each coordinate lies in."""
        return np.searchsorted(self.starts, coordinates, side="right") - 1

    def locate(self, coordinate: int) -> tuple[str, tuple[int, ...]]:
        """The name of a coordinate's array, and its index there.

        Example:
            >>> Point(("w", "b"), ((2, 3), (3,)), np.zeros(9)).locate(5)
            ('w', (1, 2))
        """
        array = int(self.array_of(np.array([coordinate]))[0])
        index = np.unravel_index(coordinate - self.starts[array], self.shapes[array]) if self.shapes[array] else ()
        return self.names[array], tuple(int(place) for place in index)


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A pytree whose float leaves make up a point; every other leaf stays as it is."""

    point: Point
    leaves: tuple[Any, ...]
    floats: tuple[int, ...]
    """Positions of the float leaves."""
    others: frozenset[str]
    """Names of the other leaves."""
    structure: Any

    def rebuild(self, arrays: Sequence[Any]) -> Any:
        """The pytree with other float leaves; other NumPy leaves are copies, so that nobody can change the caller's."""
        leaves = [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in self.leaves]
        for place, array in zip(self.floats, arrays, strict=True):
            leaves[place] = array
        return jax.tree.unflatten(self.structure, leaves)

    def gradient(self, value: Any) -> np.ndarray:
        """The vector of a gradient that was given as a pytree like this one; entries for other leaves are ignored.

        Raises:
            OptionError: naming every entry that is missing, superfluous, of another shape, or not finite.
        """
        given = {path: _array_or_none(leaf) for path, leaf in _paths(value)}
        problems = list(_mismatches(self.point, given, self.others))
        if problems:
            raise OptionError(*problems)
        return self.point.join([given[name] for name in self.point.names])


def tree_of(value: Any) -> Tree:
    """Any nested dictionaries, lists, tuples and other pytrees of arrays or numbers as a point.

    Raises:
        OptionError: there is no float leaf, or one is complex or not finite; all problems are named.
    """
    paths = _paths(value)
    floats = tuple(place for place, (_, leaf) in enumerate(paths) if _is_of(leaf, jnp.floating))
    arrays = [np.asarray(paths[place][1], np.float64) for place in floats]
    problems = [
        Problem("the parameters are real", f"complex numbers in {path}", "Give the real and the imaginary part as two arrays.")
        for path, leaf in paths
        if _is_of(leaf, jnp.complexfloating)
    ]
    problems += [
        Problem("the parameters are finite", f"NaN or infinity in {paths[place][0]}", "Choose another point.")
        for place, array in zip(floats, arrays, strict=True)
        if not np.isfinite(array).all()
    ]
    if not problems and not sum(array.size for array in arrays):
        received = ", ".join(f"{path}: {_kind(leaf)}" for path, leaf in paths[:5]) or repr(value)
        problems.append(Problem("the point holds floating-point arrays or numbers", received, "Give arrays of floats, of NumPy or JAX."))
    if problems:
        raise OptionError(*problems)
    values = np.concatenate([array.ravel() for array in arrays])
    point = Point(tuple(paths[place][0] for place in floats), tuple(array.shape for array in arrays), values)
    others = frozenset(path for path, leaf in paths if not _is_of(leaf, jnp.floating))
    return Tree(point, tuple(leaf for _, leaf in paths), floats, others, jax.tree.structure(value))


def _paths(value: Any) -> list[tuple[str, Any]]:
    """The leaves with names such as ``layers.0.w``, or ``point.0`` where that would be a mere number."""
    leaves = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(value)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        leaves.append((name if name and not name[0].isdigit() else f"point.{name}".rstrip("."), leaf))
    return leaves


def _is_of(leaf: Any, kind: Any) -> bool:
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    try:
        return bool(jnp.issubdtype(dtype, kind))
    except TypeError:  # another library's
        return False


def _kind(leaf: Any) -> str:
    return str(leaf.dtype) if hasattr(leaf, "dtype") else type(leaf).__name__


def _array_or_none(leaf: Any) -> np.ndarray | None:
    array = np.asarray(leaf)
    return np.array(array, np.float64) if array.dtype.kind in "fiub" or _is_of(array, jnp.floating) else None


def _mismatches(point: Point, given: dict[str, np.ndarray | None], others: frozenset[str]) -> Iterator[Problem]:
    requirement = "the gradient has the structure of the point"
    for name, shape in zip(point.names, point.shapes, strict=True):
        if name not in given:
            yield Problem(
                requirement, f"no entry for {name}", "Return one entry per parameter, under the same names and in the same places."
            )
            continue
        array = given[name]
        if array is None:
            yield Problem("the gradient consists of real numbers", f"something else for {name}", "Return real arrays.")
        elif array.shape != shape:
            yield Problem(f"the gradient of {name} has its shape {shape}", f"{array.shape}", "Sum over the axes that broadcasting added.")
        elif not np.isfinite(array).all():
            yield Problem("the gradient is finite", f"NaN or infinity for {name}", "Look for a division by 0 or a logarithm of 0.")
    if unknown := sorted(given.keys() - {*point.names} - others):
        yield Problem(requirement, f"entries that the point lacks: {', '.join(unknown[:5])}", "Leave them out.")


Costs = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is checked: a cost and its gradient at a point, whatever they were written with."""

    point: Point
    cost: float
    """At the point."""
    gradient: np.ndarray
    """``[coordinates]``, what the backward pass says."""
    costs: Costs
    """The costs ``[k]`` at points ``[k, coordinates]``, at most ``chunk`` of them."""
    chunk: int
