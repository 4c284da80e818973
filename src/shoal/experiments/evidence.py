"""What a model's answers look like row by row: which classes it confuses, what its probabilities are worth, what its predictions miss."""

from __future__ import annotations

from collections.abc import Mapping

from shoal.data import Dataset
from shoal.experiments.confusion import measure_confusion
from shoal.experiments.labels import as_forecasts, labels_said, measure_labels, target_cells
from shoal.experiments.left_out import PartAnswers
from shoal.experiments.reliability import measure_reliability
from shoal.experiments.residuals import measure_residuals
from shoal.experiments.wrong_rows import wrong_rows
from shoal.measurements import Measurements
from shoal.records import Part

SHOWN: tuple[Part, ...] = ("dev", "test")


def measure_evidence(dataset: Dataset, answers: Mapping[Part, PartAnswers], *, temperature: float = 1.0, seed: int = 0) -> Measurements:
    """Count and sample the answers for the dev rows and, where they were scored, the test rows.

    Single rows are shown of dev alone: who looks at test rows and changes something has used them.

    Args:
        dataset: the data set, as it was split.
        answers: the model's, for the parts that may be looked at.
        temperature: of its probabilities (see ``shoal.calibration``).
        seed: draws the rows where not all are kept.

    Returns:
        The measurements of this kind; the others are left empty.

    Example:
        >>> from shoal.data import load
        >>> data = load("example:wine")
        >>> import numpy as np
        >>> guess = np.full((len(data.truth["dev"]), 3), [0.2, 0.5, 0.3])
        >>> found = measure_evidence(data, {"dev": PartAnswers(data.truth["dev"], (guess,))})
        >>> found.confusion["dev"].answered[1] == len(guess), len(found.wrong_rows)
        (True, 12)
    """
    shown: dict[Part, PartAnswers] = {part: answers[part] for part in SHOWN if part in answers}
    if dataset.task == "regression":
        worst = wrong_rows(dataset, shown["dev"].judged[0], seed=seed)
        residuals = {part: measure_residuals(each.judged[0], each.truth, seed=seed) for part, each in shown.items()}
        return Measurements(residuals=residuals, wrong_rows=worst)
    if dataset.task == "multi_label":
        return _of_labels(dataset, shown, temperature, seed)
    count = len(dataset.classes)
    said = {part: each.judged[0].argmax(axis=1) for part, each in shown.items()}
    reliability = {
        part: measure_reliability(each.probability, each.truth, each.weight, temperature=temperature, seed=seed)
        for part, each in shown.items()
    }
    return Measurements(
        confusion={part: measure_confusion(said[part], each.truth, count) for part, each in shown.items()},
        reliability={part: found for part, found in reliability.items() if found is not None},
        wrong_rows=wrong_rows(dataset, shown["dev"].probability, decided=said["dev"], seed=seed),
    )


def _of_labels(dataset: Dataset, shown: Mapping[Part, PartAnswers], temperature: float, seed: int) -> Measurements:
    """Of several labels: what becomes of each, and each label of each row as a forecast."""
    there = {name: yes for name, (_, yes) in target_cells(dataset).items()}
    forecasts = {part: as_forecasts(each.judged[0], each.truth, each.weight) for part, each in shown.items()}
    reliability = {part: measure_reliability(*each, temperature=temperature, seed=seed) for part, each in forecasts.items()}
    return Measurements(
        labels={part: measure_labels(labels_said(each.judged[0]), each.truth, there) for part, each in shown.items()},
        reliability={part: found for part, found in reliability.items() if found is not None},
        wrong_rows=wrong_rows(dataset, shown["dev"].judged[0], seed=seed),
    )
