"""Budgets and plans: what they accept, and that a plan keeps within the time it was given."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.default_space import default_space
from shoal.errors import OptionError
from shoal.halving import HALVING
from shoal.plan import (
    FEWER_RETRAINS,
    JOB_SECONDS,
    LEAST_SECONDS_TO_COMPARE,
    MOST_COMPARED,
    MOST_ROUNDS,
    RETRAINS,
    Budget,
    Speed,
    end_together,
    families_within,
    loop_is_out_of_reach,
    plan_loop,
    plan_seconds,
    plan_trials,
    with_length,
)
from shoal.population import BUFFER_STEPS, segment_steps, segments_of
from shoal.recipe import Recipe
from shoal.records import Plan
from shoal.space import Family, Space

FAMILIES = [Family(Recipe((width,) * layers, batch_size=128, epochs=40.0), width, ()) for layers, width in ((3, 128), (2, 256), (2, 64))]


SPACE = Space(FAMILIES[0].base, (), tuple(FAMILIES), by_promise=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("90 s", 90),
        (" 1.5m ", 90),
        ("2m", 120),
        ("3min", 180),
        ("45sec", 45),
        ("1h", 3600),
        ("0.5h", 1800),
        (90, 90),
        (0.5, 0.5),
    ],
)
def test_a_budget_is_a_time(text, seconds):
    assert (Budget.parse(text).seconds, Budget.parse(text).trials) == (pytest.approx(seconds), None)


@pytest.mark.parametrize(("text", "trials"), [("200trials", 200), ("1 trial", 1), ("7 trials ", 7)])
def test_or_a_number_of_trials(text, trials):
    assert (Budget.parse(text).seconds, Budget.parse(text).trials) == (None, trials)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "5", "-5m", "0s", "0trials", "1.5trials", "5d", "5 m m", "m5", "1e3s", "1,5m", "nan", "infs", "9" * 400 + "s", None,
     True, -1, 0, math.nan, math.inf, [90]],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example_of_what_to_write(text):
    with pytest.raises(OptionError, match="200trials"):
        Budget.parse(text)


def test_a_number_of_seconds_keeps_its_value_whatever_its_size():
    for seconds in (1234567.0, 86400, 0.00001, 1e7):
        assert Budget.parse(seconds).seconds == pytest.approx(seconds)


@given(st.integers(1, 100_000))
def test_segments_fit_the_buffer_and_are_an_epoch_where_that_fits(steps_per_epoch):
    segment = segment_steps(steps_per_epoch)
    assert 1 <= segment <= BUFFER_STEPS
    assert segment == steps_per_epoch if steps_per_epoch <= BUFFER_STEPS else segment > BUFFER_STEPS / 2


def seconds_of_search(plan, speeds):
    """The search as it is described: a third of the shoals goes on at each rung, each shape keeping its share; one retraining."""
    shoals = [math.ceil(shoal.trials / shoal.slots) for shoal in plan.shoals]
    step_seconds = [speed.step for speed in speeds]
    mean = sum(count * seconds for count, seconds in zip(shoals, step_seconds, strict=False)) / sum(shoals)
    total, previous = 0.0, 0
    for number, rung in enumerate(plan.rungs):
        total += math.ceil(sum(shoals) / HALVING**number) * ((rung - previous) * mean + JOB_SECONDS)
        previous = rung
    jobs = [math.ceil(plan.retrains / shoal.slots) for shoal in plan.shoals]
    return total + max(count * (JOB_SECONDS + seconds * plan.rungs[-1]) for count, seconds in zip(jobs, step_seconds, strict=False))


@st.composite
def circumstances(draw):
    count = draw(st.integers(1, 3))
    return {
        "seconds_left": draw(st.floats(1, 3600)),
        "families": FAMILIES[:count],
        "slots": draw(st.lists(st.sampled_from([1, 2, 4, 8, 16, 32, 64]), min_size=count, max_size=count)),
        "speeds": [Speed(step, 1.0) for step in draw(st.lists(st.floats(1e-4, 0.5), min_size=count, max_size=count))],
        "steps_per_epoch": [draw(st.integers(1, 5_000))] * count,
    }


@settings(max_examples=300)
@given(circumstances())
def test_a_planned_search_never_takes_longer_than_the_time_left_where_even_the_smallest_fits(at):
    plan = plan_seconds(Budget.parse("1h"), **at)
    segment = segment_steps(at["steps_per_epoch"][0])
    fewest = math.ceil(100 / segment) * segment  # about a hundred steps: less would compare nothing
    smallest = (1 + math.ceil(min(FEWER_RETRAINS) / at["slots"][0])) * at["speeds"][0].step * fewest
    if smallest <= 0.8 * at["seconds_left"]:
        assert seconds_of_search(plan, at["speeds"]) <= at["seconds_left"]


@given(circumstances())
def test_fewer_seeds_are_planned_only_where_eight_leave_no_time_for_half_of_a_training(at):
    plan = plan_seconds(Budget.parse("1h"), **at)
    assert plan.retrains in (RETRAINS, *FEWER_RETRAINS)
    if plan.retrains < RETRAINS:
        step, slots, steps = at["speeds"][0].step, at["slots"][0], FAMILIES[0].base.epochs * at["steps_per_epoch"][0] / 2
        segment = segment_steps(at["steps_per_epoch"][0])
        assert (1 + math.ceil(RETRAINS / slots)) * (step * (steps + segment) + JOB_SECONDS) > 0.85 * at["seconds_left"]


@given(circumstances())
def test_of_growing_families_all_are_searched_or_the_largest_that_can_be_trained_well(at):
    plan = plan_seconds(Budget.parse("1h"), **at, growing=True)
    first, count, full = plan.first_family, len(at["families"]), at["families"][0].base.epochs
    assert [shoal.width for shoal in plan.shoals] == [family.width for family in at["families"][first : first + len(plan.shoals)]]
    assert len(plan.shoals) == 1 or (first, len(plan.shoals)) == (0, count)
    epochs = plan.rungs[-1] / at["steps_per_epoch"][first]
    assert plan.trials == 1 or epochs >= full - 1  # compared only where trials can be trained in full
    if plan.trials == 1:
        assert plan.rung_seconds[:-1] == (0.0,) * (len(plan.rung_seconds) - 1) and plan.retrains in (RETRAINS, *FEWER_RETRAINS)
        assert f"one recipe on {plan.retrains} seeds" in plan.reason
    if epochs >= full / 2 + 1 and "Even the smallest" not in plan.reason:
        assert sum(plan.rung_seconds) <= 0.85 * at["seconds_left"] * 1.001
    if plan.trials == 1 and plan.retrains == RETRAINS and full / 2 + 1 < epochs < full - 1:  # seeds are given up before length
        fewer, steps = math.ceil(FEWER_RETRAINS[0] / at["slots"][first]), at["steps_per_epoch"][first]
        whole = segments_of(full, steps) * segment_steps(steps)
        assert fewer * (at["speeds"][first].step * whole + JOB_SECONDS) > 0.85 * at["seconds_left"]
    larger = [number for number in range(first + 1, count) if len(plan.shoals) == 1]
    for number in larger:  # on two seeds only where four had no time, of which the larger families are asked first
        segment = segment_steps(at["steps_per_epoch"][number])
        jobs, half = math.ceil(plan.retrains / at["slots"][number]), full * at["steps_per_epoch"][number] / 2 + segment
        assert jobs * (at["speeds"][number].step * half + JOB_SECONDS) > 0.85 * at["seconds_left"] or plan.retrains == 2


@given(circumstances())
def test_first_recipes_are_compared_where_there_is_no_time_for_a_search(at):
    """By the dearest shape: whichever is the best, the plan is kept."""
    plan = plan_seconds(Budget.parse("20s"), **at, sound=True)
    full, per_epoch = FAMILIES[0].base.epochs, at["steps_per_epoch"][plan.first_family]
    one = plan_seconds(Budget.parse("20s"), **at, sound=True, compares_first_recipes=False)
    assert not one.first_recipes
    if not plan.first_recipes:
        assert plan == one
        return
    assert 2 <= len(plan.shoals) <= MOST_COMPARED
    assert [shoal.trials for shoal in plan.shoals] == [RETRAINS] * len(plan.shoals) and plan.trials == RETRAINS * len(plan.shoals)
    first, last = plan.rungs
    slots, speeds = (at[name][plan.first_family :][: len(plan.shoals)] for name in ("slots", "speeds"))
    jobs = [(math.ceil(RETRAINS / slot), speed.step) for slot, speed in zip(slots, speeds, strict=True)]
    spent = sum(count * (JOB_SECONDS + step * first) for count, step in jobs)
    rest = [count * (JOB_SECONDS + step * (last - first)) for count, step in jobs]
    spent += sum(rest) if first >= 2 / 3 * last else max(rest)  # compared so late, all are trained to the end
    assert spent == pytest.approx(sum(plan.rung_seconds))
    assert spent <= 0.85 * at["seconds_left"] * 1.001
    segment = segment_steps(per_epoch)
    assert last >= 0.7 * full * per_epoch - segment and last / 8 <= first < last and first % segment == 0
    assert "the first recipes of" in plan.reason


@given(circumstances())
def test_of_three_shapes_two_are_compared_at_the_end_or_else_the_last_two(at):
    plan = plan_seconds(Budget.parse("20s"), **at, sound=True)
    if not plan.first_recipes:
        return
    first, last = plan.rungs
    at_the_end = last - first == segment_steps(at["steps_per_epoch"][plan.first_family])
    most = min(MOST_COMPARED, len(at["families"]))
    assert plan.first_family == (0 if len(plan.shoals) == most or at_the_end else most - len(plan.shoals))


@pytest.mark.parametrize(("seconds_left", "third", "first", "compared_at"), [(24.0, 500.0, 0, 1.0), (9.7, 12.0, 1, 1 / 8)])
def test_where_time_is_short_the_two_shapes_are_compared_whose_ranks_show_early(seconds_left, third, first, compared_at):
    """A training of all seeds takes 10 s by either of the first two shapes. All three are too dear, and once two at their end are."""
    steps, families = [10] * 3, FAMILIES[:3]
    speeds = [Speed(seconds / (families[0].base.epochs * 10), 1.0) for seconds in (10.0, 10.0, third)]
    plan = plan_seconds(Budget.parse("20s"), seconds_left / 0.85, families, [8] * 3, speeds, steps, sound=True, searches=False)
    assert plan.first_recipes and plan.first_family == first and len(plan.shoals) == 2
    assert plan.rungs[0] / plan.rungs[1] == pytest.approx(compared_at, abs=0.05)


def test_first_recipes_that_are_compared_near_the_end_are_all_paid_for_to_it():
    slots, steps = [8, 4, 2], [0.001, 0.002, 0.003]
    at = {"families": FAMILIES[:3], "slots": slots, "speeds": [Speed(step, 1.0) for step in steps], "steps_per_epoch": [10] * 3}
    plan = plan_seconds(Budget.parse("20s"), 1e4, **at, sound=True, lengthens=False, searches=False)
    first, last = plan.rungs
    assert plan.first_recipes and last - first == segment_steps(10) and end_together(plan.rungs)
    jobs = [RETRAINS // slot for slot in slots]
    assert sum(plan.rung_seconds) == pytest.approx(sum(n * (2 * JOB_SECONDS + step * last) for n, step in zip(jobs, steps, strict=True)))
    assert "and the best of them" not in plan.reason


def test_a_short_budget_takes_up_the_shapes_whose_first_recipes_it_compares():
    least = LEAST_SECONDS_TO_COMPARE
    for seconds, shapes in ((0.9 * least, 1), (least, 3), (45, 3)):
        budget = Budget.parse(seconds)
        assert len(families_within(budget, SPACE)) == shapes and budget.is_short
    assert not Budget.parse("60s").is_short and not Budget.parse("10trials").is_short
    growing = Space(FAMILIES[0].base, (), tuple(FAMILIES), by_promise=True, growing=True)
    assert len(families_within(Budget.parse(least), growing)) == 1


def test_a_longer_budget_takes_up_a_fourth_shape_of_the_default_space_and_a_fifth():
    space = default_space("classification", 5_000, True, True)
    counts = {text: len(families_within(Budget.parse(text), space)) for text in ("15s", "59s", "60s", "74s", "75s", "1h")}
    assert counts == {"15s": 3, "59s": 3, "60s": 4, "74s": 4, "75s": 5, "1h": 5}


@given(circumstances())
def test_a_search_that_is_not_asked_for_is_left_out_of_a_short_budget_where_first_recipes_can_be_compared(at):
    short, long = (plan_seconds(Budget.parse(text), **at, sound=True, searches=False) for text in ("20s", "60s"))
    asked = plan_seconds(Budget.parse("20s"), **at, sound=True)
    assert short.first_recipes or short == asked
    assert short.first_recipes >= asked.first_recipes and replace(long, budget="20s") == asked


@given(circumstances())
def test_trainings_found_long_enough_are_not_made_longer(at):
    at |= {"seconds_left": 1e6, "speeds": [Speed(1e-4, 1.0)] * len(at["families"])}
    usual, enough = (plan_seconds(Budget.parse("1h"), **at, sound=True, lengthens=each) for each in (True, False))
    segment = segment_steps(at["steps_per_epoch"][0])
    assert abs(usual.rungs[-1] - 2 * enough.rungs[-1]) <= segment


def one_recipe(seconds_left: float, slots: int = 8) -> Plan:
    """The plan for a table on which a full training of all slots takes 100 s, and the other shapes far too long."""
    steps = [400] * 3
    speeds = [Speed(seconds / (400 * FAMILIES[0].base.epochs), 1.0) for seconds in (100, 1e4, 1e4)]
    return plan_seconds(Budget.parse("20s"), seconds_left, FAMILIES, [slots] * 3, speeds, steps, sound=True, searches=False)


@pytest.mark.parametrize(
    ("seconds_left", "slots", "seeds", "trained_in", "length"),
    [
        (101 / 0.85, 8, 8, 8, 1.0),
        (99 / 0.85, 8, 8, 8, 0.98),  # a little shorter, as little as there is time for, rather than on fewer seeds
        (69 / 0.85, 8, 4, 4, 1.38),  # longer, for as long as there is time
        (86 / 0.85, 8, 8, 8, 0.86),
        (84 / 0.85, 8, 4, 4, 1.5),  # as long as is of use
        (75 / 0.85, 8, 4, 4, 1.5),
        (36 / 0.85, 8, 4, 4, 0.72),
        (34 / 0.85, 8, 2, 2, 1.36),
        (51 / 0.85, 8, 4, 4, 1.02),
        (13 / 0.85, 8, 2, 2, 0.5),  # as long as there is time for
        (69 / 0.85, 32, 8, 8, 1.0),  # 24 of the slots would stay empty
        (26 / 0.85, 6, 2, 3, 0.5),
        (69 / 0.85, 3, 2, 3, 0.69),  # an odd number of slots is not halved
    ],
)
def test_one_recipe_is_trained_on_fewer_seeds_before_it_is_cut_short(seconds_left, slots, seeds, trained_in, length):
    plan = one_recipe(seconds_left, slots)
    (shoal,) = plan.shoals
    assert (plan.retrains, shoal.slots) == (seeds, trained_in)
    assert plan.rungs[-1] / (400 * FAMILIES[0].base.epochs) == pytest.approx(length, abs=0.03)
    assert sum(plan.rung_seconds) == pytest.approx(100 * plan.rungs[-1] / (400 * 40) * trained_in / slots, abs=1)
    assert sum(plan.rung_seconds) <= 0.85 * seconds_left


def test_few_seeds_are_trained_longer_only_where_that_is_of_use():
    steps, epochs = [400] * 3, FAMILIES[0].base.epochs
    speeds = [Speed(seconds / (400 * epochs), 1.0) for seconds in (100, 1e4, 1e4)]
    at = (Budget.parse("20s"), 34 / 0.85, FAMILIES, [8] * 3, speeds, steps)
    lengths = [plan_seconds(*at, sound=True, searches=False, lengthens=each).rungs[-1] / (400 * epochs) for each in (True, False)]
    assert lengths == pytest.approx([1.36, 1.0], abs=0.02)


def test_a_network_too_dear_to_compare_is_trained_as_it_is():
    at = {"seconds_left": 200.0, "families": FAMILIES[:2], "slots": [2, 2], "steps_per_epoch": [400, 400]}
    full = FAMILIES[0].base.epochs
    dear = [Speed(100 / (400 * full), 1.0), Speed(1000 / (400 * full), 1.0)]  # seconds of a training: 100 and 1,000
    plan = plan_seconds(Budget.parse("5m"), **at, speeds=dear, growing=True)
    assert (plan.first_family, plan.trials, plan.retrains) == (0, 1, 4)  # two turns of 70 s
    cheap = [Speed(1 / (400 * full), 1.0), Speed(10 / (400 * full), 1.0)]
    plan = plan_seconds(Budget.parse("5m"), **at, speeds=cheap, growing=True)
    assert len(plan.shoals) == 2 and plan.trials > 12 and plan.retrains == RETRAINS


@given(circumstances())
def test_a_plans_rungs_are_whole_segments_that_increase(at):
    rungs = plan_seconds(Budget.parse("1h"), **at).rungs
    segment = segment_steps(at["steps_per_epoch"][0])
    assert all(rung % segment == 0 for rung in rungs) and list(rungs) == sorted(set(rungs)) and rungs[0] >= segment


@given(circumstances())
def test_a_plans_shoals_are_full_in_the_order_of_the_families_and_no_more_than_the_most(at):
    plan = plan_seconds(Budget.parse("1h"), **at)
    assert plan.trials == sum(shoal.trials for shoal in plan.shoals)
    for shoal, family, slots in zip(plan.shoals, at["families"], at["slots"], strict=False):
        assert (shoal.width, shoal.hidden_layers, shoal.slots) == (family.width, family.shape.hidden_layers, slots)
        assert shoal.trials % slots == 0 and slots <= shoal.trials <= MOST_ROUNDS * slots
    assert sum(shoal.trials / shoal.slots for shoal in plan.shoals) >= HALVING ** (len(plan.rungs) - 1)


@given(circumstances(), st.floats(1, 20))
def test_more_time_never_means_less_search(at, factor):
    less = seconds_of_search(plan_seconds(Budget.parse("1h"), **at), at["speeds"])
    more_time = {**at, "seconds_left": at["seconds_left"] * factor}
    more = seconds_of_search(plan_seconds(Budget.parse("1h"), **more_time), at["speeds"])
    assert (
        less > at["seconds_left"] or more >= 0.4 * less
    )  # a shape less, trained with halving, may take a little less time than two without


@given(st.integers(1, 1000), st.integers(1, 3), st.sampled_from([1, 2, 8, 32]), st.integers(1, 3_000))
def test_a_budget_in_trials_is_spent_exactly_and_without_looking_at_the_clock(trials, count, slots, steps_per_epoch):
    count = min(count, trials)
    budget = Budget.parse(f"{trials}trials")
    plan = plan_trials(budget, FAMILIES[:count], [slots] * count, [steps_per_epoch] * count)
    assert plan == plan_trials(budget, FAMILIES[:count], [slots] * count, [steps_per_epoch] * count)
    assert plan.trials == trials == sum(shoal.trials for shoal in plan.shoals)
    assert max(shoal.trials for shoal in plan.shoals) - min(shoal.trials for shoal in plan.shoals) <= 1
    assert all(shoal.step_seconds is None for shoal in plan.shoals)
    segment = segment_steps(steps_per_epoch)
    assert all(rung % segment == 0 for rung in plan.rungs)
    assert abs(plan.rungs[-1] - 40 * steps_per_epoch) <= segment


@given(st.integers(1, 500))
def test_a_larger_budget_never_takes_up_fewer_families(amount):
    for unit in ("s", "trials"):
        smaller, larger = (families_within(Budget.parse(f"{n}{unit}"), SPACE) for n in (amount, amount + 1))
        assert 1 <= len(smaller) <= len(larger)
        assert list(larger[: len(smaller)]) == list(smaller) == FAMILIES[: len(smaller)]


def test_a_family_of_another_length_differs_in_nothing_else():
    family = with_length(FAMILIES[0], 7.0)
    assert FAMILIES[0].base.diff(family.base) == {"epochs": (40.0, 7.0)}


def test_a_loop_on_pictures_trains_for_half_of_a_full_training_or_not_at_all():
    budget, step = Budget.parse("1h"), 0.01
    enough = plan_loop(budget, 40 * 32 * 20 * step, 40.0, 1, step, is_picture=True)  # 32 networks for 20 epochs of a step each
    assert (enough.steps, enough.epochs, enough.seeds) == (2, 20.0, 4)
    assert plan_loop(budget, 31 * 20 * step, 40.0, 1, step, is_picture=True).steps == 0
    assert plan_loop(budget, 1e6, 40.0, 1, step).seeds == RETRAINS


def test_a_loop_is_out_of_reach_where_no_machine_could_train_its_networks_in_time():
    # 32 networks, 3 operations a multiplication, half of the rows, at 4e11 a second
    needed = 32 * 3 * 1e6 * 5e5 / 4e11
    assert loop_is_out_of_reach(0.99 * needed, 1e6, 1_000_000)
    assert not loop_is_out_of_reach(1.01 * needed, 1e6, 1_000_000)
