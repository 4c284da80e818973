"""A person's own idea, measured as the recipe loop measures its own: on paired seeds, beside a random change of the same size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shoal import storage
from shoal.errors import OptionError, Problem
from shoal.explanations import explain
from shoal.intake import load_again
from shoal.loop import Change, RecipeLoop
from shoal.metrics import check_metric
from shoal.plan import RETRAINS
from shoal.progress import Listener, silent
from shoal.recipe_file import from_settings
from shoal.records import RECORD_FORMAT, LedgerEntry, LoopPlan
from shoal.run_folder import RunFolder
from shoal.saved_run import TRIES, read_tries, to_plain
from shoal.trainer import Trainer

MOST_SEEDS = 64
ALIASES = {"lr": "learning_rate", "units": "hidden_units", "batch": "batch_size", "lambda": "l2", "momentum": "beta1"}
"""What other libraries call a setting."""


def try_change(run: str | Path, change: Mapping[str, Any], *, seeds: int = RETRAINS, listener: Listener = silent) -> LedgerEntry:
    """Measure what a change does to a run's recipe, with the same proof as the recipe loop's own changes.

    The recipe, the changed recipe and a recipe with a random change of the same size are trained on the same fresh seeds, and
    compared on the dev rows. The entry is added to the run's ledger (``shoal ledger RUN``); the run's model stays what it is.

    Args:
        run: the folder of a run whose data is a file that is still there.
        change: new values of settings of the recipe, such as ``{"keep_prob": 0.8}``; ``dropout`` is the share that is switched off.
        seeds: networks of each recipe; 8 unless stated.
        listener: is told about progress.

    Returns:
        The entry of the ledger.

    Raises:
        InputError: the run, its data or the change cannot be used; all problems are named.

    Example:
        >>> entry = try_change("runs/adult", {"keep_prob": 0.8})  # doctest: +SKIP
        >>> entry.loss.high < 0  # doctest: +SKIP
        True
    """
    folder = RunFolder.open(run)
    record = folder.run()
    problems: list[Problem] = []
    if not (isinstance(seeds, int) and not isinstance(seeds, bool) and 2 <= seeds <= MOST_SEEDS):
        problems.append(Problem(f"the number of seeds is a whole number from 2 to {MOST_SEEDS}", repr(seeds), "Give, say, 8."))
    settings = named_as_shoal_does(change)
    changed = from_settings({**record.recipe.to_dict(), **settings}, problems)
    if changed == record.recipe:
        written = ", ".join(f"{name}={value}" for name, value in settings.items()) or "nothing"
        raise OptionError(Problem("a change changes something", written, "Look at the recipe: shoal show RUN."))
    dataset = load_again(folder, listener)
    plan = LoopPlan(0, record.recipe.epochs, seeds, float("inf"), 0.0)
    loop = RecipeLoop(Trainer(dataset, record.seed), check_metric(record.metric, record.task), plan, record.recipe, listener=listener)
    words = [each for each in explain(changed) if each.name in settings]
    reasoning = " ".join(f"{each.meaning} {each.name} {each.value}: {each.effect}." for each in words)
    entries = loop.measure_change(Change({name: getattr(changed, name) for name in settings}, reasoning))
    kept = [*read_tries(folder.path), *entries]
    storage.write_json(folder.path / TRIES, {"format": RECORD_FORMAT, "entries": to_plain(kept)})
    return entries[0]


def named_as_shoal_does(change: Mapping[str, Any]) -> dict[str, Any]:
    """The change with the names of a recipe's settings.

    Example:
        >>> named_as_shoal_does({"dropout": 0.2, "lr": 0.01})
        {'keep_prob': 0.8, 'learning_rate': 0.01}
    """
    named = {}
    for name, value in change.items():
        if name == "dropout" and isinstance(value, int | float):
            named["keep_prob"] = round(1.0 - value, 12)
        elif name == "units" and isinstance(value, int):
            named["hidden_units"] = value
        else:
            named[ALIASES.get(name, name)] = value
    return named
