"""All answers together: one record that survives JSON, a reason for everything that cannot be told, in seconds."""

import time
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from shoal.answers import answers
from shoal.measurements.answers import Answers
from shoal.recipe import Recipe

from .searches import one_trial, plan_of, search, space_of


def valley(points: np.ndarray) -> np.ndarray:
    return 0.3 + 0.2 * (points[:, 0] - 0.6) ** 2 + 0.03 * (1 - points[:, 2])


@pytest.fixture(scope="module")
def found():
    trials, space, plan = search(valley, 128)
    begin = time.process_time()
    record = answers(trials, space, plan, inputs=20)
    return record, time.process_time() - begin


def test_every_answer_is_told_or_has_a_reason(found):
    record, _ = found
    for name in ("winner", "luck", "smallest", "best_so_far", "gain", "importance", "architecture"):
        assert (getattr(record, name) is None) == (name in record.unknown), name
    assert record.importance is not None and record.importance.parameters[0].name == "learning_rate"
    assert record.winner is not None and record.winner.seeds == 8 and record.winner.finalists == 3


def test_the_record_survives_json(found):
    record, _ = found
    assert msgspec.json.decode(msgspec.json.encode(record), type=Answers) == record


def test_it_takes_seconds(found):
    assert found[1] < 30


def test_the_same_trials_have_the_same_answers(found):
    trials, space, plan = search(valley, 128)
    assert answers(trials, space, plan, inputs=20) == found[0]


@pytest.mark.parametrize("trials", [0, 1, 3])
def test_hardly_any_trials_have_reasons_only(trials):
    found = [one_trial(number, Recipe((8 + number,)), [0.5, 0.4, 0.3]) for number in range(trials)]
    record = answers(found, space_of(), plan_of(trials), inputs=3)
    assert record.winner is record.importance is record.gain is None
    assert {"winner", "luck", "smallest", "gain", "importance", "interactions", "edges"} <= set(record.unknown)
    assert all(reason and reason[0].islower() for reason in record.unknown.values())


def test_first_recipes_that_were_compared_say_nothing_of_a_search(found):
    trials, space, plan = search(valley, 128)
    record = answers(trials, space, replace(plan, first_recipes=True), inputs=20)
    assert record.winner == found[0].winner and not record.top and not record.edges
    assert set(record.unknown) == {"luck", "smallest", "best_so_far", "gain", "importance", "interactions", "architecture", "edges"}
    assert {getattr(record, name) for name in record.unknown} == {None, ()}


def test_trials_that_all_diverged_have_reasons_only():
    found = [one_trial(number, Recipe((8 + number,)), [None], status="diverged") for number in range(20)]
    record = answers(found, space_of(), plan_of(20), inputs=3)
    assert record.best_so_far is record.gain is record.importance is None


def test_inputs_may_depend_on_the_recipe():
    trials, space, plan = search(valley, 32)
    few, many = (answers(trials, space, plan, inputs=each).winner for each in (lambda recipe: 1, 1000))
    assert few is not None and many is not None and many.parameters > few.parameters
