"""A finished run, as Python callers have it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from shoal.errors import OptionError, Problem
from shoal.model import Model
from shoal.records import Run
from shoal.report import run_html, write_report
from shoal.run_folder import RunFolder
from shoal.saved_run import REPORT


@dataclass(frozen=True)
class Result:
    """A finished run: its record, its model and, if it was saved, its folder.

    Args:
        record: everything that was measured, decided and found.
        model: the trained model.
        folder: where it was saved, or ``None``.
    """

    record: Run
    model: Model
    folder: Path | None = None

    def predict(self, table: Any, proba: bool = False, spread: bool = False) -> pl.DataFrame:
        """Predictions for a table, in its row order (see ``Model.predict``)."""
        return self.model.predict(table, proba, spread)

    def save(self, folder: str | Path) -> Path:
        """Save the record and the model as a new run folder; returns its path.

        Raises:
            OptionError: the folder exists or cannot be made.
        """
        saved = RunFolder.create(Path(folder), {"source": None, "fingerprint": self.record.fingerprint})
        saved.finish(self.record, self.model)
        return saved.path

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report; returns where it is.

        Args:
            path: of the file; ``report.html`` in the run's folder unless stated.

        Raises:
            OptionError: there is no folder, and no path was given.
        """
        if path is None:
            if self.folder is None:
                raise OptionError(Problem("a report has a place", "a run without a folder", 'Name a file: run.report("report.html").'))
            path = self.folder / REPORT
        write_report(self.record, path)
        return Path(path)

    def _repr_html_(self) -> str:
        return run_html(self.record)

    def __repr__(self) -> str:
        record = self.record
        part = "test" if "test" in record.scores else "dev"
        score = record.scores[part][record.metric]
        return f"<shoal run: {record.verdict.title}; {part} {record.metric} {score.value:.4g} ({score.low:.4g} to {score.high:.4g})>"
