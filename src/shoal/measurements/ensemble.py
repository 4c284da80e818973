"""How the networks of a model were chosen, where they are not the winner's alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class EnsembleReport:
    """Greedy ensemble selection on the dev rows, and its cross-fitted estimate.

    Cross-fitted: chosen on one half of the dev rows and scored on the other, both ways, for several divisions into halves. Half
    the rows choose a little worse than all of them, so that the estimate leans to the cautious side.

    Args:
        metric: in which the scores are.
        loss: by which the networks were chosen.
        rows: dev rows.
        library: networks to choose from.
        shares: of the chosen networks in the mean, by the number of the trial, the largest first.
        divisions: of the dev rows into halves.
        chosen: score on the rows that the ensemble was chosen on.
        cross_fitted: score on rows that it was not chosen on.
        default: score of the usual model on the same rows; ``None`` where there was none to compare with.
        optimism: ``cross_fitted`` minus ``chosen`` as errors: how much of the score is overfitting to dev.
        gain: ``cross_fitted`` minus ``default`` as errors: below 0 the ensemble is better.
        better: whether the ensemble is better than the default.
        text: all this in sentences.
    """

    metric: str
    loss: str
    rows: int
    library: int
    shares: tuple[tuple[int, float], ...]
    divisions: int
    chosen: Interval
    cross_fitted: Interval
    default: Interval | None
    optimism: Interval
    gain: Interval | None
    better: Literal["yes", "no", "cannot tell"]
    text: str


@dataclass(frozen=True, slots=True)
class ShapesTogether:
    """The networks of all shapes whose first recipes were trained in full, beside those of the best shape alone, on the dev rows.

    Args:
        metric: the loss by which they are compared.
        shapes: of network.
        networks: of all shapes.
        own: networks of the best shape.
        minus_best: loss of the mean of all minus that of the best shape's: below 0 all are better.
        taken: whether the model is the mean of all.
    """

    metric: str
    shapes: int
    networks: int
    own: int
    minus_best: Interval
    taken: bool
