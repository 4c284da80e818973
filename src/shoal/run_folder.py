"""A run's folder: what was asked, what was planned, every finished job, the model and the record.

::

    options.json     the command's options and the data's fingerprint: enough to start again
    plan.json        what the budget was turned into
    trials           one checksummed line per finished job, appended
    checkpoint/      the networks of finished jobs, removed at the end
    model/           model.json and weights.safetensors
    run.json         the whole record, written last: a folder that has it is complete
    report.html
"""

from __future__ import annotations

import datetime
import re
import shutil
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np

from shoal import storage
from shoal.errors import OptionError, Problem, RunFolderError
from shoal.model import Model
from shoal.population import Shoal, state_structure
from shoal.records import RECORD_FORMAT, Plan, Run
from shoal.search import JobResult
from shoal.train import State


class RunFolder:
    """The files of one run.

    Args:
        path: the folder; ``create`` makes a new one, ``open`` checks that it is one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, options: dict[str, Any]) -> RunFolder:
        """A new folder with the options in it.

        Raises:
            OptionError: the folder exists, or cannot be made.
        """
        problem = cannot_create(path)
        if problem is not None:
            raise OptionError(problem)
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise OptionError(storage.cannot_write(path, error)) from error
        folder = cls(path)
        try:
            storage.write_json(path / "options.json", {"format": RECORD_FORMAT, **options})
        except RunFolderError:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return folder

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """An existing run's folder.

        Raises:
            RunFolderError: there is none at this path.
        """
        path = Path(path)
        if not (path / "options.json").is_file():
            received = f"{path}, which " + ("is not one" if path.exists() else "does not exist")
            raise RunFolderError(Problem("RUN is the folder of a run", received, "Give the folder that shoal improve printed."))
        return cls(path)

    @property
    def report(self) -> Path:
        """Where the report goes."""
        return self.path / "report.html"

    @property
    def is_complete(self) -> bool:
        """Whether the run came to its end."""
        return (self.path / "run.json").is_file()

    def options(self) -> dict[str, Any]:
        """The command's options."""
        return storage.read_json(self.path / "options.json", RECORD_FORMAT)

    def save_plan(self, plan: Plan) -> None:
        """Fix the plan: from here on the run is determined."""
        storage.write_json(self.path / "plan.json", {"format": RECORD_FORMAT, "plan": msgspec.to_builtins(plan)})

    def plan(self) -> Plan | None:
        """The plan, if it was made."""
        path = self.path / "plan.json"
        return _convert(storage.read_json(path, RECORD_FORMAT)["plan"], Plan, path) if path.is_file() else None

    def finish(self, run: Run, model: Model) -> None:
        """Write the model, then the record, and clear the checkpoints away."""
        model.save(self.path / "model")
        storage.write_json(self.path / "run.json", msgspec.to_builtins(run))
        shutil.rmtree(self.path / "checkpoint", ignore_errors=True)

    def run(self) -> Run:
        """The record of a complete run.

        Raises:
            RunFolderError: the run did not come to its end, or the file is damaged or of a newer format.
        """
        if not self.is_complete:
            received = f"{self.path}, which was interrupted"
            raise RunFolderError(Problem("the run is complete", received, f"Continue it: shoal resume {self.path}"))
        path = self.path / "run.json"
        return _convert(storage.read_json(path, RECORD_FORMAT), Run, path)

    def model(self) -> Model:
        """The trained model.

        Raises:
            RunFolderError: as for ``run``, and for damaged weights.
        """
        if not (self.path / "model").is_dir():
            self.run()  # says what is missing
        return Model.load(self.path / "model")


class FolderJournal:
    """Finished jobs kept in a run's folder: first the networks, then the line that acknowledges them."""

    def __init__(self, folder: RunFolder) -> None:
        self._lines, self._checkpoint = folder.path / "trials", folder.path / "checkpoint"
        self._checkpoint.mkdir(exist_ok=True)
        results = (msgspec.json.decode(line, type=JobResult) for line in storage.read_lines(self._lines))
        self._results = {result.job: result for result in results}
        if self._lines.exists():  # a torn last line would hide what is appended after it
            kept = [b"%s" % line for line in storage.read_lines(self._lines)]
            self._lines.unlink()
            for line in kept:
                storage.append_line(self._lines, line)

    def find(self, job: str, shoal: Shoal) -> tuple[JobResult, State] | None:
        """The result of a finished job and its networks; a job whose networks are damaged is trained again."""
        result = self._results.get(job)
        if result is None:
            return None
        try:
            arrays = storage.read_arrays(self._checkpoint / f"{job}.safetensors")
            state = jax.tree.unflatten(state_structure(shoal.layout), [arrays[str(number)] for number in range(len(arrays))])
        except (RunFolderError, KeyError, ValueError):
            return None
        return result, state

    def add(self, result: JobResult, state: State) -> None:
        """Keep a finished job."""
        arrays = {str(number): np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
        storage.write_arrays(self._checkpoint / f"{result.job}.safetensors", arrays)
        if result.job not in self._results:
            storage.append_line(self._lines, msgspec.json.encode(result))
        self._results[result.job] = result


def default_path(name: str, now: datetime.datetime) -> Path:
    """``runs/<date>-<name>``, with a number behind it where that is taken."""
    stem = Path(re.sub(r"\.(gz|zst)$", "", name.removeprefix("example:"))).stem
    slug = re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:60] or "data"
    base = Path("runs") / f"{now:%Y-%m-%d}-{slug}"
    number = 2
    path = base
    while path.exists():
        path, number = base.with_name(f"{base.name}-{number}"), number + 1
    return path


def cannot_create(path: Path) -> Problem | None:
    """What stands in the way of a new run's folder, if anything can be seen in advance."""
    if path.exists():
        return Problem("--out is a new folder", f"{path}, which exists", "Choose another name; a run is never overwritten.")
    return None


def _convert(content: Any, kind: Any, path: Path) -> Any:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise RunFolderError(Problem("a run's file is as shoal wrote it", f"{path}: {error}", "Restore it from a copy.")) from error
