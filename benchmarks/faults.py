"""Seeded faults: how often shoal's diagnosis finds them under the right code, and how often it cries wolf on sound runs.

    python benchmarks/faults.py [--seeds 5] [--only zeros,...] [--tables telco,...]

Each fault is put into a sound run on each table; a run is a few small networks of one recipe (``shoal.train``), diagnosed as a user's
would be. Thresholds were tuned on the first two tables; the others are reported apart. Needs the folder of real tables (``SHOAL_DATA``).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import polars as pl
from real_data import DATA
from scipy.stats import binomtest

import shoal
from shoal import population
from shoal.recipe import Recipe

ROWS = 4_000
"""Of each table, drawn with the seed."""
NETWORKS = 3
SOUND = {"hidden_units": (64, 64), "learning_rate": 3e-3, "batch_size": 64, "epochs": 15.0}


@dataclass(frozen=True)
class Table:
    """A table of the data folder: its file, its target, and columns to leave out."""

    name: str
    file: str
    target: str
    drop: tuple[str, ...] = ()
    classes: bool = True

    def rows(self, seed: int, count: int = ROWS) -> pl.DataFrame:
        """Rows drawn with the seed, shuffled."""
        frame = pl.read_csv(DATA / self.file, null_values=["", "NA", "?"], infer_schema_length=None)
        return frame.drop(*self.drop).sample(min(count, frame.height), shuffle=True, seed=seed)


TABLES = (
    Table("telco", "telco_churn.csv.gz", "Churn", ("customerID",)),
    Table("california", "california_housing.csv.gz", "median_house_value", classes=False),
    Table("spambase", "spambase.csv.gz", "class"),
    Table("magic", "magic_telescope.csv.gz", "Class"),
    Table("cpu_act", "cpu_act.csv.gz", "usr", classes=False),
    Table("letter", "letter.csv.gz", "class"),
)
TUNED_ON = 2
"""Tables on which thresholds were chosen; the rest is what the figures are about."""


@dataclass
class Run:
    """What a run is given: the sound one unless a fault changes it."""

    table: Table
    frame: pl.DataFrame
    rng: np.random.Generator
    recipe: dict[str, Any] = field(default_factory=lambda: dict(SOUND))
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """A fault: how it is put into a sound run, the codes that name it, and where it is one."""

    name: str
    codes: tuple[str, ...]
    put: Callable[[Run], None]
    tables: Callable[[Table], bool] = lambda table: True
    repairable: bool = False


def _recipe(**changes: Any) -> Callable[[Run], None]:
    return lambda run: run.recipe.update(changes)


def _sorted_rows(run: Run) -> None:
    ordered = run.frame.sort(run.table.target)
    cut = int(0.75 * ordered.height)
    run.frame, run.options["dev"] = ordered[:cut], ordered[cut:]


def _label_noise(run: Run) -> None:
    target = run.frame[run.table.target].to_numpy().copy()
    noisy = run.rng.random(len(target)) < 0.3
    target[noisy] = run.rng.choice(np.unique(target), noisy.sum())
    # a random label is the true one now and then; of two classes, every second time
    if len(np.unique(target)) == 2:
        low, high = np.unique(target)
        original = run.frame[run.table.target].to_numpy()
        target = np.where(noisy, np.where(original == low, high, low), original)
    run.frame = run.frame.with_columns(pl.Series(run.table.target, target))


def _few_rows(run: Run) -> None:
    run.frame = run.frame[:200]


def _two_sources(run: Run) -> None:
    numeric = [name for name in run.frame.columns if name != run.table.target and run.frame[name].dtype.is_numeric()]
    name = max(numeric, key=lambda each: run.frame[each].n_unique())
    high = (run.frame[name] > run.frame[name].median()).fill_null(False)
    above = run.frame.filter(high)
    cut = above.height // 2
    run.frame, run.options["dev"] = pl.concat([run.frame.filter(~high), above[: above.height // 20]]), above[cut:]


def _leak(run: Run) -> None:
    target = run.frame[run.table.target]
    codes = target.cast(pl.Float64).to_numpy() if target.dtype.is_numeric() else target.rank("dense").cast(pl.Float64).to_numpy()
    spread = 0.01 * codes.std()
    run.frame = run.frame.with_columns(pl.Series("copied", codes + run.rng.normal(0, spread, len(codes))))


def _repeated(run: Run) -> None:
    cut = run.frame.height // 4
    dev = run.frame[:cut]
    run.frame, run.options["dev"] = pl.concat([run.frame[cut:], dev[: dev.height // 3]]).sample(fraction=1.0, shuffle=True, seed=1), dev


def _few_dev_rows(run: Run) -> None:
    run.options["dev_size"] = 25


def _rare_class(run: Run) -> None:
    target = run.frame[run.table.target]
    rare = target.value_counts().sort("count")[run.table.target][0]
    is_rare = (run.frame[run.table.target] == rare).to_numpy()
    if run.frame[run.table.target].n_unique() > 2:
        names = pl.Series(run.table.target, np.where(is_rare, "rare", "rest"))
        run.frame = run.frame.with_columns(names)
    others = np.flatnonzero(~is_rare)
    kept = np.sort(np.concatenate([np.flatnonzero(is_rare)[: max(12, round(0.01 * len(others)))], others]))
    run.frame, run.options["metric"] = run.frame[kept.tolist()], "accuracy"


FAULTS = (
    Fault("zero initialisation", ("SH405",), _recipe(initialisation="zeros"), repairable=True),
    Fault("weights far too large", ("SH406", "SH402"), _recipe(initialisation_gain=20.0), repairable=True),
    Fault(
        "weights far too small, deep tanh",
        ("SH401",),
        _recipe(hidden_units=(64,) * 6, activation="tanh", initialisation="small_random"),
        repairable=True,
    ),
    Fault("learning rate 100 times too high", ("SH203",), _recipe(learning_rate=0.3), repairable=True),
    Fault("learning rate 100 times too low", ("SH204",), _recipe(learning_rate=3e-5), repairable=True),
    Fault(
        "inputs not normalised",
        ("SH209",),
        _recipe(input_normalisation="none"),
        lambda table: table.name != "letter",  # whose columns all run from 0 to 15
        repairable=True,
    ),
    Fault("sorted rows, not shuffled", ("SH301", "SH303", "SH103"), _sorted_rows, lambda table: table.name != "letter"),
    Fault("30 % label noise", ("SH310",), _label_noise, lambda table: table.classes),
    Fault("200 rows only", ("SH102", "SH501", "SH502"), _few_rows, lambda table: table.name != "letter"),
    Fault(
        "2 hidden units",
        ("SH101", "SH107"),
        _recipe(hidden_units=(2,)),
        lambda table: table.name not in ("telco", "spambase"),  # for which two are enough
        repairable=True,
    ),
    Fault("train and dev from two sources", ("SH301", "SH103"), _two_sources),
    Fault("target leaked into a column", ("SH307",), _leak),
    Fault("duplicates across the split", ("SH304",), _repeated),
    Fault("25 dev rows", ("SH105",), _few_dev_rows),
    Fault("1 % positives, accuracy", ("SH109",), _rare_class, lambda table: table.classes),
    Fault("keep_prob 0.1", ("SH210",), _recipe(keep_prob=0.1), repairable=True),
    Fault("lambda 1000 times too large", ("SH210",), _recipe(l2=1000.0), repairable=True),
    Fault("batch norm with batches of 2", ("SH208",), _recipe(normalisation="batch", batch_size=2, epochs=1.0), repairable=True),
    Fault("dead ReLUs", ("SH403",), _recipe(activation="relu", learning_rate=1.0), repairable=True),
    Fault(
        "deep linear chain, exploding",
        ("SH402",),
        _recipe(hidden_units=(64,) * 8, activation="identity", initialisation="xavier", initialisation_gain=2.0),
        repairable=True,
    ),
)

HEALTHY: tuple[dict[str, Any], ...] = (
    {},
    {"activation": "relu", "learning_rate": 1e-3},
    {"activation": "tanh", "initialisation": "xavier", "hidden_units": (64,) * 4},
    {"normalisation": "batch", "activation": "relu"},
    {"hidden_units": (128, 128, 128), "keep_prob": 0.8, "weight_decay": 0.01},
)
"""Sound recipes of several kinds."""

ALARMS = ("SH105", "SH2", "SH30", "SH310", "SH4")
"""Codes that are false alarms on a sound run. Bias, variance and how the network stands beside references are facts about every run."""
FACTS = {"SH202", "SH207", "SH302", "SH305", "SH306"}
"""Among them, what is a note or a true remark about a sound run: still improving, past its best, drift over the file, natural repeats."""


def train(run: Run, seed: int) -> shoal.Result:
    """The run as a user would make it."""
    return shoal.train(run.frame, target=run.table.target, recipe=Recipe(**run.recipe), seeds=NETWORKS, seed=seed, **run.options)


def let_go() -> None:
    """Compiled programs are let go now and then: hundreds of them would use up the process's memory maps."""
    population.forget_programs()
    jax.clear_caches()


