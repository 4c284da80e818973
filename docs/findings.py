"""Writes docs/findings: a page for each finding, with a real example of the disease, its picture and its cure.

python docs/findings.py [CODE ...]

Every number and every picture comes from runs of shoal on data that an installed package ships, with faults put in on purpose.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from finding_pictures import DRAWN
from finding_words import WORDS, with_code

import shoal
from shoal.data import read_table
from shoal.diagnose import CHECKS, Check
from shoal.recipe import Recipe
from shoal.recipe_file import to_toml
from shoal.records import Finding, Run
from shoal.report.wording import score_span
from shoal.saved_run import read_record

PAGES = Path(__file__).resolve().parent / "findings"
DRAWINGS = PAGES / "drawings"
SEEDS = 5
SOUND: dict[str, Any] = {"hidden_units": (64, 64), "learning_rate": 3e-3, "batch_size": 64, "epochs": 30.0}


@dataclass(frozen=True)
class Example:
    """A run with the disease, and the same run with its cure.

    Args:
        data: name of the bundled data.
        sick: settings of the recipe that differ from a sound one.
        cure: settings in their place; none where the cure is not one of the recipe.
        spoil: what is done to the rows; gives the table and further options.
        mend: the same rows put right.
        said: what was done, in words.
        said_cure: the cure in words.
        picture: what is drawn.
        measured: whether the learning curve is measured, which takes a run in a folder.
    """

    said: str
    said_cure: str = ""
    data: str = "digits"
    sick: dict[str, Any] = field(default_factory=dict)
    cure: dict[str, Any] | None = None
    spoil: Callable[[pl.DataFrame], tuple[pl.DataFrame, dict[str, Any]]] = lambda frame: (frame, {})
    mend: Callable[[pl.DataFrame], tuple[pl.DataFrame, dict[str, Any]]] | None = None
    picture: str = "curves"
    measured: bool = False


def _two_sources(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Dev rows from another scanner, whose pictures are a third as bright and noisy."""
    rng = np.random.default_rng(0)
    other = frame[1200:]
    pixels = [name for name in frame.columns if name != "target"]
    noisy = [pl.Series(name, other[name].to_numpy() / 3 + rng.exponential(2.0, other.height)) for name in pixels]
    return frame[:1200], {"dev": other.with_columns(noisy)}


