"""Builds realistic run records, so that the report is tested without training anything."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import Any

from shoal.recipe import Recipe
from shoal.records import (
    Baseline,
    ColumnDecision,
    Finding,
    Gap,
    Interval,
    Ledger,
    LedgerEntry,
    Plan,
    Run,
    ShoalPlan,
    SplitDecision,
    Trace,
    Trial,
    TrialStatus,
    Verdict,
)

HOSTILE = "</script><script>window.pwned=1</script>\"'><img src=x onerror=window.pwned=2>\u2028&amp;%{x}"
LONG = "\u202e\u200f🐟\u0000" + 300 * "x" + HOSTILE
"""Written from right to left, with a picture and a null character in it, and too long for any line."""
RUNGS = (500, 1500, 4500, 13500)


def around(value: float, half: float) -> Interval:
    return Interval(value, value - half, value + half)


def drawn_recipe(random: Random) -> Recipe:
    return Recipe(
        hidden_units=tuple(random.choice((32, 64, 128)) for _ in range(random.choice((1, 2, 3)))),
        activation=random.choice(("silu", "relu", "tanh")),
        batch_size=random.choice((64, 128, 256)),
        normalisation="batch" if random.random() < 0.3 else "none",
        learning_rate=10 ** random.uniform(-4, -0.7),
        keep_prob=random.uniform(0.5, 1.0),
        l2=10 ** random.uniform(-4, 1),
        weight_decay=10 ** random.uniform(-5, -1),
    )


def drawn_trial(number: int, random: Random, recipe: Recipe | None = None, purpose: str = "search", points: int = 120) -> Trial:
    recipe = recipe or drawn_recipe(random)
    quality = abs(math.log10(recipe.learning_rate) + 2.5) * 0.08 + random.uniform(0, 0.05)
    diverges = purpose == "search" and recipe.learning_rate > 0.12
    rung = len(RUNGS) - 1 if purpose == "retrain" or quality < 0.04 else random.choice((0, 0, 0, 1, 1, 2))
    length = max(int(points * RUNGS[rung] / RUNGS[-1]), 5)
    steps = tuple(round((i + 1) * RUNGS[rung] / length) for i in range(length))
    dev: list[float | None] = []
    train: list[float | None] = []
    for step in steps:
        if diverges and step > RUNGS[rung] / 2:
            dev.append(None)
            train.append(None)
            continue
        floor = 0.3 + quality
        falling = 0.4 * math.exp(-step / 900) + (0.8 * step / 400 if diverges else 0.0)
        train.append(floor - 0.05 + falling - 0.012 * math.log1p(step / 2000) + random.gauss(0, 0.003))
        dev.append(floor + falling + 0.03 * max(0.0, step / 13500 - 0.5) + random.gauss(0, 0.003))
    known = [(loss, i) for i, loss in enumerate(dev) if loss is not None]
    score, best = min(known)
    status: TrialStatus = "diverged" if diverges else ("finished" if rung == len(RUNGS) - 1 else "stopped at a rung")
    trace = Trace(steps, tuple(step / 250 for step in steps), tuple(train), tuple(dev), tuple(dev), tuple(1.0 for _ in steps))
    recorded = None if diverges and number % 2 else score
    kind = "retrain" if purpose == "retrain" else "search"
    return Trial(number, number * 7 + 1, recipe, number % 3, status, rung, steps[-1], steps[best], recorded, kind, trace)


def ledger(result: Recipe) -> Ledger:
    """Two steps: one change was kept, one was not; each beside its control."""

    def entry(step: int, kind: Any, change: str, loss: Interval, dev: Interval, decision: Any) -> LedgerEntry:
        reason = ("SH405", "units that never part") if step == 1 else ("SH102", "high variance")
        why = "its whole interval lies below 0, and it is the best of those tried" if decision == "kept" else "its interval holds 0"
        words = "Equal weights never part. Random ones do."
        return LedgerEntry(step, kind, *reason, change, {}, loss, dev, around(-0.04, 0.01), decision, why, words, 8, 1.5)

    entries = (
        entry(1, "proposal", "initialisation zeros to he", around(-0.32, 0.05), around(-0.108, 0.01), "kept"),
        entry(1, "control", "beta1 0.9 to 0.8", around(0.001, 0.02), around(0.001, 0.006), "measured"),
        entry(2, "proposal", "keep_prob 1.0 to 0.8", around(0.012, 0.03), around(0.003, 0.008), "rejected"),
        entry(2, "control", "clip_norm off to 3.2", around(-0.002, 0.02), around(-0.001, 0.007), "measured"),
    )
    errors = {part: (around(0.24, 0.01), around(0.13, 0.01)) for part in ("train", "dev")}
    return Ledger(Recipe(initialisation="zeros"), result, entries, "nothing helped twice in a row", 8, errors)


def classification(trials: int = 40, test: bool = True, points: int = 120) -> Run:
    random = Random(5)
    searched = [drawn_trial(number, random, points=points) for number in range(trials)]
    winner = min((t for t in searched if t.score is not None and t.status == "finished"), key=lambda t: t.score or 0.0)
    retrains = [drawn_trial(trials + i, random, winner.recipe, "retrain", points) for i in range(5)]
    scores = {
        "train": {"accuracy": around(0.9312, 0.0031), "error": around(0.0688, 0.0031), "log_loss": around(0.201, 0.004)},
        "train_dev": {"accuracy": around(0.8743, 0.0071), "error": around(0.1257, 0.0071), "log_loss": around(0.307, 0.011)},
        "dev": {"accuracy": around(0.8719, 0.0066), "error": around(0.1281, 0.0066), "log_loss": around(0.312, 0.011)},
        "test": {"accuracy": around(0.8694, 0.0067), "error": around(0.1306, 0.0067), "log_loss": around(0.319, 0.012)},
    }
    if not test:
        del scores["test"]
    gaps = (
        Gap("avoidable bias", Interval(0.0188, 0.0135, 0.0719), 0.02, "cannot tell", "Train error is 1.9 points above the target error."),
        Gap("variance", around(0.0569, 0.0068), 0.02, "yes", "Train-dev error is 5.7 points above the train error."),
        Gap("mismatch", around(0.0024, 0.0091), 0.02, "no", "Dev error is 0.2 points above the train-dev error."),
        *((Gap("overfitting to dev", around(0.0025, 0.0094), 0.02, "no", "Test error is close to the dev error."),) if test else ()),
    )
    text = "The network gets 6.9 % of its training rows wrong but 12.6 % of new rows: 5.7 points more (95 % interval 5.0 to 6.4)."
    columns = (
        ColumnDecision("age", "numeric", 1, 0, "73 different whole numbers; normalised."),
        ColumnDecision("workclass", "categorical", 9, 1421, "8 different texts; one input per value, one for missing."),
        ColumnDecision("fnlwgt", "numeric", 1, 0, "Normalised after a logarithm: skewness 1.4."),
        ColumnDecision("capital-gain", "numeric", 2, 0, "Normalised, with an indicator for zero (92 % of the rows)."),
        ColumnDecision("education", "categorical", 16, 0, "16 different texts; one input per value."),
        ColumnDecision("row_id", "id", 0, 0, "Every row has another value: it cannot generalise. Dropped."),
        ColumnDecision("country", "constant", 0, 0, "One value only. Dropped."),
        ColumnDecision("income", "target", 0, 0, "What is predicted: 2 classes, 24 % are >50K."),
    )
    return Run(
        name="adult",
        command="shoal improve adult_train.csv.gz --target income --test adult_test.csv.gz --budget 2m",
        created="2026-11-22T15:06:30Z",
        versions={"shoal": "0.1.0", "python": "3.11.9", "jax": "0.10.0", "numpy": "2.3.1"},
        machine="Linux x86_64, 2 cores, 8 GiB, CPU",
        seed=20261122,
        fingerprint="9f2c1a7be0d34415a8f0f6a9c1d2e3b4a5968778695a4b3c2d1e0f9a8b7c6d5e",
        source="adult_train.csv.gz",
        target="income",
        task="classification",
        classes=("<=50K", ">50K"),
        metric="accuracy",
        greater_is_better=True,
        columns=columns,
        split=SplitDecision(
            "shuffled, stratified by class",
            {"train": 28305, "train_dev": 8400, "dev": 9768} | ({"test": 9769} if test else {}),
            "Rows are many, so a fifth of them is enough to tell scores half a point apart; the test rows came in a file.",
        ),
        notes=("3 rows without a target were left out.", "Class >50K is rarer (24 %) than class <=50K."),
        plan=Plan(
            "2m",
            (
                ShoalPlan(1, 128, "relu", "none", 128, 32, trials // 2, 0.0021),
                ShoalPlan(2, 128, "silu", "batch", 256, 32, trials - trials // 2, 0.0043),
            ),
            RUNGS,
            trials,
            5,
            f"2 minutes hold {trials} trials over 4 rungs and 5 retrainings of the winner, at the measured speed.",
        ),
        recipe=winner.recipe,
        scores=scores,
        baselines=(
            Baseline("trivial", "always the most frequent class", around(0.7592, 0.0085), around(0.7638, 0.0084) if test else None, 0.01),
            Baseline("linear", "logistic regression", around(0.8514, 0.0071), around(0.8501, 0.0071) if test else None, 1.4),
            Baseline(
                "gradient boosting",
                "HistGradientBoosting, 100 trees",
                around(0.8745, 0.0066),
                around(0.8731, 0.0066) if test else None,
                2.2,
            ),
        ),
        verdict=Verdict("high variance", text, gaps, 0.05, "estimated"),
        next_step="Regularise more: lower keep_prob below 0.6, or collect more rows; about 30,000 more would halve the gap.",
        findings=(
            Finding(
                "V-101",
                "Train and dev error part early",
                "high",
                "The gap opens after step 2,700 and keeps growing.",
                "Raise l2.",
                {"gap": 0.057, "step": 2700},
            ),
            Finding(
                "D-201",
                "A fifth of the trials diverged",
                "medium",
                "8 of 40 trials diverged.",
                "Lower the top learning rate to 0.1.",
                {"diverged": 8},
            ),
            Finding(
                "D-110", "Classes are imbalanced", "note", "24 % of the rows are >50K.", "Look at balanced accuracy too.", {"share": 0.2408}
            ),
            Finding("O-300", "Vanishing gradients", "low", "Gradient norms are even over the layers.", "", {}, "not applicable"),
        ),
        trials=(*searched, *retrains),
        ledger=ledger(winner.recipe),
        seconds=131.4,
        stages={"read": 0.9, "split": 0.1, "plan": 6.2, "search": 88.0, "retrain": 31.2, "score": 1.1, "baselines": 3.9},
        compilations=2,
    )


def regression() -> Run:
    run = classification()
    scores = {
        "train": {"rmse": around(101234.0, 2345.0), "r2": around(0.921, 0.004)},
        "dev": {"rmse": around(121234.0, 9345.0), "r2": around(0.884, 0.012)},
        "test": {"rmse": around(124900.0, 9112.0), "r2": around(0.879, 0.013)},
    }
    gaps = (
        Gap("avoidable bias", around(5234.0, 2345.0), 4000.0, "cannot tell", ""),
        Gap("variance", around(20000.0, 9600.0), 4000.0, "yes", ""),
        Gap("overfitting to dev", around(3666.0, 12900.0), 4000.0, "cannot tell", ""),
    )
    baselines = (
        Baseline("trivial", "always the mean", around(367000.0, 21000.0), around(371000.0, 22000.0), 0.01),
        Baseline("linear", "ridge regression", around(201000.0, 15000.0), around(205000.0, 15500.0), 0.4),
        Baseline("gradient boosting", "HistGradientBoosting, 100 trees", around(125000.0, 9900.0), around(127000.0, 9800.0), 1.2),
    )
    return replace(
        run,
        name="kc_house",
        task="regression",
        classes=(),
        metric="rmse",
        greater_is_better=False,
        target="price",
        source="kc_house.csv",
        scores=scores,
        baselines=baselines,
        verdict=Verdict("high variance", "The dev RMSE of 121,234 is 20,000 above the train RMSE.", gaps, 96000.0, "stated"),
        split=SplitDecision("by time", {"train": 17000, "dev": 2300, "test": 2300}, "The newest rows are tested on."),
    )


def hostile(text: str = HOSTILE) -> Run:
    """A run with this text wherever a string of the user's or of the machine's can stand."""
    run = classification(12)
    columns = tuple(replace(column, name=f"{column.name}{text}", reason=text) for column in run.columns)
    findings = (Finding("V-101", text, "high", text, text, {text: text}), *run.findings)
    return replace(
        run,
        name=text,
        command=text,
        source=text,
        target=text,
        classes=(text, "b"),
        columns=columns,
        notes=(text,),
        findings=findings,
        machine=text,
        versions={text: text},
        next_step=text,
        verdict=replace(run.verdict, text=text),
        split=replace(run.split, method=text, reason=text),
        baselines=tuple(replace(baseline, name=baseline.name + text, detail=text) for baseline in run.baselines),
        plan=replace(run.plan, budget=text, reason=text),
        stages={text: 1.0},
        ledger=replace(
            ledger(run.recipe),
            stopped=text,
            entries=tuple(replace(e, change=text, reason=text, why=text, explanation=text) for e in ledger(run.recipe).entries),
        ),
    )
