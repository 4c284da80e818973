"""What the experiments of a diagnosis measured: plain results that are saved with a run and judged by ``shoal.diagnose``.

An experiment may train; what it leaves behind is one of these records. Each is ``None`` (or empty) where it was not carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shoal.interval import Interval
from shoal.measurements.confusion import Confusion
from shoal.measurements.data_faults import ColumnClue, DataFaults, Repeats, TargetShift, TwoSample
from shoal.measurements.labels import LabelAnswers
from shoal.measurements.learning_curve import LawPoint, LearningCurve
from shoal.measurements.mistakes import ConfusedPair, Mistakes, SureMistake
from shoal.measurements.pictures import ErrorWithout, OddPictures, PictureFaults, PicturePair, RepeatedPictures
from shoal.measurements.rate_range import RateRange
from shoal.measurements.reliability import Bin, Probabilities, Reliability
from shoal.measurements.residuals import Density, ResidualBin, Residuals
from shoal.measurements.signals import Signals
from shoal.measurements.wrong_rows import WrongRow

__all__ = [
    "Bin",
    "ColumnClue",
    "ConfusedPair",
    "Confusion",
    "DataFaults",
    "Density",
    "ErrorWithout",
    "LabelAnswers",
    "LawPoint",
    "LearningCurve",
    "Measurements",
    "Mistakes",
    "OddPictures",
    "PictureFaults",
    "PicturePair",
    "Probabilities",
    "RateRange",
    "Reliability",
    "RepeatedPictures",
    "Repeats",
    "ResidualBin",
    "Residuals",
    "Signals",
    "SureMistake",
    "TargetShift",
    "TwoSample",
    "WrongRow",
]


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that was measured for a diagnosis beyond the errors of the parts."""

    signals: tuple[Signals, ...] = ()
    """Of the final networks, one record per seed."""
    rate_range: RateRange | None = None
    learning_curve: LearningCurve | None = None
    data: DataFaults | None = None
    mistakes: Mistakes | None = None
    """Of a classifier, on the dev rows."""
    input_scales: tuple[float, float] | None = None
    """The smallest and the largest root mean square of a network's input over the training rows."""
    confusion: dict[str, Confusion] = field(default_factory=dict)
    """Of a classifier, by part: dev, and test where it was scored."""
    labels: dict[str, tuple[LabelAnswers, ...]] = field(default_factory=dict)
    """Of several labels, by part."""
    most_probable: dict[str, Interval] = field(default_factory=dict)
    """The score of the most probable class, by part, where another one is said (see ``shoal.decision``)."""
    reliability: dict[str, Reliability] = field(default_factory=dict)
    """Of a classifier's probabilities, by part."""
    residuals: dict[str, Residuals] = field(default_factory=dict)
    """Of a regression, by part."""
    wrong_rows: tuple[WrongRow, ...] = ()
    """Of the dev rows: wrong answers, the surest first; of a regression the predictions furthest off."""
