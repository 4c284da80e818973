"""The trials of a run as Optuna studies: a copy in its own folder, and one that other processes write to as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.recipe import Recipe
from shoal.records import Trial
from shoal.run_folder import RunFolder
from shoal.space import Space
from shoal.study import SharedStudy, StudyWriter, earlier_trials

MOST_EARLIER = 64
"""Recipes of earlier searches that are kept with a run, best first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe that another process has found, with its dev loss there."""

    recipe: Recipe
    score: float


class Recording:
    """Where trials are written to beside the run's own record. What goes wrong there is noted, and never stops the run.

    Args:
        folder: of the run; without one no study of its own is written.
        options: of the command: ``storage`` and ``study`` name a shared one.
        space: that the trials are drawn from.
        data: fingerprint of the data set.

    Raises:
        OptionError: the shared study cannot be opened, or is of other parameters or data.
    """

    def __init__(self, folder: RunFolder | None, options: Mapping[str, Any], space: Space, data: str) -> None:
        self._folder = folder
        self._own = StudyWriter.in_folder(folder.path, folder.path.name, space, data) if folder is not None else None
        self._shared = None
        if options.get("storage"):
            self._shared = SharedStudy(options["storage"], options.get("study") or "shoal", space, options["run"], data)

    def publish(self, trials: Iterable[Trial]) -> None:
        """Trials that have come to their end."""
        if self._shared is not None:
            self._shared.publish(list(trials))

    def others(self) -> list[Candidate]:
        """What other processes have found by now. A run asks once and keeps the answer, so that it can be resumed to the same end."""
        if self._shared is None:
            return []
        shared = self._shared

        def ask() -> list[dict[str, Any]]:
            known = (each for each in shared.others() if each.comparable and each.finished)
            best = sorted(known, key=lambda each: each.score)[:MOST_EARLIER]
            return [{"recipe": each.recipe.to_dict(), "score": each.score} for each in best]

        found = ask() if self._folder is None else self._folder.asked_once(ask)
        return [Candidate(Recipe.from_dict(each["recipe"]), float(each["score"])) for each in found]

    def close(self, trials: Sequence[Trial]) -> tuple[str, ...]:
        """Write what is not written yet; returns what went wrong, in whole sentences."""
        notes: tuple[str, ...] = ()
        for study in (self._own, self._shared):
            if isinstance(study, StudyWriter):
                study.put(trials)
            elif study is not None:
                study.publish(trials)
            notes += study.close() if study is not None else ()
        return notes


def earlier_recipes(source: str, space: Space, data: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Recipes of earlier trials, best first, as plain data, and what is to be said about them.

    Args:
        source: a run's folder, or the address of a study.
        space: that is to be searched.
        data: fingerprint of the data set.

    Raises:
        OptionError: there are none that can be used.
        RunFolderError: the run's record is damaged.
    """
    found, notes = earlier_trials(source, space, data)
    ranked = sorted(found, key=lambda each: (not each.finished, each.score))
    return [each.recipe.to_dict() for each in ranked[:MOST_EARLIER]], notes
