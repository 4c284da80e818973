"""From a budget to a plan: which networks look at the length of a training, and which shoals the plan keeps."""

from dataclasses import replace

import pytest

from shoal import data, winner
from shoal.default_space import default_space
from shoal.plan import Budget, Speed, plan_seconds
from shoal.rehearsal import looked_steps
from shoal.trainer import Trainer
from shoal.winner import Shoals

FAMILIES = default_space("classification", 100, has_bins=True, selects_by_error=False).families[:3]


@pytest.fixture
def shoals() -> Shoals:
    return Shoals(Trainer(data.load("example:wine", seed=0), 0), FAMILIES, [8] * len(FAMILIES))


@pytest.mark.parametrize(("affordable", "looking"), [(2.0, 8), (1.0, 8), (0.9, 4), (0.5, 4), (0.4, 8)])
def test_half_of_the_networks_look_where_all_of_them_have_no_time(shoals, monkeypatch, affordable, looking):
    steps = looked_steps(FAMILIES[0].base, shoals[0].steps_per_epoch)
    asked = []
    monkeypatch.setattr(winner, "_seconds_to_compile", lambda shoal, recipe: 3.0)
    monkeypatch.setattr(winner, "enough_epochs", lambda shoal, recipe, most: asked.append((shoal.slots, most)) or 7.0)
    epochs, seconds = winner._enough_epochs(shoals, affordable * steps)
    assert (epochs, seconds) == (7.0, 3.0 if looking == 4 else 0.0)
    ((slots, most),) = asked
    assert slots == looking
    assert (most >= steps) == (affordable >= 0.5)  # otherwise nobody looks


def plan_of(shoals: Shoals, seconds_left: float):
    """A plan where a full training of eight networks takes 100 s."""
    steps = shoals[0].steps_per_epoch
    speeds = [Speed(100 / (FAMILIES[0].base.epochs * steps), 0.0)] * len(FAMILIES)
    slots, per_epoch = [8] * len(FAMILIES), [steps] * len(FAMILIES)
    return plan_seconds(Budget.parse("20s"), seconds_left, FAMILIES, slots, speeds, per_epoch, sound=True, searches=False)


def test_a_plan_keeps_the_shoals_that_have_its_slots(shoals):
    made, halved = [shoals[number] for number in range(3)], shoals.halved(0)
    assert halved.slots == 4 and halved.layout == made[0].layout
    compared, alone, fewer, fewest = (plan_of(shoals, seconds) for seconds in (1e3, 85, 70, 40))
    assert [len(plan.shoals) for plan in (compared, alone, fewer, fewest)] == [3, 1, 1, 1]
    kept = shoals.of_plan(compared)
    assert [kept[number] for number in range(3)] == made
    assert shoals.of_plan(alone)[0] is made[0]
    assert shoals.of_plan(fewer)[0] is halved
    assert shoals.of_plan(fewest)[0].slots == 2
    only_second = replace(alone, first_family=1)
    assert shoals.of_plan(only_second)[0] is made[1]
