"""Which loggers were asked for, what stands in their way, and what is written there of each trial."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from shoal.errors import NotLogged, Problem
from shoal.loggers import mlflow, tensorboard
from shoal.progress import Event, Listener
from shoal.records import Run
from shoal.report.wording import one_line

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}
WRITERS: dict[str, Callable[[Run, str, Callable[[int], None]], None]] = {"tensorboard": tensorboard.write, "mlflow": mlflow.write}


def logger_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """What stands in the way of the loggers that were asked for, before anything is trained.

    Args:
        options: of the command; ``tensorboard`` is a folder, ``mlflow`` an address.
    """
    for name, package in PACKAGES.items():
        if options.get(name) is not None and find_spec(package) is None:
            yield Problem(f"--{name} needs the package {package}", "one that is not installed", f"Run: pip install 'shoal[{name}]'")
    if options.get("tensorboard") is not None and Path(options["tensorboard"]).is_file():
        yield Problem("--tensorboard is a folder", f"the file {options['tensorboard']}", "Name a folder; it is made if need be.")
    if options.get("mlflow") is not None:
        yield from mlflow.address_problems(str(options["mlflow"]))


def log_run(run: Run, options: Mapping[str, Any], listener: Listener) -> None:
    """Write a run to the loggers that were asked for; where that fails a warning says so, and the run is what it is.

    Args:
        run: its record.
        options: of the command, checked before.
        listener: is told how far it is.
    """
    for name, write in WRITERS.items():
        place = options.get(name)
        if place is None:
            continue
        count = len(run.trials)

        def told(done: int, name: str = name, count: int = count) -> None:
            listener(Event("logging", name, done=done, trials=count))

        try:
            write(run, str(place), told)
        except Exception as error:
            # a server, a database or a disk may fail in any way, and the run is complete and saved
            warnings.warn(NotLogged(f"The run was not written to {name}: {one_line(str(error))[:300]}"), stacklevel=2)