def _other_test(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rows, options = _two_sources(frame)
    return rows, {"test": options["dev"]}


def _sorted(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    ordered = frame.sort("target")
    return ordered[:400], {"dev": ordered[300:]}


def _drifting(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    return frame.sort("mean texture"), {}


def _repeated(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    dev = frame[:400]
    return pl.concat([frame[400:], dev[:150]]), {"dev": dev}


def _nearly_repeated(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    dev, copies = frame[:170], frame[:90]
    inputs = [name for name in frame.columns if name != "target"]
    noisy = copies.with_columns([pl.Series(name, copies[name].to_numpy() * (1 + 1e-4 * rng.normal(size=90))) for name in inputs])
    return pl.concat([frame[170:], noisy]), {"dev": dev}


def _grouped(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    patient = rng.integers(0, 60, frame.height)
    effect = rng.normal(0, 150, 60)
    return frame.with_columns(pl.Series("patient_id", [f"P{number:03}" for number in patient]), (pl.col("target") + effect[patient])), {}


def _leaked(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    codes = frame["target"].rank("dense").cast(pl.Float64).to_numpy()
    return frame.with_columns(pl.Series("outcome_code", codes + rng.normal(0, 0.05, len(codes)))), {}


def _derived(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    part = rng.uniform(0, 1, frame.height) * frame["target"].to_numpy()
    return frame.with_columns(pl.Series("first_half", part), pl.Series("second_half", frame["target"].to_numpy() - part)), {}


def _numbered(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    return frame.with_columns(pl.Series("measured_at", 60 * np.arange(frame.height))), {}


def _mixed_labels(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    labels = frame["target"].to_numpy().copy()
    mixed = np.flatnonzero(np.isin(labels, [3, 8]) & (rng.random(len(labels)) < 0.4))
    labels[mixed] = rng.choice([3, 8], len(mixed))
    return frame.with_columns(pl.Series("target", labels)), {}


def _few_wrong_labels(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    labels = frame["target"].to_numpy().copy()
    wrong = rng.random(len(labels)) < 0.03
    labels[wrong] = rng.integers(0, 10, int(wrong.sum()))
    return frame.with_columns(pl.Series("target", labels)), {}


def _pixels(frame: pl.DataFrame) -> np.ndarray:
    """The digits as bytes ``[rows, 8, 8, 1]``."""
    return np.rint(frame.drop("target").to_numpy() * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)


def _pictures(frame: pl.DataFrame, pixels: np.ndarray | None = None) -> pl.DataFrame:
    pixels = _pixels(frame) if pixels is None else pixels
    return pl.DataFrame({"picture": pl.Series(pixels, dtype=pl.Array(pl.UInt8, (8, 8, 1))), "target": frame["target"]})


def _copied_pictures(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    dev, copies = frame[:400], frame[:60]
    noisy = np.clip(_pixels(copies).astype(int) + rng.integers(-3, 4, (60, 8, 8, 1)), 0, 255).astype(np.uint8)
    return pl.concat([_pictures(frame[400:]), _pictures(copies, noisy)]), {"dev": _pictures(dev)}


def _some_blank(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    pixels = _pixels(frame)
    pixels[np.random.default_rng(0).random(len(pixels)) < 0.04] = 12
    return _pictures(frame, pixels), {}


def _some_clipped(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    pixels = _pixels(frame)
    over = np.random.default_rng(0).random(len(pixels)) < 0.05
    pixels[over] = np.clip(pixels[over] * 8.0, 0, 255).astype(np.uint8)
    return _pictures(frame, pixels), {}


def _noisy_labels(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(0)
    target = frame["target"].to_numpy().copy()
    wrong = rng.random(len(target)) < 0.3
    target[wrong] = rng.choice(np.unique(target), wrong.sum())
    return frame.with_columns(pl.Series("target", target)), {}


def _rare(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    target = frame["target"].cast(pl.Utf8)
    kept = [*np.flatnonzero(target != "malignant"), *np.flatnonzero(target == "malignant")[:12]]
    return frame[kept], {"metric": "accuracy"}


def _part(count: int, **options: Any) -> Callable[[pl.DataFrame], tuple[pl.DataFrame, dict[str, Any]]]:
    return lambda frame: (frame.sample(min(count, frame.height), shuffle=True, seed=0), options)


EXAMPLES: dict[str, Example] = {
    "SH101": Example("one hidden layer of 2 units on ten kinds of digits", "two layers of 64 units", sick={"hidden_units": (2,)}, cure={}),
    "SH102": Example("only 300 of the 1,797 digits", "all of them", spoil=_part(300), mend=lambda frame: (frame, {})),
    "SH103": Example(
        "dev rows from another scanner: a third as bright, and noisy",
        "both from one scanner",
        spoil=_two_sources,
        mend=lambda frame: (frame, {}),
        picture="errors",
    ),
    "SH104": Example(
        "test rows from another source than the dev rows",
        "both from one scanner",
        spoil=_other_test,
        mend=lambda frame: (frame, {}),
        picture="errors",
    ),
    "SH105": Example(
        "25 dev rows", "a fifth of the rows", data="breast-cancer", spoil=_part(569, dev_size=25), mend=lambda f: (f, {}), picture="errors"
    ),
    "SH106": Example(
        "no test rows", "test rows kept apart", spoil=_part(1797, test_size=0), mend=lambda frame: (frame, {}), picture="errors"
    ),
    "SH107": Example(
        "one hidden layer of 2 units on ten kinds of digits",
        "two layers of 64 units",
        sick={"hidden_units": (2,)},
        cure={},
        picture="errors",
    ),
    "SH108": Example("weights of 0 everywhere", "random ones", sick={"initialisation": "zeros"}, cure={}, picture="errors"),
    "SH109": Example(
        "12 malignant among 357 benign tumours, scored by accuracy",
        "the same scored by balanced accuracy",
        data="breast-cancer",
        spoil=_rare,
        picture="errors",
        mend=lambda frame: (_rare(frame)[0], {"metric": "balanced_accuracy"}),
    ),
    "SH110": Example(
        "labels smoothed by 0.5, without calibration",
        "the same with the temperature fitted on dev",
        sick={"label_smoothing": 0.5, "calibration": "none"},
        cure={"label_smoothing": 0.5},
    ),
    "SH111": Example(
        "two in five of the 3s and 8s labelled 3 or 8 at random",
        "the true labels",
        spoil=_mixed_labels,
        mend=lambda f: (f, {}),
        picture="errors",
    ),
    "SH112": Example(
        "3 % of the labels drawn at random", "the true labels", spoil=_few_wrong_labels, mend=lambda f: (f, {}), picture="errors"
    ),
    "SH201": Example(
        "plain descent at a constant learning rate of 0.2",
        "AdamW at 0.003",
        data="diabetes",
        sick={"optimiser": "gradient_descent", "learning_rate": 0.2, "decay": "constant"},
        cure={},
    ),
    "SH202": Example("3 epochs", "30 epochs", sick={"epochs": 3.0}, cure={}),
    "SH203": Example("a learning rate of 0.5", "0.003", sick={"learning_rate": 0.5}, cure={}, picture="rates"),
    "SH204": Example("a learning rate of 0.00001", "0.003", sick={"learning_rate": 1e-5}, cure={}, picture="rates"),
    "SH205": Example("weights of 0 everywhere", "random ones", sick={"initialisation": "zeros"}, cure={}),
    "SH206": Example(
        "60 epochs at a constant learning rate of 0.02 with mini-batches of 8",
        "0.003 with cosine decay and mini-batches of 64",
        sick={"learning_rate": 0.02, "batch_size": 8, "decay": "constant", "epochs": 60.0},
        cure={},
    ),
    "SH207": Example(
        "a large network, 300 epochs on 300 rows",
        "early stopping with a patience of 10 epochs",
        sick={"hidden_units": (128, 128), "epochs": 300.0},
        cure={"hidden_units": (128, 128), "epochs": 300.0, "patience": 10.0},
        spoil=_part(300),
    ),
    "SH208": Example(
        "batch norm with mini-batches of 2",
        "mini-batches of 64",
        sick={"normalisation": "batch", "batch_size": 2, "epochs": 5.0},
        cure={"normalisation": "batch"},
    ),
    "SH209": Example("the columns as they are", "normalised", data="breast-cancer", sick={"input_normalisation": "none"}, cure={}),
    "SH210": Example("keep_prob 0.05", "keep_prob 0.8", sick={"keep_prob": 0.05}, cure={"keep_prob": 0.8}),
    "SH301": Example(
        "dev rows from another scanner: a third as bright, and noisy",
        "both from one scanner",
        spoil=_two_sources,
        mend=lambda frame: (frame, {}),
        picture="errors",
    ),
    "SH302": Example(
        "the rows of the file sorted by mean texture",
        "in no order",
        data="breast-cancer",
        spoil=_drifting,
        mend=lambda frame: (frame, {}),
        picture="errors",
    ),
    "SH303": Example(
        "rows sorted by the target and cut",
        "shuffled",
        data="breast-cancer",
        spoil=_sorted,
        mend=lambda frame: (frame, {}),
        picture="errors",
    ),
    "SH304": Example(
        "150 of the 400 dev rows copied into the training rows",
        "without the copies",
        spoil=_repeated,
        mend=lambda frame: (frame[400:], {"dev": frame[:400]}),
        picture="errors",
    ),
    "SH305": Example(
        "90 of the 170 dev rows copied into the training rows, each number changed by 0.01 %",
        "without the copies",
        data="breast-cancer",
        spoil=_nearly_repeated,
        mend=lambda f: (f[170:], {"dev": f[:170]}),
        picture="errors",
    ),
    "SH306": Example(
        "60 patients with several rows each, whose targets resemble each other",
        "split by patient",
        data="diabetes",
        spoil=_grouped,
        mend=lambda f: (_grouped(f)[0], {"group": "patient_id"}),
        picture="errors",
    ),
    "SH307": Example(
        "a column that holds the target with a little noise",
        "without the column",
        data="breast-cancer",
        spoil=_leaked,
        mend=lambda frame: (frame, {}),
        picture="errors",
    ),
    "SH308": Example(
        "two columns that add up to the target",
        "without them",
        data="diabetes",
        spoil=_derived,
        mend=lambda frame: (frame, {}),
        picture="errors",
    ),
    "SH309": Example(
        "a column that numbers the rows", "without it", data="diabetes", spoil=_numbered, mend=lambda frame: (frame, {}), picture="errors"
    ),
    "SH310": Example(
        "30 % of the labels drawn at random", "the true labels", spoil=_noisy_labels, mend=lambda frame: (frame, {}), picture="errors"
    ),
    "SH311": Example(
        "the rows of the file sorted by the target",
        "in no order",
        data="breast-cancer",
        spoil=lambda frame: (frame.sort("target"), {}),
        mend=lambda frame: (frame, {}),
        picture="errors",
    ),
    "SH312": Example(
        "60 of the 400 dev pictures copied into the training pictures, with a little noise",
        "without the copies",
        spoil=_copied_pictures,
        mend=lambda frame: (_pictures(frame[400:]), {"dev": _pictures(frame[:400])}),
        picture="errors",
    ),
    "SH313": Example(
        "every 25th picture empty", "all pictures as they were", spoil=_some_blank, mend=lambda f: (_pictures(f), {}), picture="errors"
    ),
    "SH314": Example(
        "every 20th picture overexposed",
        "all pictures as they were",
        spoil=_some_clipped,
        mend=lambda f: (_pictures(f), {}),
        picture="errors",
    ),
    "SH401": Example(
        "six tanh layers with small random weights",
        "xavier weights",
        sick={"hidden_units": (64,) * 6, "activation": "tanh", "initialisation": "small_random"},
        cure={"hidden_units": (64,) * 6, "activation": "tanh", "initialisation": "xavier"},
        picture="backward",
    ),
    "SH402": Example(
        "eight linear layers at a gain of 2",
        "at a gain of 1",
        sick={"hidden_units": (64,) * 8, "activation": "identity", "initialisation": "xavier", "initialisation_gain": 2.0},
        cure={"hidden_units": (64,) * 8, "activation": "identity", "initialisation": "xavier"},
        picture="backward",
    ),
    "SH403": Example(
        "ReLU at a learning rate of 1",
        "at 0.003",
        sick={"activation": "relu", "learning_rate": 1.0},
        cure={"activation": "relu"},
        picture="dead",
    ),
    "SH404": Example(
        "tanh with weights 20 times too large",
        "xavier weights",
        sick={"activation": "tanh", "initialisation_gain": 20.0},
        cure={"activation": "tanh", "initialisation": "xavier"},
        picture="saturated",
    ),
    "SH405": Example("weights of 0 everywhere", "random ones", sick={"initialisation": "zeros"}, cure={}, picture="alike"),
    "SH406": Example("weights 20 times too large", "he at a gain of 1", sick={"initialisation_gain": 20.0}, cure={}),
    "SH501": Example(
        "300 training rows of the 1,797 digits",
        "1,078 of them",
        spoil=_part(1200, dev_size=0.75, test_size=0),
        mend=lambda frame: (frame, {"test_size": 0, "dev_size": 0.4}),
        picture="rows",
        measured=True,
    ),
    "SH502": Example("120 of the 569 tumours", "all of them", data="breast-cancer", spoil=_part(120), mend=lambda frame: (frame, {})),
}


def train(example: Example, settings: dict[str, Any], rows: Callable[[pl.DataFrame], tuple[pl.DataFrame, dict[str, Any]]]) -> Run:
    """The record of one run of an example."""
    frame, options = rows(read_table(f"example:{example.data}"))
    recipe = Recipe(**{**SOUND, **settings})
    if not example.measured:
        return shoal.train(frame, target="target", recipe=recipe, seeds=SEEDS, **options).record
    with tempfile.TemporaryDirectory() as folder:
        frame.write_csv(Path(folder) / "table.csv")
        shoal.train(Path(folder) / "table.csv", target="target", recipe=recipe, seeds=SEEDS, out=Path(folder) / "run", **options)
        found = shoal.measure_more(Path(folder) / "run")
        return replace(read_record(Path(folder) / "run"), findings=found.findings)


def finding_of(run: Run, code: str) -> Finding | None:
    """What was found under the code, if anything was."""
    return next((finding for finding in run.findings if finding.code == code and finding.outcome == "found"), None)


def page(check: Check) -> str:
    """The page of one check, with its example carried out and its picture drawn."""
    example = EXAMPLES.get(check.code)
    parts = [f"# {check.code} {check.title}", WORDS[check.code], _facts(check)]
    if example is None:
        return "\n\n".join([*parts, f"## What to do\n\n{with_code(check.advice)}\n"])
    before = train(example, example.sick, example.spoil)
    after = train(example, example.sick if example.cure is None else example.cure, example.mend or example.spoil)
    found = finding_of(before, check.code)
    if found is None:
        listed = [finding.code for finding in before.findings if finding.outcome == "found"]
        raise LookupError(f"{check.code}: the example no longer shows the disease; found {listed}")
    said = [
        f"Made on purpose on `example:{example.data}`: {example.said}.",
        f"> **{found.code} {found.title}** ({found.severity}). {found.text}",
    ]
    drawing = DRAWN[example.picture](before, after, (example.said, example.said_cure))
    (DRAWINGS / f"{check.code}.html").write_text(drawing.html(check.code) + "\n")
    settings = _changed(before.recipe)
    shown = f"```toml\n{settings}\n```" if settings else ""
    still = finding_of(after, check.code)
    told = _errors(before, after)
    gone = f"The finding is gone; {told}" if still is None else f"The finding stays: {still.text} {told[0].upper()}{told[1:]}"
    cure = f"{with_code(check.advice)}\n\nHere: {example.said_cure}. {gone}"
    image = f"![{check.title}: before and after](figure:{check.code})"
    body = ["## A real example", *said, *filter(None, [shown]), image, "## What to do", cure]
    return "\n\n".join([*parts, *body]) + "\n"


def _facts(check: Check) -> str:
    return f"| | |\n|---|---|\n| Severity | {check.severity} |\n| Counts as found | {check.threshold} |\n| Source | {check.source} |"


def _changed(recipe: Recipe) -> str:
    """The settings that differ from a sound recipe, as a recipe file has them."""
    sound = Recipe(**SOUND)
    names = sound.diff(recipe)
    return "\n".join(text for text in to_toml(recipe).splitlines() if text.partition(" ")[0] in names)


def _errors(before: Run, after: Run) -> str:
    def said(run: Run) -> str:
        return score_span(run.scores["dev"][run.metric], run.metric)

    if before.metric != after.metric:
        return f"the dev score is {said(before)} in {before.metric} and {said(after)} in {after.metric}."
    return f"the dev {before.metric} goes from {said(before)} to {said(after)}."


def index() -> str:
    """The page that lists them all."""
    kinds = {"1": "Errors and scores", "2": "Training", "3": "Rows and columns", "4": "Signals through the layers", "5": "More rows"}
    lines = [
        "# Findings",
        "",
        "Every diagnosis has a code that never changes, a threshold with its source, and a page with a real example.",
    ]
    for digit, title in kinds.items():
        lines += ["", f"## {title}", "", "| code | finding | severity | counts as found |", "|---|---|---|---|"]
        lines += [f"| [{c.code}]({c.code}.md) | {c.title} | {c.severity} | {c.threshold} |" for c in CHECKS if c.code[2] == digit]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages that were asked for, or all of them."""
    PAGES.mkdir(exist_ok=True)
    DRAWINGS.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or [check.code for check in CHECKS]
    failed = []
    for check in CHECKS:
        if check.code in wanted:
            try:
                (PAGES / f"{check.code}.md").write_text(page(check))
                sys.stderr.write(f"{check.code}\n")
            except (LookupError, shoal.InputError) as error:
                failed.append(str(error))
                sys.stderr.write(f"{error}\n")
    (PAGES / "index.md").write_text(index())
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
