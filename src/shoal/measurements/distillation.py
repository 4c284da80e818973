"""What one network that learned the answers of several lost against them."""

from __future__ import annotations

from dataclasses import dataclass

from shoal.interval import Interval


@dataclass(frozen=True, slots=True)
class Distillation:
    """A distilled network beside its teacher, on the dev rows.

    Args:
        metric: in which the scores are.
        rows: dev rows.
        teachers: networks whose mean was the teacher; the model is the best by dev loss of as many students.
        teacher_share: weight of the teacher's answers in the targets; the others' is that of the rows' own targets.
        teacher: score of the teacher.
        single: score of the best of the teacher's networks alone.
        distilled: score of the model.
        loss: ``distilled`` minus ``teacher`` as errors: above 0 the distilled network is worse.
        gain: ``distilled`` minus ``single`` as errors: below 0 distillation was of use.
    """

    metric: str
    rows: int
    teachers: int
    teacher_share: float
    teacher: Interval
    single: Interval
    distilled: Interval
    loss: Interval
    gain: Interval
