"""Measurements of a realistic size for the example records, made without training anything."""

from __future__ import annotations

import base64
from dataclasses import replace
from random import Random

from shoal.interval import Interval
from shoal.measurements import (
    Bin,
    ColumnClue,
    Confusion,
    DataFaults,
    Density,
    LabelAnswers,
    LawPoint,
    LearningCurve,
    Measurements,
    Probabilities,
    Reliability,
    ResidualBin,
    Residuals,
    Signals,
    TwoSample,
    WrongRow,
)
from shoal.records import Finding, Run

from .example_run import around

ROWS = (1000, 2000, 4000, 8000)
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c63600000000200015d0b2a350000000049454e44ae426082"
    )
).decode()


def law(rows: float) -> float:
    return 0.1 + 0.08 * (rows / ROWS[-1]) ** -0.5


def learning_curve() -> LearningCurve:
    points = tuple(LawPoint(rows, around(law(rows), 0.004)) for rows in (*ROWS, 16_000, 32_000))
    train = tuple((0.02 * at, 0.02 * at + 0.003) for at in range(4))
    dev = tuple((law(rows) - 0.002, law(rows) + 0.002) for rows in ROWS)
    gain = around(law(8000) - law(16_000), 0.003)
    return LearningCurve(
        ROWS, train, dev, 700, around(0.5, 0.1), around(0.1, 0.01), around(law(8000), 0.004), gain, (900.0, 400.0, None), points
    )


def signals(moments: int = 4, layers: int = 3) -> tuple[Signals, ...]:
    steps = tuple(100 * moment for moment in range(moments))

    def series(value: float) -> tuple[tuple[float | None, ...], ...]:
        return tuple(tuple(value * 0.5**layer * (moment + 1) for layer in range(layers)) for moment in range(moments))

    none = tuple((0.0,) * layers for _ in range(moments))
    one = Signals(
        steps, (0.7,) * moments, series(1.0), series(2.0), series(3.0), series(4.0), series(0.01), series(0.05), series(0.1), none
    )
    other = replace(one, gradient=tuple(tuple(3 * value for value in row if value is not None) for row in one.gradient))
    return one, other, other


def probabilities(shift: float) -> Probabilities:
    bins = tuple(Bin(200, 0.1 * at + 0.05, around(min(0.1 * at + 0.05 + shift, 0.95), 0.04)) for at in range(10))
    return Probabilities(bins, tuple(100 for _ in range(20)), around(0.02 + abs(shift), 0.01), Interval(0.01, 0.004, 0.02))


def confusion(classes: int, seed: int = 0) -> Confusion:
    random = Random(seed)
    counts = {(truth, answer): random.randrange(1, 30) for truth in range(classes) for answer in range(classes) if truth != answer}
    if classes > 40:
        counts = dict(random.sample(sorted(counts.items()), 1500))
    wrong = [sum(rows for (truth, _), rows in counts.items() if truth == label) for label in range(classes)]
    said = [sum(rows for (_, answer), rows in counts.items() if answer == label) for label in range(classes)]
    right = tuple(around(400 / (400 + each), 0.02) for each in wrong)
    listed = sorted(((*pair, rows) for pair, rows in counts.items()), key=lambda each: -each[2])
    return Confusion(tuple(400 + each for each in wrong), tuple(400 + each for each in said), right, tuple(listed))


def residuals(rows: int = 5000) -> Residuals:
    random = Random(0)
    predicted = tuple(random.uniform(1e5, 6e5) for _ in range(min(rows, 400)))
    truth = tuple(each + random.gauss(0, 4e4) for each in predicted)
    bins = tuple(ResidualBin(rows // 5, 1e5 * (at + 1), -6e4, 1e3 * at, 6e4) for at in range(5))
    cells = tuple((at, at, 100 + at) for at in range(36))
    return Residuals(
        rows, truth, predicted, bins, Density(5e4, 7e5, cells, 36, rows - sum(each for *_, each in cells)) if rows > 400 else None
    )


def data_faults() -> DataFaults:
    clues = (
        ColumnClue("age", 0.42, "age is 38 in train and 45 in dev (medians)"),
        ColumnClue("fnlwgt", 0.1, "fnlwgt is at most 3 in 10.0 % of train and 20.0 % of dev"),
    )
    return DataFaults("separate tables", TwoSample("train", "dev", (4000, 4000), around(0.71, 0.02), 1e-9, clues), ordered=("row_id",))


FOUND = (
    Finding("SH301", "Train and dev can be told apart", "medium", "They differ.", "Look at the columns."),
    Finding("SH111", "Two classes are confused most", "low", "They are confused.", "Look at them."),
    Finding("SH501", "More rows would help", "low", "They would.", "Collect some."),
    Finding("SH403", "Dead units", "low", "There are some.", "Lower the rate."),
)


def measured(run: Run, words: str = "", picture: bool = False) -> Measurements:
    """Everything that a run of this task keeps; ``words`` go into every text of it."""
    values = () if picture else ((f"age{words}", f"38{words}"), ("fnlwgt", "77516"))
    shared = Measurements(signals=signals(), learning_curve=learning_curve(), data=data_faults())
    if run.task == "regression":
        worst = tuple(WrongRow(f"row {at}{words}", 5e5, 1e5 + at, values=values) for at in range(12))
        return replace(shared, residuals={"dev": residuals(), "test": residuals(300)}, wrong_rows=worst)
    names = run.classes
    worst = tuple(
        WrongRow(f"row {at}{words}", names[0], names[1], 0.99996 - 0.01 * at, 0.00004, values, PIXEL if picture else "") for at in range(12)
    )
    reliability = {
        "dev": Reliability(2000, 1 if len(names) == 2 else None, 1.4, probabilities(0.01), probabilities(-0.1)),
        "test": Reliability(2000, 1 if len(names) == 2 else None, 1.0, probabilities(0.02)),
    }
    matrices = {"dev": confusion(len(names)), "test": confusion(len(names), 1)}
    return replace(shared, confusion=matrices, reliability=reliability, wrong_rows=worst)


def label_answers(names: tuple[str, ...], words: str = "") -> tuple[LabelAnswers, ...]:
    recall = around(0.75, 0.09)
    return tuple(LabelAnswers(name, f"yes{words}", 60, 20, 15 * at, 1905 - 15 * at, recall, None) for at, name in enumerate(names))


def of_labels(run: Run, names: tuple[str, ...] = ("red", "big", "round"), words: str = "") -> Run:
    """The run with several labels instead of classes."""
    labels = {"dev": label_answers(names, words), "test": label_answers(names, words)}
    forecasts = {part: Reliability(6000, 1, 1.0, probabilities(0.01)) for part in labels}
    worst = tuple(WrongRow(f"row {at}", f"no{words}", f"yes{words}", 0.99 - 0.01 * at, 0.01 * (at + 1), label=names[0]) for at in range(12))
    found = Measurements(labels=labels, reliability=forecasts, wrong_rows=worst)
    return replace(run, task="multi_label", classes=names, measured=found)


def with_evidence(run: Run, words: str = "", picture: bool = False) -> Run:
    """The run with all its measurements, and findings that rest on them."""
    return replace(run, measured=measured(run, words, picture), findings=(*FOUND, *run.findings))
