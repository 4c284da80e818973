"""Section 1: how many dev rows tell two networks apart, parts that differ, and what cures bias and variance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from measuring.comparison import Column, about, columns, comparison, machine, percent, significant, steps, table, variants
from measuring.networks import FILES, Shelf, _frame, train
from measuring.topics import topic

from shoal import data
from shoal.experiments.column_codes import coded_columns, codes
from shoal.experiments.two_sample import two_sample
from shoal.recipe import Recipe

SIZES = (20, 50, 100, 200, 400, 800)
PAIRS = 2000


@topic("dev-rows", "letter")
def _dev_rows(shelf: Shelf, seeds: int) -> str:
    base = Recipe(activation="relu", learning_rate=3e-3, epochs=30)
    recipes = {"worse": base, "better": replace(base, learning_rate=1e-2)}
    trained = train(shelf, "letter", recipes, seeds)
    wrong = {
        name: [network.outputs("dev").argmax(1) != network.dataset.targets["dev"] for network in networks]
        for name, networks in trained.items()
    }
    mean = {name: float(np.mean(each)) for name, each in wrong.items()}
    rng, rows = np.random.default_rng(0), []
    for size in SIZES:
        half = 1.96 * np.sqrt(mean["better"] * (1 - mean["better"]) / size)
        chosen = []
        for draw in range(PAIRS):
            a, b = (wrong[name][draw % seeds] for name in recipes)
            some = rng.integers(len(a), size=size)
            chosen.append(np.sign(a[some].sum() - b[some].sum()) / 2 + 0.5)
        rows.append([steps(size), f"± {100 * half:.1f} percentage points", percent(float(np.mean(chosen)))])
    caption = (
        f"*letter; two networks with dev errors of {percent(mean['worse'])} and {percent(mean['better'])} on 800 dev rows, of "
        f"which so many are drawn {PAIRS:,} times with replacement; a draw with equal errors counts half. {seeds} seeds; {machine()}.*"
    )
    return "\n\n".join(
        [caption, table(("dev rows", "95 % interval of the better one's error", "the better one has the lower dev error"), rows)]
    )


@topic("two-samples", "california_housing", "magic_telescope")
def _two_samples(shelf: Shelf, seeds: int) -> str:
    splits = (
        ("california_housing", "at random", {}),
        ("california_housing", "the northernmost rows are dev and test", {"time": "latitude"}),
        ("magic_telescope", "at random", {}),
        ("magic_telescope", "the rows of the highest fDist are dev and test", {"time": "fDist"}),
    )
    rows = []
    for name, how, options in splits:
        frame = _frame(name, shelf.folder)  # type: ignore[arg-type]
        dataset = data.load(frame, target=FILES[name][1], seed=0, **options)
        kept = [at for at, column in enumerate(coded_columns(dataset.preparation)) if column.name not in options.values()]
        sets = [codes(dataset.preparation, frame, dataset.division.places[part][1])[:, kept] for part in ("train", "dev")]
        found = two_sample(*sets, [coded_columns(dataset.preparation)[at] for at in kept], seed=0)
        assert found is not None
        clues = ", ".join(clue.name for clue in found.columns[:3]) or "none"
        rows.append(
            [name, how, f"{found.auc.value:.2f} ({found.auc.low:.2f} to {found.auc.high:.2f})", significant(found.p_value, 2), clues]
        )
    note = "The column that the rows were ordered by is left out."
    caption = f"*A classifier is asked whether a row is from train or dev: 0.5 is guessing. {note} {machine()}.*"
    headings = ("table", "split", "area under the ROC curve", "p", "columns that differ most")
    return "\n\n".join(
        [
            caption,
            table(headings, rows),
        ]
    )


BIASED = Recipe(hidden_units=(16,), activation="relu", learning_rate=3e-3, epochs=10)
VARIED = Recipe(hidden_units=(64, 64), activation="relu", learning_rate=3e-3, epochs=60, batch_size=32)


@topic("basic-recipe", "letter", "example:diabetes")
def _basic_recipe(shelf: Shelf, seeds: int) -> str:
    cures = (
        {"hidden_units": (64,)}, {"hidden_units": (64, 64)}, {"epochs": 40.0}, {"weight_decay": 1.0}, {"keep_prob": 0.8},
    )  # fmt: skip
    gap = Column("variance: dev minus train loss", lambda network: network.dev_loss - network.train_loss, significant)
    biased = train(shelf, "letter", variants(BIASED, *cures), seeds)
    varied = train(
        shelf,
        "example:diabetes",
        variants(VARIED, {"hidden_units": (128, 128)}, {"epochs": 120.0}, {"weight_decay": 1.0}, {"keep_prob": 0.8}),
        seeds,
    )
    return "\n\n".join(
        [
            about(shelf, "letter", BIASED, "High bias: most of the dev error is there on the training rows.", seeds=seeds),
            comparison(biased, columns("share", gap)),
            about(shelf, "example:diabetes", VARIED, "High variance: the training rows are fitted, the dev rows are not.", seeds=seeds),
            comparison(varied, columns("variances", gap)),
        ]
    )
