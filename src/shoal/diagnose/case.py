"""What a diagnosis looks at, and what it gives back: the case, the checks, and what one check saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shoal.diagnose.gaps import Errors
from shoal.interval import number
from shoal.measurements import Measurements
from shoal.recipe import Recipe
from shoal.records import Interval, Trial, Verdict

Severity = Literal["high", "medium", "low", "note"]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What is known about a finished run, for the checks and the advice."""

    errors: Errors
    verdict: Verdict
    trials: tuple[Trial, ...] = ()
    """All trials of the run, the retrained winner's among them."""
    class_shares: Mapping[str, float] = field(default_factory=dict)
    """Of the training rows; empty for regression."""
    at_edge: Mapping[str, Literal["lowest", "highest"]] = field(default_factory=dict)
    """Settings of the winner that lie at an end of the range that was searched."""
    budget: str = ""
    searched: bool = True
    """False where one recipe was trained."""
    recipe: Recipe | None = None
    """Of the final networks; ``None`` for a model that is not shoal's own."""
    measured: Measurements = field(default_factory=Measurements)
    """What the experiments found."""
    noun: str = "network"
    """What the model is called in sentences."""
    dev_chooses: bool = True
    """Whether the dev rows had a say in what the model is: which trial, when to stop."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check saw."""

    text: str
    """With the numbers and their intervals; where it cannot tell or does not apply, the reason, and what would settle it."""
    evidence: dict[str, Any]
    outcome: Literal["found", "cannot tell", "not applicable"] = "found"
    severity: Severity | None = None
    """Where it differs from the check's own."""
    gain: float | None = None
    """How much lower the dev error could be without this, at most, as far as the evidence tells."""
    advice: str = ""
    """What to do, where it is not what the check says."""


@dataclass(frozen=True, slots=True)
class Check:
    """A disease: how it is called, what to do about it, what counts as having it, and how it is seen."""

    code: str
    title: str
    severity: Severity
    threshold: str
    source: str
    advice: str
    look: Callable[[Case], Outcome | None]
    """``None`` where the run is healthy in this respect."""


def about(value: float) -> str:
    """A number with two digits, large ones without an exponent.

    Example:
        >>> about(0.0783), about(7634.2)
        ('0.078', '7,600')
    """
    return number(float(f"{value:.2g}"), digits=3)


def plain(size: Interval) -> list[float]:
    """An interval as evidence: value, low, high."""
    return [size.value, size.low, size.high]