def found(result: shoal.Result) -> set[str]:
    """The codes of what was found."""
    return {finding.code for finding in result.record.findings if finding.outcome == "found"}


def is_alarm(code: str, result: shoal.Result) -> bool:
    """Whether a code is a false alarm on a sound run: notes are none."""
    severity = next(finding.severity for finding in result.record.findings if finding.code == code and finding.outcome == "found")
    return code.startswith(ALARMS) and code not in FACTS and severity in ("high", "medium")


def runs(tables: list[Table], faults: list[Fault], seeds: int) -> Iterator[tuple[Table, Fault, Run, int]]:
    """Every faulty run."""
    for table in tables:
        for fault in faults:
            if fault.tables(table):
                for seed in range(seeds):
                    run = Run(table, table.rows(seed), np.random.default_rng(seed))
                    fault.put(run)
                    yield table, fault, run, seed


def share(hits: int, runs: int) -> str:
    """A rate with its 95 % interval (Clopper and Pearson)."""
    if not runs:
        return "-"
    low, high = binomtest(hits, runs).proportion_ci()
    return f"{hits}/{runs}  {hits / runs:6.1%} ({low:.1%} to {high:.1%})"


def detection(tables: list[Table], faults: list[Fault], seeds: int, verbose: bool) -> None:
    """Print the table of detection and false alarms."""
    hits: dict[tuple[str, bool], list[bool]] = {}
    tuned = {table.name for table in TABLES[:TUNED_ON]}
    for table, fault, run, seed in runs(tables, faults, seeds):
        started = time.perf_counter()
        codes = found(train(run, seed))
        let_go()
        hit = bool(codes & set(fault.codes))
        hits.setdefault((fault.name, table.name in tuned), []).append(hit)
        if verbose:
            line = f"{table.name:11} {fault.name:34} seed {seed} {'found ' if hit else 'MISSED'} {time.perf_counter() - started:4.1f} s"
            print(line, *sorted(codes), file=sys.stderr, flush=True)
    alarms: dict[str, list[str]] = {}
    healthy: dict[bool, list[bool]] = {True: [], False: []}
    pairs = 0
    for table in tables:
        for kind, changes in enumerate(HEALTHY):
            for seed in range(seeds):
                run = Run(table, table.rows(seed + 100), np.random.default_rng(seed), {**SOUND, **changes})
                result = train(run, seed)
                let_go()
                cried = sorted(code for code in found(result) if is_alarm(code, result))
                healthy[table.name in tuned].append(bool(cried))
                pairs += len({code for fault in FAULTS for code in fault.codes} - {"SH101", "SH102", "SH103", "SH107", "SH501", "SH502"})
                for code in cried:
                    alarms.setdefault(code, []).append(f"{table.name}/{kind}")
                if verbose:
                    print(f"{table.name:11} healthy {kind} seed {seed} {' '.join(cried) or 'quiet'}", file=sys.stderr, flush=True)
    print(f"{'fault':36}{'right codes':20}{'tables tuned on':34}other tables")
    for fault in faults:
        cells = [hits.get((fault.name, flag), []) for flag in (True, False)]
        print(f"{fault.name:36}{' '.join(fault.codes):20}{share(sum(cells[0]), len(cells[0])):34}{share(sum(cells[1]), len(cells[1]))}")
    for flag, words in ((True, "tables tuned on"), (False, "other tables")):
        every = [hit for (_, tuned_on), cell in hits.items() if tuned_on == flag for hit in cell]
        print(f"all faults, {words}: {share(sum(every), len(every))}")
        print(f"sound runs with any alarm, {words}: {share(sum(healthy[flag]), len(healthy[flag]))}")
    total = sum(map(len, alarms.values()))
    print(f"alarms among sound runs x codes: {share(total, pairs)}")
    for code, where in sorted(alarms.items()):
        print(f"  {code}: {len(where)} ({', '.join(sorted(set(where)))})")


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="faults whose name contains one of these, comma-separated")
    parser.add_argument("--tables", default="", help="names, comma-separated")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"The real tables are expected in {DATA}; set SHOAL_DATA to their folder.")
    tables = [table for table in TABLES if not given.tables or table.name in given.tables.split(",")]
    faults = [fault for fault in FAULTS if not given.only or any(part in fault.name for part in given.only.split(","))]
    detection(tables, faults, given.seeds, given.verbose)


if __name__ == "__main__":
    main()
