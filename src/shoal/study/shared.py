"""Several processes, on one machine or many, that search together through one study."""

from __future__ import annotations

from collections.abc import Iterable

from shoal.records import Trial
from shoal.space import Space
from shoal.study.address import STORAGE_ERRORS, Address, open_to_read, reason
from shoal.study.earlier import Earlier, from_study
from shoal.study.rows import PURPOSE, RUN
from shoal.study.writer import StudyWriter


class SharedStudy:
    """A study that several processes write to and learn from.

    Args:
        url: of the database.
        name: of the study; made where there is none yet.
        space: the same in every process.
        run: tells this process's trials from the others'; the same when its run is resumed. Processes must draw with different seeds.
        data: fingerprint of the data set, which must be the same in every process.

    Raises:
        OptionError: the database cannot be opened, or its study of this name is of other parameters or data.

    Example:
        >>> from shoal import Recipe
        >>> from shoal.parameters import Range
        >>> url = f"sqlite:///{getfixture('tmp_path')}/trials.db"
        >>> space = Space.of(Recipe(), [Range("learning_rate", 1e-4, 1e-1, "log")])
        >>> first, second = (SharedStudy(url, "together", space, run) for run in ("a", "b"))
        >>> first.publish([Trial(0, 7, Recipe(learning_rate=0.01), 0, "finished", 2, 900, 800, 0.31)])
        >>> first.close()
        ()
        >>> [(each.settings, each.score) for each in second.others()], second.others(), second.close()
        ([({'learning_rate': 0.01}, 0.31)], [], ())
    """

    def __init__(self, url: str, name: str, space: Space, run: str, data: str = "") -> None:
        self.space, self.run = space, run
        self._writer = StudyWriter(url, name, space, run, data)
        self._opened, self._study = open_to_read(Address(url, name), "--storage")
        self._seen: set[int] = set()
        self._notes: list[str] = []

    def publish(self, trials: Iterable[Trial]) -> None:
        """Trials of this process that have come to their end; returns at once."""
        self._writer.put(trials)

    def others(self) -> list[Earlier]:
        """Trials of other processes that have come to their end since the last call.

        Where the database does not answer there are none, and a note says so.
        """
        try:
            trials = [
                trial for trial in self._study.get_trials(deepcopy=False) if trial.state.is_finished() and trial.number not in self._seen
            ]
        except (*STORAGE_ERRORS, KeyError) as error:
            self._note(f"Trials of other processes could not be read from {self._opened.address}: {reason(error)}.")
            return []
        self._seen |= {trial.number for trial in trials}
        others = [
            trial for trial in trials if trial.user_attrs.get(RUN) != self.run and trial.user_attrs.get(PURPOSE, "search") == "search"
        ]
        return from_study(others, self.space, str(self._opened.address))

    def close(self) -> tuple[str, ...]:
        """Wait until everything is written; returns what went wrong, in whole sentences."""
        self._opened.close()
        return (*self._writer.close(), *self._notes)

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)
