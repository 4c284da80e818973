"""What a run's folder says without the engine: where it is, whether it is complete, and its record."""

from __future__ import annotations

import datetime
import os
import re
import shutil
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shoal import storage
from shoal.errors import Problem, RunFolderError
from shoal.records import RECORD_FORMAT, LedgerEntry, Run

OPTIONS, RECORD, MODEL, REPORT, TRIES = "options.json", "run.json", "model", "report.html", "tries.json"
REFIT, REFITTED = "refit.json", "refitted"
"""Names of what lies in the folder."""

Content = TypeVar("Content")


def check_is_run(path: Path) -> None:
    """Whether a run was begun at this path.

    Raises:
        RunFolderError: it was not.
    """
    if (path / OPTIONS).is_file():
        return
    received = f"{path}, which " + ("is not one" if path.exists() else "does not exist")
    raise RunFolderError(Problem("RUN is the folder of a run", received, "Give the folder that shoal improve printed."))


def has_record(path: Path) -> bool:
    """Whether the run has a model and its record, which is written last."""
    return (path / RECORD).is_file()


def is_complete(path: Path) -> bool:
    """Whether the run came to its end: it has a record, which is not that of a run that was stopped early.

    Raises:
        RunFolderError: the record is damaged or of a newer format.
    """
    return has_record(path) and not storage.read_json(path / RECORD, RECORD_FORMAT).get("stopped")


def read_record(path: Path) -> Run:
    """The record of a run that is complete, or was stopped early.

    Args:
        path: the run's folder.

    Raises:
        RunFolderError: there is no run, it did not come to its end, or the file is damaged or of a newer format.
    """
    check_is_run(path)
    if not has_record(path):
        received = f"{path}, which was interrupted"
        raise RunFolderError(Problem("the run is complete", received, f"Continue it: shoal resume {path}"))
    return as_written(storage.read_json(path / RECORD, RECORD_FORMAT), Run, path / RECORD)


def read_tries(path: Path) -> tuple[LedgerEntry, ...]:
    """The changes that a person has tried on a run (``shoal try``), oldest first.

    Raises:
        RunFolderError: the file is damaged or of a newer format.
    """
    file = path / TRIES
    return as_written(storage.read_json(file, RECORD_FORMAT)["entries"], tuple[LedgerEntry, ...], file) if file.is_file() else ()


def to_plain(record: Any) -> Any:
    """A record as plain data for JSON; ``as_written`` is its inverse."""
    return msgspec.to_builtins(record)


def as_written(content: Any, kind: type[Content], path: Path) -> Content:
    """Plain data of a file as the record that it was written from.

    Raises:
        RunFolderError: it does not fit.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise RunFolderError(Problem("a run's file is as shoal wrote it", f"{path}: {error}", "Restore it from a copy.")) from error


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
    """What stands in the way of a new run's folder, if anything can be seen in advance; an empty folder does not."""
    if path.is_symlink() or path.exists():
        if path.is_dir() and os.access(path, os.R_OK | os.W_OK | os.X_OK) and not any(path.iterdir()):
            return None
        return Problem("--out is a new folder", f"{path}, which exists", "Choose another name; a run is never overwritten.")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        return Problem("--out is a folder that can be made", f"{path}, but {above} is a file", "Choose another place.")
    if not os.access(above, os.W_OK | os.X_OK):
        return Problem("the results can be written", f"no permission to write in {above}", "Choose another place with --out.")
    return None


def missing_folders(path: Path) -> tuple[Path, ...]:
    """The folders that making this one would make, the innermost first."""
    return tuple(folder for folder in (path, *path.parents) if not folder.exists())


def remove_folders(made: tuple[Path, ...]) -> None:
    """Take back folders just made: the innermost with what is in it, those around it where nothing else came into them."""
    for folder in made[:1]:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in made[1:]:
        try:
            folder.rmdir()
        except OSError:
            return
