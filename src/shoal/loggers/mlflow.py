"""A run in MLflow: one run with the verdict, the scores and the report, and a child run for each trial."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shoal.errors import Problem
from shoal.loggers.settings import curves_of, name_of, scores_of, settings_of
from shoal.records import Run, Trial
from shoal.report import write_report
from shoal.saved_run import REPORT

EXPERIMENT = "shoal"
MOST_POINTS = 60
AT_ONCE = 1000
"""Numbers that MLflow takes in one request."""
LONGEST = 5000
SCHEMES = ("", "file", "http", "https", "sqlite", "postgresql", "mysql")

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    # a folder is MLflow's older store, which it refuses unless it is wanted; who names one wants it
    "MLFLOW_ALLOW_FILE_STORE": "true",
    # a server that does not answer is not to be waited for for minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Set before MLflow is loaded; the first two switch its telemetry off, whatever was set before."""


def address_problems(address: str) -> Iterator[Problem]:
    """What is wrong with an address, as far as that can be seen without asking it."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        yield Problem("--mlflow is an address", f"{address!r}: {error}", "Give, say, sqlite:///mlflow.db or http://localhost:5000.")
        return
    if parts.scheme.partition("+")[0] not in SCHEMES:
        remedy = "Give, say, sqlite:///mlflow.db, http://localhost:5000, or a folder."
        yield Problem("--mlflow is the address of a server, a database or a folder", repr(parts.scheme), remedy)
    if parts.password:
        remedy = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead."
        yield Problem("--mlflow holds no password: the command is kept with the run", "an address with one", remedy)


def write(run: Run, place: str, told: Callable[[int], None]) -> None:
    """Write a run and its trials.

    Args:
        run: its record.
        place: address of the tracking server, database or folder.
        told: is told how many trials have been written.
    """
    telemetry = {name: value for name, value in ENVIRONMENT.items() if name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")}
    os.environ.update({name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()} | telemetry)
    from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

    client = MlflowClient(tracking_uri=place)
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifact_location=_artifacts(place))
    words = f"**{run.verdict.title}.** {run.verdict.text}\n\nNext step: {run.next_step}"
    tags = {"mlflow.note.content": words[:LONGEST], "command": run.command[:LONGEST], "data": run.fingerprint}
    whole = client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
    scores = {name: [(0, value)] for name, value in scores_of(run).items()}
    _log(client, whole, settings_of(run.recipe) | {"seed": run.seed}, scores)
    with tempfile.TemporaryDirectory() as folder:
        write_report(run, Path(folder) / REPORT)
        client.log_artifact(whole, str(Path(folder) / REPORT))
    for done, trial in enumerate(run.trials, 1):
        tags = {"mlflow.parentRunId": whole, "status": trial.status, "purpose": trial.purpose}
        child = client.create_run(experiment, run_name=name_of(trial), tags=tags).info.run_id
        _log(client, child, settings_of(trial.recipe) | {"seed": trial.seed}, _numbers(trial))
        client.set_terminated(child)
        told(done)
    client.set_terminated(whole)


def _numbers(trial: Trial) -> dict[str, list[tuple[int, float]]]:
    scored = {} if trial.score is None else {"best_dev_loss": [(trial.best_step, trial.score)]}
    return dict(curves_of(trial, MOST_POINTS)) | scored


def _log(client: Any, run: str, settings: dict[str, Any], numbers: dict[str, list[tuple[int, float]]]) -> None:
    """Settings and numbers in as few requests as MLflow allows."""
    from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]

    now = round(1000 * time.time())
    metrics = [Metric(name, value, now, step) for name, points in numbers.items() for step, value in points]
    params = [Param(name, str(value)[:LONGEST]) for name, value in settings.items()]
    client.log_batch(run, params=params)
    for first in range(0, len(metrics), AT_ONCE):
        client.log_batch(run, metrics=metrics[first : first + AT_ONCE])


def _artifacts(place: str) -> str | None:
    """Where reports go: beside a database that is a file; MLflow's own choice would be the folder that the command was typed in."""
    scheme, _, path = place.partition(":///")
    return str(Path(path).absolute().with_suffix("")) + "-artifacts" if scheme == "sqlite" and path else None
