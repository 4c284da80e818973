"""The trials of a run as Optuna studies: a copy in its own folder, and one that other processes write to as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from shoal.errors import OptionError
from shoal.recipe import Recipe
from shoal.records import Trial
from shoal.run_folder import RunFolder
from shoal.space import Space
from shoal.study import FILE, SharedStudy, StudyWriter, earlier_trials
from shoal.study.address import reason

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
        self._folder, self._space, self._data = folder, space, data
        self._own: Future[StudyWriter] | None = None
        self._shared = None
        if options.get("storage"):
            self._shared = SharedStudy(options["storage"], options.get("study") or "shoal", space, options["run"], data)

    def begin(self) -> None:
        """Open the run's own study. That takes about a second, in a thread, while networks train without Python."""
        if self._folder is not None and self._own is None:
            pool = ThreadPoolExecutor(1, "shoal opens a study")
            self._own = pool.submit(StudyWriter.in_folder, self._folder.path, self._folder.path.name, self._space, self._data)
            pool.shutdown(wait=False)

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
        self.begin()
        notes: tuple[str, ...] = ()
        if self._own is not None:
            try:
                own = self._own.result()
                own.put(trials)
                notes += own.close()
            except (OptionError, OSError) as error:
                notes += (f"The trials are not in {FILE}: {reason(error)}. The run's own record has all of them.",)
        if self._shared is not None:
            self._shared.publish(trials)
            notes += self._shared.close()
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
