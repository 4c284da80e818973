"""The rows that a model gets most wrong, to look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WrongRow:
    """One row whose answer is wrong.

    Args:
        name: path or row, in words.
        truth: class or value in the data.
        answer: class or value that the model says.
        probability: of its answer; ``None`` for a quantity.
        of_truth: probability of the class in the data.
        values: of a few columns that tell much about the target, by name.
        picture: a small PNG in base64, where the row is a picture.
        label: of several, the one whose value is wrong.
    """

    name: str
    truth: str | float
    answer: str | float
    probability: float | None = None
    of_truth: float | None = None
    values: tuple[tuple[str, str], ...] = ()
    picture: str = ""
    label: str = ""
