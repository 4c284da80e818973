"""From a budget to a plan: which networks look at the length of a training, and which shoals the plan keeps."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest

from shoal import data, planner
from shoal.default_space import default_space
from shoal.plan import Budget, Speed, plan_seconds
from shoal.planner import Planner, Shoals
from shoal.progress import Stages, silent
from shoal.rehearsal import Look
from shoal.trainer import Trainer

FAMILIES = default_space("classification", 100, has_bins=True, selects_by_error=False).families[:3]
LOOK = Look(0.0, 0, np.empty(0))


@pytest.fixture
def shoals() -> Shoals:
    return Shoals(Trainer(data.load("example:wine", seed=0), 0), FAMILIES, [8] * len(FAMILIES))


def plan_of(shoals: Shoals, seconds_left: float, compares: bool = True):
    """A plan where a full training of eight networks takes 100 s."""
    steps = shoals[0].steps_per_epoch
    speeds = [Speed(100 / (FAMILIES[0].base.epochs * steps), 0.0)] * len(FAMILIES)
    slots, per_epoch = [8] * len(FAMILIES), [steps] * len(FAMILIES)
    given = seconds_left, FAMILIES, slots, speeds, per_epoch
    return plan_seconds(Budget.parse("20s"), *given, sound=True, compares_first_recipes=compares, searches=False)


def test_a_plan_keeps_the_shoals_that_have_its_slots(shoals):
    made = [shoals[number] for number in range(3)]
    compared, fewer, fewest = (plan_of(shoals, seconds) for seconds in (1e3, 70, 40))
    alone = plan_of(shoals, 101, compares=False)
    assert [len(plan.shoals) for plan in (compared, alone, fewer, fewest)] == [3, 1, 1, 1]
    kept = shoals.of_plan(compared)
    assert [kept[number] for number in range(3)] == made
    assert shoals.of_plan(alone)[0] is made[0]
    assert shoals.of_plan(fewer)[0].slots == 4
    few = shoals.of_plan(fewest)
    assert few[0].slots == 2 and few[0].layout == made[0].layout
    assert few.of_plan(fewest)[0] is few[0]  # from where it was measured to where it trains
    only_second = replace(alone, first_family=1)
    assert shoals.of_plan(only_second)[0] is made[1]


def step_of(shoal, seconds):
    """Seconds of a step, where a full training of eight networks takes so many in mini-batches of whatever size."""
    return seconds / (FAMILIES[0].base.epochs * shoal.steps_per_epoch) * shoal.slots / 8


@pytest.mark.parametrize(
    ("expected", "measured", "compiled", "retrains", "slots"),
    [
        (1, 1, [8, 8, 8], 8, [8, 8, 8]),
        (60, 60, [4], 4, [4]),  # on two devices two, in two turns
        (120, 120, [2], 2, [2]),
        (120, 60, [2], 4, [2]),  # what was measured counts
        (60, 120, [4], 2, [2]),  # a shoal of two is compiled when it trains
        (60, 1, [4, 4, 4], 8, [4, 4, 4]),  # less was expected of the machine than it does
        (1, 120, [8, 8, 8], 2, [2]),  # and more
    ],
)
def test_programs_are_compiled_that_the_time_is_expected_to_be_enough_for(monkeypatch, expected, measured, compiled, retrains, slots):
    """Seconds of a full training of eight networks, of which 34 are there. Few seeds get a slot for each device, and at least two."""
    trainer = Trainer(data.load("example:wine", seed=0), 0)
    space = default_space("classification", 100, has_bins=True, selects_by_error=False)
    of_few = max(2, len(planner.devices.start()))
    compiled, slots = ([each if each == 8 else min(each, of_few) for each in numbers] for numbers in (compiled, slots))
    sizes = []
    monkeypatch.setattr(planner, "expected_step", lambda shoal: step_of(shoal, expected))
    monkeypatch.setattr(planner, "measure_speed", lambda shoal, recipe: step_of(shoal, measured))
    monkeypatch.setattr(planner, "_seconds_to_compile", lambda shoal, recipe: sizes.append(shoal.slots) or 0.0)
    monkeypatch.setattr(planner, "look_at", lambda shoal, recipe, *_: LOOK._replace(epochs=recipe.epochs))
    events = []
    plan, shoals = Planner(trainer, Budget.parse("40s"), space, Stages(events.append), searches=False).plan()
    assert sorted(sizes) == sorted(compiled)
    assert plan.retrains == retrains and len(plan.shoals) == (3 if retrains == 8 else 1)
    assert [shoals[number].slots for number in range(len(plan.shoals))] == [shoal.slots for shoal in plan.shoals] == slots
    assert [event.detail[:1] for event in events] == {1: ["3"], 60: ["1"], 120: ["1"]}[expected] + ["2"] * (expected > measured == 1)


def test_a_look_that_shortens_the_training_leaves_time_for_other_shapes(monkeypatch):
    trainer = Trainer(data.load("example:wine", seed=0), 0)
    space = default_space("classification", 100, has_bins=True, selects_by_error=False)
    steps = FAMILIES[0].base.epochs * Shoals(trainer, FAMILIES, [8] * 3)[0].steps_per_epoch
    sizes, looked = [], []
    monkeypatch.setattr(planner, "expected_step", lambda shoal: step_of(shoal, 120))
    monkeypatch.setattr(planner, "measure_speed", lambda shoal, recipe: step_of(shoal, 120))
    monkeypatch.setattr(planner, "_seconds_to_compile", lambda shoal, recipe: sizes.append(shoal.slots) or 0.0)
    look = LOOK._replace(epochs=FAMILIES[0].base.epochs / 20)
    monkeypatch.setattr(planner, "look_at", lambda shoal, recipe, most, least: looked.append((shoal.slots, most)) or look)
    plan, _ = Planner(trainer, Budget.parse("40s"), space, Stages(silent), searches=False).plan()
    assert sizes == [2, 2, 2] and len(plan.shoals) == 3 and plan.retrains == 8
    assert "instead of" in plan.reason
    ((slots, most),) = looked  # once, in the networks that were there first
    assert slots == 2 and most == pytest.approx(0.2 * 40 * steps / 30, rel=0.05)


@pytest.mark.parametrize(
    ("task", "share", "is_ahead", "looks", "asked", "chosen"),
    [
        ("regression", 1.0, True, 1, 0, 1),  # a quantity by muon, whatever another shape would do
        ("classification", 1.0, False, 2, 1, 0),
        ("classification", 1.0, True, 2, 1, 5),
        ("classification", 0.9, True, 2, 0, 0),  # one that overfits early is not to be compared at that moment
    ],
)
def test_the_only_shape_is_the_usual_one_of_the_task_or_one_that_is_ahead_after_as_much_time(
    monkeypatch, task, share, is_ahead, looks, asked, chosen
):
    """A training of two networks of any shape takes the 34 s that are there, without an encoding a third of them."""
    trainer = Trainer(data.load("example:wine" if task == "classification" else "example:diabetes", seed=0), 0)
    space, large = (default_space(task, rows, has_bins=True, selects_by_error=False) for rows in (100, 8_000))
    space = replace(space, alone=large.alone)
    looked, compared = [], []

    def step(shoal, recipe=None):
        return step_of(shoal, 40 if shoal.layout.shape.numeric_encoding == "standard" else 120)

    def look_at(shoal, recipe, most, least):
        looked.append((recipe, least))
        return Look(share * recipe.epochs, 300, np.ones(2))

    def ahead(shoal, recipe, steps, look):
        compared.append((recipe, steps))
        return is_ahead

    monkeypatch.setattr(planner, "expected_step", step)
    monkeypatch.setattr(planner, "measure_speed", step)
    monkeypatch.setattr(planner, "_seconds_to_compile", lambda shoal, recipe: 0.0)
    monkeypatch.setattr(planner, "look_at", look_at)
    monkeypatch.setattr(planner, "is_ahead", ahead)
    made = Planner(trainer, Budget.parse("40s"), space, Stages(silent), searches=False)
    plan, shoals = made.plan()
    usual, *others = space.alone
    assert looked == [(space.families[usual].base, looks)]
    assert compared == [(space.families[other].base, 900) for other in others[:asked]]  # three times as many in the same time
    assert (plan.first_family, len(plan.shoals)) == (chosen, 1)
    assert shoals.families == [*made.shoals_of(plan).families] == [space.families[chosen]]
    assert shoals[0].layout.shape == space.families[chosen].shape
    assert plan.shoals[0].numeric_encoding == space.families[chosen].base.numeric_encoding
    assert plan.retrains == (4 if chosen == 5 else 2)  # what is cheaper has time for more seeds
    assert ("ahead of the usual one" in plan.reason) == (chosen == 5)


def test_a_budget_for_one_family_compiles_the_program_of_its_only_shape(monkeypatch):
    space = replace(default_space("regression", 100, has_bins=True, selects_by_error=False), alone=(1,))
    compiled = []
    monkeypatch.setattr(planner, "expected_step", lambda shoal: 1e-5)
    monkeypatch.setattr(planner, "measure_speed", lambda shoal, recipe: 1e-5)
    monkeypatch.setattr(planner, "_seconds_to_compile", lambda shoal, recipe: compiled.append(recipe) or 0.0)
    monkeypatch.setattr(planner, "look_at", lambda shoal, recipe, *_: LOOK._replace(epochs=recipe.epochs))
    plan, _ = Planner(Trainer(data.load("example:diabetes"), 0), Budget.parse("5s"), space, Stages(silent), searches=False).plan()
    assert compiled == [space.families[1].base] and plan.first_family == 1


@pytest.mark.parametrize(
    ("budget", "compiled", "ahead", "counted"),
    [
        ("20s", 3, False, 0.0),  # a short budget is for training
        ("20s", 3, True, 10.0),  # that was while other work was done
        ("20s", 0, False, 10.0),  # what comes from the cache takes its time
        ("50s", 3, False, 10.0),
    ],
)
def test_the_wait_for_programs_counts_unless_they_are_compiled_for_a_short_budget(monkeypatch, budget, compiled, ahead, counted):
    trainer = Trainer(data.load("example:wine", seed=0), 0)
    space = default_space("classification", 100, has_bins=True, selects_by_error=False)
    clock, programs, before = Stages(silent), [], planner.devices.compilations()

    def compile_one(shoal, recipe):
        clock.begun -= 0 if programs else 10  # seconds, which have passed
        programs.append(shoal)
        return 1.0

    monkeypatch.setattr(planner, "expected_step", lambda shoal: 1e-5)
    monkeypatch.setattr(planner, "measure_speed", lambda shoal, recipe: 1e-5)
    monkeypatch.setattr(planner, "_seconds_to_compile", compile_one)
    monkeypatch.setattr(planner, "look_at", lambda shoal, recipe, *_: LOOK._replace(epochs=recipe.epochs))
    monkeypatch.setattr(planner.devices, "compilations", lambda: before + compiled * bool(programs))
    monkeypatch.setattr(planner, "COMPILING", 1)
    made = Planner(trainer, Budget.parse(budget), space, clock)
    seconds = made.budget.seconds
    if ahead:
        made.compile_ahead()
        while len(programs) < 3:
            time.sleep(0.01)
    plan, _ = made.plan()
    left = float(re.findall(r"of the (\d+) s left", plan.reason)[0])
    assert left == pytest.approx(seconds - counted, abs=1.5) and len(programs) == 3


def test_the_clock_of_a_job_counts_from_the_start_of_its_process_up_to_three_seconds():
    for ago, counted in ((None, 0.0), (1.0, 1.0), (100.0, 3.0), (-5.0, 0.0)):
        clock = Stages.since(None if ago is None else time.perf_counter() - ago, silent)
        assert clock.total == pytest.approx(counted, abs=0.2)
        assert clock.seconds == ({"starting": pytest.approx(counted, abs=0.2)} if counted else {})
