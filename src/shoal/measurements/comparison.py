"""How runs differ: records, and what a comparison of their models on the same rows measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class Difference:
    """Another run's error less that of the first run, on the rows on which both were scored."""

    run: int
    """Place of the other run among those compared, from 1."""
    error: Interval | None
    """With its 95 % interval over the rows, which are drawn again for both models together; ``None`` where they cannot be paired."""
    rows: int
    why: str
    """Why they cannot be paired; empty where they are."""


@dataclass(frozen=True, slots=True)
class Paired:
    """What the models of several runs have in common, and how far apart they are."""

    part: Literal["dev", "test"]
    """The rows they are compared on: test, where every run has opened them."""
    differences: tuple[Difference, ...]
    """Of each further run to the first."""
