"""Trials of earlier searches, as points of the present space: from a run, from a study of shoal's, or from anybody's Optuna study."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from shoal.errors import OptionError, Problem
from shoal.parameters import Choice, Parameter
from shoal.recipe import Recipe
from shoal.records import Run, Trial
from shoal.saved_run import OPTIONS, has_record, read_record
from shoal.space import Space
from shoal.study.address import FILE, STORAGE_ERRORS, Address, cannot_open, open_to_read
from shoal.study.rows import PURPOSE, RUN
from shoal.study.writer import DATA

OPTION = "--continue-from"
_ROUND_OFF = 1e-9

_ALSO_CALLED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("lr", "learningrate", "learning-rate"), ("learning_rate", lambda value: value)),
    **dict.fromkeys(("n_layers", "num_layers", "layers", "n_hidden_layers"), ("hidden_layers", lambda value: value)),
    **dict.fromkeys(("n_units", "num_units", "hidden_size", "hidden_dim", "width"), ("units", lambda value: value)),
    **dict.fromkeys(("wd", "weightdecay"), ("weight_decay", lambda value: value)),
    **dict.fromkeys(("dropout", "dropout_rate", "p_dropout"), ("keep_prob", lambda value: 1 - value)),
    **dict.fromkeys(("batchsize", "batch"), ("batch_size", lambda value: value)),
    "beta_1": ("beta1", lambda value: value),
    "beta_2": ("beta2", lambda value: value),
}
"""Names that other programs give to the same settings. Not ``momentum``: its learning rate has another meaning in other libraries."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier trial as a point of the present space.

    Args:
        settings: value of each parameter that matters in it, as ``Space.settings_of`` gives them.
        recipe: of the space.
        score: its loss; lower is better.
        steps: it was trained for; ``None`` where that is unknown.
        finished: whether it came to its end, rather than being stopped because others were better.
        comparable: whether the score is a dev loss of shoal's on data that are not known to be others. Otherwise it tells better
            from worse among its like only.
    """

    settings: dict[str, Any]
    recipe: Recipe
    score: float
    steps: int | None = None
    finished: bool = True
    comparable: bool = True


def earlier_trials(source: str | Path, space: Space, data: str = "") -> tuple[list[Earlier], list[str]]:
    """The trials of an earlier search that are points of a space.

    Args:
        source: the folder of a run, the URL of an Optuna storage, or the path of an SQLite file; ``#NAME`` behind the last two names
            one of several studies.
        space: the present one.
        data: fingerprint of the present data set.

    Returns:
        The trials, and what was left out or assumed, in whole sentences.

    Raises:
        OptionError: there is nothing of the kind, or nothing in it is of use.
        RunFolderError: the run's record is damaged.
    """
    gathered = _Gathered(space, str(source))
    if Path(source).is_dir():
        _from_folder(gathered, Path(source), data)
    else:
        _from_study(gathered, Address.of(str(source)), data)
    if not gathered.trials:
        remedy = "Continue from another search, or widen the ranges."
        raise OptionError(Problem(f"{OPTION} has trials inside the space", f"{source}: {gathered.left_out()}", remedy))
    return gathered.trials, gathered.notes()


@dataclass
class _Gathered:
    """What was found so far."""

    space: Space
    source: str
    trials: list[Earlier] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    looked_at: int = 0
    without_score: int = 0
    outside: Counter[str] = field(default_factory=Counter)
    """Trials by the parameter whose value is not one of the space's."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Trials by the names of settings that the space does not have."""
    assumed: dict[str, set[Any]] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)

    def add(self, given: Mapping[str, Any], score: float | None, steps: int | None, finished: bool, comparable: bool) -> Recipe | None:
        """One more trial, from the values of its parameters; returns its recipe in the space."""
        self.looked_at += 1
        if score is None:
            self.without_score += 1
            return None
        named = {parameter.name: parameter for parameter in self.space.parameters}
        values = {name: fitting(named[name], value) for name, value in given.items() if name in named}
        try:
            recipe = self.space.recipe_of({name: value for name, value in values.items() if value is not None})
        except OptionError:
            self.outside["their combination"] += 1
            return None
        settings = {name: fitting(named[name], value) for name, value in self.space.settings_of(recipe).items()}
        outside = [name for name, value in settings.items() if value is None or (name in given and values[name] is None)]
        if outside:  # a value that does not matter may be anything
            self.outside[outside[0]] += 1
            return None
        for name in settings.keys() - given.keys():
            self.assumed.setdefault(name, set()).add(settings[name])
        self.trials.append(Earlier(settings, recipe, score, steps, finished, comparable))
        return recipe

    def left_out(self) -> str:
        """Which trials were of no use, in words."""
        outside = ", ".join(f"{name} of {count}" for name, count in sorted(self.outside.items()))
        reasons = [f"{self.without_score} have no score"] if self.without_score else []
        reasons += [f"{self.outside.total()} lie outside the space ({outside})"] if self.outside else []
        return f"{self.looked_at} trials" + (", of which " + " and ".join(reasons) if reasons else "")

    def notes(self) -> list[str]:
        """All that a person should know."""
        notes = [f"{len(self.trials)} earlier trials of {self.source} are used: it has {self.left_out()}."]
        notes += [f"{old} was read as {new}." for old, new in sorted(self.renamed.items())]
        if self.unknown:
            names = ", ".join(f"{name} (in {count} trials)" for name, count in sorted(self.unknown.items()))
            notes.append(
                f"Settings that this space does not have were passed over: {names}. The scores were measured with them all the same."
            )
        for name, values in sorted(self.assumed.items()):
            shown = " or ".join(sorted(map(str, values)))
            notes.append(f"Earlier trials that do not say their {name} are taken to have had that of the base: {shown}.")
        return notes + self.remarks


