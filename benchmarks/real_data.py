"""Where the real tables and pictures are, and their fixed splits.

The folder is ``SHOAL_DATA``, by default ``shared/data`` beside the project.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from shoal.data import read_table

DATA = Path(os.environ.get("SHOAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
MOST_TRAIN_ROWS, MOST_ROWS = 10_000, 5_000


class Table(NamedTuple):
    """A file of the folder: what is predicted, and what is left out since it gives the target away or numbers the rows."""

    file: str
    target: str
    task: Literal["classification", "regression"]
    drop: tuple[str, ...] = ()


MEASURED_BY_PEERS = {
    "abalone": Table("abalone", "rings", "regression"),
    "spambase": Table("spambase", "class", "classification"),
    "telco_churn": Table("telco_churn", "Churn", "classification", ("customerID",)),
    "cpu_act": Table("cpu_act", "usr", "regression"),
    "bike_hour": Table("bike_hour", "cnt", "regression", ("instant", "dteday")),
    "magic_telescope": Table("magic_telescope", "Class", "classification"),
    "california_housing": Table("california_housing", "median_house_value", "regression"),
    "adult": Table("adult_train", "income", "classification"),
    "bank_marketing": Table("bank_marketing", "deposit", "classification", ("duration",)),
    "letter": Table("letter", "class", "classification"),
}
"""The ten tables of ``peers.json``."""

OTHERS = {
    "kc_house": Table("kc_house", "price", "regression", ("id",)),
    "melbourne_housing": Table("melbourne_housing", "Price", "regression"),
    "beijing_air": Table("beijing_air_12sites", "PM2.5", "regression", ("No",)),
    "hr_job_change": Table("hr_job_change", "target", "classification", ("enrollee_id",)),
    "mammography": Table("mammography", "class", "classification"),
    "higgs": Table("higgs_sample_train", "label", "classification"),
    "shuttle": Table("shuttle", "Class", "classification"),
}
"""Tables that no peer was measured on, for choosing settings."""

LARGE = {
    "kddcup99": Table("kddcup99_10pct", "label", "classification"),
    "beijing_air": OTHERS["beijing_air"],
    "skin": Table("skin", "class", "classification"),
    "shuttle": OTHERS["shuttle"],
}
"""Tables of 58,000 to 494,000 rows, of which all are used."""


def fixed_split(table: Table, *, whole: bool = False) -> dict[str, pl.DataFrame]:
    """60 / 20 / 20 % of the rows by a seeded permutation.

    Args:
        table: the table.
        whole: whether all rows are used, or those on which the peers were measured: at most 10,000 to train and 5,000 in each other part.
    """
    frame = read_table(DATA / f"{table.file}.csv.gz")
    frame = frame.filter(pl.col(table.target).is_not_null() & (pl.col(table.target).cast(str) != "NA")).drop(table.drop, strict=False)
    order = np.random.default_rng(0).permutation(frame.height)
    a, b = int(0.6 * frame.height), int(0.8 * frame.height)
    rows = {"train": order[:a], "dev": order[a:b], "test": order[b:]}
    if not whole:
        rows = {part: chosen[: MOST_TRAIN_ROWS if part == "train" else MOST_ROWS] for part, chosen in rows.items()}
    return {part: frame[chosen] for part, chosen in rows.items()}
