"""What training a run's networks again, on the dev rows as well, did to their error."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class Refit:
    """The refitted model beside the run's own.

    Args:
        rows_before: that the run's networks were trained on.
        rows: that the refitted ones were trained on.
        networks: of the model.
        epochs: that they were trained for, recipe by recipe: as many as the run's took to their best evaluation.
        metric: in which the scores are.
        test_rows: that both models were scored on; 0 where the run has none.
        before: score of the run's model.
        after: score of the refitted one.
        difference: ``after`` minus ``before`` as errors, on the same rows: below 0 the refit was of use.
    """

    rows_before: int
    rows: int
    networks: int
    epochs: tuple[float, ...]
    metric: str
    test_rows: int
    before: Interval | None = None
    after: Interval | None = None
    difference: Interval | None = None
