"""Trials as Optuna keeps them: states, parameters with their distributions, intermediate values; and many of them in one transaction."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from shoal.parameters import Choice, Parameter
from shoal.records import Trial
from shoal.space import Space
from shoal.study.address import Opened

RUN, NUMBER, PURPOSE, OTHER = "run", "trial", "purpose", "other settings"
"""User attributes of a trial: which run, its number there, whether it was a retrain, and what no distribution holds."""

TABLES_OF = "v3.2.0.a"
"""The revision of Optuna's tables that rows are written into; of another one, Optuna writes them itself."""

_VALUES = ("trial_values", "trial_params", "trial_user_attributes", "trial_system_attributes", "trial_intermediate_values")
_TABLES = ("studies", "trials", *_VALUES)


def distribution_of(parameter: Parameter) -> BaseDistribution:
    """The distribution that a parameter is drawn from, in Optuna's terms.

    Optuna has no logarithmic scale of ``1 - value``: such a parameter is recorded as itself, on a linear scale.

    Example:
        >>> from shoal.parameters import Range
        >>> distribution_of(Range("units", 16, 128, "log_integer"))
        IntDistribution(high=128, log=True, low=16, step=1)
    """
    if isinstance(parameter, Choice):
        return CategoricalDistribution([parameter.label(value) for value in parameter.values])
    if parameter.scale in ("integer", "log_integer"):
        return IntDistribution(math.ceil(parameter.low), math.floor(parameter.high), log=parameter.scale == "log_integer")
    return FloatDistribution(parameter.low, parameter.high, log=parameter.scale == "log")


def state_of(trial: Trial) -> TrialState:
    """Complete, pruned (stopped because others were better) or failed (diverged)."""
    if trial.score is None or trial.status == "diverged":
        return TrialState.FAIL
    return TrialState.COMPLETE if trial.status in ("finished", "stopped early") else TrialState.PRUNED


def frozen(trial: Trial, space: Space, run: str) -> FrozenTrial:
    """A trial as Optuna knows it.

    Args:
        trial: what became of a recipe.
        space: that it was drawn from.
        run: which run it belongs to.
    """
    named = {parameter.name: parameter for parameter in space.parameters}
    params: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}
    other: dict[str, Any] = {}
    for name, value in space.settings_of(trial.recipe).items():
        distribution = _holding(distribution_of(named[name]), value)
        if distribution is None:
            other[name] = value
        else:
            params[name], distributions[name] = value, distribution
    attributes: dict[str, Any] = {
        RUN: run,
        NUMBER: trial.number,
        PURPOSE: trial.purpose,
        "status": trial.status,
        "seed": trial.seed,
        "family": trial.shoal,
        "rung": trial.rung,
        "steps": trial.steps,
        "best step": trial.best_step,
    }
    if other:
        attributes[OTHER] = other
    state = state_of(trial)
    return optuna.create_trial(
        state=state,
        value=None if state == TrialState.FAIL else trial.score,
        params=params,
        distributions=distributions,
        user_attrs=attributes,
        intermediate_values={step: loss for step, loss in zip(trial.trace.steps, trial.trace.dev_loss, strict=True) if loss is not None},
    )


def _holding(distribution: BaseDistribution, value: Any) -> BaseDistribution | None:
    """The distribution, widened where a value lies outside it (a recipe that the search began with, say); ``None`` where that cannot be."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution if any(value == choice and type(value) is type(choice) for choice in distribution.choices) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if isinstance(distribution, IntDistribution):
        if value != int(value) or (distribution.log and value < 1):
            return None
        return IntDistribution(min(distribution.low, int(value)), max(distribution.high, int(value)), log=distribution.log)
    if isinstance(distribution, FloatDistribution) and not (distribution.log and value <= 0):
        return FloatDistribution(min(distribution.low, value), max(distribution.high, value), log=distribution.log)
    return None


class Rows:
    """Finished trials on their way into the tables of a study.

    Optuna asks the database several times for every value of every trial. Here the same rows are written in one transaction, all of
    them or none, in about a fiftieth of the time. Should the tables be of another version, Optuna adds the trials itself, one by one.

    Args:
        opened: the database.
        study: in it.
    """

    def __init__(self, opened: Opened, study: optuna.Study) -> None:
        self._engine, self._study = opened.engine, study
        metadata = sqlalchemy.MetaData()
        if opened.storage.get_current_version() == TABLES_OF:
            metadata.reflect(opened.engine, only=_TABLES)
        self._tables: Mapping[str, sqlalchemy.Table] = metadata.tables

    def add(self, trials: Sequence[FrozenTrial]) -> None:
        """Write these trials."""
        if not self._tables:
            self._study.add_trials(trials)
            return
        with self._engine.begin() as connection:
            self._insert(connection, trials)

    def _insert(self, connection: sqlalchemy.Connection, trials: Sequence[FrozenTrial]) -> None:
        studies, table, name = self._tables["studies"], self._tables["trials"], self._study.study_name
        # Trials are numbered one after the other. A write to the study's row, in any database, keeps other processes out until the end.
        connection.execute(sqlalchemy.update(studies).where(studies.c.study_name == name).values(study_name=name))
        study = connection.execute(sqlalchemy.select(studies.c.study_id).where(studies.c.study_name == name)).scalar_one()
        counted = sqlalchemy.select(sqlalchemy.func.count()).select_from(table).where(table.c.study_id == study)
        first = connection.execute(counted).scalar_one()
        now = datetime.now(UTC).replace(tzinfo=None)
        rows: dict[str, list[dict[str, Any]]] = {each: [] for each in _VALUES}
        for number, trial in enumerate(trials, first):
            row = {"number": number, "study_id": study, "state": trial.state.name, "datetime_start": now, "datetime_complete": now}
            key = connection.execute(sqlalchemy.insert(table).values(row)).inserted_primary_key
            assert key is not None
            for each, values in _values(trial).items():
                rows[each] += [{"trial_id": key[0], **value} for value in values]
        for each, values in rows.items():
            if values:
                connection.execute(sqlalchemy.insert(self._tables[each]), values)


def _values(trial: FrozenTrial) -> dict[str, list[dict[str, Any]]]:
    """Rows of one trial by table."""
    params = [
        {
            "param_name": name,
            "param_value": trial.distributions[name].to_internal_repr(value),
            "distribution_json": optuna.distributions.distribution_to_json(trial.distributions[name]),
        }
        for name, value in trial.params.items()
    ]
    return {
        "trial_values": [{"objective": 0, "value": value, "value_type": "FINITE"} for value in trial.values or ()],
        "trial_params": params,
        "trial_user_attributes": _attributes(trial.user_attrs),
        "trial_system_attributes": _attributes(trial.system_attrs),
        "trial_intermediate_values": [
            {"step": step, "intermediate_value": value, "intermediate_value_type": "FINITE"}
            for step, value in trial.intermediate_values.items()
        ],
    }


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]