def fitting(parameter: Parameter, value: Any) -> Any:
    """The value as the parameter writes it; ``None`` where it is not one of the parameter's.

    Example:
        >>> from shoal.parameters import Range
        >>> fitting(Range("units", 8, 64, "integer"), 32.0), fitting(Range("units", 8, 64, "integer"), 100)
        (32, None)
    """
    if isinstance(parameter, Choice):
        given = parameter.label(value)
        same = (
            label
            for label in map(parameter.label, parameter.values)
            if label == given and isinstance(label, bool) == isinstance(given, bool)
        )
        return next(same, None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    slack = _ROUND_OFF * max(abs(parameter.low), abs(parameter.high))
    if not parameter.low - slack <= value <= parameter.high + slack:
        return None
    if parameter.scale in ("integer", "log_integer"):
        return int(value) if value == int(value) else None
    return min(max(float(value), parameter.low), parameter.high)


def _from_folder(gathered: _Gathered, folder: Path, data: str) -> None:
    if has_record(folder):
        _from_run(gathered, read_record(folder), data)
    elif (folder / FILE).is_file():
        _from_study(gathered, Address.of_file(folder / FILE), data)
        gathered.remarks.append(f"{folder} was interrupted: only the trials that had come to their end are used.")
    elif (folder / OPTIONS).is_file():
        received = f"{folder}, which was interrupted before its first trial ended"
        raise OptionError(Problem(f"{OPTION} has trials", received, f"Continue it: shoal resume {folder}"))
    else:
        remedy = "Give the folder that shoal printed, or an Optuna storage."
        raise OptionError(Problem(f"{OPTION} is the folder of a run", f"{folder}, which is not one", remedy))


def _from_run(gathered: _Gathered, run: Run, data: str) -> None:
    same_data = data in ("", run.fingerprint)
    _say_other_data(gathered, same_data)
    for trial in run.trials:
        if trial.purpose == "search":  # a retrain is a second look at a recipe that is there already
            recipe = gathered.add(_given(gathered.space, trial), _score(trial), trial.steps, _is_finished(trial), same_data)
            if recipe is not None:
                gathered.unknown.update(list(recipe.diff(trial.recipe)))


def _given(space: Space, trial: Trial) -> dict[str, Any]:
    """The value of every parameter in a recipe; ``None`` where it has none, as for the units of layers that differ."""
    return dict.fromkeys(parameter.name for parameter in space.parameters) | space.settings_of(trial.recipe)


def _score(trial: Trial) -> float | None:
    return None if trial.status == "diverged" else trial.score


def _is_finished(trial: Trial) -> bool:
    return trial.status in ("finished", "stopped early")


def _from_study(gathered: _Gathered, address: Address, data: str) -> None:
    opened, study = open_to_read(address, OPTION)
    with contextlib.closing(opened):
        try:
            trials = study.get_trials(deepcopy=False)
            directions, metric, of_data = study.directions, study.metric_names, study.user_attrs.get(DATA, "")
        except STORAGE_ERRORS as error:
            raise OptionError(cannot_open(address, error, OPTION)) from error
    if len(directions) > 1:
        received = f"{study.study_name!r}, which has {len(directions)} objectives"
        raise OptionError(Problem(f"the study of {OPTION} has one objective", received, "Choose a study of a loss."))
    maximised = directions == [StudyDirection.MAXIMIZE]
    same_data = "" in (data, of_data) or data == of_data
    _say_other_data(gathered, same_data)
    if maximised:
        gathered.remarks.append("The study is maximised: its values are used with the sign turned.")
    if any(RUN not in trial.user_attrs for trial in trials) or metric is None:
        gathered.remarks.append("Values that another program measured are compared among themselves only, not with those of this search.")
    for trial in trials:
        if trial.state.is_finished() and trial.user_attrs.get(PURPOSE, "search") == "search":
            given = _renamed(gathered, trial.params)
            own = RUN in trial.user_attrs and not maximised and same_data
            score = value_of(trial)
            score = -score if maximised and score is not None else score
            recipe = gathered.add(given, score, steps_of(trial), trial.state == TrialState.COMPLETE, own)
            if recipe is not None:
                gathered.unknown.update(given.keys() - {parameter.name for parameter in gathered.space.parameters})


def _say_other_data(gathered: _Gathered, same_data: bool) -> None:
    if not same_data:
        gathered.remarks.append(
            "The earlier trials were made on other data, or another split: their scores only tell good recipes from bad."
        )


def _renamed(gathered: _Gathered, params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters under the names of the space; a name that the space has is never taken for another."""
    names = {parameter.name for parameter in gathered.space.parameters}
    given: dict[str, Any] = {}
    for name, value in params.items():
        new, turn = _ALSO_CALLED.get(name.lower(), (name, None))
        if name in names or turn is None or new not in names or new in params or not isinstance(value, int | float):
            given[name] = value
        else:
            given[new] = turn(value)
            gathered.renamed[name] = new if turn(0) == 0 else f"1 - {new}"
    return given


def value_of(trial: FrozenTrial) -> float | None:
    """The value of a finished trial; of one that was pruned, the last it reported. ``None`` where it has none."""
    if trial.state == TrialState.FAIL:
        return None
    if trial.value is not None:
        return trial.value
    return trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else None


def steps_of(trial: FrozenTrial) -> int | None:
    """How long a trial was trained, where it says so."""
    steps = trial.user_attrs.get("steps", trial.last_step)
    return steps if isinstance(steps, int) else None


def from_study(trials: list[FrozenTrial], space: Space, source: str) -> list[Earlier]:
    """Trials of other processes that search the same space."""
    gathered = _Gathered(space, source)
    for trial in trials:
        gathered.add(trial.params, value_of(trial), steps_of(trial), trial.state == TrialState.COMPLETE, True)
    return gathered.trials
