"""Keeping XLA from computing the same thing again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import Array


def computed_once(function: Callable[[Any], Any], x: Any, always: Array) -> Any:
    """``function(x)``, computed where it is asked for and nowhere else.

    XLA takes a gather or a hash for cheap and repeats it, with all that follows, for every use of each element: mixup, which uses a picture
    twice, became 100 times as slow. It removes its own barriers before it does so, but looks into no branch; this one is always taken.

    Args:
        function: of ``x``, to something of the same structure, shapes and types.
        x: any pytree.
        always: a traced bool that is true, which XLA cannot know.
    """
    return jax.lax.cond(always, function, lambda x: x, x)
