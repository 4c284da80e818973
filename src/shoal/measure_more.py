"""What a run had no time to measure: its learning curve and its range of learning rates, added to its record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from shoal import storage
from shoal.diagnosis import diagnose
from shoal.experiments.learning_curve import measure_learning_curve
from shoal.experiments.rate_range import measure_rate_range
from shoal.intake import load_again
from shoal.metrics import METRICS
from shoal.progress import Event, Listener, silent
from shoal.records import Diagnosis
from shoal.run_folder import RunFolder
from shoal.saved_run import RECORD, to_plain
from shoal.trainer import Trainer


def measure_more(run: str | Path, *, listener: Listener = silent) -> Diagnosis:
    """Measure the learning curve and the range of learning rates of a run's recipe, keep them in its record, and diagnose it again.

    The curve trains the recipe in its full length on 8 sizes of the training rows from 5 seeds, 40 networks, side by side; the model
    stays what it is.

    Args:
        run: the folder of a run whose data is a file that is still there.
        listener: is told about progress.

    Returns:
        The diagnosis with what was measured.

    Raises:
        InputError: there is no run, or its data was not a file, or has changed since.

    Example:
        >>> measure_more("runs/adult").measured.learning_curve.doubled  # doctest: +SKIP
        Interval(value=0.0021, low=0.0008, high=0.0034)
    """
    folder = RunFolder.open(run)
    record = folder.run()
    trainer = Trainer(load_again(folder, listener), record.seed)
    listener(Event("measuring", "the error against the number of training rows"))
    curve = measure_learning_curve(trainer, record.recipe, METRICS[record.metric], record.seed)
    listener(Event("measuring", "a range of learning rates"))
    rates = measure_rate_range(trainer, record.recipe, record.seed)
    record = replace(record, measured=replace(record.measured, learning_curve=curve, rate_range=rates))
    storage.write_json(folder.path / RECORD, to_plain(record))
    return diagnose(record)
